"""An access rule as a person asks for it, checked."""

from dataclasses import dataclass
from uuid import UUID

from voltyard.access.model import DAY_MINUTES, AccessRule, Whom
from voltyard.errors import Invalid

NAMES_MAX = 1_000
NAME_LONGEST = 200
KEEP_FREE_MAX = 1_000


@dataclass(frozen=True, slots=True)
class RuleDraft:
    """As ``AccessRule``; at most one of ``area_id`` and ``evse_id``."""

    name: str
    whom: Whom
    allow: bool
    area_id: UUID | None = None
    evse_id: UUID | None = None
    position: int = 0
    active: bool = True
    operator_ids: tuple[UUID, ...] = ()
    names: tuple[str, ...] = ()
    weekdays: tuple[int, ...] = ()
    from_minute: int | None = None
    until_minute: int | None = None
    keep_free: int = 0


def rule_from(draft: RuleDraft, rule_id: UUID, org_id: UUID, site_id: UUID) -> AccessRule:
    """The rule, made tidy. Invalid names every field that is wrong."""
    names = tuple(dict.fromkeys(name.strip() for name in draft.names if name.strip()))
    name = " ".join(draft.name.split())
    wrong = _wrong(draft, name, names)
    if wrong:
        raise Invalid("The rule is not valid.", code="rule_invalid", fields=wrong)
    return AccessRule(
        id=rule_id,
        org_id=org_id,
        site_id=site_id,
        name=name,
        whom=draft.whom,
        allow=draft.allow,
        area_id=draft.area_id,
        evse_id=draft.evse_id,
        position=draft.position,
        active=draft.active,
        operator_ids=tuple(draft.operator_ids) if draft.whom is Whom.OPERATORS else (),
        names=names if draft.whom in (Whom.GROUPS, Whom.TOKENS) else (),
        weekdays=tuple(sorted(set(draft.weekdays))),
        from_minute=draft.from_minute,
        until_minute=draft.until_minute,
        keep_free=draft.keep_free if draft.allow else 0,
    )


def _wrong(draft: RuleDraft, name: str, names: tuple[str, ...]) -> dict[str, str]:
    wrong: dict[str, str] = {}
    if not 0 < len(name) <= NAME_LONGEST:
        wrong["name"] = f"1 to {NAME_LONGEST} characters"
    if draft.area_id is not None and draft.evse_id is not None:
        wrong["evse_id"] = "an area or an outlet, not both"
    if draft.whom in (Whom.GROUPS, Whom.TOKENS) and not names:
        wrong["names"] = "name at least one"
    if len(names) > NAMES_MAX or any(len(each) > NAME_LONGEST for each in names):
        wrong["names"] = f"at most {NAMES_MAX}, each of at most {NAME_LONGEST} characters"
    if not set(draft.weekdays) <= set(range(7)):
        wrong["weekdays"] = "0 (Monday) to 6 (Sunday)"
    if (draft.from_minute is None) != (draft.until_minute is None):
        wrong["until_minute"] = "from and until belong together"
    for field in ("from_minute", "until_minute"):
        minute = getattr(draft, field)
        if minute is not None and not 0 <= minute <= DAY_MINUTES:
            wrong[field] = "a time of day"
    if draft.from_minute is not None and draft.from_minute in (draft.until_minute, DAY_MINUTES):
        wrong["from_minute"] = "must differ from the end, and lie within the day"
    if not 0 <= draft.keep_free <= KEEP_FREE_MAX:
        wrong["keep_free"] = f"0 to {KEEP_FREE_MAX}"
    return wrong
