"""How one talks to Odoo: the client protocol, its transports, its errors, and the x_fc_* bootstrap."""
