"""Assets by area, in the order in which data walks: landing, odoo, dbt_models, billing, finance."""
