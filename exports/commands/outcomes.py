"""How a command can end other than well."""

from __future__ import annotations


class AmbiguousError(Exception):
    """Several partners in Odoo fit. The message names them and the next step."""


class WaitingError(Exception):
    """Another command has to be settled first. The message names it."""


class CannotApplyError(Exception):
    """What is asked does not fit what Odoo has. The message says why and the next step."""


class ApplyBusyError(Exception):
    """Commands are being applied to this Odoo database already."""


AGAIN = "then run `fusion-billing odoo apply --refused`"
