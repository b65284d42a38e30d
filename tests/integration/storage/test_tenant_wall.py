"""Promise 5: the database itself keeps tenants apart."""

from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest
from sqlalchemy.exc import DBAPIError

from voltyard.storage.engine import PostgresDatabase
from voltyard.tenancy import scope

NOW = datetime(2026, 1, 15, tzinfo=UTC)


async def organisation(database: PostgresDatabase) -> UUID:
    org_id = uuid4()
    async with scope.transaction(database, scope.of(org_id)) as tx:
        await tx.execute(
            "INSERT INTO organisations (id, name, slug, created_at) VALUES (:id, 'x', :slug, :at)",
            {"id": org_id, "slug": org_id.hex, "at": NOW},
        )
        await tx.execute(
            "INSERT INTO vehicles (id, org_id, name) VALUES (:id, :org, 'Bus 1')",
            {"id": uuid4(), "org": org_id},
        )
    return org_id


async def test_a_query_without_a_where_sees_only_its_own_tenant(database: PostgresDatabase) -> None:
    mine, other = await organisation(database), await organisation(database)
    for org_id in (mine, other):
        async with scope.transaction(database, scope.of(org_id)) as tx:
            rows = await tx.all("SELECT org_id FROM vehicles")
        assert [row["org_id"] for row in rows] == [org_id]


async def test_a_query_that_forgets_the_scope_sees_nothing(database: PostgresDatabase) -> None:
    await organisation(database)
    async with database.begin(org_id=None) as tx:
        assert await tx.all("SELECT * FROM vehicles") == []
        assert await tx.execute("DELETE FROM vehicles") == 0


async def test_a_scope_must_name_an_organisation() -> None:
    with pytest.raises(ValueError, match="organisation"):
        scope.Scope(None)


async def test_writing_into_another_tenant_is_refused(database: PostgresDatabase) -> None:
    mine, other = await organisation(database), await organisation(database)
    with pytest.raises(DBAPIError, match="row-level security"):
        async with scope.transaction(database, scope.of(mine)) as tx:
            await tx.execute(
                "INSERT INTO vehicles (id, org_id, name) VALUES (:id, :org, 'stolen')",
                {"id": uuid4(), "org": other},
            )


async def test_every_table_with_an_org_id_has_the_policy_forced(
    database: PostgresDatabase,
) -> None:
    async with scope.transaction(database, scope.SYSTEM) as tx:
        rows = await tx.all(
            "SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
            " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'org_id'"
            " WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition"
            " AND NOT (c.relrowsecurity AND c.relforcerowsecurity AND EXISTS"
            "   (SELECT 1 FROM pg_policies p WHERE p.tablename = c.relname))"
        )
    assert rows == []


async def test_partitions_cannot_be_read_around_the_policy(database: PostgresDatabase) -> None:
    with pytest.raises(DBAPIError, match="permission denied"):
        async with scope.transaction(database, scope.SYSTEM) as tx:
            await tx.all("SELECT * FROM meter_values_20260115")


async def test_the_audit_log_can_only_grow(database: PostgresDatabase) -> None:
    with pytest.raises(DBAPIError, match="permission denied"):
        async with scope.transaction(database, scope.SYSTEM) as tx:
            await tx.execute("DELETE FROM audit_log")


async def test_the_application_role_has_no_way_around(database: PostgresDatabase) -> None:
    async with scope.transaction(database, scope.SYSTEM) as tx:
        row = await tx.one(
            "SELECT session_user AS login, rolsuper, rolbypassrls, rolcreaterole FROM pg_roles"
            " WHERE rolname = current_user"
        )
    assert row is not None
    assert row["login"] == "voltyard_app"
    assert not any(row[power] for power in ("rolsuper", "rolbypassrls", "rolcreaterole"))
