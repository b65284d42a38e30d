"""Why tokens were refused, and the rules of each site that decide on them."""

from dataclasses import replace
from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Stream

from voltyard.fleets.model import Token, TokenFilter
from voltyard.sessions.model import AuthorisationStatus, IdToken, TokenKind
from voltyard.sessions.refusals import Refusal, RefusalFilter
from voltyard.sessions.tokens import spellings
from voltyard.sites.commands import SiteDraft, UnknownToken
from voltyard.tenancy.model import Permission
from voltyard.web.console import access_words as words
from voltyard.web.console.common import paging, posted, query, search_text
from voltyard.web.console.tokens import access_of, remote_of
from voltyard.web.console.views import Page, Paging, RefusalRow
from voltyard.web.export import Cell, csv_stream
from voltyard.web.ui import Ui

STATUSES = tuple(status for status in AuthorisationStatus if status in words.ADVICE_WORDS)
DRAFTED = tuple(SiteDraft.__dataclass_fields__)


@get("/tokens/refused")
async def refused_page(ui: NamedDependency[Ui]) -> Response[str]:
    page = await _refused(ui, _filter(ui), paging(ui))
    return ui.page("refused.html", page=page, statuses=STATUSES, access=words)


@get("/tokens/refused.csv")
async def refused_export(ui: NamedDependency[Ui]) -> Stream:
    wanted = _filter(ui)
    header = ["at", "token", "kind", "known", "status", "reason", "site", "charger", "outlet"]
    return csv_stream("refused.csv", header, lambda part: _refused(ui, wanted, part), _cells)


def _filter(ui: Ui) -> RefusalFilter:
    fields = query(ui)
    return RefusalFilter(
        text=search_text(ui),
        site_id=fields.id("site"),
        status=fields.one_of("status", AuthorisationStatus),
        from_at=fields.moment("since"),
        until_at=fields.moment("until"),
    )


async def _refused(ui: Ui, wanted: RefusalFilter, part: Paging) -> Page[RefusalRow]:
    found, total = await access_of(ui).sessions.refusals(
        ui.who.org_id, wanted, limit=part.size, offset=part.offset
    )
    sites = {site.id: site.name for site in ui.sites}
    rows = [await _row(ui, each, sites) for each in found]
    return Page(tuple(rows), total, part)


async def _row(ui: Ui, refusal: Refusal, sites: dict[UUID, str]) -> RefusalRow:
    rooms = access_of(ui)
    station = rooms.chargers.station(refusal.station_id)
    evse = None if refusal.evse_id is None else rooms.chargers.evse(refusal.evse_id)
    token = await _on_record(ui, refusal)
    return RefusalRow(
        at=refusal.at,
        token=refusal.token,
        kind=refusal.token_kind,
        status=refusal.status,
        reason=refusal.reason,
        known=refusal.known,
        token_id=token.id if token else None,
        site=sites.get(refusal.site_id, "") if refusal.site_id else "",
        station_id=station.id if station else None,
        station=station.identity if station else "",
        outlet=str(evse.number) if evse else "",
    )


async def _on_record(ui: Ui, refusal: Refusal) -> Token | None:
    """The token as it is on record now, from memory; it may have been added since."""
    for way in spellings(IdToken(refusal.token, TokenKind(refusal.token_kind))):
        token = await access_of(ui).fleets.lookup_token(ui.who.org_id, way)
        if token is not None:
            return token
    return None


@get("/tokens/rules")
async def rules_page(ui: NamedDependency[Ui]) -> Response[str]:
    """What each site does with tokens that nobody knows, and who may charge in several places."""
    rooms = access_of(ui)
    _, several = await rooms.fleets.find_tokens(ui.who, TokenFilter(concurrent=True), limit=1)
    _, all_tokens = await rooms.fleets.find_tokens(ui.who, TokenFilter(), limit=1)
    return ui.page(
        "token_rules.html",
        rows=await rooms.sites.sites(ui.who),
        choices=tuple(UnknownToken),
        several=several,
        all_tokens=all_tokens,
    )


@post("/tokens/rules/{site_id:uuid}")
async def set_rule(ui: NamedDependency[Ui], site_id: FromPath[UUID]) -> Response[Any]:
    """The rest of the site stays as it is."""
    ui.require(Permission.SITES_WRITE)
    form = await posted(ui)
    chosen = form.one_of("unknown_token", UnknownToken)
    form.check()
    sites = access_of(ui).sites
    site = await sites.site(ui.who, site_id)
    draft = SiteDraft(**{name: getattr(site, name) for name in DRAFTED})
    if chosen is not None and chosen != site.unknown_token:
        wanted = replace(draft, unknown_token=chosen)
        await sites.update_site(ui.who, site_id, wanted, remote=remote_of(ui))
    return ui.go("/tokens/rules", done="saved")


def _cells(row: RefusalRow) -> tuple[Cell, ...]:
    return (
        row.at,
        row.token,
        row.kind,
        row.known,
        row.status.value,
        row.reason,
        row.site,
        row.station,
        row.outlet,
    )


ROUTES = [refused_page, refused_export, rules_page, set_rule]
