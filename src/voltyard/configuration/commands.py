"""What people may ask of the configuration room, as it is kept for approval."""

from dataclasses import dataclass
from uuid import UUID

from voltyard.chargers.model import Quirks
from voltyard.configuration.model import Pattern, Template


@dataclass(frozen=True, slots=True)
class SaveMake:
    """``make_id`` None describes a new one."""

    make_id: UUID | None
    pattern: Pattern
    quirks: Quirks
    note: str = ""


@dataclass(frozen=True, slots=True)
class DeleteMake:
    make_id: UUID


@dataclass(frozen=True, slots=True)
class SaveTemplate:
    """``template_id`` None makes a new one of the draft."""

    template_id: UUID | None
    draft: Template


@dataclass(frozen=True, slots=True)
class DeleteTemplate:
    template_id: UUID


@dataclass(frozen=True, slots=True)
class Repair:
    station_id: UUID
