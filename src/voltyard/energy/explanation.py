"""What is said of why a vehicle charges as it does: codes with figures, no words. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

Fact = str | float | int | datetime
"""The last part of a fact's name is its unit: ``_w``, ``_wh``, ``_pct``, ``_at``, ``_s``."""


class State(StrEnum):
    """What is true of the vehicle (or of the outlet, when no vehicle was asked about) now."""

    CHARGING = "charging"
    DISCHARGING = "discharging"
    WAITING = "waiting"
    """It is granted nothing now."""
    NOT_TAKING = "not_taking"
    """It may draw power and takes none."""
    READY = "ready"
    STARTING = "starting"
    """Power is granted; the charger has not confirmed that yet."""
    NO_SESSION = "no_session"
    """Plugged in, but no session has begun."""
    NOT_AUTHORISED = "not_authorised"
    EXPECTED = "expected"
    OVERDUE = "overdue"
    """It should be here and is not plugged in."""
    ABSENT = "absent"
    """It is not plugged in, and no duty expects it."""
    FREE = "free"
    OFFLINE = "offline"
    FAULTED = "faulted"
    SWITCHED_OFF = "switched_off"
    DEPARTED = "departed"
    UNCONTROLLED = "uncontrolled"
    """No controller of its site runs here."""


class Why(StrEnum):
    """Why it charges as it does, or does not. One code, one sentence."""

    ALL_IT_TAKES = "all_it_takes"
    LIMIT = "limit"
    PHASE = "phase"
    MINIMUM = "minimum"
    OVERLOADED = "overloaded"
    BUSY_UNTIL = "busy_until"
    PLAN_LATER = "plan_later"
    PLAN_SPREAD = "plan_spread"
    PLAN_NOTHING = "plan_nothing"
    ALLOTTED = "allotted"
    ALLOTTED_SHORT = "allotted_short"
    GIVEN_UP = "given_up"
    DEAD_BAND = "dead_band"
    RESERVED = "reserved"
    POLICY = "policy"
    TAPER = "taper"
    VEHICLE_LESS = "vehicle_less"
    VEHICLE_PAUSED = "vehicle_paused"
    NOT_BEGUN = "not_begun"
    CUTS_FIRST = "cuts_first"
    UNCONFIRMED = "unconfirmed"
    LIMIT_REFUSED = "limit_refused"
    FENCED = "fenced"
    TAKES_NO_LIMIT = "takes_no_limit"
    IGNORED_LIMIT = "ignored_limit"
    UNAVAILABLE = "unavailable"
    OFFLINE = "offline"
    ERROR = "error"
    ORDERED_BACK = "ordered_back"
    NOT_IN_TREE = "not_in_tree"
    NO_DUTY = "no_duty"
    NEED_UNKNOWN = "need_unknown"
    NO_PLAN = "no_plan"
    NO_CONTROLLER = "no_controller"
    NEEDS_NOTHING = "needs_nothing"
    PRECONDITIONING = "preconditioning"
    """Power is kept for its preconditioning, whatever its battery needs."""
    REFUSED = "refused"
    BAY_PLUGGED = "bay_plugged"
    NOT_PLUGGED = "not_plugged"
    NOT_HERE_YET = "not_here_yet"
    NOBODY_HERE = "nobody_here"
    NOT_STARTED = "not_started"
    MISS_LIMIT = "miss_limit"
    MISS_TIME = "miss_time"
    LEFT_READY = "left_ready"
    LEFT_SHORT = "left_short"
    LEFT = "left"


class Remedy(StrEnum):
    """What would fix it."""

    MORE_POWER = "more_power"
    OTHER_OUTLET = "other_outlet"
    EARLIER_ARRIVAL = "earlier_arrival"
    LATER_DEPARTURE = "later_departure"
    LOWER_TARGET = "lower_target"
    LOWER_ENERGY = "lower_energy"
    REACH_CHARGER = "reach_charger"
    REPAIR = "repair"
    PLUG_IN = "plug_in"
    ALLOW_TOKEN = "allow_token"
    START_SESSION = "start_session"
    CHECK_VEHICLE = "check_vehicle"


class AheadBy(StrEnum):
    """Why another is served before it."""

    PLANNED = "planned"
    """A departure is known of the other."""
    REACHABLE = "reachable"
    """The other can still be ready; this one is left short so that others can be."""
    NEEDS = "needs"
    """This one has what it is allotted; the other has not."""
    URGENT = "urgent"
    """The other has no time to spare."""
    LESS_TIME = "less_time"
    PRIORITY = "priority"
    RUNNING = "running"
    """The other began earlier and is kept running, so that vehicles do not take turns."""
    TURN = "turn"


class Sureness(StrEnum):
    """How sure readiness is, by ``explaining.sureness``."""

    DONE = "done"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    NONE = "none"
    """It will miss."""
    UNKNOWN = "unknown"


class Doubt(StrEnum):
    SOC_ASSUMED = "soc_assumed"
    NOT_PLUGGED = "not_plugged"
    UNHEARD = "unheard"
    PLAN_OLD = "plan_old"


@dataclass(frozen=True, slots=True)
class Line:
    """A sentence as data: its code, and the figures in it."""

    code: Why | Remedy
    facts: Mapping[str, Fact] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class NodeUse:
    """A node between the outlet and the grid. ``carries_w`` counts all that chargers may draw,
    and other load; ``free_w`` is what the last allocation left. None: unlimited, or not known."""

    node_id: UUID
    name: str
    kind: str
    limit_w: float | None
    carries_w: float | None
    free_w: float | None
    other_w: float | None
    binds: bool


@dataclass(frozen=True, slots=True)
class Ahead:
    """Somebody who is served before it. ``spare_s`` None: not known or without end."""

    name: str
    by: AheadBy
    power_w: float
    priority: int
    spare_s: float | None
    departs_at: datetime | None
    vehicle_id: UUID | None
    evse_id: UUID | None
    now: bool
    """At this moment; otherwise over the stay, by the plan."""


@dataclass(frozen=True, slots=True)
class Confidence:
    """``spare_s`` is between ready and departure; ``spare_wh`` is energy it could have by then
    beyond the plan, without anybody else getting less."""

    level: Sureness
    spare_s: float | None = None
    spare_wh: float | None = None
    needed_wh: float | None = None
    doubts: tuple[Doubt, ...] = ()


@dataclass(frozen=True, slots=True)
class PlannedSlot:
    start_at: datetime
    end_at: datetime
    power_w: float


@dataclass(frozen=True, slots=True)
class Who:
    """What the explanation is about, with names for people."""

    name: str
    vehicle_id: UUID | None = None
    duty_id: UUID | None = None
    session_id: UUID | None = None
    evse_id: UUID | None = None
    station_id: UUID | None = None
    outlet: str = ""


@dataclass(frozen=True, slots=True)
class Explanation:
    """``power_w`` as measured, ``takes_w`` what it could take, ``grant_w`` by the last allocation,
    ``confirmed_w`` what the charger confirmed, ``plan_w`` its plan's mean of this slot.
    ``reasons`` come in order of weight; so do ``remedies``."""

    site_id: UUID | None
    at: datetime
    who: Who
    state: State
    reasons: tuple[Line, ...] = ()
    remedies: tuple[Line, ...] = ()
    power_w: float | None = None
    takes_w: float | None = None
    grant_w: float | None = None
    confirmed_w: float | None = None
    plan_w: float | None = None
    priority: int | None = None
    spare_s: float | None = None
    soc_pct: float | None = None
    target_soc_pct: float | None = None
    soc_departure_pct: float | None = None
    energy_needed_wh: float | None = None
    shortfall_wh: float = 0.0
    will_miss: bool = False
    arrives_at: datetime | None = None
    begins_at: datetime | None = None
    ready_at: datetime | None = None
    departs_at: datetime | None = None
    plan_made_at: datetime | None = None
    confidence: Confidence = Confidence(Sureness.UNKNOWN)
    nodes: tuple[NodeUse, ...] = ()
    ahead: tuple[Ahead, ...] = ()
    slots: tuple[PlannedSlot, ...] = ()
