"""Odoo's search domains, compiled to a predicate over record ids."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from sandbox.odoo.errors import WrongValue
from sandbox.odoo.fields import X2MANY, Field

if TYPE_CHECKING:
    from sandbox.odoo.records import Records

Predicate = Callable[[int], bool]
COMPARISONS: dict[str, Callable[[Any, Any], bool]] = {
    "<": lambda left, right: bool(left < right),
    "<=": lambda left, right: bool(left <= right),
    ">": lambda left, right: bool(left > right),
    ">=": lambda left, right: bool(left >= right),
}
PATTERNS = ("like", "ilike", "=like", "=ilike", "not like", "not ilike")
OPERATORS = frozenset({"=", "!=", "in", "not in", *COMPARISONS, *PATTERNS})


def compiled(env: Records, model: str, domain: Sequence[Any]) -> Predicate:
    """True for the ids that match. WrongValue on a malformed domain, field or operator."""
    stack: list[Predicate] = []
    for term in reversed(domain):
        if term == "!":
            stack.append(_negated(_popped(stack, domain)))
        elif term in ("&", "|"):
            left, right = _popped(stack, domain), _popped(stack, domain)
            stack.append(_both(left, right) if term == "&" else _either(left, right))
        else:
            stack.append(_condition(env, model, term))
    while len(stack) > 1:
        # The first of what remains is at the top: implicit "and".
        left, right = stack.pop(), stack.pop()
        stack.append(_both(left, right))
    return stack[0] if stack else lambda number: True


def mentions_active(domain: Sequence[Any]) -> bool:
    return any(isinstance(term, list | tuple) and term[0] == "active" for term in domain)


def _popped(stack: list[Predicate], domain: Sequence[Any]) -> Predicate:
    if not stack:
        raise WrongValue(f"Domain() malformed domain {list(domain)!r}")
    return stack.pop()


def _negated(inner: Predicate) -> Predicate:
    return lambda number: not inner(number)


def _both(left: Predicate, right: Predicate) -> Predicate:
    return lambda number: left(number) and right(number)


def _either(left: Predicate, right: Predicate) -> Predicate:
    return lambda number: left(number) or right(number)


def _condition(env: Records, model: str, term: Any) -> Predicate:
    if not isinstance(term, list | tuple) or len(term) != 3:
        raise WrongValue(f"Domain() malformed domain {term!r}")
    path, operator, value = term
    shown = f"({path!r}, {operator!r}, {value!r})"
    if operator not in OPERATORS:
        raise WrongValue(f"Invalid operator in condition {shown}")
    name, _, rest = str(path).partition(".")
    field = env.model(model).get(name)
    if field is None:
        raise WrongValue(f"Invalid field {model}.{name} in condition {shown}")
    if rest:
        return _through(env, model, name, field, (rest, operator, value))
    return _compared(env, model, name, field, operator, value)


def _through(
    env: Records, model: str, name: str, field: Field, term: tuple[str, str, Any]
) -> Predicate:
    if field.relation is None:
        raise WrongValue(f"Invalid field {model}.{name}.{term[0]} in condition {term!r}")
    inner = _condition(env, field.relation, term)
    known: dict[int, bool] = {}

    def matches(number: int) -> bool:
        value = env.value(model, number, name)
        targets = value if isinstance(value, list) else [value] if value else []
        for target in targets:
            if target not in known:
                known[target] = inner(target)
        return any(known[target] for target in targets)

    return matches


def _compared(
    env: Records, model: str, name: str, field: Field, operator: str, value: Any
) -> Predicate:
    test = _test(env, field, operator, value)
    negative = operator in ("!=", "not in", "not like", "not ilike")

    def matches(number: int) -> bool:
        found = env.value(model, number, name)
        if field.type not in X2MANY:
            return test(found)
        if not found:
            return test(False)
        return all(map(test, found)) if negative else any(map(test, found))

    return matches


def _test(env: Records, field: Field, operator: str, value: Any) -> Callable[[Any], bool]:
    if field.relation and (isinstance(value, str) or operator in PATTERNS):
        relation = field.relation
        named = _scalar(operator, value)
        return lambda found: named(env.display_name(relation, found) if found else False)
    if field.type == "datetime" and isinstance(value, str) and len(value) == 10:
        value = f"{value} 00:00:00"
    return _scalar(operator, value)


def _scalar(operator: str, value: Any) -> Callable[[Any], bool]:
    if operator in ("=", "!=") and isinstance(value, list | tuple):
        operator = "in" if operator == "=" else "not in"
    if operator in ("=", "!="):
        wanted = False if value is None else value
        return lambda found: (found == wanted or (not wanted and not found)) == (operator == "=")
    if operator in ("in", "not in"):
        members = set(value if isinstance(value, list | tuple) else [value])
        unset = False in members or None in members
        return lambda found: (found in members or (unset and not found)) == (operator == "in")
    if operator in COMPARISONS:
        compare = COMPARISONS[operator]
        return lambda found: _comparable(found, value) and compare(found, value)
    return _pattern(operator, str(value))


def _comparable(found: Any, value: Any) -> bool:
    if isinstance(found, bool) or found is None or isinstance(value, bool):
        return False
    return isinstance(found, str) == isinstance(value, str)


def _pattern(operator: str, value: str) -> Callable[[Any], bool]:
    whole = operator in ("=like", "=ilike")
    text = re.escape(value).replace("%", ".*").replace("_", ".")
    flags = re.DOTALL | (re.IGNORECASE if "ilike" in operator else 0)
    pattern = re.compile(text if whole else f".*{text}.*", flags)
    wanted = not operator.startswith("not ")
    return lambda found: bool(found and pattern.fullmatch(str(found))) == wanted
