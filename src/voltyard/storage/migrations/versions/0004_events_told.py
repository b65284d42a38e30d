"""Events carry a key and whether their handlers were told: after a crash the rest is told then."""

from alembic import op

revision = "0004"
down_revision = "0003"

STEPS = (
    "ALTER TABLE event_log ADD COLUMN key uuid NOT NULL DEFAULT gen_random_uuid()",
    "ALTER TABLE event_log ADD COLUMN told boolean NOT NULL DEFAULT true",
    "ALTER TABLE event_log ALTER COLUMN key DROP DEFAULT",
    "ALTER TABLE event_log ALTER COLUMN told SET DEFAULT false",
    "CREATE UNIQUE INDEX event_log_key ON event_log (key)",
    "CREATE INDEX event_log_untold ON event_log (id) WHERE NOT told",
)


def upgrade() -> None:
    """What was there before counts as told."""
    for step in STEPS:
        op.execute(step)


def downgrade() -> None:
    op.execute("ALTER TABLE event_log DROP COLUMN key, DROP COLUMN told")
