"""What is done on a charger: its profile raised, its roots seen to; and what it warns of."""

from datetime import timedelta
from typing import Any

import pytest
from pki_openssl import Authority
from pki_yard import Yard

from voltyard.chargers.commands import (
    CommandResult,
    CommandStatus,
    DeleteCertificate,
    GiveCertificate,
    InstallRoot,
    ReadCertificates,
    ReadConfiguration,
    Reset,
    SetNetworkProfile,
    WriteConfiguration,
)
from voltyard.chargers.model import ConfigRow
from voltyard.errors import ChargerOffline, ChargerRefused, Conflict, Forbidden, Invalid, NotFound
from voltyard.pki.model import EventFilter, Profile
from voltyard.tenancy.model import Role

REJECTED = CommandResult(CommandStatus.REJECTED, "Rejected")
ORDER = "OCPPCommCtrlr.NetworkConfigurationPriority"
HELD = {
    "use": "csms_root",
    "algorithm": "SHA256",
    "issuer_name_hash": "aa",
    "issuer_key_hash": "bb",
    "serial": "1",
}


async def test_a_16_station_is_told_and_the_old_profile_holds_until_it_has_come(
    yard: Yard,
) -> None:
    station = await yard.station()
    link = await yard.connect(tls=False)
    who = yard.who(Role.TECHNICIAN)
    with pytest.raises(Conflict, match="no certificate"):
        await yard.pki.field.raise_profile(who, station.id, Profile.TLS_CERTIFICATE)
    assert await yard.ask(link, yard.keys())
    after = await yard.pki.field.raise_profile(who, station.id, Profile.TLS_CERTIFICATE)
    assert link.of(WriteConfiguration) == [WriteConfiguration("SecurityProfile", "3")]
    assert after.target is Profile.TLS_CERTIFICATE
    await yard.connect(tls=False)
    assert yard.required(station) is Profile.NONE
    chain = link.of(GiveCertificate)[0].chain
    await yard.connect(chain=chain, password=None)
    view = yard.pki.security(who, station.id).security
    assert (view.required, view.target) == (Profile.TLS_CERTIFICATE, None)
    with pytest.raises(Conflict, match="only raised"):
        await yard.pki.field.raise_profile(who, station.id, Profile.TLS_BASIC)


async def test_a_station_that_says_no_is_where_it_was(yard: Yard) -> None:
    station = await yard.station()
    link = await yard.connect(tls=False)
    link.replies[WriteConfiguration] = lambda asked: REJECTED
    with pytest.raises(ChargerRefused):
        await yard.pki.field.raise_profile(yard.who(), station.id, Profile.TLS_BASIC)
    assert yard.pki.security(yard.who(), station.id).security.target is None


async def test_what_a_profile_needs_is_asked_for_first(yard: Yard) -> None:
    station = await yard.station(password=None)
    with pytest.raises(Conflict, match="no password"):
        await yard.pki.field.raise_profile(yard.who(), station.id, Profile.TLS_BASIC)
    other = await yard.station("CP-2")
    with pytest.raises(ChargerOffline):
        await yard.pki.field.raise_profile(yard.who(), other.id, Profile.TLS_BASIC)
    with pytest.raises(Forbidden):
        await yard.pki.field.raise_profile(yard.who(Role.VIEWER), other.id, Profile.TLS_BASIC)
    await yard.build(tls_offered=False)
    with pytest.raises(Conflict, match="TLS"):
        await yard.pki.field.raise_profile(yard.who(), other.id, Profile.TLS_BASIC)


async def test_a_201_station_gets_a_network_profile_and_is_reset(yard: Yard) -> None:
    station = await yard.station()
    link = await yard.connect(tls=False, version="2.0.1")
    row = ConfigRow("NetworkConfigurationPriority", "1,3", component="OCPPCommCtrlr")
    link.replies[ReadConfiguration] = lambda asked: CommandResult(
        CommandStatus.ACCEPTED, "", {"rows": (row,)}
    )
    link.replies[Reset] = lambda asked: CommandResult(CommandStatus.SCHEDULED, "Scheduled")
    who, url = yard.who(), "wss://csms.example/ocpp"
    with pytest.raises(Invalid):
        await yard.pki.field.raise_profile(who, station.id, Profile.TLS_BASIC, url="ws://x")
    await yard.pki.field.raise_profile(who, station.id, Profile.TLS_BASIC, url=url)
    assert link.sent[-3:] == [
        SetNetworkProfile(2, url, 2),
        WriteConfiguration(ORDER, "2,1,3"),
        Reset(),
    ]
    with pytest.raises(Conflict, match="slot"):
        await yard.pki.field.raise_profile(who, station.id, Profile.TLS_BASIC, url=url, slot=3)


async def test_roots_are_put_on_a_station(yard: Yard) -> None:
    station = await yard.station()
    link = await yard.connect()
    assert await yard.pki.field.install_root(yard.who(), station.id, "csms_root") == "Accepted"
    (view,) = await yard.pki.authorities(yard.who())
    assert link.of(InstallRoot) == [InstallRoot("csms_root", view.root)]
    maker = Authority(yard.folder, "Maker").root
    await yard.pki.field.install_root(yard.who(), station.id, "manufacturer_root", maker)
    assert link.of(InstallRoot)[1] == InstallRoot("manufacturer_root", maker)
    for use, pem in (("tea_root", None), ("csms_root", "nothing"), ("csms_root", maker * 2)):
        with pytest.raises(Invalid):
            await yard.pki.field.install_root(yard.who(), station.id, use, pem)
    link.replies[InstallRoot] = lambda asked: CommandResult(CommandStatus.REJECTED, "Failed")
    with pytest.raises(ChargerRefused):
        await yard.pki.field.install_root(yard.who(), station.id, "csms_root")


async def test_what_a_station_holds_is_read_and_deleted_but_not_its_last_root(yard: Yard) -> None:
    station = await yard.station()
    link = await yard.connect()
    held: list[dict[str, Any]] = [HELD, {**HELD, "serial": "2"}]
    link.replies[ReadCertificates] = lambda asked: CommandResult(
        CommandStatus.ACCEPTED, "Accepted", {"certificates": tuple(held)}
    )
    field, who = yard.pki.field, yard.who()
    assert len((await field.read_installed(who, station.id)).installed) == 2
    await field.delete_installed(who, station.id, "SHA256", "1", "bb")
    assert link.of(DeleteCertificate) == [DeleteCertificate("SHA256", "aa", "bb", "1")]
    with pytest.raises(Conflict, match="last root"):
        await field.delete_installed(who, station.id, "SHA256", "2", "bb")
    with pytest.raises(NotFound):
        await field.delete_installed(who, station.id, "SHA256", "9", "bb")
    await yard.build()
    assert len(yard.pki.security(who, station.id).security.installed) == 1


async def test_security_events_are_kept_once_and_told(yard: Yard) -> None:
    await yard.station()
    link = await yard.connect(tls=False)
    at = yard.clock.now()
    for kind, info in (
        ("TamperDetectionActivated", "door"),
        ("tamperdetectionactivated", "door"),
        ("StartupOfTheDevice", ""),
        ("InvalidMessages", "x\x00y"),
        ("SomethingOfTheMaker" * 5, "z" * 400),
    ):
        await yard.chargers.security_event(link.station, kind, at, info)
    events = await yard.pki.events(yard.who())
    assert len(events) == 4, "said twice, kept once"
    critical = await yard.pki.events(yard.who(), EventFilter(critical=True))
    assert {e.kind for e in critical} == {"TamperDetectionActivated", "StartupOfTheDevice"}
    assert [e.info for e in await yard.pki.events(yard.who(), EventFilter(text="INVALIDM"))] == [
        "xy"
    ]
    alerts = {a.params["event"]: a.severity for a in yard.alerts.open_now(yard.org_id)}
    assert alerts == {"TamperDetectionActivated": "critical", "StartupOfTheDevice": "info"}
    yard.clock.advance(timedelta(days=2).total_seconds())
    await yard.pki.sweep()
    left = [alert.params["event"] for alert in yard.alerts.open_now(yard.org_id)]
    assert left == ["TamperDetectionActivated"], "what is everyday closes by itself"
    (alert,) = yard.alerts.open_now(yard.org_id)
    await yard.alerts.acknowledge(yard.who(), alert.id)
    await yard.build()
    await yard.pki.sweep()
    assert yard.alerts.open_now(yard.org_id) == []
    yard.clock.advance(timedelta(days=800).total_seconds())
    await yard.pki.drop_old()
    assert await yard.pki.events(yard.who()) == []
