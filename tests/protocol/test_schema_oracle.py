"""Every struct against the OCPP JSON schemas: what we read, what we write, where we differ."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, get_args, get_type_hints
from uuid import uuid4

import msgspec
import pytest

from tests.protocol.ocpp_fakes import FakeChargers, FakeSessions
from tests.protocol.schemas import complaints, instances, schema, spoilt
from voltyard.chargers.commands import (
    CancelReservation,
    ClearCache,
    ClearLimits,
    Command,
    CommandResult,
    CommandStatus,
    DeleteCertificate,
    GiveCertificate,
    InstallRoot,
    LimitPurpose,
    ListEntry,
    LogKind,
    PublishFirmware,
    ReadCertificates,
    ReadCompositeSchedule,
    ReadConfiguration,
    ReadLocalListVersion,
    RemoteStart,
    RemoteStop,
    RequestLog,
    ReserveNow,
    Reset,
    SendData,
    SendLocalList,
    SetAvailability,
    SetLimit,
    SetNetworkProfile,
    Trigger,
    Unlock,
    UnpublishFirmware,
    UpdateFirmware,
    WriteConfiguration,
)
from voltyard.chargers.model import StationRef
from voltyard.clock import SystemClock
from voltyard.errors import Invalid
from voltyard.ocpp.framing import CallRejected
from voltyard.ocpp.reader import soft_limit
from voltyard.ocpp.routing import Dialect, Exchange
from voltyard.ocpp.v16.messages import MESSAGES as MESSAGES_16
from voltyard.ocpp.v16.routes import DIALECT as V16
from voltyard.ocpp.v21.messages import MESSAGES as MESSAGES_21
from voltyard.ocpp.v21.routes import DIALECT as V21
from voltyard.ocpp.v201.messages import MESSAGES as MESSAGES_201
from voltyard.ocpp.v201.routes import DIALECT as V201
from voltyard.sessions.model import (
    Authorisation,
    AuthorisationStatus,
    IdToken,
    TokenKind,
)

NOW = datetime(2026, 11, 21, 18, 0, tzinfo=UTC)
DIALECTS: dict[str, Dialect] = {"1.6": V16, "2.0.1": V201, "2.1": V21}
MESSAGES = {"1.6": MESSAGES_16, "2.0.1": MESSAGES_201, "2.1": MESSAGES_21}
ROUTES = [
    pytest.param(version, action, id=f"{version}-{action}")
    for version, dialect in DIALECTS.items()
    for action in dialect.routes
]


def exchange() -> tuple[Exchange, FakeChargers]:
    chargers = FakeChargers(SystemClock())
    station = StationRef(uuid4(), uuid4(), None, "CP1")
    return Exchange(chargers, FakeSessions(), station, "m1", NOW), chargers


def read(version: str, action: str, instance: Any) -> tuple[Any, Exchange]:
    at_work, _ = exchange()
    entry = DIALECTS[version].routes[action]
    payload = msgspec.Raw(json.dumps(instance).encode())
    return entry.reader.read(payload, DIALECTS[version].words, at_work.flag), at_work


async def handled(version: str, action: str, instance: Any) -> tuple[Any, list[str]]:
    request, at_work = read(version, action, instance)
    response = await DIALECTS[version].routes[action].handler(at_work, request)
    if response is None:
        assert MESSAGES[version][action].response is None
        return None, at_work.flags
    return json.loads(msgspec.json.encode(response)), at_work.flags


@pytest.mark.parametrize(("version", "action"), ROUTES)
async def test_valid_requests_are_understood_and_validly_answered(
    version: str, action: str
) -> None:
    for instance in instances(version, action):
        assert complaints(version, action, instance) == []
        answer, flags = await handled(version, action, instance)
        assert answer is None or complaints(version, action, answer, response=True) == []
        assert set(flags) <= {
            "token_type_unknown",
            "security_event",
            "certificate_status_failed",
            "contract_certificate_failed",
            "contract_certificate_ignored",
            "contract_certificate_refused",
            "needs_odd",
            "priority_without_session",
            "energy_net_only",
            "unit_mismatch",
        }


@pytest.mark.parametrize(("version", "action"), ROUTES)
async def test_whatever_is_taken_is_validly_answered(version: str, action: str) -> None:
    """That the rest is refused, and what is odd flagged, is seen to in test_structs.py."""
    for what, instance in spoilt(version, action):
        try:
            answer, flags = await handled(version, action, instance)
        except (CallRejected, Invalid):
            continue
        assert flags or what.startswith("nonsense for ")
        assert answer is None or complaints(version, action, answer, response=True) == []


@pytest.mark.parametrize(("version", "action"), ROUTES)
def test_soft_lengths_are_those_of_the_standard(version: str, action: str) -> None:
    """Each text field we read has the standard's length as soft limit."""
    kind = DIALECTS[version].routes[action].message.request
    root = schema(version, action, response=False)
    assert list(wrong_lengths(kind, root, root)) == []


def wrong_lengths(kind: Any, node: dict[str, Any], root: dict[str, Any]) -> Iterator[str]:
    hints = get_type_hints(kind, include_extras=True)
    for field in msgspec.structs.fields(kind):
        inner = _resolved(node.get("properties", {}).get(field.encode_name), root)
        if inner is None:
            if field.encode_name != "customData":
                yield f"{kind.__name__}.{field.encode_name} is not of the standard"
            continue
        limit = inner.get("maxLength")
        if limit is not None and soft_limit(hints[field.name]) != limit:
            yield f"{kind.__name__}.{field.encode_name}: {limit} in the standard"
        below = _struct_in(hints[field.name])
        if below is not None:
            yield from wrong_lengths(below, _resolved(inner.get("items", inner), root), root)


def _resolved(node: Any, root: dict[str, Any]) -> Any:
    if node is not None and "$ref" in node:
        return root["definitions"][node["$ref"].rsplit("/", 1)[1]]
    return node


def _struct_in(hint: Any) -> Any:
    for option in (hint, *get_args(hint)):
        for inner in (option, *get_args(option)):
            if isinstance(inner, type) and issubclass(inner, msgspec.Struct):
                return inner
    return None


TOKEN = IdToken("04A1B2C3", TokenKind.RFID)
LIST = tuple(
    ListEntry(IdToken(f"04{status}"), Authorisation(status, group="FLEET", until_at=NOW))
    for status in AuthorisationStatus
)
COMMANDS: list[Command] = [
    RemoteStart(1, TOKEN, 7),
    RemoteStart(None, IdToken("AABBCCDDEEFF", TokenKind.MAC), 8),
    RemoteStop("1001"),
    SetLimit(LimitPurpose.STATION_MAX, 0, 1, 0, limit_w=99_999.96),
    SetLimit(LimitPurpose.TX_DEFAULT, 0, 2, 1, limit_a=16.13, phases=3, valid_s=900),
    SetLimit(LimitPurpose.TX, 1, 3, 2, limit_w=7360, start_at=NOW, transaction_ref="1001"),
    ClearLimits(),
    ClearLimits(profile_id=3),
    ClearLimits(evse_number=1, purpose=LimitPurpose.TX, stack_level=2),
    ReadCompositeSchedule(1, 3600, "W"),
    Trigger("boot"),
    Trigger("heartbeat"),
    Trigger("status", 1),
    Trigger("meter", 1),
    Trigger("diagnostics"),
    Trigger("firmware"),
    Reset(hard=True),
    Reset(),
    Unlock(1),
    SetAvailability(0, True),
    SetAvailability(1, False),
    ReadConfiguration(),
    ReadConfiguration(("SmartChargingCtrlr.Enabled", "EVSE@1.Power")),
    WriteConfiguration("Ctrlr.MeterValueSampleInterval", "60"),
    SendData("org.example", "hello", "{}"),
    UpdateFirmware(1, "https://x.example/f", NOW),
    UpdateFirmware(2, "https://x.example/f", NOW, NOW, "c2ln", "PEM", 3, 60),
    RequestLog(3, "https://x.example/l", plain=True),
    RequestLog(4, "https://x.example/l", LogKind.SECURITY, NOW, NOW, 3, 60),
    PublishFirmware(5, "https://x.example/f", "0" * 32, 3, 60),
    UnpublishFirmware("0" * 32),
    Trigger("certificate"),
    GiveCertificate("PEM", request_id=4),
    InstallRoot("csms_root", "PEM"),
    InstallRoot("manufacturer_root", "PEM"),
    ReadCertificates(),
    ReadCertificates(("csms_root",)),
    DeleteCertificate("SHA256", "0a" * 32, "0b" * 32, "0c"),
    SetNetworkProfile(2, "wss://csms.example/ocpp", 3),
    ReserveNow(7, TOKEN, NOW, 1, "FLEET"),
    ReserveNow(8, TOKEN, NOW),
    CancelReservation(7),
    SendLocalList(4, LIST, full=True),
    SendLocalList(5, (*LIST, ListEntry(TOKEN, None)), full=False),
    SendLocalList(6, (), full=True),
    ReadLocalListVersion(),
    ClearCache(),
]
NEWER = (PublishFirmware, UnpublishFirmware, SetNetworkProfile)
"""What OCPP 1.6 cannot say."""


@pytest.mark.parametrize("version", DIALECTS)
@pytest.mark.parametrize("command", COMMANDS, ids=repr)
def test_commands_are_validly_written_and_their_answers_read(
    version: str, command: Command
) -> None:
    dialect = DIALECTS[version]
    if version == "1.6" and isinstance(command, NEWER):
        pytest.skip("not in OCPP 1.6")
    calls, combine = dialect.express(command, NOW)
    results = []
    for call in calls:
        assert call.action in dialect.known_actions | {"DataTransfer"}
        written = json.loads(msgspec.json.encode(call.request))
        assert complaints(version, call.action, written) == []
        results.append(answers_read(dialect, call))
    assert isinstance(combine(results), CommandResult)


def answers_read(dialect: Dialect, call: Any) -> CommandResult:
    flags: list[str] = []
    for instance in instances(dialect.version, call.action, response=True):
        payload = msgspec.Raw(json.dumps(instance).encode())
        response = call.reader.read(payload, dialect.words, lambda name, detail: flags.append(name))
        result: CommandResult = call.answer(response)
        assert isinstance(result, CommandResult)
        if "status" in instance and instance["status"] != "EmptyResultSet":
            assert result.status is not CommandStatus.UNKNOWN
    assert flags == []
    return result


@pytest.mark.parametrize(
    ("version", "command"),
    [
        ("1.6", Trigger("transaction")),
        ("1.6", Reset(evse_number=1)),
        ("1.6", RemoteStop("5f3c")),
        ("1.6", SetLimit(LimitPurpose.TX, 1, 1, 1, limit_w=1.0, transaction_ref="5f3c")),
        ("2.0.1", ReadConfiguration(("HeartbeatInterval",))),
        ("2.0.1", WriteConfiguration("A.B.C", "1")),
        ("2.0.1", Trigger("coffee")),
        ("1.6", Unlock(0)),
        ("1.6", RemoteStart(1, IdToken("x" * 21, TokenKind.RFID), 1)),
        ("2.0.1", RemoteStart(1, IdToken("x" * 37, TokenKind.RFID), 1)),
        ("2.1", RemoteStart(1, IdToken("x" * 256, TokenKind.RFID), 1)),
        ("2.0.1", SetAvailability(-1, True)),
        ("2.1", SetAvailability(-1, True)),
        ("2.1", Trigger("coffee")),
        ("1.6", RequestLog(1, "https://x.example", LogKind.SECURITY, plain=True)),
        ("1.6", UnpublishFirmware("0" * 32)),
        ("1.6", InstallRoot("v2g_root", "PEM")),
        ("1.6", SetNetworkProfile(1, "wss://x.example", 3)),
        ("2.0.1", InstallRoot("v2g_chain", "PEM")),
        ("2.0.1", SetNetworkProfile(1, "wss://x.example", 3, interface="Pigeon0")),
        ("1.6", PublishFirmware(1, "https://x.example", "0" * 32)),
        ("2.0.1", Unlock(0)),
        ("1.6", SetLimit(LimitPurpose.TX, 0, 1, 1, limit_w=1.0, transaction_ref="1")),
        ("2.0.1", SetLimit(LimitPurpose.TX, 1, 1, 1, limit_w=1.0)),
        ("2.0.1", SetLimit(LimitPurpose.STATION_MAX, 1, 1, 1, limit_w=1.0)),
        ("1.6", SetLimit(LimitPurpose.TX_DEFAULT, 1, 1, 1)),
        ("1.6", SetLimit(LimitPurpose.TX_DEFAULT, 1, 1, 1, limit_w=1.0, limit_a=1.0)),
        ("1.6", SetLimit(LimitPurpose.TX_DEFAULT, 1, 1, 1, limit_w=-1.0)),
        ("2.0.1", SetLimit(LimitPurpose.TX_DEFAULT, 1, 1, 1, limit_w=float("nan"))),
    ],
)
def test_what_a_version_cannot_say_is_invalid(version: str, command: Command) -> None:
    with pytest.raises(Invalid):
        DIALECTS[version].express(command, NOW)


def test_external_constraints_are_never_set() -> None:
    """K01.FR.22."""
    for version, dialect in DIALECTS.items():
        for command in (c for c in COMMANDS if isinstance(c, SetLimit)):
            for call in dialect.express(command, NOW)[0]:
                assert b"ExternalConstraints" not in msgspec.json.encode(call.request), version


def limit_written(version: str, command: SetLimit) -> Any:
    (call,), _ = DIALECTS[version].express(command, NOW)
    return json.loads(msgspec.json.encode(call.request))


def test_a_limit_is_never_rounded_up_and_ends_by_itself_in_both_versions() -> None:
    command = SetLimit(LimitPurpose.TX_DEFAULT, 1, 9, 4, limit_a=15.99, valid_s=600)
    old = limit_written("1.6", command)["csChargingProfiles"]
    new = limit_written("2.0.1", command)["chargingProfile"]
    for profile, schedule in ((old, old["chargingSchedule"]), (new, new["chargingSchedule"][0])):
        assert schedule["chargingSchedulePeriod"] == [{"startPeriod": 0, "limit": 15.9}]
        begins = datetime.fromisoformat(schedule["startSchedule"])
        assert begins < NOW
        assert begins + timedelta(seconds=schedule["duration"]) == NOW + timedelta(seconds=600)
        assert datetime.fromisoformat(profile["validTo"]) == NOW + timedelta(seconds=600)
        assert profile["chargingProfileKind"] == "Absolute"
        assert profile["stackLevel"] == 4


def test_a_limit_without_end_has_none() -> None:
    command = SetLimit(LimitPurpose.STATION_MAX, 0, 9, 0, limit_w=11_000)
    profile = limit_written("1.6", command)["csChargingProfiles"]
    assert "validTo" not in profile
    assert "duration" not in profile["chargingSchedule"]
    assert profile["chargingSchedule"]["chargingSchedulePeriod"][0]["limit"] == 11_000


def test_clearing_everything_in_201_names_each_purpose() -> None:
    """K10.FR.02: an id or at least one criterion."""
    calls, combine = V201.express(ClearLimits(), NOW)
    purposes = [
        json.loads(msgspec.json.encode(call.request))["chargingProfileCriteria"][
            "chargingProfilePurpose"
        ]
        for call in calls
    ]
    assert purposes == ["ChargingStationMaxProfile", "TxDefaultProfile", "TxProfile"]
    good, bad = CommandResult(CommandStatus.ACCEPTED), CommandResult(CommandStatus.REJECTED)
    assert combine([good, bad, good]) is bad
    assert combine([good, good, good]) is good
