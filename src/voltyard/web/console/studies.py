"""Studies: the list, the form, one study while it runs and when it is done, its exports."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Stream
from markupsafe import Markup

from voltyard.errors import Conflict, Invalid, NotFound, TooMany, VoltyardError
from voltyard.study import charts, report
from voltyard.study.export import MEDIA, Format, exported
from voltyard.study.model import Outcome, Study
from voltyard.study.orders import FILE_BYTES_MAX, Source, State, Stored, StudyFilter
from voltyard.study.pictures import Picture, svg
from voltyard.study.service import StudyService
from voltyard.study.wording import Fact, Wording
from voltyard.tenancy.model import Permission
from voltyard.web.console import study_form
from voltyard.web.console.common import paging, query, search_text
from voltyard.web.console.study_words import BADGES, STAGE_WORDS, STATE_TEXTS, STATE_WORDS
from voltyard.web.console.tokens import remote_of
from voltyard.web.console.views import Choice, Page, Paging
from voltyard.web.export import Cell, csv_stream
from voltyard.web.ui import Ui


@dataclass(frozen=True, slots=True)
class Bar:
    """One case in a comparison; ``share_pct`` of the largest."""

    name: str
    text: str
    share_pct: float
    late: bool = False


@dataclass(frozen=True, slots=True)
class Case:
    """A row of the table."""

    name: str
    cells: tuple[tuple[str, str], ...]
    missed: str
    late: bool


@dataclass(frozen=True, slots=True)
class StudyView:
    """A study's result, worded and drawn."""

    facts: Sequence[Fact]
    sentences: Sequence[str]
    advice: Sequence[str]
    columns: Sequence[str]
    cases: Sequence[Case]
    bars: Sequence[tuple[str, Sequence[Bar]]]
    loads: Sequence[tuple[str, Markup]]
    ladders: Sequence[tuple[str, Markup]]
    bays: Markup | None
    bay_rows: Sequence[tuple[str, str, str]]
    legend: Sequence[tuple[str, str]]
    bay_legend: Sequence[tuple[str, str]]
    period: str
    mode: str
    footer: str


def studies_of(ui: Ui) -> StudyService:
    if ui.deps.studies is None:
        raise NotFound("Nothing is studied here.")
    return ui.deps.studies


@get("/studies")
async def studies_page(ui: NamedDependency[Ui]) -> Response[str]:
    part = paging(ui)
    rows, total = await studies_of(ui).page(
        ui.who, _filter(ui), limit=part.size, offset=part.size * (part.number - 1)
    )
    return ui.page(
        "studies.html",
        page=Page(tuple(rows), total, part),
        state_words=STATE_WORDS,
        badges=BADGES,
        source_words=study_form.SOURCE_WORDS,
        busy=any(row.open for row in rows),
    )


@get("/studies.csv")
async def studies_export(ui: NamedDependency[Ui]) -> Stream:
    wanted = _filter(ui)
    header = ["id", "title", "state", "source", "asked_by", "asked_at", "started_at", "ended_at"]

    async def found(part: Paging) -> Page[Stored]:
        rows, total = await studies_of(ui).page(
            ui.who, wanted, limit=part.size, offset=part.size * (part.number - 1)
        )
        return Page(tuple(rows), total, part)

    return csv_stream("studies.csv", header, found, _cells)


def _cells(row: Stored) -> tuple[Cell, ...]:
    return (
        str(row.id),
        row.title,
        row.state.value,
        row.order.source.value,
        row.asked_by,
        row.asked_at,
        row.started_at,
        row.ended_at,
    )


def _filter(ui: Ui) -> StudyFilter:
    return StudyFilter(search_text(ui), query(ui).one_of("state", State))


@get("/studies/new")
async def new_study(ui: NamedDependency[Ui]) -> Response[str]:
    ui.require(Permission.DUTIES_WRITE)
    return _form(ui, study_form.defaults(ui.data.now(), ui), None)


@post("/studies/new", request_max_body_size=2 * FILE_BYTES_MAX + 200_000)
async def ask(ui: NamedDependency[Ui]) -> Response[Any]:
    ui.require(Permission.DUTIES_WRITE)
    form, files = await study_form.read(ui)
    try:
        site_id = form.id("site_id")
        if site_id is not None and form.text("source") == Source.SITE:
            ui.at_site(site_id)
        order = study_form.order_of(form, files, ui)
        title = form.text("title", longest=120)
        form.check()
        kept = {use: files[use] for use in study_form.FILES.get(order.source, ())}
        study = await studies_of(ui).create(ui.who, title, order, kept, remote=remote_of(ui))
    except (Invalid, NotFound, TooMany) as error:
        return _form(ui, form.values, error)
    return ui.go(f"/studies/{study.id}")


def _form(ui: Ui, values: Mapping[str, str], error: VoltyardError | None) -> Response[str]:
    return ui.page(
        "study_new.html",
        status=422 if error else 200,
        values=values,
        faults={} if error is None else _told(ui, error.fields),
        error="" if error is None else _safe(ui, error.message),
        source_words=study_form.SOURCE_WORDS,
        mode_words=study_form.MODE_WORDS,
        site_choices=tuple(Choice(str(site.id), site.name) for site in ui.sites),
    )


def _told(ui: Ui, fields: Mapping[str, str]) -> dict[str, str]:
    return {name: _safe(ui, reason) for name, reason in fields.items()}


def _safe(ui: Ui, text: str) -> str:
    """Translated; a percent sign of its own survives the template's formatting."""
    return ui.gettext(text).replace("%", "%%")


@get("/studies/{study_id:uuid}")
async def study_page(ui: NamedDependency[Ui], study_id: FromPath[UUID]) -> Response[str]:
    return await _page(ui, study_id, "")


async def _page(ui: Ui, study_id: UUID, error: str) -> Response[str]:
    study = await studies_of(ui).one(ui.who, study_id)
    view: StudyView | None = None
    words = _words(ui)
    if study.state is State.DONE:
        found = await studies_of(ui).found(ui.who, study_id)
        words = _words(ui, found.currency)
        view = _view(ui, found, words)
    return ui.page(
        "study.html",
        status=409 if error else 200,
        study=study,
        view=view,
        notes=words.notes(study.remarks),
        message=ui.gettext(study.message) if study.message else "",
        faults={name: ui.gettext(reason) for name, reason in study.faults.items()},
        run=_run_under_way(ui, study, words),
        state_words=STATE_WORDS,
        state_texts=STATE_TEXTS,
        badges=BADGES,
        source_words=study_form.SOURCE_WORDS,
        formats=tuple(Format),
        error=error,
    )


def _words(ui: Ui, currency: str = "EUR") -> Wording:
    return Wording(ui.gettext, "en_GB" if ui.locale == "en" else ui.locale, currency)


def _run_under_way(ui: Ui, study: Stored, words: Wording) -> str:
    """What is run just now, in words."""
    progress = study.progress
    stage = STAGE_WORDS.get(progress.stage)
    if stage is None:
        return ui.gettext("Being prepared")
    name = words.case(progress.name) if progress.stage in ("base", "case") else progress.name
    return f"{ui.gettext(stage)} · {name}"


def _view(ui: Ui, study: Study, words: Wording) -> StudyView:
    zone = ZoneInfo(study.zone)
    cases = report.all_cases(study)
    bays = None if study.room is None else charts.bays(study.room, study.base.chargers, words)
    ladder = () if study.room is None else study.room.ladder
    advice = words.advice(study)
    return StudyView(
        facts=words.facts(study),
        sentences=[line for line in words.sentences(study) if line not in advice],
        advice=advice,
        columns=[column.title for column in words.columns()],
        cases=[case for found in cases if _wanted(ui, case := _case(found, words))],
        bars=_bars(study, words, cases),
        loads=[(words.case(f.name), _drawn(charts.load(f, words, zone))) for f in cases],
        ladders=[(title, _drawn(picture)) for title, picture in report.ladders(study, words)],
        bays=None if bays is None else _drawn(bays),
        bay_rows=[
            (
                words.number(step.vehicles),
                words.number(step.bays_staying),
                words.number(step.bays_shunting),
            )
            for step in ladder
        ],
        legend=words.legend(),
        bay_legend=words.bay_legend(),
        period=report.period(study, words),
        mode=words.mode(study.mode),
        footer=words.footer(),
    )


def _drawn(picture: Picture) -> Markup:
    return Markup(svg(picture))


def _case(found: Outcome, words: Wording) -> Case:
    columns = words.columns()
    cells = report.cells(found, columns, words)
    return Case(
        name=words.case(found.name),
        cells=tuple((column.title, cell) for column, cell in zip(columns, cells, strict=True)),
        missed=words.missed(found) if found.missed else "",
        late=found.ready < found.stays,
    )


def _wanted(ui: Ui, case: Case) -> bool:
    """By the filter of the table."""
    text = search_text(ui).casefold()
    only_late = query(ui).flag("late")
    return (not text or text in case.name.casefold()) and (case.late or not only_late)


def _bars(
    study: Study, words: Wording, cases: Sequence[Outcome]
) -> list[tuple[str, Sequence[Bar]]]:
    """Readiness, peak and cost of every case beside each other."""
    say, number = words.say, words.number
    most_kw = max(1.0, *(found.peak_w / 1000.0 for found in cases), 1.0)
    most_cost = max(1.0, *(found.cost_eur for found in cases), 1.0)
    ready = [
        Bar(
            words.case(found.name),
            f"{number(found.ready)} / {number(found.stays)}",
            found.ready_pct,
            found.ready < found.stays,
        )
        for found in cases
    ]
    peak = [
        Bar(words.case(f.name), f"{number(f.peak_w / 1000.0)} kW", f.peak_w / 10.0 / most_kw)
        for f in cases
    ]
    cost = [
        Bar(
            words.case(f.name),
            f"{number(f.cost_eur)} {study.currency}",
            max(0.0, 100.0 * f.cost_eur / most_cost),
        )
        for f in cases
    ]
    return [(say("Ready"), ready), (say("Peak"), peak), (say("Cost"), cost)]


@get("/studies/{study_id:uuid}/report/{kind:str}")
async def study_report(
    ui: NamedDependency[Ui], study_id: FromPath[UUID], kind: FromPath[str]
) -> Response[bytes]:
    try:
        wanted = Format(kind)
    except ValueError as error:
        raise NotFound("There is no such export.") from error
    study = await studies_of(ui).one(ui.who, study_id)
    found = await studies_of(ui).found(ui.who, study_id)
    words = _words(ui, found.currency)
    content = await exported(found, wanted, words, study.title, words.notes(study.remarks))
    headers = {
        "content-disposition": f'attachment; filename="study.{wanted.value}"',
        "cache-control": "no-store",
    }
    return Response(content, media_type=MEDIA[wanted], headers=headers)


@post("/studies/{study_id:uuid}/cancel")
async def cancel(ui: NamedDependency[Ui], study_id: FromPath[UUID]) -> Response[Any]:
    ui.require(Permission.DUTIES_WRITE)
    try:
        await studies_of(ui).cancel(ui.who, study_id, remote=remote_of(ui))
    except Conflict as error:
        return await _page(ui, study_id, error.message)
    return ui.go(f"/studies/{study_id}")


@post("/studies/{study_id:uuid}/again")
async def again(ui: NamedDependency[Ui], study_id: FromPath[UUID]) -> Response[Any]:
    ui.require(Permission.DUTIES_WRITE)
    try:
        await studies_of(ui).again(ui.who, study_id, remote=remote_of(ui))
    except (Conflict, TooMany) as error:
        return await _page(ui, study_id, error.message)
    return ui.go(f"/studies/{study_id}")


@post("/studies/{study_id:uuid}/delete")
async def delete(ui: NamedDependency[Ui], study_id: FromPath[UUID]) -> Response[Any]:
    ui.require(Permission.DUTIES_WRITE)
    try:
        await studies_of(ui).delete(ui.who, study_id, remote=remote_of(ui))
    except Conflict as error:
        return await _page(ui, study_id, error.message)
    return ui.go("/studies", done="deleted")


ROUTES = [
    studies_page,
    studies_export,
    new_study,
    ask,
    study_page,
    study_report,
    cancel,
    again,
    delete,
]
