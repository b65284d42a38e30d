"""Tokens that were refused or let in without being known, and which session used a token last."""

from alembic import op

revision = "0007"
down_revision = "0006"

STEPS = (
    """
CREATE TABLE refusals (
  org_id uuid NOT NULL, at timestamptz NOT NULL, site_id uuid, station_id uuid NOT NULL,
  evse_id uuid, token text NOT NULL, token_kind text NOT NULL, status text NOT NULL,
  reason text NOT NULL DEFAULT '', known boolean NOT NULL)
""",
    "CREATE INDEX refusals_org ON refusals (org_id, at DESC)",
    "CREATE INDEX refusals_at ON refusals (at)",
    "CREATE INDEX sessions_token ON sessions (org_id, upper(id_token), started_at DESC)"
    " WHERE id_token IS NOT NULL",
)
MINE = (
    "org_id = nullif(current_setting('voltyard.org_id', true), '')::uuid "
    "OR current_setting('voltyard.system', true) = 'on'"
)


def upgrade() -> None:
    for step in STEPS:
        op.execute(step)
    op.execute("ALTER TABLE refusals ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE refusals FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY tenant ON refusals USING ({MINE}) WITH CHECK ({MINE})")
    op.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON refusals TO voltyard_app")


def downgrade() -> None:
    op.execute("DROP TABLE refusals")
    op.execute("DROP INDEX sessions_token")
