"""Campaigns started and resumed, as a second person reads them."""

from collections.abc import Sequence

from voltyard.approvals.gate import fingerprint
from voltyard.approvals.model import Change, Difference
from voltyard.chargers.model import Station
from voltyard.firmware.commands import NewCampaign, Resume
from voltyard.firmware.model import Campaign, FirmwareImage, Rollout, Update, UpdateState
from voltyard.tenancy.model import Permission

NAMES_MAX = 20


def start_change(
    image: FirmwareImage, stations: Sequence[Station], new: NewCampaign, name: str
) -> Change:
    """It rests on the image and on what the chargers run."""
    versions = sorted({station.firmware or "?" for station in stations})
    names = [station.identity for station in stations]
    more = f" (+{len(names) - NAMES_MAX})" if len(names) > NAMES_MAX else ""
    rows = [
        Difference(name, "firmware", ", ".join(versions), f"{image.vendor} {image.version}"),
        Difference(name, "chargers", "", ", ".join(names[:NAMES_MAX]) + more),
        Difference(name, "rollout", "", rollout_text(new.rollout)),
    ]
    if new.start_at is not None:
        rows.append(Difference(name, "start_at", "", f"{new.start_at:%Y-%m-%d %H:%M %Z}"))
    if new.force:
        rows.append(Difference(name, "force", "", "yes"))
    sites = {station.site_id for station in stations}
    seen = (image.id, image.sha256, image.url, image.retired_at, image.signed)
    return Change(
        "firmware.start",
        Permission.CHARGERS_COMMAND,
        name,
        new,
        fingerprint(seen, [(s.id, s.firmware, s.vendor, s.model) for s in stations]),
        tuple(rows),
        sites.pop() if len(sites) == 1 else None,
    )


def resume_change(before: Campaign, updates: Sequence[Update]) -> Change:
    """It rests on how far the campaign is; one that goes on by itself does not stand still."""
    failed = sum(update.state is UpdateState.FAILED for update in updates)
    left = sum(update.state is UpdateState.WAITING for update in updates)
    rows = (
        Difference(before.name, "campaign", before.state.value, "running"),
        Difference(before.name, "failed_updates", str(failed), str(failed)),
        Difference(before.name, "waiting_updates", str(left), str(left)),
    )
    return Change(
        "firmware.resume",
        Permission.CHARGERS_COMMAND,
        before.name,
        Resume(before.id),
        fingerprint(before.id, before.state, before.why, failed),
        rows,
    )


def rollout_text(rollout: Rollout) -> str:
    """``1 + 10 …``: canaries, then waves of so many; then how it is kept within bounds."""
    wave = str(rollout.wave) if rollout.wave else "*"
    words = [f"{rollout.canary} + {wave} …", f"≤ {rollout.max_failures} ×"]
    words += [f"{window.from_time:%H:%M}–{window.until_time:%H:%M}" for window in rollout.windows]
    return " · ".join(words)
