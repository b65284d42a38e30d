"""Every state, step and concern of security has a word, in German too, and a shape."""

from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from voltyard.pki.model import (
    OPEN,
    ROOT_USES,
    AnchorUse,
    CertificateState,
    Issuer,
    Profile,
)
from voltyard.pki.overview import Concern
from voltyard.pki.rounds import PERMISSIONS, Step
from voltyard.web.console import security_words as words
from voltyard.web.console.security_station import ACTIONS
from voltyard.web.i18n import translations

TABLES: tuple[tuple[Iterable[Any], Mapping[Any, str]], ...] = (
    (Profile, words.PROFILE_WORDS),
    (CertificateState, words.STATE_WORDS),
    (Concern, words.CONCERN_WORDS),
    (Step, words.STEP_WORDS),
    (ROOT_USES, words.ROOT_WORDS),
    (Issuer, words.ISSUER_WORDS),
    (AnchorUse, words.ANCHOR_WORDS),
)


@pytest.mark.parametrize(("values", "table"), TABLES)
def test_every_value_has_a_word_in_both_languages(
    values: Iterable[Any], table: Mapping[Any, str]
) -> None:
    say = translations("de").gettext
    for value in values:
        assert say(table[value]) != table[value], value


def test_every_state_has_a_shape() -> None:
    assert set(words.STATE_SHAPES) == set(CertificateState)
    assert set(words.PROFILE_SHAPES) == set(words.PROFILE_STATES) == set(Profile)


def test_what_is_on_its_way_is_followed_by_the_page() -> None:
    assert words.ON_ITS_WAY == OPEN


def test_every_step_and_action_asks_for_a_permission() -> None:
    assert set(PERMISSIONS) == set(Step)
    assert all(permission.value != "view" for permission, _, _ in ACTIONS.values())
