"""What the Slack face keeps: its tables in the state database, which the numbered steps of `bots.migrations` make."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from commands.state import inserting

TABLES = sa.MetaData()

INSTALLATIONS = sa.Table(
    "slack_installations",
    TABLES,
    sa.Column("enterprise_id", sa.String(32), primary_key=True),
    sa.Column("team_id", sa.String(32), primary_key=True),
    sa.Column("data", sa.LargeBinary, nullable=False),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("rotating", sa.String(32), nullable=False, default=""),
    sa.Column("rotating_until", sa.Float, nullable=False, default=0.0),
)
STATES = sa.Table(
    "slack_oauth_states",
    TABLES,
    sa.Column("state", sa.String(64), primary_key=True),
    sa.Column("until", sa.Float, nullable=False),
)
EVENTS = sa.Table(
    "slack_events",
    TABLES,
    sa.Column("key", sa.String(255), primary_key=True),
    sa.Column("at", sa.Float, nullable=False, index=True),
    sa.Column("done", sa.Boolean, nullable=False),
)


async def inserted(connection: AsyncConnection, table: sa.Table, values: dict[str, Any]) -> bool:
    """Insert the row; False where there is one with its key."""
    insert = inserting(connection.dialect, table).values(**values).on_conflict_do_nothing()
    # Not by the row count, which SQLAlchemy leaves at -1 after an INSERT on PostgreSQL.
    return (await connection.execute(insert.returning(sa.literal(1)))).first() is not None
