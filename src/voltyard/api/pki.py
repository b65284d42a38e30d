"""Certificates of an organisation: authorities, what is trusted, requests, revocations."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Response, Router, delete, get, post, put
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from voltyard.api.caller import Deps, Who
from voltyard.api.wire import In, Limit, Name, Offset, Out, Page, out, sliced
from voltyard.pki.model import (
    Algorithm,
    AnchorUse,
    CertificateFilter,
    CertificateState,
    Issuer,
    Policy,
)

PEM_TYPE = "application/x-pem-file"
Pem = Annotated[str, msgspec.Meta(min_length=1, max_length=100_000, description="PEM")]
CrlPem = Annotated[str, msgspec.Meta(min_length=1, max_length=8_000_000, description="PEM")]
Reason = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]


class AuthorityOut(Out):
    """A certificate authority of voltyard's own. ``root`` and ``issuing`` are PEM.

    ``current``: it issues; one that does not is trusted until it is retired.
    """

    algorithm: Algorithm
    root: str
    issuing: str
    subject: str
    not_after: datetime
    fingerprint: str
    generation: int
    current: bool


class PolicyOut(Out):
    """``organisation`` is the O of every certificate; empty means the organisation's own name."""

    organisation: str
    any_organisation: bool
    issuer: Issuer
    valid_days: int
    renew_days: int


class PolicyIn(In):
    """How stations get their certificates.

    ``issuer`` external: requests wait until a chain signed elsewhere is uploaded.
    ``any_organisation``: requests that name another O are signed, with ours.
    """

    organisation: Annotated[str, msgspec.Meta(max_length=64)] = ""
    any_organisation: bool = False
    issuer: Issuer = Issuer.BUILT_IN
    valid_days: Annotated[int, msgspec.Meta(ge=1, le=3650)] = 365
    renew_days: Annotated[int, msgspec.Meta(ge=0, le=365)] = 30


class AnchorOut(Out):
    """An imported certificate that stations' certificates may lead to."""

    id: UUID
    name: str
    use: AnchorUse
    certificate: str
    fingerprint: str
    subject: str
    not_after: datetime
    created_at: datetime
    created_by: str


class AnchorIn(In):
    """``operator``: your own authority. ``manufacturer``: vouches for new stations."""

    name: Name
    use: AnchorUse
    certificates: Pem


class CertificateOut(Out):
    """A station's request and what became of it; ``serial`` is in hexadecimal."""

    id: UUID
    station_id: UUID
    state: CertificateState
    issuer: Issuer
    csr: str
    chain: str
    serial: str | None
    fingerprint: str | None
    subject: str
    not_before: datetime | None
    not_after: datetime | None
    requested_at: datetime
    issued_at: datetime | None
    sent_at: datetime | None
    answered_at: datetime | None
    revoked_at: datetime | None
    reason: str


class ChainIn(In):
    """The station's certificate and those between it and a trusted root, in any order."""

    chain: Pem


class RevokeIn(In):
    reason: Reason


class RevocationOut(Out):
    """``issuer_hash`` is SHA-256 of the issuer's name; ``source`` is operator or crl."""

    issuer_hash: str
    serial: str
    revoked_at: datetime
    reason: str
    source: str


class CrlIn(In):
    crl: CrlPem


class CrlOut(Out):
    """How many certificates the list names."""

    count: int


@get("/pki/authorities", summary="voltyard's own authorities")
async def authorities(
    deps: Deps, who: Who, limit: Limit = 100, offset: Offset = 0
) -> Page[AuthorityOut]:
    found = await deps.pki.authorities(who)
    return sliced(AuthorityOut, found, limit=limit, offset=offset)


@get("/pki/roots", summary="Roots of voltyard's own authorities, as a file", media_type=PEM_TYPE)
async def roots(deps: Deps, who: Who) -> Response[str]:
    found = await deps.pki.authorities(who)
    return _file("".join(authority.root for authority in found), "voltyard-roots.pem")


@get(
    "/pki/authorities/{algorithm:str}/crl",
    summary="What of your stations' certificates is revoked, as a CRL",
    media_type=PEM_TYPE,
)
async def revocation_list(deps: Deps, who: Who, algorithm: FromPath[Algorithm]) -> Response[str]:
    return _file(await deps.pki.revocation_list(who, algorithm), f"voltyard-{algorithm.value}.crl")


@post(
    "/pki/authorities/{algorithm:str}/succeed",
    summary="Issue by a new root from now on",
    status_code=200,
)
async def succeed(deps: Deps, who: Who, algorithm: FromPath[Algorithm]) -> Page[AuthorityOut]:
    """It is signed by the old one, too; what the old one issued holds until that is retired."""
    found = await deps.pki.succeed(who, algorithm)
    return sliced(AuthorityOut, found, limit=len(found), offset=0)


@delete(
    "/pki/authorities/{algorithm:str}/{generation:int}", summary="Trust a former authority no more"
)
async def retire(
    deps: Deps, who: Who, algorithm: FromPath[Algorithm], generation: FromPath[int]
) -> None:
    """Refused while a station uses a certificate of it."""
    await deps.pki.retire(who, algorithm, generation)


@get("/pki/policy", summary="How stations get their certificates")
async def policy(deps: Deps, who: Who) -> PolicyOut:
    return out(PolicyOut, deps.pki.policy(who))


@put("/pki/policy", summary="Set how stations get their certificates")
async def set_policy(deps: Deps, who: Who, data: JSONBody[PolicyIn]) -> PolicyOut:
    wanted = Policy(**msgspec.structs.asdict(data))
    return out(PolicyOut, await deps.pki.set_policy(who, wanted))


@get("/pki/anchors", summary="Imported certificates that are trusted")
async def anchors(deps: Deps, who: Who, limit: Limit = 100, offset: Offset = 0) -> Page[AnchorOut]:
    return sliced(AnchorOut, deps.pki.anchors(who), limit=limit, offset=offset)


@post("/pki/anchors", summary="Trust the certificates of an authority")
async def trust(deps: Deps, who: Who, data: JSONBody[AnchorIn]) -> Page[AnchorOut]:
    """Every certificate of the text, each by itself."""
    added = await deps.pki.trust(who, data.name, data.use, data.certificates)
    return sliced(AnchorOut, added, limit=len(added), offset=0)


@delete("/pki/anchors/{anchor_id:uuid}", summary="Trust it no more")
async def distrust(deps: Deps, who: Who, anchor_id: FromPath[UUID]) -> None:
    """Stations connected by what it has issued are cut."""
    await deps.pki.distrust(who, anchor_id)


@get("/pki/revocations", summary="Certificates nobody is let in with")
async def revocations(
    deps: Deps, who: Who, limit: Limit = 100, offset: Offset = 0
) -> Page[RevocationOut]:
    found = await deps.pki.revocations(who)
    return sliced(RevocationOut, found, limit=limit, offset=offset)


@post("/pki/revocations", summary="Take over the CRL of an imported authority")
async def import_revocations(deps: Deps, who: Who, data: JSONBody[CrlIn]) -> CrlOut:
    """Stations connected with one it names are cut."""
    return CrlOut(count=await deps.pki.import_revocations(who, data.crl))


@get("/certificates", summary="Requests and certificates of stations, newest first")
async def certificates(
    deps: Deps,
    who: Who,
    limit: Limit = 100,
    offset: Offset = 0,
    station_id: FromQuery[UUID | None] = None,
    only_state: Annotated[CertificateState | None, QueryParameter(name="state")] = None,
    ends_before: FromQuery[datetime | None] = None,
) -> Page[CertificateOut]:
    wanted = CertificateFilter(station_id, only_state, ends_before)
    asked = min(limit, 999)
    found = await deps.pki.certificates(who, wanted, limit=asked + 1, offset=offset)
    items = [out(CertificateOut, row) for row in found[:asked]]
    return Page(items=items, limit=asked, offset=offset, more=len(found) > asked)


@get("/certificates/{certificate_id:uuid}", summary="One certificate")
async def certificate(deps: Deps, who: Who, certificate_id: FromPath[UUID]) -> CertificateOut:
    return out(CertificateOut, await deps.pki.certificate(who, certificate_id))


@get(
    "/certificates/{certificate_id:uuid}/request",
    summary="The station's request, as a file",
    media_type=PEM_TYPE,
)
async def request_file(deps: Deps, who: Who, certificate_id: FromPath[UUID]) -> Response[str]:
    """To be carried to an authority elsewhere."""
    row = await deps.pki.certificate(who, certificate_id)
    return _file(row.csr, f"{row.id}.csr")


@put("/certificates/{certificate_id:uuid}/chain", summary="Hand in what was signed elsewhere")
async def upload(
    deps: Deps, who: Who, certificate_id: FromPath[UUID], data: JSONBody[ChainIn]
) -> CertificateOut:
    """It is checked, kept and sent to the station."""
    return out(CertificateOut, await deps.pki.upload(who, certificate_id, data.chain))


@post("/certificates/{certificate_id:uuid}/revoke", summary="Revoke it", status_code=200)
async def revoke(
    deps: Deps, who: Who, certificate_id: FromPath[UUID], data: JSONBody[RevokeIn]
) -> CertificateOut:
    """A station connected with it is cut at once."""
    return out(CertificateOut, await deps.pki.revoke(who, certificate_id, data.reason))


def _file(text: str, name: str) -> Response[str]:
    headers = {"content-disposition": f'attachment; filename="{name}"'}
    return Response(text, media_type=PEM_TYPE, headers=headers)


ROUTER = Router(
    path="/",
    tags=["Certificates"],
    route_handlers=[
        authorities,
        roots,
        revocation_list,
        succeed,
        retire,
        policy,
        set_policy,
        anchors,
        trust,
        distrust,
        revocations,
        import_revocations,
        certificates,
        certificate,
        request_file,
        upload,
        revoke,
    ],
)
