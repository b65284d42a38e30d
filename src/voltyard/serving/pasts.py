"""A site's past for ``voltyard study``, read from the database while no server holds its folder."""

import asyncio
from datetime import datetime

from voltyard.app import Core, build_core
from voltyard.clock import Clock, SystemClock
from voltyard.config import Settings
from voltyard.errors import Invalid
from voltyard.serving import database_of
from voltyard.serving.instance import lease_holder
from voltyard.sites.model import Site
from voltyard.storage.engine import PostgresDatabase
from voltyard.study.past import Past
from voltyard.tenancy.access import system_principal


def past_of(settings: Settings, name: str, from_at: datetime, until_at: datetime) -> Past:
    """Of the site of that name; instants without offset are its local time. Raises ``Invalid``,
    and ``Conflict`` while a server uses the embedded database (its console studies, too)."""
    with database_of(settings) as url:
        return asyncio.run(read(settings, url, SystemClock(), name, from_at, until_at))


async def read(
    settings: Settings, url: str, clock: Clock, name: str, from_at: datetime, until_at: datetime
) -> Past:
    """The same of a given database. Nothing is started: no charger heard, no site controlled."""
    database = PostgresDatabase(url, pool_size=2)
    core = build_core(settings, database, clock, holder=lease_holder(settings))
    try:
        site = await _site(core, name)
        await core.chargers.load()
        await core.inputs.meters.load()
        who = system_principal(site.org_id)
        period = (_aware(at, site) for at in (from_at, until_at))
        return await core.studies.pasts.past(who, site.id, *period)
    finally:
        await database.close()


async def _site(core: Core, name: str) -> Site:
    sites = await core.sites.all()
    found = [site for site in sites if site.name.casefold() == name.casefold()]
    if len(found) != 1:
        names = ", ".join(sorted(site.name for site in sites)) or "none"
        raise Invalid(f"name one site; there are: {names}")
    return found[0]


def _aware(at: datetime, site: Site) -> datetime:
    return at if at.tzinfo else at.replace(tzinfo=site.zone)
