"""What can go wrong with Odoo, as two types: repeat it, or do not."""

from __future__ import annotations


class OdooError(Exception):
    """Odoo could not do what was asked. The message carries Odoo's own words, never a key."""


class OdooTransientError(OdooError):
    """Time-out, lost connection, restart, serialization failure: the work may or may not have been
    done. Settle it by reading; repeat only what is safe to repeat."""


class OdooRefusedError(OdooError):
    """Odoo understood and said no (access, validation, unknown field). A repeat says no too.

    `name` is Odoo's exception class, e.g. `odoo.exceptions.UserError`.
    """

    def __init__(self, message: str, *, name: str = "") -> None:
        super().__init__(message)
        self.name = name
