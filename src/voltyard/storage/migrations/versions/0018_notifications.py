"""Notifications: targets, routes, the outbox; alerts that rise, sleep or end by themselves."""

from alembic import op

revision = "0018"
down_revision = "0017"

STEPS = (
    """
ALTER TABLE alerts ADD COLUMN stage int NOT NULL DEFAULT 0, ADD COLUMN snoozed_until timestamptz,
  ADD COLUMN snoozed_by text, ADD COLUMN ends_at timestamptz
""",
    """
CREATE TABLE departure_rules (
  id uuid PRIMARY KEY, org_id uuid NOT NULL, site_id uuid REFERENCES sites ON DELETE CASCADE,
  enabled boolean NOT NULL, steps jsonb NOT NULL, conditions text[] NOT NULL,
  changed_at timestamptz NOT NULL, UNIQUE NULLS NOT DISTINCT (org_id, site_id))
""",
    """
CREATE TABLE notification_targets (
  id uuid PRIMARY KEY, org_id uuid NOT NULL, name text NOT NULL, channel text NOT NULL,
  address text NOT NULL, shown text NOT NULL, user_id uuid REFERENCES users ON DELETE CASCADE,
  locale text NOT NULL,
  enabled boolean NOT NULL, events text[] NOT NULL, quiet jsonb NOT NULL, digest jsonb NOT NULL,
  secret bytea, secret_before bytea, secret_changed_at timestamptz, created_at timestamptz NOT NULL,
  UNIQUE (org_id, name))
""",
    """
CREATE TABLE notification_routes (
  id uuid PRIMARY KEY, org_id uuid NOT NULL, name text NOT NULL, enabled boolean NOT NULL,
  site_ids uuid[] NOT NULL, kinds text[] NOT NULL, least text NOT NULL, weekdays int[] NOT NULL,
  from_time time, until_time time, delay_min int NOT NULL, tell_end boolean NOT NULL,
  target_ids uuid[] NOT NULL, user_ids uuid[] NOT NULL, UNIQUE (org_id, name))
""",
    """
CREATE TABLE notifications (
  id uuid PRIMARY KEY, seq bigint GENERATED ALWAYS AS IDENTITY, org_id uuid NOT NULL,
  target_id uuid REFERENCES notification_targets ON DELETE SET NULL, target text NOT NULL,
  channel text NOT NULL, route text NOT NULL, site_id uuid, alert_id uuid, kind text NOT NULL,
  severity text NOT NULL, topic text NOT NULL, subject text NOT NULL, body text NOT NULL,
  payload jsonb, state text NOT NULL, created_at timestamptz NOT NULL,
  due_at timestamptz NOT NULL, attempts int NOT NULL DEFAULT 0, sent_at timestamptz,
  answer text NOT NULL DEFAULT '', bundle_id uuid, leased_until timestamptz, leased_by text)
""",
    "CREATE INDEX notifications_due ON notifications (due_at) WHERE state IN ('waiting', 'held')",
    "CREATE INDEX notifications_org ON notifications (org_id, seq DESC)",
    "CREATE INDEX notifications_alert ON notifications (alert_id) WHERE alert_id IS NOT NULL",
)
TABLES = ("departure_rules", "notification_targets", "notification_routes", "notifications")
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
    for table in reversed(TABLES):
        op.execute(f"DROP TABLE {table}")
    op.execute(
        "ALTER TABLE alerts DROP COLUMN stage, DROP COLUMN snoozed_until, DROP COLUMN snoozed_by,"
        " DROP COLUMN ends_at"
    )
