"""Reading what people typed: every field checked, all faults told at once."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from voltyard.errors import Invalid

E = TypeVar("E", bound=StrEnum)


class Fields:
    """The fields of one form. Readers note faults; ``check`` raises them together."""

    def __init__(
        self, values: Mapping[str, str], zone: ZoneInfo, say: Callable[[str], str]
    ) -> None:
        self.values = values
        self.faults: dict[str, str] = {}
        self._zone = zone
        self._say = say

    def fault(self, name: str, reason: str) -> None:
        self.faults.setdefault(name, reason)

    def text(self, name: str, *, required: bool = False, longest: int = 200) -> str:
        value = self.values.get(name, "").strip()
        if required and not value:
            self.fault(name, self._say("This is needed."))
        elif len(value) > longest:
            self.fault(name, self._say("This is too long."))
        return value

    def number(
        self,
        name: str,
        *,
        low: float,
        high: float,
        required: bool = False,
        scale: float = 1.0,
    ) -> float | None:
        """A decimal with point or comma, between bounds, times ``scale``."""
        text = self.text(name, required=required).replace(",", ".").replace("\u202f", "")
        if not text:
            return None
        try:
            value = float(text)
        except ValueError:
            self.fault(name, self._say("This is not a number."))
            return None
        if not low <= value <= high:
            reason = self._say("Must be between %(low)s and %(high)s.")
            self.fault(name, reason % {"low": f"{low:g}", "high": f"{high:g}"})
            return None
        return value * scale

    def whole(self, name: str, *, low: int, high: int, default: int) -> int:
        value = self.number(name, low=low, high=high)
        if value is not None and value != int(value):
            self.fault(name, self._say("Must be a whole number."))
        return default if value is None else int(value)

    def moment(self, name: str, *, required: bool = False) -> datetime | None:
        """A local time of the site as an instant, in UTC: minutes added to a local time would be
        those of the wall clock, an hour off where the clocks change."""
        text = self.text(name, required=required)
        if not text:
            return None
        try:
            at = datetime.fromisoformat(text)
        except ValueError:
            self.fault(name, self._say("This is not a date and time."))
            return None
        local = at if at.tzinfo is not None else at.replace(tzinfo=self._zone)
        try:
            return local.astimezone(UTC)
        except OverflowError:
            self.fault(name, self._say("This is not a date and time."))
            return None

    def one_of(self, name: str, kind: type[E]) -> E | None:
        value = self.text(name)
        if not value:
            return None
        try:
            return kind(value)
        except ValueError:
            self.fault(name, self._say("Choose one of the list."))
            return None

    def id(self, name: str) -> UUID | None:
        value = self.text(name)
        if not value:
            return None
        try:
            return UUID(value)
        except ValueError:
            self.fault(name, self._say("Choose one of the list."))
            return None

    def flag(self, name: str) -> bool:
        return self.values.get(name, "") not in {"", "0", "off", "false"}

    def check(self) -> None:
        """Raise Invalid when any reader found a fault."""
        if self.faults:
            raise Invalid(self._say("Some fields need attention."), fields=self.faults)
