"""Policies of sites: who goes first, when, and with how much."""

from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

STEPS = (
    """
CREATE TABLE site_policies (
  site_id uuid PRIMARY KEY REFERENCES sites ON DELETE CASCADE, org_id uuid NOT NULL,
  content jsonb NOT NULL, changed_at timestamptz NOT NULL)
""",
    "ALTER TABLE site_policies ENABLE ROW LEVEL SECURITY",
    "ALTER TABLE site_policies FORCE ROW LEVEL SECURITY",
    "CREATE POLICY tenant ON site_policies USING ({mine}) WITH CHECK ({mine})",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON site_policies TO voltyard_app",
)
MINE = (
    "org_id = nullif(current_setting('voltyard.org_id', true), '')::uuid "
    "OR current_setting('voltyard.system', true) = 'on'"
)


def upgrade() -> None:
    for step in STEPS:
        op.execute(step.replace("{mine}", MINE))


def downgrade() -> None:
    op.execute("DROP TABLE site_policies")
