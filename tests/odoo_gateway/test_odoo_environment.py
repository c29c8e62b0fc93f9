"""FUSION_ENV=dev and a production Odoo do not meet."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from odoo_gateway.connect import connect_from
from odoo_gateway.environment import NEUTRALIZED, is_neutralized, needs_neutralized
from odoo_gateway.errors import OdooRefusedError
from sandbox.odoo.launch import running_double
from warehouse.settings import FusionEnv, Settings


@pytest.fixture(scope="module")
def copy_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The double under an address that is not loopback by its name: 0.0.0.0 is every address of
    this machine, so the traffic stays on it."""
    with running_double(tmp_path_factory.mktemp("odoo") / "odoo.sqlite") as url:
        yield url.replace("127.0.0.1", "0.0.0.0")  # noqa: S104 - an address to call, none to bind


def settings(url: str, env: FusionEnv) -> Settings:
    return Settings(
        odoo_url=url,
        odoo_api_key="admin",
        fusion_env=env,
        database_url="postgresql://localhost/unused",
        fusion_home=Path("unused"),
        _env_file=None,
    )


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:8069",
        "http://127.8.0.1:8069",
        "http://localhost:8069",
        "http://odoo.localhost",
        "https://[::1]:8069",
    ],
)
def test_an_odoo_on_this_machine_needs_no_mark(url: str) -> None:
    assert not needs_neutralized(FusionEnv.DEV, url)


@pytest.mark.parametrize(
    "url",
    [
        "https://odoo.example.com",
        "http://10.0.0.7:8069",
        "http://0.0.0.0:8069",
        "https://localhost.example.com",
        "https://127.0.0.1.example.com",
        "https://[2001:db8::1]",
    ],
)
def test_an_odoo_elsewhere_needs_one_short_of_production(url: str) -> None:
    assert needs_neutralized(FusionEnv.DEV, url)
    assert not needs_neutralized(FusionEnv.PRODUCTION, url)
    assert needs_neutralized(FusionEnv.CI, url)


def test_dev_is_refused_until_the_copy_is_neutralized(copy_url: str) -> None:
    production = connect_from(settings(copy_url, FusionEnv.PRODUCTION))
    assert not is_neutralized(production)
    with pytest.raises(OdooRefusedError) as refused:
        connect_from(settings(copy_url, FusionEnv.DEV))
    assert str(refused.value).startswith(f"FUSION_ENV=dev refuses the Odoo at {copy_url}: ")
    assert "odoo-bin neutralize" in str(refused.value)
    assert "\n" not in str(refused.value)

    (mark,) = production.create("ir.config_parameter", [{"key": NEUTRALIZED, "value": "true"}])
    assert is_neutralized(connect_from(settings(copy_url, FusionEnv.DEV)))

    production.write("ir.config_parameter", [mark], {"value": "false"})
    with pytest.raises(OdooRefusedError, match="neutralized copy"):
        connect_from(settings(copy_url, FusionEnv.DEV))
