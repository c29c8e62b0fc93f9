"""When and in which order. No business rule lives here: every asset calls a function of ingest,
exports or dbt."""
