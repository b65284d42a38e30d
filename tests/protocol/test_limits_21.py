"""Limits as OCPP 2.1 alone says them: updated in place (K28) and as setpoints (Q)."""

from dataclasses import replace
from typing import Any

import msgspec
import pytest

from tests.protocol.schemas import complaints
from tests.protocol.test_needs_told import said
from tests.protocol.test_schema_oracle import DIALECTS, NOW
from voltyard.chargers.commands import (
    AllowTransfer,
    Command,
    Dynamic,
    LimitPurpose,
    ReadAbilities,
    ReportDischarge,
    SetLimit,
    UpdateLimit,
)
from voltyard.chargers.model import Abilities, PowerMode
from voltyard.errors import Invalid
from voltyard.ocpp.routing import Outgoing

LIMIT = SetLimit(LimitPurpose.TX, 1, 12, 1, limit_w=11_000.0, valid_s=900, transaction_ref="t1")


def written(command: Command, version: str = "2.1") -> tuple[str, dict[str, Any]]:
    """The one call a command makes, valid by the standard's schema."""
    calls, _ = DIALECTS[version].express(command, NOW)
    [call] = calls
    payload = msgspec.json.decode(msgspec.json.encode(call.request))
    assert complaints(version, call.action, payload) == []
    return call.action, payload


def test_a_limit_that_is_updated_is_one_period_that_ends_by_itself() -> None:
    """K28.FR.01, FR.02, FR.13; K01.FR.101, FR.102: gone once it was away too long."""
    action, payload = written(replace(LIMIT, dynamic=Dynamic(away_s=900, pull_s=60)))
    assert action == "SetChargingProfile"
    profile = payload["chargingProfile"]
    assert profile["chargingProfileKind"] == "Dynamic"
    assert (profile["maxOfflineDuration"], profile["invalidAfterOfflineDuration"]) == (900, True)
    assert (profile["dynUpdateInterval"], profile["transactionId"]) == (60, "t1")
    assert profile["dynUpdateTime"].startswith("20")
    assert "validTo" not in profile
    [schedule] = profile["chargingSchedule"]
    assert schedule["duration"] == 900
    assert schedule["chargingSchedulePeriod"] == [{"startPeriod": 0, "limit": 11_000}]


def test_an_update_is_the_value_alone() -> None:
    action, payload = written(UpdateLimit(12, limit_w=7_200.44))
    assert action == "UpdateDynamicSchedule"
    assert payload == {"chargingProfileId": 12, "scheduleUpdate": {"limit": 7200.4}}
    assert written(UpdateLimit(12, limit_a=16.0))[1]["scheduleUpdate"] == {"limit": 16}


@pytest.mark.parametrize(
    ("mode", "word"),
    [(PowerMode.SETPOINT, "CentralSetpoint"), (PowerMode.FREQUENCY, "CentralFrequency")],
)
def test_a_setpoint_stands_alone(mode: PowerMode, word: str) -> None:
    """Q03.FR.01, FR.02, Q07.FR.02, FR.03; never more flows back than was meant."""
    command = replace(LIMIT, limit_w=-8_000.05, mode=mode, dynamic=Dynamic())
    _, payload = written(command)
    [schedule] = payload["chargingProfile"]["chargingSchedule"]
    assert schedule["chargingSchedulePeriod"] == [
        {"startPeriod": 0, "setpoint": -8000, "operationMode": word}
    ]
    _, payload = written(UpdateLimit(12, limit_w=-4_000.0, mode=mode))
    assert payload["scheduleUpdate"] == {"setpoint": -4000}


def test_idle_has_neither_limit_nor_setpoint() -> None:
    """Q10.FR.01."""
    _, payload = written(replace(LIMIT, limit_w=0.0, mode=PowerMode.IDLE))
    [schedule] = payload["chargingProfile"]["chargingSchedule"]
    assert schedule["chargingSchedulePeriod"] == [
        {"startPeriod": 0, "operationMode": "Idle", "preconditioningRequest": False}
    ]
    with pytest.raises(Invalid):
        written(UpdateLimit(12, limit_w=0.0, mode=PowerMode.IDLE))


def test_who_only_charges_is_told_so_by_leaving_it_out() -> None:
    """Q02.FR.01, FR.02."""
    _, payload = written(LIMIT)
    [schedule] = payload["chargingProfile"]["chargingSchedule"]
    assert set(schedule["chargingSchedulePeriod"][0]) == {"startPeriod", "limit"}


def test_what_a_vehicle_may_do_is_told_anew() -> None:
    """Q02.FR.05."""
    action, payload = written(AllowTransfer("t1", ("DC", "DC_BPT")))
    assert action == "NotifyAllowedEnergyTransfer"
    assert payload == {"transactionId": "t1", "allowedEnergyTransfer": ["DC", "DC_BPT"]}


def test_what_an_outlet_can_do_is_read_from_its_device_model() -> None:
    """K28, Q01.FR.30, FR.32: of the outlet, else of the station; off is off."""
    known = {
        ("SmartChargingCtrlr", "SupportsFeature", "DynamicProfiles"): "true",
        ("V2XChargingCtrlr@1", "Enabled", ""): "True",
        ("V2XChargingCtrlr", "SupportedOperationModes", ""): "ChargingOnly, CentralSetpoint,Idle",
        ("V2XChargingCtrlr@1", "SupportedEnergyTransferModes", ""): "DC,DC_BPT",
    }
    modes = frozenset({PowerMode.SETPOINT, PowerMode.IDLE})
    found = abilities(known)
    assert found == Abilities(True, False, modes, ("DC", "DC_BPT"))
    assert found.discharges
    known["V2XChargingCtrlr@1", "Enabled", ""] = "false"
    assert abilities(known) == Abilities(dynamic=True)
    assert abilities({}) == Abilities()


def abilities(known: dict[tuple[str, str, str], str]) -> Abilities:
    """As a charger with these variables answers."""
    calls, combine = DIALECTS["2.1"].express(ReadAbilities(1), NOW)
    [call] = calls
    asked = msgspec.json.decode(msgspec.json.encode(call.request))["getVariableData"]
    assert len(asked) == 8
    rows = []
    for item in asked:
        component = item["component"]
        at = f"@{component['evse']['id']}" if "evse" in component else ""
        name = (f"{component['name']}{at}", item["variable"]["name"])
        value = known.get((*name, item["variable"].get("instance", "")))
        place = {key: item[key] for key in ("component", "variable")}
        if value is None:
            rows.append({"attributeStatus": "UnknownVariable", **place})
        else:
            rows.append({"attributeStatus": "Accepted", "attributeValue": value, **place})
    response = read(call, {"getVariableResult": rows})
    found = combine([call.answer(response)]).detail["abilities"]
    assert isinstance(found, Abilities)
    return found


def test_what_flows_back_is_told_with_the_other_readings() -> None:
    """Q01.FR.35."""
    action, payload = written(ReportDischarge(2, PowerMode.SETPOINT))
    assert action == "SetVariables"
    [item] = payload["setVariableData"]
    assert item["variable"] == {"name": "TxUpdatedMeasurands", "instance": "CentralSetpoint"}
    assert item["component"] == {"name": "V2XChargingCtrlr", "evse": {"id": 2}}
    assert "Energy.Active.Export.Register" in item["attributeValue"]


def read(call: Outgoing, payload: dict[str, Any]) -> Any:
    raw = msgspec.Raw(msgspec.json.encode(payload))
    return call.reader.read(raw, DIALECTS["2.1"].words, lambda name, detail="": None)


@pytest.mark.parametrize("version", ["1.6", "2.0.1"])
@pytest.mark.parametrize(
    "command",
    [
        replace(LIMIT, dynamic=Dynamic()),
        replace(LIMIT, mode=PowerMode.SETPOINT),
        UpdateLimit(12, limit_w=1.0),
        AllowTransfer("t1", ("DC",)),
        ReadAbilities(1),
        ReportDischarge(1, PowerMode.SETPOINT),
    ],
)
def test_older_versions_cannot_say_it(version: str, command: Command) -> None:
    if version == "1.6" and isinstance(command, SetLimit):
        command = replace(command, transaction_ref="7")
    with pytest.raises(Invalid):
        DIALECTS[version].express(command, NOW)


@pytest.mark.parametrize(
    "command",
    [
        replace(LIMIT, dynamic=Dynamic(), valid_s=None),
        replace(LIMIT, dynamic=Dynamic(), purpose=LimitPurpose.TX_DEFAULT),
        replace(LIMIT, dynamic=Dynamic(), limit_w=-1.0),
        replace(LIMIT, dynamic=Dynamic(), limit_w=None),
        replace(LIMIT, dynamic=Dynamic(), limit_w=float("nan")),
        UpdateLimit(12),
    ],
)
def test_what_makes_no_sense_is_not_sent(command: Command) -> None:
    with pytest.raises(Invalid):
        DIALECTS["2.1"].express(command, NOW)


async def test_a_charger_that_pulls_is_answered_with_its_limit() -> None:
    """K28.FR.07, FR.12."""
    updates = {12: UpdateLimit(12, limit_w=9_000.0)}
    request = {"chargingProfileId": 12}
    answer, _, _ = await said("2.1", "PullDynamicScheduleUpdate", request, updates=updates)
    assert answer == {"status": "Accepted", "scheduleUpdate": {"limit": 9000.0}}
    request = {"chargingProfileId": 99}
    answer, _, _ = await said("2.1", "PullDynamicScheduleUpdate", request, updates=updates)
    assert answer == {"status": "Rejected", "statusInfo": {"reasonCode": "InvalidProfile"}}


@pytest.mark.parametrize(
    ("ways", "told"),
    [
        (("DC", "DC_BPT"), ["DC", "DC_BPT"]),
        (("DC",), None),
        ((), None),
    ],
)
async def test_who_may_charge_is_told_in_which_ways(
    ways: tuple[str, ...], told: list[str] | None
) -> None:
    """Q01.FR.01, FR.08."""
    request = {"idToken": {"idToken": "ABC", "type": "ISO14443"}}
    answer, _, _ = await said("2.1", "Authorize", request, ways=ways)
    assert answer["idTokenInfo"]["status"] == "Accepted"
    assert answer.get("allowedEnergyTransfer") == told
