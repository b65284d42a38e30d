"""Who signs chargers' certificates and who is trusted: the built-in authority, or one elsewhere."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from litestar import Response, get, post
from litestar.datastructures import UploadFile
from litestar.di import NamedDependency
from litestar.params import FromPath

from voltyard.errors import Invalid, NotFound, VoltyardError
from voltyard.pki.model import (
    Algorithm,
    AnchorUse,
    CertificateFilter,
    CertificateState,
    Issuer,
    Policy,
)
from voltyard.pki.service import PkiService
from voltyard.tenancy.model import Permission
from voltyard.web.console import security_words as words
from voltyard.web.console.common import posted
from voltyard.web.console.security import pki_of, told
from voltyard.web.console.security_station import pem_file
from voltyard.web.forms import Fields
from voltyard.web.ui import Ui

WAITING_SHOWN = 200
REVOKED_SHOWN = 100
PEM_LONGEST = 100_000
CRL_LONGEST = 8_000_000
BODY_MAX_BYTES = 10_000_000
Act = Callable[[PkiService, Ui, Fields, str], Awaitable[object]]


@get("/security/authority")
async def authority_page(ui: NamedDependency[Ui]) -> Response[str]:
    return await _page(ui, {}, {}, "", "")


async def _page(
    ui: Ui, values: Mapping[str, str], faults: Mapping[str, str], error: str, action: str
) -> Response[str]:
    pki = pki_of(ui)
    waiting = await pki.certificates(
        ui.who, CertificateFilter(state=CertificateState.WAITING), limit=WAITING_SHOWN
    )
    policy = pki.policy(ui.who)
    revoked = await pki.revocations(ui.who)
    return ui.page(
        "authority.html",
        status=422 if error else 200,
        policy=policy,
        authorities=await pki.authorities(ui.who),
        anchors=pki.anchors(ui.who),
        waiting=[row for row in waiting if row.issuer is Issuer.EXTERNAL],
        revoked=list(reversed(revoked))[:REVOKED_SHOWN],
        revoked_total=len(revoked),
        stations={
            view.station.id: view.station.identity
            for view in pki.stations.list_stations(ui.who.org_id)
        },
        security=words,
        values=values if action == "policy" else _values(policy),
        faults=faults,
        error=error,
        action=action,
    )


def _values(policy: Policy) -> dict[str, str]:
    return {
        "organisation": policy.organisation,
        "any_organisation": "on" if policy.any_organisation else "",
        "issuer": policy.issuer.value,
        "valid_days": str(policy.valid_days),
        "renew_days": str(policy.renew_days),
    }


async def _policy(pki: PkiService, ui: Ui, form: Fields, pem: str) -> object:
    policy = Policy(
        organisation=form.text("organisation", longest=64),
        any_organisation=form.flag("any_organisation"),
        issuer=form.one_of("issuer", Issuer) or Issuer.BUILT_IN,
        valid_days=form.whole("valid_days", low=1, high=3_650, default=365),
        renew_days=form.whole("renew_days", low=0, high=365, default=30),
    )
    form.check()
    return await pki.set_policy(ui.who, policy)


async def _trust(pki: PkiService, ui: Ui, form: Fields, pem: str) -> object:
    name = form.text("name", required=True, longest=100)
    use = form.one_of("use", AnchorUse) or AnchorUse.OPERATOR
    form.check()
    return await pki.trust(ui.who, name, use, pem)


async def _distrust(pki: PkiService, ui: Ui, form: Fields, pem: str) -> object:
    anchor_id = form.id("anchor")
    if anchor_id is None:
        raise NotFound("There is no such certificate.")
    await pki.distrust(ui.who, anchor_id)
    return None


async def _succeed(pki: PkiService, ui: Ui, form: Fields, pem: str) -> object:
    algorithm = form.one_of("algorithm", Algorithm)
    if algorithm is None:
        raise NotFound("There is no such authority yet.")
    return await pki.succeed(ui.who, algorithm)


async def _retire(pki: PkiService, ui: Ui, form: Fields, pem: str) -> object:
    algorithm = form.one_of("algorithm", Algorithm)
    if algorithm is None:
        raise NotFound("There is no such authority yet.")
    generation = form.whole("generation", low=1, high=1_000_000, default=1)
    await pki.retire(ui.who, algorithm, generation)
    return None


async def _revocations(pki: PkiService, ui: Ui, form: Fields, pem: str) -> object:
    return await pki.import_revocations(ui.who, pem)


async def _chain(pki: PkiService, ui: Ui, form: Fields, pem: str) -> object:
    wanted = form.id("certificate")
    if wanted is None:
        raise NotFound("There is no such certificate.")
    return await pki.upload(ui.who, wanted, pem)


ACTIONS: Mapping[str, tuple[Permission, Act, str]] = {
    "policy": (Permission.SECURITY_WRITE, _policy, "saved"),
    "trust": (Permission.SECURITY_WRITE, _trust, "saved"),
    "distrust": (Permission.SECURITY_WRITE, _distrust, "deleted"),
    "succeed": (Permission.SECURITY_WRITE, _succeed, "saved"),
    "retire": (Permission.SECURITY_WRITE, _retire, "deleted"),
    "revocations": (Permission.SECURITY_WRITE, _revocations, "saved"),
    "chain": (Permission.CHARGERS_WRITE, _chain, "saved"),
}


@post("/security/authority/{action:str}", request_max_body_size=BODY_MAX_BYTES)
async def act(ui: NamedDependency[Ui], action: FromPath[str]) -> Response[Any]:
    """Certificates come as a file or as text."""
    if action not in ACTIONS:
        raise NotFound("There is nothing at this address.")
    permission, do, done = ACTIONS[action]
    ui.require(permission)
    form = await posted(ui)
    try:
        await do(pki_of(ui), ui, form, await _pem(ui, form))
    except VoltyardError as error:
        return await _page(ui, form.values, dict(error.fields), told(error), action)
    return ui.go("/security/authority", done=done)


async def _pem(ui: Ui, form: Fields) -> str:
    """What was given as a file, else as text. Raises Invalid for what is no text."""
    file = (await ui.request.form()).get("file")
    if not isinstance(file, UploadFile) or not file.filename:
        return form.values.get("pem", "").strip()[:CRL_LONGEST]
    content = await file.read(CRL_LONGEST)
    try:
        return content.decode("ascii")
    except UnicodeDecodeError:
        raise Invalid("This file is not in PEM format.", code="pem") from None


@get("/security/authority/roots.pem")
async def roots(ui: NamedDependency[Ui]) -> Response[str]:
    """What chargers must trust to know this server by."""
    found = await pki_of(ui).authorities(ui.who)
    return pem_file("".join(view.root for view in found), "voltyard-roots.pem")


@get("/security/authority/{algorithm:str}/{generation:int}/{what:str}")
async def authority_file(
    ui: NamedDependency[Ui],
    algorithm: FromPath[str],
    generation: FromPath[int],
    what: FromPath[str],
) -> Response[str]:
    """``root.pem``, ``issuing.pem`` or ``revoked.crl`` of one of the built-in authorities."""
    pki = pki_of(ui)
    found = {
        (view.algorithm.value, view.generation): view for view in await pki.authorities(ui.who)
    }
    view = found.get((algorithm, generation))
    if view is None:
        raise NotFound("There is no such authority yet.")
    if what == "revoked.crl":
        text = await pki.revocation_list(ui.who, view.algorithm, generation)
    else:
        text = {"root.pem": view.root, "issuing.pem": view.issuing}.get(what, "")
    if not text:
        raise NotFound("There is no such file.")
    return pem_file(text, f"voltyard-{algorithm}-{generation}-{what}")


ROUTES = [authority_page, act, roots, authority_file]
