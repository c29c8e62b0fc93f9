"""The command `fusion-billing`, one file per group of commands."""
