"""Identity, password and version as chargers give them, without a socket."""

import base64

import pytest

from voltyard.ocpp.handshake import Choice, Credentials, basic_of, choose, identity_of, offered_in


@pytest.mark.parametrize(
    ("target", "identity"),
    [
        ("/ocpp/CP1", "CP1"),
        ("/a/b/c/CP1/", "CP1"),
        ("/ocpp/CP%2F1", "CP/1"),
        ("/ocpp/CP1#x", "CP1"),
        ("/CP1", None),
        ("", None),
        ("/ocpp/", None),
        ("/ocpp/%0a", None),
        ("/ocpp/%c3%28", None),
        ("/ocpp/" + "x" * 256, None),
    ],
)
def test_identity(target: str, identity: str | None) -> None:
    assert identity_of(target) == identity


def encoded(text: str | bytes) -> str:
    data = text if isinstance(text, bytes) else text.encode()
    return "Basic " + base64.b64encode(data).decode()


@pytest.mark.parametrize(
    ("header", "state", "password"),
    [
        (None, Credentials.NONE, None),
        (encoded("CP1:pass:word"), Credentials.GIVEN, "pass:word"),
        (encoded("CP1:"), Credentials.GIVEN, ""),
        (encoded(b"CP1:\xff\x00"), Credentials.GIVEN, "FF00"),
        (encoded("CP1"), Credentials.WRONG, None),
        (encoded("cp1:x"), Credentials.WRONG, None),
        (encoded("CP11:x"), Credentials.WRONG, None),
        ("Basic", Credentials.WRONG, None),
        ("Basic %%%", Credentials.WRONG, None),
        ("Digest abc", Credentials.WRONG, None),
        ("", Credentials.WRONG, None),
    ],
)
def test_basic(header: str | None, state: Credentials, password: str | None) -> None:
    found = basic_of(header, "CP1")
    assert (found.state, found.password) == (state, password)


def test_an_identity_may_hold_colons() -> None:
    assert basic_of(encoded("AA:BB:se:cret"), "AA:BB").password == "se:cret"


def test_versions_are_chosen_by_our_preference_and_exact_names_first() -> None:
    assert choose(["ocpp1.6", "ocpp2.0.1"]) == Choice("ocpp2.0.1", "ocpp2.0.1")
    assert choose(["OCPP2.0.1", "ocpp1.6"]) == Choice("ocpp1.6", "ocpp1.6")
    assert choose(["ocpp1.5"]).protocol is None
    assert choose(["v10.stomp"]) == Choice("ocpp1.6", None, "subprotocol_odd")
    assert choose([]) == Choice("ocpp1.6", None, "subprotocol_missing")


def test_headers_are_split_however_they_are_written() -> None:
    assert offered_in(["ocpp1.6, ocpp2.0.1", ' "x" ', ","]) == ["ocpp1.6", "ocpp2.0.1", "x"]
    assert offered_in([]) == []
