"""Charge curves of vehicle types, learnt from sessions."""

from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

MINE = (
    "org_id = (SELECT nullif(current_setting('voltyard.org_id', true), '')::uuid)"
    " OR (SELECT current_setting('voltyard.system', true) = 'on')"
)
STEPS = (
    """
CREATE TABLE learnt_curves (
  org_id uuid NOT NULL REFERENCES organisations ON DELETE CASCADE, vehicle_class text NOT NULL,
  powers_w jsonb NOT NULL, session_ids uuid[] NOT NULL DEFAULT '{}', sessions int NOT NULL,
  updated_at timestamptz NOT NULL, PRIMARY KEY (org_id, vehicle_class))
""",
    "ALTER TABLE learnt_curves ENABLE ROW LEVEL SECURITY",
    "ALTER TABLE learnt_curves FORCE ROW LEVEL SECURITY",
    f"CREATE POLICY tenant ON learnt_curves USING ({MINE}) WITH CHECK ({MINE})",
    "GRANT SELECT, INSERT, UPDATE, DELETE ON learnt_curves TO voltyard_app",
)


def upgrade() -> None:
    for step in STEPS:
        op.execute(step)


def downgrade() -> None:
    op.execute("DROP TABLE learnt_curves")
