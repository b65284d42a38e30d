"""Who calls: an API key in the header, or the console's cookie with proof of origin."""

from uuid import UUID

from litestar.di import NamedDependency
from litestar.params import SkipValidation

from voltyard.api.deps import AnyRequest, ApiDeps
from voltyard.errors import Forbidden, Invalid, Unauthenticated
from voltyard.tenancy.model import Principal

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

Deps = NamedDependency[SkipValidation[ApiDeps]]
Who = NamedDependency[SkipValidation[Principal]]


OPERATOR_HEADER = "voltyard-operator"


async def caller(request: AnyRequest, deps: ApiDeps) -> Principal:
    """Raises Unauthenticated, or Forbidden for a cookie without proof.

    With the header ``Voltyard-Operator`` a depot operator acts in that operator of its own.
    """
    who = await _known(request, deps)
    operator = request.headers.get(OPERATOR_HEADER)
    if operator is None:
        return who
    try:
        operator_id = UUID(operator)
    except ValueError:
        raise Invalid(f"The header {OPERATOR_HEADER} holds no id.") from None
    return await deps.operators.acting(who, operator_id)


async def _known(request: AnyRequest, deps: ApiDeps) -> Principal:
    header = request.headers.get("authorization")
    if header is not None:
        scheme, _, key = header.partition(" ")
        if scheme.lower() != "bearer":
            raise Unauthenticated("Use “Authorization: Bearer vy_…”.", code="api_key")
        return await deps.tenancy.login.principal_of_key(key.strip())
    token = request.cookies.get(deps.session_cookie, "")
    who = await deps.tenancy.login.principal_of_session(token) if token else None
    if who is None:
        raise Unauthenticated("Send an API key: “Authorization: Bearer vy_…”.")
    if request.method not in SAFE_METHODS:
        if deps.form_proof is None:
            raise Forbidden("Changes need an API key.", code="key_needed")
        await deps.form_proof.check(request)
    return who


def remote_of(request: AnyRequest) -> str:
    """The peer's address, for the audit."""
    return request.client.host if request.client else ""
