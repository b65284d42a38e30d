"""Fleet operators of a depot operator, where one may charge, and access rules."""

from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Router, delete, get, patch, post, put
from litestar.params import FromPath, JSONBody

from voltyard.access.commands import RuleDraft
from voltyard.access.model import AccessRule, Whom
from voltyard.api.caller import Deps, Who, remote_of
from voltyard.api.deps import AnyRequest
from voltyard.api.people import Email, Password
from voltyard.api.wire import In, Limit, Name, Offset, Out, Page, out, sliced
from voltyard.tenancy.model import AdmittedSite, Role
from voltyard.tenancy.operators import Operator
from voltyard.tenancy.service import NewUser

Minute = Annotated[int, msgspec.Meta(ge=0, le=1440)]
Priority = Annotated[int, msgspec.Meta(ge=1, le=9)]
Weekday = Annotated[int, msgspec.Meta(ge=0, le=6)]


class PlaceOut(Out):
    site_id: UUID
    area_ids: list[UUID]


class PlaceIn(In):
    """``area_ids``: its vehicles charge only there, and nobody else does; empty: anywhere."""

    site_id: UUID
    area_ids: list[UUID] = msgspec.field(default_factory=list)


class OperatorOut(Out):
    id: UUID
    name: str
    active: bool
    timezone: str
    best_priority: int
    places: list[PlaceOut]


class AdminIn(In):
    email: Email
    name: Name
    password: Password
    locale: str = "en"


class OperatorIn(In):
    """An operator and its first administrator."""

    name: Name
    admin: AdminIn
    timezone: Annotated[str, msgspec.Meta(examples=["Europe/Berlin"])] = "Europe/Berlin"
    places: Annotated[list[PlaceIn], msgspec.Meta(max_length=1_000)] = msgspec.field(
        default_factory=list
    )
    best_priority: Priority = 1
    """Its duties count at most so much beside others; 1 is the most important."""


class OperatorPatch(In):
    """What is left out stays as it is."""

    name: Name | None = None
    active: bool | None = None
    places: Annotated[list[PlaceIn], msgspec.Meta(max_length=1_000)] | None = None
    best_priority: Priority | None = None


class PartOut(Out):
    id: UUID
    name: str


class BayOut(Out):
    id: UUID
    name: str
    area_id: UUID | None


class ChargingSiteOut(Out):
    """A site of one's own or of the depot operator that one is admitted to."""

    id: UUID
    name: str
    timezone: str
    areas: list[PartOut]
    bays: list[BayOut]


class RuleIn(In):
    """The first rule that fits decides: an outlet's before its area's before its site's."""

    name: Name
    whom: Whom
    allow: bool
    area_id: UUID | None = None
    evse_id: UUID | None = None
    position: Annotated[int, msgspec.Meta(ge=0, le=100_000)] = 0
    active: bool = True
    operator_ids: list[UUID] = msgspec.field(default_factory=list)
    """For ``operators``; empty means all of them."""
    names: list[str] = msgspec.field(default_factory=list)
    """For ``groups`` and ``tokens``."""
    weekdays: list[Weekday] = msgspec.field(default_factory=list)
    """0 is Monday; empty is every day."""
    from_minute: Minute | None = None
    until_minute: Minute | None = None
    """Minutes of the site's day; an end before the beginning lies on the next day."""
    keep_free: Annotated[int, msgspec.Meta(ge=0, le=1_000)] = 0
    """Whom it lets in must leave so many other outlets of its place free."""


class RuleOut(Out):
    id: UUID
    site_id: UUID
    name: str
    whom: Whom
    allow: bool
    area_id: UUID | None
    evse_id: UUID | None
    position: int
    active: bool
    operator_ids: list[UUID]
    names: list[str]
    weekdays: list[int]
    from_minute: int | None
    until_minute: int | None
    keep_free: int


@get("/operators", summary="Fleet operators by name")
async def operators(
    deps: Deps, who: Who, limit: Limit = 100, offset: Offset = 0
) -> Page[OperatorOut]:
    found = [_operator(each) for each in await deps.operators.operators(who)]
    return sliced(OperatorOut, found, limit=limit, offset=offset)


@post("/operators", summary="Create a fleet operator with its first administrator")
async def create_operator(
    deps: Deps, who: Who, request: AnyRequest, data: JSONBody[OperatorIn]
) -> OperatorOut:
    """Send ``Voltyard-Operator: <id>`` with any other request to act in it."""
    admin = data.admin
    made = await deps.operators.create(
        who,
        data.name,
        NewUser(admin.email, admin.name, Role.ADMIN, admin.password, admin.locale),
        timezone=data.timezone,
        locale=admin.locale,
        places=_places(data.places),
        best_priority=data.best_priority,
        remote=remote_of(request),
    )
    return _operator(made)


@get("/operators/{operator_id:uuid}", summary="One fleet operator")
async def operator(deps: Deps, who: Who, operator_id: FromPath[UUID]) -> OperatorOut:
    return _operator(await deps.operators.operator(who, operator_id))


@patch("/operators/{operator_id:uuid}", summary="Change, admit or switch off a fleet operator")
async def change_operator(
    deps: Deps,
    who: Who,
    request: AnyRequest,
    operator_id: FromPath[UUID],
    data: JSONBody[OperatorPatch],
) -> OperatorOut:
    """One that is not active is logged out, and its tokens do not charge."""
    changed = await deps.operators.update(
        who,
        operator_id,
        name=data.name,
        active=data.active,
        places=None if data.places is None else _places(data.places),
        best_priority=data.best_priority,
        remote=remote_of(request),
    )
    return _operator(changed)


@get("/charging-sites", summary="Where one's vehicles may charge, with areas and bays")
async def charging_sites(
    deps: Deps, who: Who, limit: Limit = 100, offset: Offset = 0
) -> Page[ChargingSiteOut]:
    found = await deps.sites.charging_sites(who)
    shown = [
        ChargingSiteOut(
            id=site.id,
            name=site.name,
            timezone=site.timezone,
            areas=[out(PartOut, area) for area in await deps.sites.charging_areas(who, site.id)],
            bays=[out(BayOut, bay) for bay in await deps.sites.charging_bays(who, site.id)],
        )
        for site in found[offset : offset + limit]
    ]
    more = offset + len(shown) < len(found)
    return Page(items=shown, limit=limit, offset=offset, total=len(found), more=more)


@get("/sites/{site_id:uuid}/access-rules", summary="Access rules as they are asked")
async def rules(
    deps: Deps, who: Who, site_id: FromPath[UUID], limit: Limit = 100, offset: Offset = 0
) -> Page[RuleOut]:
    found = [_rule(rule) for rule in await deps.access.rules(who, site_id)]
    return sliced(RuleOut, found, limit=limit, offset=offset)


@post("/sites/{site_id:uuid}/access-rules", summary="Create an access rule")
async def create_rule(
    deps: Deps, who: Who, request: AnyRequest, site_id: FromPath[UUID], data: JSONBody[RuleIn]
) -> RuleOut:
    made = await deps.access.save(who, site_id, _draft(data), remote=remote_of(request))
    return _rule(made)


@get("/access-rules/{rule_id:uuid}", summary="One access rule")
async def rule(deps: Deps, who: Who, rule_id: FromPath[UUID]) -> RuleOut:
    return _rule(await deps.access.rule(who, rule_id))


@put("/access-rules/{rule_id:uuid}", summary="Change an access rule")
async def change_rule(
    deps: Deps, who: Who, request: AnyRequest, rule_id: FromPath[UUID], data: JSONBody[RuleIn]
) -> RuleOut:
    before = await deps.access.rule(who, rule_id)
    changed = await deps.access.save(
        who, before.site_id, _draft(data), rule_id, remote=remote_of(request)
    )
    return _rule(changed)


@delete("/access-rules/{rule_id:uuid}", summary="Delete an access rule")
async def delete_rule(deps: Deps, who: Who, request: AnyRequest, rule_id: FromPath[UUID]) -> None:
    await deps.access.delete(who, rule_id, remote=remote_of(request))


def _operator(found: Operator) -> OperatorOut:
    places = [out(PlaceOut, place, area_ids=list(place.area_ids)) for place in found.places]
    return out(OperatorOut, found.organisation, places=places)


def _places(given: list[PlaceIn]) -> list[AdmittedSite]:
    return [AdmittedSite(place.site_id, tuple(place.area_ids)) for place in given]


LISTS = ("operator_ids", "names", "weekdays")


def _draft(data: RuleIn) -> RuleDraft:
    given = msgspec.structs.asdict(data)
    return RuleDraft(**{**given, **{name: tuple(given[name]) for name in LISTS}})


def _rule(found: AccessRule) -> RuleOut:
    return out(RuleOut, found, **{name: list(getattr(found, name)) for name in LISTS})


ROUTER = Router(
    path="/",
    tags=["Operators and access"],
    route_handlers=[
        operators,
        create_operator,
        operator,
        change_operator,
        charging_sites,
        rules,
        create_rule,
        rule,
        change_rule,
        delete_rule,
    ],
)
