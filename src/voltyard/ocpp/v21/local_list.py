"""OCPP 2.1 block D: the list of tokens a station keeps."""

from voltyard.ocpp.v21.types import IdTokenInfo, IdTokenWire, StatusInfo
from voltyard.ocpp.v201 import local_list as local_list_201
from voltyard.ocpp.v201.local_list import SendLocalListStatusWord, UpdateWord
from voltyard.ocpp.v201.types import Wire201
from voltyard.ocpp.wire import Integer, Some


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


class GetLocalListVersionResponse(local_list_201.GetLocalListVersionResponse):
    pass
