"""When more bays are needed: a growing fleet at the chargers and connection that there are."""

from collections.abc import Callable

from voltyard.study import chargers, sizing
from voltyard.study.model import Grown, Outcome, Room, Shortage, WhatIf
from voltyard.study.scenario import Scenario, apply, crowded

Runner = Callable[[Scenario, str], Outcome]
_SHARES = (0.0, 0.1, 0.25, 0.5, 0.75, 1.0)


def room(base: Scenario, done: Outcome, shunting_s: float, run: Runner) -> Room:
    """The most vehicles more, up to twice as many, with which no more are late than in the base."""
    fleet = _Fleet(base, done, run)
    vehicles = base.vehicles
    served, failed = 0, vehicles + 1
    while failed - served > 1:
        # The first look is at twice as many: where that is served, nothing else is asked.
        middle = vehicles if failed > vehicles else (served + failed) // 2
        served, failed = (middle, failed) if fleet.serves(middle) else (served, middle)
    fails_at = failed if failed <= vehicles else None
    return Room(
        vehicles=vehicles,
        most=served,
        fails_at=fails_at,
        lacks=None if fails_at is None else fleet.lacks(fails_at),
        tried=tuple((more, *fleet.tried[more]) for more in sorted(fleet.tried)),
        ladder=tuple(_grown(base, more, shunting_s) for more in _steps(vehicles)),
    )


class _Fleet:
    """Looks at a number of vehicles more; ``tried`` is (ready, stays) by that number."""

    def __init__(self, base: Scenario, done: Outcome, run: Runner) -> None:
        self._base, self._run = base, run
        self._late = done.stays - done.ready
        self.tried: dict[int, tuple[int, int]] = {0: (done.ready, done.stays)}

    def serves(self, more: int) -> bool:
        """Where waiting for a charger alone makes somebody late, nothing needs to be run."""
        scenario = crowded(self._base, more)
        ready = sizing.plugged_long_enough(scenario)
        if ready >= scenario.stays - self._late:
            ready = self._run(scenario, f"+{more}").ready
        self.tried[more] = (ready, scenario.stays)
        return ready >= scenario.stays - self._late

    def lacks(self, more: int) -> Shortage:
        scenario = crowded(self._base, more)
        waits = sizing.plugged_long_enough(scenario) < scenario.stays - self._late
        return Shortage.BAYS if waits else Shortage.POWER


def _steps(vehicles: int) -> list[int]:
    return sorted({round(share * vehicles) for share in _SHARES})


def _grown(base: Scenario, more: int, shunting_s: float) -> Grown:
    grown = apply(base, WhatIf("", more_vehicles=more))
    return Grown(
        more=more,
        vehicles=base.vehicles + more,
        bays_staying=_fewest(grown, None),
        bays_shunting=_fewest(grown, shunting_s),
    )


def _fewest(scenario: Scenario, shunting_s: float | None) -> int:
    """By waiting alone: bisection between none and all that are there at once."""
    served = max(1, chargers.at_once(scenario.case.visits))
    wanted, failed = sizing.hopeful(scenario, served, shunting_s), 0
    while served - failed > 1:
        middle = (failed + served) // 2
        if sizing.hopeful(scenario, middle, shunting_s) >= wanted:
            served = middle
        else:
            failed = middle
    return served
