"""The ground floor: settings, the database, the tables of raw.* and ops.*, migrations, locks."""
