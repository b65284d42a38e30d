"""The depot board, its key figures and lists, and the site load chart."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

from litestar import Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Stream

from voltyard.errors import NotFound
from voltyard.web.console.common import query, search_text
from voltyard.web.console.preconditioning import shown_on_board
from voltyard.web.console.topics import tile_record
from voltyard.web.console.views import (
    BoardTile,
    BoardView,
    LoadSeries,
    Outlook,
    Page,
    Paging,
    TileState,
)
from voltyard.web.export import Cell, csv_stream
from voltyard.web.ui import PAGE_HEADERS, Ui

HOURS_MAX = 48
VIEWS = ("tiles", "compact", "table")
AT_RISK = "at_risk"
SHORT = frozenset({Outlook.AT_RISK, Outlook.MISSED})


@get("/")
async def home(ui: NamedDependency[Ui]) -> Response[Any]:
    if ui.site is None:
        return ui.page("no_site.html")
    return ui.go(f"/sites/{ui.site.id}/board")


@get("/sites/{site_id:uuid}/board")
async def board_page(ui: NamedDependency[Ui], site_id: FromPath[UUID]) -> Response[str]:
    ui.at_site(site_id)
    board = await ui.data.board(ui.who, site_id)
    if ui.who.parent_id is not None:
        return ui.page("fleet_board.html", board=board, head=board.head, at=ui.data.now())
    view = query(ui).text("view")
    shown = wanted_tiles(ui, board)
    return ui.page(
        "board.html",
        board=board,
        head=board.head,
        lanes=lanes(board, shown),
        shown=len(shown),
        view=view if view in VIEWS else VIEWS[0],
        states=tuple(TileState),
        at_risk=sum(tile.outlook in SHORT for tile in board.tiles),
        live_tile=lambda tile: tile_record(tile, ui.zone),
        operator_names={str(each): name for each, name in ui.operators.items()},
        **await shown_on_board(ui, site_id),
    )


@get("/sites/{site_id:uuid}/board/lists")
async def board_lists(ui: NamedDependency[Ui], site_id: FromPath[UUID]) -> Response[str]:
    """The side lists, asked for again when the live stream says that they changed."""
    ui.at_site(site_id)
    board = await ui.data.board(ui.who, site_id)
    shown = await shown_on_board(ui, site_id)
    return ui.page("board_lists.html", head=board.head, **shown)


@get("/sites/{site_id:uuid}/board.csv")
async def board_export(ui: NamedDependency[Ui], site_id: FromPath[UUID]) -> Stream:
    site = ui.at_site(site_id)
    board = await ui.data.board(ui.who, site_id)
    tiles = wanted_tiles(ui, board)

    async def fetch(paging: Paging) -> Page[BoardTile]:
        start = paging.offset
        return Page(tuple(tiles[start : start + paging.size]), len(tiles), paging)

    header = [
        "bay",
        "state",
        "vehicle",
        "soc_pct",
        "target_soc_pct",
        "power_w",
        "granted_w",
        "ready_at",
        "departs_at",
        "outlook",
        "shortfall_wh",
        "station",
        "outlet",
        "note",
    ]
    return csv_stream(f"board-{site.name}.csv", header, fetch, _cells)


@get("/sites/{site_id:uuid}/load")
async def load_page(ui: NamedDependency[Ui], site_id: FromPath[UUID]) -> Response[str]:
    ui.at_site(site_id)
    if ui.who.parent_id is not None:
        raise NotFound("There is nothing at this address.")
    board = await ui.data.board(ui.who, site_id)
    return ui.page("load.html", head=board.head)


@get("/sites/{site_id:uuid}/load.json")
async def load_data(ui: NamedDependency[Ui], site_id: FromPath[UUID]) -> Response[Any]:
    """Columns for the chart, in kW."""
    ui.at_site(site_id)
    load = await _load(ui, site_id)
    columns = {
        "now": load.now.timestamp(),
        "at": load.at_s,
        "m": _kw(load.measured_w),
        "p": _kw(load.plan_w),
        "l": _kw(load.limit_w),
        "r": _kw(load.reserved_w),
        "o": _kw(load.other_w),
    }
    return Response(columns, headers=PAGE_HEADERS)


@get("/sites/{site_id:uuid}/load.csv")
async def load_export(ui: NamedDependency[Ui], site_id: FromPath[UUID]) -> Stream:
    site = ui.at_site(site_id)
    load = await _load(ui, site_id)
    rows = list(
        zip(
            load.at_s,
            load.measured_w,
            load.plan_w,
            load.limit_w,
            load.reserved_w,
            load.other_w or [None] * len(load.at_s),
            strict=True,
        )
    )

    async def fetch(paging: Paging) -> Page[tuple[int, Any, Any, Any, Any, Any]]:
        part = rows[paging.offset : paging.offset + paging.size]
        return Page(tuple(part), len(rows), paging)

    header = ["epoch_s", "measured_w", "plan_w", "limit_w", "reserved_w", "other_w"]
    return csv_stream(f"load-{site.name}.csv", header, fetch, lambda row: row)


async def _load(ui: Ui, site_id: UUID) -> LoadSeries:
    fields = query(ui)
    back_h = fields.whole("back", low=0, high=HOURS_MAX, default=24)
    ahead_h = fields.whole("ahead", low=0, high=HOURS_MAX, default=24)
    now = ui.data.now()
    since, until = now - timedelta(hours=back_h), now + timedelta(hours=ahead_h)
    return await ui.data.load(ui.who, site_id, since, until)


def _kw(powers_w: Sequence[float | None]) -> list[float | None]:
    return [None if power_w is None else round(power_w / 1000, 1) for power_w in powers_w]


def wanted_tiles(ui: Ui, board: BoardView) -> list[BoardTile]:
    """The tiles that the address asks for: by text, area, and state or outlook."""
    fields = query(ui)
    area, state = fields.text("area"), fields.one_of("state", TileState)
    names = {place.id: place.name for place in board.areas}
    tiles = filter_tiles(board.tiles, search_text(ui), state)
    operator_id = fields.id("operator")
    if operator_id is not None:
        tiles = [tile for tile in tiles if tile.operator_id == operator_id]
    if fields.text("state") == AT_RISK:
        tiles = [tile for tile in tiles if tile.outlook in SHORT]
    return [tile for tile in tiles if not area or names.get(tile.area_id) == area]


def filter_tiles(tiles: Sequence[BoardTile], text: str, state: TileState | None) -> list[BoardTile]:
    """Tiles whose bay, vehicle, station or note contains the text, in the wanted state."""
    wanted = text.casefold()
    return [
        tile
        for tile in tiles
        if (state is None or tile.state is state) and (not wanted or wanted in _haystack(tile))
    ]


def _haystack(tile: BoardTile) -> str:
    parts = (tile.bay, tile.vehicle or "", tile.station, tile.outlet, tile.note)
    return " ".join(parts).casefold()


@dataclass(frozen=True, slots=True)
class Lane:
    """The outlets of an area; of those without an area when it has no name."""

    name: str
    tiles: Sequence[BoardTile]

    @property
    def charging(self) -> int:
        return sum(tile.state is TileState.CHARGING for tile in self.tiles)

    @property
    def at_risk(self) -> int:
        return sum(tile.outlook in SHORT for tile in self.tiles)

    @property
    def power_w(self) -> float:
        return sum(tile.power_w or 0.0 for tile in self.tiles)


def lanes(board: BoardView, tiles: Sequence[BoardTile]) -> list[Lane]:
    """The tiles by area, in the site's order; tiles of no area last, empty areas left out."""
    by_area: dict[UUID | None, list[BoardTile]] = {}
    for tile in tiles:
        by_area.setdefault(tile.area_id, []).append(tile)
    found = [Lane(area.name, by_area.pop(area.id)) for area in board.areas if area.id in by_area]
    return found + [Lane("", rest) for rest in by_area.values()]


def _cells(tile: BoardTile) -> tuple[Cell, ...]:
    return (
        tile.bay,
        tile.state.value,
        tile.vehicle,
        tile.soc_pct,
        tile.target_soc_pct,
        tile.power_w,
        tile.granted_w,
        tile.ready_at,
        tile.departs_at,
        tile.outlook.value,
        tile.shortfall_wh,
        tile.station,
        tile.outlet,
        tile.note,
    )


ROUTES = [home, board_page, board_lists, board_export, load_page, load_data, load_export]
