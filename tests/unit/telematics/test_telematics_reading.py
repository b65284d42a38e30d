"""What others send is read, or its fault is said: nothing that comes raises anything else."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voltyard.errors import Invalid
from voltyard.telematics.model import Charging, Connection, Kind, Status, Told, health
from voltyard.telematics.ports import Unreadable
from voltyard.telematics.reading import items_of, name_in_topic
from voltyard.telematics.rule import unreadable
from voltyard.telematics.sources import rfms, samsara

NOW = datetime(2026, 1, 15, 18, tzinfo=UTC)
TRUCKS = Connection(uuid4(), uuid4(), "Trucks", Kind.RFMS)
words = st.sampled_from(
    ("observed_at", "soc_pct", "vin", "name", "charging", "data", "id", "time", "value",
     "evStateOfChargeMilliPercent", "vehicleStatuses", "snapshotData", "createdDateTime",
     "hybridBatteryPackRemainingCharge", "2026-01-15T18:00:00Z", "gnssPosition", "latitude")
)  # fmt: skip
leaves = st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats() | words | st.text()
anything = st.recursive(
    leaves,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words, inner, max_size=6),
    max_leaves=20,
)


@settings(max_examples=150)
@given(anything, st.dictionaries(words, words, max_size=2))
def test_nothing_that_comes_breaks_a_reader(found: Any, fields: dict[str, str]) -> None:
    body = msgspec.json.encode(found)
    try:
        items = items_of(body, fields, {"external_id": "x"}, NOW)
    except Invalid:
        items = []
    assert all(isinstance(item, Told | str) for item in items)
    for told in [item for item in items if isinstance(item, Told)] + list(samsara.told_in(found)):
        assert isinstance(unreadable(told), str)
    try:
        page = rfms._page(TRUCKS, found, {}, NOW)
    except Unreadable:
        return
    assert all(isinstance(told, Told) for told in page.told)


def test_messages_of_another_shape_are_led_to_our_fields() -> None:
    body = b'{"ts": 1768500000000, "bat": {"cells": [{"level": 37.5}]}, "unit": 7, "state": "dc"}'
    fields = {
        "observed_at": "ts",
        "soc_pct": "bat.cells.0.level",
        "external_id": "unit",
        "charging": "state",
    }
    (told,) = items_of(body, fields, {})
    assert isinstance(told, Told)
    assert told.observed_at == datetime(2026, 1, 15, 18, tzinfo=UTC)
    assert (told.soc_pct, told.external_id, told.charging) == (37.5, "7", Charging.DC)
    assert name_in_topic("depot/+/state/#", "depot/bus-7/state/soc") == "bus-7"
    with pytest.raises(Invalid, match="At most"):
        items_of(msgspec.json.encode([{}] * 1001), {}, {})


@pytest.mark.parametrize(
    "told",
    [
        Told(NOW, name="a\0b", soc_pct=1.0),
        Told(NOW.replace(year=1), soc_pct=1.0),
        Told(NOW, departure_at=NOW.replace(year=9999)),
        Told(NOW, soc_pct=float("inf")),
    ],
)
def test_what_cannot_be_kept_is_said(told: Told) -> None:
    assert unreadable(told)


def test_health_tells_silence_from_failure() -> None:
    on = Connection(uuid4(), uuid4(), "X", Kind.WEBHOOK, silent_s=600.0)
    begun = Status(NOW)
    assert health(on, begun, NOW) == "never"
    assert health(on, begun, NOW + timedelta(minutes=11)) == "silent"
    alive = Status(NOW, alive_at=NOW)
    assert health(on, alive, NOW) == "good"
    failed = Status(NOW, alive_at=NOW, fault="x", fault_at=NOW + timedelta(seconds=1))
    assert health(on, failed, NOW + timedelta(seconds=2)) == "failing"
    never = Connection(uuid4(), uuid4(), "X", Kind.WEBHOOK, silent_s=0.0)
    assert health(never, begun, NOW + timedelta(days=9)) == "never"
