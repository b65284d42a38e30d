"""Contract certificates from a pool by HTTP, in the shape of OPNC and OPCP."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec

from voltyard.contracts.fetching import Fetcher
from voltyard.contracts.model import Contract, ContractOrder, Unobtainable

ANSWER_MAX = 1 << 20
REASON_MAX = 200
ISO_2 = "urn:iso:15118:2:2013:MsgDef"
ISO_20 = "urn:iso:15118:20:2020:MsgDef"
"""How the pools name the two editions, whatever the vehicle's schema is called in full."""


class ContractProvider(Protocol):
    """Somebody who has contract certificates for vehicles; see docs/extend/contract-provider.md."""

    async def contracts(self, order: ContractOrder) -> Sequence[Contract]:
        """At least one, the preferred first. Raises Unobtainable, with the reason."""


@dataclass(frozen=True, slots=True)
class PoolSettings:
    """``url``: the whole address of the operation. ``update_url`` is asked for renewals: neither
    OPNC 1 nor OPCP 1 has an operation for these, so without it they are refused.
    ``party``: our operator id, told to pools that pass requests on to others."""

    url: str
    update_url: str = ""
    key: str = ""
    party: str = ""


class HttpPool:
    """POST ``signedcontractdata`` of OPNC's CCP API 1.0 (OPCP 1.0.0: ``signedContractData``).

    https://charinev.github.io/opnc/ccp; github.com/hubject/opcp, ccp.v1. The two answer in
    different wrappings; both are read.
    """

    def __init__(self, fetcher: Fetcher, settings: PoolSettings) -> None:
        self._fetcher = fetcher
        self._settings = settings

    async def contracts(self, order: ContractOrder) -> Sequence[Contract]:
        url = self._settings.update_url if order.update else self._settings.url
        if not url:
            raise Unobtainable("the pool has no operation for updates")
        body = msgspec.json.encode(_Request(order.exi_request, namespace_of(order.schema_version)))
        received = await self._fetcher.exchange(url, body, self._headers(), size_max=ANSWER_MAX)
        if received.status != 200:
            raise Unobtainable(
                f"the pool answers HTTP {received.status}", detail=_complaint(received.body)
            )
        found = _read(received.body)
        if not found:
            raise Unobtainable("the pool has no contract for this vehicle")
        return _preferred(found, order.preferred)

    def _headers(self) -> dict[str, str]:
        """Without ``alwaysReturnEXI``: a failure shall be told as one, not wrapped for the car."""
        headers = {
            "content-type": "application/json",
            "accept": "application/json",
            "alwaysReturnEXI": "false",
        }
        if self._settings.key:
            headers["authorization"] = f"Bearer {self._settings.key}"
        if self._settings.party:
            headers["OPNC-from-party-type"] = "cpo"
            headers["OPNC-from-party-id"] = self._settings.party
        return headers


class _Request(msgspec.Struct):
    """GetSignedContractDataReqV1."""

    certificateInstallationReq: str
    xsdMsgDefNamespace: str


class _Data(msgspec.Struct):
    """SignedContractDataV1; of OPCP, ``messageDef``."""

    certificateInstallationRes: str
    emaid: str = ""


class _Content(msgspec.Struct):
    messageDef: _Data


class _Wrapped(msgspec.Struct):
    emaidContent: list[_Content] = []


class _Response(msgspec.Struct):
    """GetSignedContractDataResV1, or GetSignedContractDataResponse of OPCP."""

    signedContractDataCollection: list[_Data] | None = None
    CCPResponse: _Wrapped | None = None


class _Error(msgspec.Struct):
    """ErrorV1."""

    errorMessages: list[str] = []
    traceId: str = ""


def _read(body: bytes) -> list[Contract]:
    try:
        response = msgspec.json.decode(body, type=_Response)
    except msgspec.MsgspecError as error:
        raise Unobtainable("the pool's answer cannot be read", detail=str(error)) from None
    found = response.signedContractDataCollection or []
    if response.CCPResponse is not None:
        found = [*found, *(content.messageDef for content in response.CCPResponse.emaidContent)]
    return [
        Contract(data.certificateInstallationRes, data.emaid)
        for data in found
        if data.certificateInstallationRes
    ]


def _complaint(body: bytes) -> str:
    """What the pool says of its refusal, for the log."""
    try:
        error = msgspec.json.decode(body, type=_Error)
    except msgspec.MsgspecError:
        return ""
    return f"{'; '.join(error.errorMessages)} {error.traceId}".strip()[:REASON_MAX]


def _preferred(found: Sequence[Contract], wanted: Sequence[str]) -> list[Contract]:
    """Those the vehicle names first, in its order (2.1 Get15118EVCertificate)."""
    places = {emaid_key(emaid): place for place, emaid in enumerate(wanted)}
    last = len(places)
    return sorted(found, key=lambda contract: places.get(emaid_key(contract.emaid), last))


def emaid_key(emaid: str) -> str:
    """Without hyphens and check digit, in capitals: DE-8AA-CA2B3C4D5-N is DE8AACA2B3C4D5."""
    plain = emaid.replace("-", "").upper()
    return plain[:14] if len(plain) == 15 else plain


def namespace_of(schema: str) -> str:
    """``urn:iso:std:iso:15118:-20:CommonMessages`` and the like as the pools name them."""
    text = schema.replace("15118:-20", "15118:20").replace("15118-20", "15118:20")
    if "15118:20" in text:
        return ISO_20
    return ISO_2 if "15118:2:" in text or "15118-2" in text else schema
