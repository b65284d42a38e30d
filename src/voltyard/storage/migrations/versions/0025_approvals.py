"""Proposals of dangerous changes, and which of them wait for a second person."""

from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

MINE = (
    "org_id = (SELECT nullif(current_setting('voltyard.org_id', true), '')::uuid)"
    " OR (SELECT current_setting('voltyard.system', true) = 'on')"
)
TABLES = ("approval_settings", "proposals")
STEPS = (
    """
CREATE TABLE approval_settings (
  org_id uuid PRIMARY KEY REFERENCES organisations ON DELETE CASCADE,
  kinds text[] NOT NULL, expires_s int NOT NULL CHECK (expires_s > 0),
  changed_at timestamptz NOT NULL, changed_by text NOT NULL)
""",
    # A change is carried out only from 'running', and 'running' needs somebody who is neither the
    # proposer nor the person behind the proposer's key.
    """
CREATE TABLE proposals (
  id uuid PRIMARY KEY, org_id uuid NOT NULL REFERENCES organisations ON DELETE CASCADE,
  site_id uuid, kind text NOT NULL, action text NOT NULL, permission text NOT NULL,
  subject text NOT NULL, payload jsonb NOT NULL, base text NOT NULL, differences jsonb NOT NULL,
  reason text NOT NULL DEFAULT '', proposer_kind text NOT NULL, proposer_id uuid NOT NULL,
  proposer_name text NOT NULL, owner_id uuid, proposed_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL, state text NOT NULL, decided_by uuid,
  decided_name text NOT NULL DEFAULT '', decided_at timestamptz,
  decision text NOT NULL DEFAULT '', ended_at timestamptz, outcome jsonb NOT NULL DEFAULT '{}',
  CONSTRAINT proposals_state CHECK (state IN ('waiting', 'running', 'done', 'failed', 'outdated',
    'refused', 'withdrawn', 'expired')),
  CONSTRAINT proposals_decided CHECK (
    (state IN ('running', 'done', 'failed', 'outdated', 'refused')) = (decided_by IS NOT NULL)),
  CONSTRAINT proposals_second_person CHECK (
    decided_by IS NULL
    OR (decided_by <> proposer_id AND decided_by IS DISTINCT FROM owner_id)))
""",
    "CREATE INDEX proposals_newest ON proposals (org_id, proposed_at DESC, id)",
    "CREATE INDEX proposals_open ON proposals (state) WHERE state IN ('waiting', 'running')",
    *(
        step.format(table=table, mine=MINE)
        for table in TABLES
        for step in (
            "ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
            "ALTER TABLE {table} FORCE ROW LEVEL SECURITY",
            "CREATE POLICY tenant ON {table} USING ({mine}) WITH CHECK ({mine})",
        )
    ),
    "GRANT SELECT, INSERT, UPDATE ON approval_settings TO voltyard_app",
    "GRANT SELECT, INSERT, UPDATE ON proposals TO voltyard_app",
)


def upgrade() -> None:
    for step in STEPS:
        op.execute(step)


def downgrade() -> None:
    for table in reversed(TABLES):
        op.execute(f"DROP TABLE {table}")
