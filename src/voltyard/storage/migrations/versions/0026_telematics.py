"""Telematics: connections to other systems, vehicles as they name them, what they observed."""

from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

STEPS = (
    """
CREATE TABLE telematics_connections (
  id uuid PRIMARY KEY, org_id uuid NOT NULL REFERENCES organisations ON DELETE CASCADE,
  name text NOT NULL, kind text NOT NULL, access jsonb NOT NULL, secret bytea,
  enabled boolean NOT NULL DEFAULT true, poll_s double precision NOT NULL,
  silent_s double precision NOT NULL, keep_position boolean NOT NULL DEFAULT false,
  departures text NOT NULL, site_id uuid, target_soc_pct double precision NOT NULL,
  key text NOT NULL UNIQUE, since timestamptz NOT NULL, alive_at timestamptz,
  heard_at timestamptz, asked_at timestamptz, next_at timestamptz,
  failures int NOT NULL DEFAULT 0, fault text NOT NULL DEFAULT '', fault_at timestamptz,
  taken bigint NOT NULL DEFAULT 0, flagged bigint NOT NULL DEFAULT 0,
  unknown bigint NOT NULL DEFAULT 0, cursor jsonb NOT NULL DEFAULT '{}',
  UNIQUE (org_id, name))
""",
    """
CREATE TABLE telematics_assets (
  connection_id uuid NOT NULL REFERENCES telematics_connections ON DELETE CASCADE,
  external_id text NOT NULL, org_id uuid NOT NULL REFERENCES organisations ON DELETE CASCADE,
  label text NOT NULL DEFAULT '', vin text NOT NULL DEFAULT '',
  vehicle_id uuid REFERENCES vehicles ON DELETE SET NULL,
  chosen boolean NOT NULL DEFAULT false, seen_at timestamptz,
  PRIMARY KEY (connection_id, external_id))
""",
    """
CREATE TABLE telematics_observations (
  vehicle_id uuid NOT NULL REFERENCES vehicles ON DELETE CASCADE, source text NOT NULL,
  observed_at timestamptz NOT NULL, received_at timestamptz NOT NULL,
  org_id uuid NOT NULL REFERENCES organisations ON DELETE CASCADE,
  connection_id uuid REFERENCES telematics_connections ON DELETE SET NULL,
  soc_pct double precision, odometer_km double precision, range_km double precision,
  plugged boolean, charging text, latitude double precision, longitude double precision,
  departure_at timestamptz, flags text[] NOT NULL DEFAULT '{}',
  PRIMARY KEY (vehicle_id, source, observed_at))
""",
    "CREATE INDEX telematics_observations_at ON telematics_observations (observed_at)",
    "CREATE INDEX telematics_observations_of ON telematics_observations"
    " (connection_id, received_at)",
)
TABLES = ("telematics_connections", "telematics_assets", "telematics_observations")
MINE = (
    "org_id = (SELECT nullif(current_setting('voltyard.org_id', true), '')::uuid)"
    " OR (SELECT current_setting('voltyard.system', true) = 'on')"
)
BELOW = "(SELECT nullif(current_setting('voltyard.below', true), ''))::uuid[]"


def upgrade() -> None:
    for step in STEPS:
        op.execute(step)
    for table in TABLES:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY tenant ON {table} USING ({MINE}) WITH CHECK ({MINE})")
        op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO voltyard_app")
    # A depot operator reads what its fleet operators' vehicles told; their connections are theirs.
    op.execute(
        f"CREATE POLICY below ON telematics_observations FOR SELECT USING (org_id = ANY ({BELOW}))"
    )


def downgrade() -> None:
    for table in reversed(TABLES):
        op.execute(f"DROP TABLE {table}")
