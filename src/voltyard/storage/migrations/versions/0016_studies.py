"""Studies that were asked for: what of, how far, and what was found."""

from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

STEPS = (
    """
CREATE TABLE studies (
  id uuid PRIMARY KEY, org_id uuid NOT NULL,
  site_id uuid REFERENCES sites ON DELETE SET NULL,
  title text NOT NULL, state text NOT NULL, wanted jsonb NOT NULL, material jsonb NOT NULL,
  remarks jsonb NOT NULL DEFAULT '[]', progress jsonb NOT NULL DEFAULT '{}', found jsonb,
  message text NOT NULL DEFAULT '', faults jsonb NOT NULL DEFAULT '{}',
  asked_by text NOT NULL, asked_at timestamptz NOT NULL, started_at timestamptz,
  ended_at timestamptz, attempts int NOT NULL DEFAULT 0)
""",
    "CREATE INDEX studies_asked ON studies (org_id, asked_at DESC)",
    "CREATE INDEX studies_open ON studies (asked_at) WHERE state IN ('waiting', 'running')",
    "ALTER TABLE studies ENABLE ROW LEVEL SECURITY",
    "ALTER TABLE studies FORCE ROW LEVEL SECURITY",
    "CREATE POLICY tenant ON studies USING ({mine}) WITH CHECK ({mine})",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON studies TO voltyard_app",
)
MINE = (
    "org_id = nullif(current_setting('voltyard.org_id', true), '')::uuid "
    "OR current_setting('voltyard.system', true) = 'on'"
)


def upgrade() -> None:
    for step in STEPS:
        op.execute(step.replace("{mine}", MINE))


def downgrade() -> None:
    op.execute("DROP TABLE studies")
