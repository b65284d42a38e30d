"""The judge of nights: what excuses an exceedance, and what does not."""

from datetime import timedelta

from voltyard.simulator import promises, truth
from voltyard.simulator.demo import demo_depot
from voltyard.simulator.faults import Fault, FaultKind, FaultPlan
from voltyard.simulator.night import NightResult

DEPOT = demo_depot(1, 24)
BEGIN = DEPOT.start_at + timedelta(hours=3)
FIRST, LAST = DEPOT.stations[0], DEPOT.stations[-1]


def night(*, seconds: float, liar: str | None, after_s: float = 10.0) -> NightResult:
    """The feeder of the first cabinet is over its limit for ``seconds``."""
    lie = Fault(BEGIN, FaultKind.IGNORE_LIMIT, 1800.0)
    feeder = next(node for node in DEPOT.nodes if node.name == "F1")
    at = BEGIN + timedelta(seconds=after_s)
    over = truth.Exceedance(
        feeder.id, feeder.name, at, at + timedelta(seconds=seconds), 420e3, 400e3
    )
    return NightResult(
        depots=(DEPOT,),
        stays=(),
        truths={DEPOT.name: truth.Truth((over,), 420e3, 1, {})},
        power={},
        sessions=(),
        announced={},
        delivered_wh={},
        transactions={},
        faults={} if liar is None else {liar: FaultPlan((lie,))},
        crash=None,
        virtual_s=1.0,
    )


def test_an_exceedance_without_a_liar_is_a_breach() -> None:
    assert promises.unexplained(night(seconds=5, liar=None))


def test_a_liar_may_take_its_time_of_discovery() -> None:
    assert not promises.unexplained(night(seconds=200, liar=FIRST.identity))


def test_a_liar_that_is_never_dealt_with_is_a_breach() -> None:
    assert promises.unexplained(night(seconds=400, liar=FIRST.identity))


def test_a_liar_elsewhere_excuses_nothing() -> None:
    assert promises.unexplained(night(seconds=5, liar=LAST.identity))


def test_a_liar_that_obeys_again_excuses_nothing() -> None:
    assert promises.unexplained(night(seconds=5, liar=FIRST.identity, after_s=1900.0))
