"""The apps' traffic: counters as HTTP requests, and what the endpoint must answer to them."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from itertools import groupby, islice
from threading import local as thread_local
from typing import Any

import httpx
import msgspec

from sandbox.catalogue import NEXACLOUD, NEXADESK
from sandbox.model import INITIAL, Counter, World
from sandbox.usage import counters, refused

BATCH = 1000
USAGE = "/usage"
EVENTS = "/events/batch"
_RETRIES = 8
_LONGEST_WAIT = 10.0  # seconds

# NexaCloud writes decimals as text, the others as JSON numbers: the endpoint takes both exactly.
_AS_TEXT = msgspec.json.Encoder(decimal_format="string")
_AS_NUMBER = msgspec.json.Encoder(decimal_format="number")


class TrafficError(Exception):
    """The endpoint answered something that no app should ever see. The message quotes it."""


@dataclass(frozen=True)
class Post:
    """One request of one service. Posts of a later `stage` wait for every earlier one."""

    service_code: str
    path: str
    body: bytes
    counters: int
    stage: int = 0


@dataclass(frozen=True)
class PostCounts:
    """In counters, not in requests; posted = accepted + duplicate + rejected."""

    posted: int = 0
    accepted: int = 0
    duplicate: int = 0
    rejected: int = 0

    def __add__(self, other: PostCounts) -> PostCounts:
        return PostCounts(
            self.posted + other.posted,
            self.accepted + other.accepted,
            self.duplicate + other.duplicate,
            self.rejected + other.rejected,
        )


def posts(
    world: World, *, phase: str = INITIAL, months: Sequence[date] | None = None
) -> Iterator[Post]:
    """The requests of a phase (`initial` or `late`), in the order in which the apps send them.

    `months` restricts them to windows that start in these months (first days). After the initial
    traffic come, as stage 1, the batches that are sent twice and the posts that must be refused.
    """
    wanted = [
        counter
        for counter in counters(world)
        if months is None or counter.window_start.date().replace(day=1) in months
    ]
    regular = [counter for counter in wanted if counter.phase == phase]
    resent: list[Post] = []
    for (service, path), stream in _streams(regular):
        for number, batch in enumerate(_batches(stream)):
            post = _post(service, path, batch, stage=0)
            yield post
            if phase == INITIAL and number == 1 and service in (NEXACLOUD, NEXADESK):
                resent.append(Post(service, path, post.body, post.counters, stage=1))
    if phase == INITIAL:
        yield from resent
        for counter in filter(refused, wanted):
            yield _post(counter.service_code, _path(counter), [counter], stage=1)


def expected_counts(sent: Iterable[Post]) -> PostCounts:
    """What post_traffic must return for the whole of `posts`: the planted refusals are the only
    stage-1 posts of one counter, the other stage-1 posts are sent for the second time."""
    total = PostCounts()
    for post in sent:
        fate = "accepted"
        if post.stage == 1:
            fate = "rejected" if post.counters == 1 else "duplicate"
        total += PostCounts(posted=post.counters, **{fate: post.counters})
    return total


def post_traffic(
    base_url: str, keys: Mapping[str, str], sent: Iterable[Post], *, connections: int = 3
) -> PostCounts:
    """Sends posts over HTTP to `base_url` (…/api/billing/v1), each service with its own key.

    Repeats a request after a lost connection, 429 and 503, which is safe: the endpoint
    deduplicates. Raises TrafficError on any answer but 200 and 422.
    """
    total = PostCounts()
    clients: list[httpx.Client] = []
    own = thread_local()

    def send(post: Post) -> PostCounts:
        if not hasattr(own, "client"):
            own.client = httpx.Client(base_url=base_url.rstrip("/"), timeout=60.0)
            clients.append(own.client)
        return _send(own.client, keys[post.service_code], post)

    try:
        with ThreadPoolExecutor(connections) as pool:
            for _, stage in groupby(sent, key=lambda post: post.stage):
                # A few at a time: the bodies of a whole stage need not be in memory together.
                while window := list(islice(stage, connections * 4)):
                    for counts in pool.map(send, window):
                        total += counts
    finally:
        for client in clients:
            client.close()
    return total


def _send(client: httpx.Client, key: str, post: Post) -> PostCounts:
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    problem = ""
    for attempt in range(_RETRIES):
        wait = min(0.25 * 2**attempt, _LONGEST_WAIT)
        try:
            response = client.post(post.path, content=post.body, headers=headers)
        except httpx.TransportError as error:
            problem = f"{type(error).__name__}: {error}"
        else:
            if response.status_code not in (429, 503):
                return _counts(post, response)
            problem = f"{response.status_code}: {response.text[:200]}"
            after = response.headers.get("Retry-After", "")
            wait = min(float(after), _LONGEST_WAIT) if after.isdigit() else wait
        time.sleep(wait)
    raise TrafficError(f"POST {post.path}: no success in {_RETRIES} attempts, last {problem}")


def _counts(post: Post, response: httpx.Response) -> PostCounts:
    if response.status_code == 422:
        return PostCounts(posted=post.counters, rejected=post.counters)
    if response.status_code != 200:
        raise TrafficError(
            f"POST {post.path} as {post.service_code}: {response.status_code} {response.text[:300]}"
        )
    answer = response.json()
    if post.path == USAGE:
        accepted, duplicates = answer["usage"]["accepted"], answer["usage"]["duplicates"]
    else:
        duplicates = sum(1 for item in answer["events"] if item.get("duplicate"))
        accepted = len(answer["events"]) - duplicates
    if accepted + duplicates != post.counters:
        raise TrafficError(
            f"POST {post.path}: sent {post.counters} counters, the answer speaks of "
            f"{accepted} accepted and {duplicates} duplicates"
        )
    return PostCounts(posted=post.counters, accepted=accepted, duplicate=duplicates)


def _path(counter: Counter) -> str:
    return EVENTS if counter.is_event else USAGE


def _streams(wanted: Iterable[Counter]) -> list[tuple[tuple[str, str], list[Counter]]]:
    """Per service and route, in the order in which the usage happened."""
    streams: dict[tuple[str, str], list[Counter]] = defaultdict(list)
    for counter in wanted:
        streams[counter.service_code, _path(counter)].append(counter)
    for stream in streams.values():
        stream.sort(
            key=lambda c: (
                c.window_start,
                c.external_subscription_id,
                c.code,
                c.transaction_id or "",
            )
        )
    return sorted(streams.items())


def _batches(stream: Sequence[Counter]) -> Iterator[Sequence[Counter]]:
    for start in range(0, len(stream), BATCH):
        yield stream[start : start + BATCH]


def _post(service: str, path: str, batch: Sequence[Counter], *, stage: int) -> Post:
    if path == EVENTS:
        body = _AS_NUMBER.encode({"events": [_event(counter) for counter in batch]})
    else:
        encoder = _AS_TEXT if service == NEXACLOUD else _AS_NUMBER
        body = encoder.encode({"counters": [_counter(counter) for counter in batch]})
    return Post(service, path, body, len(batch), stage)


def _counter(counter: Counter) -> dict[str, Any]:
    record: dict[str, Any] = {
        "external_subscription_id": counter.external_subscription_id,
        "code": counter.code,
        "from": counter.window_start.isoformat(),
        "to": counter.window_end.isoformat(),
        "value": counter.value,
    }
    if counter.transaction_id is not None:
        record["transaction_id"] = counter.transaction_id
    if counter.revision:
        record["revision"] = counter.revision
    return record


def _event(counter: Counter) -> dict[str, Any]:
    return {
        "transaction_id": counter.transaction_id,
        "external_subscription_id": counter.external_subscription_id,
        "code": counter.code,
        "timestamp": f"{counter.window_start.timestamp():.3f}",
        "properties": {} if counter.member is None else {"agent_id": counter.member},
    }
