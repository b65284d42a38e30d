"""Reservations: the list, one charger's, keeping an outlet for a token, and letting it go."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Stream

from voltyard.chargers.model import Station, StationFilter, StationState
from voltyard.errors import VoltyardError
from voltyard.reservations.commands import NewReservation
from voltyard.reservations.model import Reservation
from voltyard.sessions.model import IdToken, TokenKind
from voltyard.tenancy.model import Permission
from voltyard.web.console import access_words as words
from voltyard.web.console.common import paging, posted, query, search_text
from voltyard.web.console.tokens import TOKEN_KINDS, access_of, remote_of
from voltyard.web.console.views import Choice, Page, Paging, ReservationRow
from voltyard.web.export import Cell, csv_stream
from voltyard.web.forms import Fields
from voltyard.web.ui import Ui, local_path

CHOICES_MAX = 1_000
TOKENS_OFFERED = 500
SHOWN_AT_STATION = 8
USUALLY = timedelta(hours=1)
CONNECTOR_MAX = 20


@get("/reservations")
async def reservations_page(ui: NamedDependency[Ui]) -> Response[str]:
    page = await _found(ui, paging(ui))
    return ui.page(
        "reservations.html",
        page=page,
        access=words,
        every_s=poll_s(page.rows),
    )


@get("/reservations.csv")
async def reservations_export(ui: NamedDependency[Ui]) -> Stream:
    header = [
        "number",
        "site",
        "charger",
        "outlet",
        "token",
        "vehicle",
        "group",
        "from_at",
        "until_at",
        "state",
        "answer",
        "by",
    ]
    return csv_stream("reservations.csv", header, lambda part: _found(ui, part), _cells)


@get("/chargers/{station_id:uuid}/reservations")
async def station_reservations(
    ui: NamedDependency[Ui], station_id: FromPath[UUID]
) -> Response[str]:
    """The block of the charger's page, asked for again while something is open."""
    station = await ui.data.station(ui.who, station_id)
    return ui.page("station_reservations.html", row=station.row, **await shown_at(ui, station_id))


async def shown_at(ui: Ui, station_id: UUID) -> dict[str, Any]:
    """What the charger's page needs to show its newest reservations."""
    if ui.deps.access is None:
        return {"reservations": None}
    found, total = await access_of(ui).reservations.reservations(
        ui.who, station_id=station_id, limit=SHOWN_AT_STATION
    )
    rows = await _rows(ui, found)
    return {
        "reservations": rows,
        "reservations_total": total,
        "access": words,
        "every_s": poll_s(rows),
    }


@get("/reservations/new")
async def new_reservation(ui: NamedDependency[Ui]) -> Response[str]:
    ui.require(Permission.SESSIONS_CONTROL)
    fields = query(ui)
    until_at = (ui.data.now() + USUALLY).astimezone(ui.zone)
    values = {
        "station_id": fields.text("station"),
        "token": fields.text("token", longest=255),
        "until_at": until_at.strftime("%Y-%m-%dT%H:%M"),
        "token_kind": TokenKind.RFID.value,
    }
    return await _form(ui, values, {}, "")


@post("/reservations/new")
async def reserve(ui: NamedDependency[Ui]) -> Response[Any]:
    """One that begins now comes back with the charger's answer."""
    ui.require(Permission.SESSIONS_CONTROL)
    form = await posted(ui)
    try:
        new = await _read(ui, form)
        made = await access_of(ui).reservations.reserve(ui.who, new, remote=remote_of(ui))
    except VoltyardError as error:
        faults = {_FIELDS.get(name, name): why for name, why in error.fields.items()}
        return await _form(ui, form.values, faults, error.message)
    return ui.go("/reservations", made=made.number)


_FIELDS: Mapping[str, str] = {"evse_id": "outlet"}


async def _read(ui: Ui, form: Fields) -> NewReservation:
    """Of a token on record its own kind counts."""
    station_id = form.id("station_id")
    if station_id is None:
        form.fault("station_id", ui.gettext("This is needed."))
    token = form.text("token", required=True, longest=255)
    kind = form.one_of("token_kind", TokenKind) or TokenKind.RFID
    from_at = form.moment("from_at")
    until_at = form.moment("until_at", required=True)
    number = form.whole("outlet", low=0, high=10_000, default=0)
    connector = form.text("connector_type", longest=CONNECTOR_MAX) or None
    form.check()
    assert station_id is not None
    assert until_at is not None
    rooms = access_of(ui)
    rooms.chargers.station_view(ui.who.org_id, station_id)
    evse = rooms.chargers.outlet(station_id, number) if number else None
    if number and evse is None:
        form.fault("outlet", ui.gettext("This charger has no such outlet."))
    form.check()
    known = await rooms.fleets.lookup_token(ui.who.org_id, IdToken(token, kind))
    return NewReservation(
        station_id=station_id,
        token=token,
        until_at=until_at,
        evse_id=None if evse is None else evse.id,
        token_kind=kind.value if known is None else known.kind,
        from_at=from_at,
        connector_type=connector,
    )


@post("/reservations/{reservation_id:uuid}/cancel")
async def cancel(ui: NamedDependency[Ui], reservation_id: FromPath[UUID]) -> Response[Any]:
    """At once for whoever holds a token there; the charger is told as soon as it listens."""
    ui.require(Permission.SESSIONS_CONTROL)
    form = await posted(ui)
    await access_of(ui).reservations.cancel(ui.who, reservation_id, remote=remote_of(ui))
    return ui.go(local_path(form.text("back"), "/reservations"))


async def _form(
    ui: Ui, values: Mapping[str, str], faults: Mapping[str, str], error: str
) -> Response[str]:
    rooms = access_of(ui)
    wanted = StationFilter(state=StationState.APPROVED)
    views = rooms.chargers.list_stations(ui.who.org_id, wanted)[:CHOICES_MAX]
    chosen = values.get("station_id", "")
    numbers = {
        evse.number for view in views if chosen in ("", str(view.station.id)) for evse in view.evses
    }
    tokens = (await rooms.fleets.all_tokens(ui.who.org_id))[:TOKENS_OFFERED]
    vehicles = {vehicle.id: vehicle.name for vehicle in await rooms.fleets.all(ui.who.org_id)}
    return ui.page(
        "reservation_new.html",
        status=422 if error else 200,
        values=values,
        faults=faults,
        error=error,
        stations=[Choice(str(view.station.id), _titled(ui, view.station)) for view in views],
        outlets=[Choice(str(number), str(number)) for number in sorted(numbers)],
        tokens=[(t.value, vehicles.get(t.vehicle_id) if t.vehicle_id else t.label) for t in tokens],
        kinds=TOKEN_KINDS,
    )


def _titled(ui: Ui, station: Station) -> str:
    """A charger that is away takes only what begins later."""
    away = "" if station.connected else f" ({ui.gettext('Offline')})"
    return f"{station.identity}{away}"


async def _found(ui: Ui, part: Paging) -> Page[ReservationRow]:
    fields = query(ui)
    when = fields.text("when")
    found, total = await access_of(ui).reservations.reservations(
        ui.who,
        station_id=fields.id("station"),
        site_id=fields.id("site"),
        open_only=when == "open",
        over_only=when == "over",
        text=search_text(ui),
        limit=part.size,
        offset=part.offset,
    )
    return Page(await _rows(ui, found), total, part)


async def _rows(ui: Ui, found: Sequence[Reservation]) -> tuple[ReservationRow, ...]:
    vehicles = {v.id: v.name for v in await access_of(ui).fleets.all(ui.who.org_id)}
    sites = {site.id: site.name for site in ui.sites}
    return tuple(_row(ui, each, vehicles, sites) for each in found)


def _row(
    ui: Ui, each: Reservation, vehicles: Mapping[UUID, str], sites: Mapping[UUID, str]
) -> ReservationRow:
    chargers = access_of(ui).chargers
    station = chargers.station(each.station_id)
    evse = None if each.evse_id is None else chargers.evse(each.evse_id)
    return ReservationRow(
        id=each.id,
        number=each.number,
        station_id=each.station_id,
        station=station.identity if station else "",
        connected=chargers.is_connected(each.station_id),
        evse=str(evse.number) if evse else "",
        token=each.token,
        from_at=each.from_at,
        until_at=each.until_at,
        state=each.state,
        by=each.created_by,
        site=sites.get(each.site_id, "") if each.site_id else "",
        vehicle_id=each.vehicle_id,
        vehicle=vehicles.get(each.vehicle_id, "") if each.vehicle_id else "",
        group=each.group_id,
        answer=each.word,
        cancel_due=each.cancel_due,
        session_id=each.session_id,
    )


def poll_s(rows: Sequence[ReservationRow]) -> int:
    """How soon to look again: soon while a charger has to answer, never if nothing is open."""
    if any(row.moving for row in rows):
        return 2
    return 15 if any(row.open for row in rows) else 0


def _cells(row: ReservationRow) -> tuple[Cell, ...]:
    return (
        row.number,
        row.site,
        row.station,
        row.evse,
        row.token,
        row.vehicle,
        row.group,
        row.from_at,
        row.until_at,
        row.state.value,
        row.answer,
        row.by,
    )


ROUTES = [
    reservations_page,
    reservations_export,
    station_reservations,
    new_reservation,
    reserve,
    cancel,
]
