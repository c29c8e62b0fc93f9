"""A double of Odoo 19 for demos and tests: the calls, words and traps that the platform meets.

It speaks the JSON-RPC that odoorpc speaks and keeps its state in a SQLite file. What it does is
held against a real Odoo 19 Community by tests/contract.
"""
