"""OCPP 1.6 Core: what we ask of a charger."""

from typing import Annotated, ClassVar, Literal

from voltyard.ocpp.v16.smart_charging import ChargingProfile
from voltyard.ocpp.wire import Integer, OneOf, Str20, Str50, Str500, Wire, Word

ChangeAvailabilityTypeWord = Literal["Inoperative", "Operative"]
ChangeAvailabilityStatusWord = Annotated[Word, OneOf("Accepted", "Rejected", "Scheduled")]
ChangeConfigurationStatusWord = Annotated[
    Word, OneOf("Accepted", "Rejected", "RebootRequired", "NotSupported")
]
ClearCacheStatusWord = Annotated[Word, OneOf("Accepted", "Rejected")]
RemoteStartTransactionStatusWord = Annotated[Word, OneOf("Accepted", "Rejected")]
RemoteStopTransactionStatusWord = Annotated[Word, OneOf("Accepted", "Rejected")]
ResetTypeWord = Literal["Hard", "Soft"]
ResetStatusWord = Annotated[Word, OneOf("Accepted", "Rejected")]
UnlockConnectorStatusWord = Annotated[Word, OneOf("Unlocked", "UnlockFailed", "NotSupported")]


class KeyValue(Wire):
    expected: ClassVar[tuple[str, ...]] = ("readonly",)

    key: Str50
    readonly: bool | None = None
    value: Str500 | None = None


class ChangeAvailability(Wire):
    connector_id: Integer
    type: ChangeAvailabilityTypeWord


class ChangeAvailabilityResponse(Wire):
    status: ChangeAvailabilityStatusWord


class ChangeConfiguration(Wire):
    key: Str50
    value: Str500


class ChangeConfigurationResponse(Wire):
    status: ChangeConfigurationStatusWord


class GetConfiguration(Wire):
    key: list[Str50] | None = None


class GetConfigurationResponse(Wire):
    configuration_key: list[KeyValue] | None = None
    unknown_key: list[Str50] | None = None


class ClearCache(Wire):
    pass


class ClearCacheResponse(Wire):
    status: ClearCacheStatusWord


class RemoteStartTransaction(Wire):
    id_tag: Str20
    connector_id: Integer | None = None
    charging_profile: ChargingProfile | None = None


class RemoteStartTransactionResponse(Wire):
    status: RemoteStartTransactionStatusWord


class RemoteStopTransaction(Wire):
    transaction_id: Integer


class RemoteStopTransactionResponse(Wire):
    status: RemoteStopTransactionStatusWord


class Reset(Wire):
    type: ResetTypeWord


class ResetResponse(Wire):
    status: ResetStatusWord


class UnlockConnector(Wire):
    connector_id: Integer


class UnlockConnectorResponse(Wire):
    status: UnlockConnectorStatusWord
