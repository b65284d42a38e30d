"""Why a vehicle is not charging: a dispatcher's question, answered on one page."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from litestar import Response, get
from litestar.di import NamedDependency

from voltyard.energy.enquiring import ExplainDesk, Question
from voltyard.energy.explanation import Explanation
from voltyard.errors import NotFound
from voltyard.fleets.model import Vehicle
from voltyard.web.console.views import BoardTile, Outlook, TileState
from voltyard.web.console.why_words import WhySentences
from voltyard.web.ui import Ui

ASKED_ABOUT = ("vehicle", "duty", "session", "evse")
NAME_LONGEST = 100
WORTH_ASKING = 12


@dataclass(frozen=True, slots=True)
class PlanBar:
    """In percent of the picture's width and height."""

    x: float
    width: float
    height: float
    title: str


@dataclass(frozen=True, slots=True)
class PlanPicture:
    """The plan from now to departure; ``most_w`` is its full height."""

    start_at: datetime
    end_at: datetime
    most_w: float
    bars: tuple[PlanBar, ...]
    ready_x: float | None


@get("/why")
async def why_page(ui: NamedDependency[Ui]) -> Response[str]:
    """By ``vehicle`` (its name or id), ``duty``, ``session`` or ``evse``."""
    desk = desk_of(ui)
    asked = {name: ui.request.query_params.get(name, "").strip() for name in ASKED_ABOUT}
    text = asked["vehicle"][:NAME_LONGEST]
    question = _question(asked)
    if question is None and text:
        found = await desk.named(ui.who, text)
        if len(found) != 1:
            return await _page(ui, text=text, vehicles=found, status=200 if found else 404)
        question = Question(vehicle_id=found[0].id)
    if question is None:
        return await _page(ui)
    try:
        made = await desk.explain(ui.who, question)
    except NotFound as error:
        return await _page(ui, text=text, gone=error.message, status=404)
    if made.site_id is not None:
        ui.at_site(made.site_id)
    return await _page(ui, made=made, text=made.who.name)


def desk_of(ui: Ui) -> ExplainDesk:
    if ui.deps.why is None:
        raise NotFound("There is no such page.")
    return ui.deps.why


def _question(asked: dict[str, str]) -> Question | None:
    """By the first id in the address; a vehicle's name is none."""
    for name in ("duty", "session", "evse", "vehicle"):
        try:
            found = UUID(asked[name])
        except ValueError:
            continue
        return Question(**{f"{name}_id": found})
    return None


async def _page(
    ui: Ui,
    *,
    made: Explanation | None = None,
    text: str = "",
    vehicles: Sequence[Vehicle] = (),
    gone: str = "",
    status: int = 200,
) -> Response[str]:
    return ui.page(
        "why.html",
        status=status,
        made=made,
        text=text,
        vehicles=vehicles,
        gone=gone,
        tiles=() if made is not None else await _worth_asking(ui),
        say=WhySentences(ui.gettext, ui.formats, ui.data.now()),
        picture=None if made is None else picture(ui, made),
    )


async def _worth_asking(ui: Ui) -> tuple[BoardTile, ...]:
    """Vehicles at the current site that wait, or leave short."""
    if ui.site is None:
        return ()
    board = await ui.data.board(ui.who, ui.site.id)
    short = {Outlook.AT_RISK, Outlook.MISSED}
    odd = {TileState.WAITING, TileState.PLUGGED, TileState.FAULTED, TileState.OFFLINE}
    found = [t for t in board.tiles if t.vehicle and (t.outlook in short or t.state in odd)]
    found.sort(key=lambda tile: (tile.outlook not in short, tile.vehicle))
    return tuple(found[:WORTH_ASKING])


def picture(ui: Ui, made: Explanation) -> PlanPicture | None:
    """The plan as bars over time; None where it gives nothing."""
    slots = [slot for slot in made.slots if slot.end_at > made.at]
    most_w = max((slot.power_w for slot in slots), default=0.0)
    if most_w <= 0.0:
        return None
    start_at, end_at = made.at, slots[-1].end_at
    whole_s = max(1.0, (end_at - start_at).total_seconds())

    def x(at: datetime) -> float:
        return round(min(1.0, max(0.0, (at - start_at).total_seconds() / whole_s)) * 100, 2)

    bars = tuple(
        PlanBar(
            x(slot.start_at),
            max(0.2, round(x(slot.end_at) - x(slot.start_at), 2)),
            round(100 * slot.power_w / most_w, 1),
            f"{ui.formats.time(slot.start_at)} {ui.formats.power(slot.power_w)}",
        )
        for slot in slots
        if slot.power_w > 0.0
    )
    ready_x = None if made.ready_at is None else x(made.ready_at)
    return PlanPicture(start_at, end_at, most_w, bars, ready_x)


ROUTES = [why_page]
