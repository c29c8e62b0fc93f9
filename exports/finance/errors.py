"""Why finance's files were not written. Every message ends with the next command."""

from __future__ import annotations


class FinanceExportError(Exception):
    """The month's files cannot be written: marts missing, empty, unreachable, or too large."""


class CloseRefusedError(Exception):
    """The month cannot be closed. `reasons` holds every one found, not only the first."""

    def __init__(self, month: str, reasons: list[str]) -> None:
        super().__init__(f"{month} is not closed: " + " ".join(reasons))
        self.reasons = reasons
