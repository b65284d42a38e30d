"""Authorities one after the other: a new root beside the one before it."""

from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    op.execute(
        "ALTER TABLE pki_authorities ADD COLUMN generation int NOT NULL DEFAULT 1,"
        " ADD COLUMN current boolean NOT NULL DEFAULT true,"
        " ADD COLUMN bridge text NOT NULL DEFAULT '',"
        " DROP CONSTRAINT pki_authorities_pkey, ADD PRIMARY KEY (algorithm, generation)"
    )
    op.execute(
        "CREATE UNIQUE INDEX pki_authorities_current ON pki_authorities (algorithm) WHERE current"
    )


def downgrade() -> None:
    op.execute("DELETE FROM pki_authorities WHERE NOT current")
    op.execute("DROP INDEX pki_authorities_current")
    op.execute(
        "ALTER TABLE pki_authorities DROP CONSTRAINT pki_authorities_pkey,"
        " ADD PRIMARY KEY (algorithm), DROP COLUMN generation, DROP COLUMN current,"
        " DROP COLUMN bridge"
    )
