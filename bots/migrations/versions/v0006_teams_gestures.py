"""Cards in Teams that wait for their answer, and exchanges of single sign-on that are under way."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    op.create_table(
        "teams_waiting_cards",
        sa.Column("gesture", sa.String(64), primary_key=True),
        sa.Column("card", sa.String(200), nullable=False),
        sa.Column("conversation", sa.String(400), nullable=False),
        sa.Column("private", sa.Boolean, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("ix_teams_waiting_cards_at", "teams_waiting_cards", ["at"])
    op.create_table(
        "teams_exchanges",
        sa.Column("identity", sa.String(64), primary_key=True),
        sa.Column("done", sa.Boolean, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("ix_teams_exchanges_at", "teams_exchanges", ["at"])


def downgrade() -> None:
    for table in ("teams_exchanges", "teams_waiting_cards"):
        op.drop_table(table)
