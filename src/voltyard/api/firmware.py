"""Firmware: images, campaigns over many chargers, and how far each charger is."""

from collections.abc import AsyncIterator
from datetime import datetime, time
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Router, delete, get, post
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from voltyard.api.caller import Deps, Who, remote_of
from voltyard.api.deps import AnyRequest
from voltyard.api.wire import In, Limit, Offset, Out, Page, out, sliced
from voltyard.firmware.campaigns import CampaignView
from voltyard.firmware.commands import NewCampaign, NewImage
from voltyard.firmware.library import IMAGE_MAX_BYTES
from voltyard.firmware.model import (
    CampaignState,
    Failure,
    FirmwareImage,
    Rollout,
    Signing,
    UpdateState,
    Window,
)
from voltyard.tenancy.access import require
from voltyard.tenancy.model import Permission

Words = Annotated[str, QueryParameter(max_length=200)]
Version = Annotated[str, msgspec.Meta(min_length=1, max_length=50)]


class ImageOut(Out):
    """``signature_fits``: whether the signature was made over this file; null: not tried."""

    id: UUID
    vendor: str
    models: list[str]
    version: str
    reported_as: str
    file_name: str
    size_bytes: int | None
    sha256: str | None
    url: str | None
    signed: bool
    signature_fits: bool | None
    note: str
    created_at: datetime
    created_by: str
    retired_at: datetime | None


class ExternalImageIn(In):
    """An image that chargers fetch from somewhere else.

    ``signature`` is base64, ``certificate`` PEM; chargers check both, voltyard cannot.
    ``reported_as``: what a charger that runs it reports, where that is not the version.
    """

    vendor: Annotated[str, msgspec.Meta(max_length=50)]
    version: Version
    url: Annotated[str, msgspec.Meta(max_length=400)]
    models: Annotated[list[str], msgspec.Meta(max_length=100)] = msgspec.field(default_factory=list)
    reported_as: Annotated[str, msgspec.Meta(max_length=50)] = ""
    signature: Annotated[str, msgspec.Meta(max_length=2000)] = ""
    certificate: Annotated[str, msgspec.Meta(max_length=10_000)] = ""
    note: Annotated[str, msgspec.Meta(max_length=2000)] = ""


class WindowIO(In):
    """On the site's own clock; from not before until runs over midnight. 0 is Monday."""

    from_time: time
    until_time: time
    weekdays: list[int] = msgspec.field(default_factory=lambda: list(range(7)))


class RolloutIO(In):
    """How the campaign goes from charger to charger.

    First ``canary`` chargers, of which none may fail, then waves of ``wave`` (0: all the rest),
    each ``soak_s`` after the one before has ended. ``max_failures`` failed chargers stop it.
    ``idle_only``: not while a vehicle charges, nor ``margin_s`` before a departure.
    """

    canary: Annotated[int, msgspec.Meta(ge=0, le=1000)] = 1
    wave: Annotated[int, msgspec.Meta(ge=0, le=10_000)] = 10
    soak_s: Annotated[int, msgspec.Meta(ge=0, le=2_592_000)] = 0
    parallel: Annotated[int, msgspec.Meta(ge=1, le=500)] = 10
    max_failures: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 3
    windows: Annotated[list[WindowIO], msgspec.Meta(max_length=50)] = msgspec.field(
        default_factory=list
    )
    idle_only: bool = True
    margin_s: Annotated[int, msgspec.Meta(ge=0, le=86_400)] = 3600
    attempts: Annotated[int, msgspec.Meta(ge=1, le=10)] = 2
    retry_s: Annotated[int, msgspec.Meta(ge=10, le=86_400)] = 600
    silent_s: Annotated[int, msgspec.Meta(ge=60, le=604_800)] = 3600
    proof_s: Annotated[int, msgspec.Meta(ge=30, le=86_400)] = 900
    signing: Signing = Signing.IF_KNOWN


class CampaignIn(In):
    """``station_ids`` in the order of the update; the first are the canaries."""

    image_id: UUID
    station_ids: Annotated[list[UUID], msgspec.Meta(min_length=1, max_length=20_000)]
    name: Annotated[str, msgspec.Meta(max_length=200)] = ""
    rollout: RolloutIO = msgspec.field(default_factory=RolloutIO)
    start_at: datetime | None = None
    force: bool = False
    """Also chargers the image is not made for, or that report this version already."""


class ProgressOut(Out):
    """Counts of chargers; ``by_state`` has them all."""

    total: int
    waiting: int
    under_way: int
    done: int
    failed: int
    by_state: dict[str, int]


class CampaignOut(Out):
    """``why`` it stopped by itself: canary_failed or too_many_failed."""

    id: UUID
    name: str
    state: CampaignState
    why: str
    image: ImageOut
    rollout: RolloutIO
    created_at: datetime
    created_by: str
    start_at: datetime
    ended_at: datetime | None
    progress: ProgressOut


class UpdateOut(Out):
    """``blocked``: what a waiting one waits for (offline, window, session, departure, …)."""

    id: UUID
    campaign_id: UUID
    station_id: UUID
    wave: int
    state: UpdateState
    attempt: int
    blocked: str
    failure: Failure | None
    detail: str
    from_version: str | None
    to_version: str | None
    changed_at: datetime
    asked_at: datetime | None
    due_at: datetime | None
    not_before: datetime | None
    ended_at: datetime | None


@get("/firmware/images", summary="Firmware images, newest first")
async def images(
    deps: Deps, who: Who, limit: Limit = 100, offset: Offset = 0, retired: FromQuery[bool] = False
) -> Page[ImageOut]:
    require(who, Permission.VIEW)
    found, total = await deps.firmware.images(
        who.org_id, retired=retired, limit=limit, offset=offset
    )
    items = [_image(image) for image in found]
    more = offset + len(items) < total
    return Page(items=items, limit=limit, offset=offset, total=total, more=more)


@post(
    "/firmware/images",
    summary="Store an image: the file is the body",
    request_max_body_size=IMAGE_MAX_BYTES + 1,
)
async def add_image(
    request: AnyRequest,
    deps: Deps,
    who: Who,
    version: Words,
    file_name: Words,
    vendor: Words = "",
    model: FromQuery[list[str] | None] = None,
    reported_as: Words = "",
    signature: Annotated[str, QueryParameter(max_length=2000)] = "",
    certificate: Annotated[str, QueryParameter(max_length=10_000)] = "",
    note: Annotated[str, QueryParameter(max_length=2000)] = "",
) -> ImageOut:
    """At most 1 GB. A signature (base64) and its certificate (PEM) are tried on the file.

    ``signature_mismatch`` (422): it was not made over this file.
    """
    new = NewImage(
        vendor=vendor,
        version=version,
        models=tuple(model or ()),
        reported_as=reported_as,
        file_name=file_name,
        signature=signature,
        certificate=certificate,
        note=note,
    )
    require(who, Permission.CHARGERS_WRITE)
    content = _body(request)
    return _image(await deps.firmware.add_image(who, new, content, remote=remote_of(request)))


async def _body(request: AnyRequest) -> AsyncIterator[bytes]:
    async for chunk in request.stream():
        if chunk:
            yield chunk


@post("/firmware/images/external", summary="Name an image that lies elsewhere")
async def add_external_image(
    request: AnyRequest, deps: Deps, who: Who, data: JSONBody[ExternalImageIn]
) -> ImageOut:
    given = msgspec.structs.asdict(data)
    new = NewImage(**{**given, "models": tuple(data.models)})
    return _image(await deps.firmware.add_image(who, new, remote=remote_of(request)))


@get("/firmware/images/{image_id:uuid}", summary="One firmware image")
async def image(deps: Deps, who: Who, image_id: FromPath[UUID]) -> ImageOut:
    require(who, Permission.VIEW)
    return _image(await deps.firmware.image(who.org_id, image_id))


@delete("/firmware/images/{image_id:uuid}", summary="Retire an image and drop its file")
async def retire_image(request: AnyRequest, deps: Deps, who: Who, image_id: FromPath[UUID]) -> None:
    """``image_in_use`` (409) while a campaign needs it."""
    await deps.firmware.retire_image(who, image_id, remote=remote_of(request))


@get("/firmware/campaigns", summary="Campaigns, newest first")
async def campaigns(
    deps: Deps,
    who: Who,
    limit: Limit = 50,
    offset: Offset = 0,
    open_only: Annotated[bool, QueryParameter(name="open")] = False,
) -> Page[CampaignOut]:
    require(who, Permission.VIEW)
    found, total = await deps.firmware.campaigns(
        who.org_id, open_only=open_only, limit=limit, offset=offset
    )
    items = [_campaign(view) for view in found]
    more = offset + len(items) < total
    return Page(items=items, limit=limit, offset=offset, total=total, more=more)


@post("/firmware/campaigns", summary="Start a campaign, over one charger or many")
async def start_campaign(
    request: AnyRequest, deps: Deps, who: Who, data: JSONBody[CampaignIn]
) -> CampaignOut:
    """``wrong_model`` (422), ``charger_busy`` (409): another campaign has it still to update."""
    new = NewCampaign(
        image_id=data.image_id,
        station_ids=tuple(data.station_ids),
        name=data.name,
        rollout=_rollout(data.rollout),
        start_at=data.start_at,
        force=data.force,
    )
    return _campaign(await deps.firmware.start_campaign(who, new, remote=remote_of(request)))


@get("/firmware/campaigns/{campaign_id:uuid}", summary="One campaign and its progress")
async def campaign(deps: Deps, who: Who, campaign_id: FromPath[UUID]) -> CampaignOut:
    require(who, Permission.VIEW)
    return _campaign(await deps.firmware.campaign(who.org_id, campaign_id))


@get("/firmware/campaigns/{campaign_id:uuid}/updates", summary="Each charger of a campaign")
async def updates(
    deps: Deps,
    who: Who,
    campaign_id: FromPath[UUID],
    limit: Limit = 1000,
    offset: Offset = 0,
    in_state: Annotated[UpdateState | None, QueryParameter(name="state")] = None,
) -> Page[UpdateOut]:
    require(who, Permission.VIEW)
    await deps.firmware.campaign(who.org_id, campaign_id)
    found = await deps.firmware.updates(who.org_id, campaign_id)
    wanted = [update for update in found if in_state in (None, update.state)]
    return sliced(UpdateOut, wanted, limit=limit, offset=offset)


@post("/firmware/campaigns/{campaign_id:uuid}/pause", summary="Begin no further charger",
      status_code=200)  # fmt: skip
async def pause(
    request: AnyRequest, deps: Deps, who: Who, campaign_id: FromPath[UUID]
) -> CampaignOut:
    remote = remote_of(request)
    return _campaign(await deps.firmware.pause_campaign(who, campaign_id, remote=remote))


@post("/firmware/campaigns/{campaign_id:uuid}/resume", summary="Go on, also after a stop",
      status_code=200)  # fmt: skip
async def resume(
    request: AnyRequest, deps: Deps, who: Who, campaign_id: FromPath[UUID]
) -> CampaignOut:
    """Failures so far do not count any more."""
    remote = remote_of(request)
    return _campaign(await deps.firmware.resume_campaign(who, campaign_id, remote=remote))


@post("/firmware/campaigns/{campaign_id:uuid}/cancel", summary="End it for good",
      status_code=200)  # fmt: skip
async def cancel(
    request: AnyRequest, deps: Deps, who: Who, campaign_id: FromPath[UUID]
) -> CampaignOut:
    """A charger that was asked already goes on: OCPP has no word to call it back."""
    remote = remote_of(request)
    return _campaign(await deps.firmware.cancel_campaign(who, campaign_id, remote=remote))


@post("/firmware/updates/{update_id:uuid}/leave-out", summary="Leave one charger out",
      status_code=200)  # fmt: skip
async def leave_out(
    request: AnyRequest, deps: Deps, who: Who, update_id: FromPath[UUID]
) -> UpdateOut:
    found = await deps.firmware.leave_out(who, update_id, remote=remote_of(request))
    return out(UpdateOut, found)


@get("/stations/{station_id:uuid}/firmware", summary="Updates of one charger, newest first")
async def of_station(deps: Deps, who: Who, station_id: FromPath[UUID]) -> Page[UpdateOut]:
    require(who, Permission.VIEW)
    deps.chargers.station_view(who.org_id, station_id)
    found = await deps.firmware.updates_of_station(who.org_id, station_id)
    return sliced(UpdateOut, found, limit=len(found) or 1, offset=0)


def _image(image: FirmwareImage) -> ImageOut:
    return out(ImageOut, image, models=list(image.models))


def _rollout(given: RolloutIO) -> Rollout:
    fields = msgspec.structs.asdict(given)
    windows = tuple(Window(w.from_time, w.until_time, frozenset(w.weekdays)) for w in given.windows)
    return Rollout(**{**fields, "windows": windows})


def _campaign(view: CampaignView) -> CampaignOut:
    campaign, progress = view.campaign, view.progress
    windows = [out(WindowIO, w, weekdays=sorted(w.weekdays)) for w in campaign.rollout.windows]
    by_state = {state.value: count for state, count in progress.counts.items()}
    return out(
        CampaignOut,
        campaign,
        image=_image(view.image),
        rollout=out(RolloutIO, campaign.rollout, windows=windows),
        progress=out(ProgressOut, progress, by_state=by_state),
    )


ROUTER = Router(
    path="/",
    tags=["Firmware"],
    route_handlers=[
        images,
        add_image,
        add_external_image,
        image,
        retire_image,
        campaigns,
        start_campaign,
        campaign,
        updates,
        pause,
        resume,
        cancel,
        leave_out,
        of_station,
    ],
)
