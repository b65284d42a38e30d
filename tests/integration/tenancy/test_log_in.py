"""Logging in: passwords, lock, sessions, the first-run link."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from voltyard.errors import Conflict, Forbidden, Invalid, NotFound, TooMany, Unauthenticated
from voltyard.storage.engine import PostgresDatabase
from voltyard.tenancy.access import system_principal
from voltyard.tenancy.audit import AuditFilter
from voltyard.tenancy.model import Permission, Role
from voltyard.tenancy.passwords import PasswordBook, in_place
from voltyard.tenancy.scope import SYSTEM, transaction
from voltyard.tenancy.service import NewUser, TenancyService

GOOD = "seven buses at dawn"


class StillClock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.at = datetime(2026, 1, 15, 12, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at

    def monotonic_s(self) -> float:
        return self.at.timestamp()

    async def sleep(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)

    def timeout(self, seconds: float) -> asyncio.Timeout:
        return asyncio.timeout(None)


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
def service(database: PostgresDatabase, clock: StillClock) -> TenancyService:
    return TenancyService(database, clock, PasswordBook(in_place, time_cost=1, memory_kib=64))


def admin(email: str = "ada@example.org") -> NewUser:
    return NewUser(email, "Ada Lovelace", Role.ADMIN, GOOD)


async def test_a_password_opens_a_session_that_names_the_person(service: TenancyService) -> None:
    organisation, user = await service.create_organisation("Stadtwerke Köln", admin())
    assert organisation.slug == "stadtwerke-koeln"
    logged_in = await service.login.log_in("ADA@example.org", GOOD, remote="192.0.2.1")
    who = await service.login.principal_of_session(logged_in.token)
    assert who is not None
    assert (who.org_id, who.id, who.role) == (organisation.id, user.id, Role.ADMIN)
    assert who.may(Permission.PEOPLE_WRITE)


async def test_only_the_digest_of_a_session_token_is_stored(
    service: TenancyService, database: PostgresDatabase
) -> None:
    await service.create_organisation("Depot", admin())
    logged_in = await service.login.log_in("ada@example.org", GOOD)
    async with transaction(database, SYSTEM) as tx:
        rows = await tx.all("SELECT token_hash FROM login_sessions")
    assert len(rows) == 1
    assert logged_in.token not in str(rows)


async def test_wrong_person_and_wrong_password_look_alike(service: TenancyService) -> None:
    await service.create_organisation("Depot", admin())
    said = []
    for email in ("ada@example.org", "nobody@example.org"):
        with pytest.raises(Unauthenticated) as refused:
            await service.login.log_in(email, "not the password")
        said.append((refused.value.message, refused.value.code))
    assert said[0] == said[1]


@pytest.mark.parametrize("email", ["ada@example.org", "nobody@example.org"])
async def test_after_five_failures_even_the_right_password_waits(
    service: TenancyService, clock: StillClock, email: str
) -> None:
    await service.create_organisation("Depot", admin())
    for _ in range(5):
        with pytest.raises(Unauthenticated):
            await service.login.log_in(email, "not the password")
    with pytest.raises(TooMany) as locked:
        await service.login.log_in(email, GOOD)
    assert locked.value.fields["retry_after_s"] == "30"


async def test_a_lock_ends_and_success_forgets_the_failures(
    service: TenancyService, clock: StillClock
) -> None:
    await service.create_organisation("Depot", admin())
    for _ in range(5):
        with pytest.raises(Unauthenticated):
            await service.login.log_in("ada@example.org", "wrong")
    clock.at += timedelta(seconds=31)
    await service.login.log_in("ada@example.org", GOOD)
    for _ in range(4):
        with pytest.raises(Unauthenticated):
            await service.login.log_in("ada@example.org", "wrong")
    await service.login.log_in("ada@example.org", GOOD)


async def test_guesses_made_at_once_gain_no_attempts(service: TenancyService) -> None:
    await service.create_organisation("Depot", admin())
    tries = [service.login.log_in("ada@example.org", f"guess {i}") for i in range(12)]
    outcomes = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(outcome, Unauthenticated) for outcome in outcomes) == 5
    assert sum(isinstance(outcome, TooMany) for outcome in outcomes) == 7


async def test_one_address_that_tries_many_names_is_held_off(service: TenancyService) -> None:
    for number in range(20):
        with pytest.raises(Unauthenticated):
            await service.login.log_in(f"p{number}@example.org", "wrong", remote="192.0.2.9")
    with pytest.raises(TooMany):
        await service.login.log_in("other@example.org", "wrong", remote="192.0.2.9")


async def test_sessions_end_by_age_by_idleness_and_by_log_out(
    service: TenancyService, clock: StillClock
) -> None:
    await service.create_organisation("Depot", admin())
    idle = await service.login.log_in("ada@example.org", GOOD)
    clock.at += timedelta(hours=12, minutes=1)
    assert await service.login.principal_of_session(idle.token) is None
    used = await service.login.log_in("ada@example.org", GOOD)
    for _ in range(15):
        clock.at += timedelta(hours=11)
        assert await service.login.principal_of_session(used.token) is not None
    clock.at += timedelta(hours=11)
    assert await service.login.principal_of_session(used.token) is None
    left_open = await service.login.log_in("ada@example.org", GOOD)
    clock.at += timedelta(hours=11)
    assert await service.login.principal_of_session(left_open.token, used=False) is not None
    clock.at += timedelta(hours=2)
    assert await service.login.principal_of_session(left_open.token, used=False) is None
    out = await service.login.log_in("ada@example.org", GOOD)
    await service.login.log_out(out.token)
    assert await service.login.principal_of_session(out.token) is None
    assert await service.login.clean_up() == 3


async def test_an_old_hash_is_replaced_at_the_next_log_in(
    service: TenancyService, database: PostgresDatabase, clock: StillClock
) -> None:
    await service.create_organisation("Depot", admin())
    stronger = TenancyService(database, clock, PasswordBook(in_place, time_cost=2, memory_kib=64))
    await stronger.login.log_in("ada@example.org", GOOD)
    async with transaction(database, SYSTEM) as tx:
        row = await tx.one("SELECT password_hash FROM users")
    assert row is not None
    assert row["password_hash"].startswith("$argon2id$")
    assert ",t=2," in row["password_hash"]


async def test_the_set_up_link_works_once_and_not_for_ever(
    service: TenancyService, clock: StillClock
) -> None:
    assert await service.login.needs_setup()
    late = await service.login.make_setup_link()
    clock.at += timedelta(hours=25)
    assert not await service.login.setup_open(late)
    link = await service.login.make_setup_link()
    assert await service.login.setup_open(link)
    logged_in = await service.set_up(link, "Depot", admin())
    assert logged_in.principal.role is Role.ADMIN
    assert not await service.login.needs_setup()
    with pytest.raises(Forbidden):
        await service.set_up(link, "Depot 2", admin("b@example.org"))
    assert not await service.login.setup_open(link)


async def test_a_set_up_that_fails_leaves_the_link_good(service: TenancyService) -> None:
    link = await service.login.make_setup_link()
    with pytest.raises(Invalid):
        await service.set_up(link, "Depot", NewUser("a@b", "A", Role.ADMIN, "short"))
    assert await service.login.setup_open(link)


async def test_the_last_administrator_stays(service: TenancyService) -> None:
    organisation, user = await service.create_organisation("Depot", admin())
    who = system_principal(organisation.id)
    with pytest.raises(Conflict) as refused:
        await service.update_user(who, user.id, role=Role.VIEWER)
    assert refused.value.code == "last_admin"
    with pytest.raises(Conflict):
        await service.update_user(who, user.id, active=False)


async def test_losing_a_role_ends_the_log_ins(service: TenancyService) -> None:
    organisation, _ = await service.create_organisation("Depot", admin())
    who = system_principal(organisation.id)
    bob = await service.create_user(who, NewUser("bob@example.org", "Bob", Role.ADMIN, GOOD))
    logged_in = await service.login.log_in("bob@example.org", GOOD)
    await service.update_user(who, bob.id, role=Role.VIEWER)
    assert await service.login.principal_of_session(logged_in.token) is None


async def test_an_email_address_is_used_once(service: TenancyService) -> None:
    organisation, _ = await service.create_organisation("Depot", admin())
    who = system_principal(organisation.id)
    with pytest.raises(Conflict) as refused:
        await service.create_user(who, NewUser("Ada@Example.org", "A", Role.VIEWER, GOOD))
    assert "email" in refused.value.fields


async def test_changing_ones_password_asks_for_the_old_one_and_ends_other_log_ins(
    service: TenancyService,
) -> None:
    await service.create_organisation("Depot", admin())
    here = await service.login.log_in("ada@example.org", GOOD)
    there = await service.login.log_in("ada@example.org", GOOD)
    with pytest.raises(Invalid):
        await service.change_password(here.principal, "wrong", "a whole new phrase")
    await service.change_password(
        here.principal, GOOD, "a whole new phrase", session_token=here.token
    )
    assert await service.login.principal_of_session(here.token) is not None
    assert await service.login.principal_of_session(there.token) is None
    await service.login.log_in("ada@example.org", "a whole new phrase")


async def test_keys_carry_their_scopes_until_revoked(
    service: TenancyService, clock: StillClock
) -> None:
    organisation, _ = await service.create_organisation("Depot", admin())
    who = system_principal(organisation.id)
    made = await service.create_key(
        who, "import", frozenset({Permission.VIEW}), clock.at + timedelta(days=1)
    )
    assert made.text.startswith(f"vy_{made.key.prefix}_")
    key = await service.login.principal_of_key(made.text)
    assert key.may(Permission.VIEW)
    assert not key.may(Permission.DUTIES_WRITE)
    assert (await service.keys(who))[0].last_used_at == clock.at
    wrong = made.text[:-1] + ("a" if made.text[-1] != "a" else "b")
    for text in (wrong, "vy_nothing", "", "vy_" + "a" * 10 + "_" + "b" * 40):
        with pytest.raises(Unauthenticated):
            await service.login.principal_of_key(text)
    await service.revoke_key(who, made.key.id)
    with pytest.raises(Unauthenticated):
        await service.login.principal_of_key(made.text)


async def test_a_key_ends_at_its_expiry(service: TenancyService, clock: StillClock) -> None:
    organisation, _ = await service.create_organisation("Depot", admin())
    who = system_principal(organisation.id)
    made = await service.create_key(
        who, "import", frozenset({Permission.VIEW}), clock.at + timedelta(days=1)
    )
    clock.at += timedelta(days=1)
    with pytest.raises(Unauthenticated):
        await service.login.principal_of_key(made.text)


async def test_every_change_is_in_the_audit_without_secrets(service: TenancyService) -> None:
    organisation, user = await service.create_organisation("Depot", admin(), remote="192.0.2.1")
    who = system_principal(organisation.id)
    made = await service.create_key(who, "import", frozenset({Permission.VIEW}))
    await service.set_password(who, user.id, "a whole new phrase")
    await service.update_organisation(who, name="Betriebshof", remote="192.0.2.2")
    entries, total = await service.audit(who, AuditFilter())
    assert total == 5
    assert [entry.action for entry in entries] == [
        "organisation.update",
        "user.password",
        "key.create",
        "user.create",
        "organisation.create",
    ]
    assert '"name":["Depot","Betriebshof"]' in entries[0].detail
    everything = "".join(entry.detail for entry in entries)
    assert made.text not in everything
    assert "a whole new phrase" not in everything
    some, count = await service.audit(who, AuditFilter(action="user."), limit=1)
    assert (len(some), count) == (1, 2)


async def test_tenants_do_not_see_each_others_people(service: TenancyService) -> None:
    first, ada = await service.create_organisation("First", admin())
    second, _ = await service.create_organisation("Second", admin("bob@example.org"))
    other = system_principal(second.id)
    assert [user.email for user in await service.users(other)] == ["bob@example.org"]
    with pytest.raises(NotFound):
        await service.user(other, ada.id)
    with pytest.raises(NotFound):
        await service.set_password(other, ada.id, "a whole new phrase")
    entries, _ = await service.audit(other, AuditFilter())
    assert {entry.org_id for entry in entries} == {second.id}
    assert first.id != second.id
