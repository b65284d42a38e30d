"""Presystems that connect by VDV 463, what they ask for, and the last messages of each."""

from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

STEPS = (
    """
CREATE TABLE presystems (
  id uuid PRIMARY KEY, org_id uuid NOT NULL REFERENCES organisations, path text NOT NULL UNIQUE,
  name text NOT NULL, kind text NOT NULL, settings jsonb NOT NULL DEFAULT '{}',
  password_hash text, password_at timestamptz, created_at timestamptz NOT NULL,
  last_seen_at timestamptz)
""",
    "CREATE INDEX presystems_org ON presystems (org_id)",
    """
CREATE TABLE presystem_requests (
  presystem uuid NOT NULL REFERENCES presystems ON DELETE CASCADE, presystem_id text NOT NULL,
  request_id text NOT NULL, org_id uuid NOT NULL, sent jsonb NOT NULL, request jsonb,
  state text NOT NULL, reason text NOT NULL DEFAULT '', received_at timestamptz NOT NULL,
  duty_id uuid, site_id uuid, vehicle_id uuid, bay_id uuid, arrival_at timestamptz,
  departure_at timestamptz, PRIMARY KEY (presystem, presystem_id, request_id))
""",
    "CREATE INDEX presystem_requests_duty ON presystem_requests (duty_id)",
    """
CREATE TABLE presystem_messages (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  presystem uuid NOT NULL REFERENCES presystems ON DELETE CASCADE, org_id uuid NOT NULL,
  at timestamptz NOT NULL, direction text NOT NULL, kind text NOT NULL, action text NOT NULL,
  message_id text NOT NULL, payload text NOT NULL, faults jsonb NOT NULL, notes jsonb NOT NULL,
  size_bytes int NOT NULL)
""",
    "CREATE INDEX presystem_messages_of ON presystem_messages (presystem, id DESC)",
)
TABLES = ("presystems", "presystem_requests", "presystem_messages")
MINE = (
    "org_id = (SELECT nullif(current_setting('voltyard.org_id', true), '')::uuid)"
    " OR (SELECT current_setting('voltyard.system', true) = 'on')"
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
    for table in reversed(TABLES):
        op.execute(f"DROP TABLE {table}")
