"""Configuration of chargers: makes, templates, drift, and what a charger holds."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Router, delete, get, post, put
from litestar.params import FromPath, FromQuery, JSONBody

from voltyard.api.caller import Deps, Who
from voltyard.api.stations import QuirksIO
from voltyard.api.wire import In, Limit, Name, Offset, Out, Page, out, sliced
from voltyard.chargers.commands import WriteConfiguration
from voltyard.chargers.model import Quirks
from voltyard.configuration.model import Drift, DriftState, Make, Pattern, Template, Wanted
from voltyard.tenancy.access import require
from voltyard.tenancy.model import Permission

Glob = Annotated[
    str,
    msgspec.Meta(min_length=1, max_length=100, description="* and ? stand for anything; no case."),
]


class MakeIn(In):
    """How chargers of a vendor and model want their limits."""

    vendor: Glob
    quirks: QuirksIO
    model: Glob = "*"
    note: Annotated[str, msgspec.Meta(max_length=500)] = ""


class MakeOut(Out):
    """``id`` null: shipped with voltyard; make one of your own to change it."""

    id: UUID | None
    vendor: str
    model: str
    quirks: QuirksIO
    note: str
    changed_at: datetime | None
    changed_by: str


class StationMakeOut(Out):
    """``make`` null: nobody described it. ``quirks``: how this charger is limited."""

    make: MakeOut | None
    quirks: QuirksIO


class WantedIO(In):
    """A key of 1.6, or ``Component[instance]@evse.Variable[instance]`` of 2.0.1 and 2.1."""

    key: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    value: Annotated[str, msgspec.Meta(max_length=2500)]


class TemplateIn(In):
    """What chargers of a vendor and model should be set to.

    With ``repairs`` what differs is set, after each boot and every six hours; without it is only
    shown. Of several templates the one with the more specific pattern decides a key.
    """

    name: Name
    vendor: Glob
    wanted: Annotated[list[WantedIO], msgspec.Meta(min_length=1, max_length=100)]
    model: Glob = "*"
    version: Annotated[str, msgspec.Meta(pattern=r"^(1\.6|2\.0\.1|2\.1)?$")] = ""
    repairs: bool = True
    active: bool = True


class TemplateOut(Out):
    id: UUID
    name: str
    vendor: str
    model: str
    version: str
    wanted: list[WantedIO]
    repairs: bool
    active: bool
    changed_at: datetime | None
    changed_by: str


class DriftOut(Out):
    """A key that differs, or differed, from its template; ``word`` is the charger's."""

    station_id: UUID
    key: str
    wanted: str
    found: str | None
    state: DriftState
    template: str
    tries: int
    word: str
    since: datetime
    changed_at: datetime


class SettingIn(In):
    """``attribute``: Target, MinSet or MaxSet (2.0.1, 2.1); nothing is the actual value."""

    key: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    value: Annotated[str, msgspec.Meta(max_length=2500)]
    attribute: Annotated[str, msgspec.Meta(pattern="^(Actual|Target|MinSet|MaxSet)$")] | None = None


class SettingOut(Out):
    """``reboot_needed``: taken, and in force after the charger's next start."""

    word: str
    accepted: bool
    reboot_needed: bool


@get("/makes", summary="Makes: how chargers want their limits")
async def makes(deps: Deps, who: Who, limit: Limit = 200, offset: Offset = 0) -> Page[MakeOut]:
    """Your own, then those shipped. Your own come first, of those the more specific pattern."""
    require(who, Permission.VIEW)
    found = [_make(make) for make in deps.configuration.makes(who.org_id)]
    return sliced(MakeOut, found, limit=limit, offset=offset)


@post("/makes", summary="Describe a make")
async def create_make(deps: Deps, who: Who, data: JSONBody[MakeIn]) -> MakeOut:
    return _make(await deps.configuration.save_make(who, None, *_make_parts(data)))


@put("/makes/{make_id:uuid}", summary="Change a make")
async def change_make(
    deps: Deps, who: Who, make_id: FromPath[UUID], data: JSONBody[MakeIn]
) -> MakeOut:
    return _make(await deps.configuration.save_make(who, make_id, *_make_parts(data)))


@delete("/makes/{make_id:uuid}", summary="Forget a make")
async def delete_make(deps: Deps, who: Who, make_id: FromPath[UUID]) -> None:
    await deps.configuration.delete_make(who, make_id)


@get("/stations/{station_id:uuid}/make", summary="The make that a charger is taken for")
async def station_make(deps: Deps, who: Who, station_id: FromPath[UUID]) -> StationMakeOut:
    """A charger's own quirks, if it has any, come before it."""
    require(who, Permission.VIEW)
    station = deps.chargers.station_view(who.org_id, station_id).station
    found = deps.configuration.make_of(who.org_id, station.vendor or "", station.model or "")
    return StationMakeOut(make=None if found is None else _make(found), quirks=_io(station.quirks))


@get("/templates", summary="Configuration templates")
async def templates(
    deps: Deps, who: Who, limit: Limit = 100, offset: Offset = 0
) -> Page[TemplateOut]:
    require(who, Permission.VIEW)
    found = [_template(template) for template in deps.configuration.templates(who.org_id)]
    return sliced(TemplateOut, found, limit=limit, offset=offset)


@post("/templates", summary="Create a configuration template")
async def create_template(deps: Deps, who: Who, data: JSONBody[TemplateIn]) -> TemplateOut:
    return _template(await deps.configuration.save_template(who, None, _draft(data, who.org_id)))


@put("/templates/{template_id:uuid}", summary="Change a configuration template")
async def change_template(
    deps: Deps, who: Who, template_id: FromPath[UUID], data: JSONBody[TemplateIn]
) -> TemplateOut:
    """Chargers that are connected are looked at at once."""
    draft = _draft(data, who.org_id)
    return _template(await deps.configuration.save_template(who, template_id, draft))


@delete("/templates/{template_id:uuid}", summary="Delete a configuration template")
async def delete_template(deps: Deps, who: Who, template_id: FromPath[UUID]) -> None:
    """What it had set stays set."""
    await deps.configuration.delete_template(who, template_id)


@get("/drift", summary="What differs from its template, in all chargers")
async def drift(
    deps: Deps,
    who: Who,
    limit: Limit = 100,
    offset: Offset = 0,
    repaired_too: FromQuery[bool] = False,
) -> Page[DriftOut]:
    require(who, Permission.VIEW)
    asked = min(limit, 999)
    found = await deps.configuration.drift(
        who.org_id, open_only=not repaired_too, limit=asked + 1, offset=offset
    )
    items = [_drift(row) for row in found[:asked]]
    return Page(items=items, limit=asked, offset=offset, more=len(found) > asked)


@get("/stations/{station_id:uuid}/drift", summary="What differs from its template in a charger")
async def station_drift(
    deps: Deps, who: Who, station_id: FromPath[UUID], limit: Limit = 100, offset: Offset = 0
) -> Page[DriftOut]:
    require(who, Permission.VIEW)
    found = [_drift(row) for row in await deps.configuration.drift_of(who.org_id, station_id)]
    return sliced(DriftOut, found, limit=limit, offset=offset)


@post(
    "/stations/{station_id:uuid}/drift/repair",
    summary="Compare a charger with its templates and set what differs",
    status_code=200,
)
async def repair(
    deps: Deps, who: Who, station_id: FromPath[UUID], limit: Limit = 100, offset: Offset = 0
) -> Page[DriftOut]:
    """Now, and also what it refused before. The answer is what differed, and how it went."""
    found = [_drift(row) for row in await deps.configuration.look(who, station_id)]
    return sliced(DriftOut, found, limit=limit, offset=offset)


@put("/stations/{station_id:uuid}/configuration", summary="Set a configuration key or variable")
async def set_setting(
    deps: Deps, who: Who, station_id: FromPath[UUID], data: JSONBody[SettingIn]
) -> SettingOut:
    """Errors of the charger as at ``/commands``."""
    require(who, Permission.CHARGERS_WRITE)
    deps.chargers.station_view(who.org_id, station_id)
    command = WriteConfiguration(data.key, data.value, data.attribute)
    result = await deps.chargers.order(who, station_id, command)
    reboot = result.status.value == "reboot_required"
    word = result.word or result.status.value
    return SettingOut(word=word, accepted=result.accepted or reboot, reboot_needed=reboot)


def _make_parts(data: MakeIn) -> tuple[Pattern, Quirks, str]:
    quirks = Quirks(**msgspec.structs.asdict(data.quirks))
    return Pattern(data.vendor.strip(), data.model.strip()), quirks, data.note


def _make(make: Make) -> MakeOut:
    return out(
        MakeOut,
        make,
        vendor=make.pattern.vendor,
        model=make.pattern.model,
        quirks=out(QuirksIO, make.quirks),
    )


def _io(quirks: Quirks) -> QuirksIO:
    return out(QuirksIO, quirks)


def _draft(data: TemplateIn, org_id: UUID) -> Template:
    return Template(
        org_id,
        org_id,
        data.name.strip(),
        Pattern(data.vendor.strip(), data.model.strip()),
        tuple(Wanted(item.key.strip(), item.value) for item in data.wanted),
        data.version,
        data.repairs,
        data.active,
    )


def _template(template: Template) -> TemplateOut:
    return out(
        TemplateOut,
        template,
        vendor=template.pattern.vendor,
        model=template.pattern.model,
        wanted=[WantedIO(key=item.key, value=item.value) for item in template.wanted],
    )


def _drift(row: Drift) -> DriftOut:
    return out(DriftOut, row)


ROUTER = Router(
    path="/",
    tags=["Configuration"],
    route_handlers=[
        makes,
        create_make,
        change_make,
        delete_make,
        station_make,
        templates,
        create_template,
        change_template,
        delete_template,
        drift,
        station_drift,
        repair,
        set_setting,
    ],
)
