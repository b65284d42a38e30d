"""People from the command line: the first-run link, users, passwords."""

import asyncio
import sys
from argparse import Namespace
from getpass import getpass

from voltyard.clock import SystemClock
from voltyard.config import Settings
from voltyard.errors import Invalid, NotFound
from voltyard.serving import console_url, database_of, say
from voltyard.signon.service import let_administrators_in
from voltyard.storage.engine import PostgresDatabase
from voltyard.tenancy.access import system_principal
from voltyard.tenancy.model import Principal, Role
from voltyard.tenancy.service import NewUser, TenancyService


def new_setup_link(settings: Settings) -> str:
    """A new one-time link for a server that has nobody yet."""

    async def make(url: str) -> str:
        database = PostgresDatabase(url, pool_size=1)
        try:
            tenancy = TenancyService(database, SystemClock())
            token = await tenancy.login.make_setup_link()
        finally:
            await database.close()
        return f"{console_url(settings, settings.http_port)}/setup?token={token}"

    with database_of(settings) as url:
        return asyncio.run(make(url))


def manage_user(settings: Settings, arguments: Namespace) -> int:
    """Make a user or set a password; the password is asked for, or read from a pipe."""
    password = getpass("password: ") if sys.stdin.isatty() else sys.stdin.readline().strip()

    async def change(url: str) -> None:
        database = PostgresDatabase(url, pool_size=2)
        try:
            tenancy = TenancyService(database, SystemClock())
            who = await _organisation(tenancy, arguments.organisation)
            await _change_user(tenancy, who, arguments, password)
            if arguments.action == "password" and await let_administrators_in(
                database, SystemClock(), who
            ):
                say("passwords of administrators count again, beside single sign-on")
        finally:
            await database.close()

    with database_of(settings) as url:
        asyncio.run(change(url))
    say("done")
    return 0


async def _organisation(tenancy: TenancyService, slug: str | None) -> Principal:
    known = await tenancy.organisations()
    if not known:
        raise Invalid("nobody is there yet: open what `voltyard setup-link` prints, once it runs")
    found = [o for o in known if slug in (None, o.slug)]
    if len(found) != 1:
        slugs = ", ".join(o.slug for o in known)
        raise Invalid(f"name the organisation with --organisation; there are: {slugs}")
    return system_principal(found[0].id)


async def _change_user(
    tenancy: TenancyService, who: Principal, arguments: Namespace, password: str
) -> None:
    if arguments.action == "create":
        try:
            role = Role(arguments.role)
        except ValueError:
            raise Invalid(f"a role is one of {', '.join(Role)}") from None
        name = arguments.name or arguments.email
        await tenancy.create_user(who, NewUser(arguments.email, name, role, password))
        return
    users = [u for u in await tenancy.users(who) if u.email.lower() == arguments.email.lower()]
    if not users:
        raise NotFound("there is no such user")
    await tenancy.set_password(who, users[0].id, password)
