"""Whether two messages mean the same: repeated starts, stops without an id, tokens asked before."""

from datetime import timedelta

from voltyard.records import replace
from voltyard.sessions.fold import Tracked
from voltyard.sessions.model import (
    Authorisation,
    AuthorisationStatus,
    Flag,
    Phase,
    Session,
    TransactionReport,
)
from voltyard.sessions.tokens import clean, key, storable

RETRY_WINDOW = timedelta(hours=24)


def storable_report(report: TransactionReport) -> TransactionReport:
    """Without what no database holds; the token in its clean form."""
    token, ref, reason = report.id_token, report.transaction_ref, report.stop_reason
    given = (token, ref, report.message_key, reason)
    kept = (
        None if token is None else clean(token),
        None if ref is None else storable(ref),
        storable(report.message_key),
        None if reason is None else storable(reason),
    )
    if kept == given:
        return report
    id_token, transaction_ref, message_key, stop_reason = kept
    return replace(
        report,
        id_token=id_token,
        transaction_ref=transaction_ref,
        message_key=message_key,
        stop_reason=stop_reason,
    )


def start_key_of(report: TransactionReport) -> str:
    """The content of a 1.6 start. A clock that lies dates nothing: the message id stands in."""
    token = key(report.id_token.value) if report.id_token else ""
    meter = next((part.energy_wh for part in report.readings if part.energy_wh is not None), None)
    when = report.at.isoformat() if report.at.year >= 2015 else f"message {report.message_key}"
    return f"{report.evse_number}|{token}|{meter}|{when}"


def same_start(session: Session, start_key: str, report: TransactionReport) -> bool:
    """The same content; or the same message, connector, token and meter, only dated anew.

    Some chargers count messages from the beginning after a reboot: what begins after the session
    ended is another one.
    """
    if session.start_key == start_key:
        return True
    if session.ended_at is not None and report.at > session.ended_at:
        return False
    same_but_time = session.start_key.rsplit("|", 1)[0] == start_key.rsplit("|", 1)[0]
    recent = abs(report.at - session.started_at) <= RETRY_WINDOW
    return session.start_message == report.message_key and same_but_time and recent


def may_mean(tracked: Tracked, report: TransactionReport) -> bool:
    """Whether a message without a usable id fits the only running session."""
    session = tracked.session
    token = report.id_token
    named = token is not None and token.value != "" and session.id_token is not None
    if named and token and key(token.value) != key(session.id_token or ""):
        return False
    readings = [part.energy_wh for part in report.readings if part.energy_wh is not None]
    enough = not readings or max(readings) >= (session.meter_start_wh or 0.0)
    return report.at >= session.started_at and enough


def known_authorisation(tracked: Tracked, report: TransactionReport) -> Authorisation | None:
    """What was already answered about this token; after a restart, only whether it may charge."""
    session, token = tracked.session, report.id_token
    if token is None or session.authorisation is None or session.id_token is None:
        return None
    if key(token.value) != key(session.id_token):
        return None
    status = AuthorisationStatus(session.authorisation)
    if tracked.answered is not None and tracked.answered.status is status:
        return replace(
            tracked.answered, vehicle_id=session.vehicle_id, fleet_org_id=session.fleet_org_id
        )
    return Authorisation(
        status,
        session.vehicle_id,
        reason=session.authorisation_reason,
        fleet_org_id=session.fleet_org_id,
    )


def note_authorisation(
    tracked: Tracked, report: TransactionReport, authorisation: Authorisation | None
) -> None:
    """Note the answer, and the vehicle, if the session's own token was asked about."""
    session = tracked.session
    token = report.id_token
    if authorisation is None or token is None or report.phase is Phase.ENDED:
        return
    if token.value and session.id_token != token.value:
        return
    vehicle_id, fleet_org_id = session.vehicle_id, session.fleet_org_id
    if Flag.VEHICLE_ASSIGNED.value not in session.flags:
        if authorisation.vehicle_id is not None:
            vehicle_id = authorisation.vehicle_id
        if authorisation.vehicle_id is not None or vehicle_id is None:
            fleet_org_id = authorisation.fleet_org_id
    tracked.answered = authorisation
    tracked.session = replace(
        session,
        authorisation=authorisation.status.value,
        authorisation_reason=authorisation.reason,
        vehicle_id=vehicle_id,
        fleet_org_id=fleet_org_id,
    )
