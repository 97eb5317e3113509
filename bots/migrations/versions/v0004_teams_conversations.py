"""Conversations in Teams that sent the bot away, and people's own chats with it."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.create_table(
        "teams_conversations",
        sa.Column("conversation", sa.String(400), primary_key=True),
        sa.Column("person", sa.String(200), nullable=False),
        sa.Column("away", sa.Boolean, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    )
    for column in ("person", "at"):
        op.create_index(f"ix_teams_conversations_{column}", "teams_conversations", [column])


def downgrade() -> None:
    op.drop_table("teams_conversations")
