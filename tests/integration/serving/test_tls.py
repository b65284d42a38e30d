"""TLS on both ports, tried with others' clients: ``ssl``, ``websockets``, ``httpx``."""

import asyncio
import socket
import ssl
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import msgspec
import pytest
from served import certificate, server
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidMessage, InvalidStatus
from websockets.typing import Subprotocol

from voltyard.app import first_organisation
from voltyard.serving import Server
from voltyard.serving.tls import CHARGER_SUITES, TlsError, tls_context

BY_THE_SERVER = "alert|EOF|reset"
OCPP16 = Subprotocol("ocpp1.6")
BOOT = ["m1", "BootNotification", {"chargePointVendor": "V", "chargePointModel": "M"}]


@pytest.fixture(scope="module")
def pem(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    return certificate(tmp_path_factory.mktemp("pem"))


@pytest.fixture
async def served(database_url: str, tmp_path: Path, pem: tuple[str, str]) -> AsyncIterator[Server]:
    cert, key = pem
    async with server(
        database_url,
        tmp_path,
        tls_cert=cert,
        tls_key=key,
        http_tls_cert=cert,
        http_tls_key=key,
        auto_approve=True,
        allow_no_password=True,
    ) as opened:
        await first_organisation(opened.core)
        yield opened


def trusting(cert: str) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=cert)


def offering(cert: str, version: ssl.TLSVersion, suites: str = "") -> ssl.SSLContext:
    """A client of one version of TLS that offers even what is weak."""
    context = trusting(cert)
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.maximum_version = version
    context.set_ciphers(f"{suites}:@SECLEVEL=0")
    return context


async def agreed(port: int, context: ssl.SSLContext) -> tuple[str, str]:
    """Shake hands as ``context`` can; version and suite."""

    def shake() -> tuple[str, str]:
        plain = socket.create_connection(("127.0.0.1", port), timeout=10)
        with plain, context.wrap_socket(plain, server_hostname="127.0.0.1") as secure:
            return secure.version() or "", (secure.cipher() or ("", "", 0))[0]

    return await asyncio.to_thread(shake)


async def test_a_charger_boots_over_wss(served: Server, pem: tuple[str, str]) -> None:
    assert served.ocpp_url.startswith("wss://")
    url = f"{served.ocpp_url}/TLS-1"
    async with connect(url, subprotocols=[OCPP16], ssl=trusting(pem[0])) as charger:
        await charger.send(msgspec.json.encode([2, *BOOT]).decode())
        kind, unique_id, answer = msgspec.json.decode(await charger.recv())
    assert (kind, unique_id) == (3, "m1")
    assert answer["status"] in {"Accepted", "Pending"}


async def test_a_charger_checks_who_it_talks_to(served: Server) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        async with connect(f"{served.ocpp_url}/TLS-1", subprotocols=[OCPP16]):
            pass


async def test_a_charger_without_tls_gets_nowhere(served: Server) -> None:
    with pytest.raises((InvalidMessage, InvalidStatus, OSError, EOFError)):
        async with connect(f"ws://127.0.0.1:{served.ocpp_port}/ocpp/TLS-1"):
            pass
    assert not served.ocpp.sockets


async def test_the_console_and_rest_over_https(served: Server, pem: tuple[str, str]) -> None:
    assert served.url.startswith("https://")
    async with httpx.AsyncClient(base_url=served.url, verify=trusting(pem[0])) as client:
        assert (await client.get("/health/ready")).status_code == 200
        refused = await client.get("/api/v1/sites")
        page = await client.get("/login")
    assert refused.json()["code"] == "unauthenticated"
    assert all("secure" in c.lower() for c in page.headers.get_list("set-cookie"))


async def test_http_without_tls_gets_nowhere(served: Server) -> None:
    async with httpx.AsyncClient() as client:
        with pytest.raises(httpx.TransportError):
            await client.get(f"http://127.0.0.1:{served.http_port}/health/live")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
async def test_old_versions_and_weak_suites_are_refused(
    served: Server, pem: tuple[str, str]
) -> None:
    old = [(ssl.TLSVersion.TLSv1, "ALL"), (ssl.TLSVersion.TLSv1_1, "ALL")]
    weak = [(ssl.TLSVersion.TLSv1_2, suites) for suites in ("AES128-SHA", "ECDHE+AES+SHA1", "NULL")]
    for version, suites in old + weak:
        context = offering(pem[0], version, suites)
        for port in (served.ocpp_port, served.http_port):
            with pytest.raises(OSError, match=BY_THE_SERVER):
                await agreed(port, context)


async def test_what_is_agreed_on(served: Server, pem: tuple[str, str]) -> None:
    newest = trusting(pem[0])
    for port in (served.ocpp_port, served.http_port):
        assert (await agreed(port, newest))[0] == "TLSv1.3"
        fair = offering(pem[0], ssl.TLSVersion.TLSv1_2, "ECDHE+AESGCM")
        assert (await agreed(port, fair))[0] == "TLSv1.2"
    rsa_only = offering(pem[0], ssl.TLSVersion.TLSv1_2, "AES128-GCM-SHA256")
    assert (await agreed(served.ocpp_port, rsa_only))[1] == "AES128-GCM-SHA256"
    with pytest.raises(OSError, match=BY_THE_SERVER):
        await agreed(served.http_port, rsa_only)


@pytest.mark.parametrize("broken", ["absent", "swapped", "encrypted"])
def test_a_certificate_that_cannot_be_used_stops_the_start(
    tmp_path: Path, pem: tuple[str, str], broken: str
) -> None:
    cert, key = pem
    if broken == "absent":
        key = str(tmp_path / "nowhere.pem")
    elif broken == "swapped":
        cert, key = key, cert
    else:
        plain, key = key, str(tmp_path / "locked.pem")
        subprocess.run(
            ["openssl", "rsa", "-aes256", "-passout", "pass:x", "-in", plain, "-out", key],
            check=True,
            capture_output=True,
        )
    with pytest.raises(TlsError, match="pem"):
        tls_context(cert, key, CHARGER_SUITES)
