"""Dagster in this process, quietly: the demo materialises through the same jobs as the schedules.

Import it only after `dagster_project.instance.enter`: the definitions read dbt's manifest.
"""

from __future__ import annotations

import contextlib
from datetime import date
from pathlib import Path
from types import TracebackType

import dagster as dg

from cli.local import LocalPartError
from dagster_project.definitions import defs
from dagster_project.defs.billing import RunConfig


class Pipeline:
    """Runs jobs on the instance of DAGSTER_HOME; what they print goes to `log`."""

    def __init__(self, log: Path) -> None:
        self.log = log
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Pipeline:
        output = self._stack.enter_context(self.log.open("a"))
        self._stack.enter_context(contextlib.redirect_stdout(output))
        self._output = output
        self._instance = self._stack.enter_context(dg.DagsterInstance.get())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def daily_billing(self, run_date: date) -> None:
        """The job `daily_billing` for a date. LocalPartError names the steps that failed."""
        # Dagster's console logger writes to stderr; its stack traces belong into the log as well.
        with contextlib.redirect_stderr(self._output):
            result = defs.resolve_job_def("daily_billing").execute_in_process(
                instance=self._instance,
                run_config=dg.RunConfig(
                    ops={"billing_run": RunConfig(run_date=run_date.isoformat())},
                    loggers={"console": {"config": {"log_level": "ERROR"}}},
                ),
                raise_on_error=False,
            )
        if not result.success:
            failed = [
                event.step_key
                for event in result.all_events
                if event.is_step_failure and event.step_key
            ]
            raise LocalPartError(
                f"Dagster's run failed at {', '.join(failed) or 'its start'}. "
                f"Its log is {self.log}; `make up` shows the run."
            )
