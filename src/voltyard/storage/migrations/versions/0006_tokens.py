"""Groups and places of tokens, the lists that chargers keep of them, and reservations.

Two reservations of one EVSE never overlap: ranges of ids stand in for equality in the exclusion
constraint, so that no extension of PostgreSQL is needed.
"""

from alembic import op

revision = "0006"
down_revision = "0005"

STEPS = (
    "ALTER TABLE tokens ADD COLUMN group_id text NOT NULL DEFAULT ''",
    "ALTER TABLE tokens ADD COLUMN concurrent boolean NOT NULL DEFAULT false",
    "ALTER TABLE tokens ADD COLUMN site_ids uuid[] NOT NULL DEFAULT '{}'",
    "ALTER TABLE tokens ADD COLUMN area_ids uuid[] NOT NULL DEFAULT '{}'",
    """
CREATE TABLE local_lists (
  station_id uuid PRIMARY KEY REFERENCES stations ON DELETE CASCADE, org_id uuid NOT NULL,
  state text NOT NULL, version int NOT NULL, entries jsonb NOT NULL DEFAULT '{}',
  entries_max int, per_message int, left_out int NOT NULL DEFAULT 0, read_at timestamptz,
  checked_at timestamptz, synced_at timestamptz, drifts int NOT NULL DEFAULT 0,
  drifted_at timestamptz, failure text NOT NULL DEFAULT '', clear_cache boolean NOT NULL,
  cache_cleared_at timestamptz, cache_word text NOT NULL DEFAULT '')
""",
    "CREATE TYPE uuid_range AS RANGE (subtype = uuid)",
    """
CREATE TABLE reservations (
  id uuid PRIMARY KEY, org_id uuid NOT NULL, site_id uuid,
  station_id uuid NOT NULL REFERENCES stations ON DELETE CASCADE,
  evse_id uuid REFERENCES evses ON DELETE CASCADE, number int NOT NULL, token text NOT NULL,
  token_kind text NOT NULL, group_id text NOT NULL DEFAULT '', vehicle_id uuid,
  connector_type text, from_at timestamptz NOT NULL, until_at timestamptz NOT NULL,
  state text NOT NULL, word text NOT NULL DEFAULT '', cancel_due boolean NOT NULL DEFAULT false,
  session_id uuid, created_by text NOT NULL, created_at timestamptz NOT NULL,
  changed_at timestamptz NOT NULL, CHECK (until_at > from_at),
  CONSTRAINT reservations_overlap EXCLUDE USING gist (
    uuid_range(evse_id, evse_id, '[]') WITH &&, tstzrange(from_at, until_at, '[)') WITH &&)
    WHERE (evse_id IS NOT NULL AND state IN ('planned', 'asked', 'active')))
""",
    "CREATE UNIQUE INDEX reservations_number ON reservations (station_id, number)",
    "CREATE INDEX reservations_org ON reservations (org_id, until_at DESC)",
    "CREATE INDEX reservations_station ON reservations (station_id, until_at DESC)",
)
TENANT_TABLES = ("local_lists", "reservations")
MINE = (
    "org_id = nullif(current_setting('voltyard.org_id', true), '')::uuid "
    "OR current_setting('voltyard.system', true) = 'on'"
)


def upgrade() -> None:
    for step in STEPS:
        op.execute(step)
    for table in TENANT_TABLES:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY tenant ON {table} USING ({MINE}) WITH CHECK ({MINE})")
        op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO voltyard_app")


def downgrade() -> None:
    for table in TENANT_TABLES:
        op.execute(f"DROP TABLE {table}")
    op.execute("DROP TYPE uuid_range")
    op.execute(
        "ALTER TABLE tokens DROP COLUMN group_id, DROP COLUMN concurrent, DROP COLUMN site_ids,"
        " DROP COLUMN area_ids"
    )
