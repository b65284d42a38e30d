"""The one door from the console to the rest of voltyard: what its pages ask for and do."""

from collections.abc import Mapping
from datetime import datetime
from typing import Protocol
from uuid import UUID

from voltyard.chargers.model import FrameFilter, StationFilter, StationState
from voltyard.fleets.commands import TokenDraft, VehicleDraft
from voltyard.fleets.model import TokenFilter
from voltyard.sessions.model import SessionFilter
from voltyard.tenancy.model import ApiKey, Permission, Principal
from voltyard.web.console import views as v

LiveValue = str | float | int | bool | None
LiveRecord = Mapping[str, LiveValue]


class LiveData(Protocol):
    """The state of each live topic, asked for about once a second while somebody looks.

    Topics: ``board:<site id>``, ``load:<site id>``, ``tree:<site id>``, ``station:<station id>``,
    ``log:<station id>`` and ``alerts``. Each is answered by one method; the hub finds what changed.
    """

    async def board(self, who: Principal, site_id: UUID) -> v.BoardView: ...

    async def load_now(self, who: Principal, site_id: UUID) -> v.LoadSeries:
        """The newest few columns of the load series (at least the last two minutes)."""

    async def tree(self, who: Principal, site_id: UUID) -> v.TreeView: ...

    async def station(self, who: Principal, station_id: UUID) -> v.StationView: ...

    async def commands(
        self, who: Principal, station_id: UUID, limit: int = 20
    ) -> tuple[v.CommandRow, ...]: ...

    async def frames(
        self, who: Principal, station_id: UUID, wanted: FrameFilter, paging: v.Paging
    ) -> v.Page[v.FrameRow]:
        """Newest first."""

    async def alerts(
        self, who: Principal, wanted: v.AlertFilter, paging: v.Paging
    ) -> v.Page[v.AlertRow]:
        """Newest first, open before resolved."""


class ConsoleData(LiveData, Protocol):
    """Everything the pages read and change.

    Methods raise the errors of ``voltyard.errors``: NotFound, Invalid with ``fields`` named as
    the form's fields, Conflict, Forbidden (checked here again, whatever the page offered).
    """

    def now(self) -> datetime: ...

    async def sites(self, who: Principal) -> tuple[v.SiteView, ...]: ...

    async def load(
        self, who: Principal, site_id: UUID, since: datetime, until: datetime
    ) -> v.LoadSeries:
        """Measured to now; plan, limit and reserve past and ahead; at most 2,000 columns."""

    async def timetable(
        self, who: Principal, site_id: UUID, since: datetime, until: datetime
    ) -> v.Timetable:
        """Duties whose stay meets the window, by departure."""

    async def sessions(
        self, who: Principal, wanted: SessionFilter, paging: v.Paging
    ) -> v.Page[v.SessionRow]:
        """Newest start first."""

    async def session(self, who: Principal, session_id: UUID) -> v.SessionView: ...

    async def prioritise(self, who: Principal, session_id: UUID, *, first: bool) -> None:
        """Its vehicle is charged before all others, or not any more."""

    async def order_discharge(
        self,
        who: Principal,
        session_id: UUID,
        power_w: float,
        until_at: datetime,
        soc_floor_pct: float,
    ) -> None: ...

    async def end_discharge(self, who: Principal, session_id: UUID) -> None: ...

    async def stations(
        self, who: Principal, wanted: StationFilter, paging: v.Paging
    ) -> v.Page[v.StationRow]:
        """By identity; pending ones first."""

    async def decide_station(
        self, who: Principal, station_id: UUID, state: StationState, site_id: UUID | None
    ) -> None:
        """Approve (``site_id`` says where) or reject a station."""

    async def frame(self, who: Principal, station_id: UUID, frame_id: str) -> v.FrameView: ...

    async def run_command(
        self, who: Principal, station_id: UUID, name: str, params: Mapping[str, str]
    ) -> UUID:
        """Start a command and return at once; its progress is in ``commands``.

        ``name`` and the meaning of ``params`` are those of ``console.commands.COMMANDS``.
        """

    async def duties(
        self, who: Principal, wanted: v.DutyFilter, paging: v.Paging
    ) -> v.Page[v.DutyRow]:
        """By departure."""

    async def duty(self, who: Principal, duty_id: UUID) -> v.DutyRow: ...

    async def save_duty(
        self, who: Principal, site_id: UUID, duty_id: UUID | None, form: v.DutyForm
    ) -> UUID: ...

    async def delete_duty(self, who: Principal, duty_id: UUID) -> None: ...

    async def start_import(
        self, who: Principal, site_id: UUID, file_name: str, content: bytes
    ) -> UUID:
        """Begin a dry run of a CSV or SpiceEV file; follow it with ``import_state``."""

    async def import_state(self, who: Principal, import_id: UUID) -> v.ImportView: ...

    async def confirm_import(self, who: Principal, import_id: UUID) -> None:
        """Write what the dry run found good; Conflict when it has faults or is not checked."""

    async def vehicles(self, who: Principal, text: str, paging: v.Paging) -> v.Page[v.VehicleRow]:
        """By name."""

    async def vehicle(self, who: Principal, vehicle_id: UUID) -> v.VehicleRow: ...

    async def save_vehicle(
        self, who: Principal, vehicle_id: UUID | None, form: VehicleDraft
    ) -> UUID: ...

    async def tokens(
        self, who: Principal, wanted: TokenFilter, paging: v.Paging
    ) -> v.Page[v.TokenRow]:
        """By value."""

    async def token(self, who: Principal, token_id: UUID) -> v.TokenRow: ...

    async def save_token(self, who: Principal, token_id: UUID | None, form: TokenDraft) -> UUID: ...

    async def acknowledge_alert(self, who: Principal, alert_id: UUID) -> None: ...

    async def save_limit(
        self, who: Principal, site_id: UUID, node_id: UUID, index: int | None, form: v.LimitForm
    ) -> None:
        """Change limit ``index`` of a node, or add one (None)."""

    async def delete_limit(
        self, who: Principal, site_id: UUID, node_id: UUID, index: int
    ) -> None: ...

    async def users(self, who: Principal) -> tuple[v.UserRow, ...]: ...

    async def save_user(self, who: Principal, user_id: UUID | None, form: v.UserForm) -> UUID: ...

    async def keys(self, who: Principal) -> tuple[ApiKey, ...]: ...

    async def create_key(
        self,
        who: Principal,
        name: str,
        scopes: frozenset[Permission],
        expires_at: datetime | None,
    ) -> v.NewKey: ...

    async def revoke_key(self, who: Principal, key_id: UUID) -> None: ...

    async def audit(
        self, who: Principal, wanted: v.AuditFilter, paging: v.Paging
    ) -> v.Page[v.AuditRow]:
        """Newest first."""
