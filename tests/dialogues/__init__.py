"""Conversations with the bot, as text files, and what runs them; see README.md."""
