"""One charger's security: what it must prove, its certificates and roots, what it warned of."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from litestar import Response, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from voltyard.errors import Invalid, NotFound, VoltyardError
from voltyard.pki.model import (
    OPEN,
    ROOT_USES,
    VALID,
    CertificateFilter,
    CertificateState,
    EventFilter,
    Profile,
    SecurityRow,
)
from voltyard.pki.overview import SecurityFilter
from voltyard.pki.service import PkiService
from voltyard.tenancy.model import Permission
from voltyard.web.assets import SECURE_HEADERS
from voltyard.web.console import security_words as words
from voltyard.web.console.common import posted
from voltyard.web.console.security import pki_of, told
from voltyard.web.forms import Fields
from voltyard.web.ui import Ui

REQUESTS_SHOWN = 25
EVENTS_SHOWN = 25
PEM_LONGEST = 20_000
REQUEST_COMES_WITHIN = timedelta(minutes=5)
NETWORKS = ("Wired0", "Wired1", "Wireless0", "Wireless1")
Act = Callable[[PkiService, Ui, UUID, Fields], Awaitable[object]]


@get("/chargers/{station_id:uuid}/certificates")
async def station_page(ui: NamedDependency[Ui], station_id: FromPath[UUID]) -> Response[str]:
    """The block ``station_security`` is asked for again while something is under way."""
    return await _page(ui, station_id, {}, {}, "", "")


async def _page(
    ui: Ui,
    station_id: UUID,
    values: Mapping[str, str],
    faults: Mapping[str, str],
    error: str,
    action: str,
) -> Response[str]:
    pki = pki_of(ui)
    station = await ui.data.station(ui.who, station_id)
    row = await _row(ui, station_id)
    requests = await pki.certificates(
        ui.who, CertificateFilter(station_id=station_id), limit=REQUESTS_SHOWN
    )
    wanted = EventFilter(station_id=station_id)
    events, total = await pki.overview.events(ui.who, wanted, "", limit=EVENTS_SHOWN, offset=0)
    return ui.page(
        "charger_security.html",
        status=422 if error else 200,
        row=station.row,
        at=row,
        held=row.view.security,
        requests=requests,
        revocable=VALID | {CertificateState.ISSUED, CertificateState.REJECTED},
        events=events,
        event_total=total,
        moving=_moving(row, ui.data.now()),
        above=[profile for profile in Profile if profile > (row.now or row.view.required)],
        has_password=pki.stations.station_view(ui.who.org_id, station_id).has_password,
        uses=ROOT_USES[:2] if row.version == "1.6" else ROOT_USES,
        networks=NETWORKS,
        profiles=tuple(Profile),
        url=pki.settings.url,
        security=words,
        values=values,
        faults=faults,
        error=error,
        action=action,
    )


async def _row(ui: Ui, station_id: UUID) -> SecurityRow:
    wanted = SecurityFilter(station_ids=frozenset({station_id}))
    found = await pki_of(ui).overview.rows(ui.who, wanted)
    if not found:
        raise NotFound("There is no such charger.")
    return found[0]


def _moving(row: SecurityRow, now: datetime) -> bool:
    """Whether the charger is about to change something by itself."""
    security = row.view.security
    signing = row.newest is not None and row.newest.state in OPEN
    awaited = _request_awaited(row, now)
    return signing or awaited or security.target is not None or bool(security.next_passwords)


def _request_awaited(row: SecurityRow, now: datetime) -> bool:
    """It was asked for a request (A02) a moment ago, and none has come since."""
    asked_at = row.view.security.renewal_asked_at
    if asked_at is None or now - asked_at > REQUEST_COMES_WITHIN:
        return False
    return row.newest is None or row.newest.requested_at < asked_at


async def _renew(pki: PkiService, ui: Ui, station_id: UUID, form: Fields) -> object:
    return await pki.renew(ui.who, station_id)


async def _raise(pki: PkiService, ui: Ui, station_id: UUID, form: Fields) -> object:
    slot = form.number("slot", low=1, high=9)
    form.check()
    return await pki.field.raise_profile(
        ui.who,
        station_id,
        _profile(form),
        url=form.text("url", longest=500) or None,
        slot=None if slot is None else int(slot),
        interface=form.text("interface", longest=20) or NETWORKS[0],
    )


def _profile(form: Fields) -> Profile:
    text = form.text("profile")
    if text not in {"0", "1", "2", "3"}:
        raise Invalid("Choose one of the list.", fields={"profile": "Choose one of the list."})
    return Profile(int(text))


async def _require(pki: PkiService, ui: Ui, station_id: UUID, form: Fields) -> object:
    return await pki.set_required(ui.who, station_id, _profile(form), form.text("reason"))


async def _name(pki: PkiService, ui: Ui, station_id: UUID, form: Fields) -> object:
    name = form.text("certificate_name", longest=64) or None
    form.check()
    return await pki.set_certificate_name(ui.who, station_id, name)


async def _root(pki: PkiService, ui: Ui, station_id: UUID, form: Fields) -> object:
    pem = form.text("certificate", longest=PEM_LONGEST) or None
    form.check()
    return await pki.field.install_root(ui.who, station_id, form.text("use"), pem)


async def _read(pki: PkiService, ui: Ui, station_id: UUID, form: Fields) -> object:
    return await pki.field.read_installed(ui.who, station_id)


async def _delete(pki: PkiService, ui: Ui, station_id: UUID, form: Fields) -> object:
    return await pki.field.delete_installed(
        ui.who,
        station_id,
        form.text("algorithm"),
        form.text("serial"),
        form.text("issuer_key_hash"),
    )


async def _revoke(pki: PkiService, ui: Ui, station_id: UUID, form: Fields) -> object:
    """The certificate named, or else the one the station shows."""
    reason = form.text("reason", required=True)
    wanted = form.id("certificate")
    form.check()
    if wanted is None:
        await pki.revoke_shown(ui.who, station_id, reason)
        return None
    row = await pki.certificate(ui.who, wanted)
    if row.station_id != station_id:
        raise NotFound("There is no such certificate.")
    return await pki.revoke(ui.who, wanted, reason)


async def _password(pki: PkiService, ui: Ui, station_id: UUID, form: Fields) -> object:
    return await pki.rotation.rotate(ui.who, station_id)


ACTIONS: Mapping[str, tuple[Permission, Act, str]] = {
    "renew": (Permission.CHARGERS_COMMAND, _renew, "command"),
    "raise": (Permission.CHARGERS_COMMAND, _raise, "command"),
    "require": (Permission.SECURITY_WRITE, _require, "saved"),
    "name": (Permission.CHARGERS_WRITE, _name, "saved"),
    "root": (Permission.CHARGERS_COMMAND, _root, "command"),
    "read": (Permission.CHARGERS_COMMAND, _read, "command"),
    "delete": (Permission.CHARGERS_COMMAND, _delete, "deleted"),
    "revoke": (Permission.CHARGERS_WRITE, _revoke, "saved"),
    "password": (Permission.CHARGERS_WRITE, _password, "command"),
}
"""What may be done: the permission it needs, how, and what the page says afterwards."""


@post("/chargers/{station_id:uuid}/certificates/{action:str}")
async def act(
    ui: NamedDependency[Ui], station_id: FromPath[UUID], action: FromPath[str]
) -> Response[Any]:
    if action not in ACTIONS:
        raise NotFound("There is nothing at this address.")
    permission, do, done = ACTIONS[action]
    ui.require(permission)
    form, pki = await posted(ui), pki_of(ui)
    pki.stations.station_view(ui.who.org_id, station_id)
    try:
        await do(pki, ui, station_id, form)
    except VoltyardError as error:
        return await _page(ui, station_id, form.values, dict(error.fields), told(error), action)
    return ui.go(f"/chargers/{station_id}/certificates", done=done)


@get("/security/certificates/{certificate_id:uuid}/{what:str}")
async def certificate_file(
    ui: NamedDependency[Ui], certificate_id: FromPath[UUID], what: FromPath[str]
) -> Response[str]:
    """The request (``request.csr``) or the certificate with its chain (``chain.pem``)."""
    row = await pki_of(ui).certificate(ui.who, certificate_id)
    text = {"request.csr": row.csr, "chain.pem": row.chain}.get(what, "")
    if not text:
        raise NotFound("There is no such file.")
    ending = what.rpartition(".")[2]
    return pem_file(text, f"{row.id}.{ending}")


def pem_file(text: str, name: str) -> Response[str]:
    headers = {
        **SECURE_HEADERS,
        "content-disposition": f'attachment; filename="{name}"',
        "cache-control": "no-store",
    }
    return Response(text, media_type="application/x-pem-file", headers=headers)


ROUTES = [station_page, act, certificate_file]
