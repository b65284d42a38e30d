"""What a provider says of somebody, and what a browser brings back."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voltyard.errors import Invalid
from voltyard.signon import journey as way
from voltyard.signon.checking import checked
from voltyard.signon.commands import ConnectionDraft
from voltyard.signon.journey import Return
from voltyard.signon.model import (
    Connection,
    LocalPasswords,
    RoleRule,
    SignOnRefused,
    Why,
    groups_of,
    needs_userinfo,
    proven,
    role_of,
    verified_email,
)
from voltyard.signon.provider import Client, Metadata
from voltyard.sitemeters.sealing import Sealer
from voltyard.tenancy.model import Role

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ENTRA = "https://login.microsoftonline.com/7e3f/v2.0"
CONNECTION = Connection(
    org_id=UUID(int=1), name="ID", enabled=True, issuer="https://id.example",
    client_id="voltyard", scopes=("openid",), domains=(), groups_claim="groups",
    roles=(RoleRule("chiefs", Role.ADMIN), RoleRule("yard", Role.DISPATCHER)),
    default_role=None, create_users=True, passwords=LocalPasswords.ALLOWED, session_h=12,
    changed_at=NOW,
)  # fmt: skip


@pytest.mark.parametrize(
    ("claims", "path", "found"),
    [
        ({"groups": ["a", "b"]}, "groups", ("a", "b")),
        ({"groups": "a"}, "groups", ("a",)),
        ({"groups": ["a", 7, None]}, "groups", ("a",)),
        ({"groups": []}, "groups", ()),
        ({}, "groups", None),
        ({"realm_access": {"roles": ["a"]}}, "realm_access.roles", ("a",)),
        ({"realm_access": ["a"]}, "realm_access.roles", None),
        ({"https://x.example/groups": ["a"]}, "https://x.example/groups", ("a",)),
        ({"groups": {"a": 1}}, "groups", None),
    ],
)
def test_groups_are_where_the_path_leads(
    claims: dict[str, Any], path: str, found: tuple[str, ...] | None
) -> None:
    assert groups_of(claims, path) == found


def test_groups_that_are_elsewhere_are_not_taken_for_none() -> None:
    with pytest.raises(SignOnRefused) as refused:
        groups_of({"_claim_names": {"groups": "src1"}}, "groups")
    assert refused.value.why is Why.GROUPS_MISSING


def test_the_first_rule_that_fits_decides_and_nobody_gets_a_role_by_chance() -> None:
    assert role_of(CONNECTION, ["yard", "chiefs"]) is Role.ADMIN
    assert role_of(CONNECTION, ["yard"]) is Role.DISPATCHER
    with pytest.raises(SignOnRefused):
        role_of(CONNECTION, ["Yard", ""])
    assert role_of(replace(CONNECTION, default_role=Role.VIEWER), []) is Role.VIEWER


@pytest.mark.parametrize(
    ("claims", "issuer", "why"),
    [
        ({"email": "a@x.example", "email_verified": True}, "https://id.example", None),
        ({"email": "a@x.example", "email_verified": "true"}, "https://id.example", None),
        ({"email": "a@x.example"}, "https://id.example", Why.UNVERIFIED),
        ({"email": "a@x.example", "email_verified": False}, "https://id.example", Why.UNVERIFIED),
        ({"email": "a@x.example", "email_verified": 1}, "https://id.example", Why.UNVERIFIED),
        ({"email": "a@x.example", "xms_edov": True}, "https://id.example", Why.UNVERIFIED),
        ({"email": "a@x.example", "xms_edov": True}, ENTRA, None),
        ({"email": "a@x.example", "xms_edov": "1"}, ENTRA, None),
        ({"email": "a@x.example"}, ENTRA, Why.UNVERIFIED),
        ({"email": "a@x.example", "xms_edov": True, "email_verified": False}, ENTRA,
         Why.UNVERIFIED),
        ({"email_verified": True}, "https://id.example", Why.NO_EMAIL),
        ({"email": "a@b@x.example", "email_verified": True}, "https://id.example", Why.NO_EMAIL),
        ({"email": "a@", "email_verified": True}, "https://id.example", Why.NO_EMAIL),
        ({"email": ["a@x.example"], "email_verified": True}, "https://id.example", Why.NO_EMAIL),
    ],
)  # fmt: skip
def test_only_a_verified_address_counts(
    claims: dict[str, Any], issuer: str, why: Why | None
) -> None:
    if why is None:
        assert verified_email(claims, issuer) == "a@x.example"
        return
    with pytest.raises(SignOnRefused) as refused:
        verified_email(claims, issuer)
    assert refused.value.why is why


def test_a_person_is_read_with_whatever_the_provider_says() -> None:
    only = replace(CONNECTION, domains=("x.example",))
    said = {"sub": "7", "email": "a@X.example", "email_verified": True}
    person = proven(only, said | {"name": "  A\n B\0 ", "locale": "de_AT"})
    assert (person.name, person.locale, person.groups) == ("A B", "de", ())
    plain = proven(only, said | {"name": " ", "locale": 7, "preferred_username": "ab"})
    assert (plain.name, plain.locale) == ("ab", "")
    with pytest.raises(SignOnRefused) as refused:
        proven(only, said | {"email": "a@x.example.evil.example"})
    assert refused.value.why is Why.DOMAIN


def test_the_userinfo_endpoint_is_asked_for_what_is_missing_only() -> None:
    said = {"email": "a@x.example", "email_verified": True}
    assert needs_userinfo(CONNECTION, said)
    assert not needs_userinfo(CONNECTION, said | {"groups": []})
    assert not needs_userinfo(replace(CONNECTION, roles=()), said)
    entra = replace(CONNECTION, issuer=ENTRA)
    assert not needs_userinfo(entra, {"email": "a@x.example", "groups": []})


@pytest.fixture(scope="module")
def sealer(tmp_path_factory: pytest.TempPathFactory) -> Sealer:
    return Sealer(tmp_path_factory.mktemp("sealed") / "key")


def test_a_journey_ends_in_the_browser_and_the_organisation_where_it_began(sealer: Sealer) -> None:
    client = Client("voltyard", "", "https://yard.example/login/sso/nord/callback")
    begun = way.begin(CONNECTION, "nord", client, "/duties", NOW)
    kept = way.carried(begun, sealer)
    assert begun.verifier not in kept
    back = Return(state=begun.state, code="c")
    later = NOW + timedelta(minutes=9)
    assert way.resumed(kept, back, "nord", sealer, later) == begun
    wrong = [
        ("", back, "nord", later),
        ("x" * 5_000, back, "nord", later),
        ("ä", back, "nord", later),
        (kept[:-4] + "AAAA", back, "nord", later),
        (kept, Return(code="c"), "nord", later),
        (kept, replace(back, state="ä"), "nord", later),
        (kept, back, "sued", later),
        (kept, back, "nord", NOW + timedelta(minutes=10)),
        (kept, back, "nord", NOW - timedelta(seconds=1)),
    ]
    for carried, answer, slug, at in wrong:
        with pytest.raises(SignOnRefused) as refused:
            way.resumed(carried, answer, slug, sealer, at)
        assert refused.value.why is Why.EXPIRED


def test_an_answer_says_who_gives_it_where_the_provider_can() -> None:
    plain = Metadata("https://id.example", "https://id.example/a", "https://id.example/t", "x")
    telling = Metadata(
        "https://id.example", "https://id.example/a", "https://id.example/t", "x",
        authorization_response_iss_parameter_supported=True,
    )  # fmt: skip
    assert way.check_answer(Return(code="c"), plain) == "c"
    assert way.check_answer(Return(code="c", iss="https://id.example"), telling) == "c"
    for back, metadata, why in (
        (Return(code="c", iss="https://evil.example"), plain, Why.TOKEN),
        (Return(code="c"), telling, Why.TOKEN),
        (Return(), plain, Why.PROVIDER_ERROR),
        (Return(error="access_denied"), plain, Why.DENIED),
        (Return(error="server_error", error_description="\x07off"), plain, Why.PROVIDER_ERROR),
    ):
        with pytest.raises(SignOnRefused) as refused:
            way.check_answer(back, metadata)
        assert refused.value.why is why


GOOD = ConnectionDraft("ID", "https://id.example/", "voltyard", default_role=Role.VIEWER)


def test_what_is_entered_is_made_tidy() -> None:
    read = checked(
        replace(GOOD, issuer=" https://id.example/ ", scopes=("email", "email"),
                domains=("@Depot.Example",), roles=(RoleRule(" yard ", Role.VIEWER),))
    )  # fmt: skip
    assert read.issuer == "https://id.example/", "a slash at its end belongs to it"
    assert read.scopes == ("openid", "email")
    assert read.domains == ("depot.example",)
    assert read.roles == (RoleRule("yard", Role.VIEWER),)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"issuer": "id.example"}, "issuer"),
        ({"issuer": "ftp://id.example"}, "issuer"),
        ({"issuer": "https://u:p@id.example"}, "issuer"),
        ({"issuer": "https://id.example?x=1"}, "issuer"),
        ({"issuer": "https://id.example/.well-known/openid-configuration"}, "issuer"),
        ({"client_id": ""}, "client_id"),
        ({"scopes": ('"',)}, "scopes"),
        ({"domains": ("*",)}, "domains"),
        ({"roles": (RoleRule("", Role.ADMIN),)}, "roles"),
        ({"default_role": None}, "roles"),
        ({"session_h": 0}, "session_h"),
        ({"secret": "a\nb"}, "secret"),
        ({"groups_claim": " "}, "groups_claim"),
    ],
)
def test_what_makes_no_sense_is_named(change: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as wrong:
        checked(replace(GOOD, **change))
    assert set(wrong.value.fields) == {field}


@given(st.dictionaries(st.text(max_size=12), st.none() | st.booleans() | st.integers() | st.text()
                       | st.lists(st.text(max_size=3)), max_size=6))  # fmt: skip
def test_whatever_a_provider_says_is_a_person_or_a_refusal(claims: dict[str, Any]) -> None:
    try:
        person = proven(CONNECTION, {"sub": "x", "email_verified": True, **claims})
    except SignOnRefused:
        return
    assert "@" in person.email
    assert person.name
