"""What plans of a site aim at."""

from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute(
        "ALTER TABLE sites ADD COLUMN plan_for text NOT NULL DEFAULT 'auto'"
        " CHECK (plan_for IN ('auto', 'early', 'peak'))"
    )


def downgrade() -> None:
    op.execute("ALTER TABLE sites DROP COLUMN plan_for")
