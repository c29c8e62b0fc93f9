"""All settings, from the environment or `.env`; documented in `.env.example`."""

from __future__ import annotations

import os
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from zoneinfo import ZoneInfo

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

REPOSITORY = Path(__file__).resolve().parent.parent


COST_FIELDS = {
    "provider": "x_provider",
    "sku": "x_sku",
    "day": "x_day",
    "service_code": "x_service_code",
    "external_account_id": "x_external_account_id",
    "quantity": "x_quantity",
    "amount": "x_amount",
    "currency": "x_currency",
}
OPTIONAL_COST_FIELDS = ("service_code", "external_account_id")


class FusionEnv(StrEnum):
    DEV = "dev"
    CI = "ci"
    PRODUCTION = "production"


class OdooTransport(StrEnum):
    JSONRPC = "jsonrpc"
    JSON2 = "json2"


class SettingsError(Exception):
    """Settings that cannot be used; one line that names the variable, the reason and the mend."""


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        env_file_encoding="utf-8",
        extra="ignore",
        env_ignore_empty=True,
    )

    fusion_env: FusionEnv = FusionEnv.DEV
    fusion_home: Path = Field(default=REPOSITORY / ".fusion")
    database_url: str | None = None
    company_timezone: str = "America/Toronto"
    company_currency: str = "CAD"
    usage_grace_hours: int = Field(default=24, ge=0, le=24 * 62)
    margin_floor_pct: Decimal = Field(default=Decimal(20), ge=-100, le=100)

    odoo_url: str | None = None
    odoo_db: str = "odoo"
    odoo_user: str = "admin"
    odoo_api_key: str | None = Field(default=None, repr=False)
    odoo_transport: OdooTransport = OdooTransport.JSONRPC

    # fusion_api's daily costs in Odoo, and the fields that differ from COST_FIELDS there.
    fusion_api_model: str = "x_fc_provider_cost"
    fusion_api_fields: str = ""

    serve_host: str = "127.0.0.1"
    serve_port: int = Field(default=8080, ge=1, le=65535)
    max_body_mb: int = Field(default=16, ge=1, le=1024)
    rate_limit_per_second: int = Field(default=0, ge=0, le=1_000_000)  # 0: no limit
    lago_strict_duplicates: bool = False
    webhook_allow_private: bool = False

    cutover_periods: int = Field(default=2, ge=1, le=24)
    cutover_tolerance: Decimal = Field(default=Decimal("0.00"), ge=0, max_digits=12)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment, then the files; which ones is known only now."""
        return (init_settings, env_settings, DotEnvSettingsSource(settings_cls, env_files()))

    @field_validator("company_timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError("is not an IANA time zone such as America/Toronto") from error
        return value

    @field_validator("company_currency")
    @classmethod
    def _iso_currency(cls, value: str) -> str:
        if not (len(value) == 3 and value.isascii() and value.isupper()):
            raise ValueError("is not an ISO 4217 code such as CAD")
        return value

    @field_validator("fusion_api_fields")
    @classmethod
    def _named_fields(cls, value: str) -> str:
        for pair, name, field in _pairs(value):
            if name not in COST_FIELDS or "=" not in pair:
                raise ValueError(
                    f"{pair!r} is not like amount=x_amount; the names are {', '.join(COST_FIELDS)}"
                )
            if not field and name not in OPTIONAL_COST_FIELDS:
                optional = " and ".join(OPTIONAL_COST_FIELDS)
                raise ValueError(f"{name} needs a field; only {optional} may have none")
        return value

    @field_validator("database_url")
    @classmethod
    def _postgresql_url(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("postgresql://", "postgres://")):
            raise ValueError("must start with postgresql://")
        try:
            make_url(value or "postgresql://")
        except (ValueError, ArgumentError) as error:
            raise ValueError("is not like postgresql://user:password@host:5432/name") from error
        return value

    @model_validator(mode="after")
    def _production_is_explicit(self) -> Settings:
        if self.fusion_env is FusionEnv.PRODUCTION and self.database_url is None:
            raise ValueError(
                "FUSION_ENV=production needs DATABASE_URL: the embedded server is for trying out"
            )
        return self

    @property
    def cost_fields(self) -> dict[str, str]:
        """What a cost consists of → Odoo's field of FUSION_API_MODEL; '' where it has none."""
        return COST_FIELDS | {name: field for _, name, field in _pairs(self.fusion_api_fields)}

    @property
    def drop_folder(self) -> Path:
        """Where files of provider costs and of the apps' own billing are left to be loaded."""
        return self.fusion_home / "drop"

    @property
    def exports_folder(self) -> Path:
        return self.fusion_home / "exports"

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.company_timezone)


def _pairs(text: str) -> list[tuple[str, str, str]]:
    """Each of `amount=cost, day=date`, as it stands there, with its name and its field."""
    pairs = [part.strip() for part in text.split(",") if part.strip()]
    named = [(pair, *pair.partition("=")[::2]) for pair in pairs]
    return [(pair, name.strip(), field.strip()) for pair, name, field in named]


def up_env() -> Path:
    """Where `fusion-billing up` says where its parts listen: beside the state it runs on."""
    return Path(os.environ.get("FUSION_HOME") or REPOSITORY / ".fusion") / "up.env"


def env_files() -> tuple[Path, ...]:
    """Read below the environment; the later one has the last word. What a killed `up` left behind
    is not read."""
    dotenv = Path(".env")
    return (up_env(), dotenv) if _writer_lives(up_env()) else (dotenv,)


def _writer_lives(file: Path) -> bool:
    try:
        pid = int(file.read_text().partition("FUSION_UP_PID=")[2].split("\n")[0])
        os.kill(pid, 0)
    except (OSError, ValueError):
        return False
    return True


def load_settings() -> Settings:
    """The settings in force. Raises SettingsError with one line that says what to mend."""
    try:
        return Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0]).upper() if first["loc"] else "settings"
        reason = first["msg"].removeprefix("Value error, ")
        raise SettingsError(f"{name}: {reason}. See .env.example.") from None


@lru_cache(maxsize=1)
def settings() -> Settings:
    """The process-wide settings, read once."""
    return load_settings()
