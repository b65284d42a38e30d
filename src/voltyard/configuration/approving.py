"""Changes of makes and templates, and repairs by hand, as a second person reads them."""

from collections.abc import Sequence
from uuid import UUID

from voltyard.approvals.gate import fingerprint
from voltyard.approvals.model import Change, Difference
from voltyard.chargers.approving import quirk_rows
from voltyard.chargers.model import Station
from voltyard.configuration.commands import (
    DeleteMake,
    DeleteTemplate,
    Repair,
    SaveMake,
    SaveTemplate,
)
from voltyard.configuration.model import Drift, Make, Pattern, Template
from voltyard.tenancy.model import Permission


def make_change(before: Make | None, data: SaveMake | DeleteMake) -> Change:
    saved = data if isinstance(data, SaveMake) else None
    pattern = saved.pattern if saved else before.pattern if before else Pattern("", "")
    of = _pattern_text(pattern)
    rows = []
    if saved and before and before.pattern != saved.pattern:
        rows.append(Difference(of, "pattern", _pattern_text(before.pattern), of))
    if before is None or saved is None:
        rows.append(Difference(of, "make", of if before else "", of if saved else ""))
    rows += quirk_rows(of, before.quirks if before else None, saved.quirks if saved else None)
    action = "configuration.make" if saved else "configuration.make_delete"
    base = fingerprint(None if before is None else (before.pattern, before.quirks, before.note))
    return Change(action, Permission.CHARGERS_WRITE, of, data, base, tuple(rows))


def template_change(before: Template | None, data: SaveTemplate | DeleteTemplate) -> Change:
    draft = data.draft if isinstance(data, SaveTemplate) else None
    shown = draft or before
    assert shown is not None
    rows = [
        Difference(shown.name, what, old, new)
        for what, old, new in (
            ("template", before.name if before else "", draft.name if draft else ""),
            ("pattern", _of(before), _of(draft)),
            ("version", before.version if before else "", draft.version if draft else ""),
            ("repairs", _yes(before, "repairs"), _yes(draft, "repairs")),
            ("active", _yes(before, "active"), _yes(draft, "active")),
        )
        if old != new
    ]
    old_keys, new_keys = _wanted(before), _wanted(draft)
    rows += [
        Difference(shown.name, key, old_keys.get(key, ""), new_keys.get(key, ""))
        for key in {**old_keys, **new_keys}
        if old_keys.get(key) != new_keys.get(key)
    ]
    action = "configuration.template" if draft else "configuration.template_delete"
    base = fingerprint(
        None
        if before is None
        else (before.name, _of(before), before.version, before.repairs, before.active, old_keys)
    )
    return Change(action, Permission.CHARGERS_WRITE, shown.name, data, base, tuple(rows))


def repair_change(
    station: Station, goals: Sequence[tuple[str, str]], drift: Sequence[Drift]
) -> Change:
    """``goals``: what the templates want now; ``drift``: what is known to differ."""
    rows = [Difference(station.identity, d.key, d.found or "", d.wanted) for d in drift]
    return Change(
        "configuration.repair",
        Permission.CHARGERS_WRITE,
        station.identity,
        Repair(station.id),
        fingerprint(sorted(goals), station.firmware, [(d.key, d.found) for d in drift]),
        tuple(rows),
        station.site_id,
    )


def known_make(makes: Sequence[Make], make_id: UUID | None) -> Make | None:
    return next((make for make in makes if make_id is not None and make.id == make_id), None)


def _pattern_text(pattern: Pattern) -> str:
    return f"{pattern.vendor} {pattern.model}".strip()


def _of(template: Template | None) -> str:
    return "" if template is None else _pattern_text(template.pattern)


def _yes(template: Template | None, field: str) -> str:
    if template is None:
        return ""
    return "yes" if getattr(template, field) else "no"


def _wanted(template: Template | None) -> dict[str, str]:
    return {} if template is None else {item.key: item.value for item in template.wanted}
