"""The port for vehicles: a simulated one over real sockets, with TLS as vehicles have it."""

import ssl
import subprocess
from pathlib import Path

import httpx
from served import server

from voltyard.app import first_organisation
from voltyard.fleets.commands import VehicleDraft
from voltyard.simulator.vdv261 import Vdv261Spec
from voltyard.simulator.vdv261_http import HttpPost, vehicle_of

VIN = "WEB62804113456789"
SUITE = "ECDHE-ECDSA-AES128-SHA256"


def elliptic(folder: Path) -> tuple[str, str]:
    """A self-signed certificate with a key on a curve, as vehicles want it."""
    made, key = folder / "vehicle.pem", folder / "vehicle.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
         "-nodes", "-days", "2", "-subj", "/CN=voltyard test",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(made)],
        check=True,
        capture_output=True,
    )  # fmt: skip
    return str(made), str(key)


def of_a_vehicle(cert: str) -> ssl.SSLContext:
    """TLS 1.2 with one suite (V2ICP-16)."""
    context = ssl.create_default_context(cafile=cert)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(SUITE)
    return context


async def test_a_vehicle_talks_over_tls_and_nothing_else_is_served(
    database_url: str, tmp_path: Path
) -> None:
    cert, key = elliptic(tmp_path)
    files = {"vehicle_tls_cert": cert, "vehicle_tls_key": key}
    async with server(database_url, tmp_path, vehicle_port=0, **files) as opened:
        core = opened.core
        who = await first_organisation(core)
        vehicle = await core.fleets.save_vehicle(who, VehicleDraft("Bus 1"))
        _, password = await core.preconditioning.vdv261.admit(who, vehicle.id, vin=VIN)
        base = f"https://127.0.0.1:{opened.vehicle_port}"
        async with httpx.AsyncClient(base_url=base, verify=of_a_vehicle(cert)) as client:
            spec = Vdv261Spec(VIN, "00:1a:2b:3c:4d:5e", password)
            bus = vehicle_of(spec, HttpPost(client), core.clock, 60.0)
            await bus.exchange()
            await bus.exchange()
            assert [message["seq"] for message in bus.sent] == [0, 1]
            assert [answer["seq"] for answer in bus.answers] == [0, 1]
            assert set(bus.sent[1]) == {"seq", "vin", "h2_stat", "bat_stat"}, "changes only"
            report = core.preconditioning.told_by(vehicle.id)
            assert report is not None
            assert report.odometer_km == 48_211
            wrong = Vdv261Spec(VIN, "00:1a:2b:3c:4d:5e", "wrong")
            stranger = vehicle_of(wrong, HttpPost(client), core.clock, 60.0)
            await stranger.exchange()
            assert stranger.refused == [401]
            for path in ("/login", "/api/v1/me", "/health/live"):
                assert (await client.get(path)).status_code == 404
    nobody = httpx.AsyncClient(base_url=base)
    async with nobody:
        alone = vehicle_of(spec, HttpPost(nobody), core.clock, 60.0)
        await alone.exchange()
        assert (alone.sent, alone.refused) == ([], [])
