"""Vehicles and tokens."""

from datetime import datetime
from typing import Annotated
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
from litestar import Response, Router, delete, get, post, put
from litestar.params import FromPath, FromQuery, JSONBody

from voltyard.api.caller import Deps, Who, remote_of
from voltyard.api.deps import AnyRequest, ApiDeps
from voltyard.api.wire import ImportFaultOut, In, Limit, Name, Offset, Out, Page, Text, out, page
from voltyard.errors import Invalid
from voltyard.fleets.commands import TokenDraft, VehicleDraft
from voltyard.fleets.importing import FleetReport
from voltyard.fleets.model import Token, Vehicle
from voltyard.sessions.model import AuthorisationStatus, TokenKind
from voltyard.sessions.refusals import RefusalFilter
from voltyard.tenancy.access import require
from voltyard.tenancy.model import Permission, Principal

Instant = Annotated[datetime, msgspec.Meta(tz=True)]


class VehicleIn(In):
    name: Name
    vehicle_class: Annotated[str, msgspec.Meta(max_length=200, examples=["12m"])] = ""
    battery_wh: Annotated[float, msgspec.Meta(gt=0, examples=[350_000.0])] | None = None
    max_power_w: Annotated[float, msgspec.Meta(gt=0, examples=[150_000.0])] | None = None
    min_power_w: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    charge_curve: Annotated[
        list[tuple[float, float]],
        msgspec.Meta(description="(SoC in %, power in W) points with rising SoC; empty: flat."),
    ] = msgspec.field(default_factory=list)
    efficiency: Annotated[float, msgspec.Meta(ge=0.5, le=1)] = 1.0
    """Share of the energy at the meter that reaches the battery."""
    vin: str | None = None
    licence_plate: Annotated[str, msgspec.Meta(max_length=32)] | None = None
    active: bool = True


class VehicleOut(Out):
    id: UUID
    name: str
    vehicle_class: str
    battery_wh: float | None
    max_power_w: float | None
    min_power_w: float
    charge_curve: list[tuple[float, float]]
    efficiency: float
    vin: str | None
    licence_plate: str | None
    active: bool
    operator_id: UUID | None = None
    """The fleet operator whose it is; null for one's own."""


class TokenIn(In):
    value: Annotated[str, msgspec.Meta(min_length=1, max_length=255, examples=["04A2B1C9"])]
    kind: TokenKind = TokenKind.RFID
    vehicle_id: UUID | None = None
    label: Annotated[str, msgspec.Meta(max_length=200)] = ""
    blocked: bool = False
    valid_from: Instant | None = None
    valid_until: Instant | None = None
    group_id: Annotated[str, msgspec.Meta(max_length=36)] = ""
    """Tokens of one group may stop what one of them started."""
    concurrent: bool = False
    """Whether it may charge in several places at once."""
    site_ids: list[UUID] = msgspec.field(default_factory=list)
    area_ids: Annotated[
        list[UUID],
        msgspec.Meta(description="With neither sites nor areas it may charge everywhere."),
    ] = msgspec.field(default_factory=list)


class TokenOut(Out):
    id: UUID
    value: str
    kind: str
    vehicle_id: UUID | None
    label: str
    blocked: bool
    valid_from: datetime | None
    valid_until: datetime | None
    group_id: str
    concurrent: bool
    site_ids: list[UUID]
    area_ids: list[UUID]
    operator_id: UUID | None = None
    """The fleet operator whose it is; null for one's own."""


class RefusalOut(Out):
    """``known``: whether it was a token on record; with status ``accepted`` the site let it in."""

    at: datetime
    site_id: UUID | None
    station_id: UUID
    evse_id: UUID | None
    token: str
    token_kind: str
    status: AuthorisationStatus
    reason: str
    known: bool


class FleetImportOut(Out):
    """What was imported, or with ``dry_run`` would be. With faults, nothing is."""

    dry_run: bool
    rows: int
    new: int
    changed: int
    unchanged: int
    faults: list[ImportFaultOut]


class ClassesOut(Out):
    classes: list[str]


@get("/vehicles", summary="Vehicles by name")
async def vehicles(
    deps: Deps,
    who: Who,
    limit: Limit = 100,
    offset: Offset = 0,
    text: Text = "",
    vehicle_class: FromQuery[str] = "",
    active: FromQuery[bool | None] = None,
) -> Page[VehicleOut]:
    found, total = await deps.fleets.list_vehicles(
        who, text=text, vehicle_class=vehicle_class, active=active, limit=limit, offset=offset
    )
    shown = [_vehicle(who, vehicle) for vehicle in found]
    return page(VehicleOut, shown, total, limit=limit, offset=offset)


@post("/vehicles", summary="Create a vehicle")
async def create_vehicle(
    deps: Deps, who: Who, request: AnyRequest, data: JSONBody[VehicleIn]
) -> VehicleOut:
    made = await deps.fleets.save_vehicle(who, _vehicle_draft(data), remote=remote_of(request))
    return _vehicle(who, made)


@get("/vehicles/{vehicle_id:uuid}", summary="One vehicle")
async def vehicle(deps: Deps, who: Who, vehicle_id: FromPath[UUID]) -> VehicleOut:
    return _vehicle(who, await deps.fleets.vehicle(who, vehicle_id))


@put("/vehicles/{vehicle_id:uuid}", summary="Change a vehicle")
async def change_vehicle(
    deps: Deps, who: Who, request: AnyRequest, vehicle_id: FromPath[UUID], data: JSONBody[VehicleIn]
) -> VehicleOut:
    changed = await deps.fleets.save_vehicle(
        who, _vehicle_draft(data), vehicle_id, remote=remote_of(request)
    )
    return _vehicle(who, changed)


@delete("/vehicles/{vehicle_id:uuid}", summary="Delete a vehicle with its tokens")
async def delete_vehicle(
    deps: Deps, who: Who, request: AnyRequest, vehicle_id: FromPath[UUID]
) -> None:
    await deps.fleets.delete_vehicle(who, vehicle_id, remote=remote_of(request))


@get("/vehicle-classes", summary="The vehicle classes in use")
async def classes(deps: Deps, who: Who) -> ClassesOut:
    return ClassesOut(classes=await deps.fleets.classes(who))


@get("/tokens", summary="Tokens by value")
async def tokens(
    deps: Deps,
    who: Who,
    limit: Limit = 100,
    offset: Offset = 0,
    text: Text = "",
    vehicle_id: FromQuery[UUID | None] = None,
) -> Page[TokenOut]:
    found, total = await deps.fleets.list_tokens(
        who, text=text, vehicle_id=vehicle_id, limit=limit, offset=offset
    )
    shown = [_token(who, token) for token in found]
    return page(TokenOut, shown, total, limit=limit, offset=offset)


@get("/token-refusals", summary="Tokens that were refused, or let in unknown; newest first")
async def refusals(
    deps: Deps,
    who: Who,
    limit: Limit = 100,
    offset: Offset = 0,
    text: Text = "",
    site_id: FromQuery[UUID | None] = None,
    status: FromQuery[AuthorisationStatus | None] = None,
) -> Page[RefusalOut]:
    """Kept for 90 days. The same token at the same charger is one entry a minute."""
    require(who, Permission.VIEW)
    wanted = RefusalFilter(text=text, site_id=site_id, status=status)
    found, total = await deps.sessions.refusals(who.org_id, wanted, limit=limit, offset=offset)
    return page(RefusalOut, found, total, limit=limit, offset=offset)


@post("/tokens", summary="Create a token")
async def create_token(
    deps: Deps, who: Who, request: AnyRequest, data: JSONBody[TokenIn]
) -> TokenOut:
    await _check_places(deps, who, data)
    made = await deps.fleets.save_token(who, _token_draft(data), remote=remote_of(request))
    return _token(who, made)


@get("/tokens/{token_id:uuid}", summary="One token")
async def token(deps: Deps, who: Who, token_id: FromPath[UUID]) -> TokenOut:
    return _token(who, await deps.fleets.token(who, token_id))


@put("/tokens/{token_id:uuid}", summary="Change a token")
async def change_token(
    deps: Deps, who: Who, request: AnyRequest, token_id: FromPath[UUID], data: JSONBody[TokenIn]
) -> TokenOut:
    await _check_places(deps, who, data)
    changed = await deps.fleets.save_token(
        who, _token_draft(data), token_id, remote=remote_of(request)
    )
    return _token(who, changed)


@delete("/tokens/{token_id:uuid}", summary="Delete a token")
async def delete_token(deps: Deps, who: Who, request: AnyRequest, token_id: FromPath[UUID]) -> None:
    await deps.fleets.delete_token(who, token_id, remote=remote_of(request))


@post("/vehicles/import.csv", summary="Import vehicles as CSV", status_code=200)
async def import_vehicles(
    deps: Deps, who: Who, request: AnyRequest, dry_run: FromQuery[bool] = False
) -> FleetImportOut:
    """Vehicles by name. All or nothing; ``dry_run`` lists every fault by row and column."""
    content = await request.body()
    if dry_run:
        return _report(await deps.fleets.check_vehicles(who, content), dry_run=True)
    report = await deps.fleets.import_vehicles(who, content, remote=remote_of(request))
    return _report(report, dry_run=False)


@get("/vehicles.csv", summary="Vehicles as CSV", media_type="text/csv")
async def export_vehicles(deps: Deps, who: Who) -> Response[str]:
    return _csv("vehicles", await deps.fleets.export_vehicles(who))


@post("/tokens/import.csv", summary="Import tokens as CSV", status_code=200)
async def import_tokens(
    deps: Deps, who: Who, request: AnyRequest, dry_run: FromQuery[bool] = False
) -> FleetImportOut:
    """Tokens by value; vehicles by name. Times without an offset are the organisation's."""
    content = await request.body()
    zone = ZoneInfo((await deps.tenancy.organisation(who.org_id)).timezone)
    if dry_run:
        return _report(await deps.fleets.check_tokens(who, content, zone), dry_run=True)
    report = await deps.fleets.import_tokens(who, content, zone, remote=remote_of(request))
    return _report(report, dry_run=False)


@get("/tokens.csv", summary="Tokens as CSV", media_type="text/csv")
async def export_tokens(deps: Deps, who: Who) -> Response[str]:
    return _csv("tokens", await deps.fleets.export_tokens(who))


def _csv(name: str, text: str) -> Response[str]:
    headers = {"content-disposition": f'attachment; filename="{name}.csv"'}
    return Response(text, media_type="text/csv; charset=utf-8", headers=headers)


def _report(report: FleetReport, *, dry_run: bool) -> FleetImportOut:
    return FleetImportOut(
        dry_run=dry_run,
        rows=report.rows,
        new=len(report.new),
        changed=len(report.changed),
        unchanged=report.unchanged,
        faults=[out(ImportFaultOut, fault) for fault in report.faults],
    )


def _vehicle_draft(data: VehicleIn) -> VehicleDraft:
    return VehicleDraft(
        **{**msgspec.structs.asdict(data), "charge_curve": tuple(data.charge_curve)}
    )


def _token_draft(data: TokenIn) -> TokenDraft:
    places = {"site_ids": tuple(data.site_ids), "area_ids": tuple(data.area_ids)}
    return TokenDraft(**{**msgspec.structs.asdict(data), "kind": data.kind.value, **places})


def _token(who: Principal, token: Token) -> TokenOut:
    return out(
        TokenOut,
        token,
        site_ids=list(token.site_ids),
        area_ids=list(token.area_ids),
        operator_id=_operator(who, token.org_id),
    )


async def _check_places(deps: ApiDeps, who: Principal, data: TokenIn) -> None:
    """Sites and areas of somebody else do not exist here."""
    if not data.site_ids and not data.area_ids:
        return
    sites = [site.id for site in await deps.sites.charging_sites(who)]
    areas = [area.id for site_id in sites for area in await deps.sites.charging_areas(who, site_id)]
    wrong = {
        field: "there is none of this id"
        for field, given, known in (
            ("site_ids", data.site_ids, sites),
            ("area_ids", data.area_ids, areas),
        )
        if not set(given) <= set(known)
    }
    if wrong:
        raise Invalid("The token is not valid.", fields=wrong)


def _vehicle(who: Principal, vehicle: Vehicle) -> VehicleOut:
    return out(
        VehicleOut,
        vehicle,
        charge_curve=list(vehicle.charge_curve),
        operator_id=_operator(who, vehicle.org_id),
    )


def _operator(who: Principal, org_id: UUID) -> UUID | None:
    return None if org_id == who.org_id else org_id


ROUTER = Router(
    path="/",
    tags=["Fleet"],
    route_handlers=[
        vehicles,
        create_vehicle,
        vehicle,
        change_vehicle,
        delete_vehicle,
        classes,
        tokens,
        refusals,
        create_token,
        token,
        change_token,
        delete_token,
        import_vehicles,
        export_vehicles,
        import_tokens,
        export_tokens,
    ],
)
