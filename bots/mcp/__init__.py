"""AI agents: the catalog as Model Context Protocol tools."""
