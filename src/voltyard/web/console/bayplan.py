"""Which bay for which duty: what is suggested, taken over by a click, and the lanes of bays."""

from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Stream

from voltyard.bookings.suggesting import Suggestion
from voltyard.sites.commands import BayDraft
from voltyard.tenancy.model import Permission
from voltyard.web.console.bookings import rooms_of
from voltyard.web.console.common import posted, query, search_text
from voltyard.web.console.tokens import remote_of
from voltyard.web.console.views import Page, Paging
from voltyard.web.export import Cell, csv_stream
from voltyard.web.ui import Ui

LANE_LONGEST = 60


@get("/sites/{site_id:uuid}/bay-plan")
async def plan_page(ui: NamedDependency[Ui], site_id: FromPath[UUID]) -> Response[str]:
    ui.at_site(site_id)
    found = await _found(ui, site_id)
    bays = await rooms_of(ui).sites.bays(ui.who, site_id)
    return ui.page(
        "bay_plan.html",
        rows=found,
        news=sum(not row.kept and row.bay is not None for row in found),
        afresh=query(ui).flag("afresh"),
        bays=sorted(bays, key=lambda bay: (bay.lane, bay.position, bay.name)),
    )


@get("/sites/{site_id:uuid}/bay-plan.csv")
async def plan_export(ui: NamedDependency[Ui], site_id: FromPath[UUID]) -> Stream:
    site = ui.at_site(site_id)
    rows = tuple(await _found(ui, site_id))

    async def fetch(paging: Paging) -> Page[Suggestion]:
        return Page(rows[paging.offset : paging.offset + paging.size], len(rows), paging)

    header = ["vehicle", "arrives_at", "departs_at", "bay", "lane", "kept", "in_the_way", "short_w"]
    return csv_stream(f"bay-plan-{site.name}.csv", header, fetch, _cells)


@post("/sites/{site_id:uuid}/bay-plan")
async def take_over(ui: NamedDependency[Ui], site_id: FromPath[UUID]) -> Response[Any]:
    """What was shown is taken over, not what would be suggested by now."""
    ui.require(Permission.DUTIES_WRITE)
    ui.at_site(site_id)
    form = await posted(ui)
    chosen: dict[UUID, UUID] = {}
    for name in form.values:
        bay_id = form.id(name) if name.startswith("duty-") else None
        if bay_id is not None:
            chosen[UUID(name.removeprefix("duty-"))] = bay_id
    form.check()
    done = await rooms_of(ui).bookings.suggester.take_over(ui.who, site_id, chosen)
    return ui.go(f"/sites/{site_id}/bay-plan", taken=len(done))


@post("/sites/{site_id:uuid}/bay-plan/lanes")
async def save_lanes(ui: NamedDependency[Ui], site_id: FromPath[UUID]) -> Response[Any]:
    """Which bays stand behind one another; 0 is at the way out."""
    ui.require(Permission.SITES_WRITE)
    ui.at_site(site_id)
    form = await posted(ui)
    sites = rooms_of(ui).sites
    for bay in await sites.bays(ui.who, site_id):
        if f"lane-{bay.id}" not in form.values:
            continue
        lane = form.text(f"lane-{bay.id}", longest=LANE_LONGEST)
        place = form.whole(f"at-{bay.id}", low=0, high=1_000, default=bay.position)
        form.check()
        if (lane, place) != (bay.lane, bay.position):
            draft = BayDraft(bay.name, bay.area_id, place, lane)
            await sites.save_bay(ui.who, site_id, draft, bay.id, remote=remote_of(ui))
    return ui.go(f"/sites/{site_id}/bay-plan", done="saved")


async def _found(ui: Ui, site_id: UUID) -> list[Suggestion]:
    suggester = rooms_of(ui).bookings.suggester
    found = await suggester.suggest(ui.who, site_id, afresh=query(ui).flag("afresh"))
    text = search_text(ui).casefold()
    return [
        row
        for row in found
        if text in f"{row.vehicle} {row.bay.name if row.bay else ''}".casefold()
    ]


def _cells(row: Suggestion) -> tuple[Cell, ...]:
    return (
        row.vehicle,
        row.duty.arrival_at,
        row.duty.departure_at,
        row.bay.name if row.bay else "",
        row.bay.lane if row.bay else "",
        "yes" if row.kept else "no",
        " ".join(row.in_the_way),
        row.short_w,
    )


ROUTES = [plan_page, plan_export, take_over, save_lanes]
