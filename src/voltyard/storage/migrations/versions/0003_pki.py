"""Certificates of chargers: authorities, what is trusted, requests, revocations, events."""

from alembic import op

revision = "0003"
down_revision = "0002"

TABLES = """
CREATE TABLE pki_authorities (
  algorithm text PRIMARY KEY, root text NOT NULL, root_key bytea NOT NULL,
  issuing text NOT NULL, issuing_key bytea NOT NULL, crl_number bigint NOT NULL DEFAULT 0,
  created_at timestamptz NOT NULL);
CREATE TABLE pki_servers (
  algorithm text PRIMARY KEY, names text NOT NULL, chain text NOT NULL, key bytea NOT NULL,
  not_after timestamptz NOT NULL);
CREATE TABLE pki_policies (
  org_id uuid PRIMARY KEY REFERENCES organisations, organisation text NOT NULL,
  any_organisation boolean NOT NULL, issuer text NOT NULL, valid_days int NOT NULL,
  renew_days int NOT NULL);
CREATE TABLE pki_anchors (
  id uuid PRIMARY KEY, org_id uuid NOT NULL REFERENCES organisations, name text NOT NULL,
  use text NOT NULL, certificate text NOT NULL, fingerprint text NOT NULL,
  subject text NOT NULL, not_after timestamptz NOT NULL, created_at timestamptz NOT NULL,
  created_by text NOT NULL, UNIQUE (org_id, fingerprint));
CREATE TABLE pki_stations (
  station_id uuid PRIMARY KEY REFERENCES stations ON DELETE CASCADE, org_id uuid NOT NULL,
  required int NOT NULL DEFAULT 0, target int, target_at timestamptz, certificate_name text,
  used int, used_at timestamptz, used_fingerprint text, used_not_after timestamptz,
  by_manufacturer boolean NOT NULL DEFAULT false, renewal_asked_at timestamptz,
  installed jsonb NOT NULL DEFAULT '[]', installed_at timestamptz,
  UNIQUE (org_id, certificate_name));
CREATE TABLE pki_certificates (
  id uuid PRIMARY KEY, org_id uuid NOT NULL,
  station_id uuid NOT NULL REFERENCES stations ON DELETE CASCADE, state text NOT NULL,
  issuer text NOT NULL, use text NOT NULL, request_id bigint,
  csr text NOT NULL, key_hash text NOT NULL,
  chain text NOT NULL DEFAULT '', serial text, fingerprint text, issuer_hash text,
  subject text NOT NULL DEFAULT '', not_before timestamptz, not_after timestamptz,
  requested_at timestamptz NOT NULL, issued_at timestamptz, sent_at timestamptz,
  answered_at timestamptz, revoked_at timestamptz, reason text NOT NULL DEFAULT '');
CREATE INDEX pki_certificates_station ON pki_certificates (station_id, requested_at DESC);
CREATE INDEX pki_certificates_key ON pki_certificates (key_hash);
CREATE INDEX pki_certificates_ends ON pki_certificates (org_id, not_after);
CREATE TABLE pki_revocations (
  org_id uuid NOT NULL REFERENCES organisations, issuer_hash text NOT NULL, serial text NOT NULL,
  revoked_at timestamptz NOT NULL, reason text NOT NULL, source text NOT NULL,
  PRIMARY KEY (org_id, issuer_hash, serial));
CREATE TABLE security_events (
  id uuid PRIMARY KEY, org_id uuid NOT NULL,
  station_id uuid NOT NULL REFERENCES stations ON DELETE CASCADE, at timestamptz NOT NULL,
  received_at timestamptz NOT NULL, kind text NOT NULL, info text NOT NULL DEFAULT '',
  critical boolean NOT NULL, source text NOT NULL);
CREATE INDEX security_events_org_at ON security_events (org_id, received_at DESC, id);
CREATE INDEX security_events_station_at ON security_events (station_id, received_at DESC, id);
"""

SYSTEM_TABLES = ("pki_authorities", "pki_servers")
TENANT_TABLES = (
    "pki_policies",
    "pki_anchors",
    "pki_stations",
    "pki_certificates",
    "pki_revocations",
    "security_events",
)


def upgrade() -> None:
    for statement in TABLES.split(";\n"):
        if statement.strip():
            op.execute(statement)
    system = "current_setting('voltyard.system', true) = 'on'"
    mine = f"org_id = nullif(current_setting('voltyard.org_id', true), '')::uuid OR {system}"
    for tables, policy, rule in (
        (TENANT_TABLES, "tenant", mine),
        (SYSTEM_TABLES, "system", system),
    ):
        for table in tables:
            op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
            op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
            op.execute(f"CREATE POLICY {policy} ON {table} USING ({rule}) WITH CHECK ({rule})")
            op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {table} TO voltyard_app")
    op.execute("REVOKE UPDATE ON security_events FROM voltyard_app")


def downgrade() -> None:
    for table in (*TENANT_TABLES, *SYSTEM_TABLES):
        op.execute(f"DROP TABLE {table} CASCADE")
