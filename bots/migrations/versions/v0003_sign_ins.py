"""Accounts that people connected, sign-ins under way, and the commands that wait for them."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_table(
        "connections",
        sa.Column("person", sa.String(200), primary_key=True),
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("account", sa.LargeBinary, nullable=False),
        sa.Column("tokens", sa.LargeBinary),
        sa.Column("renewed", sa.DateTime(timezone=True), nullable=False),
    )
    op.create_index("ix_connections_renewed", "connections", ["renewed"])
    op.create_table(
        "sign_ins",
        sa.Column("link", sa.String(64), primary_key=True),
        sa.Column("person", sa.String(200), nullable=False),
        sa.Column("conversation", sa.String(400), nullable=False),
        sa.Column("asked", sa.LargeBinary, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", sa.String(64)),
        sa.Column("browser", sa.String(64)),
        sa.Column("flow", sa.LargeBinary),
        sa.Column("begun", sa.DateTime(timezone=True)),
    )
    for column in ("person", "at", "state"):
        op.create_index(f"ix_sign_ins_{column}", "sign_ins", [column])
    op.create_table(
        "waiting_commands",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("person", sa.String(200), nullable=False),
        sa.Column("command", sa.LargeBinary, nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
    )
    for column in ("person", "at"):
        op.create_index(f"ix_waiting_commands_{column}", "waiting_commands", [column])


def downgrade() -> None:
    for table in ("waiting_commands", "sign_ins", "connections"):
        op.drop_table(table)
