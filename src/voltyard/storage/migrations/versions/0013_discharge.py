"""What flows back: in a session, and by whose order."""

from alembic import op

revision = "0013"
down_revision = "0012"

MINE = (
    "org_id = nullif(current_setting('voltyard.org_id', true), '')::uuid "
    "OR current_setting('voltyard.system', true) = 'on'"
)


def upgrade() -> None:
    op.execute(
        "ALTER TABLE sessions"
        " ADD COLUMN energy_exported_wh double precision NOT NULL DEFAULT 0,"
        " ADD COLUMN export_last_wh double precision"
    )
    op.execute(
        "CREATE TABLE discharge_orders ("
        " session_id uuid PRIMARY KEY REFERENCES sessions ON DELETE CASCADE,"
        " org_id uuid NOT NULL, site_id uuid NOT NULL REFERENCES sites ON DELETE CASCADE,"
        " mode text NOT NULL, power_w double precision NOT NULL, until_at timestamptz NOT NULL,"
        " soc_floor_pct double precision NOT NULL, set_by text NOT NULL,"
        " set_at timestamptz NOT NULL)"
    )
    op.execute("CREATE INDEX discharge_orders_site ON discharge_orders (site_id)")
    op.execute("ALTER TABLE discharge_orders ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE discharge_orders FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY tenant ON discharge_orders USING ({MINE}) WITH CHECK ({MINE})")
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON discharge_orders TO voltyard_app")


def downgrade() -> None:
    op.execute("DROP TABLE discharge_orders")
    op.execute("ALTER TABLE sessions DROP COLUMN energy_exported_wh, DROP COLUMN export_last_wh")
