"""Firmware and logs as OCPP 2.0.1 and 2.1 have them, seen from a station."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from voltyard.simulator.rpc import Payload, Reply
from voltyard.simulator.upkeep import Outcome, Tell, wish_of_log, wish_of_update

if TYPE_CHECKING:
    from voltyard.simulator.charger import Charger


class Upkeep201:
    """The messages; what they do is ``Upkeep``'s."""

    def __init__(self, charger: "Charger") -> None:
        self._charger = charger
        self._firmware_id: int | None = None
        self._log_id: int | None = None

    @property
    def handlers(self) -> Mapping[str, Callable[[Payload], Reply]]:
        return {"UpdateFirmware": self._update, "GetLog": self._get_log}

    @property
    def triggers(self) -> Mapping[str, Callable[[], None]]:
        upkeep = self._charger.upkeep
        return {
            "FirmwareStatusNotification": lambda: self._tell(
                "FirmwareStatusNotification", upkeep.firmware_word, "Installed", self._firmware_id
            ),
            "LogStatusNotification": lambda: self._tell(
                "LogStatusNotification", upkeep.log_word, "Uploaded", self._log_id
            ),
        }

    def _tell(self, action: str, word: str, last: str, request_id: int | None) -> None:
        """L01.FR.25, FR.26: what is over is Idle, and Idle has no request (L01.FR.20)."""
        if word == last or request_id is None:
            self._charger.uplink.notify(action, {"status": "Idle"})
        else:
            self._teller(action, request_id)(word)

    def _update(self, payload: Payload) -> Reply:
        upkeep = self._charger.upkeep
        wish = wish_of_update(payload)
        if upkeep.outcome is Outcome.REJECTED:
            return Reply({"status": "Rejected", "statusInfo": {"reasonCode": "NotNow"}})
        self._firmware_id = wish.request_id
        upkeep.firmware_word = "Idle"
        tell = self._teller("FirmwareStatusNotification", wish.request_id)
        return Reply({"status": "Accepted"}, lambda: upkeep.update(wish, tell))

    def _get_log(self, payload: Payload) -> Reply:
        upkeep = self._charger.upkeep
        if not upkeep.has_log:
            return Reply({"status": "Rejected"})
        wish = wish_of_log(payload)
        self._log_id = wish.request_id
        upkeep.log_word = "Idle"
        name = upkeep.file_name(wish.kind)
        tell = self._teller("LogStatusNotification", wish.request_id)
        answer = {"status": "Accepted", "filename": name}
        return Reply(answer, lambda: upkeep.bring(wish, name, tell))

    def _teller(self, action: str, request_id: int | None) -> Tell:
        uplink = self._charger.uplink
        return lambda word: uplink.notify(action, {"status": word, "requestId": request_id})
