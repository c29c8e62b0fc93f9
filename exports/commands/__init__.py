"""What apps asked for, into Odoo: customers, account links, subscriptions, their end."""
