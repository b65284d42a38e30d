"""Who is signed in: one's own log-ins for everybody, all of them for administrators."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from voltyard.errors import NotFound
from voltyard.tenancy.model import OpenLogIn, Permission
from voltyard.tenancy.presence import Presence
from voltyard.web.auth import SESSION_COOKIE
from voltyard.web.console.common import query, search_text
from voltyard.web.console.signon_words import device
from voltyard.web.console.tokens import remote_of
from voltyard.web.ui import Ui


def presence_of(ui: Ui) -> Presence:
    """Raises NotFound where the room is not behind the console."""
    if ui.deps.presence is None:
        raise NotFound("There is nothing at this address.")
    return ui.deps.presence


@get("/log-ins")
async def log_ins_page(ui: NamedDependency[Ui]) -> Response[str]:
    room, token = presence_of(ui), _token(ui)
    others: Sequence[OpenLogIn] = ()
    if ui.may(Permission.PEOPLE_WRITE.value):
        found = await room.everybodys(ui.who, token, user_id=query(ui).id("user"))
        text = search_text(ui).casefold()
        others = [
            each
            for each in found
            if each.user_id != ui.who.id and text in f"{each.name} {each.email}".casefold()
        ]
    mine = await room.mine(ui.who, token)
    return ui.page("log_ins.html", mine=mine, others=others, device=device)


@post("/log-ins/{log_in_id:uuid}/end")
async def end_log_in(ui: NamedDependency[Ui], log_in_id: FromPath[UUID]) -> Response[Any]:
    await presence_of(ui).end(ui.who, log_in_id, remote=remote_of(ui))
    return ui.go("/log-ins", done="saved")


@post("/log-ins/end-others")
async def end_others(ui: NamedDependency[Ui]) -> Response[Any]:
    """All of one's own but this one."""
    await presence_of(ui).end_all_of(
        ui.who, ui.who.id, session_token=_token(ui), remote=remote_of(ui)
    )
    return ui.go("/log-ins", done="saved")


@post("/people/{user_id:uuid}/log-ins/end")
async def end_all(ui: NamedDependency[Ui], user_id: FromPath[UUID]) -> Response[Any]:
    ui.require(Permission.PEOPLE_WRITE)
    await presence_of(ui).end_all_of(
        ui.who, user_id, session_token=_token(ui), remote=remote_of(ui)
    )
    return ui.go(f"/people/{user_id}", done="saved")


def _token(ui: Ui) -> str:
    return ui.request.cookies.get(SESSION_COOKIE, "")


ROUTES = [log_ins_page, end_log_in, end_others, end_all]
