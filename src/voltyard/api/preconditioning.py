"""Preconditioning: rules, what runs before departures, requests, and vehicles with VDV 261."""

from collections.abc import Mapping
from datetime import date, datetime, time
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Router, delete, get, post, put
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from voltyard.api.caller import Deps, Who, remote_of
from voltyard.api.deps import AnyRequest
from voltyard.api.wire import In, Limit, Name, Offset, Out, Page, out, page
from voltyard.preconditioning.commands import Request, RuleDraft
from voltyard.preconditioning.model import Kind, Rule, RunState, Source
from voltyard.preconditioning.vdv261.model import Credential

Instant = Annotated[datetime, msgspec.Meta(tz=True, examples=["2026-01-15T04:30:00+01:00"])]
Watts = Annotated[float, msgspec.Meta(gt=0, le=200_000, examples=[12_000])]
Percent = Annotated[float, msgspec.Meta(ge=0, le=100)]
LocalTime = Annotated[
    str, msgspec.Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d(:00)?$", examples=["04:30"])
]
Text = Annotated[str, msgspec.Meta(max_length=200)]


class RuleIn(In):
    """Whom for: one vehicle, a class, duties by external id (``*`` at its end for any end), or
    all of a site, or all."""

    name: Name
    kind: Kind
    power_w: Watts
    site_id: UUID | None = None
    vehicle_id: UUID | None = None
    vehicle_class: Text = ""
    duty_key: Text = ""
    start_before_s: int | None = None
    """Seconds before the departure; give this or ``start_time``."""
    start_time: LocalTime | None = None
    """On the site's clock."""
    end_before_s: int | None = None
    end_time: LocalTime | None = None
    weekdays: list[Annotated[int, msgspec.Meta(ge=0, le=6)]] = msgspec.field(default_factory=list)
    """Of the departure; 0 is Monday. Empty: all."""
    from_day: date | None = None
    """To ``until_day`` of each year; the years of both do not count."""
    until_day: date | None = None
    enabled: bool = True


class RuleOut(Out):
    id: UUID
    name: str
    kind: Kind
    power_w: float
    site_id: UUID | None
    vehicle_id: UUID | None
    vehicle_class: str
    duty_key: str
    start_before_s: int | None
    start_time: str | None
    end_before_s: int | None
    end_time: str | None
    weekdays: list[int]
    from_day: date | None
    until_day: date | None
    enabled: bool


class RulesOut(Out):
    items: list[RuleOut]


class RunOut(Out):
    """``power_w`` is kept for it from ``start_at`` to ``end_at``; ``short_s``: how long it had
    less. ``reported``: the vehicle itself told what it needs."""

    id: UUID
    site_id: UUID
    duty_id: UUID | None
    vehicle_id: UUID | None
    kind: Kind
    source: Source
    rule_id: UUID | None
    start_at: datetime
    end_at: datetime
    power_w: float
    state: RunState
    energy_wh: float
    short_s: float
    word: str
    reported: bool


class RequestIn(In):
    """What is left out is as the vehicle tells, or as usual; ``end_at``: the departure."""

    kind: Kind = Kind.HEATING
    start_at: Instant | None = None
    end_at: Instant | None = None
    power_w: Watts | None = None
    ambient_c: float | None = None
    target_soc_pct: Percent | None = None


class RequestOut(Out):
    id: UUID
    kind: Kind
    source: Source
    duty_id: UUID | None
    vehicle_id: UUID | None
    start_at: datetime | None
    end_at: datetime | None
    power_w: float | None
    ambient_c: float | None
    target_soc_pct: float | None
    asked_by: str
    asked_at: datetime | None


class AccessIn(In):
    """How a vehicle shows who it is. Without ``vin`` that of the vehicle; without ``password`` a
    new access, or ``renew``, is given one."""

    vin: Annotated[str, msgspec.Meta(max_length=17)] = ""
    password: Annotated[str, msgspec.Meta(max_length=150)] = ""
    enabled: bool = True
    without_password: bool = False
    """Some vehicles send none. Whoever knows the VIN can then speak for it."""
    renew: bool = False


class AccessOut(Out):
    """``password`` is told once, where voltyard made it. ``told``: what the vehicle told last, its
    changes merged; ``answered``: what it was answered; ``fault``: its last bad message."""

    vehicle_id: UUID
    vin: str
    enabled: bool
    has_password: bool
    changed_at: datetime
    password: str = ""
    version: int | None = None
    seq: int | None = None
    heard_at: datetime | None = None
    told: dict[str, Any] = msgspec.field(default_factory=dict)
    answered: dict[str, Any] = msgspec.field(default_factory=dict)
    fault: str = ""
    fault_at: datetime | None = None


@get("/preconditioning/rules", summary="Preconditioning rules, by name")
async def rules(deps: Deps, who: Who) -> RulesOut:
    found = await deps.preconditioning.rules(who)
    return RulesOut(items=[_rule(rule) for rule in found])


@post("/preconditioning/rules", summary="A new rule")
async def add_rule(deps: Deps, who: Who, request: AnyRequest, data: JSONBody[RuleIn]) -> RuleOut:
    made = await deps.preconditioning.save_rule(who, _draft(data), remote=remote_of(request))
    return _rule(made)


@get("/preconditioning/rules/{preconditioning_rule_id:uuid}", summary="One rule")
async def rule(deps: Deps, who: Who, preconditioning_rule_id: FromPath[UUID]) -> RuleOut:
    return _rule(await deps.preconditioning.rule(who, preconditioning_rule_id))


@put("/preconditioning/rules/{preconditioning_rule_id:uuid}", summary="Change a rule")
async def change_rule(
    deps: Deps,
    who: Who,
    request: AnyRequest,
    preconditioning_rule_id: FromPath[UUID],
    data: JSONBody[RuleIn],
) -> RuleOut:
    draft = _draft(data)
    return _rule(
        await deps.preconditioning.save_rule(
            who, draft, preconditioning_rule_id, remote=remote_of(request)
        )
    )


@delete("/preconditioning/rules/{preconditioning_rule_id:uuid}", summary="Remove a rule")
async def remove_rule(
    deps: Deps, who: Who, request: AnyRequest, preconditioning_rule_id: FromPath[UUID]
) -> None:
    """What it planned is withdrawn; what runs ends."""
    await deps.preconditioning.delete_rule(who, preconditioning_rule_id, remote=remote_of(request))


@get("/preconditioning", summary="What runs or will run, the next first, then what ran")
async def runs(
    deps: Deps,
    who: Who,
    limit: Limit = 100,
    offset: Offset = 0,
    site_id: FromQuery[UUID | None] = None,
    vehicle_id: FromQuery[UUID | None] = None,
    only_state: Annotated[RunState | None, QueryParameter(name="state")] = None,
) -> Page[RunOut]:
    found, total = await deps.preconditioning.runs(
        who,
        site_id=site_id,
        vehicle_id=vehicle_id,
        states=() if only_state is None else (only_state,),
        limit=limit,
        offset=offset,
    )
    return page(RunOut, found, total, limit=limit, offset=offset)


@get("/preconditioning/{run_id:uuid}", summary="One of them")
async def run(deps: Deps, who: Who, run_id: FromPath[UUID]) -> RunOut:
    return out(RunOut, await deps.preconditioning.run(who, run_id))


@put("/duties/{duty_id:uuid}/preconditioning", summary="Precondition before this departure")
async def ask(
    deps: Deps, who: Who, request: AnyRequest, duty_id: FromPath[UUID], data: JSONBody[RequestIn]
) -> RequestOut:
    """Goes before rules, and before what a presystem asked for."""
    asked = Request(duty_id=duty_id, **msgspec.structs.asdict(data))
    made = await deps.preconditioning.ask(who, asked, remote=remote_of(request))
    return out(RequestOut, made)


@delete("/duties/{duty_id:uuid}/preconditioning", summary="Take that back")
async def take_back(deps: Deps, who: Who, request: AnyRequest, duty_id: FromPath[UUID]) -> None:
    """Rules and presystems count again."""
    await deps.preconditioning.take_back(who, duty_id, remote=remote_of(request))


@get("/vehicles/{vehicle_id:uuid}/vdv261", summary="A vehicle's access, and what it told")
async def access(deps: Deps, who: Who, vehicle_id: FromPath[UUID]) -> AccessOut:
    return _access(deps, who, deps.preconditioning.vdv261.credential(who, vehicle_id))


@put("/vehicles/{vehicle_id:uuid}/vdv261", summary="Let a vehicle speak VDV 261")
async def admit(
    deps: Deps, who: Who, request: AnyRequest, vehicle_id: FromPath[UUID], data: JSONBody[AccessIn]
) -> AccessOut:
    """409: another vehicle shows this VIN."""
    made, password = await deps.preconditioning.vdv261.admit(
        who, vehicle_id, **msgspec.structs.asdict(data), remote=remote_of(request)
    )
    return _access(deps, who, made, password)


@delete("/vehicles/{vehicle_id:uuid}/vdv261", summary="It may speak no more")
async def dismiss(deps: Deps, who: Who, request: AnyRequest, vehicle_id: FromPath[UUID]) -> None:
    await deps.preconditioning.vdv261.remove(who, vehicle_id, remote=remote_of(request))


@get("/vdv261/coding", summary="How numbers of VDV 261 are read and written")
async def coding(deps: Deps, who: Who) -> dict[str, Any]:
    return _builtins(deps.preconditioning.vdv261.coding_seen(who))


@put("/vdv261/coding", summary="Change how they are")
async def change_coding(
    deps: Deps, who: Who, request: AnyRequest, data: JSONBody[dict[str, Any]]
) -> dict[str, Any]:
    """What is left out is as by default."""
    desk = deps.preconditioning.vdv261
    return _builtins(await desk.save_coding(who, data, remote=remote_of(request)))


def _builtins(thing: object) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(thing)
    return found


def _rule(found: Rule) -> RuleOut:
    return out(
        RuleOut,
        found,
        weekdays=list(found.weekdays),
        start_time=None if found.start_time is None else f"{found.start_time:%H:%M}",
        end_time=None if found.end_time is None else f"{found.end_time:%H:%M}",
    )


def _draft(data: RuleIn) -> RuleDraft:
    given: Mapping[str, Any] = msgspec.structs.asdict(data)
    start, end = data.start_time, data.end_time
    times = {
        "start_time": None if start is None else time.fromisoformat(start),
        "end_time": None if end is None else time.fromisoformat(end),
    }
    return RuleDraft(**{**given, **times, "weekdays": tuple(data.weekdays)})


def _access(deps: Deps, who: Who, found: Credential, password: str = "") -> AccessOut:
    heard = deps.preconditioning.vdv261.heard(who, found.vehicle_id)
    made = out(
        AccessOut, found, has_password=found.password_hash is not None, password=password,
        version=None, seq=None, heard_at=None, told={}, answered={}, fault="", fault_at=None,
    )  # fmt: skip
    if heard is not None:
        made.version, made.seq, made.heard_at = heard.version, heard.seq, heard.at
        made.told, made.answered = dict(heard.fields), dict(heard.answer)
        made.fault, made.fault_at = heard.fault, heard.fault_at
    return made


ROUTER = Router(
    path="/",
    tags=["Preconditioning"],
    route_handlers=[
        rules,
        add_rule,
        rule,
        change_rule,
        remove_rule,
        runs,
        run,
        ask,
        take_back,
        access,
        admit,
        dismiss,
        coding,
        change_coding,
    ],
)
