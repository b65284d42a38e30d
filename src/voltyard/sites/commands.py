"""What can be asked of the sites room: drafts of sites, areas, bays and nodes."""

from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from voltyard.errors import Invalid
from voltyard.sites.model import Node, NodeKind, NodeLimit, PlanFor, Site

NAME_MAX = 200


class UnknownToken(StrEnum):
    """What happens to a token that nobody knows."""

    ACCEPT = "accept"
    REJECT = "reject"


@dataclass(frozen=True, slots=True)
class SiteDraft:
    """``unknown_vehicle_power_w`` caps vehicles nobody recognised; None leaves them uncapped."""

    name: str
    timezone: str = "Europe/Berlin"
    country: str = "DE"
    currency: str = "EUR"
    unknown_token: UnknownToken = UnknownToken.ACCEPT
    unknown_vehicle_power_w: float | None = None
    unknown_vehicle_priority: int = 9
    plan_for: PlanFor = PlanFor.AUTO


@dataclass(frozen=True, slots=True)
class AreaDraft:
    name: str
    position: int = 0


@dataclass(frozen=True, slots=True)
class BayDraft:
    name: str
    area_id: UUID | None = None
    position: int = 0
    lane: str = ""


@dataclass(frozen=True, slots=True)
class NodeDraft:
    """A node to add or to change; the id stays."""

    kind: NodeKind
    name: str
    parent_id: UUID | None
    limits: tuple[NodeLimit, ...] = ()
    evse_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class TreeChange:
    """A change of a tree as it is kept for approval: nodes to put, and ids to take away.

    ``whole``: ``nodes`` are the tree. ``action`` is what the audit calls it.
    """

    site_id: UUID
    action: str
    nodes: tuple[Node, ...]
    removed: tuple[UUID, ...] = ()
    whole: bool = False


@dataclass(frozen=True, slots=True)
class SiteUpdate:
    site_id: UUID
    draft: SiteDraft


@dataclass(frozen=True, slots=True)
class SiteRemoval:
    site_id: UUID


def site_from(draft: SiteDraft, site_id: UUID, org_id: UUID) -> Site:
    """The site of a draft. Invalid names every wrong field."""
    wrong: dict[str, str] = {}
    try:
        ZoneInfo(draft.timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        wrong["timezone"] = "an IANA name such as Europe/Berlin"
    if len(draft.country) != 2 or not draft.country.isalpha():
        wrong["country"] = "two letters (ISO 3166-1)"
    if len(draft.currency) != 3 or not draft.currency.isalpha():
        wrong["currency"] = "three letters (ISO 4217)"
    if draft.unknown_token not in set(UnknownToken):
        wrong["unknown_token"] = "accept or reject"
    power_w = draft.unknown_vehicle_power_w
    if power_w is not None and not 0 <= power_w < 1e9:
        wrong["unknown_vehicle_power_w"] = "0 or more watts"
    if not 1 <= draft.unknown_vehicle_priority <= 9:
        wrong["unknown_vehicle_priority"] = "1 to 9"
    if draft.plan_for not in set(PlanFor):
        wrong["plan_for"] = "auto, early or peak"
    if wrong:
        raise Invalid("The site is not valid.", fields=wrong)
    return Site(
        site_id,
        org_id,
        clean_name(draft.name),
        draft.timezone,
        draft.country.upper(),
        draft.currency.upper(),
        UnknownToken(draft.unknown_token).value,
        power_w,
        draft.unknown_vehicle_priority,
        PlanFor(draft.plan_for).value,
    )


def clean_name(text: str) -> str:
    """Without doubled blanks; Invalid when empty or too long."""
    clean = " ".join(text.split())
    if not clean or len(clean) > NAME_MAX:
        raise Invalid(
            "The name is missing or too long.", fields={"name": f"1 to {NAME_MAX} characters"}
        )
    return clean
