"""A start from afar that carries the limit of its transaction (OCPP 2.0.1 K05, 1.6 §5.11)."""

import json
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from tests.protocol.schemas import complaints
from tests.protocol.test_schema_oracle import DIALECTS, NOW
from voltyard.chargers.commands import LimitPurpose, RemoteStart, SetLimit
from voltyard.errors import Invalid
from voltyard.sessions.model import IdToken

LIMIT = SetLimit(LimitPurpose.TX, 1, 12, 8, limit_w=7_000.0, valid_s=900, start_at=NOW)


def said(version: str, limit: SetLimit | None) -> dict[str, Any]:
    start = RemoteStart(1, IdToken("ABC"), 7, limit=limit)
    (call,), _ = DIALECTS[version].express(start, NOW)
    found = json.loads(msgspec.json.encode(call.request))
    assert complaints(version, call.action, found) == []
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("version", ["2.0.1", "2.1"])
def test_its_profile_is_of_a_transaction_that_has_no_id_yet(version: str) -> None:
    """K05.FR.02: the purpose is TxProfile."""
    profile = said(version, LIMIT)["chargingProfile"]
    assert profile["chargingProfilePurpose"] == "TxProfile"
    assert "transactionId" not in profile
    assert (profile["id"], profile["stackLevel"]) == (12, 8)
    [schedule] = profile["chargingSchedule"]
    assert schedule["chargingSchedulePeriod"][0]["limit"] == 7_000
    assert profile["validTo"] == f"{NOW + timedelta(seconds=900):%Y-%m-%dT%H:%M:%S.000Z}"


def test_16_says_it_too() -> None:
    profile = said("1.6", LIMIT)["chargingProfile"]
    assert profile["chargingProfilePurpose"] == "TxProfile"
    assert "transactionId" not in profile


@pytest.mark.parametrize("version", DIALECTS)
def test_without_one_there_is_none(version: str) -> None:
    assert "chargingProfile" not in said(version, None)


@pytest.mark.parametrize("version", DIALECTS)
def test_sent_alone_it_still_names_its_transaction(version: str) -> None:
    with pytest.raises(Invalid):
        DIALECTS[version].express(LIMIT, NOW)
