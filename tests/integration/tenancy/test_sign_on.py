"""Single sign-on against the real database: who becomes whom, and who stays outside."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest
from sign_on_world import ADA, ISSUER, PASSWORD, World, basic, make_world

from voltyard.errors import Forbidden, Invalid, NotFound, Unauthenticated
from voltyard.signon import store
from voltyard.signon.model import LocalPasswords, SignOnRefused, Why
from voltyard.signon.service import let_administrators_in
from voltyard.storage.engine import PostgresDatabase
from voltyard.tenancy.access import system_principal
from voltyard.tenancy.audit import AuditFilter
from voltyard.tenancy.login import principal_of
from voltyard.tenancy.model import Principal, Role
from voltyard.tenancy.presence import Presence
from voltyard.tenancy.scope import of, transaction
from voltyard.tenancy.service import NewUser


@pytest.fixture
async def world(database: PostgresDatabase, tmp_path: Path) -> World:
    return await make_world(database, tmp_path)


async def refused(coming: Awaitable[object]) -> Why:
    with pytest.raises(SignOnRefused) as caught:
        await coming
    return caught.value.why


async def test_the_way_out_and_back(world: World) -> None:
    back, carried, asked = await world.begin()
    assert asked["code_challenge_method"] == "S256"
    assert asked["redirect_uri"] == "https://yard.example/login/sso/nord/callback"
    world.say(asked["nonce"])
    logged_in, onward = await world.service.door.finish("nord", back, carried)
    assert onward == "/duties"
    form, headers = world.provider.posted[0]
    assert basic(headers["authorization"]) == "voltyard:s3cret"
    assert form["code_verifier"] not in (carried, asked["code_challenge"])
    who = logged_in.principal
    assert (who.name, who.role, who.org_id) == ("Ada", Role.DISPATCHER, world.nord.id)
    assert (logged_in.expires_at - world.clock.now()).total_seconds() == 12 * 3600
    origin = await world.service.door.origin(logged_in.token)
    assert origin is not None
    assert b"eyJ" not in (origin[1].id_token or b""), "the proof is sealed"
    out = await world.service.door.farewell(*origin)
    assert out is not None
    assert out.startswith(
        f"{ISSUER}/out?client_id=voltyard&post_logout_redirect_uri=https%3A%2F%2F"
    )
    assert "id_token_hint=eyJ" in out


async def test_an_answer_counts_once_and_in_the_browser_that_began(world: World) -> None:
    back, carried, asked = await world.begin()
    world.say(asked["nonce"])
    door = world.service.door
    assert await refused(door.finish("nord", replace(back, state="x"), carried)) is Why.EXPIRED
    assert await refused(door.finish("nord", back, "")) is Why.EXPIRED
    other, others, _ = await world.begin()
    assert await refused(door.finish("nord", back, others)) is Why.EXPIRED
    assert await refused(door.finish("nord", other, others)) is Why.TOKEN, "the nonce of another"
    assert await refused(door.finish("nord", other, others)) is Why.REPLAYED
    await door.finish("nord", back, carried)
    assert await refused(door.finish("nord", back, carried)) is Why.REPLAYED
    late, kept, _ = await world.begin()
    world.clock.move(minutes=10)
    assert await refused(door.finish("nord", late, kept)) is Why.EXPIRED
    world.clock.move(minutes=2)
    assert await door.clean_up() == 2


async def test_another_organisation_is_never_entered(world: World) -> None:
    """Not by its address, not by its people's addresses, not by a provider that serves both."""
    back, carried, asked = await world.begin()
    world.say(asked["nonce"])
    assert await refused(world.service.door.finish("sued", back, carried)) is Why.EXPIRED
    assert await refused(world.service.door.start("sued", "/")) is Why.SWITCHED_OFF
    open_draft = replace(world.draft, domains=(), secret=None)
    await world.service.save(world.who, open_draft)
    assert await refused(world.come(sub="9", email="root@sued.example")) is Why.ELSEWHERE
    theirs = principal_of((await world.tenancy.users(stranger(world)))[0])
    await world.service.save(theirs, replace(open_draft, secret="x"))
    assert await refused(world.come("sued", sub="1", email="root@nord.example")) is Why.ELSEWHERE
    assert (await world.come("sued", sub="1", email="root@sued.example",
                             groups=["chiefs"])).principal.org_id == world.sued.id  # fmt: skip
    assert (await world.come(sub="1")).principal.org_id == world.nord.id, "the same sub, two people"


def stranger(world: World) -> Principal:
    """Somebody with every right in another organisation."""
    return system_principal(world.sued.id)


async def test_a_provider_that_calls_itself_otherwise_is_nobody(world: World) -> None:
    world.provider.metadata["issuer"] = "https://evil.example"
    assert await refused(world.come()) is Why.PROVIDER_ANSWER
    trial = await world.service.check(world.who)
    assert (trial.why, "evil.example" in trial.detail) == (Why.PROVIDER_ANSWER, True)
    world.provider.metadata |= {"issuer": ISSUER, "token_endpoint": "http://id.example/token"}
    assert (await world.service.check(world.who)).why is Why.PROVIDER_ANSWER, "no step by http"
    world.provider.down = True
    assert (await world.service.check(world.who)).why is Why.UNREACHABLE


async def test_somebody_who_is_there_is_linked_by_a_verified_address_and_kept_by_subject(
    world: World,
) -> None:
    new = NewUser("Ada@nord.example", "Ada L.", Role.VIEWER, PASSWORD)
    ada = await world.tenancy.create_user(world.who, new)
    assert await refused(world.come(email_verified=False)) is Why.UNVERIFIED
    assert (await world.come()).principal.id == ada.id
    assert (await world.come(email="ada.new@nord.example")).principal.id == ada.id
    assert await refused(world.come(sub="2")) is Why.OTHER_PERSON, "an address given to another"
    await world.service.unlink(world.who, ada.id)
    assert (await world.come(sub="2")).principal.id == ada.id
    await world.tenancy.update_user(world.who, ada.id, active=False)
    assert await refused(world.come(sub="2")) is Why.DISABLED
    found = await world.tenancy.user(world.who, ada.id)
    assert (found.email, found.role) == ("Ada@nord.example", Role.DISPATCHER)


async def test_a_role_is_set_anew_and_ends_what_was_open_with_the_old_one(world: World) -> None:
    first = await world.come(groups=["chiefs"])
    assert first.principal.role is Role.ADMIN
    second = await world.come()
    assert second.principal.role is Role.DISPATCHER
    assert await world.tenancy.login.principal_of_session(first.token) is None
    assert await refused(world.come(groups=[])) is Why.NO_ROLE
    assert (
        await refused(world.come(groups=None, _claim_names={"groups": "x"})) is Why.GROUPS_MISSING
    )
    await world.service.save(world.who, replace(world.draft, default_role=Role.VIEWER))
    assert (await world.come(groups=[])).principal.role is Role.VIEWER


async def test_the_last_administrator_does_not_lose_the_role_unseen(world: World) -> None:
    assert await refused(world.come(sub="0", email="root@nord.example")) is Why.LAST_ADMIN
    assert (await world.tenancy.user(world.who, world.root.id)).role is Role.ADMIN
    assert await world.service.identities(world.who) == [], "nothing of a refusal is kept"


async def test_nobody_is_made_unless_that_is_wanted(world: World) -> None:
    await world.service.save(world.who, replace(world.draft, create_users=False))
    assert await refused(world.come()) is Why.UNKNOWN_PERSON
    assert len(await world.tenancy.users(world.who)) == 1


async def test_what_the_token_leaves_out_is_asked_for_about_the_same_person(world: World) -> None:
    missing = {"email": None, "email_verified": None, "groups": None}
    world.provider.userinfo = {**ADA, "sub": "2"}
    assert await refused(world.come(**missing)) is Why.TOKEN
    world.provider.userinfo = ADA
    assert (await world.come(**missing)).principal.role is Role.DISPATCHER
    world.provider.userinfo = ADA | {"email": "own@nord.example"}
    logged_in = await world.come(sub="1", email="root@nord.example", email_verified=None)
    assert logged_in.principal.name == "Ada", "an address unproven there is not proven by another"


async def test_keys_that_change_are_asked_for_again_but_not_at_every_knock(world: World) -> None:
    await world.come()
    world.provider.rotate("two")
    world.clock.move(seconds=31)
    assert (await world.come()).principal.name == "Ada"
    asked = len(world.provider.asked)
    world.provider.rotate("three")
    assert await refused(world.come()) is Why.TOKEN
    assert len(world.provider.asked) == asked, "it was asked a moment ago"
    world.clock.move(seconds=31)
    await world.come()


async def test_knocking_again_and_again_is_answered_without_asking_anybody(world: World) -> None:
    for _ in range(20):
        assert await refused(world.come(aud="other")) is Why.TOKEN
    asked = len(world.provider.posted)
    assert await refused(world.come()) is Why.BUSY
    assert len(world.provider.posted) == asked
    world.clock.move(minutes=1)
    assert (await world.come()).principal.name == "Ada"
    world.clock.move(hours=2)
    world.provider.down = True
    assert await refused(world.begin()) is Why.UNREACHABLE
    knocks = len(world.provider.asked)
    assert await refused(world.begin()) is Why.UNREACHABLE
    assert len(world.provider.asked) == knocks, "it was silent a moment ago"
    world.provider.down = False
    world.clock.move(seconds=10)
    await world.come()


@pytest.mark.parametrize(
    ("passwords", "admin", "person"),
    [
        (LocalPasswords.ALLOWED, True, True),
        (LocalPasswords.ADMINS, True, False),
        (LocalPasswords.NONE, False, False),
    ],
)
async def test_who_may_use_a_password(
    world: World,
    database: PostgresDatabase,
    passwords: LocalPasswords,
    admin: bool,
    person: bool,
) -> None:
    new = NewUser("bob@nord.example", "Bob", Role.VIEWER, PASSWORD)
    await world.tenancy.create_user(world.who, new)
    strict = replace(world.draft, passwords=passwords)
    if passwords is LocalPasswords.NONE:
        with pytest.raises(Invalid) as locked_out:
            await world.service.save(world.who, strict)
        assert set(locked_out.value.fields) == {"passwords"}
    await world.come(groups=["chiefs"])
    await world.service.save(world.who, strict)
    for email, may in (("root@nord.example", admin), ("bob@nord.example", person)):
        assert await _gets_in(world, email) is may
    assert await _gets_in(world, "root@sued.example"), "another organisation's rule is its own"
    if passwords is LocalPasswords.NONE:
        assert await let_administrators_in(database, world.clock, world.who)  # type: ignore[arg-type]
        assert await _gets_in(world, "root@nord.example")


async def _gets_in(world: World, email: str) -> bool:
    with pytest.raises(Unauthenticated) as wrong:
        await world.tenancy.login.log_in(email, "another password")
    assert wrong.value.code == "wrong_credentials", "only who knows it hears more"
    try:
        await world.tenancy.login.log_in(email, PASSWORD)
    except Unauthenticated as error:
        return error.code != "sign_on_only"
    return True


async def test_a_secret_is_sealed_kept_and_never_sent_elsewhere(
    world: World, database: PostgresDatabase
) -> None:
    async with transaction(database, of(world.nord.id)) as tx:
        sealed = await store.secret(tx, world.nord.id)
    assert sealed is not None
    assert b"s3cret" not in sealed
    kept = await world.service.save(world.who, replace(world.draft, secret=None, name="ID"))
    assert kept.has_secret
    moved = replace(world.draft, secret=None, issuer="https://evil.example")
    with pytest.raises(Invalid) as wrong:
        await world.service.save(world.who, moved)
    assert set(wrong.value.fields) == {"secret"}
    public = await world.service.save(world.who, replace(world.draft, secret=""))
    assert not public.has_secret
    await world.come()
    form, headers = world.provider.posted[-1]
    assert (form["client_id"], "authorization" in headers) == ("voltyard", False)


async def test_a_connection_that_changes_or_goes_ends_what_is_under_way(world: World) -> None:
    steps: list[Callable[[], Awaitable[object]]] = [
        lambda: world.service.save(world.who, replace(world.draft, client_id="other")),
        lambda: world.service.save(world.who, replace(world.draft, enabled=False)),
        lambda: world.service.delete(world.who),
    ]
    for step in steps:
        await world.service.save(world.who, world.draft)
        back, carried, asked = await world.begin()
        world.say(asked["nonce"])
        await step()
        assert await refused(world.service.door.finish("nord", back, carried)) is Why.SWITCHED_OFF
    assert await world.service.door.offer("nord") is None
    with pytest.raises(NotFound):
        await world.service.delete(world.who)


async def test_only_administrators_and_only_of_ones_own(world: World) -> None:
    viewer = replace(world.who, permissions=frozenset())
    with pytest.raises(Forbidden):
        await world.service.connection(viewer)
    with pytest.raises(Forbidden):
        await world.service.save(viewer, world.draft)
    theirs = stranger(world)
    assert await world.service.connection(theirs) is None
    assert await world.service.identities(theirs) == ()
    ada = (await world.come()).principal
    with pytest.raises(NotFound):
        await world.service.unlink(theirs, ada.id)


async def test_everything_is_in_the_audit_with_its_reason_and_without_a_secret(
    world: World,
) -> None:
    await world.come()
    await refused(world.come(aud="other"))
    entries, _ = await world.tenancy.audit(world.who, AuditFilter())
    told = {entry.action: entry for entry in entries}
    for action in ("sign_on.create", "user.create", "sign_on.link", "login.ok", "login.refused"):
        assert action in told
    assert json.loads(told["login.refused"].detail) == {"why": "token", "detail": "aud"}
    assert told["login.refused"].remote == "192.0.2.1"
    assert "s3cret" not in "".join(entry.detail for entry in entries)
    some, count = await world.tenancy.audit(world.who, AuditFilter(text="ADA@nord.example"))
    assert (count > 0, {entry.action for entry in some} >= {"user.create"}) == (True, True)
    _, systems = await world.tenancy.audit(world.who, AuditFilter(actor_kind="system"))
    _, people = await world.tenancy.audit(world.who, AuditFilter(actor_kind="user"))
    assert systems + people == len(entries)


async def test_log_ins_are_seen_and_ended(world: World, database: PostgresDatabase) -> None:
    room = Presence(database, world.clock, world.tenancy.login)  # type: ignore[arg-type]
    ada = await world.come()
    second = await world.come()
    root = await world.tenancy.login.log_in("root@nord.example", PASSWORD)
    mine = await room.mine(second.principal, second.token)
    assert [each.current for each in mine].count(True) == 1
    assert {(each.issuer, each.user_agent) for each in mine} == {(ISSUER, "Firefox/1")}
    assert len(await room.everybodys(world.who)) == 3
    with pytest.raises(Forbidden):
        await room.everybodys(ada.principal)
    [roots] = await room.mine(root.principal)
    for other in (ada.principal, stranger(world)):
        with pytest.raises(NotFound):
            await room.end(other, roots.id)
    assert await room.end_all_of(ada.principal, ada.principal.id, session_token=second.token) == 1
    assert await world.tenancy.login.principal_of_session(ada.token) is None
    [left] = await room.mine(second.principal)
    await room.end(world.who, left.id)
    assert await world.tenancy.login.principal_of_session(second.token) is None
    with pytest.raises(NotFound):
        await room.end(world.who, left.id)
    with pytest.raises(NotFound):
        await room.end_all_of(stranger(world), ada.principal.id)
