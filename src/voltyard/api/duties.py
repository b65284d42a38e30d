"""Duties: lists, single changes, and imports that are all or nothing."""

from dataclasses import replace
from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Response, Router, delete, get, post, put
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from voltyard.api.caller import Deps, Who, remote_of
from voltyard.api.deps import AnyRequest
from voltyard.api.wire import ImportFaultOut, In, Limit, Offset, Out, Page, Text, out, page
from voltyard.errors import Invalid
from voltyard.ids import new_id
from voltyard.tenancy.access import require
from voltyard.tenancy.model import Permission, Principal
from voltyard.timetable.importing import ImportReport
from voltyard.timetable.model import Duty, DutyState
from voltyard.timetable.service import DutyFilter

Instant = Annotated[datetime, msgspec.Meta(tz=True, examples=["2026-01-15T18:30:00+01:00"])]
Percent = Annotated[float, msgspec.Meta(ge=0, le=100)]
OWN_SOURCES = frozenset({"manual", "csv", "spice_ev"})
ExternalId = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class DutyIn(In):
    """One stay that ends in a departure: a vehicle, or any of a class, and what it needs."""

    arrival_at: Instant
    departure_at: Instant
    external_id: ExternalId | None = None
    """The sender's own key, unique per site and source; without one voltyard makes one."""
    vehicle_id: UUID | None = None
    vehicle_class: Annotated[str, msgspec.Meta(max_length=200)] | None = None
    soc_arrival_pct: Percent | None = None
    target_soc_pct: Percent | None = None
    target_energy_wh: Annotated[float, msgspec.Meta(gt=0)] | None = None
    """Energy to be added in the stay; give this or a target SoC."""
    priority: Annotated[int, msgspec.Meta(ge=1, le=9)] = 5
    """1 is the most important."""
    bay_id: UUID | None = None
    note: Annotated[str, msgspec.Meta(max_length=500)] = ""


class DutyOut(Out):
    id: UUID
    site_id: UUID
    external_id: str
    source: str
    arrival_at: datetime
    departure_at: datetime
    vehicle_id: UUID | None
    vehicle_class: str | None
    soc_arrival_pct: float | None
    target_soc_pct: float | None
    target_energy_wh: float | None
    priority: int
    bay_id: UUID | None
    state: DutyState
    note: str
    soc_departure_pct: float | None
    departed_at: datetime | None
    ready: bool | None
    shortfall_wh: float | None
    operator_id: UUID | None = None
    """The fleet operator whose duty it is; null for one's own."""


class DutiesIn(In):
    """Many duties of one source; those it has sent before are changed, not doubled."""

    duties: Annotated[list[DutyIn], msgspec.Meta(min_length=1, max_length=50_000)]
    source: Annotated[str, msgspec.Meta(pattern="^[a-z0-9_.-]{1,40}$")] = "api"
    dry_run: bool = False
    remove_absent: bool = False
    """Remove planned duties of this source that depart within the span and are not sent."""


class ImportOut(Out):
    """What was imported, or with ``dry_run`` would be. With faults, nothing is."""

    dry_run: bool
    rows: int
    duties: int
    replaces: int
    removed: int
    faults: list[ImportFaultOut]
    warnings: list[ImportFaultOut]
    """What looks odd but is imported, such as two stays of one vehicle at a time."""


@get("/sites/{site_id:uuid}/duties", summary="Duties of a site by departure")
async def duties(
    deps: Deps,
    who: Who,
    site_id: FromPath[UUID],
    limit: Limit = 100,
    offset: Offset = 0,
    since: Annotated[datetime | None, QueryParameter(description="Departing after.")] = None,
    until: Annotated[datetime | None, QueryParameter(description="Arriving before.")] = None,
    vehicle_id: FromQuery[UUID | None] = None,
    states: Annotated[list[DutyState] | None, QueryParameter(name="state")] = None,
    text: Text = "",
    operator_id: FromQuery[UUID | None] = None,
) -> Page[DutyOut]:
    await deps.sites.charging_site(who, site_id)
    wanted = DutyFilter(
        site_id,
        since,
        until,
        vehicle_id,
        tuple(states or ()),
        text,
        operator_id,
        limit,
        offset,
    )
    found, total = await deps.timetable.find(who.org_id, wanted)
    shown = [_shown(who, each) for each in found]
    return page(DutyOut, shown, total, limit=limit, offset=offset)


@get("/duties/{duty_id:uuid}", summary="One duty")
async def duty(deps: Deps, who: Who, duty_id: FromPath[UUID]) -> DutyOut:
    require(who, Permission.VIEW)
    return _shown(who, await deps.timetable.duty(who.org_id, duty_id))


@post("/sites/{site_id:uuid}/duties", summary="Create a duty")
async def create_duty(
    deps: Deps, who: Who, request: AnyRequest, site_id: FromPath[UUID], data: JSONBody[DutyIn]
) -> DutyOut:
    made = _duty(data, new_id(), who.org_id, site_id, "manual")
    saved = await deps.timetable.save(who, made, expect_new=True, remote=remote_of(request))
    return _shown(who, saved)


@put("/duties/{duty_id:uuid}", summary="Change a duty")
async def change_duty(
    deps: Deps, who: Who, request: AnyRequest, duty_id: FromPath[UUID], data: JSONBody[DutyIn]
) -> DutyOut:
    before = await deps.timetable.duty(who.org_id, duty_id)
    after = _duty(data, duty_id, before.org_id, before.site_id, before.source)
    if data.external_id is None:
        after = replace(after, external_id=before.external_id)
    saved = await deps.timetable.save(who, after, expect_new=False, remote=remote_of(request))
    return _shown(who, saved)


@delete("/duties/{duty_id:uuid}", summary="Delete a duty")
async def delete_duty(deps: Deps, who: Who, request: AnyRequest, duty_id: FromPath[UUID]) -> None:
    await deps.timetable.delete(who, [duty_id], remote=remote_of(request))


@post("/sites/{site_id:uuid}/duties/import", summary="Import duties as JSON", status_code=200)
async def import_json(
    deps: Deps, who: Who, request: AnyRequest, site_id: FromPath[UUID], data: JSONBody[DutiesIn]
) -> ImportOut:
    """All or nothing, and the same import twice changes nothing. Each duty needs its key."""
    if data.source in OWN_SOURCES:
        taken = f"“{data.source}” is voltyard's own; name your system"
        raise Invalid("The source is not allowed.", fields={"source": taken})
    given = [
        replace(
            _duty(each, new_id(), who.org_id, site_id, data.source),
            external_id=each.external_id or "",
        )
        for each in data.duties
    ]
    report = await deps.timetable.import_duties(
        who,
        site_id,
        given,
        source=data.source,
        dry_run=data.dry_run,
        remove_absent=data.remove_absent,
        remote=remote_of(request),
    )
    return _report(report, dry_run=data.dry_run)


@post(
    "/sites/{site_id:uuid}/duties/import.csv",
    summary="Import duties as CSV",
    status_code=200,
)
async def import_csv(
    deps: Deps,
    who: Who,
    request: AnyRequest,
    site_id: FromPath[UUID],
    dry_run: FromQuery[bool] = False,
    remove_absent: FromQuery[bool] = False,
) -> ImportOut:
    """The columns are those of the guide “Import duties”. All or nothing.

    With ``dry_run`` the answer lists every fault by row and column; without it, a file with
    faults is refused (code ``import_faults``) and names them the same way.
    """
    require(who, Permission.DUTIES_WRITE)
    content = await request.body()
    if dry_run:
        return _report(await deps.timetable.check_csv(who, site_id, content), dry_run=True)
    report = await deps.timetable.import_csv(
        who, site_id, content, remove_absent=remove_absent, remote=remote_of(request)
    )
    return _report(report, dry_run=False)


@post(
    "/sites/{site_id:uuid}/duties/import.spice-ev",
    summary="Import the stays of a SpiceEV scenario",
    status_code=200,
)
async def import_spice_ev(
    deps: Deps,
    who: Who,
    request: AnyRequest,
    site_id: FromPath[UUID],
    connector: Annotated[
        str, QueryParameter(description="Grid connector; default: site's name.")
    ] = "",
    dry_run: FromQuery[bool] = False,
) -> ImportOut:
    """The scenario file as it is; its vehicles are known here by name. All or nothing."""
    require(who, Permission.DUTIES_WRITE)
    content, timetable = await request.body(), deps.timetable
    if dry_run:
        checked = await timetable.check_spice_ev(who, site_id, content, connector=connector)
        return _report(checked, dry_run=True)
    report = await timetable.import_spice_ev(
        who, site_id, content, connector=connector, remote=remote_of(request)
    )
    return _report(report, dry_run=False)


@get(
    "/sites/{site_id:uuid}/duties.csv",
    summary="Duties as CSV, ready to be imported again",
    media_type="text/csv",
)
async def export_csv(
    deps: Deps,
    who: Who,
    site_id: FromPath[UUID],
    since: FromQuery[datetime | None] = None,
    until: FromQuery[datetime | None] = None,
) -> Response[str]:
    text = await deps.timetable.export_csv(who, site_id, since=since, until=until)
    headers = {"content-disposition": 'attachment; filename="duties.csv"'}
    return Response(text, media_type="text/csv; charset=utf-8", headers=headers)


def _shown(who: Principal, duty: Duty) -> DutyOut:
    return out(DutyOut, duty, operator_id=None if duty.org_id == who.org_id else duty.org_id)


def _duty(data: DutyIn, duty_id: UUID, org_id: UUID, site_id: UUID, source: str) -> Duty:
    fields = msgspec.structs.asdict(data)
    fields["external_id"] = data.external_id or duty_id.hex
    return Duty(id=duty_id, org_id=org_id, site_id=site_id, source=source, **fields)


def _report(report: ImportReport, *, dry_run: bool) -> ImportOut:
    return ImportOut(
        dry_run=dry_run,
        rows=report.rows,
        duties=len(report.duties),
        replaces=report.replaces,
        removed=report.removed,
        warnings=[out(ImportFaultOut, warning) for warning in report.warnings],
        faults=[out(ImportFaultOut, fault) for fault in report.faults],
    )


ROUTER = Router(
    path="/",
    tags=["Timetable"],
    route_handlers=[
        duties,
        duty,
        create_duty,
        change_duty,
        delete_duty,
        import_json,
        import_csv,
        import_spice_ev,
        export_csv,
    ],
)
