"""Id tokens of both versions."""

from datetime import UTC, datetime

import pytest

from voltyard.ocpp.routing import Exchange
from voltyard.ocpp.tokens import id_tag, token_16, token_201
from voltyard.ocpp.v201.types import read_token, write_token
from voltyard.sessions.model import IdToken, TokenKind


@pytest.mark.parametrize(
    ("text", "token"),
    [
        ("04A1B2C3D4", IdToken("04A1B2C3D4")),
        (" 04a1 ", IdToken("04a1")),
        ("VID:001122AABBCC", IdToken("001122AABBCC", TokenKind.VID)),
        ("vid:00:11:22:AA:BB:CC", IdToken("001122AABBCC", TokenKind.VID)),
        ("00:11:22:AA:BB:CC", IdToken("001122AABBCC", TokenKind.MAC)),
        ("00-11-22-aa-bb-cc", IdToken("001122aabbcc", TokenKind.MAC)),
        ("00:11-22:AA:BB:CC", IdToken("00:11-22:AA:BB:CC")),
        ("", IdToken("")),
    ],
)
def test_a_tag_of_16(text: str, token: IdToken) -> None:
    assert token_16(text) == token


def test_a_vehicle_id_goes_back_as_it_came() -> None:
    assert id_tag(token_16("VID:001122AABBCC")) == "VID:001122AABBCC"


def test_a_mac_of_201_is_written_plainly() -> None:
    token = token_201("00:11:22:AA:BB:CC", TokenKind.MAC)
    assert token == IdToken("001122AABBCC", TokenKind.MAC)
    assert write_token(token).type == "MacAddress"


WORDS = {
    "Central",
    "eMAID",
    "ISO14443",
    "KeyCode",
    "Local",
    "MacAddress",
    "NoAuthorization",
}
"""Of IdTokenEnumType of 2.0.1."""
READ_AS = {TokenKind.VID: TokenKind.MAC, TokenKind.DIRECT_PAYMENT: TokenKind.CENTRAL}
"""2.0.1 has no word of their own for these."""


@pytest.mark.parametrize("kind", list(TokenKind))
def test_every_kind_has_a_word_in_201(kind: TokenKind) -> None:
    """What is written so is read as the same kind again."""
    written = write_token(IdToken("x", kind))
    assert written.type in WORDS
    now = datetime(2026, 1, 15, tzinfo=UTC)
    exchange = Exchange(None, None, None, "m", now)  # type: ignore[arg-type]
    assert read_token(exchange, written).kind is READ_AS.get(kind, kind)
    assert exchange.flags == []
