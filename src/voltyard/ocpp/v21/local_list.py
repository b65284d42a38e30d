"""OCPP 2.1 block D: the list of tokens a station keeps."""

from voltyard.ocpp.v21.types import IdTokenInfo, IdTokenWire, StatusInfo
from voltyard.ocpp.v201 import local_list as local_list_201
from voltyard.ocpp.v201.types import Wire201
from voltyard.ocpp.wire import Some


class AuthorizationData(local_list_201.AuthorizationData, kw_only=True):
    id_token: IdTokenWire
    id_token_info: IdTokenInfo | None = None


class SendLocalList(local_list_201.SendLocalList, kw_only=True):
    local_authorization_list: Some[AuthorizationData] | None = None


class SendLocalListResponse(local_list_201.SendLocalListResponse, kw_only=True):
    status_info: StatusInfo | None = None


class GetLocalListVersion(Wire201):
    pass


class GetLocalListVersionResponse(local_list_201.GetLocalListVersionResponse):
    pass
