"""What is entered about a connection, checked as a whole and made tidy, or Invalid."""

import re
from dataclasses import replace
from urllib.parse import urlsplit

from voltyard.errors import Invalid
from voltyard.notifications.guard import host_of
from voltyard.signon.commands import ConnectionDraft
from voltyard.signon.model import TEXT_MAX, RoleRule
from voltyard.tenancy.fields import clean_name

DOMAIN = re.compile(r"(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9-]+)+")
SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,100}")
ROLES_MAX = 100
SESSION_H_MAX = 168


def checked(draft: ConnectionDraft) -> ConnectionDraft:
    """The same, tidy. Raises Invalid that names every wrong field."""
    wrong: dict[str, str] = {}
    scopes = tuple(dict.fromkeys(("openid", *draft.scopes)))
    if len(scopes) > 20 or not all(SCOPE.fullmatch(scope) for scope in scopes):
        wrong["scopes"] = "at most 20 words, without quotes"
    domains = tuple(dict.fromkeys(one.strip().lstrip("@").lower() for one in draft.domains))
    if len(domains) > 100 or not all(DOMAIN.fullmatch(domain) for domain in domains):
        wrong["domains"] = "names like example.org"
    roles = tuple(RoleRule(rule.group.strip(), rule.role) for rule in draft.roles)
    if len(roles) > ROLES_MAX or not all(_is_text(rule.group) for rule in roles):
        wrong["roles"] = "at most 100 groups, each with a name"
    issuer, client_id, claim = (
        text.strip() for text in (draft.issuer, draft.client_id, draft.groups_claim)
    )
    if reason := _wrong_issuer(issuer):
        wrong["issuer"] = reason
    if not _is_text(client_id):
        wrong["client_id"] = "1 to 200 characters"
    if not _is_text(claim):
        wrong["groups_claim"] = "1 to 200 characters"
    if draft.secret is not None and (len(draft.secret) > 1_000 or not draft.secret.isprintable()):
        wrong["secret"] = "up to 1,000 characters of a line"
    if not 1 <= draft.session_h <= SESSION_H_MAX:
        wrong["session_h"] = f"1 to {SESSION_H_MAX} hours"
    if not roles and draft.default_role is None:
        wrong["roles"] = "a group or a role for everybody is needed"
    if wrong:
        raise Invalid("The connection is not complete.", fields=wrong)
    return replace(
        draft,
        name=clean_name(draft.name),
        issuer=issuer,
        client_id=client_id,
        secret=None if draft.secret is None else draft.secret.strip(),
        scopes=scopes,
        domains=domains,
        groups_claim=claim,
        roles=roles,
    )


def _is_text(text: str) -> bool:
    return 0 < len(text) <= TEXT_MAX and text.isprintable()


def _wrong_issuer(issuer: str) -> str:
    """Discovery §3: a web address without question mark and fragment."""
    try:
        host_of(issuer)
    except Invalid as error:
        return error.message
    if urlsplit(issuer).query or len(issuer) > 500 or "/.well-known/" in issuer:
        return "the issuer itself, without what follows it"
    return ""
