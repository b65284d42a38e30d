"""Bays and outlets kept for vehicles: bookings, their series, a site's rules, what was decided.

No place is ever kept for two at one time, buffers included: ranges of ids stand in for equality.
"""

from alembic import op

revision = "0020"
down_revision = "0019"

STEPS = (
    """
CREATE TABLE booking_rules (
  site_id uuid PRIMARY KEY REFERENCES sites ON DELETE CASCADE, org_id uuid NOT NULL,
  mode text NOT NULL, before_s int NOT NULL, after_s int NOT NULL,
  end_at_departure boolean NOT NULL, from_duties boolean NOT NULL, on_charger boolean NOT NULL)
""",
    """
CREATE TABLE booking_series (
  id uuid PRIMARY KEY, org_id uuid NOT NULL,
  site_id uuid NOT NULL REFERENCES sites ON DELETE CASCADE, place_id uuid NOT NULL,
  bay_id uuid REFERENCES bays ON DELETE CASCADE, evse_id uuid REFERENCES evses ON DELETE CASCADE,
  vehicle_id uuid REFERENCES vehicles ON DELETE CASCADE, token text NOT NULL DEFAULT '',
  note text NOT NULL DEFAULT '', weekdays int[] NOT NULL, begins time NOT NULL, ends time NOT NULL,
  first_on date NOT NULL, last_on date, created_by text NOT NULL,
  created_at timestamptz NOT NULL, ended_at timestamptz)
""",
    """
CREATE TABLE bookings (
  id uuid PRIMARY KEY, org_id uuid NOT NULL,
  site_id uuid NOT NULL REFERENCES sites ON DELETE CASCADE, place_id uuid NOT NULL,
  bay_id uuid REFERENCES bays ON DELETE CASCADE, evse_id uuid REFERENCES evses ON DELETE CASCADE,
  vehicle_id uuid REFERENCES vehicles ON DELETE CASCADE, token text NOT NULL DEFAULT '',
  from_at timestamptz NOT NULL, until_at timestamptz NOT NULL, kept_from timestamptz NOT NULL,
  kept_until timestamptz NOT NULL, origin text NOT NULL,
  series_id uuid REFERENCES booking_series ON DELETE CASCADE, series_on date, duty_id uuid,
  note text NOT NULL DEFAULT '', created_by text NOT NULL, created_at timestamptz NOT NULL,
  lifted_at timestamptz, lifted_by text NOT NULL DEFAULT '',
  lifted_reason text NOT NULL DEFAULT '', cancelled_at timestamptz,
  cancelled_by text NOT NULL DEFAULT '',
  CHECK (kept_from <= from_at AND from_at < until_at AND until_at <= kept_until),
  CONSTRAINT bookings_overlap EXCLUDE USING gist (
    uuid_range(place_id, place_id, '[]') WITH &&, tstzrange(kept_from, kept_until, '[)') WITH &&)
    WHERE (cancelled_at IS NULL))
""",
    "CREATE UNIQUE INDEX bookings_series ON bookings (series_id, series_on)"
    " WHERE series_id IS NOT NULL",
    "CREATE UNIQUE INDEX bookings_duty ON bookings (duty_id)"
    " WHERE duty_id IS NOT NULL AND cancelled_at IS NULL",
    "CREATE INDEX bookings_site ON bookings (site_id, from_at)",
    """
CREATE TABLE booking_decisions (
  id uuid PRIMARY KEY, org_id uuid NOT NULL, site_id uuid NOT NULL, station_id uuid NOT NULL,
  evse_id uuid, at timestamptz NOT NULL, action text NOT NULL, done boolean NOT NULL,
  session_id uuid, booking_id uuid, token text NOT NULL DEFAULT '', vehicle_id uuid,
  due_vehicle_id uuid, due_at timestamptz, by text NOT NULL DEFAULT '',
  reason text NOT NULL DEFAULT '')
""",
    "CREATE INDEX booking_decisions_session ON booking_decisions (session_id)"
    " WHERE session_id IS NOT NULL",
    "CREATE INDEX booking_decisions_site ON booking_decisions (site_id, at DESC)",
    "ALTER TABLE bays ADD COLUMN lane text NOT NULL DEFAULT ''",
)
TENANT_TABLES = ("booking_rules", "booking_series", "bookings", "booking_decisions")
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
    op.execute("ALTER TABLE bays DROP COLUMN lane")
    for table in reversed(TENANT_TABLES):
        op.execute(f"DROP TABLE {table}")
