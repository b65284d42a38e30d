"""Firmware: images, campaigns, and a campaign while it runs."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import time
from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.datastructures import UploadFile
from litestar.di import NamedDependency
from litestar.params import FromPath

from voltyard.chargers.model import Station
from voltyard.errors import Conflict, Invalid, NotFound
from voltyard.firmware.commands import NewCampaign, NewImage
from voltyard.firmware.library import IMAGE_MAX_BYTES
from voltyard.firmware.model import (
    CAMPAIGN_OPEN,
    UNDER_WAY,
    FirmwareImage,
    Rollout,
    Signing,
    Update,
    UpdateState,
    Window,
)
from voltyard.firmware.service import FirmwareService
from voltyard.tenancy.model import Permission
from voltyard.web.console import upkeep_words as words
from voltyard.web.console.common import paging, posted, query
from voltyard.web.console.views.common import Page
from voltyard.web.forms import Fields
from voltyard.web.ui import Ui

READ_BYTES = 256 * 1024
FILE_LONGEST = 12_000
SHOWN = 200
SHOWN_STATES: dict[str, frozenset[UpdateState]] = {
    "done": frozenset({UpdateState.DONE, UpdateState.SKIPPED}),
    "under_way": UNDER_WAY,
    "waiting": frozenset({UpdateState.WAITING}),
    "failed": frozenset({UpdateState.FAILED}),
}
CAMPAIGN_FIELDS: dict[str, str] = {
    "wave": "10",
    "soak": "0",
    "parallel": "10",
    "max_failures": "3",
    "margin": "60",
    "idle_only": "on",
    "attempts": "2",
    "signing": Signing.IF_KNOWN.value,
}


@dataclass(frozen=True, slots=True)
class UpdateRow:
    """One charger of a campaign; ``fetched_pct`` while it downloads from us."""

    update: Update
    station: str
    detail: str
    shape: str
    fetched_pct: int | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A charger that could be updated: ``picked`` at first, ``canary`` the first of all."""

    station: Station
    has_it: bool
    picked: bool
    canary: bool


def firmware_of(ui: Ui) -> FirmwareService:
    """Raises NotFound where no firmware room is behind the console."""
    if ui.deps.firmware is None:
        raise NotFound("There is nothing at this address.")
    return ui.deps.firmware


@get("/firmware")
async def firmware_page(ui: NamedDependency[Ui]) -> Response[str]:
    rooms = firmware_of(ui)
    images, _ = await rooms.images(ui.who.org_id, limit=SHOWN)
    campaigns, _ = await rooms.campaigns(ui.who.org_id, limit=SHOWN)
    return ui.page("firmware.html", images=images, campaigns=campaigns, campaign_words=words)


@get("/firmware/new")
async def image_form(ui: NamedDependency[Ui]) -> Response[str]:
    ui.require(Permission.CHARGERS_WRITE)
    firmware_of(ui)
    return ui.page("firmware_new.html", values={}, faults={}, error="")


@post("/firmware/new", request_max_body_size=IMAGE_MAX_BYTES + 1_000_000)
async def add_image(ui: NamedDependency[Ui]) -> Response[Any]:
    ui.require(Permission.CHARGERS_WRITE)
    form = await posted(ui)
    file = (await ui.request.form()).get("file")
    given = file if isinstance(file, UploadFile) and file.filename else None
    new = _new_image(form, given)
    try:
        form.check()
        content = None if given is None else _content(given)
        image = await firmware_of(ui).add_image(ui.who, new, content, remote=_remote(ui))
    except Invalid as error:
        faults = dict(error.fields)
        return ui.page(
            "firmware_new.html", status=422, values=form.values, faults=faults, error=error.message
        )
    return ui.go(f"/firmware/images/{image.id}", done="saved")


def _new_image(form: Fields, file: UploadFile | None) -> NewImage:
    models = tuple(
        name.strip() for name in form.text("models", longest=2_000).split(",") if name.strip()
    )
    return NewImage(
        vendor=form.text("vendor"),
        version=form.text("version", required=True),
        models=models,
        reported_as=form.text("reported_as"),
        file_name="" if file is None else file.filename,
        url="" if file is not None else form.text("url", longest=500),
        signature=form.text("signature", longest=FILE_LONGEST),
        certificate=form.text("certificate", longest=FILE_LONGEST),
        note=form.text("note", longest=2_000),
    )


async def _content(file: UploadFile) -> AsyncIterator[bytes]:
    while chunk := await file.read(READ_BYTES):
        yield chunk


@get("/firmware/images/{image_id:uuid}")
async def image_page(ui: NamedDependency[Ui], image_id: FromPath[UUID]) -> Response[str]:
    image = await firmware_of(ui).image(ui.who.org_id, image_id)
    return _image_page(ui, image, CAMPAIGN_FIELDS, {}, "", None)


def _image_page(
    ui: Ui,
    image: FirmwareImage,
    values: dict[str, str],
    faults: dict[str, str],
    error: str,
    picked: Sequence[UUID] | None,
) -> Response[str]:
    return ui.page(
        "firmware_image.html",
        status=422 if error else 200,
        image=image,
        candidates=_candidates(firmware_of(ui), ui, image, picked),
        values=values,
        faults=faults,
        error=error,
        days=list(enumerate(words.DAYS)),
    )


def _candidates(
    rooms: FirmwareService, ui: Ui, image: FirmwareImage, picked: Sequence[UUID] | None
) -> list[Candidate]:
    """Chargers the image is made for; at first all of them that do not have it yet."""
    found: list[Candidate] = []
    canary = False
    for station in rooms.candidates(ui.who.org_id, image):
        has_it = image.is_version(station.firmware)
        chosen = not has_it if picked is None else station.id in picked
        first = chosen and station.connected and not canary
        canary = canary or first
        found.append(Candidate(station, has_it, chosen, first))
    return found


@post("/firmware/images/{image_id:uuid}/retire")
async def retire_image(ui: NamedDependency[Ui], image_id: FromPath[UUID]) -> Response[Any]:
    ui.require(Permission.CHARGERS_WRITE)
    await firmware_of(ui).retire_image(ui.who, image_id, remote=_remote(ui))
    return ui.go("/firmware", done="deleted")


@post("/firmware/images/{image_id:uuid}/start")
async def start_campaign(ui: NamedDependency[Ui], image_id: FromPath[UUID]) -> Response[Any]:
    ui.require(Permission.CHARGERS_COMMAND)
    rooms = firmware_of(ui)
    form = await posted(ui)
    pairs = [(n, v) for n, v in (await ui.request.form()).multi_items() if isinstance(v, str)]
    picked = _ids(v for n, v in pairs if n == "station")
    canaries = _ids(v for n, v in pairs if n == "canary")
    order = [*canaries, *(each for each in picked if each not in canaries)]
    days = frozenset(int(v) for n, v in pairs if n == "day" and v in set("0123456"))
    try:
        rollout = replace(_rollout(form, days), canary=len(canaries))
        start_at = form.moment("start_at")
        if not order:
            form.fault("station", "Choose at least one charger.")
        form.check()
        new = NewCampaign(image_id, tuple(order), form.text("name"), rollout, start_at)
        view = await rooms.start_campaign(ui.who, new, remote=_remote(ui))
    except (Invalid, Conflict) as error:
        image = await rooms.image(ui.who.org_id, image_id)
        return _image_page(ui, image, dict(form.values), dict(error.fields), error.message, order)
    return ui.go(f"/firmware/campaigns/{view.campaign.id}")


def _ids(texts: Any) -> list[UUID]:
    found: list[UUID] = []
    for text in texts:
        try:
            found.append(UUID(text))
        except ValueError:
            continue
    return list(dict.fromkeys(found))


def _rollout(form: Fields, days: frozenset[int]) -> Rollout:
    begin, end = _clock(form, "from_time"), _clock(form, "until_time")
    if (begin is None) != (end is None):
        form.fault("until_time" if end is None else "from_time", "Give both times, or none.")
    windows: tuple[Window, ...] = ()
    if begin is not None and end is not None:
        windows = (Window(begin, end, days or frozenset(range(7))),)
    return Rollout(
        wave=form.whole("wave", low=0, high=10_000, default=10),
        soak_s=60 * form.whole("soak", low=0, high=43_200, default=0),
        parallel=form.whole("parallel", low=1, high=500, default=10),
        max_failures=form.whole("max_failures", low=1, high=10_000, default=3),
        windows=windows,
        idle_only=form.flag("idle_only"),
        margin_s=60 * form.whole("margin", low=0, high=1_440, default=60),
        attempts=form.whole("attempts", low=1, high=10, default=2),
        signing=form.one_of("signing", Signing) or Signing.IF_KNOWN,
    )


def _clock(form: Fields, name: str) -> time | None:
    text = form.text(name)
    if not text:
        return None
    try:
        return time.fromisoformat(text)
    except ValueError:
        form.fault(name, "This is not a time.")
        return None


@get("/firmware/campaigns/{campaign_id:uuid}")
async def campaign_page(ui: NamedDependency[Ui], campaign_id: FromPath[UUID]) -> Response[str]:
    """The block ``campaign_progress`` is asked for again every few seconds while it runs."""
    rooms = firmware_of(ui)
    view = await rooms.campaign(ui.who.org_id, campaign_id)
    updates = await rooms.updates(ui.who.org_id, campaign_id)
    page = _page_of(ui, rooms, view.image, updates)
    moving = view.campaign.state in CAMPAIGN_OPEN or view.progress.under_way > 0
    return ui.page(
        "campaign.html",
        campaign=view.campaign,
        image=view.image,
        progress=view.progress,
        page=page,
        counts={name: _count(updates, states) for name, states in SHOWN_STATES.items()},
        moving=moving,
        campaign_words=words,
        share_pct=_share_pct(view.progress.total, len([u for u in updates if u.final])),
    )


def _page_of(
    ui: Ui, rooms: FirmwareService, image: FirmwareImage, updates: Sequence[Update]
) -> Page[UpdateRow]:
    """The chargers wanted by ``show``, a page at a time: what moves is asked for often."""
    wanted = SHOWN_STATES.get(query(ui).text("show"))
    found = [update for update in updates if wanted is None or update.state in wanted]
    part = paging(ui, 100)
    rows = found[part.offset : part.offset + part.size]
    shown = tuple(_row(ui, rooms, image, update) for update in rows)
    return Page(shown, len(found), part)


def _count(updates: Sequence[Update], states: frozenset[UpdateState]) -> int:
    return sum(update.state in states for update in updates)


def _share_pct(total: int, ended: int) -> int:
    return 0 if total == 0 else round(100 * ended / total)


def _row(ui: Ui, rooms: FirmwareService, image: FirmwareImage, update: Update) -> UpdateRow:
    station = rooms.station(update.station_id)
    name = str(update.station_id) if station is None else station.identity
    shape = words.UPDATE_SHAPES.get(update.state, "charging")
    fetched = None
    if update.state is UpdateState.DOWNLOADING and image.size_bytes:
        reached = rooms.downloaded(update.id)
        fetched = None if reached is None else min(100, round(100 * reached / image.size_bytes))
    return UpdateRow(update, name, _detail(ui, update), shape, fetched)


def _detail(ui: Ui, update: Update) -> str:
    """Why it failed, or what it waits for."""
    say = ui.gettext
    if update.failure is not None:
        told = say(words.FAILURE_WORDS[update.failure])
        plain = update.detail and update.failure not in ("silent",)
        return f"{told} ({update.detail})" if plain else told
    if update.state is UpdateState.WAITING and update.blocked:
        return say(words.BLOCKED_WORDS.get(update.blocked, update.blocked))
    return ""


@post("/firmware/campaigns/{campaign_id:uuid}/decide")
async def decide(ui: NamedDependency[Ui], campaign_id: FromPath[UUID]) -> Response[Any]:
    """Pause, resume or cancel."""
    ui.require(Permission.CHARGERS_COMMAND)
    rooms = firmware_of(ui)
    form = await posted(ui)
    actions = {
        "pause": rooms.pause_campaign,
        "resume": rooms.resume_campaign,
        "cancel": rooms.cancel_campaign,
    }
    action = actions.get(form.text("decision"))
    if action is None:
        raise Invalid("Choose one of the list.")
    await action(ui.who, campaign_id, remote=_remote(ui))
    return ui.go(f"/firmware/campaigns/{campaign_id}")


@post("/firmware/updates/{update_id:uuid}/leave-out")
async def leave_out(ui: NamedDependency[Ui], update_id: FromPath[UUID]) -> Response[Any]:
    ui.require(Permission.CHARGERS_COMMAND)
    update = await firmware_of(ui).leave_out(ui.who, update_id, remote=_remote(ui))
    return ui.go(f"/firmware/campaigns/{update.campaign_id}")


def _remote(ui: Ui) -> str:
    return ui.request.client.host if ui.request.client else ""


ROUTES = [
    firmware_page,
    image_form,
    add_image,
    image_page,
    retire_image,
    start_campaign,
    campaign_page,
    decide,
    leave_out,
]
