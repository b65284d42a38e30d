"""Security of stations: profiles, certificates they hold, security events."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Router, get, post, put
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from voltyard.api.caller import Deps, Who
from voltyard.api.pki import Pem, Reason, RevokeIn
from voltyard.api.wire import In, Limit, Offset, Out, Page, Text, out, sliced
from voltyard.pki.model import EventFilter, Profile, SecurityView
from voltyard.tenancy.access import require
from voltyard.tenancy.model import Permission

ProfileNumber = Annotated[int, msgspec.Meta(ge=0, le=3)]


class InstalledOut(Out):
    """A certificate a station holds, by hashes in hexadecimal."""

    use: str
    algorithm: str
    issuer_name_hash: str
    issuer_key_hash: str
    serial: str


class SecurityOut(Out):
    """``required``: connections below are refused. ``target``: what it was told to use next.

    ``certificate_name``: a CN besides the identity that is this station's. ``by_manufacturer``:
    it still shows its maker's certificate.
    """

    station_id: UUID
    identity: str
    connected: bool
    required: int
    target: int | None
    target_at: datetime | None
    used: int | None
    used_at: datetime | None
    used_fingerprint: str | None
    used_not_after: datetime | None
    by_manufacturer: bool
    connected_profile: int | None
    certificate_name: str | None
    renewal_asked_at: datetime | None
    password_asked_at: datetime | None
    password_changed_at: datetime | None
    installed: list[InstalledOut]
    installed_at: datetime | None


class RaiseIn(In):
    """``url``, ``slot`` and ``interface`` are for stations of OCPP 2."""

    profile: Annotated[int, msgspec.Meta(ge=1, le=3)]
    url: Annotated[str, msgspec.Meta(max_length=512)] | None = None
    slot: Annotated[int, msgspec.Meta(ge=0, le=99)] | None = None
    interface: Annotated[str, msgspec.Meta(pattern="^(Wired|Wireless)[0-3]$")] = "Wired0"


class StationStepIn(In):
    """One step of the way up, for many stations: see docs/operate/security.md.

    ``root`` puts voltyard's own root on them, ``certificate`` asks for a request, ``profile``
    raises the security profile, ``password`` gives each a new one.
    """

    station_ids: Annotated[list[UUID], msgspec.Meta(min_length=1, max_length=1000)]
    step: Annotated[str, msgspec.Meta(pattern="^(root|certificate|profile|password)$")]
    profile: Annotated[int, msgspec.Meta(ge=1, le=3)] = 3
    url: Annotated[str, msgspec.Meta(max_length=512)] | None = None


class DoneOut(Out):
    """What came of one station; ``code`` and ``message`` say why not."""

    station_id: UUID
    ok: bool
    code: str
    message: str


class RequiredIn(In):
    """By a person's word alone, also downwards."""

    profile: ProfileNumber
    reason: Reason


class CertificateNameIn(In):
    certificate_name: Annotated[str, msgspec.Meta(min_length=1, max_length=64)] | None


class RootIn(In):
    """``use``: csms_root, manufacturer_root, v2g_root or mo_root. Without ``certificate``: ours."""

    use: Annotated[str, msgspec.Meta(pattern="^(csms|manufacturer|v2g|mo)_root$")] = "csms_root"
    certificate: Pem | None = None


class InstalledIn(In):
    """One of those that were read last."""

    algorithm: Annotated[str, msgspec.Meta(max_length=20)]
    serial: Annotated[str, msgspec.Meta(max_length=40)]
    issuer_key_hash: Annotated[str, msgspec.Meta(max_length=128)]


class WordOut(Out):
    """What the station said."""

    word: str


class SecurityEventOut(Out):
    """``source`` is charger, or voltyard for what was seen at the door."""

    id: UUID
    station_id: UUID
    at: datetime
    received_at: datetime
    kind: str
    info: str
    critical: bool
    source: str


@get("/security", summary="Security profiles of all stations")
async def securities(
    deps: Deps, who: Who, limit: Limit = 100, offset: Offset = 0
) -> Page[SecurityOut]:
    found = [_security(view) for view in deps.pki.securities(who)]
    return sliced(SecurityOut, found, limit=limit, offset=offset)


@post("/security/steps", summary="One step of the way up, for many stations", status_code=200)
async def step(deps: Deps, who: Who, data: JSONBody[StationStepIn]) -> Page[DoneOut]:
    """Each station by itself: one that is offline or refuses stops no other."""
    require(who, Permission.CHARGERS_COMMAND)
    field = deps.pki.field
    if data.step == "profile":
        await field.permit_many(who, data.station_ids, Profile(data.profile), data.url)

    async def work(station_id: UUID) -> object:
        if data.step == "root":
            return await field.install_root(who, station_id, "csms_root")
        if data.step == "certificate":
            return await deps.pki.renew(who, station_id)
        if data.step == "password":
            return await deps.pki.rotation.rotate(who, station_id)
        profile = Profile(data.profile)
        return await field.raise_profile(who, station_id, profile, url=data.url, permitted=True)

    done = await field.each(data.station_ids, work)
    return sliced(DoneOut, done, limit=len(done), offset=0)


@get("/stations/{station_id:uuid}/security", summary="Security of a station")
async def security(deps: Deps, who: Who, station_id: FromPath[UUID]) -> SecurityOut:
    return _security(deps.pki.security(who, station_id))


@post(
    "/stations/{station_id:uuid}/security-profile",
    summary="Have a station use a higher security profile",
    status_code=200,
)
async def raise_profile(
    deps: Deps, who: Who, station_id: FromPath[UUID], data: JSONBody[RaiseIn]
) -> SecurityOut:
    """The old one holds until the station has connected with the new one."""
    await deps.pki.field.raise_profile(
        who,
        station_id,
        Profile(data.profile),
        url=data.url,
        slot=data.slot,
        interface=data.interface,
    )
    return _security(deps.pki.security(who, station_id))


@put(
    "/stations/{station_id:uuid}/required-profile",
    summary="Set below which profile a station is refused",
)
async def set_required(
    deps: Deps, who: Who, station_id: FromPath[UUID], data: JSONBody[RequiredIn]
) -> SecurityOut:
    """The only way down, for a station that was reset or exchanged."""
    view = await deps.pki.set_required(who, station_id, Profile(data.profile), data.reason)
    return _security(view)


@put(
    "/stations/{station_id:uuid}/certificate-name",
    summary="Set the CN besides its identity that is a station's",
)
async def set_certificate_name(
    deps: Deps, who: Who, station_id: FromPath[UUID], data: JSONBody[CertificateNameIn]
) -> SecurityOut:
    """Its serial number, as a rule."""
    view = await deps.pki.set_certificate_name(who, station_id, data.certificate_name)
    return _security(view)


@post(
    "/stations/{station_id:uuid}/certificate-request",
    summary="Ask a station for a new certificate request",
    status_code=200,
)
async def ask_for_request(deps: Deps, who: Who, station_id: FromPath[UUID]) -> WordOut:
    return WordOut(word=await deps.pki.renew(who, station_id))


@post(
    "/stations/{station_id:uuid}/revoke-certificate",
    summary="Revoke the certificate a station has connected with",
    status_code=200,
)
async def revoke_shown(
    deps: Deps, who: Who, station_id: FromPath[UUID], data: JSONBody[RevokeIn]
) -> SecurityOut:
    """Whoever issued it; the station is cut at once."""
    await deps.pki.revoke_shown(who, station_id, data.reason)
    return _security(deps.pki.security(who, station_id))


@post(
    "/stations/{station_id:uuid}/password/rotate",
    summary="Give a station a new password that nobody else knows",
    status_code=200,
)
async def rotate_password(deps: Deps, who: Who, station_id: FromPath[UUID]) -> SecurityOut:
    """The old one holds until the station has connected with the new one."""
    await deps.pki.rotation.rotate(who, station_id)
    return _security(deps.pki.security(who, station_id))


@post("/stations/{station_id:uuid}/roots", summary="Put a root on a station", status_code=200)
async def install_root(
    deps: Deps, who: Who, station_id: FromPath[UUID], data: JSONBody[RootIn]
) -> WordOut:
    word = await deps.pki.field.install_root(who, station_id, data.use, data.certificate)
    return WordOut(word=word)


@post(
    "/stations/{station_id:uuid}/installed-certificates/read",
    summary="Read which certificates a station holds",
    status_code=200,
)
async def read_installed(deps: Deps, who: Who, station_id: FromPath[UUID]) -> SecurityOut:
    await deps.pki.field.read_installed(who, station_id)
    return _security(deps.pki.security(who, station_id))


@post(
    "/stations/{station_id:uuid}/installed-certificates/delete",
    summary="Delete a certificate from a station",
    status_code=200,
)
async def delete_installed(
    deps: Deps, who: Who, station_id: FromPath[UUID], data: JSONBody[InstalledIn]
) -> SecurityOut:
    await deps.pki.field.delete_installed(
        who, station_id, data.algorithm, data.serial, data.issuer_key_hash
    )
    return _security(deps.pki.security(who, station_id))


@get("/security-events", summary="Security events of stations, newest first")
async def events(
    deps: Deps,
    who: Who,
    limit: Limit = 100,
    offset: Offset = 0,
    station_id: FromQuery[UUID | None] = None,
    kind: FromQuery[str | None] = None,
    critical: FromQuery[bool | None] = None,
    source: Annotated[
        str | None, QueryParameter(pattern="^(charger|voltyard)$", description="Who saw it.")
    ] = None,
    text: Text = "",
    since: FromQuery[datetime | None] = None,
    until: FromQuery[datetime | None] = None,
) -> Page[SecurityEventOut]:
    """``since`` and ``until`` are of the instant they were received."""
    wanted = EventFilter(station_id, kind, critical, source, text, since, until)
    asked = min(limit, 999)
    found = await deps.pki.events(who, wanted, limit=asked + 1, offset=offset)
    items = [out(SecurityEventOut, event) for event in found[:asked]]
    return Page(items=items, limit=asked, offset=offset, more=len(found) > asked)


def _security(view: SecurityView) -> SecurityOut:
    return out(
        SecurityOut,
        view.security,
        identity=view.identity,
        connected=view.connected,
        required=int(view.required),
        connected_profile=view.connected_profile,
        installed=[out(InstalledOut, entry) for entry in view.security.installed],
    )


ROUTER = Router(
    path="/",
    tags=["Security of stations"],
    route_handlers=[
        securities,
        step,
        security,
        raise_profile,
        set_required,
        set_certificate_name,
        ask_for_request,
        revoke_shown,
        rotate_password,
        install_root,
        read_installed,
        delete_installed,
        events,
    ],
)
