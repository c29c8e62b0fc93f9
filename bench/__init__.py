"""Benchmarks of the endpoint: `make bench-ingest`, kept in docs/benchmarks.md."""
