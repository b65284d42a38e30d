"""Security pages over the real services: what they show, who may do what, the tenant wall."""

import csv
import re
from dataclasses import dataclass, field
from datetime import timedelta
from io import StringIO
from uuid import UUID

import httpx
import pytest
from console_world import PASSWORD, World, log_in

from voltyard.chargers.commands import (
    Command,
    CommandResult,
    CommandStatus,
    DeleteCertificate,
    InstallRoot,
    ReadCertificates,
    Trigger,
    WriteConfiguration,
)
from voltyard.chargers.model import Station, StationRef
from voltyard.tenancy.model import Role
from voltyard.tenancy.service import NewUser
from voltyard.web.console.security_station import REQUEST_COMES_WITHIN

FAR = "A. Stranger"
ACCEPTED = CommandResult(CommandStatus.ACCEPTED, "Accepted")
HELD = {
    "use": "csms_root",
    "algorithm": "SHA256",
    "issuer_name_hash": "aa",
    "issuer_key_hash": "bb",
    "serial": "77",
}


@dataclass
class Link:
    """A charger at the other end that says yes."""

    station: StationRef
    version: str = "1.6"
    sent: list[Command] = field(default_factory=list)
    answer: CommandResult = ACCEPTED

    async def send(self, command: Command, *, timeout_s: float = 30.0) -> CommandResult:
        self.sent.append(command)
        if isinstance(command, ReadCertificates):
            return CommandResult(CommandStatus.ACCEPTED, "Accepted", {"certificates": (HELD,)})
        return self.answer

    async def close(self, reason: str) -> None:
        pass


@pytest.fixture
def station(world: World) -> Station:
    return world.core.chargers.list_stations(world.who.org_id)[0].station


@pytest.fixture
async def link(world: World, station: Station) -> Link:
    made = Link(station.ref)
    await world.core.chargers.set_password(world.who, station.id, "a password of sixteen")
    await world.core.chargers.connected(made)
    await world.core.pki.security_event(
        station.ref, "TamperDetectionActivated", world.core.clock.now(), "=door"
    )
    return made


async def as_role(world: World, role: Role) -> None:
    """Log in as somebody of the same organisation with this role."""
    email = f"{role.value}@example.com"
    new = NewUser(email, role.value, role, PASSWORD)
    await world.core.tenancy.create_user(world.who, new)
    await logged_in(world, email)


async def logged_in(world: World, email: str) -> None:
    world.client.cookies.clear()
    answer = await world.post("/login", "/login", email=email, password=PASSWORD)
    assert answer.status_code == 303


@pytest.fixture
async def stranger(world: World) -> World:
    """Signed in to another organisation of the same server."""
    admin = NewUser("far@example.com", FAR, Role.ADMIN, PASSWORD)
    await world.core.tenancy.create_organisation("Elsewhere", admin)
    await logged_in(world, "far@example.com")
    return world


def page_of(station: Station) -> str:
    return f"/chargers/{station.id}/certificates"


async def act(world: World, station: Station, action: str, **values: str) -> httpx.Response:
    page = page_of(station)
    return await world.post(f"{page}/{action}", "/security", **values)


async def test_the_fleet_is_listed_filtered_and_exported(
    world: World, station: Station, link: Link
) -> None:
    html = await world.page("/security")
    assert html.count('name="station"') == len(world.core.chargers.list_stations(world.who.org_id))
    found = await world.page("/security?concern=events")
    assert station.identity in found
    assert found.count('name="station"') == 1
    assert "Nothing matches" in await world.page("/security?q=nothing-like-this")
    table = list(csv.DictReader(StringIO(await world.page("/security.csv?concern=events"))))
    assert [row["identity"] for row in table] == [station.identity]
    assert table[0]["open_security_events"] == "1"
    assert "1 entry" in await world.page(
        f"/security/events?charger={station.identity}&critical=yes"
    )
    assert "Nothing matches" in await world.page("/security/events?critical=no")
    rows = list(csv.DictReader(StringIO(await world.page("/security/events.csv"))))
    assert (rows[0]["kind"], rows[0]["info"]) == ("TamperDetectionActivated", "'=door")


async def test_a_technician_commands_a_charger(world: World, station: Station, link: Link) -> None:
    await as_role(world, Role.TECHNICIAN)
    assert (await act(world, station, "renew")).status_code == 303
    assert link.sent[-1] == Trigger("certificate")
    assert (await act(world, station, "root", use="csms_root")).status_code == 303
    assert isinstance(link.sent[-1], InstallRoot)
    assert (await act(world, station, "read")).status_code == 303
    assert "Root of this server" in await world.page(page_of(station))
    values = {"algorithm": "SHA256", "serial": "77", "issuer_key_hash": "bb"}
    assert (await act(world, station, "delete", **values)).status_code == 303
    assert isinstance(link.sent[-1], DeleteCertificate)
    assert (await act(world, station, "name", certificate_name="SN-1")).status_code == 303
    assert (await act(world, station, "password")).status_code == 303
    told = next(c for c in link.sent if isinstance(c, WriteConfiguration) and "Key" in c.key)
    html = await world.page(page_of(station))
    assert "the old one holds" in html
    assert told.value not in html
    world.client.cookies.clear()
    await log_in(world)
    audit = await world.page("/audit")
    for action in ("certificate.renew", "station.install_root", "station.rotate", "station.name"):
        assert action in audit


async def test_the_page_looks_again_until_the_request_has_come(
    world: World, station: Station, link: Link
) -> None:
    again = f'hx-get="{page_of(station)}"'
    assert again not in await world.page(page_of(station))
    assert (await act(world, station, "renew")).status_code == 303
    assert again in await world.page(page_of(station))
    long_ago = world.core.clock.now() - REQUEST_COMES_WITHIN - timedelta(seconds=1)
    await world.core.pki.change(station.id, world.who.org_id, renewal_asked_at=long_ago)
    assert again not in await world.page(page_of(station))


async def test_what_a_charger_refuses_is_said(world: World, station: Station, link: Link) -> None:
    link.answer = CommandResult(CommandStatus.REJECTED, "Rejected")
    answer = await act(world, station, "renew")
    assert answer.status_code == 422
    assert "the charger answered Rejected" in answer.text
    answer = await act(world, station, "raise", profile="3")
    assert answer.status_code == 422
    answer = await act(world, station, "raise", profile="9")
    assert answer.status_code == 422
    assert (await act(world, station, "revoke", reason="lost")).status_code == 422
    assert (await act(world, station, "dance")).status_code == 404


async def test_a_step_for_many(world: World, station: Station, link: Link) -> None:
    answer = await world.post("/security/steps", "/security", step="root")
    assert answer.status_code == 422
    assert "Choose at least one charger." in answer.text
    answer = await world.post("/security/steps", "/security", step="dance", station=str(station.id))
    assert answer.status_code == 422
    values = {"step": "certificate", "all": "on", "q": station.identity}
    answer = await world.post("/security/steps", "/security", **values)
    assert answer.status_code == 303
    await world.core.pki.settle()
    html = await world.page(answer.headers["location"])
    assert "1 of 1 answered" in html
    assert link.sent[-1] == Trigger("certificate")
    assert "1/1" in await world.page("/security")


@pytest.mark.parametrize("role", [Role.VIEWER, Role.DISPATCHER])
async def test_who_may_only_look(world: World, station: Station, link: Link, role: Role) -> None:
    await as_role(world, role)
    assert 'name="step"' not in await world.page("/security")
    html = await world.page(page_of(station))
    assert "Your role may look, not command." in html
    authority = await world.page("/security/authority")
    assert "/security/authority/policy" not in authority
    before = len(link.sent)
    for action in ("renew", "raise", "require", "name", "root", "read", "revoke", "password"):
        form = {"csrf": await csrf(world, "/security/authority")}
        answer = await world.client.post(f"{page_of(station)}/{action}", data=form)
        assert answer.status_code == 403, action
    form = {"csrf": await csrf(world, "/security"), "step": "root", "station": str(station.id)}
    assert (await world.client.post("/security/steps", data=form)).status_code == 403
    assert len(link.sent) == before


async def csrf(world: World, path: str) -> str:
    found = re.search(r'name="csrf" value="([0-9a-f]+)"', await world.page(path))
    assert found
    return found[1]


async def test_only_an_administrator_says_who_is_trusted(world: World, station: Station) -> None:
    values = {"issuer": "external", "valid_days": "90", "renew_days": "10", "organisation": "Yard"}
    answer = await world.post("/security/authority/policy", "/security/authority", **values)
    assert answer.status_code == 303
    assert "Nothing waits" in await world.page("/security/authority")
    answer = await world.post(
        "/security/authority/policy", "/security/authority", **{**values, "renew_days": "365"}
    )
    assert answer.status_code == 422
    assert 'value="365"' in answer.text, "what was typed stays"
    answer = await world.post("/security/authority/trust", "/security/authority", name="x", pem="y")
    assert answer.status_code == 422
    await as_role(world, Role.TECHNICIAN)
    for action in ("policy", "trust", "distrust", "revocations"):
        form = {"csrf": await csrf(world, "/security/authority"), **values}
        answer = await world.client.post(f"/security/authority/{action}", data=form)
        assert answer.status_code == 403, action
    answer = await act(world, station, "require", profile="0", reason="reset")
    assert answer.status_code == 403


async def test_the_authority_s_files(world: World) -> None:
    roots = await world.page("/security/authority/roots.pem")
    assert roots.startswith("-----BEGIN CERTIFICATE")
    root = await world.page("/security/authority/ec-p256/1/root.pem")
    assert root in roots
    assert "X509 CRL" in await world.page("/security/authority/ec-p256/1/revoked.crl")
    await world.page("/security/authority/ec-p256/1/key.pem", 404)
    await world.page("/security/authority/dsa/1/root.pem", 404)
    await world.page("/security/authority/ec-p256/2/root.pem", 404)


async def test_a_new_root_beside_the_old_one(world: World) -> None:
    page = "/security/authority"
    await world.page(page)
    values = {"algorithm": "ec-p256", "generation": "1"}
    assert (await world.post(f"{page}/retire", page, **values)).status_code == 422
    assert (await world.post(f"{page}/succeed", page, **values)).status_code == 303
    html = await world.page(page)
    assert "voltyard root EC 2" in html
    assert "trusted until retired" in html
    assert (await world.page(f"{page}/roots.pem")).count("BEGIN CERTIFICATE") == 2
    assert "X509 CRL" in await world.page(f"{page}/ec-p256/1/revoked.crl")
    assert (await world.post(f"{page}/retire", page, **values)).status_code == 303
    assert "trusted until retired" not in await world.page(page)
    assert (await world.post(f"{page}/succeed", page, algorithm="dsa")).status_code == 422


async def test_another_organisation_sees_nothing(
    world: World, station: Station, link: Link, stranger: World
) -> None:
    assert station.identity not in await world.page("/security")
    assert "No charger yet" in await world.page("/security")
    assert "Tamper" not in await world.page("/security/events")
    assert station.identity not in await world.page("/security.csv")
    assert "Tamper" not in await world.page("/security/events.csv")
    await world.page(page_of(station), 404)
    before = len(link.sent)
    for action in ("renew", "read", "root", "password", "revoke"):
        form = {"csrf": await csrf(world, "/security/authority"), "reason": "x"}
        answer = await world.client.post(f"{page_of(station)}/{action}", data=form)
        assert answer.status_code == 404, action
    form = {"csrf": await csrf(world, "/security/authority"), "step": "root"}
    form["station"] = str(station.id)
    assert (await world.client.post("/security/steps", data=form)).status_code == 404
    await world.page(f"/security/certificates/{UUID(int=1)}/request.csr", 404)
    assert len(link.sent) == before
    world.client.cookies.clear()
    await log_in(world)
    assert station.identity in await world.page("/security")
