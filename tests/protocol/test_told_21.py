"""OCPP 2.1 R and S as stations tell of them: grid events, DER controls, swapped batteries."""

from tests.protocol.test_needs_told import said
from tests.protocol.test_schema_oracle import NOW


async def test_a_grid_event_is_kept_as_grave_and_ends() -> None:
    """R05.FR.01."""
    alarm = {
        "controlType": "VoltWatt",
        "gridEventFault": "OverVoltage",
        "timestamp": "2026-11-21T17:00:00Z",
    }
    answer, chargers, _ = await said("2.1", "NotifyDERAlarm", alarm)
    assert answer == {}
    _, later, _ = await said("2.1", "NotifyDERAlarm", alarm | {"alarmEnded": True})
    [began], [ended] = chargers.told_events, later.told_events
    assert (began.variable, began.value, began.cleared) == (
        "DERCtrlr.VoltWatt",
        "OverVoltage",
        False,
    )
    assert began.severity is not None
    assert began.severity <= 3
    assert ended.cleared


async def test_a_der_control_that_begins_is_kept() -> None:
    """R04.FR.20, FR.21."""
    told = {
        "controlId": "droop-2",
        "started": True,
        "supersededIds": ["droop-1"],
        "timestamp": "2026-11-21T17:00:00Z",
    }
    _, chargers, _ = await said("2.1", "NotifyDERStartStop", told)
    [event] = chargers.told_events
    assert (event.variable, event.value) == ("DERCtrlr[droop-2].Active", "true")
    assert "droop-1" in event.tech_info


async def test_batteries_that_come_and_go_are_kept() -> None:
    """S03.FR.01, FR.03, FR.06."""
    batteries = [{"evseId": n, "serialNumber": f"B{n}", "soC": 12.5, "soH": 97} for n in (1, 2)]
    swap = {
        "batteryData": batteries,
        "eventType": "BatteryIn",
        "idToken": {"idToken": "ABC", "type": "ISO14443"},
        "requestId": 7,
    }
    answer, chargers, _ = await said("2.1", "BatterySwap", swap)
    assert answer == {}
    assert [event.variable for event in chargers.told_events] == [
        "BatterySwap@1.B1",
        "BatterySwap@2.B2",
    ]
    first = chargers.told_events[0]
    assert (first.value, first.event_id, first.at) == ("BatteryIn: SoC 12.5 %, SoH 97 %", 7, NOW)
    _, chargers, _ = await said("2.1", "BatterySwap", swap | {"eventType": "BatteryOutTimeout"})
    assert all(event.severity == 5 for event in chargers.told_events)
