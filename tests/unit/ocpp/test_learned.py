"""Messages of a form that was seen before are read as the careful way reads them."""

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as some

from voltyard.ocpp import learned
from voltyard.ocpp.framing import WORDS_16
from voltyard.ocpp.learned import Forms, Lean, Numbers, read_meter_values
from voltyard.ocpp.reader import Reader
from voltyard.ocpp.v16 import transactions as v16
from voltyard.ocpp.v21 import transactions as v21
from voltyard.ocpp.v201 import metering as v201

AT = "2026-11-21T08:00:00Z"
MEASURANDS = ("Energy.Active.Import.Register", "Power.Active.Import", "SoC", "Voltage",
              "Current.Import", "Power.Offered", "Temperature")  # fmt: skip
NUMBERS = ("0", "7", "16.0", "-4", "230.4", "1e3", "99999999")
ODD = ("16,5", "", "1_0", "nan", " 4 ", "1e400", '4"', "[1", "1,2", "+7", "5.", "\\")


class Listener:
    """An exchange that writes down what it is told."""

    def __init__(self) -> None:
        self.noted: list[tuple[str, str]] = []

    def instant(self, text: str | None) -> datetime:
        return datetime(2026, 11, 21, 8, tzinfo=UTC)

    def flag(self, name: str, detail: str = "") -> None:
        self.noted.append((name, detail))


def sample(**parts: Any) -> dict[str, Any]:
    return {key: value for key, value in parts.items() if value is not None}


words_16 = some.builds(
    sample,
    measurand=some.sampled_from((None, *MEASURANDS)),
    phase=some.sampled_from((None, None, "L1", "L2", "L1-N")),
    context=some.sampled_from((None, "Sample.Periodic", "Transaction.End")),
    unit=some.sampled_from((None, "Wh", "kWh", "W", "A")),
    format=some.sampled_from((None, None, None, "SignedData")),
)


def heard(reader: Reader, message: Any) -> tuple[Any, list[tuple[str, str]]]:
    listener = Listener()
    payload = msgspec.Raw(json.dumps(message, separators=(",", ":")).encode())
    request = reader.sound(payload) or reader.read(payload, WORDS_16, listener.flag)
    return read_meter_values(listener, request.meter_value), listener.noted


def careful(kind: Any, message: Any) -> tuple[Any, list[tuple[str, str]]]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Lean, "read", lambda lean, payload: None)
        return heard(Reader(kind), message)


def of_16(words: list[dict[str, Any]], values: list[str]) -> dict[str, Any]:
    sampled = [{"value": value, **said} for said, value in zip(words, values, strict=True)]
    return {"connectorId": 1, "meterValue": [{"timestamp": AT, "sampledValue": sampled}]}


@given(
    some.lists(words_16, min_size=1, max_size=5).flatmap(
        lambda words: some.tuples(
            some.just(words),
            some.lists(
                some.lists(
                    some.sampled_from((*NUMBERS, *ODD)), min_size=len(words), max_size=len(words)
                ),
                min_size=3,
                max_size=3,
            ),
        )
    )
)
def test_what_was_learned_is_what_the_careful_way_reads(given: Any) -> None:
    words, rows = given
    reader = Reader(v16.MeterValues)
    heard(reader, of_16(words, ["1"] * len(words)))
    for values in rows:
        message = of_16(words, values)
        assert heard(reader, message) == careful(v16.MeterValues, message)


@pytest.mark.parametrize("kind", [v201.MeterValues, v21.TransactionEvent])
def test_numbers_of_2x_are_learned_and_text_in_their_place_is_not(kind: Any) -> None:
    def message(*values: Any) -> dict[str, Any]:
        said: list[dict[str, Any]] = [
            {"measurand": MEASURANDS[0], "unitOfMeasure": {"unit": "kWh"}},
            {"measurand": "Power.Active.Import", "unitOfMeasure": {"multiplier": 3}},
            {"measurand": "Current.Import", "phase": "L2"},
        ]
        sampled = [words | {"value": value} for words, value in zip(said, values, strict=True)]
        metered: dict[str, Any] = {"meterValue": [{"timestamp": AT, "sampledValue": sampled}]}
        if kind is v201.MeterValues:
            return {"evseId": 1, **metered}
        told: dict[str, Any] = {
            "eventType": "Updated",
            "triggerReason": "MeterValuePeriodic",
            "seqNo": 1,
        }
        return {**told, "timestamp": AT, "transactionInfo": {"transactionId": "t"}, **metered}

    reader = Reader(kind)
    for values in ((1.5, 11, 16), (2, 11.04, 15.9), (3, -1, 0), ("4", 1, 2)):
        given = message(*values)
        assert heard(reader, given) == careful(kind, given)
    payload = msgspec.Raw(json.dumps(message(5, 6, 7), separators=(",", ":")).encode())
    samples = reader.sound(payload).meter_value[0].sampled_value
    assert isinstance(samples, Numbers)
    read = samples.reading(datetime(2026, 11, 21, tzinfo=UTC), Listener().flag)
    assert read is not None
    assert (read.energy_wh, read.power_w, read.current_a) == (5000, 6000, (None, 7, None))


def test_a_value_that_is_no_sample_s_makes_no_form() -> None:
    forms = Forms(v201.SampledValue)
    strange = b'[{"value":1,"customData":{"vendorId":"x","value":2}},{"value":"3"}]'
    forms.learn(strange)
    assert forms.known(strange) is None
    assert len(forms) == 1


def test_what_chargers_can_make_us_remember_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learned, "FORMS_MAX", 3)
    forms = Forms(v16.SampledValue)
    for number in range(8):
        forms.learn(b'[{"value":"1"%b}]' % (b" " * number))
        assert len(forms) <= 3
    known = forms.known(b'[{"value":"5"%b}]' % (b" " * 7))
    assert known is not None
    long = b'[{"value":"1"%b}]' % (b" " * learned.FORM_MAX_BYTES)
    forms.learn(long)
    assert forms.known(long) is None
