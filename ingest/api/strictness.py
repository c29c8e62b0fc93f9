"""What a JSON decoder lets pass or cannot place: a key that comes twice, NaN, half a character.

msgspec keeps the last of two equal keys, silently. Counting tells whether there are any: without
white space every key ends in `":`, and nothing else but such text in a string
does. So where there are as many `":` as keys were decoded, no key came twice; only where there are
more (also after an explicit null or an unknown field) a second, slower parser looks closely.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from operator import attrgetter
from typing import Any

import msgspec

_DUPLICATES = "\x00duplicates"  # no key that passes validation holds a NUL


def may_hold_twice(body: bytes, items: Sequence[msgspec.Struct]) -> bool:
    """False where surely no key of these items, decoded from the body, came twice."""
    keys = 1  # the root
    if len(items) == 1:
        values = msgspec.structs.astuple(items[0])
        keys += len(values) - values.count(None) + _keys(values[-1])
    elif items:
        columns = [list(map(field, items)) for field in _fields(type(items[0]))]
        keys += len(columns) * len(items) - sum(column.count(None) for column in columns)
        objects = [properties for properties in columns[-1] if type(properties) is dict]
        if body.count(b"{") == 1 + len(items) + len(objects):  # none within another
            keys += sum(map(len, objects))
        else:
            keys += sum(map(_keys, columns[-1]))
    if b" " in body or b"\n" in body or b"\t" in body or b"\r" in body:
        body = body.translate(None, b" \t\n\r")
    return body.count(b'":') != keys


@lru_cache
def _fields(struct: type[msgspec.Struct]) -> list[Callable[[msgspec.Struct], object]]:
    return [attrgetter(name) for name in struct.__struct_fields__]


def _keys(value: object) -> int:
    """How many keys a decoded value holds, at all levels."""
    if type(value) is dict:
        keys = len(value)
        for item in value.values():
            if type(item) is dict or type(item) is list:
                keys += _keys(item)
        return keys
    return sum(map(_keys, value)) if isinstance(value, list) else 0


def fields_twice(body: bytes, root: str, fields: Sequence[str]) -> dict[int, list[str]]:
    """Index → the fields that came twice, or that hold a key that did; -1 for the root itself.

    `root` names the list of items, or the one item. Raises RecursionError, ValueError.
    """
    document = json.loads(
        body, object_pairs_hook=_marked, parse_int=str, parse_float=str, parse_constant=str
    )
    found: dict[int, list[str]] = {}
    if root in document.get(_DUPLICATES, ()):
        found[-1] = [root]
    content = document.get(root)
    for index, item in enumerate(content if isinstance(content, list) else [content]):
        if isinstance(item, dict):
            twice = item.get(_DUPLICATES, ())
            bad = [name for name in fields if name in twice or _has_twice(item.get(name))]
            if bad:
                found[index] = bad
    return found


def _marked(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object, and under a name of its own which keys came twice."""
    made = dict(pairs)
    if len(made) < len(pairs):
        times = Counter(name for name, _ in pairs)
        made[_DUPLICATES] = {name for name, count in times.items() if count > 1}
    return made


def _has_twice(value: object) -> bool:
    if isinstance(value, Mapping):
        return _DUPLICATES in value or any(map(_has_twice, value.values()))
    return isinstance(value, list) and any(map(_has_twice, value))


class _NoNumber(float):
    """NaN or an infinity, as some encoders write them."""


def place_of_no_json(body: bytes, root: str) -> str | None:
    """Where a body that is no JSON holds NaN, an infinity or half a surrogate pair, such as
    `counters[3].value`; None where it is broken otherwise."""
    try:
        document = json.loads(body, parse_int=str, parse_float=str, parse_constant=_NoNumber)
    except (ValueError, RecursionError):
        return None
    content = document.get(root) if isinstance(document, dict) else None
    for index, item in enumerate(content if isinstance(content, list) else [content]):
        place = f"{root}[{index}]" if isinstance(content, list) else root
        for name, value in item.items() if isinstance(item, dict) else ():
            if _is_no_json(value):
                return f"{place}.{name}" if name.isidentifier() else place
        if not isinstance(item, dict) and _is_no_json(item):
            return place
    return None


def _is_no_json(value: object) -> bool:
    if isinstance(value, str):
        return any("\ud800" <= character <= "\udfff" for character in value)
    if isinstance(value, dict):
        return any(_is_no_json(name) or _is_no_json(item) for name, item in value.items())
    if isinstance(value, list):
        return any(map(_is_no_json, value))
    return isinstance(value, _NoNumber)
