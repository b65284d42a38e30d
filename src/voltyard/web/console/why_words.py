"""The sentences of an explanation: one for each code, with the names of its facts."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from voltyard.energy.explanation import (
    AheadBy,
    Confidence,
    Doubt,
    Explanation,
    Fact,
    Line,
    Remedy,
    State,
    Sureness,
    Why,
)
from voltyard.web.console.access_words import REASON_WORDS
from voltyard.web.i18n import N_, Formats

Say = Callable[[str], str]

STATES: Mapping[State, str] = {
    State.CHARGING: N_("Charging"),
    State.DISCHARGING: N_("Gives power back"),
    State.WAITING: N_("Waiting"),
    State.NOT_TAKING: N_("May charge, but takes no power"),
    State.READY: N_("Ready"),
    State.STARTING: N_("About to begin"),
    State.NO_SESSION: N_("Plugged in, but no session has begun"),
    State.NOT_AUTHORISED: N_("Not authorised"),
    State.EXPECTED: N_("Not here yet"),
    State.OVERDUE: N_("Not plugged in"),
    State.ABSENT: N_("Not plugged in, and no departure is known"),
    State.FREE: N_("Free"),
    State.OFFLINE: N_("The charger is offline"),
    State.FAULTED: N_("The outlet is faulted"),
    State.SWITCHED_OFF: N_("The outlet is switched off"),
    State.DEPARTED: N_("Departed"),
    State.UNCONTROLLED: N_("Nobody controls this site"),
}
TONES: Mapping[State, str] = {
    State.CHARGING: "charging",
    State.DISCHARGING: "charging",
    State.READY: "ready",
    State.STARTING: "waiting",
    State.WAITING: "waiting",
    State.NO_SESSION: "plugged",
    State.NOT_TAKING: "plugged",
    State.NOT_AUTHORISED: "faulted",
    State.FAULTED: "faulted",
    State.OFFLINE: "offline",
    State.OVERDUE: "offline",
    State.UNCONTROLLED: "offline",
    State.SWITCHED_OFF: "blocked",
}
WHY: Mapping[Why, str] = {
    Why.ALL_IT_TAKES: N_("It gets all it can take now: %(takes)s."),
    Why.LIMIT: N_("%(node)s is full: %(carries)s of its %(limit)s are in use."),
    Why.PHASE: N_("A phase of %(node)s carries all the current it may."),
    Why.MINIMUM: N_(
        "%(node)s has only %(free)s left of its %(limit)s; this vehicle needs at least %(least)s."
    ),
    Why.OVERLOADED: N_(
        "%(node)s is over its limit of %(limit)s by what nobody can take back: %(carries)s."
    ),
    Why.BUSY_UNTIL: N_("By plan, %(node)s stays full until %(until)s."),
    Why.PLAN_LATER: N_(
        "There is time: its turn comes at %(begins)s, which keeps the site's peak or cost low."
    ),
    Why.PLAN_SPREAD: N_(
        "There is time: the plan spreads its charge, %(plan)s on average in this quarter of an"
        " hour."
    ),
    Why.PLAN_NOTHING: N_("The plan has no power for it before its departure at %(departs)s."),
    Why.ALLOTTED: N_("It has all that it was allotted; it goes on when others leave power over."),
    Why.ALLOTTED_SHORT: N_(
        "It has all that it was allotted; %(withheld)s to its target go to others that can still"
        " be ready."
    ),
    Why.GIVEN_UP: N_(
        "Not all vehicles can be ready. This one (priority %(priority)s) waits so that the most,"
        " and the most important, are."
    ),
    Why.DEAD_BAND: N_(
        "It could take %(takes)s instead of %(grant)s; so small a change is not sent for its own"
        " sake."
    ),
    Why.POLICY: N_("A policy of the site leaves it nothing at this time."),
    Why.RESERVED: N_(
        "Its charger does not take a new limit now; power is kept free for it instead."
    ),
    Why.TAPER: N_(
        "At %(soc)s the battery itself takes no more than %(takes)s of the possible %(rated)s."
    ),
    Why.VEHICLE_LESS: N_("It may draw %(granted)s; the vehicle takes only %(power)s."),
    Why.VEHICLE_PAUSED: N_("It may draw %(granted)s, but the vehicle has paused charging itself."),
    Why.NOT_BEGUN: N_("It may draw %(granted)s since %(since)s, but no power flows."),
    Why.CUTS_FIRST: N_(
        "It is granted %(grant)s. That is sent as soon as others have confirmed that they draw"
        " less."
    ),
    Why.UNCONFIRMED: N_(
        "It is granted %(grant)s. The limit is on its way; its charger has not confirmed it."
    ),
    Why.LIMIT_REFUSED: N_(
        "Its charger did not take its limit (%(tries)s tries); it is tried again, and nothing is"
        " raised until then."
    ),
    Why.FENCED: N_(
        "Its charger ignores its limit: it drew %(power)s where %(granted)s were allowed."
        " %(counted)s are counted for it, and it gets no more."
    ),
    Why.TAKES_NO_LIMIT: N_("%(outlet)s takes no limit and was switched off, to keep the others'."),
    Why.IGNORED_LIMIT: N_("%(outlet)s ignored its limit and was switched off for a while."),
    Why.UNAVAILABLE: N_("%(outlet)s reports that it is out of service."),
    Why.OFFLINE: N_(
        "%(station)s cannot be heard. %(kept)s are kept free for it, but no new limit reaches it."
    ),
    Why.ERROR: N_("%(outlet)s reports a fault: %(error)s."),
    Why.ORDERED_BACK: N_("It was ordered to give back %(power)s."),
    Why.NOT_IN_TREE: N_(
        "Its outlet is not in the electrical tree: it is not limited, and not planned for."
    ),
    Why.NO_DUTY: N_(
        "No departure is known of it: it gets what planned vehicles leave (priority %(priority)s)."
    ),
    Why.NEED_UNKNOWN: N_(
        "How much it needs is not known (battery or state of charge): it gets what others leave."
    ),
    Why.NO_PLAN: N_("The plan does not know it yet; the next one is made within minutes."),
    Why.NO_CONTROLLER: N_(
        "No controller of its site runs here. It starts within seconds of the server; otherwise"
        " see the log."
    ),
    Why.NEEDS_NOTHING: N_("It has all the energy it needs."),
    Why.PRECONDITIONING: N_("%(kept)s are kept for its preconditioning until it departs."),
    Why.REFUSED: N_("Token %(token)s was refused at %(refused)s: %(reason)s."),
    Why.BAY_PLUGGED: N_(
        "At its bay, %(outlet)s has a vehicle plugged in, but no session has begun."
    ),
    Why.NOT_PLUGGED: N_("It was due at %(arrives)s and is not plugged in anywhere."),
    Why.NOT_HERE_YET: N_("It is expected at %(arrives)s."),
    Why.NOBODY_HERE: N_("There is no session and nothing is planned."),
    Why.NOT_STARTED: N_(
        "%(outlet)s has a vehicle plugged in; it waits for a token or for a start from here."
    ),
    Why.MISS_LIMIT: N_(
        "It will leave %(shortfall)s short: %(node)s is used to its limit from %(from)s to"
        " %(until)s."
    ),
    Why.MISS_TIME: N_(
        "It will leave %(shortfall)s short: the stay is too short for the %(power)s that vehicle"
        " and outlet can do."
    ),
    Why.LEFT_READY: N_("It left ready at %(departed)s."),
    Why.LEFT_SHORT: N_("It left at %(departed)s, %(shortfall)s short of its target."),
    Why.LEFT: N_("Its duty was over at %(departed)s."),
}
REMEDIES: Mapping[Remedy, str] = {
    Remedy.MORE_POWER: N_("%(more)s more at %(node)s from %(from)s to %(until)s."),
    Remedy.OTHER_OUTLET: N_(
        "Move it to %(outlet)s (%(power)s): by plan its way to the grid has room for %(room)s."
    ),
    Remedy.EARLIER_ARRIVAL: N_("Arrive %(minutes)s min earlier, at %(arrive)s."),
    Remedy.LATER_DEPARTURE: N_("Leave %(minutes)s min later, at %(depart)s."),
    Remedy.LOWER_TARGET: N_("Be content with %(soc)s instead of %(target_soc)s."),
    Remedy.LOWER_ENERGY: N_("Be content with %(energy)s."),
    Remedy.REACH_CHARGER: N_(
        "Bring %(station)s back: look at its power, its network and its SIM card."
    ),
    Remedy.REPAIR: N_("Clear the fault at %(station)s, or move the vehicle to another outlet."),
    Remedy.PLUG_IN: N_("Plug it in."),
    Remedy.ALLOW_TOKEN: N_("Look at token %(token)s: is it known, valid, and allowed here?"),
    Remedy.START_SESSION: N_("Show its token to the charger, or start it from the charger's page."),
    Remedy.CHECK_VEHICLE: N_("Look at the vehicle: plug, lock, charging timer, messages on board."),
}
AHEAD: Mapping[AheadBy, str] = {
    AheadBy.PLANNED: N_("has a departure to make"),
    AheadBy.REACHABLE: N_("can still be ready"),
    AheadBy.NEEDS: N_("has not yet what it was allotted"),
    AheadBy.URGENT: N_("has no time to spare"),
    AheadBy.LESS_TIME: N_("has less time to spare"),
    AheadBy.PRIORITY: N_("is more important"),
    AheadBy.RUNNING: N_("began earlier and is kept running"),
    AheadBy.TURN: N_("it is its turn"),
}
SURENESS: Mapping[Sureness, str] = {
    Sureness.DONE: N_("Done"),
    Sureness.HIGH: N_("High"),
    Sureness.MEDIUM: N_("Medium"),
    Sureness.LOW: N_("Low"),
    Sureness.NONE: N_("It will miss"),
    Sureness.UNKNOWN: N_("unknown"),
}
DOUBTS: Mapping[Doubt, str] = {
    Doubt.SOC_ASSUMED: N_("Nobody reports its state of charge; it is assumed."),
    Doubt.NOT_PLUGGED: N_("It is not plugged in; arrival and charge are as announced."),
    Doubt.UNHEARD: N_("Its charger is not heard."),
    Doubt.PLAN_OLD: N_("The plan is older than 20 minutes."),
}
GONE = (N_("This session does not run."), N_("There is no such outlet."))
"""What the room may answer instead of an explanation."""
RULE = N_(
    "High: ready at least 45 min early, and a quarter more energy than it needs could be had"
    " without anybody else getting less. Low: less than 15 min, or less than 45 min and 5 %, or its"
    " charger is not heard. Anything else that is not known makes it medium at most."
)


class WhySentences:
    """The sentences of one language and one site's clock."""

    def __init__(self, say: Say, formats: Formats, now: datetime) -> None:
        self._say = say
        self._formats = formats
        self._now = now

    def state(self, state: State) -> str:
        return self._say(STATES[state])

    def tone(self, state: State) -> str:
        """The colour and shape of a state, as on the board."""
        return TONES.get(state, "free")

    def line(self, line: Line) -> str:
        if isinstance(line.code, Remedy):
            return self._say(REMEDIES[line.code]) % self._facts(line.facts)
        return self._say(WHY[line.code]) % self._facts(line.facts)

    def ahead(self, by: AheadBy) -> str:
        return self._say(AHEAD[by])

    def sureness(self, level: Sureness) -> str:
        return self._say(SURENESS[level])

    def doubts(self, confidence: Confidence) -> list[str]:
        return [self._say(DOUBTS[doubt]) for doubt in confidence.doubts]

    def rule(self) -> str:
        return self._say(RULE)

    def spare(self, spare_s: float | None) -> str:
        """A time to spare in hours and minutes; a minus sign where there is none."""
        if spare_s is None:
            return "–"
        sign = "−" if spare_s < -30.0 else ""
        return sign + self._formats.span(self._now, self._now + timedelta(seconds=abs(spare_s)))

    def when(self, at: datetime | None) -> str:
        """The time alone today and until tomorrow morning; the day with it further away."""
        if at is None:
            return "–"
        near = abs(at - self._now) < timedelta(hours=18)
        return self._formats.time(at) if near else self._formats.moment(at)

    def summary(self, made: Explanation) -> str:
        """One line that answers: its state with power, for the page's head."""
        if made.state in (State.CHARGING, State.WAITING, State.STARTING, State.NOT_TAKING):
            return self._say(N_("%(power)s of the %(takes)s it could take")) % {
                "power": self._formats.power(made.power_w or 0.0),
                "takes": self._formats.power(made.takes_w),
            }
        return ""

    def _facts(self, facts: Mapping[str, Fact]) -> dict[str, str]:
        return {_bare(name): self._fact(name, value) for name, value in facts.items()}

    def _fact(self, name: str, value: Fact) -> str:
        if isinstance(value, datetime):
            return self.when(value)
        if isinstance(value, str):
            known = REASON_WORDS.get(value) if name == "reason" else None
            return self._say(known).rstrip(".") if known else value
        if name.endswith("_wh"):
            return self._formats.energy(value)
        if name.endswith("_w"):
            return self._formats.power(value)
        if name.endswith("_pct"):
            return self._formats.pct(value)
        return self._formats.number(value)


def _bare(name: str) -> str:
    unit = next((unit for unit in ("_wh", "_w", "_pct", "_at", "_s") if name.endswith(unit)), "")
    return name.removesuffix(unit)
