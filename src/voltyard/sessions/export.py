"""What flowed back in a session, from a register of its own. Pure.

The register only goes up, so late and repeated readings of it converge; one that went down by
itself was reset, and counts on from where it is.
"""

from datetime import datetime
from typing import Any

from voltyard.sessions.model import Session

STEP_MAX_WH = 1_000_000.0
"""More between two readings is no energy of one vehicle."""


def exported(session: Session, wh: float, at: datetime) -> dict[str, Any]:
    """What of the session a reading of the export register changes."""
    last_wh, total_wh = session.export_last_wh, session.energy_exported_wh
    if wh < 0.0:
        return {}
    if last_wh is None:
        return {"export_last_wh": wh}
    first_wh = last_wh - total_wh
    newest = session.last_reading_at is None or at >= session.last_reading_at
    if wh > last_wh and newest:
        step_wh = wh - last_wh
        grown_wh = total_wh + step_wh if step_wh <= STEP_MAX_WH else total_wh
        return {"export_last_wh": wh, "energy_exported_wh": grown_wh}
    if wh < last_wh and newest:
        return {"export_last_wh": wh}
    if 0.0 < first_wh - wh <= STEP_MAX_WH:
        return {"energy_exported_wh": total_wh + first_wh - wh}
    return {}
