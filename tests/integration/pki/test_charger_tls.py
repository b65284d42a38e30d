"""TLS of the OCPP port against OpenSSL's own client: versions, suites, both keys, renewal."""

import asyncio
import ssl
from pathlib import Path

import pytest
from pki_charger import PASSWORD, charger, tls
from pki_house import House
from pki_openssl import Authority, Keys, openssl

from tests.integration.serving.served import certificate, server
from voltyard.app import first_organisation
from voltyard.clock import SystemClock
from voltyard.config import Settings
from voltyard.errors import Invalid
from voltyard.pki.model import AnchorUse
from voltyard.serving.charger_tls import ChargerTls

SUITES = {
    "ECDHE-ECDSA-AES128-GCM-SHA256": "id-ecPublicKey",
    "ECDHE-ECDSA-AES256-GCM-SHA384": "id-ecPublicKey",
    "AES128-GCM-SHA256": "rsaEncryption",
    "AES256-GCM-SHA384": "rsaEncryption",
}
"""A00.FR.317, and the key of the certificate each needs."""


def files(folder: Path, pattern: str) -> list[Path]:
    return list(folder.glob(pattern))


def read(path: str) -> str:
    return Path(path).read_text()


def spoil(path: str) -> None:
    Path(path).write_text("broken")


async def client(house: House, *options: object) -> str:
    """What ``openssl s_client`` says of the secure port."""
    root = house.folder / "roots.pem"
    root.write_text(await house.root())
    arguments = [
        "s_client", "-connect", f"127.0.0.1:{house.server.wss_port}", "-CAfile", root,
        "-verify_return_error", "-verify_ip", "127.0.0.1", "-showcerts", *options,
    ]  # fmt: skip
    return await asyncio.to_thread(openssl, *arguments, check=False)


async def test_the_suites_of_the_standard(house: House) -> None:
    for suite in SUITES:
        await suite_works(house, suite)


async def suite_works(house: House, suite: str) -> None:
    said = await client(house, "-tls1_2", "-cipher", suite)
    assert f"Cipher is {suite}" in said
    assert "Verify return code: 0 (ok)" in said
    leaf = house.folder / "leaf.pem"
    leaf.write_text("-----BEGIN" + said.partition("-----BEGIN")[2].partition("-----END")[0])
    leaf.write_text(leaf.read_text() + "-----END CERTIFICATE-----\n")
    shown = openssl("x509", "-in", leaf, "-noout", "-text")
    assert SUITES[suite] in shown
    assert "CN = 127.0.0.1" in shown


async def test_the_newest_version_and_a_request_for_a_certificate(house: House) -> None:
    said = await client(house)
    assert "TLSv1.3" in said
    assert "Acceptable client certificate CA names" in said or "Requested Signature" in said
    assert "Compression: NONE" in said


async def test_what_is_old_or_weak_is_refused(house: House) -> None:
    for options in (
        ("-tls1", "-cipher", "ALL:@SECLEVEL=0"),
        ("-tls1_1", "-cipher", "ALL:@SECLEVEL=0"),
        ("-tls1_2", "-cipher", "AES128-SHA:@SECLEVEL=0"),
        ("-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0"),
        ("-tls1_2", "-cipher", "NULL:@SECLEVEL=0"),
    ):
        said = await client(house, *options)
        assert "Cipher is (NONE)" in said or "no protocols available" in said
        assert "Cipher is AES" not in said


async def test_one_port_in_the_clear_and_one_by_tls(house: House) -> None:
    await house.station("CP-1")
    await house.station("CP-2")
    async with (
        charger(house.plain, "CP-1", password=PASSWORD),
        charger(house.secure, "CP-2", tls(await house.root()), password=PASSWORD),
    ):
        views = {view.identity: view for view in house.pki.securities(house.who)}
        assert views["CP-1"].connected_profile == 1
        assert views["CP-2"].connected_profile == 2


async def test_the_built_in_certificate_outlives_a_restart(
    database_url: str, tmp_path: Path
) -> None:
    settings = {"tls_names": "127.0.0.1,csms.example", "wss_port": 0}
    roots = []
    for _ in range(2):
        async with server(database_url, tmp_path, **settings) as opened:
            who = await first_organisation(opened.core)
            roots.append("".join(v.root for v in await opened.core.pki.authorities(who)))
            context = ssl.create_default_context(cadata=roots[0])
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", opened.wss_port, ssl=context, server_hostname="csms.example"
            )
            writer.close()
            assert not reader.at_eof()
    assert roots[0] == roots[1]
    assert files(tmp_path, "*.pem") == [], "no key is left in a file"


async def test_a_new_certificate_is_taken_up_while_serving(
    database_url: str, tmp_path: Path
) -> None:
    """What connects next sees the new one; a broken pair leaves the old one in place."""
    folder, data = tmp_path / "files", tmp_path / "data"
    folder.mkdir()
    cert, key = certificate(folder)
    first = read(cert)
    async with server(database_url, data, tls_cert=cert, tls_key=key) as opened:
        chosen = Settings(data_dir=data, tls_cert=cert, tls_key=key)
        other = ChargerTls(chosen, opened.core.pki, SystemClock())
        await other.load()
        spoil(key)
        assert not await other.reload()
        certificate(folder)
        second = read(cert)
        assert await other.reload()
        assert first != second
        listening = await asyncio.start_server(
            lambda reader, writer: writer.close(), "127.0.0.1", 0, ssl=other.context
        )
        port = listening.sockets[0].getsockname()[1]
        for pem, fits in ((first, False), (second, True)):
            context = ssl.create_default_context(cadata=pem)
            if fits:
                _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
                writer.close()
            else:
                with pytest.raises(ssl.SSLCertVerificationError):
                    await asyncio.open_connection("127.0.0.1", port, ssl=context)
        listening.close()


@pytest.mark.parametrize(
    "wrong",
    [
        {"wss_port": 8443},
        {"min_security_profile": 3},
        {"min_security_profile": 4},
        {"ocpp_url": "https://x"},
        {"pki_key": "short"},
        {"tls_names": "x", "tls_cert": "a", "tls_key": "b"},
    ],
)
def test_settings_that_do_not_fit_are_named(wrong: dict[str, object]) -> None:
    with pytest.raises(Invalid) as caught:
        Settings(**wrong)  # type: ignore[arg-type]
    assert set(caught.value.fields) & set(wrong)


def test_the_key_is_not_shown() -> None:
    assert Settings(pki_key="ab" * 32).shown()["pki_key"] == "(hidden)"


async def test_nobody_is_asked_for_a_certificate_while_nobody_is_trusted(
    database_url: str, tmp_path: Path
) -> None:
    """A charger on profile 2 that shows its maker's certificate whenever asked would fail."""
    folder = tmp_path / "files"
    folder.mkdir()
    cert, key = certificate(folder)
    maker = Authority(folder, "Maker")
    keys = Keys(folder, "factory").new()
    keys.chain.write_text(maker.sign(keys.request("SN-1")))
    options = {"tls_cert": cert, "tls_key": key, "allow_no_password": True, "auto_approve": True}
    async with server(database_url, tmp_path / "data", **options) as opened:
        who = await first_organisation(opened.core)
        context = tls(read(cert), keys)
        async with charger(opened.ocpp_url, "CP-1", context):
            assert opened.core.pki.securities(who)[0].connected_profile == 0
        await opened.core.pki.trust(who, "Maker", AnchorUse.MANUFACTURER, maker.root)
        async with charger(opened.ocpp_url, "SN-1", context):
            (known,) = [v for v in opened.core.pki.securities(who) if v.identity == "SN-1"]
            assert known.connected_profile == 3
