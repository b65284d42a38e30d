"""A start that is told again is found by its message, however many sessions a charger has had."""

from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "CREATE INDEX sessions_start_message ON sessions (station_id, start_message)"
        " WHERE start_message IS NOT NULL"
    )


def downgrade() -> None:
    op.execute("DROP INDEX sessions_start_message")
