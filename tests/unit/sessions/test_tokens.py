"""Id tokens as the field writes them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voltyard.sessions.model import IdToken, TokenKind
from voltyard.sessions.tokens import clean, key, spellings

MACS = (
    "001A2B3C4D5E",
    "00:1a:2b:3c:4d:5e",
    "00-1A-2B-3C-4D-5E",
    "VID:001A2B3C4D5E",
    "vid001a2b3c4d5e",
)


@pytest.mark.parametrize("written", MACS)
def test_a_mac_has_one_key_however_written(written: str) -> None:
    assert key(written) == "001A2B3C4D5E"


@pytest.mark.parametrize("written", MACS)
def test_every_spelling_is_tried_the_reported_first(written: str) -> None:
    found = [token.value for token in spellings(IdToken(written, TokenKind.MAC))]
    assert found[0] == written
    assert {"001A2B3C4D5E", "VID:001A2B3C4D5E", "00:1A:2B:3C:4D:5E"} <= {
        value.upper() for value in found
    }


@pytest.mark.parametrize("plain", ["BUS1", "04A2B3C4", "", "DE*ABC*123"])
def test_other_tokens_are_asked_for_once(plain: str) -> None:
    assert spellings(IdToken(plain)) == (IdToken(plain),)
    assert key(plain.lower()) == plain


@given(st.text())
def test_clean_tokens_fit_any_database(text: str) -> None:
    value = clean(IdToken(text)).value
    assert len(value) <= 255
    assert "\x00" not in value
    value.encode()
    assert clean(IdToken(value)).value == value
