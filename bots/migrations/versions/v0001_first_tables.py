"""The tables of the first version; a database that was made before steps were counted has them already."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "audit",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("person", sa.String(length=200), nullable=False),
        sa.Column("place", sa.String(length=300), nullable=False),
        sa.Column("verb", sa.String(length=60), nullable=False),
        sa.Column("outcome", sa.String(length=20), nullable=False),
        sa.Column("record", sa.String(length=120), nullable=False),
        sa.Column("intent", sa.String(length=300), nullable=False),
        sa.Column("words", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        if_not_exists=True,
    )
    op.create_index("ix_audit_at", "audit", ["at"], if_not_exists=True)
    op.create_index("ix_audit_person", "audit", ["person"], if_not_exists=True)
    op.create_table(
        "kept_presses",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("args", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        if_not_exists=True,
    )
    op.create_index("ix_kept_presses_at", "kept_presses", ["at"], if_not_exists=True)
    op.create_table(
        "message_links",
        sa.Column("message", sa.String(length=300), nullable=False),
        sa.Column("record", sa.String(length=120), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("message"),
        if_not_exists=True,
    )
    op.create_index("ix_message_links_record", "message_links", ["record"], if_not_exists=True)
    op.create_table(
        "shown",
        sa.Column("person", sa.String(length=200), nullable=False),
        sa.Column("record", sa.String(length=120), nullable=False),
        sa.Column("place", sa.String(length=300), nullable=False),
        sa.Column("title", sa.LargeBinary(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("person", "record"),
        if_not_exists=True,
    )
    op.create_index("shown_by_person", "shown", ["person", "at"], if_not_exists=True)
    op.create_table(
        "slack_events",
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("at", sa.Float(), nullable=False),
        sa.Column("done", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
        if_not_exists=True,
    )
    op.create_index("ix_slack_events_at", "slack_events", ["at"], if_not_exists=True)
    op.create_table(
        "slack_installations",
        sa.Column("enterprise_id", sa.String(length=32), nullable=False),
        sa.Column("team_id", sa.String(length=32), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("rotating", sa.String(length=32), nullable=False),
        sa.Column("rotating_until", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("enterprise_id", "team_id"),
        if_not_exists=True,
    )
    op.create_table(
        "slack_oauth_states",
        sa.Column("state", sa.String(length=64), nullable=False),
        sa.Column("until", sa.Float(), nullable=False),
        sa.PrimaryKeyConstraint("state"),
        if_not_exists=True,
    )
    op.create_table(
        "thread_marks",
        sa.Column("mark", sa.String(length=500), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("mark"),
        if_not_exists=True,
    )
    op.create_index("ix_thread_marks_at", "thread_marks", ["at"], if_not_exists=True)
    op.create_table(
        "threads",
        sa.Column("place", sa.String(length=300), nullable=False),
        sa.Column("record", sa.String(length=120), nullable=False),
        sa.Column("following", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("place"),
        if_not_exists=True,
    )
    op.create_index("ix_threads_record", "threads", ["record"], if_not_exists=True)


def downgrade() -> None:
    for table in (
        "threads",
        "thread_marks",
        "slack_oauth_states",
        "slack_installations",
        "slack_events",
        "shown",
        "message_links",
        "kept_presses",
        "audit",
    ):
        op.drop_table(table)
