"""OCPP 1.6 Local Auth List Management: the list of tokens a charger keeps."""

from typing import Annotated, Literal

from voltyard.ocpp.v16.types import IdTagInfo
from voltyard.ocpp.wire import Integer, OneOf, Str20, Wire, Word

UpdateTypeWord = Literal["Differential", "Full"]
SendLocalListStatusWord = Annotated[
    Word, OneOf("Accepted", "Failed", "NotSupported", "VersionMismatch")
]


class AuthorizationData(Wire):
    id_tag: Str20
    id_tag_info: IdTagInfo | None = None


class GetLocalListVersion(Wire):
    pass


class GetLocalListVersionResponse(Wire):
    list_version: Integer


class SendLocalList(Wire):
    list_version: Integer
    update_type: UpdateTypeWord
    local_authorization_list: list[AuthorizationData] | None = None


class SendLocalListResponse(Wire):
    status: SendLocalListStatusWord
