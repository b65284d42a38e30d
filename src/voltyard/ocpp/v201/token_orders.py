"""Local lists, the cache and reservations in OCPP 2.0.1: what we ask of a station."""

from datetime import datetime
from typing import cast, get_args

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
from voltyard.errors import Invalid
from voltyard.ocpp.registry import outgoing
from voltyard.ocpp.routing import Expressed, single
from voltyard.ocpp.token_words import answered
from voltyard.ocpp.v201 import authorization, local_list, reservation
from voltyard.ocpp.v201.messages import MESSAGES
from voltyard.ocpp.v201.types import id_token_info, write_group, write_token
from voltyard.units import iso_z


def reserve(command: ReserveNow, now: datetime) -> Expressed:
    """H01. Without an EVSE it is any of the station's."""
    kind = command.connector_type
    if kind is not None and kind not in get_args(reservation.ConnectorWord):
        raise Invalid(f"there is no connector type {kind}")
    request = reservation.ReserveNow(
        id=command.reservation_id,
        expiry_date_time=iso_z(command.until_at),
        id_token=write_token(command.token),
        connector_type=cast(reservation.ConnectorWord | None, kind),
        evse_id=command.evse_number or None,
        group_id_token=write_group(command.group),
    )
    return single(outgoing(MESSAGES, request, answered))


def cancel_reservation(command: CancelReservation, now: datetime) -> Expressed:
    """H02."""
    request = reservation.CancelReservation(reservation_id=command.reservation_id)
    return single(outgoing(MESSAGES, request, answered))


def send_local_list(command: SendLocalList, now: datetime) -> Expressed:
    """D01. An entry without idTokenInfo leaves the list; no entries at all empty it."""
    entries = [_entry(entry) for entry in command.entries]
    request = local_list.SendLocalList(
        version_number=command.version,
        update_type="Full" if command.full else "Differential",
        local_authorization_list=entries or None,
    )
    return single(outgoing(MESSAGES, request, answered))


def _entry(entry: ListEntry) -> local_list.AuthorizationData:
    info = None if entry.authorisation is None else id_token_info(entry.authorisation)
    return local_list.AuthorizationData(id_token=write_token(entry.token), id_token_info=info)


def read_local_list_version(command: ReadLocalListVersion, now: datetime) -> Expressed:
    """D02."""
    return single(outgoing(MESSAGES, local_list.GetLocalListVersion(), _version))


def _version(response: local_list.GetLocalListVersionResponse) -> CommandResult:
    return CommandResult(CommandStatus.ACCEPTED, "", {"version": response.version_number})


def clear_cache(command: ClearCache, now: datetime) -> Expressed:
    """C11."""
    return single(outgoing(MESSAGES, authorization.ClearCache(), answered))


ORDERS = (reserve, cancel_reservation, send_local_list, read_local_list_version, clear_cache)
