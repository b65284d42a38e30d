"""Security profile 3 end to end: keys and requests by OpenSSL, real sockets, verified by it."""

import ssl

import pytest
from pki_charger import PASSWORD, Charger, charger, tls
from pki_house import House
from pki_openssl import Authority, Keys, verified
from websockets.exceptions import InvalidMessage, InvalidStatus

from voltyard.pki.model import CertificateFilter, CertificateState, Profile


async def certified(house: House, identity: str, kind: str = "ec") -> Keys:
    """By profile 2: asks for a certificate and gets it; ready for profile 3."""
    keys = house.keys(identity, kind)
    root = await house.root()
    async with charger(house.secure, identity, tls(root), password=PASSWORD) as station:
        answer = await station.call("SignCertificate", {"csr": keys.request(identity)})
        assert answer == {"status": "Accepted"}
        given = await station.wait_for("CertificateSigned")
        keys.chain.write_text(given["certificateChain"])
        await house.pki.settle()
    return keys


async def state_of(house: House, identity: str) -> list[CertificateState]:
    station = next(
        view
        for view in house.server.core.chargers.list_stations(house.who.org_id)
        if view.station.identity == identity
    )
    wanted = CertificateFilter(station_id=station.station.id)
    return [row.state for row in await house.pki.certificates(house.who, wanted)]


async def refused(house: House, identity: str, context: ssl.SSLContext | None, **more: str) -> int:
    url = house.plain if context is None else house.secure
    with pytest.raises(InvalidStatus) as caught:
        async with charger(url, identity, context, **more):
            pass
    return caught.value.response.status_code


@pytest.mark.parametrize("kind", ["ec", "rsa"])
async def test_a_station_gets_its_certificate_and_comes_back_with_it(
    house: House, kind: str
) -> None:
    station_id = await house.station("CP-1")
    keys = await certified(house, "CP-1", kind)
    root = await house.root()
    assert ": OK" in verified(keys.chain.read_text(), root, house.folder)
    assert await state_of(house, "CP-1") == [CertificateState.INSTALLED]
    async with charger(house.secure, "CP-1", tls(root, keys)) as station:
        assert isinstance(station, Charger)
        view = house.pki.security(house.who, station_id)
        assert view.connected_profile is Profile.TLS_CERTIFICATE
        assert view.security.required is Profile.TLS_CERTIFICATE
        assert await state_of(house, "CP-1") == [CertificateState.IN_USE]


async def test_the_certificate_of_one_station_does_not_speak_for_another(house: House) -> None:
    await house.station("CP-A")
    other_id = await house.station("CP-B")
    keys = await certified(house, "CP-A")
    root = await house.root()
    assert await refused(house, "CP-B", tls(root, keys)) == 401
    assert await refused(house, "CP-B", tls(root, keys), password=PASSWORD) == 401
    flags = house.server.core.chargers.station_view(house.who.org_id, other_id).flags
    assert "certificate_of_another" in {flag.flag for flag in flags}
    await house.pki.settle()
    kinds = {event.kind for event in await house.pki.events(house.who)}
    assert "InvalidChargingStationCertificate" in kinds


async def test_who_has_come_with_a_certificate_is_not_let_in_below(house: House) -> None:
    await house.station("CP-1")
    keys = await certified(house, "CP-1")
    root = await house.root()
    async with charger(house.secure, "CP-1", tls(root), password=PASSWORD):
        pass
    async with charger(house.secure, "CP-1", tls(root, keys)):
        pass
    assert await refused(house, "CP-1", tls(root), password=PASSWORD) == 401
    assert await refused(house, "CP-1", None, password=PASSWORD) == 401
    async with charger(house.secure, "CP-1", tls(root, keys)):
        pass


async def test_renewal_while_connected(house: House) -> None:
    station_id = await house.station("CP-1")
    old = await certified(house, "CP-1")
    root = await house.root()
    new = house.keys("CP-1-new")
    async with charger(house.secure, "CP-1", tls(root, old)) as station:
        await house.pki.renew(house.who, station_id)
        asked = await station.wait_for("ExtendedTriggerMessage")
        assert asked == {"requestedMessage": "SignChargePointCertificate"}
        named = await station.wait_for("ChangeConfiguration")
        assert named == {"key": "CpoName", "value": "Yard"}
        answer = await station.call("SignCertificate", {"csr": new.request("CP-1")})
        assert answer == {"status": "Accepted"}
        given = await station.wait_for("CertificateSigned")
        new.chain.write_text(given["certificateChain"])
        await house.pki.settle()
    assert ": OK" in verified(new.chain.read_text(), root, house.folder)
    async with charger(house.secure, "CP-1", tls(root, old)):
        """It may go back to the old one until it has shown the new one."""
    async with charger(house.secure, "CP-1", tls(root, new)):
        states = await state_of(house, "CP-1")
        assert states == [CertificateState.IN_USE, CertificateState.REPLACED]


async def test_a_revoked_certificate_ends_its_connection_at_once(house: House) -> None:
    await house.station("CP-1")
    keys = await certified(house, "CP-1")
    root = await house.root()
    async with charger(house.secure, "CP-1", tls(root, keys)) as station:
        (row,) = await house.pki.certificates(house.who)
        await house.pki.revoke(house.who, row.id, "lost")
        await station.closed()
    assert await refused(house, "CP-1", tls(root, keys)) == 401
    assert await state_of(house, "CP-1") == [CertificateState.REVOKED]


async def test_a_certificate_of_nobody_known_is_refused_by_tls(house: House) -> None:
    await house.station("CP-1")
    rogue = Authority(house.folder, "Rogue")
    keys = house.keys("CP-1")
    keys.chain.write_text(rogue.sign(keys.request("CP-1")))
    root = await house.root()
    with pytest.raises((ssl.SSLError, OSError, EOFError, InvalidMessage)):
        async with charger(house.secure, "CP-1", tls(root, keys), password=PASSWORD):
            pass
