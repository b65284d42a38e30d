"""Security of all chargers: profiles and certificates, one step for many, security events."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Stream

from voltyard.errors import Invalid, NotFound, VoltyardError
from voltyard.pki.model import EventFilter, Profile, SecurityEvent, SecurityRow
from voltyard.pki.overview import ENDS_WITHIN, Concern, SecurityFilter
from voltyard.pki.rounds import Order, Round, Step
from voltyard.pki.service import PkiService
from voltyard.web.console import security_words as words
from voltyard.web.console.common import paging, posted, query, search_text
from voltyard.web.console.views.common import Page, Paging
from voltyard.web.export import Cell, csv_stream
from voltyard.web.forms import Fields
from voltyard.web.ui import Ui

SOON = timedelta(days=14)
RESULTS_SHOWN = 500
ROUNDS_SHOWN = 5
WATCHED = timedelta(minutes=10)
"""How long after its begin the page of a round follows what chargers make of it."""


def pki_of(ui: Ui) -> PkiService:
    """Raises NotFound where no certificates are behind the console."""
    if ui.deps.pki is None:
        raise NotFound("There is nothing at this address.")
    return ui.deps.pki


@get("/security")
async def security_page(ui: NamedDependency[Ui]) -> Response[str]:
    return await _security(ui, {}, "")


async def _security(ui: Ui, values: dict[str, str], error: str, status: int = 200) -> Response[str]:
    pki = pki_of(ui)
    everything = await pki.overview.rows(ui.who)
    found = await pki.overview.rows(ui.who, _filter(query(ui)))
    return ui.page(
        "security.html",
        status=status,
        page=_page(found, paging(ui)),
        counts=_counts(ui, everything),
        profiles={profile: _having(everything, profile) for profile in Profile},
        rounds=pki.rounds.newest(ui.who)[:ROUNDS_SHOWN],
        security=words,
        soon_at=ui.deps.data.now() + SOON,
        chosen=values,
        error=error,
    )


def _page(found: Sequence[SecurityRow], part: Paging) -> Page[SecurityRow]:
    return Page(tuple(found[part.offset : part.offset + part.size]), len(found), part)


def _having(rows: Sequence[SecurityRow], profile: Profile) -> int:
    return sum(row.now is profile for row in rows)


def _counts(ui: Ui, rows: Sequence[SecurityRow]) -> dict[Concern, int]:
    """What needs somebody, over the whole fleet."""
    ends = ui.deps.data.now() + ENDS_WITHIN
    return {
        Concern.BEHIND: sum(row.behind for row in rows),
        Concern.ENDS: sum(row.not_after is not None and row.not_after <= ends for row in rows),
        Concern.FAILED: sum(row.failed for row in rows),
        Concern.EVENTS: sum(row.open_events > 0 for row in rows),
    }


def _filter(fields: Fields) -> SecurityFilter:
    profile = fields.text("profile")
    return SecurityFilter(
        text=fields.text("q")[:100],
        site_id=fields.id("site"),
        profile=Profile(int(profile)) if profile in {"0", "1", "2", "3"} else None,
        concern=fields.one_of("concern", Concern),
    )


@get("/security.csv")
async def security_export(ui: NamedDependency[Ui]) -> Stream:
    rows = await pki_of(ui).overview.rows(ui.who, _filter(query(ui)))
    sites = {site.id: site.name for site in ui.sites}
    header = [
        "identity",
        "name",
        "site",
        "connected",
        "profile",
        "profile_wanted",
        "tls",
        "certificate_state",
        "certificate_subject",
        "certificate_serial",
        "certificate_ends_at",
        "certificate_issued_at",
        "password_changed_at",
        "open_security_events",
    ]

    async def part(wanted: Paging) -> Page[SecurityRow]:
        return _page(rows, wanted)

    return csv_stream("security.csv", header, part, lambda row: _cells(row, sites))


def _cells(row: SecurityRow, sites: dict[UUID, str]) -> tuple[Cell, ...]:
    held = row.held
    return (
        row.view.identity,
        row.name,
        "" if row.site_id is None else sites.get(row.site_id, ""),
        row.view.connected,
        None if row.now is None else int(row.now),
        int(row.wanted),
        row.tls,
        None if row.newest is None else row.newest.state.value,
        None if held is None else held.subject,
        None if held is None else held.serial,
        row.not_after,
        None if held is None else held.issued_at,
        row.view.security.password_changed_at,
        row.open_events,
    )


@post("/security/steps")
async def start_step(ui: NamedDependency[Ui]) -> Response[Any]:
    """For those chosen, or for all that the filter of the page finds."""
    form, pki = await posted(ui), pki_of(ui)
    try:
        order = _order(form)
        ids = await _chosen(ui, form)
        made = await pki.rounds.start(ui.who, order, ids)
    except Invalid as error:
        return await _security(ui, dict(form.values), error.message, 422)
    return ui.go(f"/security/rounds/{made.id}")


def _order(form: Fields) -> Order:
    step = form.one_of("step", Step)
    if step is None:
        raise Invalid("Choose one of the list.")
    profile = form.text("to")
    return Order(
        step,
        Profile(int(profile)) if profile in {"1", "2", "3"} else Profile.TLS_CERTIFICATE,
        form.text("reason", longest=200),
    )


async def _chosen(ui: Ui, form: Fields) -> list[UUID]:
    if form.flag("all"):
        rows = await pki_of(ui).overview.rows(ui.who, _filter(form))
        return [row.view.station_id for row in rows]
    given = (await ui.request.form()).getall("station", [])
    ids = []
    for text in given:
        try:
            ids.append(UUID(str(text)))
        except ValueError:
            raise Invalid("Choose one of the list.") from None
    return ids


@get("/security/rounds/{round_id:uuid}")
async def round_page(ui: NamedDependency[Ui], round_id: FromPath[UUID]) -> Response[str]:
    """The block ``round_results`` is asked for again while the round is under way."""
    pki = pki_of(ui)
    made = pki.rounds.get(ui.who, round_id)
    ids = frozenset(made.station_ids[:RESULTS_SHOWN])
    shown = await pki.overview.rows(ui.who, SecurityFilter(station_ids=ids))
    return ui.page(
        "security_round.html",
        made=made,
        rows=shown,
        moving=made.ended_at is None or _chargers_move(ui, made, shown),
        security=words,
    )


def _chargers_move(ui: Ui, made: Round, rows: Sequence[SecurityRow]) -> bool:
    """Whether chargers that said yes may still come with what they were told."""
    if ui.deps.data.now() - made.begun_at > WATCHED:
        return False
    good = [row for row in rows if (done := made.done.get(row.view.station_id)) and done.ok]
    if made.order.step is Step.PROFILE:
        return any(row.behind for row in good)
    if made.order.step is Step.PASSWORD:
        return any(row.view.security.next_passwords for row in good)
    return made.order.step is Step.CERTIFICATE and any(
        row.newest is None
        or row.newest.requested_at < made.begun_at
        or row.newest.state in words.ON_ITS_WAY
        for row in good
    )


@get("/security/events")
async def events_page(ui: NamedDependency[Ui]) -> Response[str]:
    part = paging(ui)
    found, total = await _events(ui, part)
    stations = {
        view.station.id: view.station.identity
        for view in pki_of(ui).stations.list_stations(ui.who.org_id)
    }
    return ui.page(
        "security_events.html",
        page=Page(tuple(found), total, part),
        stations=stations,
        kinds=[(kind, kind) for kind in await pki_of(ui).overview.event_kinds(ui.who)],
        security=words,
    )


async def _events(ui: Ui, part: Paging) -> tuple[list[SecurityEvent], int]:
    charger = query(ui).text("charger")[:100]
    wanted = _event_filter(ui)
    return await pki_of(ui).overview.events(
        ui.who, wanted, charger, limit=part.size, offset=part.offset
    )


def _event_filter(ui: Ui) -> EventFilter:
    fields = query(ui)
    critical, source = fields.text("critical"), fields.text("source")
    return EventFilter(
        kind=fields.text("kind")[:50] or None,
        critical={"yes": True, "no": False}.get(critical),
        source=source if source in words.SOURCE_WORDS else None,
        text=search_text(ui),
        from_at=fields.moment("since"),
        until_at=fields.moment("until"),
    )


@get("/security/events.csv")
async def events_export(ui: NamedDependency[Ui]) -> Stream:
    stations = {
        view.station.id: view.station.identity
        for view in pki_of(ui).stations.list_stations(ui.who.org_id)
    }
    header = ["at", "received_at", "charger", "kind", "critical", "source", "info"]

    async def part(wanted: Paging) -> Page[SecurityEvent]:
        found, total = await _events(ui, wanted)
        return Page(tuple(found), total, wanted)

    def cells(event: SecurityEvent) -> tuple[Cell, ...]:
        charger = stations.get(event.station_id, str(event.station_id))
        told = (event.kind, event.critical, event.source, event.info)
        return (event.at, event.received_at, charger, *told)

    return csv_stream("security-events.csv", header, part, cells)


def told(error: VoltyardError) -> str:
    """Its message, with the first field's reason where there is one."""
    reason = next(iter(error.fields.values()), "")
    return f"{error.message}: {reason}" if reason else error.message


ROUTES = [
    security_page,
    security_export,
    start_step,
    round_page,
    events_page,
    events_export,
]
