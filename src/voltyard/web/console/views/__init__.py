"""What the console shows: frozen view models, in SI units and UTC, with no rule in them."""

from voltyard.web.console.views.access import EntryRow, ListRow, RefusalRow, ReservationRow
from voltyard.web.console.views.alerts import AlertFilter, AlertRow
from voltyard.web.console.views.board import (
    BoardHead,
    BoardTile,
    BoardView,
    DepartureRow,
    LoadSeries,
    OfflineRow,
    TileState,
)
from voltyard.web.console.views.common import (
    AreaView,
    Choice,
    Outlook,
    Page,
    Paging,
    SiteView,
    Stretch,
    T,
)
from voltyard.web.console.views.duties import (
    DutyFilter,
    DutyForm,
    DutyRow,
    ImportPhase,
    ImportView,
    RowFault,
)
from voltyard.web.console.views.fleet import TokenRow, VehicleRow
from voltyard.web.console.views.people import (
    AuditFilter,
    AuditRow,
    NewKey,
    UserForm,
    UserRow,
)
from voltyard.web.console.views.sessions import (
    DischargeView,
    MeterCurve,
    Repair,
    SessionRow,
    SessionView,
)
from voltyard.web.console.views.sites import LimitForm, LimitView, NodeView, TreeView
from voltyard.web.console.views.stations import (
    CommandProgress,
    CommandRow,
    EvseView,
    FrameRow,
    FrameView,
    SettingRow,
    StationRow,
    StationView,
)
from voltyard.web.console.views.timetable import Timetable, TimetableRow

__all__ = [
    "AlertFilter",
    "AlertRow",
    "AreaView",
    "AuditFilter",
    "AuditRow",
    "BoardHead",
    "BoardTile",
    "BoardView",
    "Choice",
    "CommandProgress",
    "CommandRow",
    "DepartureRow",
    "DischargeView",
    "DutyFilter",
    "DutyForm",
    "DutyRow",
    "EntryRow",
    "EvseView",
    "FrameRow",
    "FrameView",
    "ImportPhase",
    "ImportView",
    "LimitForm",
    "LimitView",
    "ListRow",
    "LoadSeries",
    "MeterCurve",
    "NewKey",
    "NodeView",
    "OfflineRow",
    "Outlook",
    "Page",
    "Paging",
    "RefusalRow",
    "Repair",
    "ReservationRow",
    "RowFault",
    "SessionRow",
    "SessionView",
    "SettingRow",
    "SiteView",
    "StationRow",
    "StationView",
    "Stretch",
    "T",
    "TileState",
    "Timetable",
    "TimetableRow",
    "TokenRow",
    "TreeView",
    "UserForm",
    "UserRow",
    "VehicleRow",
]
