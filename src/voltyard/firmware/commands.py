"""What people ask for: a new image, a new campaign."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from voltyard.firmware.model import Rollout, rollout_problems

URL_MAX = 400
"""Chargers have room for 512 characters (OCPP 2.0.1 FirmwareType.location)."""
ADDRESS = re.compile(r"(?:https?|ftps?|sftp)://[^\s/?#]+(?:[/?#]\S*)?", re.IGNORECASE)
NAMES_MAX = 100


@dataclass(frozen=True, slots=True)
class NewImage:
    """``url`` names a file elsewhere; without it the file itself comes along."""

    vendor: str
    version: str
    models: tuple[str, ...] = ()
    reported_as: str = ""
    file_name: str = ""
    url: str = ""
    signature: str = ""
    certificate: str = ""
    note: str = ""


def image_problems(new: NewImage) -> dict[str, str]:
    """Field → reason."""
    wrong: dict[str, str] = {}
    for name, longest in (("vendor", 50), ("reported_as", 50), ("note", 2_000)):
        if len(getattr(new, name)) > longest:
            wrong[name] = f"at most {longest} characters"
    if not 1 <= len(new.version.strip()) <= 50:
        wrong["version"] = "1 to 50 characters"
    if len(new.models) > NAMES_MAX or any(not 1 <= len(name) <= 50 for name in new.models):
        wrong["models"] = f"at most {NAMES_MAX} names of 1 to 50 characters"
    if new.url:
        wrong.update(_url_problems(new.url))
    elif not new.file_name:
        wrong["file_name"] = "name the file, or give an address"
    if bool(new.signature.strip()) != bool(new.certificate.strip()):
        wrong["signature"] = "signature and certificate belong together"
    return wrong


def _url_problems(url: str) -> Mapping[str, str]:
    if ADDRESS.fullmatch(url) is None:
        return {"url": "begins with http, https, ftp, ftps or sftp and names a host"}
    if len(url) > URL_MAX:
        return {"url": f"at most {URL_MAX} characters"}
    return {}


@dataclass(frozen=True, slots=True)
class NewCampaign:
    """``station_ids`` in the order in which they are updated: the first are the canaries.

    ``force``: also chargers that say they run this version, or that the image is not made for.
    """

    image_id: UUID
    station_ids: tuple[UUID, ...]
    name: str = ""
    rollout: Rollout = field(default_factory=Rollout)
    start_at: datetime | None = None
    force: bool = False


@dataclass(frozen=True, slots=True)
class Resume:
    """A campaign that was paused, or stopped by itself, goes on."""

    campaign_id: UUID


def campaign_problems(new: NewCampaign) -> dict[str, str]:
    """Field → reason."""
    wrong = {f"rollout.{name}": why for name, why in rollout_problems(new.rollout).items()}
    if not new.station_ids:
        wrong["station_ids"] = "at least one charger"
    elif len(set(new.station_ids)) != len(new.station_ids):
        wrong["station_ids"] = "each charger once"
    if len(new.name) > 200:
        wrong["name"] = "at most 200 characters"
    return wrong
