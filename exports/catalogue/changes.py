"""What applying a catalogue changes in an Odoo: found by code, variant and first day.

A charge of the file whose `valid_from` no version in Odoo has is a new version: the one before it
ends the day before. One that has the same first day corrects that version. What the file does not
name is left as it is, but for the variants of a charge that gets a new version without them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

from exports.catalogue.model import Catalogue, Charge, Current, Form, Version, charge_key
from odoo_gateway.schema import ALL_FILTER_VALUES
from warehouse.reviewed_files import Problem, ReviewedFileError

A_DAY = timedelta(days=1)
ALWAYS = date.min


@dataclass(frozen=True)
class Change:
    """`action`: new metric, changed metric, new charge, new version, corrected, or ended.
    `fields` is Odoo's name → (before, after), as text."""

    action: str
    key: str
    valid_from: date | None
    valid_to: date | None
    fields: Mapping[str, tuple[str | None, str | None]] = field(default_factory=dict)


@dataclass(frozen=True)
class Proposal:
    """What to do: metrics with their id or None, versions as (before or None, after), and all
    versions as they will be."""

    metrics: Sequence[tuple[int | None, Form]]
    written: Sequence[tuple[Version | None, Version]]
    versions: Sequence[Version]
    changes: Sequence[Change]


def propose(catalogue: Catalogue, current: Current) -> Proposal:
    """Raises ReviewedFileError where the file and what stands in Odoo do not go together."""
    problems = _problems(catalogue, current)
    versions = list(current.versions)
    placed: dict[tuple[tuple[str, str, str], date | None], Charge] = {}
    for charge in catalogue.charges:
        if (charge.key, charge.valid_from) in placed:
            problems.append(_at(catalogue, charge, "valid_from", "this version comes twice"))
            continue
        placed[charge.key, charge.valid_from] = charge
        _place(versions, charge)
    dropped = _dropped(catalogue, versions)
    named = {(charge.plan_code, charge.code) for charge in catalogue.charges}
    versions = [
        _ended(each, versions, dropped) if (each.plan_code, each.code) in named else each
        for each in versions
    ]
    problems += _overlaps(catalogue, versions)
    if problems:
        raise ReviewedFileError(sorted(set(problems)))  # a charge's variants share most of it
    old = {version.number: version for version in current.versions}
    written = [(old.get(each.number), each) for each in versions if each != old.get(each.number)]
    metrics = [
        (current.metrics[metric.code][0] if metric.code in current.metrics else None, metric.form)
        for metric in catalogue.metrics
        if metric.code not in current.metrics or current.metrics[metric.code][1] != metric.form
    ]
    changes = [
        *(_metric_change(current, values) for _number, values in metrics),
        *(_version_change(after, before, current.versions) for before, after in written),
    ]
    return Proposal(metrics, written, versions, changes)


def _place(versions: list[Version], charge: Charge) -> None:
    new = Version(
        number=None,
        plan_code=charge.plan_code,
        code=charge.code,
        variant=charge.variant,
        metric_code=charge.metric_code,
        product_code=charge.product_code,
        valid_from=charge.valid_from,
        valid_to=charge.valid_to,
        form=charge.form,
        tiers=charge.tiers,
    )
    for position, version in enumerate(versions):
        if (version.key, version.valid_from) == (charge.key, charge.valid_from):
            versions[position] = replace(new, number=version.number)
            return
    versions.append(new)


def _dropped(
    catalogue: Catalogue, versions: Sequence[Version]
) -> dict[tuple[str, str, str], list[date]]:
    """Variants that a new version of their charge does without, and from when."""
    dropped: dict[tuple[str, str, str], list[date]] = {}
    for charge in catalogue.charges:
        if charge.valid_from is None:
            continue
        kept = {
            other.variant
            for other in catalogue.charges
            if (other.plan_code, other.code) == (charge.plan_code, charge.code)
            and other.valid_from == charge.valid_from
        }
        for version in versions:
            of_charge = (version.plan_code, version.code) == (charge.plan_code, charge.code)
            if of_charge and version.variant not in kept:
                dropped.setdefault(version.key, []).append(charge.valid_from)
    return dropped


def _ended(
    version: Version,
    versions: Sequence[Version],
    dropped: Mapping[tuple[str, str, str], list[date]],
) -> Version:
    """A version ends at the latest the day before the next one, or before it is dropped."""
    first = version.valid_from or ALWAYS
    later = [
        other.valid_from
        for other in versions
        if other.key == version.key and other.valid_from and other.valid_from > first
    ]
    later += [day for day in dropped.get(version.key, []) if day > first]
    if not later:
        return version
    last = min(later) - A_DAY
    return (
        version
        if version.valid_to and version.valid_to <= last
        else replace(version, valid_to=last)
    )


# --- what does not go together


def _at(catalogue: Catalogue, charge: Charge, key: str, message: str) -> Problem:
    first, _, rest = key.partition(".")
    line, field = charge.places.get(first, (charge.line, f"{charge.path}.{first}"))
    return Problem(catalogue.file, line, f"{field}.{rest}" if rest else field, message)


def _problems(catalogue: Catalogue, current: Current) -> list[Problem]:
    problems = []
    metrics = {metric.code: metric for metric in catalogue.metrics}
    for charge in catalogue.charges:
        code = charge.metric_code
        if code is not None and code not in metrics and code not in current.metrics:
            known = ", ".join(sorted({*metrics, *current.metrics})) or "none"
            text = f"{code!r} is neither in this file nor in Odoo; allowed: {known}"
            problems.append(_at(catalogue, charge, "metric", text))
            continue
        if charge.product_code in current.twins:
            numbers = ", ".join(map(str, current.twins[charge.product_code]))
            text = (
                f"{charge.product_code!r} is the internal reference of more than one active product"
                f" in Odoo ({numbers}): archive all but one, or give them others"
            )
            problems.append(_at(catalogue, charge, "product", text))
        elif charge.product_code not in current.products:
            text = (
                "no active product in Odoo has the internal reference"
                f" {charge.product_code!r}: make it there (a service, invoiced by delivered"
                " quantities, not recurring)"
            )
            problems.append(_at(catalogue, charge, "product", text))
        if code is None:
            continue
        form = metrics[code].form if code in metrics else current.metrics[code][1]
        problems += _against_metric(catalogue, charge, code, form)
    return problems


def _against_metric(catalogue: Catalogue, charge: Charge, code: str, form: Form) -> list[Problem]:
    problems = []
    if charge.form["x_prorated"] and not form["x_recurring"]:
        text = f"{code} does not recur: only recurring metrics are prorated"
        problems.append(_at(catalogue, charge, "prorated", text))
    if charge.form["x_charge_model"] == "dynamic" and form["x_aggregation"] != "sum":
        text = f"dynamic prices sums, and {code} is {form['x_aggregation']}"
        problems.append(_at(catalogue, charge, "charge_model", text))
    known = _filter_values(form)
    for key, values in charge.filter.items():
        if key not in known:
            text = f"{code} knows no such property; allowed: {', '.join(known) or 'none'}"
            problems.append(_at(catalogue, charge, f"values.{key}", text))
            continue
        for value in values:
            if value not in known[key] and value != ALL_FILTER_VALUES:
                allowed = ", ".join([*known[key], ALL_FILTER_VALUES])
                text = f"{value!r} is no value of {code}; allowed: {allowed}"
                problems.append(_at(catalogue, charge, f"values.{key}", text))
    return problems


def _filter_values(form: Form) -> dict[str, list[str]]:
    text = form["x_metric_filters"]
    found: dict[str, list[str]] = json.loads(text) if isinstance(text, str) else {}
    return found


def _overlaps(catalogue: Catalogue, versions: Sequence[Version]) -> list[Problem]:
    """A `valid_to` beyond the next version, and a second charge of a plan on one metric."""
    problems = []
    for charge in catalogue.charges:
        for other in versions:
            if _overlap(charge, other):
                if other.key == charge.key and other.valid_from != charge.valid_from:
                    text = (
                        f"{charge.valid_to or 'open'} overlaps the version of"
                        f" {other.valid_from or 'always'}"
                    )
                    problems.append(_at(catalogue, charge, "valid_to", text))
                if (
                    charge.metric_code is not None
                    and (other.plan_code, other.metric_code)
                    == (charge.plan_code, charge.metric_code)
                    and other.code != charge.code
                ):
                    text = (
                        f"{charge.plan_code} already charges {charge.metric_code} as"
                        f" {other.code!r}: a counter would be billed twice"
                    )
                    problems.append(_at(catalogue, charge, "metric", text))
    return problems


def _overlap(charge: Charge, other: Version) -> bool:
    """A version without an end of its own gives way to the next, so only a stated end overlaps."""
    first, other_first = charge.valid_from or ALWAYS, other.valid_from or ALWAYS
    same = other.key == charge.key
    last = charge.valid_to or (first if same else date.max)
    return first <= (other.valid_to or date.max) and other_first <= last


# --- in words


def _metric_change(current: Current, values: Form) -> Change:
    code = str(values["x_code"])
    if code not in current.metrics:
        return Change("new metric", code, None, None, _differences({}, values))
    return Change(
        "changed metric", code, None, None, _differences(current.metrics[code][1], values)
    )


def _version_change(new: Version, old: Version | None, present: Sequence[Version]) -> Change:
    key = charge_key(new.plan_code, new.code, new.variant)
    fields = dict(_differences(_all_of(old) if old else {}, _all_of(new)))
    if old is None:
        known = any(version.key == new.key for version in present)
        before = _before(new, present)
        if before is not None:
            fields = dict(_differences(_all_of(before), _all_of(new)))
        return Change(
            "new version" if known else "new charge", key, new.valid_from, new.valid_to, fields
        )
    action = "ended" if set(fields) <= {"valid_to"} else "corrected"
    return Change(action, key, new.valid_from, new.valid_to, fields)


def _before(new: Version, present: Sequence[Version]) -> Version | None:
    first = new.valid_from or ALWAYS
    earlier = [
        each for each in present if each.key == new.key and (each.valid_from or ALWAYS) < first
    ]
    return max(earlier, key=lambda each: each.valid_from or ALWAYS, default=None)


def _all_of(version: Version) -> Form:
    tiers = "; ".join(" ".join(part or "-" for part in tier) for tier in version.tiers)
    return {
        **version.form,
        "x_metric_id": version.metric_code,
        "x_product_id": version.product_code,
        "x_tier_ids": tiers or None,
        "valid_to": version.valid_to.isoformat() if version.valid_to else None,
    }


def _differences(old: Form, new: Form) -> dict[str, tuple[str | None, str | None]]:
    return {
        name: (_shown(old.get(name)), _shown(value))
        for name, value in new.items()
        if _shown(old.get(name)) != _shown(value)
    }


def _shown(value: str | bool | None) -> str | None:
    if isinstance(value, bool):
        return "yes" if value else None
    return value
