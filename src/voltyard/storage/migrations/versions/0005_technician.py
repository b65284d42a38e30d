"""Device models whole, templates and drift, makes, monitors and events, commands in bulk."""

from alembic import op

revision = "0005"
down_revision = "0004"

CONFIG = """
ALTER TABLE station_config
  ADD COLUMN component_instance text NOT NULL DEFAULT '',
  ADD COLUMN connector_number int NOT NULL DEFAULT -1,
  ADD COLUMN traits jsonb, ADD COLUMN reboot_needed_at timestamptz;
ALTER TABLE station_config DROP CONSTRAINT station_config_pkey;
ALTER TABLE station_config ADD PRIMARY KEY (station_id, component, component_instance, instance,
  evse_number, connector_number, name, attribute);
CREATE INDEX ocpp_frames_org_at ON ocpp_frames (org_id, at DESC);
CREATE INDEX ocpp_frames_errors ON ocpp_frames (org_id, at DESC)
  WHERE error_code IS NOT NULL OR kind = 'error';
"""
TABLES = """
CREATE TABLE makes (
  id uuid PRIMARY KEY, org_id uuid NOT NULL REFERENCES organisations ON DELETE CASCADE,
  vendor text NOT NULL, model text NOT NULL, quirks jsonb NOT NULL,
  note text NOT NULL DEFAULT '', changed_at timestamptz NOT NULL, changed_by text NOT NULL,
  UNIQUE (org_id, vendor, model));
CREATE TABLE config_templates (
  id uuid PRIMARY KEY, org_id uuid NOT NULL REFERENCES organisations ON DELETE CASCADE,
  name text NOT NULL, vendor text NOT NULL, model text NOT NULL, version text NOT NULL DEFAULT '',
  wanted jsonb NOT NULL, repairs boolean NOT NULL DEFAULT true,
  active boolean NOT NULL DEFAULT true, changed_at timestamptz NOT NULL,
  changed_by text NOT NULL, UNIQUE (org_id, name));
CREATE TABLE config_drift (
  station_id uuid NOT NULL REFERENCES stations ON DELETE CASCADE, org_id uuid NOT NULL,
  key text NOT NULL, wanted text NOT NULL, found text, state text NOT NULL,
  template text NOT NULL, firmware text NOT NULL DEFAULT '', tries int NOT NULL DEFAULT 0,
  word text NOT NULL DEFAULT '', since timestamptz NOT NULL, changed_at timestamptz NOT NULL,
  PRIMARY KEY (station_id, key));
CREATE INDEX config_drift_org ON config_drift (org_id, changed_at DESC);
CREATE TABLE station_monitors (
  station_id uuid NOT NULL REFERENCES stations ON DELETE CASCADE, org_id uuid NOT NULL,
  monitor_id bigint NOT NULL, variable text NOT NULL, kind text NOT NULL,
  value double precision NOT NULL, severity int NOT NULL, only_in_transaction boolean NOT NULL,
  origin text NOT NULL DEFAULT '', told_at timestamptz NOT NULL,
  PRIMARY KEY (station_id, monitor_id));
CREATE TABLE station_events (
  id uuid PRIMARY KEY, org_id uuid NOT NULL,
  station_id uuid NOT NULL REFERENCES stations ON DELETE CASCADE, site_id uuid,
  at timestamptz NOT NULL, received_at timestamptz NOT NULL, event_id bigint NOT NULL,
  variable text NOT NULL, value text NOT NULL, trigger text NOT NULL, severity int,
  cleared boolean NOT NULL, monitor_id bigint, origin text NOT NULL DEFAULT '', cause bigint,
  tech_code text NOT NULL DEFAULT '', tech_info text NOT NULL DEFAULT '', transaction_ref text);
CREATE INDEX station_events_station_at ON station_events (station_id, received_at DESC, id);
CREATE INDEX station_events_org_at ON station_events (org_id, received_at DESC, id);
CREATE TABLE bulk_commands (
  id uuid PRIMARY KEY, org_id uuid NOT NULL REFERENCES organisations ON DELETE CASCADE,
  title text NOT NULL, request jsonb NOT NULL, requested_by text NOT NULL,
  requested_at timestamptz NOT NULL, ended_at timestamptz, state text NOT NULL,
  total int NOT NULL);
CREATE INDEX bulk_commands_org ON bulk_commands (org_id, requested_at DESC, id);
CREATE TABLE bulk_results (
  bulk_id uuid NOT NULL REFERENCES bulk_commands ON DELETE CASCADE, org_id uuid NOT NULL,
  station_id uuid NOT NULL REFERENCES stations ON DELETE CASCADE, state text NOT NULL,
  word text NOT NULL DEFAULT '', message text NOT NULL DEFAULT '',
  detail jsonb NOT NULL DEFAULT '{}', answered_at timestamptz, latency_ms double precision,
  PRIMARY KEY (bulk_id, station_id));
"""
TENANT_TABLES = (
    "makes",
    "config_templates",
    "config_drift",
    "station_monitors",
    "station_events",
    "bulk_commands",
    "bulk_results",
)


def upgrade() -> None:
    for statement in (CONFIG + TABLES).split(";\n"):
        if statement.strip():
            op.execute(statement)
    system = "current_setting('voltyard.system', true) = 'on'"
    mine = f"org_id = nullif(current_setting('voltyard.org_id', true), '')::uuid OR {system}"
    for table in TENANT_TABLES:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY tenant ON {table} USING ({mine}) WITH CHECK ({mine})")
        op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO voltyard_app")
    op.execute("REVOKE UPDATE ON station_events FROM voltyard_app")


def downgrade() -> None:
    for table in reversed(TENANT_TABLES):
        op.execute(f"DROP TABLE {table} CASCADE")
    op.execute("DROP INDEX ocpp_frames_org_at, ocpp_frames_errors")
    op.execute("DELETE FROM station_config WHERE component_instance <> '' OR connector_number >= 0")
    op.execute("ALTER TABLE station_config DROP CONSTRAINT station_config_pkey")
    op.execute(
        "ALTER TABLE station_config DROP COLUMN component_instance, DROP COLUMN connector_number,"
        " DROP COLUMN traits, DROP COLUMN reboot_needed_at"
    )
    op.execute(
        "ALTER TABLE station_config ADD PRIMARY KEY"
        " (station_id, component, instance, evse_number, name, attribute)"
    )
