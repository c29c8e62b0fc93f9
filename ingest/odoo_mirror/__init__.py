"""The mirror of Odoo: every record the platform reads, landed in raw.odoo_* as RPC returned it."""

from ingest.odoo_mirror.deletions import MassDeletionError
from ingest.odoo_mirror.models import BILLING, MASTER, Mirrored
from ingest.odoo_mirror.passes import MirrorCount, mirror

__all__ = ["BILLING", "MASTER", "MassDeletionError", "MirrorCount", "Mirrored", "mirror"]
