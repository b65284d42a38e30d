"""What a charge point that obeys may draw, from the charging profiles it was sent.

Written for the interop clients from the OCPP texts, apart from the simulator's own: the clause on
which is the ruling profile is 1.6 §3.13.2–3.13.4 and 2.0.1 K01 (stack levels, purposes).
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

VOLTAGE_V = 230.0


@dataclass
class Profile:
    """One accepted profile, in the key names of OCPP 1.6 and 2.0.1 as the libraries hand them."""

    connector: int
    body: dict[str, Any]
    received_at: datetime

    @property
    def purpose(self) -> str:
        return str(self.body["charging_profile_purpose"])

    @property
    def stack(self) -> int:
        return int(self.body["stack_level"])

    @property
    def number(self) -> int:
        return int(self.body.get("charging_profile_id", self.body.get("id", 0)))

    def limit_w(self, now: datetime, session_start: datetime) -> float | None:
        """The limit in force, or None outside the profile's validity or schedule."""
        if not _valid(self.body, now):
            return None
        schedule = self.body["charging_schedule"]
        if isinstance(schedule, list):
            schedule = schedule[0]
        begin = _instant(schedule.get("start_schedule"))
        if self.body.get("charging_profile_kind") == "Relative" or begin is None:
            begin = session_start if self.purpose == "TxProfile" else self.received_at
        elapsed_s = (now - begin).total_seconds()
        duration_s = schedule.get("duration")
        if elapsed_s < 0 or (duration_s is not None and elapsed_s >= duration_s):
            return None
        limit = None
        for period in schedule["charging_schedule_period"]:
            if period["start_period"] <= elapsed_s:
                limit = period
        if limit is None:
            return None
        if schedule["charging_rate_unit"] == "W":
            return float(limit["limit"])
        return float(limit["limit"]) * VOLTAGE_V * int(limit.get("number_phases") or 3)


@dataclass
class Limits:
    """The profiles a station holds."""

    held: list[Profile] = field(default_factory=list)

    def put(self, connector: int, body: dict[str, Any]) -> None:
        new = Profile(connector, body, datetime.now(UTC))
        self.held = [
            old
            for old in self.held
            if old.number != new.number
            and (old.connector, old.purpose, old.stack) != (connector, new.purpose, new.stack)
        ]
        self.held.append(new)

    def clear(self, number: int | None, purpose: str | None, stack: int | None) -> bool:
        def goes(old: Profile) -> bool:
            if number is not None:
                return old.number == number
            return purpose in {None, old.purpose} and stack in {None, old.stack}

        before = len(self.held)
        self.held = [old for old in self.held if not goes(old)]
        return len(self.held) < before

    def allowed_w(self, maximum_w: float, session_start: datetime, *, charging: bool) -> float:
        """The least of the ruling profile of each kind and what the hardware can."""
        now = datetime.now(UTC)
        session = self._ruling("TxProfile", now, session_start) if charging else None
        if session is None:
            session = self._ruling("TxDefaultProfile", now, session_start)
        ceilings = [
            self._ruling(purpose, now, session_start)
            for purpose in ("ChargePointMaxProfile", "ChargingStationMaxProfile")
        ]
        return min(value for value in [session, *ceilings, maximum_w] if value is not None)

    def _ruling(self, purpose: str, now: datetime, session_start: datetime) -> float | None:
        ranked = sorted(
            (old for old in self.held if old.purpose == purpose),
            key=lambda old: (old.stack, old.connector != 0),
            reverse=True,
        )
        for profile in ranked:
            limit = profile.limit_w(now, session_start)
            if limit is not None:
                return limit
        return None


def _valid(body: dict[str, Any], now: datetime) -> bool:
    begin, end = _instant(body.get("valid_from")), _instant(body.get("valid_to"))
    return (begin is None or begin <= now) and (end is None or now < end)


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text.replace("Z", "+00:00"))
