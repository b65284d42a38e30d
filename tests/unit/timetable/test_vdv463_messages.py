"""VDV 463: frames, requests and information, held against the fields' tables per version."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from tests.interop.vdv463_tables import faults
from voltyard.timetable.vdv463 import frames, reading
from voltyard.timetable.vdv463.frames import Broken, Frame, Type
from voltyard.timetable.vdv463.link import information
from voltyard.timetable.vdv463.model import Instruction, PreconditioningKind, Version
from voltyard.timetable.vdv463.picture import (
    Depot,
    Fault,
    Picture,
    Point,
    PointStatus,
    Process,
    ProcessStatus,
    Rejected,
    StationPicture,
    StationStatus,
    VehiclePicture,
    VehicleReport,
    Wish,
)
from voltyard.timetable.vdv463.prediction import Prediction

NOW = datetime(2026, 1, 15, 20, tzinfo=UTC)
ID = "6f2c1a52-5a0e-4f43-9f0a-1d6d6a0f8a11"
VERSIONS = list(Version)


def text(*items: Any) -> bytes:
    return json.dumps(items).encode()


def raw(payload: Any) -> msgspec.Raw:
    return msgspec.Raw(json.dumps(payload).encode())


def request(**more: Any) -> dict[str, Any]:
    data = {"minTargetSoc": 50, "maxTargetSoc": 90, **more.pop("data", {})}
    return {
        "vehicleId": "Bus 1",
        "chargingRequestId": "R1",
        "chargingRequestData": data,
        **more,
    }


def one(version: Version, **more: Any) -> reading.Asked:
    return reading.requests(raw({"chargingRequestList": [request(**more)]}), version).requests[0]


# frames


def test_a_frame_is_read() -> None:
    frame = frames.read(text(1, "BMS", "P", "2026-01-15T20:00:00Z", ID, frames.BOOT, {}))
    assert isinstance(frame, Frame)
    assert (frame.type, frame.presystem_id, frame.at) == (Type.REQUEST, "P", NOW)
    assert frame.notes == ()


def test_what_is_odd_about_a_frame_is_noted_and_let_pass() -> None:
    frame = frames.read(text(2, "DMS", "P", "yesterday", "7", frames.INFORMATION, {}))
    assert isinstance(frame, Frame)
    assert len(frame.notes) == 3


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfe",
        b"{}",
        b"[]",
        b"[1,2,3]",
        b"[" * 5_000,
        b'[1,"a","b","c","d","BootNotification",{"x":' + b"[" * 90 + b"]" * 90 + b"}]",
        b"1" * (frames.FRAME_MAX_BYTES + 1),
        text("1", "BMS", "P", "t", ID, frames.BOOT, {}),
        text(4, "BMS", "P", "t", ID, frames.BOOT, {}),
        text(True, "BMS", "P", "t", ID, frames.BOOT, {}),
    ],
)
def test_what_is_no_frame_is_told_and_not_answered(data: bytes) -> None:
    found = frames.read(data)
    assert isinstance(found, Broken)
    assert not found.answerable
    assert found.reason


def test_brackets_in_texts_are_no_depth() -> None:
    data = text(1, "BMS", "P", "t", ID, frames.BOOT, {"presystem": '[{"\\' * 100})
    assert isinstance(frames.read(data), Frame)


@pytest.mark.parametrize("wrong", [{"action": "Heartbeat"}, {"source": 7}, {"presystem": ""}])
def test_a_request_that_can_be_identified_is_answered(wrong: dict[str, Any]) -> None:
    items = [1, wrong.get("source", "BMS"), wrong.get("presystem", "P"), "t", ID]
    found = frames.read(text(*items, wrong.get("action", frames.BOOT), {}))
    assert isinstance(found, Broken)
    assert (found.answerable, found.message_id) == (True, ID)


def test_nul_characters_are_left_out() -> None:
    frame = frames.read(text(1, "BMS", "P\x00", "t", ID, frames.BOOT, {"a": "b\x00"}))
    assert isinstance(frame, Frame)
    assert frame.presystem_id == "P"
    assert b"u0000" not in bytes(frame.payload)


# requests


@pytest.mark.parametrize("version", VERSIONS)
def test_only_two_kinds_of_presystem_boot(version: Version) -> None:
    assert reading.boot(raw({"presystem": "ITCS"})).value == "ITCS"
    wrong: tuple[Any, ...] = ({}, {"presystem": "CMS"}, {"presystem": "BMS", "more": 1}, [])
    for payload in wrong:
        with pytest.raises(reading.Unreadable):
            reading.boot(raw(payload))


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    "wrong",
    [
        {"surprise": 1},
        {"data": {"surprise": 1}},
        {"data": {"minTargetSoc": 101}},
        {"data": {"maxTargetSoc": -0.1}},
        {"data": {"minTargetSoc": "50"}},
        {"data": {"requestedTimeForDeparture": "soon"}},
        {"data": {"adHocCharging": "yes"}},
        {"priority": 1.5},
        {"vehicleId": None},
        {"chargingRequestId": ""},
        {"automaticPreconditioning": {}},
        {"automaticPreconditioning": {"preconditioningRequest": "Sauna"}},
        {"manualPreconditioning": {"hvacPreconditioningStartTime": "2026-01-15T20:00:00Z"}},
    ],
)
def test_every_version_refuses(version: Version, wrong: dict[str, Any]) -> None:
    with pytest.raises(reading.Unreadable):
        one(version, **wrong)


AUTO = {"preconditioningRequest": "HotWaterAndHeating"}
START = {**AUTO, "requestedStartTime": "2026-01-15T20:00:00Z"}
TARGET = {**AUTO, "targetSoc": 80}
MANUAL = {
    "hvacPreconditioningStartTime": "2026-01-15T20:00:00Z",
    "systemPreconditioningStartTime": "2026-01-15T20:00:00Z",
}


@pytest.mark.parametrize(
    ("more", "known"),
    [
        ({"chargingInstruction": "Normal"}, "oo-"),
        ({"automaticPreconditioning": AUTO}, "ooo"),
        ({"automaticPreconditioning": START}, "-oo"),
        ({"automaticPreconditioning": TARGET}, "--o"),
        ({"automaticPreconditioning": {"preconditioningRequest": "SNA"}}, "--o"),
        ({"manualPreconditioning": MANUAL}, "ooo"),
        ({"manualPreconditioning": {**MANUAL, "targetSoc": 80}}, "--o"),
    ],
)
def test_fields_belong_to_versions(more: dict[str, Any], known: str) -> None:
    for version, presence in zip(VERSIONS, known, strict=True):
        if presence == "o":
            one(version, **more)
        else:
            with pytest.raises(reading.Unreadable):
                one(version, **more)


def test_only_1_0_refuses_an_empty_list() -> None:
    empty = raw({"chargingRequestList": []})
    with pytest.raises(reading.Unreadable):
        reading.requests(empty, Version.V10)
    for version in (Version.V11, Version.V20):
        assert reading.requests(empty, version).requests == ()


def test_a_request_in_words_of_no_version() -> None:
    found = one(
        Version.V11,
        chargingPointId="CP1/1",
        priority=3,
        chargingInstruction="Changed",
        manualPreconditioning={**MANUAL, "hvacAuxiliaryConsumerPower": 12},
        data={
            "requestedTimeForDeparture": "2026-01-16T05:00:00+01:00",
            "expectedSocAtArrival": 31.5,
            "adHocCharging": True,
        },
    )
    wish = found.request
    assert found.instruction is Instruction.CHANGED
    assert wish.departure_at == datetime(2026, 1, 16, 4, tzinfo=UTC)
    assert (wish.point, wish.priority, wish.ad_hoc, wish.arrival_soc_pct) == (
        "CP1/1",
        3,
        True,
        31.5,
    )
    heating, battery = wish.preconditioning
    assert (heating.kind, heating.start_at, heating.end_at, heating.power_w) == (
        PreconditioningKind.HEATING,
        NOW,
        wish.departure_at,
        12_000.0,
    )
    assert (battery.kind, battery.power_w) == (PreconditioningKind.BATTERY, None)


def test_what_makes_no_sense_is_noted() -> None:
    twice = [
        request(data={"minTargetSoc": 95, "expectedSocAtArrival": 95}),
        request(chargingRequestId="R2"),
    ]
    found = reading.requests(raw({"chargingRequestList": twice}), Version.V11)
    assert len(found.notes) == 3
    with pytest.raises(reading.Unreadable, match="twice"):
        reading.requests(raw({"chargingRequestList": [request(), request()]}), Version.V20)


# information


def picture() -> Picture:
    soon, later = NOW + timedelta(hours=2), NOW + timedelta(hours=9)
    told = Prediction(NOW, soon, later, soon, 90.04, False, ((soon, 60.0), (later, 90.0)))
    wish = Wish("P", "R 1", "Bus 1", 60, 90, later, told)
    never = Wish("P", "R2", "Bus 2", 60, 90, later, Prediction(after_at=later))
    report = VehicleReport(12_000, "Preconditioning", 20, 1_500, 15, 900, "OK", "NA", "A1B2", True)
    fault = Fault("OtherChargingPointFailure", "GroundFailure", NOW)
    points = (
        Point(
            "CP 1/1",
            PointStatus.OCCUPIED,
            90_000.4,
            150_000.0,
            fault,
            VehiclePicture("Bus 1", 55.55, True, False, report),
            Process("s1", ProcessStatus.CHARGING, NOW, 90_000.4, 1234.5, wish=wish, soc_pct=55.5),
            (never,),
        ),
        Point("CP 1/2", PointStatus.AVAILABLE, process=None),
        Point(
            "CP 1/3",
            PointStatus.OCCUPIED,
            vehicle=VehiclePicture("Bus 3"),
            process=Process("s3", ProcessStatus.QUEUED, NOW, 0.0),
        ),
    )
    stations = (
        StationPicture("CP 1", StationStatus.AVAILABLE, points, None, 90_000.4),
        StationPicture("CP 2", StationStatus.UNAVAILABLE, (), Fault("UsageFailure", "", NOW)),
    )
    return Picture(NOW, (Depot("d", "Nord", stations),), (Rejected("P", "R9", "no vehicle"),))


def sent(version: Version) -> Any:
    return json.loads(msgspec.json.encode(information(picture(), version)))


@pytest.mark.parametrize("version", VERSIONS)
def test_information_is_valid_for_its_version(version: Version) -> None:
    assert list(faults("Information", sent(version), version.value)) == []


def test_strict_1_0_is_valid_for_1_1_too_and_no_other_for_another() -> None:
    assert list(faults("Information", sent(Version.V10), "1.1")) == []
    for version, other in (("1.1", "1.0"), ("2.0-rc1", "1.1"), ("1.1", "2.0-rc1")):
        assert list(faults("Information", sent(Version(version)), other)) != []


def test_predictions_and_rejections_are_said() -> None:
    second = sent(Version.V20)
    assert second["rejectedChargingRequestInfoList"][0]["reason"] == "no vehicle"
    point = second["depotInfoList"][0]["chargingStationInfoList"][0]["chargingPointInfoList"][0]
    data = point["chargingProcessInfo"]["chargingPredictionData"]
    assert data["chargingPredictionDataMinTargetSoc"]["requestedMinTargetSoc"] == 60
    assert data["chargingPredictionDataDepartureTime"]["predictedDepartureTimeSoc"] == 90.0
    assert point["presentPowerLimit"] == 150
    first = sent(Version.V10)
    point = first["depotInfoList"][0]["chargingStationInfoList"][0]["chargingPointInfoList"][0]
    assert point["chargingPointId"] == "uri://voltyard/CP%201/1"
    (waiting,) = point["scheduledChargingProcessList"]
    assert "chargingPredictionDataMinSoc" in waiting["chargingPredictionData"]
