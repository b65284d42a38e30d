"""A new root beside the old one: nobody is cut, and the old one goes once nobody uses it."""

import pytest
from pki_charger import PASSWORD, charger, tls
from pki_house import House
from pki_yard import Yard

from voltyard.chargers.commands import GiveCertificate, InstallRoot
from voltyard.chargers.model import Admission
from voltyard.errors import Conflict, Forbidden, NotFound
from voltyard.pki.model import Algorithm, CertificateState, Policy
from voltyard.tenancy.model import Role

EC = Algorithm.EC


async def test_both_roots_are_trusted_until_the_old_one_is_retired(yard: Yard) -> None:
    station = await yard.station()
    link = await yard.connect(tls=False)
    assert await yard.ask(link, yard.keys("old"))
    old_chain = link.of(GiveCertificate)[0].chain
    await yard.connect(chain=old_chain, password=None)
    new, old = await yard.pki.succeed(yard.who(), EC)
    assert (new.generation, new.current, old.generation, old.current) == (2, True, 1, False)
    assert new.subject != old.subject
    await yard.build()
    link = await yard.connect(chain=old_chain, password=None)
    await yard.pki.field.install_root(yard.who(), station.id, "csms_root")
    assert [asked.certificate for asked in link.of(InstallRoot)] == [new.root]
    with pytest.raises(Conflict, match="renew those first"):
        await yard.pki.retire(yard.who(), EC, 1)
    assert await yard.ask(link, yard.keys("new"))
    new_chain = link.of(GiveCertificate)[0].chain
    assert new.issuing in new_chain
    await yard.connect(chain=new_chain, password=None)
    states = {row.state for row in await yard.rows(station)}
    assert states == {CertificateState.IN_USE, CertificateState.REPLACED}
    assert (await yard.knock("CP-1", chain=old_chain, password=None))[0] is Admission.ACCEPT
    await yard.pki.retire(yard.who(), EC, 1)
    for _ in range(2):
        assert (await yard.knock("CP-1", chain=old_chain, password=None))[0] is not Admission.ACCEPT
        assert (await yard.knock("CP-1", chain=new_chain, password=None))[0] is Admission.ACCEPT
        await yard.build()
    with pytest.raises(NotFound):
        await yard.pki.retire(yard.who(), EC, 1)
    assert {"pki.succeed", "pki.retire"} <= set(yard.audited)


async def test_only_who_may_changes_the_root(yard: Yard) -> None:
    with pytest.raises(NotFound):
        await yard.pki.succeed(yard.who(), EC)
    await yard.pki.authorities(yard.who())
    for role in (Role.TECHNICIAN, Role.VIEWER):
        with pytest.raises(Forbidden):
            await yard.pki.succeed(yard.who(role), EC)
        with pytest.raises(Forbidden):
            await yard.pki.retire(yard.who(role), EC, 1)
    await yard.pki.succeed(yard.who(), EC)
    views = await yard.pki.succeed(yard.who(), EC)
    assert [view.generation for view in views] == [3, 2, 1]
    with pytest.raises(NotFound):
        await yard.pki.retire(yard.who(), EC, 3)
    assert (await yard.pki.revocation_list(yard.who(), EC, 2)).startswith("-----BEGIN X509 CRL")


async def test_the_old_root_is_enough_to_know_the_server_by(house: House) -> None:
    """OpenSSL on the charger's side: with the old root alone, and with the new one alone."""
    await house.station("CP-1")
    old = await house.root()
    async with charger(house.secure, "CP-1", tls(old), password=PASSWORD) as plugged:
        assert (await plugged.call("Heartbeat", {}))["currentTime"]
    for algorithm in Algorithm:
        views = await house.pki.succeed(house.who, algorithm)
    new = "".join(view.root for view in views if view.current)
    for roots in (old, new):
        async with charger(house.secure, "CP-1", tls(roots), password=PASSWORD) as plugged:
            assert (await plugged.call("Heartbeat", {}))["currentTime"]


async def test_a_certificate_of_the_new_root_is_taken_at_the_port_at_once(house: House) -> None:
    await house.station("CP-1")
    await house.pki.set_policy(house.who, Policy(organisation="Yard"))
    old, keys = await house.root(), house.keys("CP-1")
    for algorithm in Algorithm:
        await house.pki.succeed(house.who, algorithm)
    async with charger(house.secure, "CP-1", tls(old), password=PASSWORD) as plugged:
        await plugged.call("SignCertificate", {"csr": keys.request("CP-1", "Yard")})
        given = await plugged.wait_for("CertificateSigned")
        keys.chain.write_text(given["certificateChain"])
    async with charger(house.secure, "CP-1", tls(old, keys)) as plugged:
        assert (await plugged.call("Heartbeat", {}))["currentTime"]
