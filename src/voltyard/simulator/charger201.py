"""A simulated station that speaks OCPP 2.0.1. Clauses in comments are of part 2 of its text."""

from collections.abc import Callable, Mapping
from typing import Any
from uuid import UUID

from voltyard.errors import Invalid, NotFound
from voltyard.simulator import ordeals
from voltyard.simulator.charger import Charger
from voltyard.simulator.evse import Evse, Sample, Status, StopReason, Token, Transaction
from voltyard.simulator.meter import Reading, readings
from voltyard.simulator.profiles import PURPOSES
from voltyard.simulator.reports201 import Reports201
from voltyard.simulator.rpc import Payload, Refusal, Reply
from voltyard.simulator.serving import Availability
from voltyard.simulator.tokens201 import Tokens201, standing_201
from voltyard.simulator.upkeep201 import Upkeep201
from voltyard.simulator.uplink import Kept
from voltyard.simulator.variables201 import Row
from voltyard.units import iso_z

_REASONS: Mapping[StopReason, tuple[str, str]] = {
    StopReason.EV_DISCONNECTED: ("EVDisconnected", "EVCommunicationLost"),
    StopReason.REMOTE: ("Remote", "RemoteStop"),
    StopReason.LOCAL: ("Local", "StopAuthorized"),
    StopReason.HARD_RESET: ("ImmediateReset", "ResetCommand"),
    StopReason.SOFT_RESET: ("Reboot", "ResetCommand"),
    StopReason.POWER_LOSS: ("PowerLoss", "AbnormalCondition"),
    StopReason.UNLOCK: ("Remote", "UnlockCommand"),
    StopReason.DEAUTHORISED: ("DeAuthorized", "Deauthorized"),
    StopReason.FAULT: ("Other", "AbnormalCondition"),
}
_TRIGGERS: Mapping[Sample, str] = {
    Sample.PERIODIC: "MeterValuePeriodic",
    Sample.CLOCK: "MeterValueClock",
    Sample.TRIGGER: "Trigger",
}
_CONNECTOR_STATUS: Mapping[Status, str] = {
    Status.AVAILABLE: "Available",
    Status.UNAVAILABLE: "Unavailable",
    Status.FAULTED: "Faulted",
    Status.RESERVED: "Reserved",
}
_CHARGING_STATES = (Status.CHARGING, Status.SUSPENDED_EV, Status.SUSPENDED_EVSE)
_BOOT_REASONS = {"PowerUp", "Triggered", "RemoteReset", "ScheduledReset", "FirmwareUpdate"}


class Dialect201:
    """OCPP 2.0.1 with transactions that start and end with the power path (TxCtrlr)."""

    subprotocol = "ocpp2.0.1"

    def __init__(self, charger: Charger) -> None:
        self._charger = charger
        self.reports = Reports201(charger)
        self._upkeep = Upkeep201(charger)
        self._reset_when_idle = False
        self.answered: Payload = {}
        """What the server said to the last token that was shown."""
        self._handlers: Mapping[str, Callable[[Payload], Reply]] = {
            "RequestStartTransaction": self._request_start,
            "RequestStopTransaction": self._request_stop,
            "GetTransactionStatus": self._transaction_status,
            "SetChargingProfile": self._set_profile,
            "ClearChargingProfile": self._clear_profile,
            "GetChargingProfiles": self.reports.charging_profiles,
            "GetCompositeSchedule": self._composite,
            "TriggerMessage": self._trigger,
            "Reset": self._reset,
            "UnlockConnector": self._unlock,
            "ChangeAvailability": self._availability,
            "GetVariables": self.reports.get_variables,
            "SetVariables": self.reports.set_variables,
            "GetBaseReport": self.reports.base,
            "DataTransfer": self._data_transfer,
            **Tokens201(charger).handlers,
            **self._upkeep.handlers,
        }

    def boot_payload(self, reason: str) -> Payload:
        spec = self._charger.spec
        station = {"model": spec.model[:20], "vendorName": spec.vendor[:50]}
        station["firmwareVersion"] = self._charger.firmware
        if spec.serial:
            station["serialNumber"] = spec.serial[:25]
        known = reason if reason in _BOOT_REASONS else "RemoteReset"
        return {"reason": known, "chargingStation": station}

    def handle(self, action: str, payload: Payload) -> Reply:
        handler = self._handlers.get(action)
        if handler is None:
            raise Refusal(f"{action} is not implemented", code="NotImplemented")
        return handler(payload)

    async def authorise(self, token: Token) -> bool:
        answer = await self._charger.uplink.request("Authorize", {"idToken": _token(token)})
        self.answered = answer
        standing = standing_201(answer["idTokenInfo"])
        self._charger.tokens.answered(token, standing)
        return standing.status == "Accepted"

    def report_status(self, evse: Evse | None) -> None:
        if evse is None:
            return
        status = _CONNECTOR_STATUS.get(evse.status, "Occupied")
        if evse.reported != status and self._charger.uplink.online:
            evse.reported = status
            self._notify_status(evse, status)
        self._report_charging_state(evse)

    def started(self, evse: Evse, transaction: Transaction) -> None:
        transaction.ref = str(UUID(int=self._charger.rng.getrandbits(128), version=4))
        transaction.charging_state = "EVConnected"
        trigger = "RemoteStart" if transaction.remote else "Authorized"
        extra: Row = {"idToken": _token(transaction.token)}
        if transaction.reservation is not None:
            extra["reservationId"] = transaction.reservation
        self._event(evse, transaction, "Started", trigger, Sample.BEGIN, **extra)

    def stopped(self, evse: Evse, transaction: Transaction, reason: StopReason) -> None:
        transaction.stop_reason, trigger = _REASONS[reason]
        gone = reason is StopReason.EV_DISCONNECTED
        transaction.charging_state = "Idle" if gone else "EVConnected"
        extra = {}
        if reason is StopReason.LOCAL:
            extra = {"idToken": _token(transaction.stopped_by or transaction.token)}
        self._event(evse, transaction, "Ended", trigger, Sample.END, **extra)
        if self._reset_when_idle:
            self._charger.spawn(self._reset_if_idle())

    def sampled(self, evse: Evse, why: Sample) -> None:
        if evse.transaction is not None:
            self._event(evse, evse.transaction, "Updated", _TRIGGERS[why], why)
        elif self._charger.uplink.online:
            payload = {"evseId": evse.spec.number, "meterValue": self._meter_value(evse, why)}
            self._charger.uplink.notify("MeterValues", payload)

    def reservation_over(self, number: int, word: str) -> None:
        """H03.FR.02, H04.FR.02."""
        payload = {"reservationId": number, "reservationUpdateStatus": word}
        self._charger.uplink.notify("ReservationStatusUpdate", payload)

    # Transaction events.

    def _report_charging_state(self, evse: Evse) -> None:
        transaction, status = evse.transaction, evse.status
        if transaction is None or transaction.stopping or status not in _CHARGING_STATES:
            return
        if transaction.charging_state != status.value:
            transaction.charging_state = status.value
            self._event(evse, transaction, "Updated", "ChargingStateChanged", None)

    def _event(
        self,
        evse: Evse,
        transaction: Transaction,
        kind: str,
        trigger: str,
        sample: Sample | None,
        **extra: Any,
    ) -> None:
        online = self._charger.uplink.online
        info: Row = {"transactionId": transaction.ref}
        if transaction.charging_state is not None:
            info["chargingState"] = transaction.charging_state
        if transaction.remote_start_id is not None:
            info["remoteStartId"] = transaction.remote_start_id
        if transaction.stop_reason is not None:
            info["stoppedReason"] = transaction.stop_reason
        payload: Payload = {
            "eventType": kind,
            "timestamp": iso_z(self._charger.stage.device_now()),
            "triggerReason": trigger,
            "seqNo": transaction.next_seq_no(),
            "offline": not online,
            "transactionInfo": info,
            "evse": {"id": evse.spec.number, "connectorId": 1},
            **extra,
        }
        if sample is not None:
            payload["meterValue"] = self._meter_value(evse, sample)
        if kind == "Started" and not online and self._charger.plan.quirks.offline_start_zero:
            payload.pop("meterValue", None)
        self._charger.uplink.keep(
            Kept(
                "TransactionEvent",
                lambda: payload,
                answered=lambda answer: self._answered(evse, transaction, answer),
                droppable=kind == "Updated" and sample is Sample.PERIODIC,
            )
        )

    def _answered(self, evse: Evse, transaction: Transaction, answer: Payload) -> None:
        info = answer.get("idTokenInfo")
        if info is None:
            return
        self._charger.tokens.answered(transaction.token, standing_201(info))
        if info["status"] != "Accepted":
            self._charger.deauthorise(evse, transaction)

    def _meter_value(self, evse: Evse, why: Sample) -> list[Row]:
        charger = self._charger
        rows = readings(
            evse,
            charger.told_soc_pct(evse),
            charger.mischief,
            self.measurands(evse),
        )
        at = iso_z(charger.stage.device_now())
        return [{"timestamp": at, "sampledValue": [_sampled(row, why) for row in rows]}]

    def measurands(self, evse: Evse) -> list[str]:
        return self._charger.settings.measurands.split(",")

    # What the server asks.

    def _request_start(self, payload: Payload) -> Reply:
        row = payload["idToken"]
        token = Token(str(row["idToken"]), kind=str(row["type"]))
        then = self._charger.serving.remote_start(
            payload.get("evseId"),
            token,
            int(payload["remoteStartId"]),
            payload.get("chargingProfile"),
        )
        return Reply({"status": "Rejected" if then is None else "Accepted"}, then)

    def _request_stop(self, payload: Payload) -> Reply:
        evse = self._charger.by_transaction(str(payload["transactionId"]))
        if evse is None:
            return Reply({"status": "Rejected"})
        found = evse
        return Reply({"status": "Accepted"}, lambda: self._charger.end(found, StopReason.REMOTE))

    def _transaction_status(self, payload: Payload) -> Reply:
        waiting = any(m.action == "TransactionEvent" for m in self._charger.uplink.kept)
        answer: Payload = {"messagesInQueue": waiting}
        if "transactionId" in payload:
            evse = self._charger.by_transaction(str(payload["transactionId"]))
            answer["ongoingIndicator"] = evse is not None
        return Reply(answer)

    def _set_profile(self, payload: Payload) -> Reply:
        try:
            self._charger.serving.install_profile(
                int(payload["evseId"]), payload["chargingProfile"]
            )
        except Invalid as error:
            code = error.code if error.code != "invalid" else "InvalidProfile"
            return Reply({"status": "Rejected", "statusInfo": {"reasonCode": code[:20]}})
        return Reply({"status": "Accepted"})

    def _clear_profile(self, payload: Payload) -> Reply:
        criteria = payload.get("chargingProfileCriteria") or {}
        purpose = criteria.get("chargingProfilePurpose")
        cleared = 0
        if purpose is None or purpose in PURPOSES:
            cleared = self._charger.profiles.clear(
                profile_id=payload.get("chargingProfileId"),
                evse=criteria.get("evseId"),
                purpose=None if purpose is None else PURPOSES[purpose],
                stack_level=criteria.get("stackLevel"),
            )
        self._charger.stage.update()
        return Reply({"status": "Accepted" if cleared else "Unknown"})

    def _composite(self, payload: Payload) -> Reply:
        number = int(payload["evseId"])
        try:
            schedule = self._charger.serving.composite(
                number, int(payload["duration"]), payload.get("chargingRateUnit")
            )
        except NotFound:
            return Reply({"status": "Rejected", "statusInfo": {"reasonCode": "UnknownEvse"}})
        rows = [{"startPeriod": at, "limit": limit} for at, limit in schedule.periods]
        return Reply(
            {
                "status": "Accepted",
                "schedule": {
                    "evseId": number,
                    "duration": schedule.duration_s,
                    "scheduleStart": iso_z(schedule.start_at),
                    "chargingRateUnit": schedule.unit,
                    "chargingSchedulePeriod": rows,
                },
            }
        )

    def _trigger(self, payload: Payload) -> Reply:
        wanted = payload["requestedMessage"]
        number = (payload.get("evse") or {}).get("id")
        evses = [e for e in self._charger.evses if number in (None, e.spec.number)]
        actions: Mapping[str, Callable[[], None]] = {
            "BootNotification": lambda: self._charger.uplink.boot_again("Triggered"),
            "Heartbeat": lambda: self._charger.uplink.notify("Heartbeat", {}),
            "StatusNotification": lambda: self._trigger_status(evses),
            "MeterValues": lambda: self._trigger_meter(evses),
            "TransactionEvent": lambda: self._trigger_transactions(evses),
            **self._upkeep.triggers,
        }
        if wanted not in actions:
            return Reply({"status": "NotImplemented"})
        if not evses:
            return Reply({"status": "Rejected"})
        return Reply({"status": "Accepted"}, actions[wanted])

    def _trigger_status(self, evses: list[Evse]) -> None:
        for evse in evses:
            evse.reported = None
            self.report_status(evse)

    def _trigger_meter(self, evses: list[Evse]) -> None:
        self._charger.stage.settle()
        for evse in evses:
            payload = {
                "evseId": evse.spec.number,
                "meterValue": self._meter_value(evse, Sample.TRIGGER),
            }
            self._charger.uplink.notify("MeterValues", payload)

    def _trigger_transactions(self, evses: list[Evse]) -> None:
        self._charger.stage.settle()
        for evse in evses:
            if evse.transaction is not None:
                self.sampled(evse, Sample.TRIGGER)

    def _reset(self, payload: Payload) -> Reply:
        if payload.get("evseId"):
            return Reply({"status": "Rejected", "statusInfo": {"reasonCode": "UnsupportedRequest"}})
        charger = self._charger
        if payload["type"] == "Immediate":
            reason = StopReason.HARD_RESET
            return Reply(
                {"status": "Accepted"},
                lambda: charger.spawn(
                    ordeals.reboot(charger, reason, "RemoteReset", graceful=False)
                ),
            )
        busy = any(evse.transaction is not None for evse in charger.evses)
        self._reset_when_idle = True
        status = "Scheduled" if busy else "Accepted"
        return Reply({"status": status}, lambda: charger.spawn(self._reset_if_idle()))

    async def _reset_if_idle(self) -> None:
        charger = self._charger
        busy = any(evse.transaction is not None for evse in charger.evses)
        if self._reset_when_idle and not busy:
            self._reset_when_idle = False
            await ordeals.reboot(charger, StopReason.SOFT_RESET, "ScheduledReset", graceful=True)

    def _unlock(self, payload: Payload) -> Reply:
        try:
            evse = self._charger.evse(int(payload["evseId"]))
        except NotFound:
            return Reply({"status": "UnknownConnector"})
        if int(payload["connectorId"]) != 1:
            return Reply({"status": "UnknownConnector"})
        if evse.transaction is not None:
            return Reply({"status": "OngoingAuthorizedTransaction"})  # F05.FR.02
        return Reply({"status": "Unlocked"})

    def _availability(self, payload: Payload) -> Reply:
        number = int((payload.get("evse") or {}).get("id", 0))
        answer: Availability = self._charger.serving.change_availability(
            number, operative=payload["operationalStatus"] == "Operative"
        )
        return Reply({"status": answer.value}, self._charger.report_all)

    def _data_transfer(self, payload: Payload) -> Reply:
        known = payload["vendorId"] == self._charger.spec.vendor
        return Reply({"status": "UnknownMessageId" if known else "UnknownVendorId"})

    def _notify_status(self, evse: Evse, status: str) -> None:
        self._charger.uplink.notify(
            "StatusNotification",
            {
                "timestamp": iso_z(self._charger.stage.device_now()),
                "connectorStatus": status,
                "evseId": evse.spec.number,
                "connectorId": 1,
            },
        )


def _token(token: Token) -> Row:
    return {"idToken": token.value[:36], "type": token.kind}


def _sampled(row: Reading, why: Sample) -> Row:
    sampled: Row = {
        "value": row.value,
        "context": why.value,
        "measurand": row.measurand,
        "location": row.location,
        "unitOfMeasure": {"unit": row.unit},
    }
    if row.phase is not None:
        sampled["phase"] = row.phase
    return sampled
