"""Single sign-on: one connection an organisation, who is whom there; log-ins that can be listed."""

from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

STEPS = (
    """
CREATE TABLE sso_connections (
  org_id uuid PRIMARY KEY REFERENCES organisations ON DELETE CASCADE, name text NOT NULL,
  enabled boolean NOT NULL, issuer text NOT NULL, client_id text NOT NULL, secret bytea,
  scopes text[] NOT NULL, domains text[] NOT NULL, groups_claim text NOT NULL,
  roles jsonb NOT NULL, default_role text, create_users boolean NOT NULL,
  passwords text NOT NULL, session_h int NOT NULL, changed_at timestamptz NOT NULL)
""",
    """
CREATE TABLE sso_identities (
  org_id uuid NOT NULL, user_id uuid NOT NULL REFERENCES users ON DELETE CASCADE,
  issuer text NOT NULL, subject text NOT NULL, email text NOT NULL,
  linked_at timestamptz NOT NULL, last_at timestamptz NOT NULL,
  PRIMARY KEY (org_id, issuer, subject), UNIQUE (org_id, issuer, user_id))
""",
    """
CREATE TABLE sso_spent (
  state_hash text PRIMARY KEY, org_id uuid NOT NULL, ends_at timestamptz NOT NULL)
""",
    "ALTER TABLE login_sessions ADD COLUMN id uuid NOT NULL DEFAULT gen_random_uuid() UNIQUE,"
    " ADD COLUMN remote text NOT NULL DEFAULT '', ADD COLUMN issuer text NOT NULL DEFAULT '',"
    " ADD COLUMN id_token bytea",
    "CREATE INDEX login_sessions_user ON login_sessions (user_id)",
)
TABLES = ("sso_connections", "sso_identities", "sso_spent")
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
    op.execute("DROP INDEX login_sessions_user")
    op.execute(
        "ALTER TABLE login_sessions DROP COLUMN id, DROP COLUMN remote, DROP COLUMN issuer,"
        " DROP COLUMN id_token"
    )
    for table in reversed(TABLES):
        op.execute(f"DROP TABLE {table}")
