"""What a vehicle asked for over ISO 15118, with its session."""

from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    op.execute("ALTER TABLE sessions ADD COLUMN needs jsonb")


def downgrade() -> None:
    op.execute("ALTER TABLE sessions DROP COLUMN needs")
