"""Identity tokens: one that is ours passes, and each attack on it is refused for its own reason."""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from hypothesis import given, settings
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from voltyard.signon.model import SignOnRefused
from voltyard.signon.tokens import Expected, Key, UnknownKey, read_keys, verified

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
EXPECTED = Expected("https://id.example", "voltyard", "the-nonce", NOW - timedelta(minutes=1))
CLAIMS: dict[str, Any] = {
    "iss": "https://id.example",
    "aud": "voltyard",
    "sub": "ada",
    "nonce": "the-nonce",
    "iat": NOW.timestamp() - 5,
    "exp": NOW.timestamp() + 300,
}
SIGNING = RSAKey.generate_key(2048, {"kid": "one", "use": "sig", "alg": "RS256"})
OTHER = RSAKey.generate_key(2048, {"kid": "one"})


def jwks(*keys: Any) -> tuple[Key, ...]:
    """As a provider publishes them: the public halves."""
    return read_keys(json.dumps({"keys": [key.as_dict(private=False) for key in keys]}).encode())


def signed(claims: Mapping[str, Any], key: Any = SIGNING, alg: str = "RS256", **header: Any) -> str:
    given = {"alg": alg, "kid": "one", **header}
    head = {name: value for name, value in given.items() if value is not None}
    body = json.dumps(claims).encode()
    return jws.serialize_compact(head, body, key, algorithms=[alg])


def by_key(key: RSAKey, header: dict[str, Any]) -> str:
    """A header that no library would write."""
    start = f"{encoded(json.dumps(header).encode())}.{encoded(json.dumps(CLAIMS).encode())}"
    made = key.private_key.sign(start.encode(), padding.PKCS1v15(), hashes.SHA256())
    return f"{start}.{encoded(made)}"


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def by_hand(alg: str, secret: bytes | None) -> str:
    """A token whose signature is none, or an HMAC with what anybody can read."""
    head = encoded(json.dumps({"alg": alg, "kid": "one", "typ": "JWT"}).encode())
    start = f"{head}.{encoded(json.dumps(CLAIMS).encode())}"
    if secret is None:
        return f"{start}."
    return f"{start}.{encoded(hmac.new(secret, start.encode(), hashlib.sha256).digest())}"


@dataclass(frozen=True)
class Case:
    """What is changed about a good token, and what is said of it; None: it passes."""

    reason: str | None
    claims: Mapping[str, Any] = field(default_factory=dict)
    without: str = ""

    @property
    def token(self) -> str:
        return signed({k: v for k, v in {**CLAIMS, **self.claims}.items() if k != self.without})


def at(seconds: float) -> float:
    return NOW.timestamp() + seconds


CASES = {
    "as it should be": Case(None),
    "for us among others": Case(None, {"aud": ["other", "voltyard"], "azp": "voltyard"}),
    "clocks apart": Case(None, {"iat": at(30), "exp": at(-30)}),
    "for somebody else": Case("aud", {"aud": "other"}),
    "for nobody": Case("aud", without="aud"),
    "our name within another": Case("aud", {"aud": "voltyard2"}),
    "for several, without saying to whom": Case("azp", {"aud": ["other", "voltyard"]}),
    "given to another": Case("azp", {"azp": "other"}),
    "by another issuer": Case("iss", {"iss": "https://evil.example"}),
    "by the same issuer, nearly": Case("iss", {"iss": "https://id.example/"}),
    "over": Case("exp", {"exp": at(-61)}),
    "without an end": Case("exp", without="exp"),
    "an end that is a word": Case("exp", {"exp": "never"}),
    "an end that is true": Case("exp", {"exp": True}),
    "not yet issued": Case("iat", {"iat": at(61)}),
    "issued before the sign-in began": Case("iat", {"iat": at(-121)}),
    "never issued": Case("iat", without="iat"),
    "not valid yet": Case("nbf", {"nbf": at(120)}),
    "another sign-in's": Case("nonce", {"nonce": "another"}),
    "without a nonce": Case("nonce", without="nonce"),
    "of nobody": Case("sub", {"sub": ""}),
    "of a number": Case("sub", {"sub": 7}),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_each_claim_decides(case: Case) -> None:
    if case.reason is None:
        assert verified(case.token, jwks(SIGNING), EXPECTED, NOW)["sub"] == "ada"
        return
    with pytest.raises(SignOnRefused) as refused:
        verified(case.token, jwks(SIGNING), EXPECTED, NOW)
    assert refused.value.detail == case.reason


PUBLIC_PEM = SIGNING.as_pem(private=False)
WEAK = rsa.generate_private_key(65537, 1024).public_key().public_numbers()
FORGED = {
    "no signature": by_hand("none", None),
    "no signature, in capitals": by_hand("NONE", None),
    "the public key as a secret": by_hand("HS256", PUBLIC_PEM),
    "its modulus as a secret": by_hand("HS256", SIGNING.as_dict()["n"].encode()),
    "an empty secret": by_hand("HS256", b""),
    "another key of that name": signed(CLAIMS, OTHER),
    "a key brought along": signed(CLAIMS, OTHER, jwk=OTHER.as_dict(private=False)),
    "a signature cut off": signed(CLAIMS).rpartition(".")[0] + ".",
    "four parts": signed(CLAIMS) + ".x",
    "nothing": "",
    "too long": "a" * 70_000 + ".b.c",
}


@pytest.mark.parametrize("token", FORGED.values(), ids=FORGED.keys())
def test_forged_tokens_are_refused(token: str) -> None:
    with pytest.raises(SignOnRefused):
        verified(token, jwks(SIGNING), EXPECTED, NOW)


def test_keys_that_do_not_sign_are_not_taken() -> None:
    secret = OctKey.generate_key(256, {"kid": "one"}).as_dict()
    given = [
        secret,
        {"kty": "RSA", "kid": "one", "n": encoded(WEAK.n.to_bytes(128, "big")), "e": "AQAB"},
        {**SIGNING.as_dict(private=False), "use": "enc"},
        {"kty": "RSA", "kid": "one"},
        "no key",
    ]
    assert read_keys(json.dumps({"keys": given}).encode()) == ()
    for body in (b"", b"[]", b'{"keys": 7}', b"\xff"):
        with pytest.raises(SignOnRefused):
            read_keys(body)


@pytest.mark.parametrize(
    ("key", "alg"),
    [
        (ECKey.generate_key("P-256", {"kid": "one"}), "ES256"),
        (OKPKey.generate_key("Ed25519", {"kid": "one"}), "Ed25519"),
        (RSAKey.generate_key(2048, {"kid": "one"}), "PS256"),
    ],
)
def test_other_kinds_of_signatures_pass_with_their_own_keys_only(key: Any, alg: str) -> None:
    token = signed(CLAIMS, key, alg)
    assert verified(token, jwks(key), EXPECTED, NOW)["sub"] == "ada"
    with pytest.raises(SignOnRefused):
        verified(token, jwks(SIGNING), EXPECTED, NOW)


def test_a_key_that_is_not_there_is_told_apart_and_without_a_name_one_key_must_fit() -> None:
    with pytest.raises(UnknownKey):
        verified(signed(CLAIMS, kid="two"), jwks(SIGNING), EXPECTED, NOW)
    stamped = by_key(SIGNING, {"alg": "RS256", "kid": "one", "x-note": "ours"})
    assert verified(stamped, jwks(SIGNING), EXPECTED, NOW), "what nobody knows is passed over"
    critical = {"alg": "RS256", "kid": "one", "crit": ["x-note"], "x-note": "ours"}
    with pytest.raises(SignOnRefused):
        verified(by_key(SIGNING, critical), jwks(SIGNING), EXPECTED, NOW)
    nameless = signed(CLAIMS, kid=None)
    assert verified(nameless, jwks(SIGNING), EXPECTED, NOW)["sub"] == "ada"
    with pytest.raises(SignOnRefused, match="not signed in"):
        verified(nameless, jwks(SIGNING, OTHER), EXPECTED, NOW)


GOOD, KEYS = signed(CLAIMS), jwks(SIGNING)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, len(GOOD) - 1), st.sampled_from("AZaz09-_.="))
def test_a_token_with_another_sign_anywhere_is_refused(place: int, sign: str) -> None:
    """But for the bits at the end of Base64 that stand for nothing."""
    changed = GOOD[:place] + sign + GOOD[place + 1 :]
    if changed == GOOD or place in (GOOD.index(".") - 1, GOOD.rindex(".") - 1, len(GOOD) - 1):
        return
    with pytest.raises(SignOnRefused):
        verified(changed, KEYS, EXPECTED, NOW)


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=200) | st.from_regex(r"[A-Za-z0-9_-]{0,60}\.[A-Za-z0-9_-]{0,60}\.x?"))
def test_whatever_else_comes_is_refused_in_order(text: str) -> None:
    with pytest.raises(SignOnRefused):
        verified(text, KEYS, EXPECTED, NOW)
