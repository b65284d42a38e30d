"""Preconditioning: rules, wishes, runs; what vehicles tell by VDV 261, and by which password."""

from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

STEPS = (
    """
CREATE TABLE preconditioning_rules (
  id uuid PRIMARY KEY, org_id uuid NOT NULL REFERENCES organisations,
  site_id uuid REFERENCES sites ON DELETE CASCADE,
  vehicle_id uuid REFERENCES vehicles ON DELETE CASCADE,
  vehicle_class text NOT NULL DEFAULT '', duty_key text NOT NULL DEFAULT '',
  name text NOT NULL, kind text NOT NULL, power_w double precision NOT NULL,
  start_before_s int, start_time time, end_before_s int, end_time time,
  weekdays int[] NOT NULL DEFAULT '{}', from_day date, until_day date,
  enabled boolean NOT NULL DEFAULT true, changed_at timestamptz NOT NULL,
  CHECK ((start_before_s IS NULL) <> (start_time IS NULL)),
  CHECK ((end_before_s IS NULL) <> (end_time IS NULL)))
""",
    "CREATE INDEX preconditioning_rules_org ON preconditioning_rules (org_id)",
    """
CREATE TABLE preconditioning_wishes (
  id uuid PRIMARY KEY, org_id uuid NOT NULL REFERENCES organisations, kind text NOT NULL,
  source text NOT NULL, duty_id uuid REFERENCES duties ON DELETE CASCADE,
  vehicle_id uuid REFERENCES vehicles ON DELETE CASCADE,
  start_at timestamptz, end_at timestamptz, power_w double precision,
  ambient_c double precision, target_soc_pct double precision, key text NOT NULL DEFAULT '',
  asked_by text NOT NULL DEFAULT '', asked_at timestamptz NOT NULL,
  CHECK (duty_id IS NOT NULL OR vehicle_id IS NOT NULL))
""",
    "CREATE INDEX preconditioning_wishes_duty ON preconditioning_wishes (duty_id)",
    """
CREATE TABLE preconditioning_runs (
  id uuid PRIMARY KEY, org_id uuid NOT NULL REFERENCES organisations,
  site_id uuid NOT NULL REFERENCES sites ON DELETE CASCADE, kind text NOT NULL,
  source text NOT NULL, start_at timestamptz NOT NULL, end_at timestamptz NOT NULL,
  power_w double precision NOT NULL, duty_id uuid REFERENCES duties ON DELETE CASCADE,
  vehicle_id uuid REFERENCES vehicles ON DELETE SET NULL, rule_id uuid, state text NOT NULL,
  energy_wh double precision NOT NULL DEFAULT 0, short_s double precision NOT NULL DEFAULT 0,
  word text NOT NULL DEFAULT '', reported boolean NOT NULL DEFAULT false,
  changed_at timestamptz NOT NULL, CHECK (end_at > start_at))
""",
    "CREATE INDEX preconditioning_runs_site ON preconditioning_runs (site_id, start_at)",
    "CREATE INDEX preconditioning_runs_open ON preconditioning_runs (end_at)"
    " WHERE state IN ('planned', 'running')",
    """
CREATE TABLE vdv261_vehicles (
  vehicle_id uuid PRIMARY KEY REFERENCES vehicles ON DELETE CASCADE,
  org_id uuid NOT NULL REFERENCES organisations, vin text NOT NULL,
  password_hash text, enabled boolean NOT NULL DEFAULT true, changed_at timestamptz NOT NULL)
""",
    "CREATE UNIQUE INDEX vdv261_vehicles_vin ON vdv261_vehicles (upper(vin))",
    """
CREATE TABLE vdv261_reports (
  vehicle_id uuid PRIMARY KEY REFERENCES vehicles ON DELETE CASCADE,
  org_id uuid NOT NULL REFERENCES organisations, version int NOT NULL, seq int NOT NULL,
  at timestamptz NOT NULL, fields jsonb NOT NULL, answer jsonb NOT NULL DEFAULT '{}',
  fault text NOT NULL DEFAULT '', fault_at timestamptz)
""",
    """
CREATE TABLE vdv261_settings (
  org_id uuid PRIMARY KEY REFERENCES organisations, content jsonb NOT NULL,
  changed_at timestamptz NOT NULL)
""",
)
TABLES = (
    "preconditioning_rules",
    "preconditioning_wishes",
    "preconditioning_runs",
    "vdv261_vehicles",
    "vdv261_reports",
    "vdv261_settings",
)
SHOWN = ("preconditioning_rules", "preconditioning_runs", "vdv261_reports")
"""A depot operator reads those of its fleet operators, too."""
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
    for table in SHOWN:
        op.execute(f"CREATE POLICY below ON {table} FOR SELECT USING (org_id = ANY ({BELOW}))")


def downgrade() -> None:
    for table in reversed(TABLES):
        op.execute(f"DROP TABLE {table}")
