"""What Prometheus may ask: counted in every worker, summed over all of them at `/metrics`.

The workers write into files of one folder (prometheus-client's multiprocess mode), so any worker
answers for all, and one that died keeps its counts. Labels are methods, routes and statuses:
never services, ids, payloads or keys, for the route is open.
"""

from __future__ import annotations

import os
from bisect import bisect_left
from collections import Counter as Counts
from collections.abc import Sequence
from pathlib import Path

from litestar import Response, get
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest, values
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.multiprocess import MultiProcessCollector

_REQUEST_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
_COMMIT_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
_GROUP = (1, 2, 4, 8, 16, 32, 64, 128, 256)


class Metrics:
    """One worker's counters, kept in `folder` beside those of the other workers; None: alone."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._own = own = CollectorRegistry()
        if folder is not None:
            # The library decides at its import, from the environment, which was before the fork.
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(folder)
            pid = os.getpid()  # asked anew at every count, it was an eighth of an event's cost
            values.ValueClass = values.MultiProcessValue(lambda: pid)  # type: ignore[no-untyped-call]
        self.requests = Counter(
            "fusion_ingest_requests_total",
            "Requests answered.",
            ["method", "route", "status"],
            registry=own,
        )
        self.request_seconds = Histogram(
            "fusion_ingest_request_seconds",
            "From the request's head to the end of the answer.",
            ["route"],
            buckets=_REQUEST_SECONDS,
            registry=own,
        )
        self._histograms: dict[str, Histogram] = {}
        self.rows = Counter("fusion_ingest_rows_total", "Counters and events stored.", registry=own)
        self.duplicates = Counter(
            "fusion_ingest_duplicates_total",
            "Counters and events that were there before.",
            registry=own,
        )
        self.conflicts = Counter(
            "fusion_ingest_conflicts_total",
            "Counters and events refused: same identity, other payload.",
            registry=own,
        )
        self.commit_seconds = Histogram(
            "fusion_ingest_commit_seconds",
            "One group's transaction, from taking a connection to its commit.",
            buckets=_COMMIT_SECONDS,
            registry=own,
        )
        self.group_requests = Histogram(
            "fusion_ingest_group_requests",
            "Requests that shared one transaction.",
            buckets=_GROUP,
            registry=own,
        )

    def took(self, route: str, seconds: Sequence[float]) -> None:
        """Counts how long requests took, together: each `observe` writes two values."""
        histogram = self._histograms.get(route)
        if histogram is None:
            histogram = self._histograms[route] = self.request_seconds.labels(route)
        buckets = Counts([bisect_left(_REQUEST_SECONDS, one) for one in seconds])
        for index, count in buckets.items():
            histogram._buckets[index].inc(count)
        histogram._sum.inc(sum(seconds))

    def text(self) -> bytes:
        """All workers' sums in Prometheus' text format."""
        if self._folder is None:
            return generate_latest(self._own)
        registry = CollectorRegistry()
        MultiProcessCollector(registry, str(self._folder))  # type: ignore[no-untyped-call]
        return generate_latest(registry)


@get("/metrics", include_in_schema=False, sync_to_thread=True)
def get_metrics(metrics: Metrics) -> Response[bytes]:
    """Prometheus' text format, over all workers."""
    return Response(metrics.text(), media_type=CONTENT_TYPE_LATEST)
