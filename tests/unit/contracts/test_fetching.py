"""Where may be asked: what a charger names goes nowhere else."""

import pytest

from voltyard.config import load
from voltyard.contracts.fetching import read_allowed
from voltyard.contracts.model import certificate_id
from voltyard.errors import Invalid

ALLOWED = read_allowed("http://ocsp.example/a, https://pki.example:8443")


@pytest.mark.parametrize(
    "url",
    [
        "http://ocsp.example/a",
        "http://OCSP.example:80/a/b?x=1",
        "http://ocsp.example./a/",
        "https://pki.example:8443/anything",
    ],
)
def test_what_lies_below_is_allowed(url: str) -> None:
    assert ALLOWED.permits(url)


@pytest.mark.parametrize(
    "url",
    [
        "https://ocsp.example/a",
        "http://ocsp.example/",
        "http://ocsp.example/ab",
        "http://ocsp.example/a/../b",
        "http://ocsp.example/a/%2e%2e/b",
        "http://ocsp.example:8080/a",
        "http://ocsp.example@evil.example/a",
        "http://evil.example/?http://ocsp.example/a",
        "http://ocsp.example.evil.example/a",
        "http://evil.example\\@ocsp.example/a",
        "http://ocsp.example/a#b",
        "http://ocsp.example\n.evil.example/a",
        "http://169.254.169.254/latest",
        "file:///etc/passwd",
        "ftp://ocsp.example/a",
        "http://[::1/a",
        "http://ocsp.example:99999/a",
        "ocsp.example/a",
        "",
    ],
)
def test_everything_else_is_not(url: str) -> None:
    assert not ALLOWED.permits(url)


def test_nothing_is_allowed_unless_it_is_set() -> None:
    assert not read_allowed("").permits("http://ocsp.example/a")
    with pytest.raises(Invalid):
        read_allowed("ocsp.example")


def test_settings_are_looked_at_at_start() -> None:
    for name, value in (
        ("revocation_urls", "ocsp.example"),
        ("revocation_urls", "http://a:b@ocsp.example/"),
        ("contract_pool_url", "ftp://pool.example/"),
        ("contract_pool_url", "https://a.example/ https://b.example/"),
        ("contract_roots", "/no/such/file.pem"),
        ("contract_timeout_s", "0"),
    ):
        with pytest.raises(Invalid) as raised:
            load({f"VOLTYARD_{name.upper()}": value})
        assert set(raised.value.fields) == {name}
    with pytest.raises(Invalid) as raised:
        load(
            {
                "VOLTYARD_CONTRACT_POOL_URL": "http://pool.example/",
                "VOLTYARD_CONTRACT_POOL_KEY": "k",
            }
        )
    assert set(raised.value.fields) == {"contract_pool_key"}
    settings = load({"VOLTYARD_CONTRACT_POOL_KEY": "k"})
    assert settings.shown()["contract_pool_key"] == "(hidden)"


def test_a_certificate_is_named_in_hexadecimal() -> None:
    digest = "ab" * 32
    named = certificate_id("SHA256", digest.upper(), digest, "00:1F")
    assert named.serial == 0x1F
    for wrong in (
        ("SHA1", digest, digest, "1"),
        ("SHA384", digest, digest, "1"),
        ("SHA256", "xx", digest, "1"),
        ("SHA256", digest, digest, ""),
        ("SHA256", digest, digest, "0"),
        ("SHA256", digest, digest, "-1"),
        ("SHA256", digest, digest, "1" * 41),
    ):
        with pytest.raises(Invalid):
            certificate_id(*wrong)
