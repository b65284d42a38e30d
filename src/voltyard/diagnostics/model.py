"""Logs of chargers: what was asked for, how far it is, and the files that came. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from voltyard.chargers.commands import LogKind


class LogState(StrEnum):
    ASKED = "asked"
    ACCEPTED = "accepted"
    UPLOADING = "uploading"
    ARRIVED = "arrived"
    """A file is here; whether more follow the charger has not said yet."""
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


OPEN = frozenset({LogState.ASKED, LogState.ACCEPTED, LogState.UPLOADING, LogState.ARRIVED})
CLOSED = frozenset(LogState) - OPEN


class LogFailure(StrEnum):
    NOTHING = "nothing_to_send"
    """The charger has no such log (1.6: its answer named no file)."""
    REJECTED = "rejected"
    UNSUPPORTED = "unsupported"
    UPLOAD = "upload_failed"
    BAD_MESSAGE = "bad_message"
    NOT_SUPPORTED = "not_supported"
    PERMISSION = "permission_denied"
    NOTHING_ARRIVED = "nothing_arrived"
    """The charger says it has uploaded, and nothing has come."""
    SILENT = "silent"
    OFFLINE = "offline"


class Told(StrEnum):
    """What a charger says of an upload, in the union of the OCPP versions' words."""

    IDLE = "idle"
    UPLOADING = "uploading"
    UPLOADED = "uploaded"
    UPLOAD_FAILED = "upload_failed"
    BAD_MESSAGE = "bad_message"
    NOT_SUPPORTED = "not_supported"
    PERMISSION_DENIED = "permission_denied"
    CANCELLED = "cancelled"


_FAILURES: Mapping[str, LogFailure] = {
    Told.UPLOAD_FAILED: LogFailure.UPLOAD,
    Told.BAD_MESSAGE: LogFailure.BAD_MESSAGE,
    Told.NOT_SUPPORTED: LogFailure.NOT_SUPPORTED,
    Told.PERMISSION_DENIED: LogFailure.PERMISSION,
}

SILENT_S = 3600.0
"""How long after its last word a charger may take."""
SETTLE_S = 120.0
"""How long after its last file or its "uploaded" another file may still come."""
FILES_MAX = 20
FILE_NAME_MAX = 200


@dataclass(frozen=True, slots=True)
class LogRequest:
    """One request for one charger's log.

    ``link`` is the digest of the key in the address it was given; None when the log goes to an
    address of somebody else (``address``), from where nothing comes back to us. ``announced`` is
    the file name the charger answered with, ``told`` its last word.
    """

    id: UUID
    org_id: UUID
    station_id: UUID
    site_id: UUID | None
    kind: LogKind
    state: LogState
    request_id: int
    asked_by: str
    asked_at: datetime
    changed_at: datetime
    due_at: datetime | None = None
    since: datetime | None = None
    until: datetime | None = None
    address: str = ""
    link: str | None = None
    announced: str = ""
    told: str = ""
    failure: LogFailure | None = None
    detail: str = ""
    files: int = 0

    @property
    def open(self) -> bool:
        return self.state in OPEN

    @property
    def elsewhere(self) -> bool:
        return self.link is None


@dataclass(frozen=True, slots=True)
class LogFile:
    id: UUID
    org_id: UUID
    log_request_id: UUID
    station_id: UUID
    name: str
    size_bytes: int
    sha256: str
    received_at: datetime
    remote: str = ""


def answered(request: LogRequest, announced: str, *, plain: bool, now: datetime) -> LogRequest:
    """The charger has accepted. Its word may have come before its answer."""
    if request.state is not LogState.ASKED:
        return replace(request, announced=announced or request.announced)
    if plain and not announced:
        # 1.6 §6.14: no file name, no upload. Some upload all the same: the address stays open.
        return failed(request, LogFailure.NOTHING, now)
    due_at = now + timedelta(seconds=SILENT_S)
    return replace(
        request, state=LogState.ACCEPTED, announced=announced, changed_at=now, due_at=due_at
    )


def heard(request: LogRequest, told: str, now: datetime) -> LogRequest:
    """After the charger's own word. One that failed may try again by itself."""
    if request.state in (LogState.DONE, LogState.CANCELLED) or told == Told.IDLE:
        return request
    request = replace(request, told=told, changed_at=now)
    failure = _FAILURES.get(told)
    if failure is not None:
        return request if request.files else failed(request, failure, now)
    if told == Told.CANCELLED:
        return ended(request, LogState.CANCELLED, now)
    if told == Told.UPLOADING and not request.files:
        due_at = now + timedelta(seconds=SILENT_S)
        return replace(request, state=LogState.UPLOADING, failure=None, due_at=due_at)
    if told == Told.UPLOADED:
        if request.files or request.elsewhere:
            return ended(request, LogState.DONE, now)
        return replace(request, due_at=now + timedelta(seconds=SETTLE_S))
    return request


def arrived(request: LogRequest, now: datetime) -> LogRequest:
    """A file is stored. After "uploaded" that was what was waited for."""
    request = replace(request, files=request.files + 1, failure=None, detail="", changed_at=now)
    if request.told == Told.UPLOADED:
        return ended(request, LogState.DONE, now)
    due_at = now + timedelta(seconds=SETTLE_S)
    return replace(request, state=LogState.ARRIVED, due_at=due_at)


def overdue(request: LogRequest, now: datetime) -> LogRequest:
    if not request.open or request.due_at is None or now < request.due_at:
        return request
    if request.files:
        return ended(request, LogState.DONE, now)
    nothing = request.told == Told.UPLOADED
    return failed(request, LogFailure.NOTHING_ARRIVED if nothing else LogFailure.SILENT, now)


def failed(request: LogRequest, failure: LogFailure, now: datetime, detail: str = "") -> LogRequest:
    """The address stays usable: chargers try again by themselves, and files come late."""
    return replace(
        request,
        state=LogState.FAILED,
        failure=failure,
        detail=detail,
        changed_at=now,
        due_at=None,
    )


def ended(request: LogRequest, state: LogState, now: datetime) -> LogRequest:
    return replace(request, state=state, failure=None, changed_at=now, due_at=None)


LINK_S = 86_400.0
"""An address takes files for a day at most, and none after the upload is done."""


def takes_files(request: LogRequest, now: datetime) -> bool:
    fresh = (now - request.asked_at).total_seconds() < LINK_S
    ended_now = request.state in (LogState.DONE, LogState.CANCELLED)
    return fresh and not ended_now and request.files < FILES_MAX
