"""The lists of tokens that chargers keep: of all chargers, of one, and bringing them in step."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Stream

from voltyard.chargers.model import Station, StationFilter, StationState
from voltyard.errors import ChargerOffline, Conflict
from voltyard.fleets.model import Token
from voltyard.locallists.model import Compared, Difference, ListState, token_of
from voltyard.locallists.overview import ListStanding
from voltyard.tenancy.model import Permission
from voltyard.web.console import access_words as words
from voltyard.web.console.common import paging, posted, query, search_text
from voltyard.web.console.tokens import access_of, remote_of
from voltyard.web.console.views import EntryRow, ListRow, Page, Paging
from voltyard.web.export import Cell, csv_stream
from voltyard.web.ui import Ui, local_path

SYNC_MAX = 2_000
"""Chargers that one press of the button asks."""


@get("/tokens/lists")
async def lists_page(ui: NamedDependency[Ui]) -> Response[str]:
    page = await _lists(ui, paging(ui))
    asked_at = query(ui).moment("asked")
    return ui.page(
        "local_lists.html",
        page=page,
        states=tuple(ListState),
        access=words,
        asked_at=asked_at,
        asked=None if asked_at is None else told_since(await _all(ui), asked_at),
        moving=any(row.under_way for row in page.rows),
    )


@get("/tokens/lists.csv")
async def lists_export(ui: NamedDependency[Ui]) -> Stream:
    header = [
        "charger",
        "site",
        "connected",
        "state",
        "version",
        "wanted_version",
        "entries",
        "wanted_entries",
        "differences",
        "left_out",
        "answer",
        "checked_at",
        "synced_at",
        "drifts",
    ]
    return csv_stream("local-lists.csv", header, lambda part: _lists(ui, part), _list_cells)


@post("/tokens/lists")
async def sync_all(ui: NamedDependency[Ui]) -> Response[Any]:
    """Every charger that the filter finds; those that are away are left to their next connect."""
    ui.require(Permission.CHARGERS_COMMAND)
    form = await posted(ui)
    now = ui.data.now()
    for station in _stations(ui)[:SYNC_MAX]:
        if station.connected:
            await _sync(ui, station, whole=form.text("how") == "whole")
    kept = {name: value for name, value in ui.request.query_params.items() if name != "asked"}
    return ui.go("/tokens/lists", **kept, asked=now.isoformat())


async def _sync(ui: Ui, station: Station, *, whole: bool) -> str:
    """Empty, or why it could not be asked."""
    try:
        await access_of(ui).lists.resend(ui.who, station.id, whole=whole, remote=remote_of(ui))
    except (ChargerOffline, Conflict) as error:
        return error.message
    return ""


@get("/chargers/{station_id:uuid}/local-list")
async def list_page(ui: NamedDependency[Ui], station_id: FromPath[UUID]) -> Response[str]:
    return await _list_page(ui, station_id, "")


async def _list_page(ui: Ui, station_id: UUID, error: str) -> Response[str]:
    station = await ui.data.station(ui.who, station_id)
    standing = await _standing(ui, station_id)
    return ui.page(
        "local_list.html",
        status=422 if error else 200,
        row=station.row,
        held=list_row(standing, station.row.site),
        page=await _entries(ui, standing, paging(ui)),
        differences=tuple(Difference),
        access=words,
        error=error,
    )


@get("/chargers/{station_id:uuid}/local-list.csv")
async def list_export(ui: NamedDependency[Ui], station_id: FromPath[UUID]) -> Stream:
    standing = await _standing(ui, station_id)
    header = ["token", "kind", "standing", "status", "group", "until_at", "outlets", "vehicle"]
    return csv_stream(
        f"local-list-{standing.station.identity}.csv",
        header,
        lambda part: _entries(ui, standing, part),
        _entry_cells,
    )


@post("/chargers/{station_id:uuid}/local-list")
async def sync_one(ui: NamedDependency[Ui], station_id: FromPath[UUID]) -> Response[Any]:
    ui.require(Permission.CHARGERS_COMMAND)
    form = await posted(ui)
    station = access_of(ui).chargers.station_view(ui.who.org_id, station_id).station
    error = await _sync(ui, station, whole=form.text("how") == "whole")
    if error:
        return await _list_page(ui, station_id, error)
    return ui.go(local_path(form.text("back"), f"/chargers/{station_id}/local-list"))


def _stations(ui: Ui) -> list[Station]:
    fields = query(ui)
    link = fields.text("link")
    wanted = StationFilter(
        fields.id("site"),
        StationState.APPROVED,
        None if link not in {"online", "offline"} else link == "online",
        search_text(ui),
    )
    found = access_of(ui).chargers.list_stations(ui.who.org_id, wanted)
    state = fields.one_of("state", ListState)
    lists = access_of(ui).lists
    stations = [view.station for view in found]
    return [one for one in stations if state is None or lists.known(one).state is state]


async def _lists(ui: Ui, part: Paging) -> Page[ListRow]:
    stations = _stations(ui)
    shown = stations[part.offset : part.offset + part.size]
    sites = {site.id: site.name for site in ui.sites}
    standings = await access_of(ui).overview.standings(ui.who, shown)
    rows = tuple(_named(standing, sites) for standing in standings)
    return Page(rows, len(stations), part)


async def _all(ui: Ui) -> list[ListRow]:
    """Without comparing entries: what a press of the button led to needs none of it."""
    lists = access_of(ui).lists
    return [
        list_row(ListStanding(station, lists.known(station), lists.under_way(station.id)), "")
        for station in _stations(ui)
    ]


async def _standing(ui: Ui, station_id: UUID) -> ListStanding:
    station = access_of(ui).chargers.station_view(ui.who.org_id, station_id).station
    (standing,) = await access_of(ui).overview.standings(ui.who, [station])
    return standing


def _named(standing: ListStanding, sites: Mapping[UUID, str]) -> ListRow:
    site_id = standing.station.site_id
    return list_row(standing, sites.get(site_id, "") if site_id else "")


def list_row(standing: ListStanding, site: str) -> ListRow:
    station, held = standing.station, standing.held
    return ListRow(
        station_id=station.id,
        station=station.identity,
        site=site,
        connected=station.connected,
        state=held.state,
        version=held.version,
        wanted_version=standing.wanted_version,
        entries=len(held.entries),
        wanted_entries=len(standing.wanted),
        changes=standing.changes,
        under_way=standing.under_way and station.connected,
        entries_max=held.entries_max,
        per_message=held.per_message,
        left_out=held.left_out,
        answer=held.failure,
        checked_at=held.checked_at,
        synced_at=held.synced_at,
        drifts=held.drifts,
        drifted_at=held.drifted_at,
        clear_cache=held.clear_cache,
        cache_cleared_at=held.cache_cleared_at,
        cache_word=held.cache_word,
    )


def told_since(rows: Sequence[ListRow], asked_at: datetime) -> dict[str, int]:
    """What became of asking all of them: how many ended how."""
    counts = dict.fromkeys(("synced", "failed", "none", "under_way", "away"), 0)
    for row in rows:
        counts[_outcome(row, asked_at)] += 1
    return counts


def _outcome(row: ListRow, asked_at: datetime) -> str:
    if not row.connected:
        return "away"
    if row.under_way:
        return "under_way"
    if row.state in (ListState.UNSUPPORTED, ListState.DISABLED):
        return "none"
    looked = row.checked_at is not None and row.checked_at >= asked_at
    return "synced" if looked and row.state is ListState.SYNCED else "failed"


async def _entries(ui: Ui, standing: ListStanding, part: Paging) -> Page[EntryRow]:
    text = search_text(ui).casefold()
    wanted = query(ui).one_of("difference", Difference)
    fleets, org_id = access_of(ui).fleets, ui.who.org_id
    tokens = {token.value.casefold(): token for token in await fleets.all_tokens(org_id)}
    vehicles = {vehicle.id: vehicle.name for vehicle in await fleets.all(org_id)}
    chosen = [each for each in standing.rows if wanted in (None, each.difference)]
    every = [entry_row(each, tokens, vehicles) for each in chosen]
    rows = [row for row in every if text in f"{row.token} {row.vehicle}".casefold()]
    return Page(tuple(rows[part.offset : part.offset + part.size]), len(rows), part)


def entry_row(
    each: Compared, tokens: Mapping[str, Token], vehicles: Mapping[UUID, str]
) -> EntryRow:
    """As it should be where it should be on the list, else as it is."""
    named = token_of(each.name)
    status, _, rest = (each.wanted or each.held or "|||").partition("|")
    group, until, numbers = rest.rsplit("|", 2)
    token = tokens.get(named.value.casefold())
    vehicle_id = token.vehicle_id if token else None
    return EntryRow(
        token=named.value,
        kind=named.kind.value,
        difference=each.difference,
        status=status,
        group=group,
        until_at=datetime.fromisoformat(until) if until else None,
        evses=tuple(int(number) for number in numbers.split(",") if number),
        token_id=token.id if token else None,
        vehicle=vehicles.get(vehicle_id, "") if vehicle_id else "",
    )


def _list_cells(row: ListRow) -> tuple[Cell, ...]:
    return (
        row.station,
        row.site,
        row.connected,
        row.state.value,
        row.version,
        row.wanted_version,
        row.entries,
        row.wanted_entries,
        row.changes,
        row.left_out,
        row.answer,
        row.checked_at,
        row.synced_at,
        row.drifts,
    )


def _entry_cells(row: EntryRow) -> tuple[Cell, ...]:
    return (
        row.token,
        row.kind,
        row.difference.value,
        row.status,
        row.group,
        row.until_at,
        " ".join(map(str, row.evses)),
        row.vehicle,
    )


ROUTES = [lists_page, lists_export, sync_all, list_page, list_export, sync_one]
