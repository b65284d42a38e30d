"""VDV 261 as far as it is known: echo, changes on top of what was told, "not available"."""

import json
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voltyard.errors import Invalid
from voltyard.preconditioning.model import Kind
from voltyard.preconditioning.vdv261.codec import Told, answer, mac, merged, read, reported
from voltyard.preconditioning.vdv261.model import (
    DEFAULT,
    Coding,
    Credential,
    DriveOff,
    Heard,
    coding_of,
)

VIN = "WEB62804113456789"
AT = datetime(2026, 1, 16, 3, 0, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
KNOWN = Credential(UUID(int=1), UUID(int=2), VIN, "hash", enabled=True, changed_at=AT)


def message(seq: int = 0, **fields: Any) -> bytes:
    return json.dumps({"seq": seq, "vin": VIN, **fields}).encode()


def told_in_turn(*bodies: bytes, version: int = 1, coding: Coding = DEFAULT) -> Heard:
    heard: Heard | None = None
    for body in bodies:
        heard = merged(heard, read(body, version, coding), version, KNOWN, AT)
    assert heard is not None
    return heard


def test_changes_are_laid_over_what_was_told_and_a_complete_message_begins_anew() -> None:
    heard = told_in_turn(
        message(0, odo=10, prec_reqtime=30, prec_eamount=6000),
        message(1, prec_eamount=5000),
        message(2, chrg_stat=1),
    )
    assert heard.seq == 2
    assert heard.fields["prec_eamount"] == 5000
    assert heard.fields["odo"] == 10
    again = told_in_turn(message(255, odo=10, prec_reqtime=30), message(0, odo=11))
    assert dict(again.fields) == {"odo": 11}


def test_a_change_twice_or_out_of_turn_harms_nothing() -> None:
    once = told_in_turn(message(0, odo=10), message(1, odo=12))
    twice = told_in_turn(message(0, odo=10), message(1, odo=12), message(1, odo=12))
    assert once.fields == twice.fields
    alone = told_in_turn(message(7, odo=12))
    assert alone.fields == {"odo": 12}


def test_what_is_not_available_takes_back_what_was_told() -> None:
    heard = told_in_turn(
        message(0, prec_reqtime=30, prec_eamount=6000),
        message(1, prec_reqtime=65535, prec_eamount=None),
    )
    report = reported(heard, VIN, DEFAULT)
    assert (report.climate_s, report.climate_wh) == (None, None)


def test_units_and_states_by_the_coding() -> None:
    coding = replace(DEFAULT, time_unit_s=1.0, energy_unit_wh=100.0, charging={"9": "charging"})
    heard = told_in_turn(
        message(0, prec_reqtime=1200, prec_eamount=60, chrg_stat=9, bat_stat=0, h2_stat=255),
        version=2,
        coding=coding,
    )
    report = reported(heard, VIN, coding)
    assert (report.climate_s, report.climate_wh, report.charging) == (1200.0, 6000.0, "charging")
    assert (report.battery_ok, report.hydrogen_ok) == (True, None)


def test_unknown_fields_are_passed_over_and_states_belong_to_version_2() -> None:
    heard = told_in_turn(message(0, odo=1, data_num="x", bprec_eamount=3, bat_stat=0))
    assert dict(heard.fields) == {"odo": 1}


def test_another_version_begins_anew() -> None:
    first = told_in_turn(message(0, odo=1, prec_reqtime=30))
    second = merged(first, read(message(1, odo=2), 2, DEFAULT), 2, KNOWN, AT)
    assert dict(second.fields) == {"odo": 2}


def test_the_answer_echoes_and_tells_the_departure() -> None:
    asked = read(message(17), 1, DEFAULT)
    known = Told(AT + timedelta(minutes=90, seconds=30), wanted=True, kind=Kind.HEATING)
    found = answer(asked, 1, known, DEFAULT, AT, BERLIN)
    assert (found["seq"], found["vin"]) == (17, VIN)
    assert (found["prec_dsrd"], found["prec_hvac"], found["ambienttemp"]) == (1, 1, 255)
    assert "target_soc" not in found
    second = answer(asked, 2, replace(known, target_soc_pct=94.6), DEFAULT, AT, BERLIN)
    assert second["target_soc"] == 95


def test_what_nobody_knows_is_not_available() -> None:
    found = answer(read(message(0), 2, DEFAULT), 2, Told(), DEFAULT, AT, BERLIN)
    assert found["driveoff"] == 65535
    assert found["prec_hvac"] == 3
    assert found["ambienttemp"] == 255


@pytest.mark.parametrize("kind", [Kind.HEATING, Kind.VENTILATION, Kind.COOLING])
def test_inferred_numbers_are_settings(kind: Kind) -> None:
    hvac = {"heating": 11, "ventilation": 12, "cooling": 13, "none": 14}
    coding = replace(
        DEFAULT,
        driveoff=DriveOff.MINUTE_OF_DAY,
        hvac=hvac,
        ambient_offset_c=40,
        wanted_yes=7,
    )
    known = Told(AT, wanted=True, kind=kind, ambient_c=-5.4)
    found = answer(read(message(0), 1, coding), 1, known, coding, AT, BERLIN)
    assert found["driveoff"] == 4 * 60
    assert found["prec_hvac"] == hvac[kind.value]
    assert (found["ambienttemp"], found["prec_dsrd"]) == (35, 7)


def test_a_vehicle_that_begins_at_once_is_told_in_time_and_no_sooner() -> None:
    coding = replace(DEFAULT, wanted_ahead_s=60.0)
    known = Told(AT + timedelta(hours=1), wanted=True, wanted_at=AT, kind=Kind.HEATING)
    for early_s, wanted in ((61, 0), (59, 1), (-600, 1)):
        now = AT - timedelta(seconds=early_s)
        assert (
            answer(read(message(0), 1, coding), 1, known, coding, now, BERLIN)["prec_dsrd"]
            == wanted
        )


def test_a_strict_coding_wants_both_states_in_changes_of_version_2() -> None:
    strict = replace(DEFAULT, states_required=True)
    read(message(0), 2, strict)
    with pytest.raises(Invalid) as refused:
        read(message(1, bat_stat=0), 2, strict)
    assert set(refused.value.fields) == {"h2_stat"}


@pytest.mark.parametrize(
    "content",
    [
        {"driveoff": "never"},
        {"hvac": {"heating": 1}},
        {"charging": {"0": "asleep"}},
        {"charging": {"zero": "ready"}},
        {"time_unit_s": 0},
        {"user_agents": {"3": "x"}},
        {"driveof": "remaining"},
    ],
)
def test_a_coding_that_means_nothing_is_refused(content: dict[str, Any]) -> None:
    with pytest.raises(Invalid) as refused:
        coding_of(content)
    assert refused.value.fields


def test_macs_in_any_spelling() -> None:
    for text in ("001A2B3C4D5E", "00:1a:2b:3c:4d:5e", "VID:001a2b3c4d5e", "00-1A-2B-3C-4D-5E"):
        assert mac(text) == "001A2B3C4D5E"
    assert mac("04A2B1C9") == ""


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    fields=st.dictionaries(st.sampled_from(["seq", "vin", "odo", "evccid", "bat_stat"]), anything)
)
def test_whatever_comes_is_read_or_refused_with_a_reason(fields: dict[str, Any]) -> None:
    with suppress(Invalid):
        found = read(json.dumps(fields).encode(), 2, DEFAULT)
        assert 0 <= found.seq <= 255


@settings(max_examples=100, deadline=None, derandomize=True)
@given(body=st.binary(max_size=200))
def test_bytes_that_are_no_message_are_refused(body: bytes) -> None:
    with pytest.raises(Invalid):
        read(body, 1, DEFAULT)
