"""Dataverse and nothing else; usable without the bot.

from crm.auth import Application
from crm.client import Dataverse
from crm.query import Query, col

async with Dataverse.from_environment() as dataverse:  # DATAVERSE_URL and AZURE_…; an emulator needs the URL only
    session = dataverse.acting_as(Application())
    lead = await session.create("lead", await dataverse.metadata.payload("lead", {"Topic": "Hello", "Rating": "hot"}))
    async for row in session.list(Query("lead").select("subject").where(col("subject").startswith("H"))):
        print(row["subject"])
"""
