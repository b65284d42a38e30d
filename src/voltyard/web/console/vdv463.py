"""Presystems (VDV 463): connections, what they ask for beside what stands, their last messages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from voltyard.errors import NotFound, VoltyardError
from voltyard.timetable.vdv463.model import (
    ChargingRequest,
    Kept,
    Kind,
    Presystem,
    PresystemView,
    Target,
    VehicleKey,
    Version,
    setting_up,
)
from voltyard.timetable.vdv463.service import PresystemService
from voltyard.web.console import vdv463_words as presystem_words
from voltyard.web.console.common import posted
from voltyard.web.console.tokens import remote_of
from voltyard.web.forms import Fields
from voltyard.web.ui import Ui

NOBODY = UUID(int=0)
EVERY_S = 5
MESSAGES = 30


@dataclass(frozen=True, slots=True)
class Difference:
    """One field that came otherwise than it stands, both in words."""

    field: str
    sent: str
    stands: str


@dataclass(frozen=True, slots=True)
class RequestLine:
    row: Kept
    vehicle: str
    differences: tuple[Difference, ...]

    @property
    def shown(self) -> ChargingRequest:
        return self.row.request or self.row.sent


def room_of(ui: Ui) -> PresystemService:
    """Raises NotFound where presystems are not behind the console."""
    if ui.deps.presystems is None:
        raise NotFound("There is nothing at this address.")
    return ui.deps.presystems


def _can(ui: Ui) -> bool:
    return ui.may(setting_up(ui.who))


@get("/presystems")
async def presystems_page(ui: NamedDependency[Ui]) -> Response[str]:
    views = room_of(ui).views(ui.who)
    return ui.page(
        "presystems.html", views=views, pre=presystem_words, can_set_up=_can(ui), every_s=EVERY_S
    )


@get("/presystems/new")
async def new_presystem(ui: NamedDependency[Ui]) -> Response[str]:
    ui.require(setting_up(ui.who))
    plain = Presystem(NOBODY, NOBODY, "", "")
    return _form(ui, None, values_of(plain), {}, "")


@post("/presystems/new")
async def add_presystem(ui: NamedDependency[Ui]) -> Response[Any]:
    ui.require(setting_up(ui.who))
    form = await posted(ui)
    try:
        draft = _draft(ui, form, NOBODY)
        view, password = await room_of(ui).create(ui.who, draft, remote=remote_of(ui))
    except VoltyardError as error:
        return _form(ui, None, form.values, error.fields, error.message)
    return await _page(ui, view.presystem.id, password=password, status=201)


@get("/presystems/{presystem_id:uuid}")
async def presystem_page(ui: NamedDependency[Ui], presystem_id: FromPath[UUID]) -> Response[str]:
    return await _page(ui, presystem_id)


@get("/presystems/{presystem_id:uuid}/settings")
async def settings_page(ui: NamedDependency[Ui], presystem_id: FromPath[UUID]) -> Response[str]:
    view = room_of(ui).view(ui.who, presystem_id)
    return _form(ui, view, values_of(view.presystem), {}, "")


@post("/presystems/{presystem_id:uuid}/settings")
async def change_presystem(ui: NamedDependency[Ui], presystem_id: FromPath[UUID]) -> Response[Any]:
    ui.require(setting_up(ui.who))
    view = room_of(ui).view(ui.who, presystem_id)
    form = await posted(ui)
    try:
        draft = _draft(ui, form, presystem_id)
        await room_of(ui).change(ui.who, draft, remote=remote_of(ui))
    except VoltyardError as error:
        return _form(ui, view, form.values, error.fields, error.message)
    return ui.go(f"/presystems/{presystem_id}", done="saved")


@post("/presystems/{presystem_id:uuid}/rotate")
async def rotate_presystem(ui: NamedDependency[Ui], presystem_id: FromPath[UUID]) -> Response[Any]:
    ui.require(setting_up(ui.who))
    password = await room_of(ui).rotate(ui.who, presystem_id, remote=remote_of(ui))
    return await _page(ui, presystem_id, password=password)


@post("/presystems/{presystem_id:uuid}/delete")
async def delete_presystem(ui: NamedDependency[Ui], presystem_id: FromPath[UUID]) -> Response[Any]:
    ui.require(setting_up(ui.who))
    await room_of(ui).delete(ui.who, presystem_id, remote=remote_of(ui))
    return ui.go("/presystems", done="deleted")


async def _page(
    ui: Ui, presystem_id: UUID, *, password: str = "", status: int = 200
) -> Response[str]:
    room = room_of(ui)
    view = room.view(ui.who, presystem_id)
    query = ui.request.query_params
    way = query.get("way", "")
    messages = await room.messages(
        ui.who,
        presystem_id,
        direction=way if way in ("in", "out") else "",
        faulty=bool(query.get("faulty")),
        limit=MESSAGES,
    )
    return ui.page(
        "presystem.html",
        status=status,
        view=view,
        lines=[_line(ui, row) for row in room.requests(ui.who, presystem_id)],
        messages=messages,
        password=password,
        address=f"/vdv463/{view.presystem.path}",
        pre=presystem_words,
        can_set_up=_can(ui),
        every_s=EVERY_S,
    )


def _line(ui: Ui, row: Kept) -> RequestLine:
    return RequestLine(row, row.sent.vehicle, tuple(differences(ui, row)))


def differences(ui: Ui, row: Kept) -> Sequence[Difference]:
    """Empty where the newest that came is what stands, or nothing stands at all."""
    if row.request is None or not row.differs:
        return ()
    found: list[Difference] = []
    for name, word in presystem_words.FIELDS.items():
        sent, stands = getattr(row.sent, name), getattr(row.request, name)
        if sent != stands:
            found.append(Difference(ui.gettext(word), _shown(ui, sent), _shown(ui, stands)))
    return found


def _shown(ui: Ui, value: object) -> str:
    if value is None or value == "":
        return "–"
    if isinstance(value, bool):
        return ui.gettext("yes") if value else ui.gettext("no")
    if isinstance(value, datetime):
        return ui.formats.moment(value)
    if isinstance(value, float):
        return f"{value:g}"
    return str(len(value)) if isinstance(value, tuple) else str(value)


def values_of(presystem: Presystem) -> dict[str, str]:
    """A presystem's settings as the form shows them."""
    return {
        "name": presystem.name,
        "path": presystem.path,
        "kind": presystem.kind.value,
        "username": presystem.username,
        "presystem_id": presystem.presystem_id,
        "version": presystem.version.value,
        "allow_v2": "on" if presystem.allow_v2 else "",
        "enabled": "on" if presystem.enabled else "",
        "default_site_id": str(presystem.default_site_id or ""),
        "vehicle_key": presystem.vehicle_key.value,
        "target": presystem.target.value,
        "priority_bounds": ", ".join(map(str, presystem.priority_bounds)),
        "period_s": f"{presystem.period_s:g}",
        "confirm_s": f"{presystem.confirm_s:g}",
        "stay_h": f"{presystem.stay_h:g}",
        **{f"site_{site_id}": "on" for site_id in presystem.site_ids},
    }


def _draft(ui: Ui, form: Fields, presystem_id: UUID) -> Presystem:
    period_s = form.number("period_s", low=5, high=300)
    confirm_s = form.number("confirm_s", low=5, high=300)
    stay_h = form.number("stay_h", low=0.5, high=72)
    draft = Presystem(
        id=presystem_id,
        org_id=ui.who.org_id,
        path=form.text("path", required=True).strip("/").removeprefix("vdv463/"),
        name=form.text("name", required=True, longest=100),
        kind=form.one_of("kind", Kind) or Kind.ANY,
        username=form.text("username", longest=100),
        presystem_id=form.text("presystem_id"),
        version=form.one_of("version", Version) or Version.V11,
        allow_v2=form.flag("allow_v2"),
        enabled=form.flag("enabled"),
        site_ids=tuple(site.id for site in ui.sites if form.flag(f"site_{site.id}")),
        default_site_id=form.id("default_site_id"),
        vehicle_key=form.one_of("vehicle_key", VehicleKey) or VehicleKey.AUTO,
        target=form.one_of("target", Target) or Target.MAX,
        priority_bounds=_bounds(ui, form),
        period_s=15.0 if period_s is None else period_s,
        confirm_s=30.0 if confirm_s is None else confirm_s,
        stay_h=8.0 if stay_h is None else stay_h,
    )
    form.check()
    return draft


def _bounds(ui: Ui, form: Fields) -> tuple[int, ...]:
    words = form.text("priority_bounds").replace(",", " ").replace(";", " ").split()
    try:
        return tuple(int(word) for word in words)
    except ValueError:
        form.fault("priority_bounds", ui.gettext("This is not a number."))
        return ()


def _form(
    ui: Ui,
    view: PresystemView | None,
    values: Mapping[str, str],
    faults: Mapping[str, str],
    error: str,
) -> Response[str]:
    return ui.page(
        "presystem_settings.html",
        status=422 if error else 200,
        view=view,
        values=values,
        faults=faults,
        error=error,
        site_choices=[(str(site.id), site.name) for site in ui.sites],
        pre=presystem_words,
        can_set_up=_can(ui),
    )


ROUTES = [
    presystems_page,
    new_presystem,
    add_presystem,
    presystem_page,
    settings_page,
    change_presystem,
    rotate_presystem,
    delete_presystem,
]
