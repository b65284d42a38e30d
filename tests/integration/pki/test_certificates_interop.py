"""The PyPI library ``ocpp`` as the charger: it checks every message of ours against the schemas."""

import asyncio
from typing import Any

from ocpp.routing import on
from ocpp.v16 import ChargePoint as ChargePoint16
from ocpp.v16 import call as call_16
from ocpp.v16 import call_result as result_16
from ocpp.v201 import ChargePoint as ChargePoint201
from ocpp.v201 import call as call_201
from ocpp.v201 import call_result as result_201
from pki_charger import PASSWORD, tls
from pki_house import House
from pki_openssl import Keys, verified
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from voltyard.pki.model import Profile

HELD = {
    "hash_algorithm": "SHA256",
    "issuer_name_hash": "aa",
    "issuer_key_hash": "bb",
    "serial_number": "0c",
}


class Station16(ChargePoint16):  # type: ignore[misc]  # the library is untyped
    """Asks for a certificate when told to, and takes what it is given."""

    keys: Keys
    chain: "asyncio.Future[str]"

    @on("ExtendedTriggerMessage")
    def on_trigger(self, requested_message: str, **more: Any) -> Any:
        assert requested_message == "SignChargePointCertificate"
        asyncio.get_running_loop().create_task(self.ask())
        return result_16.ExtendedTriggerMessage(status="Accepted")

    async def ask(self) -> None:
        answer = await self.call(call_16.SignCertificate(csr=self.keys.request(self.id)))
        assert answer.status == "Accepted"

    @on("CertificateSigned")
    def on_signed(self, certificate_chain: str) -> Any:
        self.chain.set_result(certificate_chain)
        return result_16.CertificateSigned(status="Accepted")

    @on("ChangeConfiguration")
    def on_configuration(self, key: str, value: str) -> Any:
        return result_16.ChangeConfiguration(status="Accepted")

    @on("InstallCertificate")
    def on_install(self, certificate_type: str, certificate: str) -> Any:
        return result_16.InstallCertificate(status="Accepted")

    @on("GetInstalledCertificateIds")
    def on_read(self, certificate_type: str) -> Any:
        held = [HELD] if certificate_type == "ManufacturerRootCertificate" else None
        status = "Accepted" if held else "NotFound"
        return result_16.GetInstalledCertificateIds(status=status, certificate_hash_data=held)

    @on("DeleteCertificate")
    def on_delete(self, certificate_hash_data: dict[str, Any]) -> Any:
        assert certificate_hash_data == HELD
        return result_16.DeleteCertificate(status="Accepted")


class Station201(ChargePoint201):  # type: ignore[misc]  # the library is untyped
    """The same of 2.0.1."""

    keys: Keys
    chain: "asyncio.Future[str]"

    @on("TriggerMessage")
    def on_trigger(self, requested_message: str, **more: Any) -> Any:
        if requested_message == "SignChargingStationCertificate":
            asyncio.get_running_loop().create_task(self.ask())
        return result_201.TriggerMessage(status="Accepted")

    async def ask(self) -> None:
        answer = await self.call(call_201.SignCertificate(csr=self.keys.request(self.id)))
        assert answer.status == "Accepted"

    @on("CertificateSigned")
    def on_signed(self, certificate_chain: str, certificate_type: str) -> Any:
        self.chain.set_result(certificate_chain)
        return result_201.CertificateSigned(status="Accepted")

    @on("SetVariables")
    def on_set(self, set_variable_data: list[dict[str, Any]]) -> Any:
        results = [
            {"attribute_status": "Accepted", "component": d["component"], "variable": d["variable"]}
            for d in set_variable_data
        ]
        return result_201.SetVariables(set_variable_result=results)

    @on("InstallCertificate")
    def on_install(self, certificate_type: str, certificate: str) -> Any:
        return result_201.InstallCertificate(status="Accepted")

    @on("GetInstalledCertificateIds")
    def on_read(self, **wanted: Any) -> Any:
        chain = [{"certificate_type": "ManufacturerRootCertificate", "certificate_hash_data": HELD}]
        return result_201.GetInstalledCertificateIds(
            status="Accepted", certificate_hash_data_chain=chain
        )

    @on("DeleteCertificate")
    def on_delete(self, certificate_hash_data: dict[str, Any]) -> Any:
        assert certificate_hash_data == HELD
        return result_201.DeleteCertificate(status="Accepted")


async def whole_way(house: House, kind: type[Any], protocol: str, boot: Any, event: Any) -> None:
    """Root, request, certificate, what it holds, an event; then back with the certificate."""
    identity = f"CP-{protocol}"
    station_id = await house.station(identity)
    root = await house.root()
    field, who = house.pki.field, house.who
    url = house.secure.replace("wss://", f"wss://{identity}:{PASSWORD.replace(' ', '%20')}@")
    options: dict[str, Any] = {"subprotocols": [Subprotocol(protocol)], "open_timeout": 20}
    async with connect(f"{url}/{identity}", ssl=tls(root), **options) as socket:
        point = kind(identity, socket)
        point.keys = house.keys(identity)
        point.chain = asyncio.get_running_loop().create_future()
        running = asyncio.create_task(point.start())
        await point.call(boot)
        await field.install_root(who, station_id, "csms_root")
        await house.pki.renew(who, station_id)
        point.keys.chain.write_text(await asyncio.wait_for(point.chain, 20))
        await house.pki.settle()
        held = (await field.read_installed(who, station_id)).installed
        assert [(entry.use, entry.serial) for entry in held] == [("manufacturer_root", "0c")]
        await field.delete_installed(who, station_id, "SHA256", "0c", "bb")
        await point.call(event)
        running.cancel()
    assert [e.kind for e in await house.pki.events(who)] == ["TamperDetectionActivated"]
    assert ": OK" in verified(point.keys.chain.read_text(), root, house.folder)
    url = f"{house.secure}/{identity}"
    async with connect(url, ssl=tls(root, point.keys), **options) as socket:
        point = kind(identity, socket)
        running = asyncio.create_task(point.start())
        await point.call(boot)
        view = house.pki.security(who, station_id)
        assert view.connected_profile is Profile.TLS_CERTIFICATE
        running.cancel()


async def test_the_pypi_library_of_16(house: House) -> None:
    boot = call_16.BootNotification(charge_point_model="M", charge_point_vendor="V")
    event = call_16.SecurityEventNotification(
        type="TamperDetectionActivated", timestamp="2026-01-15T18:00:00Z", tech_info="door"
    )
    await whole_way(house, Station16, "ocpp1.6", boot, event)


async def test_the_pypi_library_of_201(house: House) -> None:
    boot = call_201.BootNotification(
        charging_station={"model": "M", "vendor_name": "V"}, reason="PowerUp"
    )
    event = call_201.SecurityEventNotification(
        type="TamperDetectionActivated", timestamp="2026-01-15T18:00:00Z"
    )
    await whole_way(house, Station201, "ocpp2.0.1", boot, event)
