"""A simulated station that speaks OCPP 2.1: limits that are updated (K28), power that flows back.

What it says like a station of 2.0.1 is said there. Clauses are of part 2 of the text of 2.1.
"""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from voltyard.errors import Invalid
from voltyard.simulator.charger import Charger
from voltyard.simulator.charger201 import Dialect201
from voltyard.simulator.evse import Evse, Token, Transaction
from voltyard.simulator.profiles import Profile
from voltyard.simulator.rpc import CallFailed, CallTimeout, Payload, Reply
from voltyard.simulator.uplink import Offline

_NEGOTIATED_S = 5.0
"""A vehicle tells what it needs so long after its transaction began, or it was asked again."""


class Dialect21(Dialect201):
    """OCPP 2.1."""

    subprotocol = "ocpp2.1"

    def __init__(self, charger: Charger) -> None:
        super().__init__(charger)
        self._ways: dict[Token, tuple[str, ...]] = {}
        self._pulled: set[int] = set()
        self._handlers_21: Mapping[str, Callable[[Payload], Reply]] = {
            "UpdateDynamicSchedule": self._update,
            "NotifyAllowedEnergyTransfer": self._allow,
            "AFRRSignal": self._frequency_signal,
        }

    def handle(self, action: str, payload: Payload) -> Reply:
        handler = self._handlers_21.get(action)
        if handler is not None:
            return handler(payload)
        reply = super().handle(action, payload)
        if action == "SetChargingProfile":
            self._pull_what_asks_for_it()
        return reply

    async def authorise(self, token: Token) -> bool:
        """Q01.FR.01: what the vehicle may do comes with the answer."""
        accepted = await super().authorise(token)
        self._ways[token] = tuple(self.answered.get("allowedEnergyTransfer", ()))
        return accepted

    def started(self, evse: Evse, transaction: Transaction) -> None:
        evse.allowed = self._ways.get(transaction.token, ())
        super().started(evse, transaction)
        if _both_ways(evse):
            self._charger.spawn(self._negotiate(evse, transaction))

    def measurands(self, evse: Evse) -> list[str]:
        """Q01.FR.35: in a mode of V2X more is told."""
        found = super().measurands(evse)
        charger = self._charger
        holds = charger.profiles.prevailing(evse.circuit, charger.stage.device_now())
        if holds is not None and holds[1].mode:
            found += [n for n in charger.settings.v2x_measurands.split(",") if n not in found]
        return found

    # what the vehicle asks for

    async def _negotiate(self, evse: Evse, transaction: Transaction) -> None:
        await self._charger.clock.sleep(_NEGOTIATED_S)
        if evse.transaction is not transaction or evse.battery is None:
            return
        self._charger.stage.settle()
        self._charger.uplink.notify("NotifyEVChargingNeeds", self._needs(evse))
        self._charger.stage.update()

    def _needs(self, evse: Evse) -> Payload:
        """Q01.FR.03: both ways where that is allowed, else charging, both named as known."""
        assert evse.battery is not None
        battery = evse.battery
        spare_pct = battery.soc_pct - battery.spec.discharge_floor_pct
        spare_wh = spare_pct / 100.0 * battery.spec.capacity_wh * battery.spec.efficiency
        back_w = min(battery.spec.discharge_w, evse.spec.discharge_w)
        wanted = "DC_BPT" if "DC_BPT" in evse.allowed else "DC"
        return {
            "evseId": evse.spec.number,
            "chargingNeeds": {
                "requestedEnergyTransfer": wanted,
                "availableEnergyTransfer": ["DC", "DC_BPT"],
                "controlMode": "DynamicControl",
                "v2xChargingParameters": {
                    "maxChargePower": min(battery.spec.max_power_w, evse.spec.max_power_w),
                    "maxDischargePower": back_w,
                    "evMinV2XEnergyRequest": -round(spare_wh, 1),
                },
            },
        }

    # what the server asks

    def _allow(self, payload: Payload) -> Reply:
        """Q02.FR.06, FR.07: the vehicle negotiates anew."""
        evse = self._charger.by_transaction(str(payload["transactionId"]))
        if evse is None or evse.transaction is None or not _both_ways(evse):
            return Reply({"status": "Rejected"})
        evse.allowed = tuple(payload["allowedEnergyTransfer"])
        again = self._negotiate(evse, evse.transaction)
        return Reply({"status": "Accepted"}, lambda: self._charger.spawn(again))

    def _frequency_signal(self, payload: Payload) -> Reply:
        """Q08.FR.11: no schedule of its own frequency support is ever active here."""
        return Reply({"status": "Rejected", "statusInfo": {"reasonCode": "NoSignalWattCurve"}})

    def _update(self, payload: Payload) -> Reply:
        """K28.FR.06, FR.11."""
        if self._charger.mischief.reject_profile:
            return Reply({"status": "Rejected"})
        return self._apply(int(payload["chargingProfileId"]), payload["scheduleUpdate"])

    def _apply(self, profile_id: int, values: Mapping[str, Any]) -> Reply:
        charger = self._charger
        try:
            charger.profiles.update(profile_id, values, charger.stage.device_now())
        except Invalid as error:
            return Reply({"status": "Rejected", "statusInfo": {"reasonCode": error.code[:20]}})
        charger.stage.update()
        return Reply({"status": "Accepted"})

    # K28.FR.10

    def _pull_what_asks_for_it(self) -> None:
        for profile in self._charger.profiles.profiles:
            if profile.pull_s is not None and profile.id not in self._pulled:
                self._pulled.add(profile.id)
                self._charger.spawn(self._pull(profile.id))

    async def _pull(self, profile_id: int) -> None:
        """Ask again so long after the last update, whoever brought that."""
        charger = self._charger
        while (profile := self._pulling(profile_id)) is not None:
            assert profile.start_at is not None
            assert profile.pull_s is not None
            due_at = profile.start_at + timedelta(seconds=profile.pull_s)
            wait_s = (due_at - charger.stage.device_now()).total_seconds()
            if wait_s > 0.0:
                await charger.clock.sleep(wait_s)
                continue
            payload = {"chargingProfileId": profile_id}
            try:
                answer = await charger.uplink.request("PullDynamicScheduleUpdate", payload)
                if answer["status"] == "Accepted":
                    self._apply(profile_id, answer.get("scheduleUpdate", {}))
                    continue
            except (Offline, CallFailed, CallTimeout):
                pass
            await charger.clock.sleep(profile.pull_s)
        self._pulled.discard(profile_id)

    def _pulling(self, profile_id: int) -> Profile | None:
        found = self._charger.profiles.get(profile_id)
        return found if found is not None and found.pull_s is not None else None


def _both_ways(evse: Evse) -> bool:
    return (
        evse.spec.discharge_w > 0.0
        and evse.battery is not None
        and evse.battery.spec.discharge_w > 0.0
    )
