"""Bring the database to this version: the application role, then Alembic's revisions."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text

from voltyard.storage.embedded import APP_ROLE
from voltyard.storage.engine import make_engine

_LOCK_KEY = 0x766F6C74


async def migrate(url: str, *, app_password: str | None = None, to: str = "head") -> str:
    """Upgrade to the newest revision, or up to one, and return it.

    Two processes at once wait for each other.
    ``url`` belongs to the owner of the tables. ``app_password`` lets the application role log in
    by itself (the embedded server); on other servers voltyard connects as the owner and takes
    the role on.
    """
    engine = make_engine(url, pool_size=2)
    try:
        async with engine.begin() as connection:
            await connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK_KEY})
            await connection.run_sync(_ensure_role, app_password)
            await connection.run_sync(_upgrade, to)
            row = (await connection.execute(text("SELECT version_num FROM alembic_version"))).one()
        return str(row.version_num)
    finally:
        await engine.dispose()


def _ensure_role(connection: Connection, app_password: str | None) -> None:
    exists = connection.execute(
        text("SELECT 1 FROM pg_roles WHERE rolname = :name"), {"name": APP_ROLE}
    ).first()
    if exists is None:
        connection.execute(text(f"CREATE ROLE {APP_ROLE} NOSUPERUSER NOBYPASSRLS NOLOGIN"))
    connection.execute(text(f"GRANT {APP_ROLE} TO CURRENT_USER"))
    if app_password is not None:
        quoted = app_password.replace("'", "''")
        connection.execute(text(f"ALTER ROLE {APP_ROLE} LOGIN PASSWORD '{quoted}'"))
    connection.execute(text(f"GRANT USAGE ON SCHEMA public TO {APP_ROLE}"))


def _upgrade(connection: Connection, to: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    command.upgrade(config, to)
