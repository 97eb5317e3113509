"""Since when somebody has been at work on a command that waited, so that it is kept until it is in the journal."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("waiting_commands", sa.Column("claimed", sa.DateTime(timezone=True)))


def downgrade() -> None:
    op.drop_column("waiting_commands", "claimed")
