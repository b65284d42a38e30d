"""Pure: payloads that presystems send, strictly by the version's tables, in words of no version."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Literal, Union

import msgspec

from voltyard.timetable.vdv463.model import (
    ChargingRequest,
    Instruction,
    Kind,
    Preconditioning,
    PreconditioningKind,
    Version,
)

REQUESTS_MAX = 5_000
Percent = Annotated[float, msgspec.Meta(ge=0, le=100)]
Id = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Kilowatts = Annotated[int, msgspec.Meta(ge=0, le=10_000)]
Celsius = Annotated[float, msgspec.Meta(ge=-273, le=1_000)]

_OLD_WISHES = Literal[
    "WarmWaterAndVentilation",
    "HotWaterAndHeating",
    "NoWaterCoolingOrVentilation",
    "NoClimaticPreconditioningOrSNA",
]
_NEW_WISHES = Literal[
    "WarmWaterAndVentilation",
    "HotWaterAndHeating",
    "NoWaterCoolingOrVentilation",
    "NoClimaticPreconditioningOrSNA",
    "NoClimatePreconditioningOrAutomaticPreselectionByTheVehicle",
    "SNA",
]
_KINDS = {
    "WarmWaterAndVentilation": PreconditioningKind.VENTILATION,
    "HotWaterAndHeating": PreconditioningKind.HEATING,
    "NoWaterCoolingOrVentilation": PreconditioningKind.COOLING,
}
"""The other words ask for no climate."""


class Wire(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """``additionalProperties`` is false everywhere."""


class Boot(Wire):
    presystem: Literal["BMS", "ITCS"]


class Data(Wire):
    min_target_soc: Percent
    max_target_soc: Percent
    expected_arrival_time_at_charging_point: datetime | msgspec.UnsetType = msgspec.UNSET
    expected_soc_at_arrival: Percent | msgspec.UnsetType = msgspec.UNSET
    requested_time_for_departure: datetime | msgspec.UnsetType = msgspec.UNSET
    ad_hoc_charging: bool | msgspec.UnsetType = msgspec.UNSET


class Automatic10(Wire):
    preconditioning_request: _OLD_WISHES
    ambient_temperature: Celsius | msgspec.UnsetType = msgspec.UNSET
    requested_finish_time: datetime | msgspec.UnsetType = msgspec.UNSET


class Automatic11(Automatic10):
    requested_start_time: datetime | msgspec.UnsetType = msgspec.UNSET


class Automatic20(Wire):
    preconditioning_request: _NEW_WISHES
    ambient_temperature: Celsius | msgspec.UnsetType = msgspec.UNSET
    requested_finish_time: datetime | msgspec.UnsetType = msgspec.UNSET
    requested_start_time: datetime | msgspec.UnsetType = msgspec.UNSET
    target_soc: Percent | msgspec.UnsetType = msgspec.UNSET


class Manual1(Wire):
    hvac_preconditioning_start_time: datetime
    system_preconditioning_start_time: datetime
    hvac_auxiliary_consumer_power: Kilowatts | msgspec.UnsetType = msgspec.UNSET
    system_auxiliary_consumer_power: Kilowatts | msgspec.UnsetType = msgspec.UNSET


class Manual2(Manual1):
    target_soc: Percent | msgspec.UnsetType = msgspec.UNSET


class _Request(Wire):
    vehicle_id: Id
    charging_request_id: Id
    charging_request_data: Data
    charging_point_id: Id | msgspec.UnsetType = msgspec.UNSET
    charging_process_id: Id | msgspec.UnsetType = msgspec.UNSET
    priority: int | msgspec.UnsetType = msgspec.UNSET


class Request10(_Request):
    charging_instruction: Instruction | msgspec.UnsetType = msgspec.UNSET
    automatic_preconditioning: Automatic10 | msgspec.UnsetType = msgspec.UNSET
    manual_preconditioning: Manual1 | msgspec.UnsetType = msgspec.UNSET


class Request11(_Request):
    charging_instruction: Instruction | msgspec.UnsetType = msgspec.UNSET
    automatic_preconditioning: Automatic11 | msgspec.UnsetType = msgspec.UNSET
    manual_preconditioning: Manual1 | msgspec.UnsetType = msgspec.UNSET


class Request20(_Request):
    automatic_preconditioning: Automatic20 | msgspec.UnsetType = msgspec.UNSET
    manual_preconditioning: Manual2 | msgspec.UnsetType = msgspec.UNSET


class Requests10(Wire):
    charging_request_list: Annotated[
        list[Request10], msgspec.Meta(min_length=1, max_length=REQUESTS_MAX)
    ]


class Requests11(Wire):
    charging_request_list: Annotated[list[Request11], msgspec.Meta(max_length=REQUESTS_MAX)]


class Requests20(Wire):
    charging_request_list: Annotated[list[Request20], msgspec.Meta(max_length=REQUESTS_MAX)]


_AnyRequest = Request10 | Request11 | Request20
_AnyAutomatic = Union[Automatic10, Automatic11, Automatic20]  # noqa: UP007
_DECODERS: dict[
    Version, msgspec.json.Decoder[Requests10] | msgspec.json.Decoder[Requests11]
    | msgspec.json.Decoder[Requests20]
] = {
    Version.V10: msgspec.json.Decoder(Requests10),
    Version.V11: msgspec.json.Decoder(Requests11),
    Version.V20: msgspec.json.Decoder(Requests20),
}  # fmt: skip


class Unreadable(ValueError):
    """The payload breaks the version's rules; says where."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request of a list and what is said to be done with it (version 1)."""

    request: ChargingRequest
    instruction: Instruction | None = None


@dataclass(frozen=True, slots=True)
class Asking:
    """A whole list; ``notes`` name what is odd and was let pass."""

    requests: tuple[Asked, ...]
    notes: tuple[str, ...] = ()


def boot(payload: msgspec.Raw) -> Kind:
    """Raises Unreadable."""
    try:
        return Kind(msgspec.json.decode(payload, type=Boot).presystem)
    except (msgspec.DecodeError, RecursionError) as error:
        raise Unreadable(str(error)) from error


def requests(payload: msgspec.Raw, version: Version) -> Asking:
    """Raises Unreadable."""
    try:
        found = _DECODERS[version].decode(payload)
        asked = tuple(_asked(item) for item in found.charging_request_list)
    except (msgspec.DecodeError, RecursionError, OverflowError) as error:
        raise Unreadable(str(error)) from error
    counts = Counter(one.request.request_id for one in asked)
    twice = sorted(request_id for request_id, count in counts.items() if count > 1)
    if twice:
        raise Unreadable(f"chargingRequestId occurs twice: {', '.join(twice[:5])}")
    return Asking(asked, tuple(_notes(asked)))


def _asked(item: _AnyRequest) -> Asked:
    data = item.charging_request_data
    departure_at = _instant(data.requested_time_for_departure)
    request = ChargingRequest(
        request_id=item.charging_request_id,
        vehicle=item.vehicle_id,
        min_soc_pct=data.min_target_soc,
        max_soc_pct=data.max_target_soc,
        point=item.charging_point_id or "",
        process=item.charging_process_id or "",
        arrival_at=_instant(data.expected_arrival_time_at_charging_point),
        arrival_soc_pct=_given(data.expected_soc_at_arrival),
        departure_at=departure_at,
        priority=None if isinstance(item.priority, msgspec.UnsetType) else item.priority,
        ad_hoc=data.ad_hoc_charging is True,
        preconditioning=(
            *_automatic(item.automatic_preconditioning, departure_at),
            *_manual(item.manual_preconditioning, departure_at),
        ),
    )
    instruction = getattr(item, "charging_instruction", msgspec.UNSET)
    return Asked(request, None if instruction is msgspec.UNSET else instruction)


def _automatic(
    wish: _AnyAutomatic | msgspec.UnsetType, departure_at: datetime | None
) -> Sequence[Preconditioning]:
    if isinstance(wish, msgspec.UnsetType) or wish.preconditioning_request not in _KINDS:
        return ()
    start = getattr(wish, "requested_start_time", msgspec.UNSET)
    return (
        Preconditioning(
            kind=_KINDS[wish.preconditioning_request],
            start_at=_instant(start),
            end_at=_instant(wish.requested_finish_time) or departure_at,
            ambient_c=_given(wish.ambient_temperature),
            target_soc_pct=_given(getattr(wish, "target_soc", msgspec.UNSET)),
            automatic=True,
        ),
    )


def _manual(
    wish: Manual1 | msgspec.UnsetType, departure_at: datetime | None
) -> Sequence[Preconditioning]:
    """Climate and the vehicle's own systems (its battery), each from its start until departure."""
    if isinstance(wish, msgspec.UnsetType):
        return ()
    target_pct = _given(getattr(wish, "target_soc", msgspec.UNSET))
    pairs = (
        (
            PreconditioningKind.HEATING,
            wish.hvac_preconditioning_start_time,
            wish.hvac_auxiliary_consumer_power,
        ),
        (
            PreconditioningKind.BATTERY,
            wish.system_preconditioning_start_time,
            wish.system_auxiliary_consumer_power,
        ),
    )
    return [
        Preconditioning(
            kind=kind,
            start_at=_instant(start),
            end_at=departure_at,
            power_w=None if isinstance(power_kw, msgspec.UnsetType) else power_kw * 1000.0,
            target_soc_pct=target_pct,
        )
        for kind, start, power_kw in pairs
    ]


def _instant(value: datetime | msgspec.UnsetType) -> datetime | None:
    """A time without a zone counts as UTC."""
    if isinstance(value, msgspec.UnsetType):
        return None
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _given(value: float | msgspec.UnsetType) -> float | None:
    return None if isinstance(value, msgspec.UnsetType) else float(value)


def _notes(asked: Sequence[Asked]) -> list[str]:
    """What makes no sense, but can be used."""
    notes: list[str] = []
    vehicles: dict[str, str] = {}
    for one in asked:
        wish = one.request
        name = wish.request_id[:60]
        if wish.min_soc_pct > wish.max_soc_pct:
            notes.append(f"{name}: minTargetSoc is above maxTargetSoc")
        arrival_pct = wish.arrival_soc_pct
        if arrival_pct is not None and arrival_pct >= wish.max_soc_pct:
            notes.append(f"{name}: expectedSocAtArrival is not below maxTargetSoc")
        other = vehicles.setdefault(wish.vehicle, name)
        if other != name:
            notes.append(f"{name}: {wish.vehicle[:60]} has the request {other}, too")
    return notes[:20]
