"""Making a simulated charger of the version its specification names."""

from collections.abc import Callable

from voltyard.clock import Clock
from voltyard.errors import Invalid
from voltyard.simulator.charger import Charger, Dialect
from voltyard.simulator.charger16 import Dialect16
from voltyard.simulator.charger21 import Dialect21
from voltyard.simulator.charger201 import Dialect201
from voltyard.simulator.courier import Courier
from voltyard.simulator.evse import StationSpec
from voltyard.simulator.faults import FaultPlan
from voltyard.simulator.link import Link
from voltyard.simulator.settings import ChargerSettings

_DIALECTS: dict[str, Callable[[Charger], Dialect]] = {
    Dialect16.subprotocol: Dialect16,
    Dialect201.subprotocol: Dialect201,
    Dialect21.subprotocol: Dialect21,
}


def make_charger(
    spec: StationSpec,
    link: Link,
    clock: Clock,
    *,
    seed: int = 0,
    plan: FaultPlan | None = None,
    settings: ChargerSettings | None = None,
    observe: Callable[[str, str, str], None] | None = None,
    courier: Courier | None = None,
) -> Charger:
    """Raises ``Invalid`` for a protocol that is not simulated."""
    dialect = _DIALECTS.get(spec.protocol)
    if dialect is None:
        raise Invalid(f"no simulated charger speaks {spec.protocol!r}")
    return Charger(
        spec,
        dialect,
        link,
        clock,
        seed=seed,
        plan=plan,
        settings=settings,
        observe=observe,
        courier=courier,
    )
