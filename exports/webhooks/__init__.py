"""Lifecycle events to apps: what happened in Odoo, told over HTTP until it is heard."""
