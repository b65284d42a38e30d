"""Id tokens: the list, one token's form, blocking, and files of them."""

from base64 import b64decode, b64encode
from binascii import Error as NotBase64
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.datastructures import UploadFile
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Stream

from voltyard.errors import Conflict, Invalid, NotFound
from voltyard.fleets.commands import TokenDraft
from voltyard.fleets.importing import TOKEN_COLUMNS, FleetReport
from voltyard.fleets.model import TokenFilter, TokenState
from voltyard.sessions.model import TokenKind
from voltyard.sessions.refusals import RefusalFilter
from voltyard.tenancy.model import Permission
from voltyard.web.console import access_words as words
from voltyard.web.console.common import paging, posted, query, search_text
from voltyard.web.console.rooms import AccessRooms
from voltyard.web.console.views import Choice, Paging, TokenRow
from voltyard.web.export import Cell, csv_stream
from voltyard.web.forms import Fields
from voltyard.web.ui import Ui, local_path

TOKEN_KINDS = tuple(kind for kind in TokenKind if kind is not TokenKind.NONE)
IMPORT_BYTES_MAX = 2_000_000
BODY_MAX = IMPORT_BYTES_MAX * 4 // 3 + 100_000
FAULTS_SHOWN = 200
REFUSALS_SHOWN = 5
EXAMPLES: Mapping[str, str] = {
    "value": "04A2B1C9D3",
    "kind": "rfid",
    "vehicle": "BUS-201",
    "label": "Depot card",
    "blocked": "no",
    "valid_from": "2027-01-01 00:00",
    "valid_until": "2027-12-31 23:59",
    "group": "FLEET-A",
    "concurrent": "no",
}


def access_of(ui: Ui) -> AccessRooms:
    """Raises NotFound where these rooms are not behind the console."""
    if ui.deps.access is None:
        raise NotFound("There is nothing at this address.")
    return ui.deps.access


def remote_of(ui: Ui) -> str:
    return ui.request.client.host if ui.request.client else ""


@get("/tokens")
async def tokens_page(ui: NamedDependency[Ui]) -> Response[str]:
    page = await ui.data.tokens(ui.who, _filter(ui), paging(ui))
    return ui.page(
        "tokens.html", page=page, kinds=TOKEN_KINDS, states=tuple(TokenState), access=words
    )


@get("/tokens.csv")
async def tokens_export(ui: NamedDependency[Ui]) -> Stream:
    wanted = _filter(ui)
    header = [*TOKEN_COLUMNS, "state", "last_used_at", "last_used_where"]
    return csv_stream(
        "tokens.csv", header, lambda part: ui.data.tokens(ui.who, wanted, part), _cells
    )


@get("/tokens/new")
async def new_token(ui: NamedDependency[Ui]) -> Response[str]:
    ui.require(Permission.FLEET_WRITE)
    fields = query(ui)
    values = {
        "vehicle_id": fields.text("vehicle"),
        "kind": fields.text("kind") or TokenKind.RFID.value,
        "value": fields.text("value", longest=255),
    }
    return await _form(ui, None, values, frozenset())


@get("/tokens/{token_id:uuid}")
async def token_page(ui: NamedDependency[Ui], token_id: FromPath[UUID]) -> Response[str]:
    token = await ui.data.token(ui.who, token_id)
    chosen = frozenset(map(str, (*token.site_ids, *token.area_ids)))
    return await _form(ui, token, _values(ui, token), chosen)


@post("/tokens/new")
async def create_token(ui: NamedDependency[Ui]) -> Response[Any]:
    return await _save(ui, None)


@post("/tokens/{token_id:uuid}")
async def change_token(ui: NamedDependency[Ui], token_id: FromPath[UUID]) -> Response[Any]:
    return await _save(ui, await ui.data.token(ui.who, token_id))


@post("/tokens/{token_id:uuid}/block")
async def block_token(ui: NamedDependency[Ui], token_id: FromPath[UUID]) -> Response[Any]:
    """Block a token, or let it charge again."""
    ui.require(Permission.FLEET_WRITE)
    form = await posted(ui)
    await access_of(ui).fleets.block_token(
        ui.who, token_id, blocked=form.flag("blocked"), remote=remote_of(ui)
    )
    return ui.go(local_path(form.text("back"), "/tokens"))


@post("/tokens/{token_id:uuid}/delete")
async def delete_token(ui: NamedDependency[Ui], token_id: FromPath[UUID]) -> Response[Any]:
    ui.require(Permission.FLEET_WRITE)
    await access_of(ui).fleets.delete_token(ui.who, token_id, remote=remote_of(ui))
    return ui.go("/tokens", done="deleted")


@get("/tokens/all.csv")
async def whole_export(ui: NamedDependency[Ui]) -> Response[str]:
    """Every token as the import reads it."""
    text = await access_of(ui).fleets.export_tokens(ui.who)
    headers = {"content-disposition": 'attachment; filename="tokens-all.csv"'}
    return Response(text, media_type="text/csv; charset=utf-8", headers=headers)


@get("/tokens/import")
async def import_page(ui: NamedDependency[Ui]) -> Response[str]:
    ui.require(Permission.FLEET_WRITE)
    return _import_page(ui, None, "", "")


@post("/tokens/import", request_max_body_size=BODY_MAX)
async def check_import(ui: NamedDependency[Ui]) -> Response[str]:
    """A dry run; what it read travels with the page until somebody says so."""
    ui.require(Permission.FLEET_WRITE)
    upload = (await ui.request.form()).get("file")
    if not isinstance(upload, UploadFile) or not upload.filename:
        return _import_page(ui, None, "", ui.gettext("Choose a file first."))
    content = await upload.read()
    if len(content) > IMPORT_BYTES_MAX:
        return _import_page(ui, None, "", ui.gettext("The file is too large."))
    report = await access_of(ui).fleets.check_tokens(ui.who, content, ui.zone)
    return _import_page(ui, report, b64encode(content).decode(), "")


@post("/tokens/import/confirm", request_max_body_size=BODY_MAX)
async def confirm_import(ui: NamedDependency[Ui]) -> Response[Any]:
    """All rows or none; the file is checked again, since tokens may have changed meanwhile."""
    ui.require(Permission.FLEET_WRITE)
    form = await posted(ui)
    fleets = access_of(ui).fleets
    try:
        content = b64decode(form.values.get("content", ""), validate=True)
    except (NotBase64, ValueError):
        return _import_page(ui, None, "", ui.gettext("Choose a file first."))
    try:
        await fleets.import_tokens(ui.who, content, ui.zone, remote=remote_of(ui))
    except (Invalid, Conflict) as error:
        report = await fleets.check_tokens(ui.who, content, ui.zone)
        return _import_page(ui, report, b64encode(content).decode(), ui.gettext(error.message))
    return ui.go("/tokens", done="saved")


def _import_page(ui: Ui, report: FleetReport | None, content: str, error: str) -> Response[str]:
    return ui.page(
        "token_import.html",
        status=422 if error else 200,
        report=report,
        faults=() if report is None else report.faults[:FAULTS_SHOWN],
        content=content,
        columns=[(name, EXAMPLES.get(name, ""), name == "value") for name in TOKEN_COLUMNS],
        error=error,
    )


def _filter(ui: Ui) -> TokenFilter:
    fields = query(ui)
    kind = fields.one_of("kind", TokenKind)
    return TokenFilter(
        text=search_text(ui),
        kind=None if kind is None else kind.value,
        state=fields.one_of("state", TokenState),
        concurrent=fields.flag("concurrent") or None,
    )


async def _save(ui: Ui, token: TokenRow | None) -> Response[Any]:
    ui.require(Permission.FLEET_WRITE)
    form = await posted(ui)
    sent = await ui.request.form()
    chosen = [[str(each) for each in sent.getall(name, [])] for name in ("site", "area")]
    try:
        read = _read(form, *chosen)
        offered = await _places(ui)
        known = {choice.value for site, areas in offered for choice in (site, *areas)}
        if not {*chosen[0], *chosen[1]} <= known:
            form.fault("site", "Choose one of the list.")
        form.check()
        await ui.data.save_token(ui.who, None if token is None else token.id, read)
    except (Invalid, Conflict) as error:
        marks = frozenset((*chosen[0], *chosen[1]))
        return await _form(ui, token, form.values, marks, error)
    return ui.go("/tokens", done="saved")


def _read(form: Fields, sites: list[str], areas: list[str]) -> TokenDraft:
    kind = form.one_of("kind", TokenKind) or TokenKind.RFID
    return TokenDraft(
        kind=kind.value,
        value=form.text("value", required=True, longest=255),
        vehicle_id=form.id("vehicle_id"),
        label=form.text("label", longest=80),
        blocked=form.flag("blocked"),
        valid_from=form.moment("valid_from"),
        valid_until=form.moment("valid_until"),
        group_id=form.text("group_id", longest=36),
        concurrent=form.flag("concurrent"),
        site_ids=_ids(form, "site", sites),
        area_ids=_ids(form, "area", areas),
    )


def _ids(form: Fields, name: str, texts: list[str]) -> tuple[UUID, ...]:
    found = []
    for text in texts:
        try:
            found.append(UUID(text))
        except ValueError:
            form.fault(name, "Choose one of the list.")
    return tuple(found)


async def _form(
    ui: Ui,
    token: TokenRow | None,
    values: Mapping[str, str],
    chosen: frozenset[str],
    error: Invalid | Conflict | None = None,
) -> Response[str]:
    vehicles = await ui.data.vehicles(ui.who, "", Paging(1, 2_000))
    return ui.page(
        "token.html",
        status=422 if error else 200,
        token=token,
        values=values,
        chosen=chosen,
        places=await _places(ui),
        refusals=await _refusals(ui, token),
        faults=error.fields if error else {},
        error=error.message if error else "",
        kinds=TOKEN_KINDS,
        vehicles=tuple(Choice(str(row.id), row.name) for row in vehicles.rows),
        access=words,
    )


async def _places(ui: Ui) -> list[tuple[Choice, list[Choice]]]:
    """Each site with its areas."""
    found = []
    for site in ui.sites:
        areas = [] if ui.deps.access is None else await access_of(ui).sites.areas(ui.who, site.id)
        choices = [Choice(str(area.id), area.name) for area in areas]
        found.append((Choice(str(site.id), site.name), choices))
    return found


async def _refusals(ui: Ui, token: TokenRow | None) -> list[Any]:
    if token is None or ui.deps.access is None:
        return []
    rooms, wanted = access_of(ui), RefusalFilter(token=token.value)
    found, _ = await rooms.sessions.refusals(ui.who.org_id, wanted, limit=REFUSALS_SHOWN)
    return [(row, rooms.chargers.station(row.station_id)) for row in found]


def _values(ui: Ui, token: TokenRow) -> dict[str, str]:
    def local(at: datetime | None) -> str:
        return "" if at is None else at.astimezone(ui.zone).strftime("%Y-%m-%dT%H:%M")

    return {
        "kind": token.kind,
        "value": token.value,
        "vehicle_id": str(token.vehicle_id or ""),
        "label": token.label,
        "blocked": "on" if token.blocked else "",
        "valid_from": local(token.valid_from),
        "valid_until": local(token.valid_until),
        "group_id": token.group_id,
        "concurrent": "on" if token.concurrent else "",
    }


def _cells(row: TokenRow) -> tuple[Cell, ...]:
    return (
        row.value,
        row.kind,
        row.vehicle,
        row.label,
        row.blocked,
        row.valid_from,
        row.valid_until,
        row.group_id,
        row.concurrent,
        row.state.value,
        row.last_used_at,
        row.last_station,
    )


ROUTES = [
    tokens_page,
    tokens_export,
    new_token,
    create_token,
    whole_export,
    import_page,
    check_import,
    confirm_import,
    token_page,
    change_token,
    block_token,
    delete_token,
]
