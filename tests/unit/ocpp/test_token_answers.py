"""What each version says of a token."""

from datetime import UTC, datetime

import pytest

from voltyard.ocpp.v16.types import id_tag_info
from voltyard.ocpp.v201.types import id_token_info
from voltyard.sessions.model import Authorisation, AuthorisationStatus

A = AuthorisationStatus
UNTIL = datetime(2026, 1, 15, 18, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "in_16", "in_201"),
    [
        (A.ACCEPTED, "Accepted", "Accepted"),
        (A.BLOCKED, "Blocked", "Blocked"),
        (A.EXPIRED, "Expired", "Expired"),
        (A.INVALID, "Invalid", "Invalid"),
        (A.UNKNOWN, "Invalid", "Unknown"),
        (A.CONCURRENT, "ConcurrentTx", "ConcurrentTx"),
        (A.NOT_HERE, "Blocked", "NotAtThisLocation"),
        (A.NOT_NOW, "Blocked", "NotAtThisTime"),
        (A.RESERVED, "Blocked", "NotAtThisTime"),
    ],
)
def test_every_status_has_its_word(status: A, in_16: str, in_201: str) -> None:
    answer = Authorisation(status)
    assert id_tag_info(answer).status == in_16
    assert id_token_info(answer).status == in_201


def test_every_status_is_in_the_table_above() -> None:
    for status in A:
        assert id_tag_info(Authorisation(status)).status
        assert id_token_info(Authorisation(status)).status


def test_group_expiry_and_place_go_along() -> None:
    answer = Authorisation(A.ACCEPTED, group="FLEET", until_at=UNTIL, evse_numbers=(2, 3))
    old = id_tag_info(answer)
    assert (old.parent_id_tag, old.expiry_date) == ("FLEET", "2026-01-15T18:00:00.000Z")
    new = id_token_info(answer)
    assert new.group_id_token is not None
    assert (new.group_id_token.id_token, new.group_id_token.type) == ("FLEET", "Central")
    assert new.cache_expiry_date_time == "2026-01-15T18:00:00.000Z"
    assert new.evse_id == [2, 3]


def test_a_group_that_does_not_fit_is_left_out() -> None:
    """Row 15: 20 characters in 1.6, 36 in 2.0.1."""
    assert id_tag_info(Authorisation(A.ACCEPTED, group="G" * 20)).parent_id_tag == "G" * 20
    assert id_tag_info(Authorisation(A.ACCEPTED, group="G" * 21)).parent_id_tag is None
    assert id_token_info(Authorisation(A.ACCEPTED, group="G" * 36)).group_id_token is not None
    assert id_token_info(Authorisation(A.ACCEPTED, group="G" * 37)).group_id_token is None
    assert id_token_info(Authorisation(A.ACCEPTED)).group_id_token is None
