"""What the server may configure on a simulated charger, kept once for both OCPP versions."""

from dataclasses import dataclass
from typing import Literal, get_type_hints

from voltyard.errors import Invalid

Kind = Literal["integer", "boolean", "string"]


@dataclass(slots=True)
class ChargerSettings:
    """Values in seconds unless the name says otherwise; 0 switches an interval off."""

    sample_s: int = 60
    aligned_s: int = 0
    measurands: str = "Energy.Active.Import.Register,Power.Active.Import,SoC"
    v2x_measurands: str = ""
    authorize_remote: bool = False
    stop_on_invalid: bool = True
    stop_on_unplug: bool = True
    offline_unknown: bool = True
    local_list: bool = True
    cache: bool = True
    connection_timeout_s: int = 120
    retry_authorise_s: int = 60
    boot_s: int = 30


@dataclass(frozen=True, slots=True)
class Setting:
    """One configurable value: where it lives and whether it may be written.

    ``attribute`` None means a constant ``value``.
    """

    attribute: str | None = None
    value: str = ""
    kind: Kind = "integer"
    writable: bool = True
    reboot: bool = False
    least: int = 0


def read(settings: object, setting: Setting) -> str:
    """The value as OCPP text."""
    if setting.attribute is None:
        return setting.value
    value = getattr(settings, setting.attribute)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value))
    return str(value)


def write(settings: object, setting: Setting, text: str) -> None:
    """Raises ``Invalid`` when the text is no value of the setting's kind."""
    if setting.attribute is None:
        raise Invalid("this setting cannot be changed")
    kind = get_type_hints(type(settings))[setting.attribute]
    if kind is bool:
        if text.lower() not in ("true", "false"):
            raise Invalid("needs true or false")
        setattr(settings, setting.attribute, text.lower() == "true")
    elif kind is str:
        setattr(settings, setting.attribute, text)
    else:
        setattr(settings, setting.attribute, kind(_integer(text, setting.least)))


def _integer(text: str, least: int) -> int:
    try:
        value = int(text)
    except ValueError:
        raise Invalid("needs a whole number") from None
    if value < least:
        raise Invalid(f"must be at least {least}")
    return value
