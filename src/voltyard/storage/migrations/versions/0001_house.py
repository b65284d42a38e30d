"""The first schema: people, sites, chargers, sessions, fleets, duties, energy, alerts, log.

Every tenant-owned table has ``org_id`` and the policy ``tenant``; only rows of the organisation
in ``voltyard.org_id`` are seen, or all where ``voltyard.system`` is on. A connection that sets
neither sees nothing.
"""

from alembic import op

revision = "0001"
down_revision = None

PEOPLE = """
CREATE TABLE organisations (
  id uuid PRIMARY KEY, org_id uuid GENERATED ALWAYS AS (id) STORED,
  name text NOT NULL, slug text NOT NULL UNIQUE, timezone text NOT NULL DEFAULT 'Europe/Berlin',
  locale text NOT NULL DEFAULT 'en', created_at timestamptz NOT NULL);
CREATE TABLE users (
  id uuid PRIMARY KEY, org_id uuid NOT NULL REFERENCES organisations, email text NOT NULL,
  name text NOT NULL, password_hash text NOT NULL, role text NOT NULL,
  locale text NOT NULL DEFAULT 'en', active boolean NOT NULL DEFAULT true,
  created_at timestamptz NOT NULL, last_login_at timestamptz,
  failed_logins int NOT NULL DEFAULT 0, locked_until timestamptz);
CREATE UNIQUE INDEX users_email ON users (lower(email));
CREATE TABLE login_sessions (
  token_hash text PRIMARY KEY, org_id uuid NOT NULL, user_id uuid NOT NULL REFERENCES users
  ON DELETE CASCADE, created_at timestamptz NOT NULL, expires_at timestamptz NOT NULL,
  last_seen_at timestamptz NOT NULL, user_agent text NOT NULL DEFAULT '');
CREATE TABLE api_keys (
  id uuid PRIMARY KEY, org_id uuid NOT NULL REFERENCES organisations, name text NOT NULL,
  prefix text NOT NULL UNIQUE, secret_hash text NOT NULL, scopes text[] NOT NULL,
  created_at timestamptz NOT NULL, created_by text NOT NULL, last_used_at timestamptz,
  expires_at timestamptz, revoked_at timestamptz);
CREATE TABLE setup_links (
  token_hash text PRIMARY KEY, created_at timestamptz NOT NULL, expires_at timestamptz NOT NULL,
  used_at timestamptz);
CREATE TABLE audit_log (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at timestamptz NOT NULL,
  org_id uuid NOT NULL, actor_kind text NOT NULL, actor_id uuid, actor_name text NOT NULL,
  action text NOT NULL, object_kind text NOT NULL, object_id text NOT NULL,
  detail jsonb NOT NULL DEFAULT '{}', remote text NOT NULL DEFAULT '');
CREATE INDEX audit_log_org_at ON audit_log (org_id, at DESC);
"""

SITES = """
CREATE TABLE sites (
  id uuid PRIMARY KEY, org_id uuid NOT NULL REFERENCES organisations, name text NOT NULL,
  timezone text NOT NULL, country text NOT NULL DEFAULT 'DE', currency text NOT NULL DEFAULT 'EUR',
  unknown_token text NOT NULL DEFAULT 'accept', unknown_vehicle_power_w double precision,
  unknown_vehicle_priority int NOT NULL DEFAULT 9, UNIQUE (org_id, name));
CREATE TABLE areas (
  id uuid PRIMARY KEY, org_id uuid NOT NULL, site_id uuid NOT NULL REFERENCES sites
  ON DELETE CASCADE, name text NOT NULL, position int NOT NULL DEFAULT 0, UNIQUE (site_id, name));
CREATE TABLE bays (
  id uuid PRIMARY KEY, org_id uuid NOT NULL, site_id uuid NOT NULL REFERENCES sites
  ON DELETE CASCADE, area_id uuid REFERENCES areas ON DELETE SET NULL, name text NOT NULL,
  position int NOT NULL DEFAULT 0, UNIQUE (site_id, name));
CREATE TABLE nodes (
  id uuid PRIMARY KEY, org_id uuid NOT NULL, site_id uuid NOT NULL REFERENCES sites
  ON DELETE CASCADE, parent_id uuid REFERENCES nodes, kind text NOT NULL, name text NOT NULL,
  evse_id uuid, position int NOT NULL DEFAULT 0, limits jsonb NOT NULL DEFAULT '[]');
CREATE UNIQUE INDEX nodes_one_root ON nodes (site_id) WHERE parent_id IS NULL;
CREATE UNIQUE INDEX nodes_evse ON nodes (evse_id) WHERE evse_id IS NOT NULL;
"""

CHARGERS = """
CREATE TABLE stations (
  id uuid PRIMARY KEY, org_id uuid NOT NULL REFERENCES organisations,
  site_id uuid REFERENCES sites ON DELETE SET NULL,
  identity text NOT NULL UNIQUE, state text NOT NULL, name text NOT NULL DEFAULT '',
  password_hash text, vendor text, model text, serial text, firmware text, ocpp_version text,
  connected boolean NOT NULL DEFAULT false, connected_at timestamptz, last_seen_at timestamptz,
  booted_at timestamptz, remote text, quirks jsonb NOT NULL DEFAULT '{}',
  flags jsonb NOT NULL DEFAULT '{}', created_at timestamptz NOT NULL);
CREATE TABLE evses (
  id uuid PRIMARY KEY, org_id uuid NOT NULL, site_id uuid REFERENCES sites ON DELETE SET NULL,
  station_id uuid NOT NULL REFERENCES stations ON DELETE CASCADE, number int NOT NULL,
  name text NOT NULL, bay_id uuid REFERENCES bays ON DELETE SET NULL,
  node_id uuid REFERENCES nodes ON DELETE SET NULL, current_type text NOT NULL DEFAULT 'dc',
  max_power_w double precision NOT NULL, min_power_w double precision NOT NULL DEFAULT 0,
  phases int NOT NULL DEFAULT 3, phase_rotation text NOT NULL DEFAULT 'RST',
  voltage_v double precision NOT NULL DEFAULT 230, operative boolean NOT NULL DEFAULT true,
  status text NOT NULL DEFAULT 'unknown', status_at timestamptz, error_code text, error_info text,
  UNIQUE (station_id, number));
CREATE TABLE connectors (
  id uuid PRIMARY KEY, org_id uuid NOT NULL,
  evse_id uuid NOT NULL REFERENCES evses ON DELETE CASCADE, number int NOT NULL,
  kind text NOT NULL DEFAULT '', status text NOT NULL DEFAULT 'unknown', status_at timestamptz,
  error_code text, error_info text, UNIQUE (evse_id, number));
CREATE TABLE station_config (
  station_id uuid NOT NULL REFERENCES stations ON DELETE CASCADE, org_id uuid NOT NULL,
  component text NOT NULL DEFAULT '', instance text NOT NULL DEFAULT '',
  evse_number int NOT NULL DEFAULT -1, name text NOT NULL, attribute text NOT NULL DEFAULT 'Actual',
  value text, readonly boolean NOT NULL DEFAULT false, read_at timestamptz NOT NULL,
  PRIMARY KEY (station_id, component, instance, evse_number, name, attribute));
CREATE TABLE charger_commands (
  id uuid PRIMARY KEY, org_id uuid NOT NULL, station_id uuid NOT NULL REFERENCES stations
  ON DELETE CASCADE, action text NOT NULL, request jsonb NOT NULL, requested_by text NOT NULL,
  requested_at timestamptz NOT NULL, answered_at timestamptz, status text NOT NULL,
  word text, response jsonb, latency_ms double precision);
CREATE INDEX charger_commands_station ON charger_commands (station_id, requested_at DESC);
CREATE TABLE ocpp_frames (
  at timestamptz NOT NULL, org_id uuid NOT NULL, station_id uuid NOT NULL,
  direction text NOT NULL, kind text NOT NULL, message_id text NOT NULL, action text NOT NULL,
  payload text NOT NULL, error_code text, latency_ms double precision, flags text[] NOT NULL
  DEFAULT '{}') PARTITION BY RANGE (at);
CREATE INDEX ocpp_frames_station_at ON ocpp_frames (station_id, at DESC);
"""

FLEETS = """
CREATE TABLE vehicles (
  id uuid PRIMARY KEY, org_id uuid NOT NULL REFERENCES organisations, name text NOT NULL,
  vehicle_class text NOT NULL DEFAULT '', battery_wh double precision,
  max_power_w double precision, min_power_w double precision NOT NULL DEFAULT 0,
  charge_curve jsonb NOT NULL DEFAULT '[]', efficiency double precision NOT NULL DEFAULT 1,
  vin text, licence_plate text, active boolean NOT NULL DEFAULT true, UNIQUE (org_id, name));
CREATE TABLE tokens (
  id uuid PRIMARY KEY, org_id uuid NOT NULL REFERENCES organisations, kind text NOT NULL,
  value text NOT NULL, vehicle_id uuid REFERENCES vehicles ON DELETE CASCADE,
  label text NOT NULL DEFAULT '', blocked boolean NOT NULL DEFAULT false,
  valid_from timestamptz, valid_until timestamptz);
CREATE UNIQUE INDEX tokens_value ON tokens (org_id, lower(value));
CREATE TABLE duties (
  id uuid PRIMARY KEY, org_id uuid NOT NULL REFERENCES organisations,
  site_id uuid NOT NULL REFERENCES sites ON DELETE CASCADE, external_id text NOT NULL,
  source text NOT NULL DEFAULT 'manual', vehicle_id uuid REFERENCES vehicles ON DELETE SET NULL,
  vehicle_class text, arrival_at timestamptz NOT NULL, departure_at timestamptz NOT NULL,
  soc_arrival_pct double precision, target_soc_pct double precision,
  target_energy_wh double precision, priority int NOT NULL DEFAULT 5,
  bay_id uuid REFERENCES bays ON DELETE SET NULL, state text NOT NULL DEFAULT 'planned',
  note text NOT NULL DEFAULT '', soc_departure_pct double precision, departed_at timestamptz,
  ready boolean, shortfall_wh double precision, updated_at timestamptz NOT NULL,
  CHECK (departure_at > arrival_at), CHECK (priority BETWEEN 1 AND 9),
  UNIQUE (site_id, source, external_id));
CREATE INDEX duties_site_departure ON duties (site_id, departure_at);
CREATE INDEX duties_vehicle_departure ON duties (vehicle_id, departure_at);
"""

SESSIONS = """
CREATE SEQUENCE transaction_ids AS int MINVALUE 1 MAXVALUE 2147483647 CYCLE;
CREATE TABLE sessions (
  id uuid PRIMARY KEY, org_id uuid NOT NULL, site_id uuid, station_id uuid NOT NULL,
  evse_id uuid, connector_number int, transaction_ref text NOT NULL, state text NOT NULL,
  start_key text NOT NULL, start_message text,
  started_at timestamptz NOT NULL, ended_at timestamptz,
  id_token text, id_token_kind text, vehicle_id uuid, duty_id uuid,
  meter_start_wh double precision, meter_last_wh double precision,
  energy_wh double precision NOT NULL DEFAULT 0, soc_start_pct double precision,
  soc_last_pct double precision, power_w double precision, last_seq_no int,
  last_reading_at timestamptz, charging_state text, stop_reason text, authorisation text,
  flags text[] NOT NULL DEFAULT '{}', repairs jsonb NOT NULL DEFAULT '[]',
  UNIQUE (station_id, transaction_ref), UNIQUE (station_id, start_key));
CREATE INDEX sessions_org_started ON sessions (org_id, started_at DESC);
CREATE INDEX sessions_open ON sessions (station_id) WHERE ended_at IS NULL;
CREATE INDEX sessions_duty ON sessions (duty_id);
CREATE TABLE meter_values (
  at timestamptz NOT NULL, org_id uuid NOT NULL, station_id uuid NOT NULL, evse_id uuid,
  session_id uuid, power_w double precision, energy_wh double precision, soc_pct double precision,
  current_l1_a double precision, current_l2_a double precision, current_l3_a double precision,
  voltage_v double precision, offered_w double precision, context text NOT NULL DEFAULT 'sample')
  PARTITION BY RANGE (at);
CREATE INDEX meter_values_session_at ON meter_values (session_id, at);
CREATE INDEX meter_values_evse_at ON meter_values (evse_id, at);
"""

ENERGY = """
CREATE TABLE grants (
  evse_id uuid PRIMARY KEY REFERENCES evses ON DELETE CASCADE, org_id uuid NOT NULL,
  site_id uuid NOT NULL, ceiling_w double precision NOT NULL, granted_w double precision NOT NULL,
  valid_until timestamptz, failsafe_w double precision NOT NULL DEFAULT 0,
  failsafe_state text NOT NULL DEFAULT 'unknown', updated_at timestamptz NOT NULL);
CREATE TABLE plans (
  site_id uuid PRIMARY KEY REFERENCES sites ON DELETE CASCADE, org_id uuid NOT NULL,
  made_at timestamptz NOT NULL, payload jsonb NOT NULL);
CREATE TABLE forecasts (
  duty_id uuid PRIMARY KEY REFERENCES duties ON DELETE CASCADE, org_id uuid NOT NULL,
  site_id uuid NOT NULL, made_at timestamptz NOT NULL, ready_at timestamptz,
  soc_departure_pct double precision, shortfall_wh double precision NOT NULL,
  will_miss boolean NOT NULL, first_missed_at timestamptz, reason jsonb NOT NULL DEFAULT '{}');
CREATE TABLE limit_overrides (
  node_id uuid PRIMARY KEY REFERENCES nodes ON DELETE CASCADE, org_id uuid NOT NULL,
  site_id uuid NOT NULL, power_w double precision NOT NULL, until_at timestamptz NOT NULL,
  set_by text NOT NULL DEFAULT '');
CREATE TABLE power_samples (
  at timestamptz NOT NULL, org_id uuid NOT NULL, site_id uuid NOT NULL, node_id uuid NOT NULL,
  measured_w double precision, granted_w double precision, reserved_w double precision,
  plan_w double precision, limit_w double precision) PARTITION BY RANGE (at);
CREATE INDEX power_samples_node_at ON power_samples (node_id, at);
"""

ALERTS = """
CREATE TABLE alerts (
  id uuid PRIMARY KEY, org_id uuid NOT NULL, site_id uuid, kind text NOT NULL,
  severity text NOT NULL, key text NOT NULL, params jsonb NOT NULL DEFAULT '{}',
  object_kind text NOT NULL DEFAULT '', object_id text NOT NULL DEFAULT '',
  opened_at timestamptz NOT NULL, updated_at timestamptz NOT NULL, acknowledged_at timestamptz,
  acknowledged_by text, resolved_at timestamptz);
CREATE UNIQUE INDEX alerts_open ON alerts (org_id, key) WHERE resolved_at IS NULL;
CREATE INDEX alerts_org_opened ON alerts (org_id, opened_at DESC);
"""

LOG = """
CREATE TABLE event_log (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, org_id uuid NOT NULL,
  at timestamptz NOT NULL, kind text NOT NULL, payload jsonb NOT NULL);
CREATE INDEX event_log_org ON event_log (org_id, id);
CREATE TABLE event_retries (
  event_key uuid NOT NULL, org_id uuid NOT NULL, handler text NOT NULL, kind text NOT NULL,
  payload jsonb NOT NULL, attempts int NOT NULL, next_at timestamptz NOT NULL, error text NOT NULL,
  PRIMARY KEY (event_key, handler));
CREATE TABLE jobs (
  id uuid PRIMARY KEY, org_id uuid, kind text NOT NULL, payload jsonb NOT NULL DEFAULT '{}',
  run_at timestamptz NOT NULL, leased_until timestamptz, leased_by text,
  attempts int NOT NULL DEFAULT 0, done_at timestamptz, error text, unique_key text);
CREATE UNIQUE INDEX jobs_unique ON jobs (unique_key) WHERE done_at IS NULL;
CREATE INDEX jobs_due ON jobs (run_at) WHERE done_at IS NULL;
CREATE TABLE leases (
  name text PRIMARY KEY, holder text NOT NULL, expires_at timestamptz NOT NULL);
"""

TENANT_TABLES = (
    "organisations",
    "users",
    "login_sessions",
    "api_keys",
    "audit_log",
    "sites",
    "areas",
    "bays",
    "nodes",
    "stations",
    "evses",
    "connectors",
    "station_config",
    "charger_commands",
    "ocpp_frames",
    "vehicles",
    "tokens",
    "duties",
    "sessions",
    "meter_values",
    "grants",
    "plans",
    "forecasts",
    "limit_overrides",
    "power_samples",
    "alerts",
    "event_log",
    "event_retries",
    "jobs",
)
PARTITIONED = ("ocpp_frames", "meter_values", "power_samples")

FUNCTIONS = """
CREATE FUNCTION voltyard_make_partition(parent text, day date) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
DECLARE child text := parent || '_' || to_char(day, 'YYYYMMDD');
BEGIN
  IF parent NOT IN ('ocpp_frames', 'meter_values', 'power_samples') THEN
    RAISE EXCEPTION 'not a partitioned table: %', parent;
  END IF;
  IF to_regclass(child) IS NULL THEN
    EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)', child, parent,
      day::text || ' 00:00+00', (day + 1)::text || ' 00:00+00');
  END IF;
END $$;
CREATE FUNCTION voltyard_drop_partitions(parent text, before date) RETURNS int
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
DECLARE child text; dropped int := 0;
BEGIN
  IF parent NOT IN ('ocpp_frames', 'meter_values', 'power_samples') THEN
    RAISE EXCEPTION 'not a partitioned table: %', parent;
  END IF;
  FOR child IN SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    WHERE i.inhparent = to_regclass(parent) AND c.relname ~ '_[0-9]{8}$'
      AND to_date(right(c.relname, 8), 'YYYYMMDD') < before
  LOOP
    EXECUTE format('DROP TABLE %I', child);
    dropped := dropped + 1;
  END LOOP;
  EXECUTE format('DELETE FROM %I WHERE at < %L', parent || '_other', before::text || ' 00:00+00');
  RETURN dropped;
END $$;
"""


def upgrade() -> None:
    for part in (PEOPLE, SITES, CHARGERS, FLEETS, SESSIONS, ENERGY, ALERTS, LOG):
        _run(part)
    for table in PARTITIONED:
        op.execute(f"CREATE TABLE {table}_other PARTITION OF {table} DEFAULT")
    _build_the_tenant_wall()
    for function in FUNCTIONS.split("CREATE FUNCTION")[1:]:
        op.execute("CREATE FUNCTION" + function)
    op.execute("REVOKE ALL ON FUNCTION voltyard_make_partition(text, date) FROM PUBLIC")
    op.execute("REVOKE ALL ON FUNCTION voltyard_drop_partitions(text, date) FROM PUBLIC")
    op.execute("GRANT EXECUTE ON FUNCTION voltyard_make_partition(text, date) TO voltyard_app")
    op.execute("GRANT EXECUTE ON FUNCTION voltyard_drop_partitions(text, date) TO voltyard_app")


def _build_the_tenant_wall() -> None:
    mine = (
        "org_id = nullif(current_setting('voltyard.org_id', true), '')::uuid "
        "OR current_setting('voltyard.system', true) = 'on'"
    )
    for table in TENANT_TABLES:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY tenant ON {table} USING ({mine}) WITH CHECK ({mine})")
    system = "current_setting('voltyard.system', true) = 'on'"
    for table in ("setup_links", "leases"):
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY system ON {table} USING ({system}) WITH CHECK ({system})")
    for table in (*TENANT_TABLES, "setup_links", "leases"):
        op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO voltyard_app")
    op.execute("REVOKE UPDATE, DELETE ON audit_log FROM voltyard_app")
    op.execute("GRANT USAGE ON SEQUENCE transaction_ids TO voltyard_app")


def _run(sql: str) -> None:
    for statement in sql.split(";\n"):
        if statement.strip():
            op.execute(statement)
