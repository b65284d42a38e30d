"""Tariffs, whom they are for, and what sessions cost."""

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Router, delete, get, post, put
from litestar.params import FromPath, FromQuery, JSONBody

from voltyard.api.caller import Deps, Who, remote_of
from voltyard.api.deps import AnyRequest
from voltyard.api.wire import In, Limit, Name, Offset, Out, Page, sliced
from voltyard.billing.commands import BillingSettings, NewAssignment
from voltyard.billing.model import CostState, Kind, SessionCost, Target, Tariff, Terms
from voltyard.billing.wording import sentence
from voltyard.errors import NotFound

Amount = Annotated[Decimal, msgspec.Meta(description="An exact amount, as text.")]
Currency = Annotated[str, msgspec.Meta(pattern="^[A-Z]{3}$", examples=["EUR"])]
ShortText = Annotated[str, msgspec.Meta(max_length=512)]


Clock = Annotated[str, msgspec.Meta(pattern="^([01][0-9]|2[0-3]):[0-5][0-9]$", examples=["22:00"])]


class WhenIn(In):
    """By the wall clock of the site; all that is given must be true."""

    from_time: Clock | None = None
    until_time: Clock | None = None
    weekdays: list[Annotated[int, msgspec.Meta(ge=0, le=6)]] = msgspec.field(default_factory=list)
    """0 is Monday."""
    from_date: date | None = None
    until_date: date | None = None
    """The first day on which it does not hold any more."""
    after_minutes: Annotated[int, msgspec.Meta(ge=0, le=100_000)] = 0
    """Of charging, or of idling, in the session so far."""


class PriceIn(In):
    """Per kWh, per minute, or once."""

    amount: Amount
    when: WhenIn = msgspec.field(default_factory=WhenIn)


class TaxIn(In):
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=20, examples=["VAT"])]
    percent: Amount


class ComponentIn(In):
    """The first price that holds counts."""

    kind: Kind
    prices: Annotated[list[PriceIn], msgspec.Meta(min_length=1, max_length=100)]
    taxes: list[TaxIn] = msgspec.field(default_factory=list)


class TermsIn(In):
    currency: Currency
    components: list[ComponentIn]
    tax_included: bool = True
    min_total: Amount | None = None
    max_total: Amount | None = None
    free_without_energy: bool = True
    texts: dict[str, ShortText] = msgspec.field(default_factory=dict)
    """What displays show instead of the prices, by language."""


class TariffIn(In):
    name: Name
    terms: TermsIn


class TariffOut(Out):
    """``number``: which version it is; ``text``: what displays show, in English."""

    id: UUID
    name: str
    number: int
    terms: TermsIn
    changed_at: datetime
    retired: bool
    text: str
    by: str = ""


class TariffVersionsOut(Out):
    items: list[TariffOut]


class AssignmentIn(In):
    """``ref``: id of a site, charger or outlet, a token, a group; empty for everybody."""

    tariff_id: UUID
    target: Target
    ref: Annotated[str, msgspec.Meta(max_length=255)] = ""


class AssignmentOut(Out):
    id: UUID
    tariff_id: UUID
    target: Target
    ref: str


class BillingSettingsIn(In):
    """``running_cost_s``: how often running costs are told, 0 for never."""

    running_cost_s: Annotated[int, msgspec.Meta(ge=0, le=3600)] = 300
    language: str = "en"
    show_tariff: bool = True
    direct_payment: bool = True
    fallback_tariff: ShortText = ""
    fallback_cost: ShortText = ""
    receipt_url: ShortText = ""
    pay_url: ShortText = ""


class LineOut(Out):
    """One reason of a cost; ``amount`` is not rounded."""

    what: str
    tariff: str
    number: int
    price: Amount
    quantity: Amount
    amount: Amount
    tax_pct: Amount
    from_at: datetime
    until_at: datetime
    when: WhenIn


class TaxShareOut(Out):
    percent: Amount
    net: Amount
    tax: Amount


class RatingOut(Out):
    """An earlier result, and why it was reckoned."""

    at: datetime
    gross: Amount
    energy_wh: float
    reason: str


class CostOut(Out):
    """``reason``: why it was reckoned last; ``differs``: by how much the charger's own result is
    above it, where it reckons by itself."""

    session_id: UUID
    state: CostState
    currency: str
    net: Amount
    tax: Amount
    gross: Amount
    bound: str
    charging_s: int
    idle_s: int
    paused_s: int
    lines: list[LineOut]
    taxes: list[TaxShareOut]
    rated_at: datetime
    reason: str
    ratings: list[RatingOut]
    account_id: UUID | None
    held: Amount | None
    differs: Amount | None


class RunningTariffIn(In):
    tariff_id: UUID


class PlacedOut(Out):
    """A default tariff on a charger that reckons by itself; ``word`` is its answer."""

    evse_number: int
    tariff_key: str
    state: str
    word: str
    at: datetime


class PlacedListOut(Out):
    items: list[PlacedOut]


@get("/tariffs", summary="Tariffs by name")
async def charging_tariffs(
    deps: Deps,
    who: Who,
    limit: Limit = 100,
    offset: Offset = 0,
    retired: FromQuery[bool] = False,
) -> Page[TariffOut]:
    found = [tariff_out(each) for each in deps.billing.tariffs(who, retired=retired)]
    return sliced(TariffOut, found, limit=limit, offset=offset)


@post("/tariffs", summary="Make a tariff")
async def make_tariff(
    deps: Deps, who: Who, request: AnyRequest, data: JSONBody[TariffIn]
) -> TariffOut:
    terms = _terms(data.terms)
    return tariff_out(await deps.billing.create(who, data.name, terms, remote=remote_of(request)))


@get("/tariffs/{tariff_id:uuid}", summary="One tariff")
async def charging_tariff(deps: Deps, who: Who, tariff_id: FromPath[UUID]) -> TariffOut:
    return tariff_out(deps.billing.tariff(who, tariff_id))


@put("/tariffs/{tariff_id:uuid}", summary="Change a tariff")
async def change_tariff(
    deps: Deps,
    who: Who,
    request: AnyRequest,
    tariff_id: FromPath[UUID],
    data: JSONBody[TariffIn],
) -> TariffOut:
    """Makes a new version; sessions that run stay with theirs."""
    terms = _terms(data.terms)
    return tariff_out(
        await deps.billing.update(who, tariff_id, data.name, terms, remote=remote_of(request))
    )


@delete("/tariffs/{tariff_id:uuid}", summary="Retire a tariff", status_code=200)
async def retire_tariff(
    deps: Deps, who: Who, request: AnyRequest, tariff_id: FromPath[UUID]
) -> TariffOut:
    """409 ``in_use`` while it is for somebody. Its versions stay, for what was rated by them."""
    return tariff_out(await deps.billing.retire(who, tariff_id, remote=remote_of(request)))


@get("/tariffs/{tariff_id:uuid}/versions", summary="All versions of a tariff, newest first")
async def tariff_versions(deps: Deps, who: Who, tariff_id: FromPath[UUID]) -> TariffVersionsOut:
    found = await deps.billing.versions(who, tariff_id)
    return TariffVersionsOut(items=[tariff_out(tariff, by) for tariff, by in found])


@get("/tariff-assignments", summary="Whom tariffs are for, as they count")
async def assignments(
    deps: Deps, who: Who, limit: Limit = 100, offset: Offset = 0
) -> Page[AssignmentOut]:
    """Token before group, outlet, charger, site, organisation."""
    found = deps.billing.assignments(who)
    return sliced(AssignmentOut, found, limit=limit, offset=offset)


@post("/tariff-assignments", summary="Say whom a tariff is for")
async def assign(
    deps: Deps, who: Who, request: AnyRequest, data: JSONBody[AssignmentIn]
) -> AssignmentOut:
    """409 if there is one for that already."""
    new = NewAssignment(data.tariff_id, data.target, data.ref)
    row = await deps.billing.assign(who, new, remote=remote_of(request))
    return AssignmentOut(id=row.id, tariff_id=row.tariff_id, target=row.target, ref=row.ref)


@delete("/tariff-assignments/{assignment_id:uuid}", summary="Take a tariff away")
async def unassign(
    deps: Deps, who: Who, request: AnyRequest, assignment_id: FromPath[UUID]
) -> None:
    await deps.billing.unassign(who, assignment_id, remote=remote_of(request))


@get("/billing-settings", summary="How costs are told")
async def billing_settings(deps: Deps, who: Who) -> BillingSettingsIn:
    return msgspec.convert(msgspec.to_builtins(deps.billing.settings(who)), BillingSettingsIn)


@put("/billing-settings", summary="Change how costs are told")
async def change_billing_settings(
    deps: Deps, who: Who, request: AnyRequest, data: JSONBody[BillingSettingsIn]
) -> BillingSettingsIn:
    new = BillingSettings(**msgspec.structs.asdict(data))
    await deps.billing.change_settings(who, new, remote=remote_of(request))
    return data


@get("/sessions/{session_id:uuid}/cost", summary="What a session costs, line by line")
async def session_cost(deps: Deps, who: Who, session_id: FromPath[UUID]) -> CostOut:
    """404 without a tariff for it."""
    found = await deps.billing.cost(who, session_id)
    if found is None:
        raise NotFound("No tariff counts for this session.")
    return cost_out(found)


@put("/sessions/{session_id:uuid}/running-tariff", summary="Another tariff from now on")
async def change_running(
    deps: Deps,
    who: Who,
    request: AnyRequest,
    session_id: FromPath[UUID],
    data: JSONBody[RunningTariffIn],
) -> CostOut:
    """A charger that reckons by itself must accept it first. 409 ``no_currency_change``."""
    await deps.sessions.session(who.org_id, session_id)
    return cost_out(
        await deps.billing.change_running(
            who, session_id, data.tariff_id, remote=remote_of(request)
        )
    )


@get("/stations/{station_id:uuid}/tariffs", summary="Tariffs on a charger that reckons itself")
async def station_tariffs(deps: Deps, who: Who, station_id: FromPath[UUID]) -> PlacedListOut:
    deps.billing.station(who, station_id)
    found = deps.billing.on_station(who, station_id)
    return msgspec.convert({"items": msgspec.to_builtins(found)}, PlacedListOut)


def _terms(data: TermsIn) -> Terms:
    facts = msgspec.to_builtins(data)
    for when in _whens(facts["components"]):
        for name in ("from_time", "until_time"):
            when[name] = None if when[name] is None else f"{when[name]}:00"
    return msgspec.convert(facts, Terms)


def tariff_out(tariff: Tariff, by: str = "") -> TariffOut:
    facts = msgspec.to_builtins(tariff)
    _short(_whens(facts["terms"]["components"]))
    text = sentence(tariff.terms, "en")
    return msgspec.convert({**facts, "text": text, "by": by}, TariffOut)


def cost_out(found: SessionCost) -> CostOut:
    facts = msgspec.to_builtins(found)
    cost = facts.pop("cost")
    _short(line["when"] for line in cost["lines"])
    more = {"held": found.hold, "differs": found.differs}
    return msgspec.convert({**cost, **facts, **msgspec.to_builtins(more)}, CostOut)


def _whens(components: list[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    return (price["when"] for part in components for price in part["prices"])


def _short(whens: Iterator[dict[str, Any]]) -> None:
    """Times as people write them, without seconds."""
    for when in whens:
        for name in ("from_time", "until_time"):
            when[name] = None if when[name] is None else when[name][:5]


ROUTER = Router(
    path="/",
    tags=["Tariffs"],
    route_handlers=[
        charging_tariffs,
        make_tariff,
        charging_tariff,
        change_tariff,
        retire_tariff,
        tariff_versions,
        assignments,
        assign,
        unassign,
        billing_settings,
        change_billing_settings,
        session_cost,
        change_running,
        station_tariffs,
    ],
)
