"""Plug & Charge over real sockets: a charger asks the server, the server a world outside."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from pki_charger import PASSWORD, Charger, charger
from pki_house import House
from pki_openssl import Keys, openssl

from tests.integration.contracts.contract_world import EMAID, Made, World, hash_data, make, world
from tests.integration.serving.served import server
from voltyard.app import first_organisation
from voltyard.fleets.commands import TokenDraft
from voltyard.pki.model import Policy
from voltyard.sessions.model import TokenKind


@pytest.fixture
async def outside(tmp_path: Path) -> AsyncIterator[World]:
    async with world(tmp_path) as found:
        (tmp_path / "roots.pem").write_text(found.root.pem + found.sub.pem)
        yield found


@pytest.fixture
async def plugged(database_url: str, tmp_path: Path, outside: World) -> AsyncIterator[House]:
    settings: dict[str, Any] = {
        "tls_names": "127.0.0.1,localhost",
        "wss_port": 0,
        "revocation_urls": outside.at("/ocsp"),
        "contract_roots": str(tmp_path / "roots.pem"),
        "contract_pool_url": outside.at("/pool"),
    }
    async with server(database_url, tmp_path / "data", **settings) as opened:
        who = await first_organisation(opened.core)
        await opened.core.pki.set_policy(who, Policy(organisation="Yard"))
        yield House(opened, who, tmp_path)


def told(said: dict[str, Any], folder: Path, *more: Path | str) -> str:
    """What OpenSSL reads in the answer that the charger was handed."""
    assert said["status"] == "Accepted", said
    (folder / "told.der").write_bytes(base64.b64decode(said["ocspResult"]))
    return openssl("ocsp", "-respin", folder / "told.der", "-sha256", *more)


@pytest.mark.parametrize("kind", ["ec", "rsa"])
async def test_the_built_in_authority_answers_for_what_it_has_issued(
    plugged: House, outside: World, tmp_path: Path, kind: str
) -> None:
    await plugged.station("CP-1")
    keys: Keys = plugged.keys("CP-1", kind)
    async with charger(
        plugged.plain, "CP-1", password=PASSWORD, protocol="ocpp2.0.1", boot=None
    ) as station:
        await booted(station)
        csr = {"csr": keys.request("CP-1")}
        assert (await station.call("SignCertificate", csr))["status"] == "Accepted"
        chain = (await station.wait_for("CertificateSigned"))["certificateChain"]
        await plugged.pki.settle()
        leaf, issuing = x509.load_pem_x509_certificates(chain.encode())[:2]
        root = next(
            c
            for c in x509.load_pem_x509_certificates((await plugged.root()).encode())
            if c.subject == issuing.issuer
        )
        files = save(tmp_path, leaf=leaf, issuing=issuing, root=root)
        by_issuing = ("-issuer", files["issuing"], "-cert", files["leaf"])
        trusted = ("-CAfile", files["root"], "-verify_other", files["issuing"])
        said = await ask(station, leaf, issuing)
        assert "leaf.pem: good" in told(said, tmp_path, *by_issuing, *trusted)
        said = await ask(station, issuing, root)
        by_root = ("-issuer", files["root"], "-cert", files["issuing"], "-CAfile", files["root"])
        assert "issuing.pem: good" in told(said, tmp_path, *by_root)
        (row,) = await plugged.pki.certificates(plugged.who)
        await plugged.pki.revoke(plugged.who, row.id, "lost")
        said = await ask(station, leaf, issuing)
        assert "leaf.pem: revoked" in told(said, tmp_path, *by_issuing, *trusted)
        made_up = hash_data(as_made(leaf), as_made(issuing), "http://x/") | {"serialNumber": "1f"}
        said = await station.call("GetCertificateStatus", {"ocspRequestData": made_up})
        assert said["status"] == "Accepted"
    await outside.unasked()


async def booted(station: Charger) -> None:
    boot = {"chargingStation": {"vendorName": "V", "model": "M"}, "reason": "PowerUp"}
    async with asyncio.timeout(30):
        while (await station.call("BootNotification", boot))["status"] != "Accepted":
            await station.wait_for("TriggerMessage")


def as_made(certificate: x509.Certificate) -> Made:
    return Made(certificate, None)  # type: ignore[arg-type]


async def ask(
    station: Charger, certificate: x509.Certificate, issuer: x509.Certificate
) -> dict[str, Any]:
    data = hash_data(as_made(certificate), as_made(issuer), "http://nowhere.example/")
    answer = await station.call("GetCertificateStatus", {"ocspRequestData": data})
    assert isinstance(answer, dict)
    return answer


def save(folder: Path, **certificates: x509.Certificate) -> dict[str, Path]:
    files = {}
    for name, certificate in certificates.items():
        files[name] = folder / f"{name}.pem"
        files[name].write_bytes(certificate.public_bytes(Encoding.PEM))
    return files


async def test_a_vehicle_plugs_in_and_charges(
    plugged: House, outside: World, tmp_path: Path
) -> None:
    """Contract fetched, its responder's answers cached, the contract shown, then revoked."""
    await plugged.station("CP-2")
    token = TokenDraft(EMAID.replace("-", ""), TokenKind.EMAID)
    await plugged.server.core.fleets.save_token(plugged.who, token)
    made = outside.contract()
    outside.pool({"signedContractDataCollection": [{"certificateInstallationRes": "ZXhp"}]})
    async with charger(
        plugged.plain, "CP-2", password=PASSWORD, protocol="ocpp2.1", boot=None
    ) as station:
        await booted(station)
        wanted = {
            "iso15118SchemaVersion": "urn:iso:15118:2:2013:MsgDef",
            "action": "Install",
            "exiRequest": "gJg=",
        }
        answer = await station.call("Get15118EVCertificate", wanted)
        assert answer == {"status": "Accepted", "exiResponse": "ZXhp"}
        assert json.loads((await outside.asked(1))[0]["body"])["certificateInstallationReq"]
        shown = {
            "idToken": {"idToken": EMAID.replace("-", ""), "type": "eMAID"},
            "certificate": made.pem + outside.sub.pem,
        }
        answer = await station.call("Authorize", shown)
        assert (answer["certificateStatus"], answer["idTokenInfo"]["status"]) == (
            "Accepted",
            "Accepted",
        )
        other = outside.contract()
        outside.write("sub", outside.sub, [], [other])
        shown["certificate"] = other.pem + outside.sub.pem
        answer = await station.call("Authorize", shown)
        assert (answer["certificateStatus"], answer["idTokenInfo"]["status"]) == (
            "CertificateRevoked",
            "Invalid",
        )
        shown["certificate"] = make(EMAID).pem
        answer = await station.call("Authorize", shown)
        assert answer["certificateStatus"] == "CertChainError"
        data = hash_data(other, outside.sub, outside.at("/ocsp/sub"))
        data.pop("responderURL")
        one = {"certificateHashData": data, "source": "OCSP", "urls": [outside.at("/ocsp/sub")]}
        answer = await station.call(
            "GetCertificateChainStatus", {"certificateStatusRequests": [one]}
        )
        assert answer["certificateStatus"][0]["status"] == "Revoked"
    flags = {
        flag.flag
        for view in plugged.server.core.chargers.list_stations(plugged.who.org_id)
        for flag in plugged.server.core.chargers.station_view(
            plugged.who.org_id, view.station.id
        ).flags
    }
    assert "contract_certificate_refused" in flags
