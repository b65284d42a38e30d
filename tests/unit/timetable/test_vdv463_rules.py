"""VDV 463: lists compared, conflicts decided, predictions drawn, a connection's manners."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from voltyard.clock import ScaledClock
from voltyard.energy.model import Plan, PlanStats, Stay
from voltyard.fleets.model import Vehicle
from voltyard.timetable.vdv463 import reading
from voltyard.timetable.vdv463.comparing import arbitrated, compared, mapped_priority
from voltyard.timetable.vdv463.door import V1, V2, basic, chosen
from voltyard.timetable.vdv463.link import BURST, FLOOD_MAX, Link
from voltyard.timetable.vdv463.model import (
    ChargingRequest,
    Instruction,
    Kept,
    Kind,
    LinkState,
    Message,
    Presystem,
    State,
    VehicleKey,
    Version,
)
from voltyard.timetable.vdv463.picture import Picture
from voltyard.timetable.vdv463.prediction import Outlook, predicted
from voltyard.timetable.vdv463.reading import Asked
from voltyard.timetable.vdv463.resolving import Spot, Unusable, VehicleIndex

NOW = datetime(2026, 1, 15, 20, tzinfo=UTC)
BMS, ITCS, BUS = uuid4(), uuid4(), uuid4()
KINDS = {BMS: Kind.BMS, ITCS: Kind.ITCS}


def wish(request_id: str, soc_pct: float = 50, priority: int | None = None) -> ChargingRequest:
    return ChargingRequest(request_id, "Bus 1", soc_pct, 90, priority=priority)


def kept(
    request: ChargingRequest, presystem: UUID = BMS, since: int = 0, hours: tuple[int, int] = (0, 8)
) -> Kept:
    arrival_at, departure_at = (NOW + timedelta(hours=hour) for hour in hours)
    return Kept(
        presystem, "P", request.request_id, request, request, State.STANDING,
        NOW + timedelta(seconds=since), vehicle_id=BUS, arrival_at=arrival_at,
        departure_at=departure_at,
    )  # fmt: skip


# comparing


def test_a_whole_list_creates_changes_and_deletes() -> None:
    known = {name: kept(wish(name)) for name in ("same", "changed", "gone")}
    asked = [Asked(wish("same")), Asked(wish("changed", 70)), Asked(wish("new"))]
    found = compared(known, asked)
    assert [one.request_id for one in found.created] == ["new"]
    assert [one.request_id for one in found.changed] == ["changed"]
    assert [one.request_id for one in found.unchanged] == ["same"]
    assert found.deleted == ("gone",)


@pytest.mark.parametrize(
    ("instruction", "there", "part"),
    [
        (Instruction.NORMAL, True, "ignored"),
        (Instruction.NORMAL, False, "created"),
        (Instruction.CHANGED, True, "changed"),
        (Instruction.CHANGED, False, "unknown"),
        (Instruction.TERMINATE, True, "ended"),
        (Instruction.TERMINATE, False, "unknown"),
    ],
)
def test_instructions_of_version_1(instruction: Instruction, there: bool, part: str) -> None:
    known = {"R": kept(wish("R"))} if there else {}
    found = compared(known, [Asked(wish("R", 70), instruction)])
    filled = [name for name in type(found).__slots__ if getattr(found, name)]
    assert filled == [part]


def test_of_two_presystems_the_more_urgent_goes_first() -> None:
    depot, traffic = kept(wish("B", priority=5)), kept(wish("T", priority=1), ITCS, since=60)
    verdict = arbitrated([depot, traffic], KINDS)
    assert verdict.by == {depot.key: traffic.key}
    equal = arbitrated([kept(wish("B"), since=60), kept(wish("T"), ITCS)], KINDS)
    assert equal.first == {depot.key}


def test_stays_that_do_not_meet_and_requests_of_one_presystem_are_no_conflict() -> None:
    early, late = kept(wish("B"), hours=(0, 4)), kept(wish("T"), ITCS, hours=(4, 8))
    assert arbitrated([early, late], KINDS).by == {}
    assert arbitrated([kept(wish("B")), kept(wish("C"))], KINDS).by == {}


def test_priorities_become_those_of_duties() -> None:
    assert [mapped_priority(p, (1, 10, 100)) for p in (1, 2, 10, 11, 5_000)] == [1, 2, 2, 3, 4]
    assert mapped_priority(None, (1,)) == 5
    assert mapped_priority(9_999, tuple(range(1, 9))) == 9
    assert mapped_priority(7, (1,), ad_hoc=True) == 1


# predictions


def outlook(soc_pct: float | None = 40.0, *, hours: float = 8.0) -> tuple[Outlook, UUID]:
    """100 kWh in the battery; 20 kW in the first hour and in the third, nothing in the second."""
    stay_id = uuid4()
    departure_at = NOW + timedelta(hours=hours)
    stay = Stay(
        stay_id, NOW, departure_at, 50_000, 50_000, soc_pct=soc_pct, target_soc_pct=80,
        battery_wh=100_000,
    )  # fmt: skip
    bounds = tuple(NOW + timedelta(hours=hour) for hour in range(4))
    plan = Plan(
        uuid4(), NOW, bounds, {stay_id: (20_000.0, 0.0, 20_000.0)}, {}, {}, {}, 0.0, uuid4(),
        PlanStats(3, 1, 3, 0, False),
    )  # fmt: skip
    return Outlook(plan, {stay_id: stay}), stay_id


def test_predictions_follow_the_plan() -> None:
    known, stay_id = outlook()
    departure_at = NOW + timedelta(hours=8)
    told = predicted(known, stay_id, NOW, departure_at, 50, 80)
    assert told.start_at == NOW
    assert told.min_at == NOW + timedelta(minutes=30)
    assert told.max_at == NOW + timedelta(hours=3)
    assert told.departure_soc_pct == 80
    assert [soc for _, soc in told.progress] == [60, 80]
    assert not told.finished


def test_what_is_never_reached_is_not_promised() -> None:
    known, stay_id = outlook()
    told = predicted(known, stay_id, NOW, NOW + timedelta(hours=8), 90, 100)
    assert (told.min_at, told.max_at) == (None, None)
    assert told.after_at is not None
    assert told.after_at > NOW + timedelta(hours=3)


def test_a_plan_for_another_departure_predicts_nothing() -> None:
    known, stay_id = outlook()
    told = predicted(known, stay_id, NOW, NOW + timedelta(hours=2), 50, 80)
    assert told.departure_soc_pct is None
    assert predicted(Outlook(), stay_id, NOW, NOW, 50, 80).start_at is None


# the door


def test_the_highest_common_subprotocol_is_chosen() -> None:
    plain = Presystem(BMS, BMS, "p", "P", version=Version.V10)
    assert chosen([V1, V2], plain) == (V1, Version.V10)
    assert chosen([V2], plain) is None
    assert chosen([], plain) is None
    both = Presystem(BMS, BMS, "p", "P", allow_v2=True)
    assert chosen([f" {V1}", f" {V2}"], both) == (V2, Version.V20)


def test_only_basic_is_read() -> None:
    assert basic("Basic dTpwOnc=") == ("u", "p:w")
    for header in (None, "", "Bearer x", "Basic ???", "Basic dXNlcg==", "Basic " + "A" * 2_000):
        assert basic(header) is None


# a connection


class Wire:
    def __init__(self) -> None:
        self.sent: list[Any] = []
        self.grown = asyncio.Event()
        self.code: int | None = None

    async def send(self, text: str) -> None:
        self.sent.append(json.loads(text))
        self.grown.set()

    async def close(self, code: int, reason: str) -> None:
        self.code = code
        self.grown.set()

    async def until(self, count: int, kind: int = 1) -> list[Any]:
        """So many frames of a kind, or the close."""
        while len(found := [one for one in self.sent if one[0] == kind]) < count:
            if self.code is not None:
                break
            self.grown.clear()
            await self.grown.wait()
        return found


class Office:
    """An empty depot; every list is taken, or fails."""

    def __init__(self) -> None:
        self.lists: list[reading.Asking] = []
        self.log: list[Message] = []
        self.broken = False

    async def picture(
        self, presystem: Presystem, presystem_id: str
    ) -> tuple[Picture, Mapping[str, Spot]]:
        return Picture(NOW, ()), {}

    async def asked(self, link: Link, asking: reading.Asking, points: Mapping[str, Spot]) -> str:
        if self.broken:
            raise RuntimeError("the database is away")
        self.lists.append(asking)
        return ""

    def booted(self, link: Link, kind: Kind) -> None:
        return None

    def note(self, presystem: Presystem, message: Message) -> None:
        self.log.append(message)


@asynccontextmanager
async def linked(**settings: Any) -> AsyncIterator[tuple[Link, Wire, Office]]:
    presystem = Presystem(BMS, BMS, "p", "P", period_s=15.0, **settings)
    wire, office = Wire(), Office()
    link = Link(presystem, Version.V11, wire, office, ScaledClock(NOW, speed=2_000.0))
    running = asyncio.create_task(link.run())
    yield link, wire, office
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running


def frame(kind: int, action: str, payload: Any, message_id: str | None = None) -> bytes:
    at = "2026-01-15T20:00:00Z"
    return json.dumps([kind, "BMS", "P", at, message_id or str(uuid4()), action, payload]).encode()


BOOT: tuple[str, Any] = ("BootNotification", {"presystem": "BMS"})
LIST: tuple[str, Any] = ("ProvideChargingRequests", {"chargingRequestList": []})


async def test_nothing_goes_before_the_boot_and_no_request_before_the_information() -> None:
    async with linked() as (link, wire, office):
        await link.received(frame(1, *LIST))
        assert wire.sent[-1][0] == 3
        await link.received(frame(1, *BOOT))
        assert wire.sent[-1][6] == {"status": "Accepted"}
        await link.received(frame(1, *LIST))
        assert wire.sent[-1][0] == 3
        await wire.until(1)
        assert link.view.state is LinkState.OPEN
        await link.received(frame(1, *LIST, "an id of its own"))
        assert wire.sent[-1][0] == 2
        assert wire.sent[-1][4:] == ["an id of its own", "ProvideChargingRequests", {}]
        assert len(office.lists) == 1
        assert [bool(one.faults) for one in office.log if one.direction == "in"] == [
            True,
            False,
            True,
            False,
        ]


async def test_information_comes_again_and_again_while_it_is_confirmed() -> None:
    async with linked() as (link, wire, _):
        await link.received(frame(1, *BOOT))
        for count in range(1, 5):
            last = (await wire.until(count))[-1]
            await link.received(frame(2, last[5], {}, last[4] if count % 2 else None))
        assert link.view.unconfirmed == 0
        assert wire.code is None


async def test_who_confirms_nothing_is_let_go() -> None:
    async with linked(confirm_s=5.0) as (link, wire, _):
        await link.received(frame(1, *BOOT))
        await wire.until(1_000)
        assert wire.code == 1008
        assert link.closed


async def test_a_wrong_boot_is_rejected_and_may_be_repeated() -> None:
    async with linked(kind=Kind.ITCS, presystem_id="P") as (link, wire, _):
        await link.received(frame(1, *BOOT))
        assert wire.sent[-1][6] == {"status": "Rejected"}
        await link.received(frame(1, "BootNotification", {"presystem": "ITCS"}))
        assert wire.sent[-1][6] == {"status": "Accepted"}


async def test_a_failure_of_ours_harms_one_message() -> None:
    async with linked() as (link, wire, office):
        await link.received(frame(1, *BOOT))
        await wire.until(1)
        office.broken = True
        await link.received(frame(1, *LIST))
        assert wire.sent[-1][0] == 3
        office.broken = False
        await link.received(frame(1, *LIST))
        assert wire.sent[-1][0] == 2


async def test_a_flood_is_bounded_and_ends_the_connection() -> None:
    async with linked() as (link, wire, office):
        link._clock = ScaledClock(NOW, speed=1e-6)
        link._allowance.at_s = link._clock.monotonic_s()
        for _ in range(int(BURST) + FLOOD_MAX + 2):
            await link.received(b"[]")
        assert wire.code == 1008
        assert len(office.log) < BURST + 10


# vehicles


def test_vehicles_are_found_by_what_they_are_called() -> None:
    one = Vehicle(uuid4(), BMS, "Bus 1", vin="WVWZZZ1JZXW000001", licence_plate="HH-B 1")
    two = Vehicle(uuid4(), BMS, "Bus 2", licence_plate="Bus 1")
    known = VehicleIndex([one, two])
    for name in ("bus 1", "wvwzzz1jzxw000001", str(one.id), "hh-b 1", "uri://yard/Bus 1"):
        assert known.find(name, VehicleKey.AUTO) is one
    assert known.find("uri://voltyard/Bus%202", VehicleKey.NAME) is two
    with pytest.raises(Unusable, match="no vehicle"):
        known.find("Bus 1", VehicleKey.VIN)
    twins = VehicleIndex([one, Vehicle(uuid4(), BMS, "BUS 1")])
    with pytest.raises(Unusable, match="several"):
        twins.find("Bus 1", VehicleKey.AUTO)
