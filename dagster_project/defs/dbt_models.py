"""The dbt project as assets, in two builds: what should be billed, and what became of it."""

from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DbtCliResource, DbtProject, dbt_assets

from warehouse.dbt_project import DBT_PROJECT, dbt_target
from warehouse.settings import load_settings

project = DbtProject(
    project_dir=DBT_PROJECT, profiles_dir=DBT_PROJECT, target_path=dbt_target(load_settings())
)

# Unit tests check the code, not the data: CI runs them, a nightly build need not.
_BUILD = ["build", "--exclude-resource-type", "unit_test"]


class Grouped(DagsterDbtTranslator):
    """One group a build, so that the UI draws the graph from left to right."""

    def __init__(self, group: str) -> None:
        super().__init__()
        self._group = group

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str | None:
        return self._group


@dbt_assets(
    manifest=project.manifest_path,
    select="+tag:rating",
    name="rating_models",
    dagster_dbt_translator=Grouped("rating"),
)
def rating_models(context: dg.AssetExecutionContext, dbt: DbtCliResource) -> Iterator[Any]:
    yield from dbt.cli(_BUILD, context=context).stream()


@dbt_assets(
    manifest=project.manifest_path,
    select="fqn:*",
    exclude="+tag:rating",
    name="finance_models",
    dagster_dbt_translator=Grouped("finance"),
)
def finance_models(context: dg.AssetExecutionContext, dbt: DbtCliResource) -> Iterator[Any]:
    yield from dbt.cli(_BUILD, context=context).stream()
