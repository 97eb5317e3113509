"""Dataverse and nothing else; usable without the bot."""
