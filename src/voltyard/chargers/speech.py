"""What the charger room asks of the OCPP room about messages, in words that name no version's own.

Pages and REST know no OCPP: what a charger can be told, the shape of each message, what would
endanger a limit and how a frame reads are told here, and implemented by ``voltyard.ocpp``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any, Protocol

from voltyard.chargers.commands import Command
from voltyard.chargers.model import Quirks
from voltyard.tenancy.model import Permission

VERSIONS = ("1.6", "2.0.1", "2.1")


@dataclass(frozen=True, slots=True)
class MessageKind:
    """A message we may send, by the block of the standard it belongs to."""

    action: str
    block: str
    permission: Permission


@dataclass(frozen=True, slots=True)
class ReadField:
    """One field of a frame for a person: ``depth`` indents, ``note`` explains (unit, meaning)."""

    depth: int
    name: str
    text: str
    note: str = ""


class Speech(Protocol):
    """Versions are those of ``VERSIONS``. Raises NotFound for a version or message that is not."""

    def messages(self, version: str) -> Sequence[MessageKind]:
        """Everything a charger of that version can be told, by block and name."""

    def schema(self, version: str, action: str) -> Mapping[str, Any]:
        """JSON Schema of a message's payload."""

    def example(self, version: str, action: str) -> Mapping[str, Any]:
        """The smallest payload that is allowed, to begin with."""

    def check(self, version: str, action: str, payload: Mapping[str, Any]) -> None:
        """Raises Invalid with every wrong field."""

    def endangers(self, version: str, command: Command, quirks: Quirks) -> str:
        """Why a command could lift a limit that a site's control relies on; empty if it cannot."""

    def read(
        self, version: str, action: str, kind: str, payload: str, zone: tzinfo
    ) -> Sequence[ReadField]:
        """A frame's payload as fields, instants in ``zone``; odd text as one field."""
