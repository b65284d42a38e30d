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


BOOT_201 = {
    "reason": "PowerUp",
    "chargingStation": {"vendorName": "Openssl", "model": "CLI"},
}


async def test_201_from_profile_one_to_three(house: House) -> None:
    """The whole way of docs/operate/security.md, as a station of 2.0.1 goes it."""
    station_id = await house.station("CP-201")
    keys, root = house.keys("CP-201"), await house.root()
    who, field = house.who, house.pki.field
    held = {"hashAlgorithm": "SHA256", "issuerNameHash": "aa", "issuerKeyHash": "bb"}
    async with charger(
        house.plain, "CP-201", password=PASSWORD, protocol="ocpp2.0.1", boot=BOOT_201
    ) as station:
        station.answers["SetVariables"] = lambda asked: {
            "setVariableResult": [
                {
                    "component": entry["component"],
                    "variable": entry["variable"],
                    "attributeStatus": "Accepted",
                }
                for entry in asked["setVariableData"]
            ]
        }
        station.answers["GetVariables"] = lambda asked: {
            "getVariableResult": [
                {
                    "component": entry["component"],
                    "variable": entry["variable"],
                    "attributeStatus": "Accepted",
                    "attributeValue": "1",
                }
                for entry in asked["getVariableData"]
            ]
        }
        station.answers["GetInstalledCertificateIds"] = lambda asked: {
            "status": "Accepted",
            "certificateHashDataChain": [
                {
                    "certificateType": "CSMSRootCertificate",
                    "certificateHashData": {**held, "serialNumber": "1"},
                }
            ],
        }
        await field.install_root(who, station_id, "csms_root")
        installed = await station.wait_for("InstallCertificate")
        assert installed["certificateType"] == "CSMSRootCertificate"
        assert (await field.read_installed(who, station_id)).installed[0].use == "csms_root"
        await house.pki.renew(who, station_id)
        asked = await station.wait_for("TriggerMessage")
        assert asked == {"requestedMessage": "SignChargingStationCertificate"}
        answer = await station.call(
            "SignCertificate",
            {"csr": keys.request("CP-201"), "certificateType": "ChargingStationCertificate"},
        )
        assert answer == {"status": "Accepted"}
        given = await station.wait_for("CertificateSigned")
        assert given["certificateType"] == "ChargingStationCertificate"
        keys.chain.write_text(given["certificateChain"])
        await house.pki.settle()
        await field.raise_profile(who, station_id, Profile.TLS_CERTIFICATE, url=house.secure)
        network = await station.wait_for("SetNetworkProfile")
        assert network["connectionData"]["ocppCsmsUrl"] == house.secure
        assert network["connectionData"]["securityProfile"] == 3
        assert await station.wait_for("Reset") == {"type": "OnIdle"}
    assert ": OK" in verified(keys.chain.read_text(), root, house.folder)
    async with charger(house.plain, "CP-201", password=PASSWORD):
        """Not come yet: the old profile holds."""
    context = tls(root, keys)
    async with charger(house.secure, "CP-201", context, protocol="ocpp2.0.1", boot=BOOT_201):
        view = house.pki.security(who, station_id)
        assert (view.required, view.security.target) == (Profile.TLS_CERTIFICATE, None)
    assert await refused(house, "CP-201", None, password=PASSWORD) == 401


async def test_a_security_event_is_answered_once_it_is_kept(house: House) -> None:
    station_id = await house.station("CP-1")
    async with charger(house.plain, "CP-1", password=PASSWORD) as station:
        event = {"type": "TamperDetectionActivated", "timestamp": "2026-01-15T18:00:00Z"}
        assert await station.call("SecurityEventNotification", event) == {}
        (kept,) = await house.pki.events(house.who)
        assert (kept.station_id, kept.critical) == (station_id, True)
    alerts = house.server.core.alerts.open_now(house.who.org_id)
    (alert,) = [alert for alert in alerts if alert.kind == "security_event"]
    assert alert.params["event"] == "TamperDetectionActivated"
