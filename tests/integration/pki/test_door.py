"""Who is let in: profiles never fall, certificates are their station's own, trust can end."""

import asyncio
from uuid import uuid4

import pytest
from pki_openssl import Authority, openssl
from pki_yard import PASSWORD, PlayedLink, Yard

from voltyard.chargers.commands import GiveCertificate, Trigger
from voltyard.chargers.model import Admission, StationState
from voltyard.errors import Conflict, Forbidden, Invalid, NotFound
from voltyard.pki.model import (
    Algorithm,
    AnchorUse,
    CertificateState,
    EventFilter,
    Policy,
    Profile,
)
from voltyard.tenancy.model import Role

IN, OUT = Admission.ACCEPT, Admission.UNAUTHORISED


async def certified(yard: Yard, identity: str = "CP-1") -> str:
    """A station with a certificate of the built-in authority: its chain."""
    await yard.station(identity)
    link = await yard.connect(identity)
    assert await yard.ask(link, yard.keys(identity), cn=identity)
    chain: str = link.of(GiveCertificate)[0].chain
    return chain


async def test_each_profile_is_held_once_it_was_shown(yard: Yard) -> None:
    station = await yard.station()
    await yard.connect(tls=False)
    assert yard.required(station) is Profile.NONE, "passwords in the clear need no remembering"
    link = await yard.connect(tls=True)
    assert yard.required(station) is Profile.TLS_BASIC
    assert (await yard.knock("CP-1", tls=False))[0] is OUT
    assert await yard.ask(link, yard.keys())
    chain = link.of(GiveCertificate)[0].chain
    assert (await yard.knock("CP-1"))[0] is IN, "nothing is raised before it has connected so"
    await yard.connect(chain=chain, password=None)
    assert yard.required(station) is Profile.TLS_CERTIFICATE
    assert (await yard.knock("CP-1"))[0] is OUT
    assert "profile 2, 3 is required" in yard.flags(station)["profile_too_low"]
    await yard.build()
    assert (await yard.knock("CP-1"))[0] is OUT, "after a restart, too"
    assert (await yard.knock("CP-1", chain=chain, password=None))[0] is IN


async def test_a_wrong_password_raises_nothing(yard: Yard) -> None:
    station = await yard.station()
    assert (await yard.knock("CP-1", password="wrong wrong wrong"))[0] is OUT
    await yard.connect(tls=False)
    assert yard.required(station) is Profile.NONE


async def test_the_house_can_ask_for_more(yard: Yard) -> None:
    await yard.build(lowest=Profile.TLS_BASIC)
    await yard.station()
    assert (await yard.knock("CP-1", tls=False))[0] is OUT
    assert (await yard.knock("CP-1"))[0] is IN
    assert (await yard.knock("NEW-1", tls=False))[0] is OUT


async def test_a_certificate_is_for_its_station_alone(yard: Yard) -> None:
    chain = await certified(yard, "CP-1")
    other = await yard.station("CP-2")
    for password in (None, PASSWORD):
        assert (await yard.knock("CP-2", chain=chain, password=password))[0] is OUT
    assert "CP-1" in yard.flags(other)["certificate_of_another"]
    events = await yard.pki.events(yard.who(), EventFilter(source="voltyard"))
    assert [e.kind for e in events] == ["InvalidChargingStationCertificate"], "told once an hour"
    assert "connection_refused" in yard.open_alerts()
    await yard.connect("CP-2")
    assert "connection_refused" not in yard.open_alerts()


async def test_a_certificate_counts_only_over_tls(yard: Yard) -> None:
    chain = await certified(yard)
    assert (await yard.knock("CP-1", chain=chain, tls=False, password=None))[0] is OUT


async def test_a_certificate_ends(yard: Yard) -> None:
    chain = await certified(yard)
    link = await yard.connect(chain=chain, password=None)
    yard.clock.advance(366 * 86_400)
    assert (await yard.knock("CP-1", chain=chain, password=None))[0] is OUT
    assert link.closed is None, "who is connected may finish"


async def test_a_revoked_certificate_opens_nothing_more(yard: Yard) -> None:
    chain = await certified(yard)
    link = await yard.connect(chain=chain, password=None)
    (row,) = await yard.rows()
    with pytest.raises(Forbidden):
        await yard.pki.revoke(yard.who(Role.VIEWER), row.id, "lost")
    with pytest.raises(NotFound):
        await yard.pki.revoke(yard.who(org_id=uuid4()), row.id, "lost")
    await yard.pki.revoke(yard.who(Role.TECHNICIAN), row.id, "lost")
    assert link.closed is not None
    assert (await yard.knock("CP-1", chain=chain, password=PASSWORD))[0] is OUT
    await yard.build()
    assert (await yard.knock("CP-1", chain=chain, password=PASSWORD))[0] is OUT
    assert (await yard.rows())[0].state is CertificateState.REVOKED
    with pytest.raises(Conflict):
        await yard.pki.revoke(yard.who(), row.id, "again")
    crl = yard.folder / "voltyard.crl"
    crl.write_text(await yard.pki.revocation_list(yard.who(), Algorithm.EC))
    assert (row.serial or "").upper() in openssl("crl", "-in", crl, "-noout", "-text")


async def test_revoked_between_door_and_connection(yard: Yard) -> None:
    chain = await certified(yard)
    admission, station = await yard.knock("CP-1", chain=chain, password=None)
    assert admission is IN
    assert station is not None
    await yard.pki.revoke_shown(yard.who(), station.id, "lost")
    late = PlayedLink(station.ref)
    await yard.chargers.connected(late)
    assert late.closed is not None


async def test_a_maker_vouches_until_the_operator_does(yard: Yard) -> None:
    """A00.FR.406: known by its serial number, then given a certificate of ours."""
    maker = Authority(yard.folder, "Maker")
    keys = yard.keys("factory")
    factory = maker.sign(keys.request("SN-4711", "Maker"))
    assert (await yard.knock("CP-9", chain=factory, password=None))[0] is OUT
    await yard.pki.trust(yard.who(), "Maker", AnchorUse.MANUFACTURER, maker.root)
    link = await yard.connect("CP-10", chain=factory, password=None)
    station = yard.chargers.station(link.station.id)
    assert station is not None
    assert station.state is StationState.PENDING, "a person still approves it"
    view = yard.pki.security(yard.who(), station.id)
    assert view.security.certificate_name == "SN-4711"
    assert (await yard.knock("CP-11", chain=factory, password=None))[0] is OUT, "one name, one"
    await yard.chargers.approve(yard.who(), station.id)
    await yard.boots(link)
    assert link.of(Trigger) == [Trigger("boot"), Trigger("certificate")]
    assert await yard.ask(link, yard.keys("own"), cn="SN-4711")
    chain = link.of(GiveCertificate)[0].chain
    again = await yard.connect("CP-10", chain=chain, password=None)
    await yard.boots(again)
    assert again.of(Trigger) == []
    assert not yard.pki.security(yard.who(), station.id).security.by_manufacturer


async def test_a_maker_says_nothing_of_stations_it_was_not_asked_about(yard: Yard) -> None:
    maker = Authority(yard.folder, "Maker")
    await yard.pki.trust(yard.who(), "Maker", AnchorUse.MANUFACTURER, maker.root)
    station = await yard.station()
    factory = maker.sign(yard.keys("factory").request("SN-1", "Maker"))
    assert (await yard.knock("CP-1", chain=factory, password=None))[0] is OUT
    await yard.connect(chain=factory, password=PASSWORD)
    assert yard.required(station) is Profile.TLS_BASIC, "it counts as a password over TLS"
    await yard.pki.set_certificate_name(yard.who(), station.id, "SN-1")
    await yard.connect(chain=factory, password=None)
    assert yard.required(station) is Profile.TLS_CERTIFICATE


async def test_what_one_organisation_trusts_is_nothing_to_another(yard: Yard) -> None:
    rogue = Authority(yard.folder, "Rogue")
    other = uuid4()
    await yard.organisation(other)
    await yard.pki.trust(yard.who(org_id=other), "Rogue", AnchorUse.OPERATOR, rogue.root)
    await yard.station()
    forged = rogue.sign(yard.keys().request("CP-1"))
    assert (await yard.knock("CP-1", chain=forged, password=None))[0] is OUT
    assert yard.pki.anchors(yard.who()) == []
    (theirs,) = yard.pki.anchors(yard.who(org_id=other))
    with pytest.raises(NotFound):
        await yard.pki.distrust(yard.who(), theirs.id)
    assert rogue.root.strip() in yard.pki.trusted_pem(), "TLS lets it through, the door does not"


async def test_the_operators_own_authority_and_its_revocations(yard: Yard) -> None:
    corporate = Authority(yard.folder, "Corporate")
    station = await yard.station()
    with pytest.raises(Forbidden):
        await yard.pki.trust(yard.who(Role.TECHNICIAN), "C", AnchorUse.OPERATOR, corporate.root)
    (anchor,) = await yard.pki.trust(yard.who(), "C", AnchorUse.OPERATOR, corporate.root)
    with pytest.raises(Conflict):
        await yard.pki.trust(yard.who(), "C", AnchorUse.OPERATOR, corporate.root)
    stranger = corporate.sign(yard.keys("s").request("CP-1", "Somebody"))
    assert (await yard.knock("CP-1", chain=stranger, password=PASSWORD))[0] is OUT
    mine = corporate.sign(yard.keys("m").request("CP-1", "Yard Ltd"))
    link = await yard.connect(chain=mine, password=None)
    crl = corporate.revoke(mine)
    elsewhere = yard.folder / "elsewhere"
    elsewhere.mkdir()
    forged = Authority(elsewhere, "Corporate").revoke(mine)
    with pytest.raises(Invalid):
        await yard.pki.import_revocations(yard.who(), forged)
    assert await yard.pki.import_revocations(yard.who(), crl) == 1
    assert link.closed is not None
    assert (await yard.knock("CP-1", chain=mine, password=None))[0] is OUT
    new = corporate.sign(yard.keys("n").request("CP-1"))
    link = await yard.connect(chain=new, password=None)
    await yard.pki.distrust(yard.who(), anchor.id)
    assert link.closed is not None
    assert (await yard.knock("CP-1", chain=new, password=None))[0] is OUT
    assert yard.required(station) is Profile.TLS_CERTIFICATE


async def test_what_is_no_authority_is_not_trusted(yard: Yard) -> None:
    chain = await certified(yard)
    leaf = chain.partition("-----END CERTIFICATE-----\n")[0] + "-----END CERTIFICATE-----\n"
    for pem in (leaf, "nothing"):
        with pytest.raises(Invalid):
            await yard.pki.trust(yard.who(), "x", AnchorUse.OPERATOR, pem)


async def test_the_way_down_is_a_persons_word(yard: Yard) -> None:
    chain = await certified(yard)
    link = await yard.connect(chain=chain, password=None)
    who = yard.who()
    with pytest.raises(Forbidden):
        await yard.pki.set_required(
            yard.who(Role.TECHNICIAN), link.station.id, Profile.BASIC, "reset"
        )
    with pytest.raises(Invalid):
        await yard.pki.set_required(who, link.station.id, Profile.BASIC, " ")
    await yard.pki.set_required(who, link.station.id, Profile.BASIC, "was reset")
    assert "station.profile" in yard.audited
    low = await yard.connect(tls=False)
    await yard.pki.set_required(who, low.station.id, Profile.TLS_BASIC, "enough")
    assert low.closed is not None


async def test_what_happens_at_a_time_is_all_kept(yard: Yard) -> None:
    """A request asked for while the station comes with a higher profile: neither is lost."""
    station = await yard.station()
    _, known = await yard.knock("CP-1")
    assert known is not None
    link = PlayedLink(known.ref)
    name = yard.pki.set_certificate_name(yard.who(), station.id, "SN-1")
    now = yard.clock.now()
    asked = yard.pki.change(station.id, yard.org_id, renewal_asked_at=now)
    await asyncio.gather(name, yard.chargers.connected(link), asked)
    for _ in range(2):
        security = yard.pki.security(yard.who(), station.id).security
        assert security.required is Profile.TLS_BASIC
        assert (security.certificate_name, security.renewal_asked_at) == ("SN-1", now)
        await yard.build()


async def test_policies_are_checked(yard: Yard) -> None:
    for wrong in (
        Policy(valid_days=0),
        Policy(valid_days=10, renew_days=10),
        Policy(organisation="x" * 65),
    ):
        with pytest.raises(Invalid):
            await yard.pki.set_policy(yard.who(), wrong)
    with pytest.raises(Forbidden):
        await yard.pki.set_policy(yard.who(Role.TECHNICIAN), Policy())
