"""The rules of a connection: order, independence of both directions, bounds, replacement."""

import asyncio
from typing import Any

import pytest

from tests.protocol.rig import NOW, Pipe, PipeClosed, Rig, on_rig
from voltyard.chargers.commands import (
    Command,
    CommandStatus,
    LimitPurpose,
    ReadConfiguration,
    Reset,
    SetLimit,
    Trigger,
    WriteConfiguration,
)
from voltyard.chargers.model import BootStatus, StationState
from voltyard.errors import (
    ChargerOffline,
    ChargerRefused,
    ChargerTimeout,
    Conflict,
    Invalid,
    NotFound,
    TooMany,
    Unauthenticated,
)
from voltyard.ocpp.connection import INBOX_MAX
from voltyard.ocpp.outbox import QUEUE_MAX
from voltyard.sessions.model import Phase

SIX = "2026-11-21T18:00:00Z"
START = {
    "connectorId": 1,
    "idTag": "AB",
    "meterStart": 100,
    "timestamp": "2026-11-21T18:00:00Z",
}
STARTED = {
    "eventType": "Started",
    "timestamp": "2026-11-21T18:00:00Z",
    "triggerReason": "CablePluggedIn",
    "seqNo": 0,
    "transactionInfo": {"transactionId": "5f3c"},
    "evse": {"id": 1},
}


def limit(evse: int, limit_w: float, profile_id: int = 1) -> SetLimit:
    return SetLimit(LimitPurpose.TX_DEFAULT, evse, profile_id, 1, limit_w=limit_w)


def spawn(rig: Rig, command: Command, timeout_s: float = 30.0) -> "asyncio.Task[Any]":
    return asyncio.create_task(rig.chargers.link.send(command, timeout_s=timeout_s))


def test_a_transaction_is_answered_only_after_it_is_stored() -> None:
    async def play(rig: Rig) -> None:
        await rig.plug()
        rig.sessions.gate = asyncio.Event()
        rig.pipe.say([2, "s1", "StartTransaction", START])
        await rig.clock.sleep(5)
        assert rig.pipe.silent
        rig.sessions.gate.set()
        kind, message_id, answer = await rig.pipe.hear()
        assert (kind, message_id, answer["transactionId"]) == (3, "s1", 1001)
        assert rig.sessions.reports[0].message_key == "s1"

    on_rig(play)


def test_messages_of_one_charger_are_handled_in_order() -> None:
    async def play(rig: Rig) -> None:
        await rig.plug()
        rig.sessions.gate = asyncio.Event()
        rig.pipe.say([2, "1", "StartTransaction", START])
        rig.pipe.say([2, "2", "Heartbeat", {}])
        await rig.settle()
        assert rig.chargers.heartbeats == 0
        rig.sessions.gate.set()
        assert [(await rig.pipe.hear())[1], (await rig.pipe.hear())[1]] == ["1", "2"]

    on_rig(play)


def test_a_slow_store_does_not_hold_up_answers_to_our_calls() -> None:
    """Row 11 of the field's demands: the two directions are independent."""

    async def play(rig: Rig) -> None:
        await rig.plug()
        rig.sessions.gate = asyncio.Event()
        rig.pipe.say([2, "1", "StartTransaction", START])
        command = spawn(rig, Reset())
        call = await rig.pipe.hear()
        assert call[2] == "Reset"
        rig.pipe.say([3, call[1], {"status": "Accepted"}])
        assert (await command).status is CommandStatus.ACCEPTED
        rig.sessions.gate.set()
        assert (await rig.pipe.hear())[1] == "1"

    on_rig(play)


def test_a_call_without_answer_does_not_hold_up_incoming_calls() -> None:
    async def play(rig: Rig) -> None:
        await rig.plug()
        command = spawn(rig, Reset())
        await rig.pipe.hear()
        assert (await rig.call("Heartbeat", {}))[0] == 3
        with pytest.raises(ChargerTimeout):
            await command

    on_rig(play)


def test_one_call_at_a_time_goes_out_and_the_next_after_the_answer() -> None:
    """OCPP-J 1.6 §4.1.1."""

    async def play(rig: Rig) -> None:
        await rig.plug()
        first, second = spawn(rig, Reset()), spawn(rig, Trigger("heartbeat"))
        one = await rig.pipe.hear()
        await rig.settle()
        assert rig.pipe.silent
        rig.pipe.say([3, one[1], {"status": "Accepted"}])
        await first
        two = await rig.pipe.hear()
        assert two[2] == "TriggerMessage"
        assert two[1] != one[1]
        rig.pipe.say([3, two[1], {"status": "NotImplemented"}])
        assert (await second).status is CommandStatus.NOT_SUPPORTED

    on_rig(play)


def test_the_next_call_goes_out_when_the_one_before_timed_out() -> None:
    async def play(rig: Rig) -> None:
        await rig.plug()
        first = spawn(rig, Reset(), timeout_s=10)
        second = spawn(rig, Reset(hard=True), timeout_s=30)
        one = await rig.pipe.hear()
        begun = rig.clock.monotonic_s()
        two = await rig.pipe.hear()
        assert rig.clock.monotonic_s() - begun == pytest.approx(10)
        with pytest.raises(ChargerTimeout):
            await first
        rig.pipe.say([3, one[1], {"status": "Rejected"}])
        await rig.settle()
        assert not second.done()
        assert "answer_unexpected" in rig.chargers.flag_names
        rig.pipe.say([3, two[1], {"status": "Accepted"}])
        assert (await second).accepted

    on_rig(play)


def test_a_command_gives_up_waiting_for_its_turn() -> None:
    async def play(rig: Rig) -> None:
        await rig.plug()
        first, second = spawn(rig, Reset(), timeout_s=60), spawn(rig, Reset(), timeout_s=5)
        with pytest.raises(ChargerTimeout) as caught:
            await second
        assert caught.value.detail == "not sent"
        with pytest.raises(ChargerTimeout):
            await first
        assert len([f for f in rig.chargers.frames if f.direction == "out"]) == 1

    on_rig(play)


def test_a_cancelled_command_that_is_out_keeps_the_line_until_its_answer() -> None:
    async def play(rig: Rig) -> None:
        await rig.plug()
        first, second = spawn(rig, Reset()), spawn(rig, Reset(hard=True))
        one = await rig.pipe.hear()
        first.cancel()
        await rig.settle()
        assert rig.pipe.silent
        rig.pipe.say([3, one[1], {"status": "Accepted"}])
        two = await rig.pipe.hear()
        rig.pipe.say([3, two[1], {"status": "Accepted"}])
        assert (await second).accepted

    on_rig(play)


def test_a_cancelled_command_in_the_queue_is_never_sent() -> None:
    async def play(rig: Rig) -> None:
        await rig.plug()
        first, second = spawn(rig, Reset()), spawn(rig, Trigger("boot"))
        one = await rig.pipe.hear()
        second.cancel()
        rig.pipe.say([3, one[1], {"status": "Accepted"}])
        await first
        await rig.settle()
        assert rig.pipe.silent

    on_rig(play)


def test_a_newer_limit_takes_the_place_of_a_queued_older_one() -> None:
    async def play(rig: Rig) -> None:
        await rig.plug()
        first = spawn(rig, Reset())
        one = await rig.pipe.hear()
        old, other, new = (
            spawn(rig, limit(1, 50_000)),
            spawn(rig, limit(2, 10_000)),
            spawn(rig, limit(1, 30_000)),
        )
        with pytest.raises(TooMany) as caught:
            await old
        assert caught.value.code == "superseded"
        rig.pipe.say([3, one[1], {"status": "Accepted"}])
        await first
        sent = []
        for _ in range(2):
            call = await rig.pipe.hear()
            period = call[3]["csChargingProfiles"]["chargingSchedule"]["chargingSchedulePeriod"]
            sent.append((call[3]["connectorId"], period[0]["limit"]))
            rig.pipe.say([3, call[1], {"status": "Accepted"}])
        assert sent == [(1, 30_000), (2, 10_000)]
        assert (await new).accepted
        assert (await other).accepted

    on_rig(play)


def test_a_full_queue_says_so() -> None:
    async def play(rig: Rig) -> None:
        await rig.plug()
        tasks = [spawn(rig, Reset())]
        await rig.pipe.hear()
        tasks += [spawn(rig, Reset()) for _ in range(QUEUE_MAX)]
        await rig.settle()
        with pytest.raises(TooMany):
            await rig.chargers.link.send(Reset())
        rig.pipe.cut()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            assert isinstance(outcome, ChargerOffline)

    on_rig(play)


def test_a_lost_socket_fails_what_is_pending_at_once() -> None:
    async def play(rig: Rig) -> None:
        link = await rig.plug()
        out, queued = spawn(rig, Reset()), spawn(rig, Trigger("boot"))
        await rig.pipe.hear()
        begun = rig.clock.monotonic_s()
        rig.pipe.cut()
        for task in (out, queued):
            with pytest.raises(ChargerOffline):
                await task
        assert rig.clock.monotonic_s() - begun < 0.1
        await rig.chargers.departed.wait()
        assert rig.chargers.ended[0][0] is link
        with pytest.raises(ChargerOffline):
            await link.send(Reset())

    on_rig(play)


def test_a_new_connection_replaces_the_old_one_at_once() -> None:
    """Row 10: the dead socket must not block the reconnect, nor end the new one."""

    async def play(rig: Rig) -> None:
        old = await rig.plug()
        pending = spawn(rig, Reset())
        await rig.pipe.hear()
        new = await rig.plug()
        with pytest.raises(ChargerOffline):
            await pending
        await rig.settle()
        assert rig.pipes[0].closed
        assert rig.chargers.link is new is not old
        assert rig.server.gateway.connections == (new,)
        assert all(link is old for link, _ in rig.chargers.ended)
        assert (await rig.call("Heartbeat", {}))[0] == 3

    on_rig(play)


def test_what_the_replaced_connection_is_storing_comes_before_the_new_ones_messages() -> None:
    async def play(rig: Rig) -> None:
        await rig.plug()
        rig.sessions.gate = asyncio.Event()
        rig.pipe.say([2, "a", "StartTransaction", START])
        await rig.settle()
        await rig.plug()
        rig.pipe.say([2, "a", "StartTransaction", START])
        rig.pipe.say([2, "b", "Heartbeat", {}])
        await rig.settle()
        assert rig.chargers.heartbeats == 0
        rig.sessions.gate.set()
        assert [(await rig.pipe.hear())[1], (await rig.pipe.hear())[1]] == ["a", "b"]
        assert [report.message_key for report in rig.sessions.reports] == ["a", "a"]

    on_rig(play)


def test_what_a_lost_connection_is_storing_comes_before_the_next_ones_messages() -> None:
    async def play(rig: Rig) -> None:
        await rig.plug()
        rig.sessions.gate = asyncio.Event()
        rig.pipe.say([2, "a", "StartTransaction", START])
        await rig.settle()
        rig.pipe.cut()
        await rig.chargers.departed.wait()
        assert rig.server.gateway.connections == ()
        await rig.plug()
        rig.pipe.say([2, "b", "Heartbeat", {}])
        await rig.settle()
        assert rig.chargers.heartbeats == 0
        rig.sessions.gate.set()
        assert (await rig.pipe.hear())[1] == "b"
        assert [report.message_key for report in rig.sessions.reports] == ["a"]

    on_rig(play)


def test_a_store_that_hangs_does_not_hold_up_the_next_connection_for_ever() -> None:
    async def play(rig: Rig) -> None:
        await rig.plug()
        rig.sessions.gate = asyncio.Event()
        rig.pipe.say([2, "a", "StartTransaction", START])
        await rig.settle()
        await rig.plug()
        begun = rig.clock.monotonic_s()
        assert (await rig.call("Heartbeat", {}))[0] == 3
        assert rig.clock.monotonic_s() - begun == pytest.approx(10, abs=1)
        rig.sessions.gate.set()

    on_rig(play)


def test_in_memory_a_charger_that_fell_silent_is_let_go() -> None:
    async def play(rig: Rig) -> None:
        link = await rig.plug()
        await rig.chargers.departed.wait()
        assert rig.chargers.ended == [(link, "silent for too long")]
        assert rig.pipe.closed

    on_rig(play)


def test_calls_beyond_the_inbox_are_refused_and_the_rest_is_answered() -> None:
    async def play(rig: Rig) -> None:
        await rig.plug()
        rig.sessions.gate = asyncio.Event()
        rig.pipe.say([2, "first", "StartTransaction", START])
        await rig.settle()
        for number in range(INBOX_MAX + 5):
            rig.pipe.say([2, str(number), "Heartbeat", {}])
        refused = [await rig.pipe.hear() for _ in range(5)]
        assert {(frame[0], frame[2]) for frame in refused} == {(4, "GenericError")}
        rig.sessions.gate.set()
        answered = [await rig.pipe.hear() for _ in range(INBOX_MAX + 1)]
        assert {frame[0] for frame in answered} == {3}
        assert answered[0][1] == "first"
        assert "inbox_full" in rig.chargers.flag_names

    on_rig(play)


@pytest.mark.parametrize(
    ("version", "action", "message"),
    [
        ("ocpp1.6", "StartTransaction", START),
        ("ocpp2.0.1", "TransactionEvent", STARTED),
        ("ocpp2.1", "TransactionEvent", STARTED),
    ],
)
def test_a_handler_that_fails_harms_one_message(
    version: str, action: str, message: dict[str, Any]
) -> None:
    """Rows 25 and 26; a transaction's message that was not taken is taken when it comes again."""

    async def play(rig: Rig) -> None:
        await rig.plug(version)
        for failure in (RuntimeError("deadlock detected"), Conflict("no")):
            rig.sessions.fail = failure
            answer = await rig.call(action, message)
            assert answer[:3] == [4, "m1", "InternalError"]
            assert "deadlock" not in answer[3]
        rig.sessions.fail = Invalid("the meter cannot run backwards")
        assert (await rig.call(action, message))[2] == "PropertyConstraintViolation"
        rig.sessions.fail = None
        assert (await rig.call(action, message))[0] == 3
        assert rig.sessions.reports[-1].phase is Phase.STARTED

    on_rig(play)


def test_a_stop_with_an_unknown_id_is_confirmed() -> None:
    """Rows 5 and 6: the domain decides what it is worth, the charger must stop repeating it."""

    async def play(rig: Rig) -> None:
        await rig.plug()
        for identity in (424242, -1, 0):
            stop = {"transactionId": identity, "meterStop": 5, "timestamp": "2026-11-21T18:00:00Z"}
            assert await rig.call("StopTransaction", stop) == [3, "m1", {}]
        assert [report.phase for report in rig.sessions.reports] == [Phase.ENDED] * 3
        assert rig.sessions.reports[1].transaction_ref == "-1"

    on_rig(play)


@pytest.mark.parametrize(
    "odd",
    [
        {"transactionId": None},
        {"transactionData": [{"timestamp": SIX, "sampledValue": [{"value": None}]}]},
        {"transactionData": [{"timestamp": SIX, "sampledValue": [{"unit": "Wh"}]}]},
        {"transactionData": [{"timestamp": SIX}]},
    ],
    ids=["no id", "no value", "value missing", "no values"],
)
def test_a_stop_with_a_gap_is_taken(odd: dict[str, Any]) -> None:
    """Row 5: refused it would come again and again, and nothing else of that charger."""

    async def play(rig: Rig) -> None:
        await rig.plug()
        stop = {"transactionId": 7, "meterStop": 500, "timestamp": SIX}
        assert await rig.call("StopTransaction", {**stop, **odd}) == [3, "m1", {}]
        [report] = rig.sessions.reports
        assert report.transaction_ref == (None if "transactionId" in odd else "7")
        assert [reading.energy_wh for reading in report.readings] == [500.0]
        assert "missing_field" in rig.chargers.flag_names

    on_rig(play)


@pytest.mark.parametrize("version", ["ocpp1.6", "ocpp2.0.1"])
def test_one_value_that_is_none_costs_no_other_value(version: str) -> None:
    """Row 13."""

    async def play(rig: Rig) -> None:
        await rig.plug(version)
        good = "60" if version == "ocpp1.6" else 60
        samples = [
            {"value": good, "measurand": "SoC"}, {"value": None, "measurand": "Voltage"},
        ]  # fmt: skip
        outlet = {"connectorId": 1} if version == "ocpp1.6" else {"evseId": 1}
        message = {**outlet, "meterValue": [{"timestamp": SIX, "sampledValue": samples}]}
        assert await rig.call("MeterValues", message) == [3, "m1", {}]
        [(_, _, (reading,))] = rig.sessions.metered
        assert (reading.soc_pct, reading.voltage_v) == (60.0, None)

    on_rig(play)


def test_a_callerror_is_a_refusal_with_its_word() -> None:
    async def play(rig: Rig) -> None:
        await rig.plug()
        command = spawn(rig, Reset())
        call = await rig.pipe.hear()
        rig.pipe.say([4, call[1], "NotSupported", "no such thing", {}])
        with pytest.raises(ChargerRefused) as caught:
            await command
        assert caught.value.detail == "NotSupported"

    on_rig(play)


def test_an_answer_that_makes_no_sense_is_a_refusal_and_is_not_answered() -> None:
    async def play(rig: Rig) -> None:
        await rig.plug()
        command = spawn(rig, Reset())
        call = await rig.pipe.hear()
        rig.pipe.say([3, call[1], {"state": "Accepted"}])
        with pytest.raises(ChargerRefused):
            await command
        assert rig.pipe.silent
        assert "answer_unreadable" in rig.chargers.flag_names

    on_rig(play)


def test_answers_are_never_answered() -> None:
    async def play(rig: Rig) -> None:
        await rig.plug("ocpp2.0.1")
        for frame in ([3, "x", {}], [4, "x", "InternalError", "", {}], [3], [4, 7], '[3,"x",{'):
            rig.pipe.say(frame)
        assert (await rig.call("Heartbeat", {}))[1] == "m1"
        assert rig.pipe.silent

    on_rig(play)


def test_before_it_is_accepted_a_station_may_boot_and_what_was_triggered() -> None:
    """OCPP-J 1.6 erratum 3.10, OCPP 2.0.1 B02.FR.09."""

    async def play(rig: Rig) -> None:
        rig.chargers.state = StationState.PENDING
        rig.chargers.boot_status = BootStatus.PENDING
        await rig.plug()
        boot = {"chargePointVendor": "V", "chargePointModel": "M"}
        assert (await rig.call("BootNotification", boot))[2]["status"] == "Pending"
        assert (await rig.call("StartTransaction", START))[2] == "SecurityError"
        assert rig.sessions.reports == []
        command = spawn(rig, Trigger("heartbeat"))
        call = await rig.pipe.hear()
        rig.pipe.say([3, call[1], {"status": "Accepted"}])
        await command
        assert (await rig.call("Heartbeat", {}))[0] == 3
        rig.chargers.boot_status = BootStatus.ACCEPTED
        assert (await rig.call("BootNotification", boot))[2]["status"] == "Accepted"
        assert (await rig.call("StartTransaction", START))[0] == 3

    on_rig(play)


def test_one_held_for_its_limit_is_pending_and_nothing_it_tells_is_lost() -> None:
    """It should be silent (1.6 §4.2); what it says has happened. Nobody new is let charge."""

    async def play(rig: Rig) -> None:
        rig.chargers.boot_status, rig.chargers.held = BootStatus.PENDING, True
        await rig.plug()
        boot = {"chargePointVendor": "V", "chargePointModel": "M"}
        assert (await rig.call("BootNotification", boot))[2]["status"] == "Pending"
        assert (await rig.call("Authorize", {"idTag": "A1"}))[2] == "SecurityError"
        assert (await rig.call("StartTransaction", START))[0] == 3
        assert len(rig.sessions.reports) == 1
        assert ("spoke_while_pending", "StartTransaction") in rig.chargers.flags
        rig.chargers.boot_status, rig.chargers.held = BootStatus.ACCEPTED, False
        assert (await rig.call("BootNotification", boot))[2]["status"] == "Accepted"
        assert (await rig.call("Authorize", {"idTag": "A1"}))[0] == 3

    on_rig(play)


def test_an_approved_station_that_reconnects_need_not_boot() -> None:
    """OCPP-J 2.0.1 §5.3."""

    async def play(rig: Rig) -> None:
        await rig.plug()
        assert (await rig.call("StartTransaction", START))[0] == 3

    on_rig(play)


def test_every_frame_is_logged_both_ways_with_its_latency() -> None:
    async def play(rig: Rig) -> None:
        await rig.plug()
        await rig.call("Heartbeat", {})
        await rig.call("Authorize", {})
        command = spawn(rig, Reset())
        call = await rig.pipe.hear()
        await rig.clock.sleep(2)
        rig.pipe.say([3, call[1], {"status": "Accepted"}])
        assert (await command).latency_ms == pytest.approx(2000, rel=0.01)
        log = [(f.direction, f.kind, f.action, f.error_code) for f in rig.chargers.frames]
        assert log == [
            ("in", "call", "Heartbeat", None),
            ("out", "result", "Heartbeat", None),
            ("in", "call", "Authorize", None),
            ("out", "error", "Authorize", "OccurenceConstraintViolation"),
            ("out", "call", "Reset", None),
            ("in", "result", "Reset", None),
        ]
        assert rig.chargers.frames[4].payload == '{"type":"Soft"}'
        assert rig.chargers.frames[5].latency_ms == pytest.approx(2000, rel=0.01)
        assert rig.chargers.frames[0].at == NOW

    on_rig(play)


@pytest.mark.parametrize(
    ("version", "key"),
    [("ocpp1.6", "AuthorizationKey"), ("ocpp2.0.1", "SecurityCtrlr.BasicAuthPassword")],
)
def test_a_password_we_set_stays_out_of_the_log(version: str, key: str) -> None:
    async def play(rig: Rig) -> None:
        await rig.plug(version)
        command = spawn(rig, WriteConfiguration(key, "s3cret-s3cret-s3cret"))
        call = await rig.pipe.hear()
        assert "s3cret" in str(call)
        assert all("s3cret" not in frame.payload for frame in rig.chargers.frames)
        command.cancel()

    on_rig(play)


def test_configuration_in_many_variables_takes_several_calls() -> None:
    async def play(rig: Rig) -> None:
        await rig.plug("ocpp2.0.1")
        names = tuple(f"Ctrlr.Variable{number}" for number in range(23))
        command = spawn(rig, ReadConfiguration(names))
        for expected in (10, 10, 3):
            call = await rig.pipe.hear()
            asked = call[3]["getVariableData"]
            assert len(asked) == expected
            results = [
                {**data, "attributeStatus": "Accepted", "attributeValue": "1"}
                if data["variable"]["name"] != "Variable7"
                else {**data, "attributeStatus": "UnknownVariable"}
                for data in asked
            ]
            rig.pipe.say([3, call[1], {"getVariableResult": results}])
        result = await command
        assert len(result.detail["rows"]) == 22
        assert result.detail["unknown"] == ("Ctrlr.Variable7",)

    on_rig(play)


def test_closing_the_server_answers_what_has_arrived_first() -> None:
    async def play(rig: Rig) -> None:
        await rig.plug()
        rig.sessions.gate = asyncio.Event()
        rig.pipe.say([2, "1", "StartTransaction", START])
        await rig.settle()
        closing = asyncio.create_task(rig.server.close())
        await rig.settle()
        rig.sessions.gate.set()
        assert (await rig.pipe.hear())[:2] == [3, "1"]
        with pytest.raises(PipeClosed):
            await rig.pipe.hear()
        await closing
        assert rig.pipe.closed
        with pytest.raises(TooMany):
            await rig.plug(identity="CP2")

    on_rig(play)


def test_a_charger_that_reads_nothing_times_out_alone() -> None:
    async def play(rig: Rig) -> None:
        await rig.plug()
        rig.pipe.stuck = asyncio.Event()
        with pytest.raises(ChargerTimeout):
            await rig.chargers.link.send(Reset(), timeout_s=5)
        await rig.plug(identity="CP2")
        assert (await rig.call("Heartbeat", {}))[0] == 3
        rig.pipes[0].stuck.set()  # type: ignore[union-attr]

    on_rig(play)


def test_admission_in_memory_refuses_as_the_socket_does() -> None:
    async def play(rig: Rig) -> None:
        rig.chargers.passwords = {"CP1": "secret"}
        accept = rig.server.accept
        with pytest.raises(Unauthenticated):
            await accept("CP1", ["ocpp1.6"], ("CP1", "wrong"), Pipe())
        with pytest.raises(Unauthenticated):
            await accept("CP1", ["ocpp1.6"], ("CP2", "secret"), Pipe())
        with pytest.raises(NotFound):
            await accept("CP9", ["ocpp1.6"], ("CP9", "secret"), Pipe())
        with pytest.raises(NotFound):
            await accept("CP1", ["ocpp1.5"], ("CP1", "secret"), Pipe())
        assert await accept("CP1", ["ocpp2.0.1"], ("CP1", "secret"), Pipe()) == "ocpp2.0.1"
        rig.chargers.busy = True
        with pytest.raises(TooMany):
            await accept("CP1", ["ocpp1.6"], ("CP1", "secret"), Pipe())

    on_rig(play)
