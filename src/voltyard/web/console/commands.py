"""The commands a person can give a charger: their forms, and which of them need a second look."""

from dataclasses import dataclass
from enum import StrEnum

from voltyard.tenancy.model import Permission
from voltyard.web.console.words import _


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


_EVSE = CommandInput("evse", _("Outlet"), InputKind.EVSE)

COMMANDS: tuple[CommandSpec, ...] = (
    CommandSpec(
        "remote_start",
        _("Start charging"),
        (_EVSE, CommandInput("token", _("Token"), InputKind.TEXT, default="CONSOLE")),
        permission=Permission.SESSIONS_CONTROL,
    ),
    CommandSpec(
        "remote_stop",
        _("Stop charging"),
        (CommandInput("transaction", _("Session"), InputKind.SESSION),),
        warning=_("Charging stops. The vehicle may not be ready for its departure."),
        permission=Permission.SESSIONS_CONTROL,
    ),
    CommandSpec(
        "set_limit",
        _("Set a limit"),
        (
            CommandInput("evse", _("Outlet"), InputKind.EVSE_OR_ALL),
            CommandInput("power_kw", _("Power"), InputKind.NUMBER, unit="kW", high=10_000),
            CommandInput(
                "minutes", _("Valid for"), InputKind.NUMBER, unit="min", default="15", high=1_440
            ),
        ),
    ),
    CommandSpec(
        "clear_limits",
        _("Clear limits"),
        warning=_(
            "All installed profiles are removed, the fail-safe among them, until the next tick."
        ),
    ),
    CommandSpec(
        "read_schedule",
        _("Read schedule in force"),
        (
            CommandInput("evse", _("Outlet"), InputKind.EVSE_OR_ALL),
            CommandInput(
                "minutes", _("For the next"), InputKind.NUMBER, unit="min", default="60", high=1_440
            ),
        ),
    ),
    CommandSpec(
        "trigger",
        _("Ask for a message"),
        (
            CommandInput(
                "message",
                _("Message"),
                InputKind.CHOICE,
                choices=(
                    ("status", _("Status")),
                    ("meter", _("Meter values")),
                    ("boot", _("Boot notification")),
                    ("heartbeat", _("Heartbeat")),
                ),
            ),
            CommandInput("evse", _("Outlet"), InputKind.EVSE_OR_ALL),
        ),
    ),
    CommandSpec("read_configuration", _("Read configuration")),
    CommandSpec(
        "write_configuration",
        _("Change configuration"),
        (
            CommandInput("key", _("Key"), InputKind.TEXT),
            CommandInput("value", _("Value"), InputKind.TEXT),
        ),
        warning=_("A wrong value can take the charger out of service."),
        permission=Permission.CHARGERS_WRITE,
    ),
    CommandSpec(
        "availability",
        _("In or out of service"),
        (
            CommandInput("evse", _("Outlet"), InputKind.EVSE_OR_ALL),
            CommandInput(
                "operative",
                _("Set"),
                InputKind.CHOICE,
                choices=(("yes", _("In service")), ("no", _("Out of service"))),
            ),
        ),
        warning=_("Out of service, an outlet takes no vehicle until it is put back."),
    ),
    CommandSpec(
        "unlock",
        _("Unlock the plug"),
        (_EVSE,),
        warning=_("A running charge may stop and the cable comes free."),
    ),
    CommandSpec(
        "reset",
        _("Restart"),
        (
            CommandInput(
                "kind",
                _("Restart"),
                InputKind.CHOICE,
                choices=(("soft", _("When idle (soft)")), ("hard", _("At once (hard)"))),
            ),
        ),
        warning=_("The charger restarts. Running charges stop, at once with a hard restart."),
    ),
)
BY_NAME = {spec.name: spec for spec in COMMANDS}
