"""Presystems (VDV 463): who may connect, what they ask for, their last messages."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Router, delete, get, post, put
from litestar.params import FromPath, FromQuery, JSONBody

from voltyard.api.caller import Deps, Who, remote_of
from voltyard.api.deps import AnyRequest
from voltyard.api.wire import In, Out
from voltyard.timetable.vdv463.model import (
    Kept,
    Kind,
    LinkState,
    Message,
    Presystem,
    PresystemView,
    State,
    Target,
    VehicleKey,
    Version,
)

NOBODY = UUID(int=0)


class PresystemIn(In):
    """``path``: it connects at ``/vdv463/<path>``. ``username`` left out: the path.
    ``presystem_id`` left out: whatever it calls itself. ``version`` is how the first subprotocol
    is spoken, ``allow_v2`` offers 2.0-rc1. ``priority_bounds``: a priority up to the first becomes
    1, up to the second 2, and so on. ``target``: the state of charge that is planned for."""

    path: Annotated[str, msgspec.Meta(min_length=1, max_length=200, examples=["nord/BMS400"])]
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    kind: Kind = Kind.ANY
    username: Annotated[str, msgspec.Meta(max_length=100)] = ""
    presystem_id: Annotated[str, msgspec.Meta(max_length=200)] = ""
    version: Version = Version.V11
    allow_v2: bool = False
    enabled: bool = True
    site_ids: Annotated[list[UUID], msgspec.Meta(max_length=1_000)] = msgspec.field(
        default_factory=list
    )
    default_site_id: UUID | None = None
    vehicle_key: VehicleKey = VehicleKey.AUTO
    target: Target = Target.MAX
    priority_bounds: Annotated[list[int], msgspec.Meta(max_length=8)] = msgspec.field(
        default_factory=lambda: [1, 2, 3, 4, 5, 6, 7, 8]
    )
    period_s: float = 15.0
    confirm_s: float = 30.0
    stay_h: float = 8.0


class PresystemOut(Out):
    """``link``: offline, connected (not booted), booted (waits for information), open."""

    id: UUID
    path: str
    name: str
    kind: Kind
    username: str
    presystem_id: str
    version: Version
    allow_v2: bool
    enabled: bool
    site_ids: tuple[UUID, ...]
    default_site_id: UUID | None
    vehicle_key: VehicleKey
    target: Target
    priority_bounds: tuple[int, ...]
    period_s: float
    confirm_s: float
    stay_h: float
    link: LinkState
    connected_at: datetime | None
    spoken_version: Version | None
    informed_at: datetime | None
    confirmed_at: datetime | None
    last_seen_at: datetime | None
    requests: dict[str, int]
    differing: int


class MadeOut(Out):
    """The password is shown this once."""

    presystem: PresystemOut
    username: str
    password: str


class PasswordOut(Out):
    username: str
    password: str


class RequestOut(Out):
    """``sent`` is the newest under this id, ``stands`` what counts. ``reason``: why it was
    rejected, or who goes first."""

    presystem_id: str
    request_id: str
    state: State
    reason: str
    vehicle_id: UUID | None
    site_id: UUID | None
    duty_id: UUID | None
    arrival_at: datetime | None
    departure_at: datetime | None
    min_soc_pct: float
    max_soc_pct: float
    priority: int | None
    differs: bool


class MessageOut(Out):
    """``direction``: in (from the presystem) or out. No ``faults``: valid."""

    at: datetime
    direction: str
    kind: str
    action: str
    message_id: str
    payload: str
    faults: tuple[str, ...]
    notes: tuple[str, ...]
    size_bytes: int


class PresystemList(Out):
    items: list[PresystemOut]


class RequestList(Out):
    items: list[RequestOut]


class MessageList(Out):
    items: list[MessageOut]


@get("/presystems", summary="Presystems and their connections")
async def presystems(deps: Deps, who: Who) -> PresystemList:
    return PresystemList(items=[_shown(view) for view in deps.presystems.views(who)])


@post("/presystems", summary="Set up a presystem")
async def add_presystem(
    deps: Deps, who: Who, request: AnyRequest, data: JSONBody[PresystemIn]
) -> MadeOut:
    view, password = await deps.presystems.create(
        who, _draft(data, NOBODY), remote=remote_of(request)
    )
    return MadeOut(presystem=_shown(view), username=view.presystem.login, password=password)


@get("/presystems/{presystem_id:uuid}", summary="A presystem and its connection")
async def presystem(deps: Deps, who: Who, presystem_id: FromPath[UUID]) -> PresystemOut:
    return _shown(deps.presystems.view(who, presystem_id))


@put("/presystems/{presystem_id:uuid}", summary="Change a presystem")
async def change_presystem(
    deps: Deps,
    who: Who,
    request: AnyRequest,
    presystem_id: FromPath[UUID],
    data: JSONBody[PresystemIn],
) -> PresystemOut:
    """Its connection ends; it connects again under the new settings."""
    draft = _draft(data, presystem_id)
    return _shown(await deps.presystems.change(who, draft, remote=remote_of(request)))


@delete("/presystems/{presystem_id:uuid}", summary="Remove a presystem", status_code=204)
async def remove_presystem(
    deps: Deps, who: Who, request: AnyRequest, presystem_id: FromPath[UUID]
) -> None:
    """With its requests and the duties that follow them."""
    await deps.presystems.delete(who, presystem_id, remote=remote_of(request))


@post("/presystems/{presystem_id:uuid}/rotation", summary="A new password", status_code=200)
async def rotate_presystem(
    deps: Deps, who: Who, request: AnyRequest, presystem_id: FromPath[UUID]
) -> PasswordOut:
    """Shown this once; the old one ends now."""
    password = await deps.presystems.rotate(who, presystem_id, remote=remote_of(request))
    view = deps.presystems.view(who, presystem_id)
    return PasswordOut(username=view.presystem.login, password=password)


@get("/presystems/{presystem_id:uuid}/requests", summary="What it asks for and what stands")
async def presystem_requests(deps: Deps, who: Who, presystem_id: FromPath[UUID]) -> RequestList:
    return RequestList(items=[_row(row) for row in deps.presystems.requests(who, presystem_id)])


@get("/presystems/{presystem_id:uuid}/messages", summary="Its last messages")
async def presystem_messages(
    deps: Deps,
    who: Who,
    presystem_id: FromPath[UUID],
    direction: FromQuery[str] = "",
    faulty: FromQuery[bool] = False,
) -> MessageList:
    """Newest first, both ways unless ``direction`` is in or out."""
    found = await deps.presystems.messages(
        who, presystem_id, direction=direction, faulty=faulty, limit=300
    )
    return MessageList(items=[_message(message) for message in found])


def _draft(data: PresystemIn, presystem_id: UUID) -> Presystem:
    values = msgspec.structs.asdict(data)
    values["site_ids"] = tuple(data.site_ids)
    values["priority_bounds"] = tuple(data.priority_bounds)
    return Presystem(id=presystem_id, org_id=NOBODY, **values)


def _shown(view: PresystemView) -> PresystemOut:
    known = view.presystem
    plain = {
        name: getattr(known, name)
        for name in PresystemOut.__struct_fields__
        if name in Presystem.__dataclass_fields__ and name != "username"
    }
    return PresystemOut(
        **plain,
        username=known.login,
        link=view.link.state,
        connected_at=view.link.since,
        spoken_version=view.link.version,
        informed_at=view.link.informed_at,
        confirmed_at=view.link.confirmed_at,
        last_seen_at=view.last_seen_at,
        requests={state.value: count for state, count in view.counts.items()},
        differing=view.differing,
    )


def _row(row: Kept) -> RequestOut:
    request = row.request or row.sent
    return RequestOut(
        presystem_id=row.presystem_id,
        request_id=row.request_id,
        state=row.state,
        reason=row.reason,
        vehicle_id=row.vehicle_id,
        site_id=row.site_id,
        duty_id=row.duty_id,
        arrival_at=row.arrival_at,
        departure_at=row.departure_at,
        min_soc_pct=request.min_soc_pct,
        max_soc_pct=request.max_soc_pct,
        priority=request.priority,
        differs=row.differs,
    )


def _message(message: Message) -> MessageOut:
    return MessageOut(**{name: getattr(message, name) for name in MessageOut.__struct_fields__})


ROUTER = Router(
    path="/",
    tags=["Presystems (VDV 463)"],
    route_handlers=[
        presystems, add_presystem, presystem, change_presystem, remove_presystem,
        rotate_presystem, presystem_requests, presystem_messages,
    ],
)  # fmt: skip
