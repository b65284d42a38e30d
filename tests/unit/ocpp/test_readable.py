"""Frames as fields a person reads."""

from zoneinfo import ZoneInfo

from voltyard.chargers.speech import ReadField
from voltyard.ocpp.readable import fields, words

BERLIN = ZoneInfo("Europe/Berlin")


def test_names_become_words() -> None:
    assert words("chargingProfilePurpose") == "Charging profile purpose"
    assert words("evseId") == "EVSE id"
    assert words("ocspRequestData") == "OCSP request data"
    assert words("certificateHashDataChain 2") == "Certificate hash data chain 2"


def test_instants_are_on_the_local_clock_beside_what_was_written() -> None:
    (field,) = fields("Heartbeat", "result", '{"currentTime":"2026-07-01T10:00:00.5Z"}', BERLIN)
    assert field == ReadField(
        0, "Current time", "2026-07-01 12:00:00 CEST", "2026-07-01T10:00:00.5Z"
    )
    (winter,) = fields("Heartbeat", "result", '{"currentTime":"2026-01-01T10:00:00+02:00"}', BERLIN)
    assert winter.text == "2026-01-01 09:00:00 CET"
    (odd,) = fields("X", "call", '{"timestamp":"2026-07-01T10:00:00"}', BERLIN)
    assert (odd.text, odd.note) == ("2026-07-01T10:00:00", "")


def test_numbers_have_their_units() -> None:
    profile = (
        '{"csChargingProfiles":{"chargingSchedule":{"chargingRateUnit":"A","duration":60,'
        '"chargingSchedulePeriod":[{"startPeriod":0,"limit":16.0}]}}}'
    )
    told = {
        field.name: field.text for field in fields("SetChargingProfile", "call", profile, BERLIN)
    }
    assert told["Limit"] == "16.0 A"
    assert told["Duration"] == "60 s"
    values = (
        '{"meterValue":[{"timestamp":"2026-07-01T10:00:00Z","sampledValue":['
        '{"value":"11","measurand":"Power.Active.Import","unit":"kW","phase":"L1"},'
        '{"value":"5"}]}]}'
    )
    lines = {f.name: (f.text, f.note) for f in fields("MeterValues", "call", values, BERLIN)}
    assert lines["Power.Active.Import"] == ("11 kW", "L1")
    assert lines["Energy.Active.Import.Register"] == ("5 Wh", "")
    of_201 = (
        '{"sampledValue":[{"value":1.5,"measurand":"Voltage",'
        '"unitOfMeasure":{"unit":"V","multiplier":3}}]}'
    )
    (field,) = fields("TransactionEvent", "call", of_201, BERLIN)
    assert field.text == "1.5 × 10^3 V"


def test_what_is_no_json_is_text_and_nothing_is_nothing() -> None:
    assert fields("X", "error", "went wrong", BERLIN) == [ReadField(0, "Text", "went wrong")]
    assert fields("X", "call", "{}", BERLIN) == []
    deep = "[" * 40 + "]" * 40
    assert len(fields("X", "unreadable", deep, BERLIN)) <= 1
    assert len(fields("X", "call", "[" + "1," * 9000 + "1]", BERLIN)) == 5000
