"""Firmware and logs as OCPP 1.6 and its security extension have them, seen from a charger."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from voltyard.simulator.rpc import Payload, Refusal, Reply
from voltyard.simulator.upkeep import (
    LogWish,
    Outcome,
    Tell,
    UpdateWish,
    wish_of_log,
    wish_of_update,
)

if TYPE_CHECKING:
    from voltyard.simulator.charger import Charger


class Upkeep16:
    """The messages; what they do is ``Upkeep``'s."""

    def __init__(self, charger: "Charger") -> None:
        self._charger = charger

    @property
    def handlers(self) -> Mapping[str, Callable[[Payload], Reply]]:
        return {
            "UpdateFirmware": self._update,
            "SignedUpdateFirmware": self._signed_update,
            "GetDiagnostics": self._diagnostics,
            "GetLog": self._get_log,
        }

    @property
    def triggers(self) -> Mapping[str, Callable[[], None]]:
        upkeep = self._charger.upkeep
        return {
            "FirmwareStatusNotification": lambda: self._firmware_teller(None)(
                _idle(upkeep.firmware_word, "Installed")
            ),
            "DiagnosticsStatusNotification": lambda: self._log_teller(None)(
                _idle(upkeep.log_word, "Uploaded")
            ),
        }

    def _update(self, payload: Payload) -> Reply:
        upkeep = self._charger.upkeep
        if upkeep.signed_only:
            raise Refusal("only signed updates", code="NotSupported")
        at = str(payload["retrieveDate"]).replace("Z", "+00:00")
        wish = UpdateWish(
            str(payload["location"]),
            datetime.fromisoformat(at),
            None,
            signed=False,
            retries=int(payload.get("retries", 0)),
            retry_interval_s=float(payload.get("retryInterval", 60)),
        )
        return Reply({}, lambda: upkeep.update(wish, self._firmware_teller(None)))

    def _signed_update(self, payload: Payload) -> Reply:
        upkeep = self._charger.upkeep
        if not upkeep.security_extension:
            raise Refusal("SignedUpdateFirmware is not implemented", code="NotImplemented")
        wish = wish_of_update(payload)
        if upkeep.outcome is Outcome.REJECTED:
            return Reply({"status": "Rejected"})
        tell = self._firmware_teller(wish.request_id)
        return Reply({"status": "Accepted"}, lambda: upkeep.update(wish, tell))

    def _diagnostics(self, payload: Payload) -> Reply:
        upkeep = self._charger.upkeep
        if not upkeep.plain_log:
            raise Refusal("GetDiagnostics is not implemented", code="NotImplemented")
        if not upkeep.has_log:
            return Reply({})
        wish = LogWish(
            str(payload["location"]),
            None,
            retries=int(payload.get("retries", 0)),
            retry_interval_s=float(payload.get("retryInterval", 60)),
        )
        name = upkeep.file_name(wish.kind)
        tell = self._log_teller(None)
        return Reply({"fileName": name}, lambda: upkeep.bring(wish, name, tell))

    def _get_log(self, payload: Payload) -> Reply:
        upkeep = self._charger.upkeep
        if not upkeep.security_extension:
            raise Refusal("GetLog is not implemented", code="NotImplemented")
        if not upkeep.has_log:
            return Reply({"status": "Rejected"})
        wish = wish_of_log(payload)
        name = upkeep.file_name(wish.kind)
        tell = self._log_teller(wish.request_id)
        answer = {"status": "Accepted", "filename": name}
        return Reply(answer, lambda: upkeep.bring(wish, name, tell))

    def _firmware_teller(self, request_id: int | None) -> Tell:
        uplink = self._charger.uplink
        if request_id is None:
            return lambda word: uplink.notify("FirmwareStatusNotification", {"status": word})
        return lambda word: uplink.notify(
            "SignedFirmwareStatusNotification", {"status": word, "requestId": request_id}
        )

    def _log_teller(self, request_id: int | None) -> Tell:
        uplink = self._charger.uplink
        if request_id is None:
            return lambda word: uplink.notify("DiagnosticsStatusNotification", {"status": word})
        return lambda word: uplink.notify(
            "LogStatusNotification", {"status": word, "requestId": request_id}
        )


def _idle(word: str, last: str) -> str:
    """What is over is told as Idle (1.6 §4.4, §4.5)."""
    return "Idle" if word == last else word
