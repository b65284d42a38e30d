"""A password is exchanged (A01); one step for many; every station at a glance."""

import pytest
from pki_yard import PASSWORD, Yard

from voltyard.chargers.commands import (
    CommandResult,
    CommandStatus,
    InstallRoot,
    Trigger,
    WriteConfiguration,
)
from voltyard.chargers.model import Admission
from voltyard.errors import (
    ChargerOffline,
    ChargerRefused,
    ChargerTimeout,
    Conflict,
    Forbidden,
    Invalid,
    NotFound,
)
from voltyard.ids import new_id
from voltyard.pki.model import CertificateState, EventFilter, Profile
from voltyard.pki.overview import Concern, SecurityFilter
from voltyard.pki.rotation import new_password
from voltyard.pki.rounds import Order, Step
from voltyard.tenancy.model import Role

REJECTED = CommandResult(CommandStatus.REJECTED, "Rejected")


def told(link: object) -> str:
    """The password the charger was told last."""
    asked = link.of(WriteConfiguration)[-1]  # type: ignore[attr-defined]
    return str(asked.value)


async def test_the_old_password_holds_until_the_station_comes_with_the_new_one(yard: Yard) -> None:
    station = await yard.station()
    link = await yard.connect(tls=False)
    waiting = await yard.pki.rotation.rotate(yard.who(), station.id)
    assert link.of(WriteConfiguration)[-1].key == "AuthorizationKey"
    assert told(link) not in waiting.next_passwords, "only its hash is kept"
    assert (await yard.knock("CP-1", tls=False))[0] is Admission.ACCEPT
    assert (await yard.knock("CP-1", password="another", tls=False))[0] is Admission.UNAUTHORISED
    await yard.build()
    assert (await yard.knock("CP-1", password=told(link), tls=False))[0] is Admission.ACCEPT
    security = yard.pki.security(yard.who(), station.id).security
    assert security.next_passwords == ""
    assert security.password_changed_at == yard.clock.now()
    assert (await yard.knock("CP-1", password=PASSWORD, tls=False))[0] is Admission.UNAUTHORISED
    await yard.build()
    assert (await yard.knock("CP-1", password=told(link), tls=False))[0] is Admission.ACCEPT


async def test_a_station_that_refuses_keeps_its_password(yard: Yard) -> None:
    station = await yard.station()
    link = await yard.connect(tls=False, version="2.0.1")
    link.replies[WriteConfiguration] = lambda asked: REJECTED
    with pytest.raises(ChargerRefused):
        await yard.pki.rotation.rotate(yard.who(), station.id)
    assert link.of(WriteConfiguration)[-1].key == "SecurityCtrlr.BasicAuthPassword"
    assert yard.pki.security(yard.who(), station.id).security.next_passwords == ""
    assert (await yard.knock("CP-1", password=told(link), tls=False))[0] is Admission.UNAUTHORISED


async def test_a_station_whose_answer_was_lost_may_have_taken_it(yard: Yard) -> None:
    station = await yard.station()
    link = await yard.connect(tls=False)
    link.replies[WriteConfiguration] = lambda asked: ChargerTimeout("no answer")
    for _ in range(5):
        with pytest.raises(ChargerTimeout):
            await yard.pki.rotation.rotate(yard.who(), station.id)
    kept = yard.pki.security(yard.who(), station.id).security.next_passwords.split()
    assert len(kept) == 3, "the newest few"
    assert (await yard.knock("CP-1", password=told(link), tls=False))[0] is Admission.ACCEPT


async def test_who_uses_no_password_is_given_none(yard: Yard) -> None:
    station = await yard.station()
    with pytest.raises(ChargerOffline):
        await yard.pki.rotation.rotate(yard.who(), station.id)
    link = await yard.connect(tls=False)
    assert await yard.ask(link, yard.keys())
    chain = (await yard.rows(station))[0].chain
    await yard.connect(chain=chain, password=None)
    with pytest.raises(Conflict, match="no password"):
        await yard.pki.rotation.rotate(yard.who(), station.id)
    with pytest.raises(Forbidden):
        await yard.pki.rotation.rotate(yard.who(Role.DISPATCHER), station.id)


def test_a_key_of_16_reads_the_same_as_bytes_and_as_text() -> None:
    text = new_password("1.6")
    assert len(text) == 40
    with pytest.raises(UnicodeDecodeError):
        bytes.fromhex(text).decode()
    assert bytes.fromhex(text).hex().upper() == text
    assert 16 <= len(new_password("2.0.1")) <= 40
    assert new_password("2.1").isalnum()


async def test_a_step_goes_to_many_and_each_comes_to_its_own_end(yard: Yard) -> None:
    good, bad, away = [(await yard.station(name)).id for name in ("CP-1", "CP-2", "CP-3")]
    first = await yard.connect("CP-1", tls=False)
    second = await yard.connect("CP-2", tls=False)
    second.replies[InstallRoot] = lambda asked: REJECTED
    who = yard.who(Role.TECHNICIAN)
    made = await yard.pki.rounds.start(who, Order(Step.ROOT), [good, bad, away, good])
    await yard.pki.settle()
    assert made.ended_at is not None
    assert [made.done[each].ok for each in (good, bad, away)] == [True, False, False]
    assert made.failed == 2
    assert len(first.of(InstallRoot)) == 1
    assert yard.pki.rounds.newest(who) == [made]
    renewed = await yard.pki.rounds.start(who, Order(Step.CERTIFICATE), [good])
    await yard.pki.settle()
    assert renewed.done[good].ok
    assert first.of(Trigger) == [Trigger("certificate")]


async def test_a_step_is_for_ones_own_stations_and_those_who_may(yard: Yard) -> None:
    station = await yard.station()
    other = yard.who(org_id=new_id())
    made = await yard.pki.rounds.start(yard.who(), Order(Step.ROOT), [station.id])
    await yard.pki.settle()
    with pytest.raises(NotFound):
        yard.pki.rounds.get(other, made.id)
    assert yard.pki.rounds.newest(other) == []
    with pytest.raises(NotFound):
        await yard.pki.rounds.start(other, Order(Step.ROOT), [station.id])
    with pytest.raises(Forbidden):
        await yard.pki.rounds.start(yard.who(Role.VIEWER), Order(Step.ROOT), [station.id])
    with pytest.raises(Invalid, match="Say why"):
        await yard.pki.rounds.start(yard.who(), Order(Step.REVOKE), [station.id])
    with pytest.raises(Invalid, match="at least one"):
        await yard.pki.rounds.start(yard.who(), Order(Step.ROOT), [])


async def test_every_station_at_a_glance(yard: Yard) -> None:
    station = await yard.station()
    await yard.station("CP-2")
    link = await yard.connect(tls=False)
    other = await yard.connect("CP-2")
    assert await yard.ask(link, yard.keys())
    (row, second) = await yard.pki.overview.rows(yard.who())
    assert row.held is not None
    assert row.held.state is CertificateState.INSTALLED
    assert (row.now, row.tls, row.behind, row.failed) == (Profile.BASIC, False, False, False)
    assert (second.now, second.held, second.tls) == (Profile.TLS_BASIC, None, True)
    await yard.pki.field.raise_profile(yard.who(), station.id, Profile.TLS_CERTIFICATE)
    await yard.chargers.security_event(
        other.station, "TamperDetectionActivated", yard.clock.now(), "door"
    )
    await yard.chargers.security_event(other.station, "StartupOfTheDevice", yard.clock.now(), "")

    async def found(concern: Concern) -> list[str]:
        rows = await yard.pki.overview.rows(yard.who(), SecurityFilter(concern=concern))
        return [row.view.identity for row in rows]

    assert await found(Concern.BEHIND) == ["CP-1"]
    assert await found(Concern.NO_CERTIFICATE) == ["CP-2"]
    assert await found(Concern.EVENTS) == ["CP-2"], "starts are everyday"
    assert await found(Concern.CLEAR) == ["CP-1"]
    assert await found(Concern.ENDS) == await found(Concern.FAILED) == []
    yard.clock.advance(340 * 86_400)
    assert await found(Concern.ENDS) == ["CP-1"]
    serial = row.held.serial or ""
    rows = await yard.pki.overview.rows(yard.who(), SecurityFilter(text=serial.upper()))
    assert [row.view.identity for row in rows] == ["CP-1"]
    await yard.pki.revoke(yard.who(), row.held.id, "lost")
    assert await found(Concern.FAILED) == ["CP-1"]


async def test_a_station_that_is_away_loses_its_certificate_too(yard: Yard) -> None:
    station = await yard.station()
    link = await yard.connect(tls=False)
    with pytest.raises(Conflict, match="no certificate"):
        await yard.pki.revoke_shown(yard.who(), station.id, "lost")
    assert await yard.ask(link, yard.keys())
    chain = (await yard.rows(station))[0].chain
    await yard.build()
    await yard.pki.revoke_shown(yard.who(), station.id, "lost")
    assert [row.state for row in await yard.rows(station)] == [CertificateState.REVOKED]
    assert (await yard.knock("CP-1", chain=chain))[0] is Admission.UNAUTHORISED


async def test_security_events_are_found_by_charger_kind_and_weight(yard: Yard) -> None:
    for name in ("CP-1", "CP-2"):
        await yard.station(name)
        link = await yard.connect(name, tls=False)
        await yard.chargers.security_event(link.station, "MemoryExhaustion", yard.clock.now(), name)
        await yard.chargers.security_event(link.station, "Odd", yard.clock.now(), name)
    view, who = yard.pki.overview, yard.who()

    async def count(charger: str = "", **wanted: object) -> int:
        found, total = await view.events(
            who,
            EventFilter(**wanted),  # type: ignore[arg-type]
            charger,
            limit=1,
            offset=0,
        )
        assert len(found) == min(1, total)
        return total

    assert await count() == 4
    assert await count("cp-2") == 2
    assert await count("nobody") == 0
    assert await count("CP-1", critical=True) == 1
    assert await count(kind="Odd") == 2
    assert await view.event_kinds(who) == ["MemoryExhaustion", "Odd"]
    assert await view.event_kinds(yard.who(org_id=new_id())) == []
    other = await view.events(yard.who(org_id=new_id()), EventFilter(), "", limit=9, offset=0)
    assert other == ([], 0)
