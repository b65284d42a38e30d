"""Tariffs, whom they are for, what sessions cost, prepaid accounts and payments.

A version of a tariff is never changed: what was rated by it can be explained later.
"""

from alembic import op

revision = "0011"
down_revision = "0010"

STEPS = (
    """
CREATE TABLE charging_tariffs (
  id uuid PRIMARY KEY, org_id uuid NOT NULL, name text NOT NULL, number int NOT NULL,
  terms jsonb NOT NULL, changed_at timestamptz NOT NULL, retired boolean NOT NULL DEFAULT false)
""",
    "CREATE UNIQUE INDEX charging_tariffs_name ON charging_tariffs (org_id, lower(name))"
    " WHERE NOT retired",
    """
CREATE TABLE tariff_versions (
  tariff_id uuid NOT NULL REFERENCES charging_tariffs ON DELETE CASCADE, number int NOT NULL,
  org_id uuid NOT NULL, name text NOT NULL, terms jsonb NOT NULL, at timestamptz NOT NULL,
  by text NOT NULL, PRIMARY KEY (tariff_id, number))
""",
    """
CREATE TABLE tariff_assignments (
  id uuid PRIMARY KEY, org_id uuid NOT NULL, tariff_id uuid NOT NULL REFERENCES charging_tariffs,
  target text NOT NULL, ref text NOT NULL DEFAULT '',
  CONSTRAINT tariff_assignments_once UNIQUE (org_id, target, ref))
""",
    """
CREATE TABLE session_costs (
  session_id uuid PRIMARY KEY REFERENCES sessions ON DELETE CASCADE, org_id uuid NOT NULL,
  station_id uuid NOT NULL, state text NOT NULL, phases jsonb NOT NULL, cost jsonb NOT NULL,
  currency text NOT NULL, net numeric NOT NULL, tax numeric NOT NULL, gross numeric NOT NULL,
  rated_at timestamptz NOT NULL, reason text NOT NULL, energy_wh double precision NOT NULL,
  ratings jsonb NOT NULL DEFAULT '[]', station_cost jsonb, account_id uuid, hold numeric)
""",
    "CREATE INDEX session_costs_running ON session_costs (org_id) WHERE state = 'running'",
    """
CREATE TABLE prepaid_accounts (
  id uuid PRIMARY KEY, org_id uuid NOT NULL, name text NOT NULL, currency text NOT NULL,
  balance numeric NOT NULL, tokens text[] NOT NULL, closed boolean NOT NULL DEFAULT false,
  created_at timestamptz NOT NULL)
""",
    "CREATE INDEX prepaid_accounts_org ON prepaid_accounts (org_id, name)",
    """
CREATE TABLE prepaid_entries (
  id uuid PRIMARY KEY, org_id uuid NOT NULL,
  account_id uuid NOT NULL REFERENCES prepaid_accounts ON DELETE CASCADE,
  at timestamptz NOT NULL, amount numeric NOT NULL, balance numeric NOT NULL,
  kind text NOT NULL, session_id uuid, note text NOT NULL DEFAULT '', by text NOT NULL)
""",
    "CREATE INDEX prepaid_entries_account ON prepaid_entries (account_id, at DESC)",
    """
CREATE TABLE payments (
  id uuid PRIMARY KEY, org_id uuid NOT NULL, psp_ref text NOT NULL, source text NOT NULL,
  state text NOT NULL, station_id uuid NOT NULL, evse_id uuid, session_id uuid,
  currency text NOT NULL DEFAULT '', authorised numeric, max_energy_wh double precision,
  max_time_s int, settled numeric, settled_at timestamptz, receipt_id text NOT NULL DEFAULT '',
  receipt_url text NOT NULL DEFAULT '', vat_number text NOT NULL DEFAULT '',
  company jsonb, details jsonb NOT NULL DEFAULT '{}', word text NOT NULL DEFAULT '',
  created_at timestamptz NOT NULL, changed_at timestamptz NOT NULL,
  CONSTRAINT payments_once UNIQUE (org_id, psp_ref))
""",
    "CREATE INDEX payments_changed ON payments (org_id, changed_at DESC)",
    "CREATE INDEX payments_session ON payments (session_id)",
    """
CREATE TABLE billing_settings (
  org_id uuid PRIMARY KEY, running_cost_s int NOT NULL, language text NOT NULL,
  show_tariff boolean NOT NULL,
  direct_payment boolean NOT NULL, fallback_tariff text NOT NULL, fallback_cost text NOT NULL,
  receipt_url text NOT NULL, pay_url text NOT NULL)
""",
    """
CREATE TABLE station_tariffs (
  station_id uuid NOT NULL REFERENCES stations ON DELETE CASCADE, evse_number int NOT NULL,
  org_id uuid NOT NULL, tariff_key text NOT NULL, state text NOT NULL, word text NOT NULL,
  at timestamptz NOT NULL, PRIMARY KEY (station_id, evse_number))
""",
    """
CREATE TABLE station_web_payments (
  station_id uuid PRIMARY KEY REFERENCES stations ON DELETE CASCADE, org_id uuid NOT NULL,
  secret text NOT NULL, validity_s int NOT NULL, length int NOT NULL, at timestamptz NOT NULL)
""",
)
TENANT_TABLES = (
    "charging_tariffs",
    "tariff_versions",
    "tariff_assignments",
    "session_costs",
    "prepaid_accounts",
    "prepaid_entries",
    "payments",
    "billing_settings",
    "station_tariffs",
    "station_web_payments",
)
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
    for table in reversed(TENANT_TABLES):
        op.execute(f"DROP TABLE {table}")
