"""A simulated charger that speaks OCPP 1.6J. Clauses in comments are of the 1.6 specification."""

from collections.abc import Callable, Mapping
from typing import Any

from voltyard.errors import Invalid, NotFound
from voltyard.simulator import ordeals
from voltyard.simulator.charger import Charger
from voltyard.simulator.config16 import KEYS, PROFILES
from voltyard.simulator.evse import Evse, Sample, Status, StopReason, Token, Transaction
from voltyard.simulator.meter import Reading, check_measurands, readings, register_wh
from voltyard.simulator.profiles import PURPOSES
from voltyard.simulator.rpc import Payload, Refusal, Reply
from voltyard.simulator.serving import Availability
from voltyard.simulator.settings import read, write
from voltyard.simulator.tokens16 import Tokens16, standing_16
from voltyard.simulator.upkeep16 import Upkeep16
from voltyard.simulator.uplink import Kept
from voltyard.units import iso_z

_REASONS: Mapping[StopReason, str] = {
    StopReason.EV_DISCONNECTED: "EVDisconnected",
    StopReason.REMOTE: "Remote",
    StopReason.LOCAL: "Local",
    StopReason.HARD_RESET: "HardReset",
    StopReason.SOFT_RESET: "SoftReset",
    StopReason.POWER_LOSS: "PowerLoss",
    StopReason.UNLOCK: "UnlockCommand",
    StopReason.DEAUTHORISED: "DeAuthorized",
    StopReason.FAULT: "Other",
}
_UNKNOWN_TRANSACTION = "-1"


class Dialect16:
    """OCPP 1.6J, with its Smart Charging and Remote Trigger profiles."""

    subprotocol = "ocpp1.6"

    def __init__(self, charger: Charger) -> None:
        self._charger = charger
        self._station_told: str | None = None
        self._upkeep = Upkeep16(charger)
        self._handlers: Mapping[str, Callable[[Payload], Reply]] = {
            "RemoteStartTransaction": self._remote_start,
            "RemoteStopTransaction": self._remote_stop,
            "SetChargingProfile": self._set_profile,
            "ClearChargingProfile": self._clear_profile,
            "GetCompositeSchedule": self._composite,
            "TriggerMessage": self._trigger,
            "Reset": self._reset,
            "UnlockConnector": self._unlock,
            "ChangeAvailability": self._availability,
            "GetConfiguration": self._get_configuration,
            "ChangeConfiguration": self._change_configuration,
            "DataTransfer": self._data_transfer,
            **Tokens16(charger).handlers,
            **self._upkeep.handlers,
        }

    def boot_payload(self, reason: str) -> Payload:
        spec = self._charger.spec
        payload = {
            "chargePointVendor": spec.vendor[:20],
            "chargePointModel": spec.model[:20],
            "firmwareVersion": self._charger.firmware,
        }
        if spec.serial:
            payload["chargePointSerialNumber"] = spec.serial[:25]
        return payload

    def handle(self, action: str, payload: Payload) -> Reply:
        handler = self._handlers.get(action)
        if handler is None:
            raise Refusal(f"{action} is not implemented", code="NotImplemented")
        return handler(payload)

    async def authorise(self, token: Token) -> bool:
        answer = await self._charger.uplink.request("Authorize", {"idTag": token.value[:20]})
        standing = standing_16(answer["idTagInfo"])
        self._charger.tokens.answered(token, standing)
        return standing.status == "Accepted"

    def report_status(self, evse: Evse | None) -> None:
        if evse is None:
            self._station_told = None
        self._report_station()
        if evse is not None and evse.reported != evse.status and self._charger.uplink.online:
            evse.reported = evse.status
            self._notify_status(evse.spec.number, evse.status)

    def started(self, evse: Evse, transaction: Transaction) -> None:
        offline = not self._charger.uplink.online
        payload: Payload = {
            "connectorId": evse.spec.number,
            "idTag": transaction.token.value[:20],
            "meterStart": register_wh(evse, self._charger.mischief),
            "timestamp": iso_z(transaction.started_at),
        }
        if offline and self._charger.plan.quirks.offline_start_zero:
            payload["meterStart"] = 0

        if transaction.reservation is not None:
            payload["reservationId"] = transaction.reservation

        def answered(answer: Payload) -> None:
            transaction.ref = str(answer["transactionId"])
            self._charger.tokens.answered(transaction.token, standing_16(answer["idTagInfo"]))
            if answer["idTagInfo"]["status"] != "Accepted":
                self._charger.deauthorise(evse, transaction)

        def given_up() -> None:
            transaction.ref = _UNKNOWN_TRANSACTION  # errata 3.18

        self._charger.uplink.keep(
            Kept("StartTransaction", lambda: payload, answered=answered, given_up=given_up)
        )

    def stopped(self, evse: Evse, transaction: Transaction, reason: StopReason) -> None:
        payload: Payload = {
            "idTag": (transaction.stopped_by or transaction.token).value[:20],
            "meterStop": register_wh(evse, self._charger.mischief),
            "timestamp": iso_z(self._charger.stage.device_now()),
            "reason": _REASONS[reason],
        }
        self._charger.uplink.keep(
            Kept("StopTransaction", lambda: {"transactionId": _wire_id(transaction), **payload})
        )

    def sampled(self, evse: Evse, why: Sample) -> None:
        transaction = evse.transaction
        if transaction is None and not self._charger.uplink.online:
            return
        charger = self._charger
        rows = readings(
            evse,
            charger.told_soc_pct(evse),
            charger.mischief,
            charger.settings.measurands.split(","),
        )
        value = {
            "timestamp": iso_z(charger.stage.device_now()),
            "sampledValue": [_sampled(row, why) for row in rows],
        }
        payload: Payload = {"connectorId": evse.spec.number, "meterValue": [value]}
        if transaction is None:
            charger.uplink.notify("MeterValues", payload)
            return
        known = transaction
        charger.uplink.keep(
            Kept(
                "MeterValues",
                lambda: {"transactionId": _wire_id(known), **payload},
                droppable=True,
            )
        )

    def reservation_over(self, number: int, word: str) -> None:
        """1.6 has no message for it: the status tells."""

    # What the server asks.

    def _remote_start(self, payload: Payload) -> Reply:
        token = Token(str(payload["idTag"]), kind="Central")
        then = self._charger.serving.remote_start(
            payload.get("connectorId"), token, None, payload.get("chargingProfile")
        )
        return Reply({"status": "Rejected" if then is None else "Accepted"}, then)

    def _remote_stop(self, payload: Payload) -> Reply:
        evse = self._charger.by_transaction(str(payload["transactionId"]))
        if evse is None:
            return Reply({"status": "Rejected"})
        found = evse
        return Reply({"status": "Accepted"}, lambda: self._charger.end(found, StopReason.REMOTE))

    def _set_profile(self, payload: Payload) -> Reply:
        try:
            self._charger.serving.install_profile(
                int(payload["connectorId"]), payload["csChargingProfiles"]
            )
        except Invalid:
            return Reply({"status": "Rejected"})
        return Reply({"status": "Accepted"})

    def _clear_profile(self, payload: Payload) -> Reply:
        purpose = payload.get("chargingProfilePurpose")
        cleared = self._charger.profiles.clear(
            profile_id=payload.get("id"),
            evse=payload.get("connectorId"),
            purpose=None if purpose is None else PURPOSES[purpose],
            stack_level=payload.get("stackLevel"),
        )
        self._charger.stage.update()
        return Reply({"status": "Accepted" if cleared else "Unknown"})

    def _composite(self, payload: Payload) -> Reply:
        number = int(payload["connectorId"])
        try:
            schedule = self._charger.serving.composite(
                number, int(payload["duration"]), payload.get("chargingRateUnit")
            )
        except NotFound:
            return Reply({"status": "Rejected"})
        start = iso_z(schedule.start_at)
        rows = [{"startPeriod": at, "limit": limit} for at, limit in schedule.periods]
        return Reply(
            {
                "status": "Accepted",
                "connectorId": number,
                "scheduleStart": start,
                "chargingSchedule": {
                    "duration": schedule.duration_s,
                    "startSchedule": start,
                    "chargingRateUnit": schedule.unit,
                    "chargingSchedulePeriod": rows,
                },
            }
        )

    def _trigger(self, payload: Payload) -> Reply:
        wanted = payload["requestedMessage"]
        number = payload.get("connectorId")
        evses = [e for e in self._charger.evses if number in (None, 0, e.spec.number)]
        actions: Mapping[str, Callable[[], None]] = {
            "BootNotification": lambda: self._charger.uplink.boot_again("Triggered"),
            "Heartbeat": lambda: self._charger.uplink.notify("Heartbeat", {}),
            "StatusNotification": lambda: self._trigger_status(number, evses),
            "MeterValues": lambda: self._trigger_meter(evses),
            **self._upkeep.triggers,
        }
        if wanted not in actions:
            return Reply({"status": "NotImplemented"})
        if not evses:
            return Reply({"status": "Rejected"})
        return Reply({"status": "Accepted"}, actions[wanted])

    def _trigger_status(self, number: int | None, evses: list[Evse]) -> None:
        if not number:
            self._station_told = None
            self._report_station()
        for evse in evses:
            if number != 0:
                evse.reported = None
                self.report_status(evse)

    def _trigger_meter(self, evses: list[Evse]) -> None:
        self._charger.stage.settle()
        for evse in evses:
            self.sampled(evse, Sample.TRIGGER)

    def _reset(self, payload: Payload) -> Reply:
        hard = payload["type"] == "Hard"
        reason = StopReason.HARD_RESET if hard else StopReason.SOFT_RESET
        charger = self._charger
        return Reply(
            {"status": "Accepted"},
            lambda: charger.spawn(ordeals.reboot(charger, reason, "Reset", graceful=not hard)),
        )

    def _unlock(self, payload: Payload) -> Reply:
        try:
            evse = self._charger.evse(int(payload["connectorId"]))
        except NotFound:
            return Reply({"status": "NotSupported"})
        self._charger.end(evse, StopReason.UNLOCK)
        return Reply({"status": "Unlocked"})

    def _availability(self, payload: Payload) -> Reply:
        answer: Availability = self._charger.serving.change_availability(
            int(payload["connectorId"]), operative=payload["type"] == "Operative"
        )
        return Reply({"status": answer.value}, self._charger.report_all)

    def _get_configuration(self, payload: Payload) -> Reply:
        wanted = payload.get("key") or list(KEYS)
        rows = [
            {"key": key, "readonly": not KEYS[key].writable, "value": self._value(key)}
            for key in wanted
            if key in KEYS
        ]
        answer: Payload = {"configurationKey": rows}
        if unknown := [key for key in wanted if key not in KEYS]:
            answer["unknownKey"] = unknown
        return Reply(answer)

    def _change_configuration(self, payload: Payload) -> Reply:
        setting = KEYS.get(payload["key"])
        if setting is None:
            return Reply({"status": "NotSupported"})
        if not setting.writable:
            return Reply({"status": "Rejected"})
        value = str(payload["value"])
        try:
            if setting.attribute == "measurands":
                check_measurands(value)
            write(self._owner(payload["key"]), setting, value)
        except Invalid:
            return Reply({"status": "Rejected"})
        return Reply({"status": "RebootRequired" if setting.reboot else "Accepted"})

    def _data_transfer(self, payload: Payload) -> Reply:
        known = payload["vendorId"] == self._charger.spec.vendor
        return Reply({"status": "UnknownMessageId" if known else "UnknownVendorId"})

    # Inside.

    def _owner(self, key: str) -> object:
        """The settings that hold the key's value."""
        attribute = KEYS[key].attribute
        uplink = self._charger.uplink.settings
        return uplink if attribute and hasattr(uplink, attribute) else self._charger.settings

    def _value(self, key: str) -> str:
        if key == "NumberOfConnectors":
            return str(len(self._charger.evses))
        if key == "SupportedFeatureProfiles":
            return PROFILES
        if key == "ChargingScheduleAllowedChargingRateUnit":
            names = {"A": "Current", "W": "Power"}
            return ",".join(names[unit] for unit in self._charger.plan.quirks.rate_units)
        return read(self._owner(key), KEYS[key])

    def _report_station(self) -> None:
        status = Status.AVAILABLE if self._charger.operative else Status.UNAVAILABLE
        if self._station_told != status and self._charger.uplink.online:
            self._station_told = status
            self._notify_status(0, status)

    def _notify_status(self, number: int, status: Status) -> None:
        self._charger.uplink.notify(
            "StatusNotification",
            {
                "connectorId": number,
                "errorCode": "OtherError" if status is Status.FAULTED else "NoError",
                "status": status.value,
                "timestamp": iso_z(self._charger.stage.device_now()),
            },
        )


def _wire_id(transaction: Transaction) -> int:
    """-1 while the server has given none (errata 3.18)."""
    return int(transaction.ref or _UNKNOWN_TRANSACTION)


def _sampled(row: Reading, why: Sample) -> dict[str, Any]:
    value = f"{row.value:.10g}"
    sampled = {"value": value, "context": why.value, "measurand": row.measurand, "unit": row.unit}
    sampled["location"] = row.location
    if row.phase is not None:
        sampled["phase"] = row.phase
    return sampled
