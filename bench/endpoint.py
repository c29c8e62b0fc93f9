"""Our endpoint as `fusion-billing serve` runs it."""

from __future__ import annotations

import os

from ingest.api.server import serve
from warehouse.settings import Settings

if __name__ == "__main__":
    serve(
        Settings(_env_file=None),
        os.environ["URL"],
        host="127.0.0.1",
        port=int(os.environ["PORT"]),
        workers=int(os.environ.get("WORKERS", "1")),
    )
