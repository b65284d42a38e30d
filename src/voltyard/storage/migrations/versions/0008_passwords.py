"""Passwords a charger was told and has not come with yet."""

from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    op.execute(
        "ALTER TABLE pki_stations ADD COLUMN next_passwords text NOT NULL DEFAULT '',"
        " ADD COLUMN password_asked_at timestamptz, ADD COLUMN password_changed_at timestamptz"
    )


def downgrade() -> None:
    op.execute(
        "ALTER TABLE pki_stations DROP COLUMN next_passwords, DROP COLUMN password_asked_at,"
        " DROP COLUMN password_changed_at"
    )
