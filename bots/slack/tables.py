"""What the Slack face keeps: its tables in the state database, which the numbered steps of `bots.migrations` make."""

from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

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


def insert_ignoring(connection: AsyncConnection, table: sa.Table, values: dict[str, Any]) -> sa.Insert:
    """`INSERT … ON CONFLICT DO NOTHING` for the two databases that we run on."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    return cast("sa.Insert", dialect.insert(table).values(**values).on_conflict_do_nothing())
