"""Studies: asked for, followed, cancelled, read and exported."""

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any
from uuid import UUID

import msgspec
from litestar import Response, Router, delete, get, post
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from voltyard.api.caller import Deps, Who, remote_of
from voltyard.api.deps import AnyRequest
from voltyard.api.wire import In, Limit, Offset, Out, Page, Text
from voltyard.study.export import MEDIA, Format, exported
from voltyard.study.orders import Order, Source, State, Stored, StudyFilter, Upload
from voltyard.study.report import as_json
from voltyard.study.wording import Wording

Instant = Annotated[datetime, msgspec.Meta(tz=True)]


class Mode(StrEnum):
    """What plans aim at after readiness."""

    COST = "cost"
    PEAK = "peak"
    EARLY = "early"


class FileIn(In):
    """A file as text, with the name it is called by."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
    content: str


class StudyIn(In):
    """``cases``: what-ifs in the words of docs/operate/study.md, such as ``limit=80%`` or
    ``vehicles=+8 battery=500/250``; without any, the usual ones.

    A ``site`` needs ``site_id``, ``from_at`` and ``until_at`` (two weeks at most); ``spice`` the
    file ``scenario``; ``duties`` the files ``duties`` and ``vehicles``, ``limit_kw`` and
    ``charger_kw``.
    """

    source: Source
    title: Annotated[str, msgspec.Meta(max_length=120)] = ""
    cases: Annotated[list[str], msgspec.Meta(max_length=20)] = msgspec.field(default_factory=list)
    site_id: UUID | None = None
    from_at: Instant | None = None
    until_at: Instant | None = None
    buses: int = 80
    """Of the demo depot."""
    seed: int = 1
    depot: str = ""
    """The grid connector of a SpiceEV scenario; without, its only one."""
    zone: str = "Europe/Berlin"
    """Of times without offset in duties."""
    limit_kw: float | None = None
    charger_kw: float | None = None
    chargers: int | None = None
    other_kw: float = 0.0
    as_it_was: bool = False
    """Duties are what happened, not what was announced."""
    mode: Mode = Mode.COST
    quick: bool = False
    """Hourly plans, answers to 5 %: a vehicle may be late that otherwise would not."""
    find_limit: bool = True
    find_chargers: bool = True
    find_room: bool = True
    shunting_min: float = 10.0
    yearly: float = 0.0
    """Vehicles expected more a year."""
    files: dict[str, FileIn] = msgspec.field(default_factory=dict)


class ProgressOut(Out):
    """``share`` is 0 to 1 of the whole; ``name`` is of the run under way."""

    stage: str
    name: str
    runs: int
    share: float


class RemarkOut(Out):
    """Something the period lacks; ``text`` says what was put in its place."""

    gap: str
    count: int
    of: int
    text: str


class StudyOut(Out):
    id: UUID
    title: str
    state: State
    source: Source
    site_id: UUID | None
    asked_by: str
    asked_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    progress: ProgressOut
    message: str
    faults: dict[str, str]
    remarks: list[RemarkOut]
    facts: dict[str, float]
    """Of a site's period as it was: sessions, energy_wh, peak_w."""
    found: dict[str, Any] | None = None
    """What was found, once it is done; only where one study is asked for."""


@get("/studies", summary="Studies, newest first")
async def studies(
    deps: Deps,
    who: Who,
    limit: Limit = 50,
    offset: Offset = 0,
    q: Text = "",
    study_state: Annotated[State | None, QueryParameter(name="state")] = None,
    site_id: FromQuery[UUID | None] = None,
) -> Page[StudyOut]:
    wanted = StudyFilter(q, study_state, site_id)
    found, total = await deps.studies.page(who, wanted, limit=limit, offset=offset)
    return Page(
        items=[_out(study) for study in found],
        limit=limit,
        offset=offset,
        total=total,
        more=offset + len(found) < total,
    )


@post("/studies", summary="Ask for a study", status_code=202)
async def ask(deps: Deps, who: Who, request: AnyRequest, data: JSONBody[StudyIn]) -> StudyOut:
    """It runs in the background, one after the other. What it is of is kept with it."""
    fields = msgspec.structs.asdict(data)
    title, files = fields.pop("title"), _files(fields.pop("files"))
    order = Order(**{**fields, "cases": tuple(data.cases), "mode": data.mode.value})
    return _out(await deps.studies.create(who, title, order, files, remote=remote_of(request)))


@get("/studies/{study_id:uuid}", summary="A study, with what it found")
async def study(deps: Deps, who: Who, study_id: FromPath[UUID]) -> StudyOut:
    stored = await deps.studies.one(who, study_id)
    if stored.state is not State.DONE:
        return _out(stored)
    return _out(stored, as_json(await deps.studies.found(who, study_id)))


@get("/studies/{study_id:uuid}/report", summary="A study's report as a file", media_type="*/*")
async def report(
    deps: Deps,
    who: Who,
    study_id: FromPath[UUID],
    kind: Annotated[Format, QueryParameter(name="format")] = Format.PDF,
) -> Response[bytes]:
    """``no_result`` (409) while it is not done."""
    stored = await deps.studies.one(who, study_id)
    found = await deps.studies.found(who, study_id)
    words = Wording(currency=found.currency)
    content = await exported(found, kind, words, stored.title, words.notes(stored.remarks))
    headers = {"content-disposition": f'attachment; filename="study.{kind.value}"'}
    return Response(content, media_type=MEDIA[kind], headers=headers)


@post("/studies/{study_id:uuid}/cancel", summary="Cancel a study", status_code=204)
async def cancel(deps: Deps, who: Who, request: AnyRequest, study_id: FromPath[UUID]) -> None:
    await deps.studies.cancel(who, study_id, remote=remote_of(request))


@post("/studies/{study_id:uuid}/run-again", summary="Run an ended study anew", status_code=204)
async def run_again(deps: Deps, who: Who, request: AnyRequest, study_id: FromPath[UUID]) -> None:
    """On what it was of when it was asked for."""
    await deps.studies.again(who, study_id, remote=remote_of(request))


@delete("/studies/{study_id:uuid}", summary="Delete an ended study")
async def remove(deps: Deps, who: Who, request: AnyRequest, study_id: FromPath[UUID]) -> None:
    await deps.studies.delete(who, study_id, remote=remote_of(request))


def _files(files: Mapping[str, FileIn]) -> dict[str, Upload]:
    return {use: Upload(file.name, file.content) for use, file in files.items()}


def _out(stored: Stored, found: dict[str, Any] | None = None) -> StudyOut:
    progress, notes = stored.progress, Wording().notes(stored.remarks)
    return StudyOut(
        id=stored.id,
        title=stored.title,
        state=stored.state,
        source=stored.order.source,
        site_id=stored.site_id,
        asked_by=stored.asked_by,
        asked_at=stored.asked_at,
        started_at=stored.started_at,
        ended_at=stored.ended_at,
        progress=ProgressOut(
            stage=progress.stage, name=progress.name, runs=progress.runs, share=progress.share
        ),
        message=stored.message,
        faults=dict(stored.faults),
        remarks=[
            RemarkOut(gap=remark.gap.value, count=remark.count, of=remark.of, text=text)
            for remark, text in zip(stored.remarks, notes, strict=True)
        ],
        facts=dict(stored.facts),
        found=found,
    )


ROUTER = Router(
    path="/",
    tags=["Studies"],
    route_handlers=[studies, ask, study, report, cancel, run_again, remove],
)
