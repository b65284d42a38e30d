"""A public workplace site: nobody announces that they come, everybody says when they will leave.

Generated in the shape of such sites, or read from a file of acnportal's events.
"""

import gzip
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from voltyard.bench.energy.case import STEP_S, Case, Outlet, Visit
from voltyard.bench.energy.synthetic import winter_prices
from voltyard.clock import seeded
from voltyard.errors import Invalid
from voltyard.simulator.depot import stable_id
from voltyard.simulator.vehicle import BatterySpec
from voltyard.sites import tree as trees
from voltyard.sites.model import Node, NodeKind, NodeLimit

_OUTLET_W = 6_600.0
_VOLTS = 208.0
_POD_W = 80.0 * _VOLTS
_ACN_OUTLET_W = 32.0 * _VOLTS
_ZONE = "America/Los_Angeles"
_MONTH_AT = datetime(2019, 3, 1, tzinfo=ZoneInfo(_ZONE)).astimezone(UTC)
_PODS = 2
_POD_OUTLETS = 8
_OUTLETS = 54
_DAYS = 7


@dataclass(frozen=True, slots=True)
class _Session:
    """Times are steps after the start."""

    station: str
    arrival: int
    departure: int
    energy_wh: float


def generated(seed: int, limit_w: float) -> Case:
    """A week, from Friday on: 54 outlets, some 30 vehicles a working day."""
    rng = seeded(seed, "bench energy workplace")
    sessions = [one for day in range(_DAYS) for one in _day(rng, day)]
    return _case(sessions, _DAYS, limit_w, seed, f"generated, seed {seed}")


def from_acn(path: Path, limit_w: float) -> Case:
    """Days of events as acnportal stores them (JSON, also packed), behind one limit and nothing
    else, as in the published comparison of a network without phases. Raises ``Invalid``."""
    try:
        packed = path.read_bytes()
        content = gzip.decompress(packed) if packed[:2] == b"\x1f\x8b" else packed
        read: Any = msgspec.json.decode(content)
        held: Any = msgspec.json.decode(read) if isinstance(read, str) else read
        cars = [
            entry["attributes"]
            for entry in held["context_dict"].values()
            if entry["class"].endswith(".EV")
        ]
        sessions = [
            _Session(
                str(car["_station_id"]),
                int(car["_arrival"]),
                int(car["_departure"]),
                float(car["_requested_energy"]) * 1000.0,
            )
            for car in cars
        ]
    except (OSError, EOFError, KeyError, TypeError, ValueError) as error:
        raise Invalid(f"cannot read acnportal's events in {path}", detail=str(error)) from error
    if not sessions:
        raise Invalid(f"nobody ever comes in {path}")
    days = -(-max(session.departure for session in sessions) // 288)
    names = sorted({session.station for session in sessions})
    outlets = [Outlet(stable_id("workplace", name), _ACN_OUTLET_W, 0.0) for name in names]
    case = _case(sessions, days, limit_w, 1, f"acnportal events, {path.name}")
    return replace(
        case,
        name=f"month {limit_w / 1000.0:g} kW",
        tree=trees.build(_nodes(names, outlets, limit_w, pods=0), ZoneInfo(_ZONE)),
        outlets=tuple(outlets),
        volts=_VOLTS,
    )


def _day(rng: random.Random, day: int) -> list[_Session]:
    """Most come in the morning and stay the working day."""
    weekday = (_MONTH_AT + timedelta(days=day)).astimezone(ZoneInfo(_ZONE)).weekday()
    count = rng.randint(26, 38) if weekday < 5 else rng.randint(4, 9)
    stations = rng.sample(range(_OUTLETS), count)
    found: list[_Session] = []
    for station in stations:
        arrives_h = rng.gauss(8.8, 1.2) if rng.random() < 0.75 else rng.uniform(10.0, 17.0)
        stays_h = max(0.75, min(23.0 - arrives_h, rng.gauss(6.5, 2.5)))
        arrival = day * 288 + round(max(0.5, arrives_h) * 12)
        departure = arrival + max(6, round(stays_h * 12))
        most_wh = 0.98 * _OUTLET_W * (departure - arrival) / 12.0
        energy_wh = min(most_wh, max(1_500.0, rng.lognormvariate(9.0, 0.65)))
        found.append(_Session(f"W-{station + 1}", arrival, departure, energy_wh))
    return found


def _case(sessions: list[_Session], days: int, limit_w: float, seed: int, source: str) -> Case:
    """A vehicle's battery is what it asked for, and takes its full power to the end."""
    sessions.sort(key=lambda session: (session.arrival, session.station))
    names = sorted({session.station for session in sessions})
    outlets = tuple(Outlet(stable_id("workplace", name), _OUTLET_W, 0.0) for name in names)
    number_of = {name: number for number, name in enumerate(names)}
    steps = max(days * 288, *(session.departure for session in sessions))
    steps += -steps % 3
    visits = [
        _visit(number, number_of[session.station], session)
        for number, session in enumerate(sessions)
        if session.energy_wh > 0.0
    ]
    return Case(
        name=f"workplace {limit_w / 1000.0:g} kW",
        tree=trees.build(_nodes(names, outlets, limit_w), ZoneInfo(_ZONE)),
        outlets=outlets,
        visits=tuple(visits),
        start_at=_MONTH_AT,
        steps=steps,
        prices=winter_prices(seeded(seed, "bench energy workplace prices"), _MONTH_AT, steps // 3),
        base_w=(0.0,) * steps,
        base_forecast_w=(0.0,) * (steps // 3),
        source=source,
    )


def _visit(number: int, outlet: int, session: _Session) -> Visit:
    arrival_at = _MONTH_AT + timedelta(seconds=session.arrival * STEP_S)
    return Visit(
        id=stable_id("workplace session", number),
        label=f"session {number + 1}",
        outlet=outlet,
        battery=BatterySpec(session.energy_wh, _OUTLET_W),
        planned_arrival_at=arrival_at,
        arrival_at=arrival_at,
        departure_at=_MONTH_AT + timedelta(seconds=session.departure * STEP_S),
        planned_soc_pct=0.0,
        soc_pct=0.0,
        target_soc_pct=100.0,
        announced=False,
    )


def _nodes(
    names: list[str], outlets: Sequence[Outlet], limit_w: float, pods: int = _PODS
) -> list[Node]:
    """The connection, pods of eight outlets on 80 A at 208 V, the rest directly."""
    root = Node(stable_id("workplace"), NodeKind.GRID, "grid", None, (NodeLimit(power_w=limit_w),))
    feeders = [
        Node(
            stable_id("workplace pod", pod),
            NodeKind.FEEDER,
            f"pod {pod + 1}",
            root.id,
            (NodeLimit(power_w=_POD_W),),
        )
        for pod in range(pods)
    ]
    nodes = [root, *feeders]
    for number, (name, outlet) in enumerate(zip(names, outlets, strict=True)):
        above = feeders[number // _POD_OUTLETS] if number < pods * _POD_OUTLETS else root
        nodes.append(
            Node(
                stable_id("workplace outlet", name),
                NodeKind.EVSE,
                name,
                above.id,
                (NodeLimit(power_w=outlet.max_power_w),),
                outlet.id,
            )
        )
    return nodes
