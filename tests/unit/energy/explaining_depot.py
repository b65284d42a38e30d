"""A small depot at one moment, as explanations are asked about: board, plan and allocation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID

from tests.unit.energy_control.rig import ORG, ROOT, SITE, START, _setup, evse_id
from voltyard.chargers.model import CurrentType, Quirks
from voltyard.energy import planner
from voltyard.energy.board import Board
from voltyard.energy.confirm import Held, Live
from voltyard.energy.explaining import explain
from voltyard.energy.explanation import Explanation
from voltyard.energy.granting import GrantInput, targets
from voltyard.energy.inputs import Situation, outlook, plan_input
from voltyard.energy.model import PlanMode
from voltyard.energy.ports import LiveSession, SiteSetup
from voltyard.energy.scene import Refused, Scene, Subject
from voltyard.energy.view import site_view
from voltyard.energy.watch import Obedience
from voltyard.fleets.model import Vehicle
from voltyard.sites.model import NodeLimit
from voltyard.timetable.model import Duty

NOW = START
BATTERY_WH = 300_000.0
POWER_W = 150_000.0


def hours(number: float) -> timedelta:
    return timedelta(hours=number)


@dataclass(slots=True)
class Depot:
    """Vehicles and duties are added; ``explain`` plans, grants and explains."""

    outlets: int = 6
    root_w: float = 300_000.0
    feeder_w: float = 250_000.0
    now: datetime = NOW
    vehicles: dict[UUID, Vehicle] = field(default_factory=dict)
    duties: list[Duty] = field(default_factory=list)
    sessions: list[LiveSession] = field(default_factory=list)
    setup: SiteSetup = field(init=False)
    board: Board = field(init=False)
    refused: Refused | None = None
    planned: bool = True
    mode: PlanMode = PlanMode.EARLY

    def __post_init__(self) -> None:
        root = (NodeLimit(power_w=self.root_w),)
        made = _setup(self.outlets, root, self.feeder_w, POWER_W, Quirks(), CurrentType.DC)
        evses = [replace(evse, bay_id=UUID(int=4000 + i)) for i, evse in enumerate(made.evses)]
        self.setup = replace(made, evses=tuple(evses))
        self.board = Board(self.setup)
        self.board.install(self.setup, {})
        for outlet in self.board:
            outlet.connected, outlet.reinstall = True, False
            outlet.held = Held(0.0)

    def vehicle(self, number: int, **known: object) -> Vehicle:
        made = Vehicle(UUID(int=7000 + number), ORG, f"BUS-{number}")
        made = replace(made, battery_wh=BATTERY_WH, max_power_w=POWER_W, **known)  # type: ignore[arg-type]
        self.vehicles[made.id] = made
        return made

    def duty(
        self, vehicle: Vehicle, leaves_in_h: float, *, arrives_in_h: float = -1.0, **known: object
    ) -> Duty:
        made = Duty(
            UUID(int=8000 + len(self.duties)),
            ORG,
            SITE,
            f"D-{len(self.duties)}",
            self.now + hours(arrives_in_h),
            self.now + hours(leaves_in_h),
            vehicle_id=vehicle.id,
            target_soc_pct=95.0,
        )
        made = replace(made, **known)  # type: ignore[arg-type]
        self.duties.append(made)
        return made

    def plug(self, vehicle: Vehicle | None, place: int, soc_pct: float | None = 30.0) -> None:
        session = LiveSession(
            UUID(int=5000 + place),
            self.setup.evses[place].station_id,
            evse_id(place),
            f"tx{place}",
            self.now - hours(0.5),
            vehicle_id=None if vehicle is None else vehicle.id,
            soc_start_pct=soc_pct,
            soc_pct=soc_pct,
        )
        self.sessions.append(session)
        self.board.outlets[evse_id(place)].session = session

    def draws(self, place: int, power_w: float, granted_w: float | None = None) -> None:
        """It is granted and confirmed that (or more), and draws it."""
        outlet = self.board.outlets[evse_id(place)]
        outlet.granted_w = power_w if granted_w is None else granted_w
        outlet.charging_since = self.now - hours(0.25)
        outlet.held = Held(0.0, (Live(outlet.granted_w, None),))
        outlet.obedience = Obedience(measured_w=power_w, measured_at=self.now)

    def scene(self) -> Scene:
        given = Situation(self.now, self.setup, self.sessions, self.duties, self.vehicles)
        found = outlook(given)
        plan = None
        if self.planned:
            made = plan_input(given, found, horizon_s=36 * 3600.0, slot_s=900, mode=self.mode)
            plan = planner.plan(made)
        allocation = targets(
            self.board,
            GrantInput(self.now, self.setup.tree, 240.0, plan, found.present, {}, {}),
        )
        view = site_view(self.board, self.setup, plan, self.now)
        return Scene(self.now, self.setup, self.board, found, view, plan, allocation)

    def why(self, vehicle: Vehicle) -> Explanation:
        return explain(self.scene(), Subject(vehicle, refused=self.refused))

    def why_outlet(self, place: int) -> Explanation:
        return explain(self.scene(), Subject(evse_id=evse_id(place), refused=self.refused))


def codes(made: Explanation) -> Sequence[str]:
    return [line.code.value for line in made.reasons]


def remedies(made: Explanation) -> Mapping[str, Mapping[str, object]]:
    return {line.code.value: line.facts for line in made.remedies}


__all__ = ["NOW", "ROOT", "Depot", "codes", "evse_id", "hours", "remedies"]
