"""What planning rests on beside chargers: site meters, other load, prices, peaks."""

from alembic import op

revision = "0012"
down_revision = "0011"

STEPS = (
    """
CREATE TABLE site_meters (
  id uuid PRIMARY KEY, org_id uuid NOT NULL, site_id uuid NOT NULL REFERENCES sites
  ON DELETE CASCADE, node_id uuid NOT NULL REFERENCES nodes,
  name text NOT NULL, protocol text NOT NULL, covers text NOT NULL,
  connection jsonb NOT NULL DEFAULT '{}', points jsonb NOT NULL DEFAULT '[]', secret bytea,
  enabled boolean NOT NULL DEFAULT true, margin_w double precision NOT NULL,
  hold_s double precision NOT NULL, fallback text NOT NULL, reserve_w double precision NOT NULL,
  days int NOT NULL, most_w double precision NOT NULL, UNIQUE (site_id, name))
""",
    "CREATE UNIQUE INDEX site_meters_one_for_all ON site_meters (node_id) WHERE covers = 'all'",
    "CREATE INDEX site_meters_site ON site_meters (site_id)",
    """
CREATE TABLE site_readings (
  meter_id uuid NOT NULL REFERENCES site_meters ON DELETE CASCADE, at timestamptz NOT NULL,
  org_id uuid NOT NULL, readings int NOT NULL, last_at timestamptz NOT NULL,
  last_w double precision NOT NULL, mean_w double precision NOT NULL,
  lowest_w double precision NOT NULL, highest_w double precision NOT NULL,
  phases_w double precision[], energy_wh double precision, PRIMARY KEY (meter_id, at))
""",
    "CREATE INDEX site_readings_at ON site_readings USING brin (at)",
    """
CREATE TABLE other_loads (
  meter_id uuid NOT NULL REFERENCES site_meters ON DELETE CASCADE, at timestamptz NOT NULL,
  org_id uuid NOT NULL, mean_w double precision NOT NULL, highest_w double precision NOT NULL,
  seconds double precision NOT NULL, PRIMARY KEY (meter_id, at))
""",
    """
CREATE TABLE tariffs (
  site_id uuid PRIMARY KEY REFERENCES sites ON DELETE CASCADE, org_id uuid NOT NULL,
  content jsonb NOT NULL, changed_at timestamptz NOT NULL)
""",
    """
CREATE TABLE market_prices (
  site_id uuid NOT NULL REFERENCES sites ON DELETE CASCADE, kind text NOT NULL,
  at timestamptz NOT NULL, org_id uuid NOT NULL, seconds int NOT NULL,
  value double precision NOT NULL, source text NOT NULL, fetched_at timestamptz NOT NULL,
  PRIMARY KEY (site_id, kind, at))
""",
    """
CREATE TABLE site_peaks (
  site_id uuid NOT NULL REFERENCES sites ON DELETE CASCADE, begins_at timestamptz NOT NULL,
  org_id uuid NOT NULL, peak_w double precision NOT NULL, peak_at timestamptz NOT NULL,
  metered boolean NOT NULL, PRIMARY KEY (site_id, begins_at))
""",
    "ALTER TABLE power_samples ADD COLUMN other_w double precision",
)
TABLES = ("site_meters", "site_readings", "other_loads", "tariffs", "market_prices", "site_peaks")
MINE = (
    "org_id = nullif(current_setting('voltyard.org_id', true), '')::uuid "
    "OR current_setting('voltyard.system', true) = 'on'"
)


def upgrade() -> None:
    for step in STEPS:
        op.execute(step)
    for table in TABLES:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY tenant ON {table} USING ({MINE}) WITH CHECK ({MINE})")
        op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO voltyard_app")


def downgrade() -> None:
    op.execute("ALTER TABLE power_samples DROP COLUMN other_w")
    for table in reversed(TABLES):
        op.execute(f"DROP TABLE {table}")
