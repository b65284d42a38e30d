"""What the server may ask of a simulated charger, whatever the version it asks in."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from voltyard.errors import Invalid
from voltyard.simulator.evse import Evse, Token
from voltyard.simulator.profiles import Composite, Kind, Profile, Purpose, composite, parse

if TYPE_CHECKING:
    from voltyard.simulator.charger import Charger


MOST_STACK_LEVEL = 9
MOST_PERIODS = 48


class Availability(StrEnum):
    ACCEPTED = "Accepted"
    SCHEDULED = "Scheduled"
    REJECTED = "Rejected"


class Serving:
    """Commands on one charger."""

    def __init__(self, charger: "Charger") -> None:
        self._charger = charger

    def remote_start(
        self,
        number: int | None,
        token: Token,
        remote_id: int | None,
        wire_profile: Mapping[str, Any] | None,
    ) -> Callable[[], None] | None:
        """What to do once Accepted is sent, or None when it is Rejected."""
        evse = self._startable(number)
        if evse is None:
            return None
        profile: Profile | None = None
        if wire_profile is not None:
            try:
                profile = parse(evse.spec.number, wire_profile)
            except Invalid:
                return None
            if profile.purpose is not Purpose.TX:
                return None

        def start() -> None:
            self._charger.spawn(self._remote_start(evse, token, remote_id, profile))

        return start

    def install_profile(self, number: int, wire: Mapping[str, Any]) -> None:
        """Raises ``Invalid`` when the charger rejects the profile."""
        profile = parse(number, wire)
        if self._charger.mischief.reject_profile:
            raise Invalid("rejected without a reason")
        if profile.unit not in self._charger.plan.quirks.rate_units:
            raise Invalid("rate unit not supported", code="UnsupportedRateUnit")
        if profile.kind is Kind.DYNAMIC:
            if not self._charger.spec.dynamic:
                raise Invalid("nothing is updated here", code="UnsupportedKind")
            profile = replace(profile, start_at=self._charger.stage.device_now())
        if profile.stack_level > MOST_STACK_LEVEL or len(profile.periods) > MOST_PERIODS:
            raise Invalid("too large a profile", code="OutOfRange")
        if number != 0 and all(evse.spec.number != number for evse in self._charger.evses):
            raise Invalid("no such EVSE", code="UnknownEvse")
        if profile.purpose is Purpose.TX:
            transaction = self._charger.evse(number).transaction
            if transaction is None:
                raise Invalid("no transaction", code="TxNotFound")
            known = transaction.ref
            if None not in (known, profile.transaction) and known != profile.transaction:
                raise Invalid("another transaction", code="TxNotFound")
        self._charger.profiles.install(profile)
        self._charger.trusts_profiles = True
        self._charger.stage.update()

    def composite(self, number: int, duration_s: int, unit: str | None) -> Composite:
        """What it will do by its profiles. Raises ``NotFound``."""
        start_at = self._charger.stage.device_now().replace(microsecond=0)
        evses = self._charger.evses if number == 0 else [self._charger.evse(number)]
        circuits = [
            e.circuit if e.transaction else replace(e.circuit, started_at=start_at) for e in evses
        ]
        return composite(
            self._charger.profiles,
            circuits,
            self._charger.spec.max_power_w,
            start_at=start_at,
            duration_s=duration_s,
            unit=unit or self._charger.plan.quirks.rate_units[-1],
        )

    def change_availability(self, number: int, *, operative: bool) -> Availability:
        """0 is the whole station. Inoperative waits for running transactions."""
        if number == 0:
            targets = self._charger.evses
            self._charger.operative = operative
        else:
            targets = [e for e in self._charger.evses if e.spec.number == number]
        if not targets:
            return Availability.REJECTED
        answer = Availability.ACCEPTED
        for evse in targets:
            if not operative and evse.transaction is not None:
                evse.becomes_inoperative = True
                answer = Availability.SCHEDULED
            else:
                evse.operative, evse.becomes_inoperative = operative, False
        return answer

    def _startable(self, number: int | None) -> Evse | None:
        """The EVSE asked for, else one with a vehicle and no transaction."""
        for evse in self._charger.evses:
            ready = evse.operative and not evse.faulted and evse.transaction is None
            wanted = evse.spec.number == number if number else evse.battery is not None
            if ready and wanted:
                return evse
        return None

    async def _remote_start(
        self, evse: Evse, token: Token, remote_id: int | None, profile: Profile | None
    ) -> None:
        charger = self._charger
        if charger.settings.authorize_remote and not await charger.allowed(token):
            return
        if evse.transaction is not None:
            return
        if evse.battery is not None:
            charger.begin(evse, token, remote=True, remote_id=remote_id, profile=profile)
            return
        evse.awaited, evse.awaited_remote_id, evse.awaited_profile = token, remote_id, profile
        charger.report_all()
        await charger.clock.sleep(charger.settings.connection_timeout_s)
        if evse.awaited is token:
            evse.awaited = evse.awaited_remote_id = evse.awaited_profile = None
            charger.report_all()
