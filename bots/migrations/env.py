"""Alembic's entry point: the connection comes from `bots.database`, inside a transaction that is already open."""

from alembic import context

from bots.database import VERSION_TABLE

context.configure(connection=context.config.attributes["connection"], version_table=VERSION_TABLE)
context.run_migrations()
