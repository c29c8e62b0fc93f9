"""The catalogue as a reviewable file: read, compared with Odoo, applied, shown."""
