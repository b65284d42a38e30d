"""From a request to a certificate in use: what is signed, refused, sent again, renewed."""

from datetime import timedelta
from uuid import uuid4

import pytest
from pki_openssl import Authority, verified
from pki_yard import PASSWORD, Yard

from voltyard.chargers.commands import (
    CommandResult,
    CommandStatus,
    GiveCertificate,
    Trigger,
    WriteConfiguration,
)
from voltyard.chargers.model import ConfigRow
from voltyard.errors import ChargerOffline, ChargerRefused, Conflict, Forbidden, Invalid, NotFound
from voltyard.pki.model import AnchorUse, CertificateState, Issuer, Policy, Profile
from voltyard.tenancy.model import Role

REJECTED = CommandResult(CommandStatus.REJECTED, "Rejected")


async def test_what_must_not_be_signed_is_refused_kept_and_told(yard: Yard) -> None:
    station = await yard.station()
    link = await yard.connect()
    keys = yard.keys()
    for request, why in (
        (keys.request("CP-2"), "CN is CP-2"),
        (keys.request("CP-1", "Other"), "O is Other"),
        (yard.keys("weak", "weak").request("CP-1"), "1024 bits"),
        ("no request at all", "cannot be read"),
        (keys.request("CP-1") + "x" * 6000, "longer"),
    ):
        assert not await yard.ask_by(link, request)
        row = (await yard.rows(station))[0]
        assert (row.state, why in row.reason) == (CertificateState.REFUSED, True), row.reason
    assert not await yard.ask_by(link, keys.request("CP-1"), use="V2GCertificate")
    assert link.of(GiveCertificate) == []
    assert "csr_refused" in yard.flags(station)
    assert "ISO 15118" in yard.open_alerts()["certificate_refused"].params["reason"]
    assert await yard.ask(link, keys)
    assert "certificate_refused" not in yard.open_alerts()


async def test_any_organisation_if_the_policy_lets_it_through(yard: Yard) -> None:
    await yard.station()
    link = await yard.connect()
    await yard.pki.set_policy(yard.who(), Policy(organisation="Yard", any_organisation=True))
    assert await yard.ask(link, yard.keys(), o="Factory")
    (given,) = link.of(GiveCertificate)
    root = "".join(view.root for view in await yard.pki.authorities(yard.who()))
    assert ": OK" in verified(given.chain, root, yard.folder)
    assert "O=Yard" in (await yard.rows())[0].subject


async def test_one_key_one_station(yard: Yard) -> None:
    await yard.station("CP-1")
    await yard.station("CP-2")
    keys = yard.keys()
    assert await yard.ask(await yard.connect("CP-1"), keys)
    other = await yard.connect("CP-2")
    assert not await yard.ask(other, keys, cn="CP-2")
    assert "same key" in (await yard.rows(other.station))[0].reason


async def test_a_request_repeated_is_the_same_one(yard: Yard) -> None:
    """A02.FR.17: stations repeat until the certificate comes."""
    await yard.station()
    link = await yard.connect()
    link.replies[GiveCertificate] = lambda asked: ChargerOffline("gone")
    keys = yard.keys()
    assert await yard.ask(link, keys)
    assert await yard.ask(link, keys)
    (row,) = await yard.rows()
    assert row.state is CertificateState.ISSUED
    link.replies.clear()
    assert await yard.ask(link, keys)
    assert [r.state for r in await yard.rows()] == [CertificateState.INSTALLED]


async def test_requests_have_a_bound(yard: Yard) -> None:
    station = await yard.station()
    link = await yard.connect()
    for _ in range(25):
        await yard.chargers.certificate_requested(link.station, "nonsense")
    assert len(await yard.rows()) == 20
    assert "csr_too_many" in yard.flags(station)


async def test_a_certificate_waits_for_a_station_that_is_gone(yard: Yard) -> None:
    await yard.station()
    link = await yard.connect()
    link.replies[GiveCertificate] = lambda asked: ChargerOffline("gone")
    assert await yard.ask(link, yard.keys())
    await yard.chargers.disconnected(link, "lost")
    await yard.build()
    link = await yard.connect()
    assert link.of(GiveCertificate) == []
    await yard.boots(link)
    assert len(link.of(GiveCertificate)) == 1
    assert (await yard.rows())[0].state is CertificateState.INSTALLED


async def test_what_a_station_does_not_take_is_told(yard: Yard) -> None:
    await yard.station()
    link = await yard.connect()
    for reply in (REJECTED, ChargerRefused("no", detail="NotImplemented")):
        link.replies[GiveCertificate] = lambda asked, reply=reply: reply
        assert await yard.ask(link, yard.keys())
        assert (await yard.rows())[0].state is CertificateState.REJECTED
        assert yard.open_alerts()["certificate_refused"].params["by"] == "charger"


@pytest.mark.parametrize(
    "row",
    [
        ConfigRow("CertificateSignedMaxChainSize", "900", readonly=True),
        ConfigRow("MaxCertificateChainSize", "900", component="SecurityCtrlr"),
    ],
)
async def test_no_more_of_the_chain_than_a_station_takes(yard: Yard, row: ConfigRow) -> None:
    await yard.station()
    link = await yard.connect()
    await yard.chargers.configuration_reported(link.station, [row], complete=False)
    assert await yard.ask(link, yard.keys())
    (given,) = link.of(GiveCertificate)
    assert given.chain.count("BEGIN CERTIFICATE") == 1
    await yard.connect(chain=given.chain, password=None)


async def test_an_authority_elsewhere_signs_by_hand(yard: Yard) -> None:
    station = await yard.station()
    await yard.pki.set_policy(yard.who(), Policy(organisation="Yard", issuer=Issuer.EXTERNAL))
    link = await yard.connect()
    keys = yard.keys()
    assert await yard.ask(link, keys)
    (row,) = await yard.rows()
    assert row.state is CertificateState.WAITING
    assert "certificate_waiting" in yard.open_alerts()
    assert link.of(GiveCertificate) == []
    corporate = Authority(yard.folder, "Corporate")
    chain = corporate.sign(row.csr)
    with pytest.raises(Invalid, match="trusted as the operator's"):
        await yard.pki.upload(yard.who(), row.id, chain)
    await yard.pki.trust(yard.who(), "Corporate CA", AnchorUse.OPERATOR, corporate.root)
    with pytest.raises(Invalid, match="key of this request"):
        await yard.pki.upload(yard.who(), row.id, corporate.sign(yard.keys("b").request("CP-1")))
    with pytest.raises(Forbidden):
        await yard.pki.upload(yard.who(Role.VIEWER), row.id, chain)
    await yard.pki.upload(yard.who(Role.TECHNICIAN), row.id, chain)
    (given,) = link.of(GiveCertificate)
    assert ": OK" in verified(given.chain, corporate.root, yard.folder)
    assert "certificate_waiting" not in yard.open_alerts()
    await yard.connect(chain=given.chain, password=None)
    assert yard.required(station) is Profile.TLS_CERTIFICATE
    with pytest.raises(Conflict):
        await yard.pki.upload(yard.who(), row.id, chain)
    with pytest.raises(NotFound):
        await yard.pki.certificate(yard.who(org_id=uuid4()), row.id)


async def test_with_its_key_lost_an_authority_is_believed_but_issues_no_more(yard: Yard) -> None:
    await yard.station()
    link = await yard.connect()
    assert await yard.ask(link, yard.keys())
    chain = link.of(GiveCertificate)[0].chain
    (yard.folder / "pki.key").unlink()
    await yard.build()
    link = await yard.connect(chain=chain, password=None)
    assert await yard.ask(link, yard.keys("new"))
    row = (await yard.rows())[0]
    assert (row.state, "key" in row.reason) == (CertificateState.REFUSED, True)
    assert len(await yard.pki.authorities(yard.who())) == 1, "its root is no secret"


async def test_certificates_are_renewed_before_they_end(yard: Yard) -> None:
    await yard.station()
    link = await yard.connect()
    assert await yard.ask(link, yard.keys())
    await yard.pki.sweep()
    assert link.of(Trigger) == []
    yard.clock.advance(timedelta(days=340).total_seconds())
    await yard.pki.sweep()
    await yard.pki.sweep()
    assert link.of(Trigger) == [Trigger("certificate")]
    assert link.of(WriteConfiguration) == [WriteConfiguration("CpoName", "Yard")]
    yard.clock.advance(timedelta(days=15).total_seconds())
    await yard.pki.sweep()
    assert len(link.of(Trigger)) == 2, "asked again once a day has passed"
    assert yard.open_alerts()["certificate_ends"].severity == "warning"
    yard.clock.advance(timedelta(days=8).total_seconds())
    await yard.pki.sweep()
    assert yard.open_alerts()["certificate_ends"].severity == "critical"
    assert await yard.ask(link, yard.keys("new"))
    await yard.pki.sweep()
    assert "certificate_ends" not in yard.open_alerts()


async def test_a_station_without_the_key_for_a_name_is_asked_nevertheless(yard: Yard) -> None:
    station = await yard.station()
    link = await yard.connect(version="2.0.1")
    link.replies[WriteConfiguration] = lambda asked: CommandResult(CommandStatus.NOT_SUPPORTED, "x")
    await yard.pki.renew(yard.who(Role.TECHNICIAN), station.id)
    assert [type(c) for c in link.sent] == [WriteConfiguration, Trigger]
    assert link.sent[0] == WriteConfiguration("SecurityCtrlr.OrganizationName", "Yard")
    assert "cpo_name_refused" in yard.flags(station)
    link.replies[Trigger] = lambda asked: REJECTED
    with pytest.raises(ChargerRefused):
        await yard.pki.renew(yard.who(), station.id)
    with pytest.raises(Forbidden):
        await yard.pki.renew(yard.who(Role.VIEWER), station.id)


async def test_no_certificate_ever_names_a_station_of_others(yard: Yard) -> None:
    """The built-in authority is everybody's: what names mine must not name theirs."""
    other = uuid4()
    await yard.organisation(other)
    theirs = await yard.chargers.create_station(yard.who(org_id=other), "THEIRS", password=PASSWORD)
    mine = await yard.station()
    with pytest.raises(Conflict):
        await yard.pki.set_certificate_name(yard.who(), mine.id, "THEIRS")
    await yard.pki.set_certificate_name(yard.who(), mine.id, "SN-1")
    link = await yard.connect()
    keys = yard.keys()
    assert await yard.ask(link, keys, cn="SN-1")
    (given,) = link.of(GiveCertificate)
    await yard.connect(chain=given.chain, password=None)
    await yard.chargers.create_station(yard.who(org_id=other), "SN-1", password=PASSWORD)
    assert (await yard.knock("SN-1", chain=given.chain, password=PASSWORD))[0] == "unauthorised"
    assert await yard.ask(link, yard.keys("again"), cn="SN-1")
    assert "another station" in (await yard.rows(mine))[0].reason
    assert theirs.org_id == other
