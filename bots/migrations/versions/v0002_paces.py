"""A pace that all processes count together."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "paces",
        sa.Column("name", sa.String(32), primary_key=True),
        sa.Column("left", sa.Float, nullable=False),
        sa.Column("at", sa.Float, nullable=False),
    )
    op.create_index("ix_paces_at", "paces", ["at"])


def downgrade() -> None:
    op.drop_table("paces")
