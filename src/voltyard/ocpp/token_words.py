"""The words with which chargers of every version answer about lists, caches and reservations."""

from typing import Protocol

from voltyard.chargers.commands import CommandResult, CommandStatus

WORDS = {
    "Accepted": CommandStatus.ACCEPTED,
    "Rejected": CommandStatus.REJECTED,
    "Failed": CommandStatus.REJECTED,
    "VersionMismatch": CommandStatus.REJECTED,
    "Faulted": CommandStatus.REJECTED,
    "Occupied": CommandStatus.REJECTED,
    "Unavailable": CommandStatus.REJECTED,
    "NotSupported": CommandStatus.NOT_SUPPORTED,
}


class HasStatus(Protocol):
    @property
    def status(self) -> str: ...


def answered(response: HasStatus) -> CommandResult:
    return CommandResult(WORDS.get(response.status, CommandStatus.UNKNOWN), response.status)
