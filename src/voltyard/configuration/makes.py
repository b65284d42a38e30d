"""Makes whose ways are known, shipped with voltyard; an organisation's own come first.

Each is what users of such chargers reported in public issue trackers of open charging systems.
"""

from collections.abc import Iterable, Sequence

from voltyard.chargers.model import Quirks
from voltyard.configuration.model import Make, Pattern

SHIPPED: Sequence[Make] = (
    Make(
        Pattern("ABB*", "*Terra*AC*"),
        Quirks(unit="A", stack_level=0, stack_level_max=0),
        "Takes profiles on stack level 0 only.",
    ),
    Make(
        Pattern("ABB*", "TAC*"),
        Quirks(unit="A", stack_level=0, stack_level_max=0),
        "Terra AC by its type code: profiles on stack level 0 only.",
    ),
    Make(
        Pattern("EV-BOX*"),
        Quirks(unit="A", tx_profile=False, periods_max=10),
        "Refuses limits of a transaction; takes defaults for transactions, in amps.",
    ),
    Make(
        Pattern("EVBox*"),
        Quirks(unit="A", tx_profile=False, periods_max=10),
        "Refuses limits of a transaction; takes defaults for transactions, in amps.",
    ),
    Make(
        Pattern("go-e*"),
        Quirks(unit="A", send_phases=True),
        "Switches between one and three phases by the number in the profile.",
    ),
    Make(
        Pattern("Fronius*", "*Wattpilot*"),
        Quirks(unit="A", send_phases=True),
        "Switches between one and three phases by the number in the profile.",
    ),
    Make(
        Pattern("Wall Box Chargers*"),
        Quirks(unit="A", tx_profile=False),
        "Takes defaults for transactions, in amps.",
    ),
)


def best(makes: Iterable[Make], vendor: str, model: str) -> Make | None:
    """The most specific that fits."""
    fitting = [make for make in makes if make.pattern.fits(vendor, model)]
    return max(fitting, key=lambda make: make.pattern.weight, default=None)
