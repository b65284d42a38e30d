"""A simulated charger updates its firmware and brings its logs, alike in every OCPP version."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from voltyard.simulator import ordeals
from voltyard.simulator.courier import Courier, CourierFailed, PretendCourier, Upload
from voltyard.simulator.evse import StopReason
from voltyard.simulator.rpc import Payload
from voltyard.units import iso_z

if TYPE_CHECKING:
    from voltyard.simulator.charger import Charger

_VERSION = re.compile(r"(\d+(?:\.\d+)+)")
_IN_FILE = re.compile(rb"voltyard simulated firmware ([\w.-]+)\n")
INSTALL_S = 45.0
VERIFY_S = 5.0


class Outcome(StrEnum):
    """What comes of a firmware update."""

    GOOD = "good"
    REJECTED = "rejected"
    DOWNLOAD_FAILS = "download_fails"
    INVALID_SIGNATURE = "invalid_signature"
    INSTALL_FAILS = "install_fails"
    NEVER_REBOOTS = "never_reboots"
    """Says it reboots and is not heard of again for the update; the old firmware runs on."""
    WRONG_VERSION = "wrong_version"
    """Says all is installed and boots with what it had."""
    SILENT = "silent"
    """Takes the request and tells nothing."""


@dataclass(frozen=True, slots=True)
class UpdateWish:
    """An update as it was asked for. ``request_id`` None: by the unsigned message of 1.6."""

    location: str
    retrieve_at: datetime
    request_id: int | None
    signed: bool
    retries: int = 0
    retry_interval_s: float = 60.0


@dataclass(frozen=True, slots=True)
class LogWish:
    """A log as it was asked for. ``request_id`` None: by GetDiagnostics of 1.6."""

    location: str
    request_id: int | None
    kind: str = "DiagnosticsLog"
    retries: int = 0
    retry_interval_s: float = 60.0


Tell = Callable[[str], None]


class Upkeep:
    """``outcome``, ``upload`` and ``has_log`` are set by who wants it to go otherwise.

    ``security_extension``: a 1.6 charger knows GetLog and signed updates. ``plain_log``: it
    knows GetDiagnostics. ``signed_only``: it refuses unsigned updates (whitepaper L01.FR.20).
    """

    def __init__(self, charger: "Charger", courier: Courier | None = None) -> None:
        self._charger = charger
        self.courier = courier or PretendCourier(charger.clock)
        self.outcome = Outcome.GOOD
        self.upload = Upload.PUT_WITH_NAME
        self.has_log = True
        self.security_extension = True
        self.plain_log = True
        self.signed_only = False
        self.firmware_word = "Idle"
        self.log_word = "Idle"
        self.install_s = INSTALL_S
        self.verify_s = VERIFY_S
        self.updates = 0
        self._current: object = None
        self._uploading: object = None

    def file_name(self, kind: str) -> str:
        day = self._charger.clock.now().strftime("%Y%m%d-%H%M%S")
        return f"{kind.lower()}-{self._charger.spec.identity}-{day}.log"

    def update(self, wish: UpdateWish, tell: Tell) -> bool:
        """Begin; whether another one was under way and is given up."""
        former, self._current = self._current, object()
        self.updates += 1
        self._charger.spawn(self._update(wish, self._telling(tell), self._current))
        return former is not None

    def _telling(self, tell: Tell) -> Tell:
        def told(word: str) -> None:
            self.firmware_word = word
            tell(word)

        return told

    async def _update(self, wish: UpdateWish, tell: Tell, mine: object) -> None:
        charger, clock = self._charger, self._charger.clock
        if self.outcome is Outcome.SILENT:
            return
        wait_s = (wish.retrieve_at - clock.now()).total_seconds()
        if wait_s > 1.0:
            tell("DownloadScheduled") if wish.request_id is not None else None
            await clock.sleep(wait_s)
        content = await self._download(wish, tell)
        if content is None or self._current is not mine:
            return
        tell("Downloaded")
        if wish.signed:
            await clock.sleep(self.verify_s)
            if self.outcome is Outcome.INVALID_SIGNATURE:
                self._over(tell, "InvalidSignature")
                return
            tell("SignatureVerified")
        while any(evse.transaction is not None for evse in charger.evses):
            await clock.sleep(10.0)
        if self._current is not mine:
            return
        tell("Installing")
        await clock.sleep(self.install_s)
        await self._activate(wish, tell, content)

    async def _download(self, wish: UpdateWish, tell: Tell) -> bytes | None:
        for attempt in range(wish.retries + 1):
            tell("Downloading")
            try:
                if self.outcome is Outcome.DOWNLOAD_FAILS:
                    raise CourierFailed("as wanted")
                return await self.courier.fetch(wish.location)
            except CourierFailed:
                if attempt < wish.retries:
                    await self._charger.clock.sleep(wish.retry_interval_s)
        self._over(tell, "DownloadFailed")
        return None

    async def _activate(self, wish: UpdateWish, tell: Tell, content: bytes) -> None:
        charger = self._charger
        if self.outcome is Outcome.INSTALL_FAILS:
            self._over(tell, "InstallationFailed")
            return
        if wish.request_id is not None:
            tell("InstallRebooting")
        if self.outcome is Outcome.NEVER_REBOOTS:
            self._current = None
            return
        if self.outcome is not Outcome.WRONG_VERSION:
            charger.firmware = _version(wish.location, content) or charger.firmware
        self._current = None
        await ordeals.reboot(charger, StopReason.SOFT_RESET, "FirmwareUpdate", graceful=True)
        await charger.uplink.until_admitted()
        while not charger.uplink.online:
            await charger.clock.sleep(1.0)
        tell("Installed")

    def _over(self, tell: Tell, word: str) -> None:
        self._current = None
        tell(word)

    def bring(self, wish: LogWish, name: str, tell: Tell) -> bool:
        """Begin; whether another upload was under way and is given up."""
        former, self._uploading = self._uploading, object()
        self._charger.spawn(self._bring(wish, name, tell, self._uploading))
        return former is not None

    async def _bring(self, wish: LogWish, name: str, tell: Tell, mine: object) -> None:
        content = self._log(wish.kind)
        failure = "UploadFailed" if wish.request_id is None else "UploadFailure"
        for attempt in range(wish.retries + 1):
            self._say(tell, "Uploading")
            try:
                await self.courier.bring(wish.location, name, content, self.upload)
            except CourierFailed:
                if attempt < wish.retries:
                    await self._charger.clock.sleep(wish.retry_interval_s)
                continue
            if self._uploading is mine:
                self._uploading = None
                self._say(tell, "Uploaded")
            return
        if self._uploading is mine:
            self._uploading = None
            self._say(tell, failure)

    def _say(self, tell: Tell, word: str) -> None:
        self.log_word = word
        tell(word)

    def _log(self, kind: str) -> bytes:
        charger = self._charger
        lines = [f"{kind} of {charger.spec.identity}, firmware {charger.firmware}"]
        at = iso_z(charger.clock.now())
        lines += [f"{at} EVSE {evse.spec.number}: {evse.status.value}" for evse in charger.evses]
        return ("\n".join(lines) + "\n").encode()


def _version(location: str, content: bytes) -> str | None:
    """The version within the file, or, where nothing was really fetched, in its name."""
    if found := _IN_FILE.match(content):
        return found[1].decode()
    named = _VERSION.search(urlsplit(location).path.rsplit("/", 1)[-1])
    return named[1].rstrip(".") if named else None


def image_of(version: str, size: int = 4096) -> bytes:
    """A firmware file that simulated chargers can run."""
    head = f"voltyard simulated firmware {version}\n".encode()
    return head + bytes(max(0, size - len(head)))


def wish_of_log(payload: Payload) -> LogWish:
    """From GetLog, alike in 1.6 and 2.0.1."""
    return LogWish(
        str(payload["log"]["remoteLocation"]),
        int(payload["requestId"]),
        str(payload["logType"]),
        int(payload.get("retries", 0)),
        float(payload.get("retryInterval", 60)),
    )


def wish_of_update(payload: Payload) -> UpdateWish:
    """From SignedUpdateFirmware of 1.6 and UpdateFirmware of 2.0.1."""
    firmware = payload["firmware"]
    return UpdateWish(
        str(firmware["location"]),
        datetime.fromisoformat(str(firmware["retrieveDateTime"]).replace("Z", "+00:00")),
        int(payload["requestId"]),
        "signature" in firmware,
        int(payload.get("retries", 0)),
        float(payload.get("retryInterval", 60)),
    )
