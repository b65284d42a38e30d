"""Local lists, the cache and reservations in OCPP 1.6: what we ask of a charger."""

from datetime import datetime

from voltyard.chargers.commands import (
    CancelReservation,
    ClearCache,
    CommandResult,
    CommandStatus,
    ListEntry,
    ReadLocalListVersion,
    ReserveNow,
    SendLocalList,
)
from voltyard.ocpp.registry import outgoing
from voltyard.ocpp.routing import Expressed, single
from voltyard.ocpp.token_words import answered
from voltyard.ocpp.tokens import id_tag
from voltyard.ocpp.v16 import local_list, operations, reservation
from voltyard.ocpp.v16.messages import MESSAGES
from voltyard.ocpp.v16.types import ID_TAG_MAX, id_tag_info
from voltyard.units import iso_z


def reserve(command: ReserveNow, now: datetime) -> Expressed:
    """Connector 0 is any of the station's (1.6 §5.13)."""
    request = reservation.ReserveNow(
        connector_id=command.evse_number or 0,
        expiry_date=iso_z(command.until_at),
        id_tag=id_tag(command.token),
        reservation_id=command.reservation_id,
        parent_id_tag=command.group if 0 < len(command.group) <= ID_TAG_MAX else None,
    )
    return single(outgoing(MESSAGES, request, answered))


def cancel_reservation(command: CancelReservation, now: datetime) -> Expressed:
    request = reservation.CancelReservation(reservation_id=command.reservation_id)
    return single(outgoing(MESSAGES, request, answered))


def send_local_list(command: SendLocalList, now: datetime) -> Expressed:
    """An entry without idTagInfo leaves the list (§5.15)."""
    request = local_list.SendLocalList(
        list_version=command.version,
        update_type="Full" if command.full else "Differential",
        local_authorization_list=[_entry(entry) for entry in command.entries],
    )
    return single(outgoing(MESSAGES, request, answered))


def _entry(entry: ListEntry) -> local_list.AuthorizationData:
    info = None if entry.authorisation is None else id_tag_info(entry.authorisation)
    return local_list.AuthorizationData(id_tag=id_tag(entry.token), id_tag_info=info)


def read_local_list_version(command: ReadLocalListVersion, now: datetime) -> Expressed:
    return single(outgoing(MESSAGES, local_list.GetLocalListVersion(), _version))


def _version(response: local_list.GetLocalListVersionResponse) -> CommandResult:
    return CommandResult(CommandStatus.ACCEPTED, "", {"version": response.list_version})


def clear_cache(command: ClearCache, now: datetime) -> Expressed:
    return single(outgoing(MESSAGES, operations.ClearCache(), answered))


ORDERS = (reserve, cancel_reservation, send_local_list, read_local_list_version, clear_cache)
