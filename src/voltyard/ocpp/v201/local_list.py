"""OCPP 2.0.1 block D: the list of tokens a station keeps."""

from typing import Annotated, Literal

from voltyard.ocpp.v201.types import IdTokenInfo, IdTokenWire, StatusInfo, Wire201
from voltyard.ocpp.wire import Integer, OneOf, Some, Word

UpdateWord = Literal["Differential", "Full"]
SendLocalListStatusWord = Annotated[Word, OneOf("Accepted", "Failed", "VersionMismatch")]


class AuthorizationData(Wire201):
    id_token: IdTokenWire
    id_token_info: IdTokenInfo | None = None


class SendLocalList(Wire201):
    version_number: Integer
    update_type: UpdateWord
    local_authorization_list: Some[AuthorizationData] | None = None


class SendLocalListResponse(Wire201):
    status: SendLocalListStatusWord
    status_info: StatusInfo | None = None


class GetLocalListVersion(Wire201):
    pass


class GetLocalListVersionResponse(Wire201):
    version_number: Integer
