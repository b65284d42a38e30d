"""What telematics needs of other rooms, and what a system that is asked must be able to do."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from voltyard.errors import VoltyardError
from voltyard.fleets.model import Vehicle
from voltyard.sessions.model import Session
from voltyard.telematics.model import Asset, Connection, Told
from voltyard.tenancy.model import Principal
from voltyard.timetable.model import Duty


class Vehicles(Protocol):
    async def own(self, org_id: UUID) -> Sequence[Vehicle]: ...

    async def vehicle_of(self, org_id: UUID, vehicle_id: UUID) -> Vehicle | None:
        """One's own, or of a depot operator its operators'."""


class Sessions(Protocol):
    def open_sessions(
        self, *, org_id: UUID | None = None, site_id: UUID | None = None
    ) -> Sequence[Session]: ...


class Duties(Protocol):
    async def find(self, org_id: UUID, wanted: Any) -> tuple[Sequence[Duty], int]: ...

    async def save(
        self, who: Principal, duty: Duty, *, expect_new: bool | None = None, remote: str = ""
    ) -> Duty:
        """Raises Invalid, NotFound, Conflict."""


class Sites(Protocol):
    async def charging_site(self, principal: Principal, site_id: UUID) -> Any:
        """One's own or one that one is admitted to. Raises NotFound for all others."""


class Sealer(Protocol):
    """Secrets at rest."""

    def seal(self, text: str, about: str) -> bytes: ...

    def open(self, sealed: bytes, about: str) -> str:
        """Raises Invalid."""


class Unreadable(VoltyardError):
    """A system did not answer, or not so that it could be read. ``refused``: it does not let us
    in, asking again soon is useless; ``after_s``: it says when it may be asked again."""

    code = "telematics_unreadable"

    def __init__(
        self,
        message: str,
        *,
        refused: bool = False,
        after_s: float | None = None,
        detail: str = "",
    ) -> None:
        super().__init__(message, detail=detail)
        self.refused = refused
        self.after_s = after_s


@dataclass(frozen=True, slots=True)
class Secrets:
    """``password`` or token to get in; ``signing`` secrets of what is posted to us, the newest
    first."""

    password: str = ""
    signing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """Some of what is new. ``cursor`` is where to go on; ``more``: ask again at once; ``after_s``:
    not before. ``assets`` are vehicles that it names."""

    told: Sequence[Told]
    cursor: Mapping[str, str]
    more: bool = False
    after_s: float | None = None
    assets: Sequence[Asset] = field(default=())


class Source(Protocol):
    """A system that is asked."""

    async def page(
        self, connection: Connection, secrets: Secrets, cursor: Mapping[str, str], now: datetime
    ) -> Page:
        """Raises Unreadable."""
