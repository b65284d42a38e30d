"""Firmware images, campaigns and updates; requests for logs and the files that came."""

from alembic import op

revision = "0002"
down_revision = "0001"

TABLES = (
    """
CREATE TABLE firmware_images (
  id uuid PRIMARY KEY, org_id uuid NOT NULL REFERENCES organisations, vendor text NOT NULL,
  models text[] NOT NULL DEFAULT '{}', version text NOT NULL, reported_as text NOT NULL DEFAULT '',
  file_name text NOT NULL, sha256 text, size_bytes bigint, url text, signature text,
  certificate text, signature_fits boolean, note text NOT NULL DEFAULT '',
  created_at timestamptz NOT NULL, created_by text NOT NULL, retired_at timestamptz,
  CHECK ((sha256 IS NULL) <> (url IS NULL)))
""",
    "CREATE INDEX firmware_images_org ON firmware_images (org_id, created_at DESC)",
    """
CREATE TABLE firmware_campaigns (
  id uuid PRIMARY KEY, org_id uuid NOT NULL REFERENCES organisations,
  image_id uuid NOT NULL REFERENCES firmware_images, name text NOT NULL, state text NOT NULL,
  rollout jsonb NOT NULL, created_at timestamptz NOT NULL, created_by text NOT NULL,
  start_at timestamptz NOT NULL, changed_at timestamptz NOT NULL, ended_at timestamptz,
  forgiven int NOT NULL DEFAULT 0, why text NOT NULL DEFAULT '')
""",
    "CREATE INDEX firmware_campaigns_org ON firmware_campaigns (org_id, created_at DESC)",
    """
CREATE TABLE firmware_updates (
  id uuid PRIMARY KEY, org_id uuid NOT NULL,
  campaign_id uuid NOT NULL REFERENCES firmware_campaigns ON DELETE CASCADE,
  station_id uuid NOT NULL REFERENCES stations ON DELETE CASCADE, site_id uuid,
  position int NOT NULL, wave int NOT NULL, state text NOT NULL, changed_at timestamptz NOT NULL,
  attempt int NOT NULL DEFAULT 0, request_id int, link text, not_before timestamptz,
  asked_at timestamptz, due_at timestamptz, ended_at timestamptz, from_version text,
  to_version text, failure text, detail text NOT NULL DEFAULT '',
  blocked text NOT NULL DEFAULT '', asked_boot boolean NOT NULL DEFAULT false,
  UNIQUE (campaign_id, station_id))
""",
    """
CREATE UNIQUE INDEX firmware_updates_one ON firmware_updates (station_id)
  WHERE state NOT IN ('waiting', 'done', 'failed', 'skipped', 'cancelled')
""",
    "CREATE INDEX firmware_updates_station ON firmware_updates (station_id, changed_at DESC)",
    "CREATE UNIQUE INDEX firmware_updates_link ON firmware_updates (link) WHERE link IS NOT NULL",
    """
CREATE TABLE log_requests (
  id uuid PRIMARY KEY, org_id uuid NOT NULL,
  station_id uuid NOT NULL REFERENCES stations ON DELETE CASCADE, site_id uuid,
  kind text NOT NULL, state text NOT NULL, request_id int NOT NULL, asked_by text NOT NULL,
  asked_at timestamptz NOT NULL, changed_at timestamptz NOT NULL, due_at timestamptz,
  since timestamptz, until timestamptz, address text NOT NULL DEFAULT '', link text,
  announced text NOT NULL DEFAULT '', told text NOT NULL DEFAULT '', failure text,
  detail text NOT NULL DEFAULT '', files int NOT NULL DEFAULT 0)
""",
    "CREATE INDEX log_requests_station ON log_requests (station_id, asked_at DESC)",
    "CREATE UNIQUE INDEX log_requests_link ON log_requests (link) WHERE link IS NOT NULL",
    """
CREATE TABLE log_files (
  id uuid PRIMARY KEY, org_id uuid NOT NULL,
  log_request_id uuid NOT NULL REFERENCES log_requests ON DELETE CASCADE,
  station_id uuid NOT NULL, name text NOT NULL, size_bytes bigint NOT NULL, sha256 text NOT NULL,
  received_at timestamptz NOT NULL, remote text NOT NULL DEFAULT '')
""",
    "CREATE INDEX log_files_request ON log_files (log_request_id, received_at)",
    "CREATE INDEX log_files_sha256 ON log_files (sha256)",
    "CREATE SEQUENCE charger_requests AS int MINVALUE 1 MAXVALUE 2147483647 CYCLE",
    "GRANT USAGE ON SEQUENCE charger_requests TO voltyard_app",
)
TENANT_TABLES = (
    "firmware_images",
    "firmware_campaigns",
    "firmware_updates",
    "log_requests",
    "log_files",
)
MINE = (
    "org_id = nullif(current_setting('voltyard.org_id', true), '')::uuid "
    "OR current_setting('voltyard.system', true) = 'on'"
)


def upgrade() -> None:
    for statement in TABLES:
        op.execute(statement)
    for table in TENANT_TABLES:
        op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
        op.execute(f"CREATE POLICY tenant ON {table} USING ({MINE}) WITH CHECK ({MINE})")
        op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO voltyard_app")
