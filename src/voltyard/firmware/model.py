"""Firmware: images, campaigns and the update of one charger as a state machine. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, time, timedelta
from enum import StrEnum
from uuid import UUID

EVERY_DAY = frozenset(range(7))


@dataclass(frozen=True, slots=True)
class FirmwareImage:
    """One image: a file of ours (``sha256``, ``size_bytes``) or an address elsewhere (``url``).

    ``reported_as`` is what a charger that runs it says in its boot notification, where that is
    not the version itself. ``models`` empty means every model of the vendor. ``signature`` is
    base64, ``certificate`` PEM: the manufacturer's (OCPP 2.0.1 L01, 1.6 security L01).
    ``signature_fits``: whether the signature was made over this file with that certificate's
    key; None where that could not be tried.
    """

    id: UUID
    org_id: UUID
    vendor: str
    models: tuple[str, ...]
    version: str
    file_name: str
    created_at: datetime
    created_by: str
    sha256: str | None = None
    size_bytes: int | None = None
    url: str | None = None
    reported_as: str = ""
    signature: str | None = None
    certificate: str | None = None
    signature_fits: bool | None = None
    note: str = ""
    retired_at: datetime | None = None

    @property
    def signed(self) -> bool:
        return self.signature is not None and self.certificate is not None

    def is_version(self, reported: str | None) -> bool:
        """Whether a charger that reports this firmware runs the image."""
        wanted = {_plain(self.version), _plain(self.reported_as or self.version)}
        return reported is not None and _plain(reported) in wanted

    def fits(self, vendor: str | None, model: str | None) -> bool:
        """Whether it is made for this charger. A charger that has not said what it is fits not."""
        if self.vendor and _plain(self.vendor) != _plain(vendor or ""):
            return False
        return not self.models or _plain(model or "") in {_plain(name) for name in self.models}


def _plain(text: str) -> str:
    """Versions and names as they are compared: case, spaces and a leading v aside."""
    plain = "".join(text.split()).casefold()
    return plain[1:] if plain[:1] == "v" and plain[1:2].isdigit() else plain


class Signing(StrEnum):
    """Whether the update is sent with signature and certificate."""

    IF_KNOWN = "if_known"
    """With, where the image has them; without, to a charger that does not know signed updates."""
    REQUIRED = "required"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Window:
    """When updates may begin, on the site's own clock. ``from_time`` ≥ ``until_time`` runs over
    midnight and belongs to the day it begins on; ``weekdays`` 0 is Monday."""

    from_time: time
    until_time: time
    weekdays: frozenset[int] = EVERY_DAY

    def holds(self, local: datetime) -> bool:
        now = local.time().replace(tzinfo=None)
        today = local.weekday() in self.weekdays
        yesterday = (local.weekday() - 1) % 7 in self.weekdays
        if self.from_time < self.until_time:
            return today and self.from_time <= now < self.until_time
        return (today and now >= self.from_time) or (yesterday and now < self.until_time)


@dataclass(frozen=True, slots=True)
class Rollout:
    """How a campaign goes from charger to charger.

    First ``canary`` chargers, of which none may fail; then waves of ``wave`` chargers (0: all
    the rest at once), each begun ``soak_s`` after the one before has ended. With
    ``max_failures`` failed chargers it stops by itself. ``idle_only``: not while a vehicle
    charges; ``margin_s``: not that long before a departure. ``silent_s``: a charger that
    says nothing for so long has failed.
    """

    canary: int = 1
    wave: int = 10
    soak_s: int = 0
    parallel: int = 10
    max_failures: int = 3
    windows: tuple[Window, ...] = ()
    idle_only: bool = True
    margin_s: int = 3600
    attempts: int = 2
    retry_s: int = 600
    silent_s: int = 3600
    proof_s: int = 900
    signing: Signing = Signing.IF_KNOWN

    def open(self, local: datetime) -> bool:
        return not self.windows or any(window.holds(local) for window in self.windows)

    def wave_of(self, position: int) -> int:
        """0 is the canary wave; position counts from 0."""
        if position < self.canary:
            return 0
        return 1 if self.wave <= 0 else 1 + (position - self.canary) // self.wave


ROLLOUT_RANGES: Mapping[str, tuple[int, int]] = {
    "canary": (0, 1_000),
    "wave": (0, 10_000),
    "soak_s": (0, 30 * 86_400),
    "parallel": (1, 500),
    "max_failures": (1, 10_000),
    "margin_s": (0, 86_400),
    "attempts": (1, 10),
    "retry_s": (10, 86_400),
    "silent_s": (60, 7 * 86_400),
    "proof_s": (30, 86_400),
}


def rollout_problems(rollout: Rollout) -> dict[str, str]:
    """Field → reason; empty when the rollout makes sense."""
    wrong = {
        name: f"must be {low} to {high}"
        for name, (low, high) in ROLLOUT_RANGES.items()
        if not low <= getattr(rollout, name) <= high
    }
    for number, window in enumerate(rollout.windows):
        if not window.weekdays or not window.weekdays <= EVERY_DAY:
            wrong[f"windows[{number}].weekdays"] = "0 (Monday) to 6, at least one"
    return wrong


class CampaignState(StrEnum):
    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"
    """By itself, because too many failed."""
    CANCELLED = "cancelled"
    DONE = "done"


CAMPAIGN_OPEN = frozenset({CampaignState.RUNNING, CampaignState.PAUSED, CampaignState.STOPPED})


@dataclass(frozen=True, slots=True)
class Campaign:
    """One image to one or many chargers. ``forgiven``: failures people have seen and go on."""

    id: UUID
    org_id: UUID
    image_id: UUID
    name: str
    state: CampaignState
    rollout: Rollout
    created_at: datetime
    created_by: str
    start_at: datetime
    changed_at: datetime
    forgiven: int = 0
    why: str = ""
    ended_at: datetime | None = None


class UpdateState(StrEnum):
    """Where one charger is. The first and the last four are ours, the others it tells."""

    WAITING = "waiting"
    ASKED = "asked"
    SCHEDULED = "scheduled"
    DOWNLOADING = "downloading"
    PAUSED = "paused"
    DOWNLOADED = "downloaded"
    VERIFIED = "verified"
    INSTALL_SCHEDULED = "install_scheduled"
    INSTALLING = "installing"
    REBOOTING = "rebooting"
    INSTALLED = "installed"
    """It says so; the proof is a boot with the new version."""
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"


FINAL = frozenset(
    {UpdateState.DONE, UpdateState.FAILED, UpdateState.SKIPPED, UpdateState.CANCELLED}
)
UNDER_WAY = frozenset(UpdateState) - FINAL - {UpdateState.WAITING}
PUT_OFF = frozenset({UpdateState.SCHEDULED, UpdateState.PAUSED, UpdateState.INSTALL_SCHEDULED})
PUT_OFF_S = 86_400
"""How long a charger may put off what it has accepted (it waits for its transactions to end)."""
ACTIVATING = frozenset({UpdateState.INSTALLING, UpdateState.REBOOTING, UpdateState.INSTALLED})


class Failure(StrEnum):
    DOWNLOAD = "download_failed"
    INSTALL = "install_failed"
    VERIFICATION = "install_verification_failed"
    SIGNATURE = "invalid_signature"
    CERTIFICATE = "invalid_certificate"
    REVOKED = "revoked_certificate"
    REJECTED = "rejected"
    UNSUPPORTED = "unsupported"
    NEEDS_SIGNATURE = "needs_signature"
    SILENT = "silent"
    NO_PROOF = "no_proof"
    """It said it was installed and never booted with it."""
    WRONG_VERSION = "wrong_version"


AGAIN = frozenset({Failure.DOWNLOAD, Failure.INSTALL, Failure.REJECTED, Failure.SILENT})
"""Failures worth another attempt; the others would fail the same way."""


@dataclass(frozen=True, slots=True)
class Update:
    """The update of one charger within a campaign.

    ``request_id`` is that of the attempt under way, ``link`` the digest of the key in the
    address it was given; ``blocked`` says what a waiting one waits
    for; ``due_at`` is when silence becomes a failure; ``asked_boot`` that proof was asked for.
    """

    id: UUID
    org_id: UUID
    campaign_id: UUID
    station_id: UUID
    site_id: UUID | None
    position: int
    wave: int
    state: UpdateState
    changed_at: datetime
    attempt: int = 0
    request_id: int | None = None
    link: str | None = None
    not_before: datetime | None = None
    asked_at: datetime | None = None
    due_at: datetime | None = None
    ended_at: datetime | None = None
    from_version: str | None = None
    to_version: str | None = None
    failure: Failure | None = None
    detail: str = ""
    blocked: str = ""
    asked_boot: bool = False

    @property
    def final(self) -> bool:
        return self.state in FINAL


class Told(StrEnum):
    """What a charger says of an update, in the union of the OCPP versions' words."""

    IDLE = "idle"
    DOWNLOAD_SCHEDULED = "download_scheduled"
    DOWNLOADING = "downloading"
    DOWNLOAD_PAUSED = "download_paused"
    DOWNLOADED = "downloaded"
    DOWNLOAD_FAILED = "download_failed"
    SIGNATURE_VERIFIED = "signature_verified"
    INVALID_SIGNATURE = "invalid_signature"
    INSTALL_SCHEDULED = "install_scheduled"
    INSTALLING = "installing"
    INSTALL_REBOOTING = "install_rebooting"
    INSTALL_VERIFICATION_FAILED = "install_verification_failed"
    INSTALLATION_FAILED = "installation_failed"
    INSTALLED = "installed"


_PROGRESS: Mapping[str, UpdateState] = {
    Told.DOWNLOAD_SCHEDULED: UpdateState.SCHEDULED,
    Told.DOWNLOADING: UpdateState.DOWNLOADING,
    Told.DOWNLOAD_PAUSED: UpdateState.PAUSED,
    Told.DOWNLOADED: UpdateState.DOWNLOADED,
    Told.SIGNATURE_VERIFIED: UpdateState.VERIFIED,
    Told.INSTALL_SCHEDULED: UpdateState.INSTALL_SCHEDULED,
    Told.INSTALLING: UpdateState.INSTALLING,
    Told.INSTALL_REBOOTING: UpdateState.REBOOTING,
    Told.INSTALLED: UpdateState.INSTALLED,
}
_FAILURES: Mapping[str, Failure] = {
    Told.DOWNLOAD_FAILED: Failure.DOWNLOAD,
    Told.INVALID_SIGNATURE: Failure.SIGNATURE,
    Told.INSTALL_VERIFICATION_FAILED: Failure.VERIFICATION,
    Told.INSTALLATION_FAILED: Failure.INSTALL,
}


def asked(
    update: Update, request_id: int, link: str | None, rollout: Rollout, now: datetime
) -> Update:
    """The request is about to leave: stored before it does, so that no crash forgets it."""
    return replace(
        update,
        state=UpdateState.ASKED,
        attempt=update.attempt + 1,
        request_id=request_id,
        link=link,
        asked_at=now,
        changed_at=now,
        due_at=now + timedelta(seconds=rollout.silent_s),
        not_before=None,
        failure=None,
        detail="",
        blocked="",
        asked_boot=False,
    )


def put_back(update: Update, why: str, now: datetime) -> Update:
    """The request never reached the charger: the attempt does not count."""
    return replace(
        update,
        state=UpdateState.WAITING,
        attempt=max(0, update.attempt - 1),
        request_id=None,
        link=None,
        asked_at=None,
        due_at=None,
        changed_at=now,
        blocked=why,
    )


def heard(update: Update, told: str, rollout: Rollout, now: datetime) -> Update:
    """After the charger's own word. Idle tells nothing; a step back is a retry of its own."""
    if update.state not in UNDER_WAY:
        return update
    failure = _FAILURES.get(told)
    if failure is not None:
        return failed(update, failure, rollout, now)
    state = _PROGRESS.get(told)
    if state is None:
        return update
    if state is UpdateState.INSTALLED and update.state is UpdateState.INSTALLED:
        return update
    wait_s = rollout.silent_s
    if state in PUT_OFF:
        wait_s = max(PUT_OFF_S, rollout.silent_s)
    elif state is UpdateState.INSTALLED:
        wait_s = rollout.proof_s
    due_at = now + timedelta(seconds=wait_s)
    return replace(update, state=state, changed_at=now, due_at=due_at, asked_boot=False)


def booted(
    update: Update, image: FirmwareImage, firmware: str | None, rollout: Rollout, now: datetime
) -> Update:
    """After a boot notification: the proof, or that something else runs.

    A charger that had failed and boots with the new version has made it after all, by itself or
    by hand. One that boots with another version while it installs may boot once more.
    """
    late = update.state is UpdateState.FAILED
    if update.state not in UNDER_WAY and not late:
        return update
    if image.is_version(firmware):
        return replace(
            update,
            state=UpdateState.DONE,
            failure=None,
            detail="",
            to_version=firmware,
            changed_at=now,
            ended_at=now,
            due_at=None,
        )
    if late:
        return update
    update = replace(update, to_version=firmware)
    if update.state is UpdateState.INSTALLED and update.asked_boot:
        return failed(update, Failure.WRONG_VERSION, rollout, now, detail=firmware or "")
    if update.state in ACTIVATING:
        soon = now + timedelta(seconds=rollout.proof_s)
        return replace(update, due_at=min(update.due_at or soon, soon))
    return update


def overdue(update: Update, rollout: Rollout, now: datetime) -> Update:
    """When it has been silent for too long; ``asked_boot`` turns true when to ask for proof."""
    if update.state not in UNDER_WAY or update.due_at is None or now < update.due_at:
        return update
    if update.state is UpdateState.INSTALLED and not update.asked_boot:
        due_at = now + timedelta(seconds=rollout.proof_s)
        return replace(update, asked_boot=True, due_at=due_at, changed_at=now)
    known_other = update.to_version is not None and update.state in ACTIVATING
    if known_other:
        detail = update.to_version or ""
        return failed(update, Failure.WRONG_VERSION, rollout, now, detail=detail)
    silent = Failure.NO_PROOF if update.state is UpdateState.INSTALLED else Failure.SILENT
    return failed(update, silent, rollout, now, detail=update.state.value)


def failed(
    update: Update, failure: Failure, rollout: Rollout, now: datetime, *, detail: str = ""
) -> Update:
    """Another attempt later, or the end of it."""
    update = replace(update, failure=failure, detail=detail, changed_at=now, due_at=None)
    if failure in AGAIN and update.attempt < rollout.attempts:
        later = now + timedelta(seconds=rollout.retry_s * update.attempt)
        return replace(update, state=UpdateState.WAITING, not_before=later, request_id=None)
    return replace(update, state=UpdateState.FAILED, ended_at=now, blocked="")


def finished(update: Update, state: UpdateState, now: datetime, *, detail: str = "") -> Update:
    """Skipped or cancelled by us."""
    return replace(
        update,
        state=state,
        changed_at=now,
        ended_at=now,
        due_at=None,
        blocked="",
        detail=detail or update.detail,
    )


@dataclass(frozen=True, slots=True)
class Progress:
    """How many chargers of a campaign are in each state."""

    counts: Mapping[UpdateState, int] = field(default_factory=dict)

    def of(self, *states: UpdateState) -> int:
        return sum(self.counts.get(state, 0) for state in states)

    @property
    def total(self) -> int:
        return sum(self.counts.values())

    @property
    def done(self) -> int:
        return self.of(UpdateState.DONE, UpdateState.SKIPPED)

    @property
    def failed(self) -> int:
        return self.of(UpdateState.FAILED)

    @property
    def under_way(self) -> int:
        return self.of(*UNDER_WAY)

    @property
    def waiting(self) -> int:
        return self.of(UpdateState.WAITING)
