"""How one talks to Odoo: client protocol, transports, errors, and the x_fc_* bootstrap."""
