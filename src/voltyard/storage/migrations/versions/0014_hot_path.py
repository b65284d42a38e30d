"""Tables of every message: who may is asked once a statement; updates stay on their page."""

from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

TABLES = ("sessions", "meter_values", "ocpp_frames", "power_samples")
ONCE = (
    "(SELECT current_setting('voltyard.system', true) = 'on')"
    " OR org_id = (SELECT nullif(current_setting('voltyard.org_id', true), '')::uuid)"
)
EACH_ROW = (
    "org_id = nullif(current_setting('voltyard.org_id', true), '')::uuid"
    " OR current_setting('voltyard.system', true) = 'on'"
)


def upgrade() -> None:
    for table in TABLES:
        op.execute(f"ALTER POLICY tenant ON {table} USING ({ONCE}) WITH CHECK ({ONCE})")
    op.execute("ALTER TABLE sessions SET (fillfactor = 75)")


def downgrade() -> None:
    op.execute("ALTER TABLE sessions RESET (fillfactor)")
    for table in TABLES:
        op.execute(f"ALTER POLICY tenant ON {table} USING ({EACH_ROW}) WITH CHECK ({EACH_ROW})")
