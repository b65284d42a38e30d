"""The commands a person can give a charger: their forms, and which of them need a second look."""

from dataclasses import dataclass
from enum import StrEnum

from voltyard.tenancy.model import Permission
from voltyard.web.i18n import N_


class InputKind(StrEnum):
    EVSE = "evse"
    """A select of the station's outlets; value is the EVSE number."""
    EVSE_OR_ALL = "evse_or_all"
    """The same with 0 for the whole station."""
    SESSION = "session"
    """A select of running transactions; value is the transaction reference."""
    TEXT = "text"
    NUMBER = "number"
    CHOICE = "choice"


@dataclass(frozen=True, slots=True)
class CommandInput:
    name: str
    label: str
    kind: InputKind
    required: bool = True
    choices: tuple[tuple[str, str], ...] = ()
    unit: str = ""
    default: str = ""
    low: float = 0
    high: float = 1_000_000


@dataclass(frozen=True, slots=True)
class CommandSpec:
    """``warning`` is set for commands that interrupt charging: they ask for confirmation."""

    name: str
    title: str
    inputs: tuple[CommandInput, ...] = ()
    warning: str = ""
    permission: Permission = Permission.CHARGERS_COMMAND


_EVSE = CommandInput("evse", N_("Outlet"), InputKind.EVSE)

COMMANDS: tuple[CommandSpec, ...] = (
    CommandSpec(
        "remote_start",
        N_("Start charging"),
        (_EVSE, CommandInput("token", N_("Token"), InputKind.TEXT, default="CONSOLE")),
        permission=Permission.SESSIONS_CONTROL,
    ),
    CommandSpec(
        "remote_stop",
        N_("Stop charging"),
        (CommandInput("transaction", N_("Session"), InputKind.SESSION),),
        warning=N_("Charging stops. The vehicle may not be ready for its departure."),
        permission=Permission.SESSIONS_CONTROL,
    ),
    CommandSpec(
        "set_limit",
        N_("Set a limit"),
        (
            CommandInput("power_kw", N_("Power"), InputKind.NUMBER, unit="kW", high=10_000),
            CommandInput(
                "minutes", N_("Valid for"), InputKind.NUMBER, unit="min", default="15", high=1_440
            ),
        ),
    ),
    CommandSpec(
        "clear_limits",
        N_("Lift the limit"),
    ),
    CommandSpec(
        "read_schedule",
        N_("Read schedule in force"),
        (
            CommandInput("evse", N_("Outlet"), InputKind.EVSE_OR_ALL),
            CommandInput(
                "minutes",
                N_("For the next"),
                InputKind.NUMBER,
                unit="min",
                default="60",
                high=1_440,
            ),
        ),
    ),
    CommandSpec(
        "trigger",
        N_("Ask for a message"),
        (
            CommandInput(
                "message",
                N_("Message"),
                InputKind.CHOICE,
                choices=(
                    ("status", N_("Status")),
                    ("meter", N_("Meter values")),
                    ("boot", N_("Boot notification")),
                    ("heartbeat", N_("Heartbeat")),
                ),
            ),
            CommandInput("evse", N_("Outlet"), InputKind.EVSE_OR_ALL),
        ),
    ),
    CommandSpec("read_configuration", N_("Read configuration")),
    CommandSpec(
        "write_configuration",
        N_("Change configuration"),
        (
            CommandInput("key", N_("Key"), InputKind.TEXT),
            CommandInput("value", N_("Value"), InputKind.TEXT),
        ),
        warning=N_("A wrong value can take the charger out of service."),
        permission=Permission.CHARGERS_WRITE,
    ),
    CommandSpec(
        "availability",
        N_("In or out of service"),
        (
            CommandInput("evse", N_("Outlet"), InputKind.EVSE_OR_ALL),
            CommandInput(
                "operative",
                N_("Set"),
                InputKind.CHOICE,
                choices=(("yes", N_("In service")), ("no", N_("Out of service"))),
            ),
        ),
        warning=N_("Out of service, an outlet takes no vehicle until it is put back."),
    ),
    CommandSpec(
        "unlock",
        N_("Unlock the plug"),
        (_EVSE,),
        warning=N_("A running charge may stop and the cable comes free."),
    ),
    CommandSpec(
        "reset",
        N_("Restart"),
        (
            CommandInput(
                "kind",
                N_("Restart"),
                InputKind.CHOICE,
                choices=(("soft", N_("When idle (soft)")), ("hard", N_("At once (hard)"))),
            ),
        ),
        warning=N_("The charger restarts. Running charges stop, at once with a hard restart."),
    ),
)
BY_NAME = {spec.name: spec for spec in COMMANDS}
