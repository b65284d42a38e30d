"""What the controller of a site needs of other rooms: narrow views, wired by the app."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Protocol, TypeVar
from uuid import UUID

from voltyard.chargers.commands import StationLink
from voltyard.chargers.model import Evse, Station
from voltyard.energy.model import FirmLoad, Plan, PlanMode, Step
from voltyard.energy.otherload import Metered
from voltyard.fleets.model import Vehicle
from voltyard.sessions.model import VehicleNeeds
from voltyard.sites.model import ElectricalTree, Site
from voltyard.telematics.rule import Point
from voltyard.timetable.model import Duty

if TYPE_CHECKING:
    from voltyard.energy.allocator import Candidate
    from voltyard.energy.inputs import Outlook, Situation

T = TypeVar("T")

RunBlocking = Callable[[Callable[[], T]], Awaitable[T]]
"""Runs a long pure computation off the event loop (or inline, in virtual time)."""


@dataclass(frozen=True, slots=True)
class LiveSession:
    """A running session as last heard. ``energy_wh`` since plug-in, at the EVSE's meter, less what
    flowed back."""

    session_id: UUID
    station_id: UUID
    evse_id: UUID
    transaction_ref: str
    started_at: datetime
    vehicle_id: UUID | None = None
    duty_id: UUID | None = None
    energy_wh: float = 0.0
    soc_start_pct: float | None = None
    soc_pct: float | None = None
    power_w: float | None = None
    reading_at: datetime | None = None
    charging_state: str | None = None
    needs: VehicleNeeds | None = None


class LiveView(Protocol):
    """Sessions that run now, from memory; cheap enough to ask on every tick."""

    def running(self, site_id: UUID) -> Sequence[LiveSession]: ...


class Rules(Protocol):
    """What a site wants beyond limits and readiness (``policies``)."""

    @property
    def needs_prices(self) -> bool: ...

    def shaped(self, found: "Outlook", situation: "Situation") -> "Outlook":
        """Who is here and expected, as they are to be planned for."""

    def ruled(
        self,
        candidates: Mapping[UUID, "Candidate"],
        found: "Outlook",
        situation: "Situation",
        plan: Plan | None,
        left: Callable[[Mapping[UUID, "Candidate"]], Mapping[UUID, float]],
    ) -> Mapping[UUID, "Candidate"]:
        """Who is here, as power is to be shared; ``left`` tells what some leave at each node."""


class NoRules:
    """Nothing is wanted."""

    needs_prices = False

    def shaped(self, found: "Outlook", situation: "Situation") -> "Outlook":
        return found

    def ruled(
        self, candidates: Mapping[UUID, "Candidate"], *given: object
    ) -> Mapping[UUID, "Candidate"]:
        return candidates


NO_RULES: Rules = NoRules()


@dataclass(frozen=True, slots=True)
class SiteSetup:
    """A site with its tree and everything installed there."""

    site: Site
    tree: ElectricalTree
    stations: tuple[Station, ...]
    evses: tuple[Evse, ...]
    policies: Rules = NO_RULES


class SiteSource(Protocol):
    async def setup(self, site_id: UUID) -> SiteSetup:
        """The site now; raises NotFound."""


class DutySource(Protocol):
    async def duties(
        self, org_id: UUID, site_id: UUID, from_at: datetime, until_at: datetime
    ) -> Sequence[Duty]:
        """Duties not departed or cancelled that arrive before ``until_at`` and depart after
        ``from_at``."""


class VehicleSource(Protocol):
    async def vehicles(self, org_id: UUID, ids: Sequence[UUID]) -> Sequence[Vehicle]: ...


@dataclass(frozen=True, slots=True)
class PlanPrices:
    """What planning weighs: ``steps`` per MWh (of whatever is to be little), the demand charge
    for one more kW over the horizon, and the billing period's peak so far. ``mode`` None: as
    voltyard is set up."""

    steps: tuple[Step, ...] = ()
    export: tuple[Step, ...] = ()
    demand_price_per_kw: float = 0.0
    peak_so_far_w: float = 0.0
    mode: PlanMode | None = None


class EnergyInputs(Protocol):
    """Site meters and prices, from memory: asked on every tick."""

    def metered(self, site_id: UUID) -> Sequence[Metered]: ...

    def saw(self, site_id: UUID, loads_w: Mapping[UUID, float], power_w: float) -> None:
        """Other load by meter as found out, and the power of the whole site, chargers included."""

    def forecast(
        self, meter_id: UUID, present_w: float | None, starts: Sequence[datetime]
    ) -> list[float] | None:
        """Other load by slot, as high as it mostly is; None while nothing is known."""

    def prices(self, site_id: UUID, from_at: datetime, until_at: datetime) -> PlanPrices: ...


class FirmLoads(Protocol):
    """What must run at a site before departures, from memory."""

    def loads(self, site_id: UUID) -> Sequence[FirmLoad]:
        """Those to come and those under way; those that are over until their duty departs."""


class ChargesTold(Protocol):
    """What telematics says of vehicles, from memory."""

    def told(self, vehicle_id: UUID) -> Sequence[Point]:
        """The newest first; how old they may be is for ``telematics.rule`` to say."""


class Links(Protocol):
    """Live connections to chargers, by station."""

    def link(self, station_id: UUID) -> StationLink | None: ...
