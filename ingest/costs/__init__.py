"""Provider costs (COGS) into raw.provider_cost: from files, from Odoo, and what they follow."""
