"""`crmchat database version|upgrade|downgrade`: the tables' version, for operators who take a new program back."""

from pathlib import Path

from .database import connected, downgrade, newest, upgrade, version
from .settings import load, private_folder


async def run_database(env_file: Path, what: str) -> str:
    """What to print. Raises SettingsError where the step cannot be made."""
    settings = load(env_file)
    async with connected(settings, private_folder(settings.data_dir)) as engine:
        if what == "downgrade":
            left = await downgrade(engine)
            return f"The tables are of version {left} now. Start the former program: this one adds the step again."
        if what == "upgrade":
            await upgrade(engine)
        return f"The tables are of version {await version(engine)}; this program knows {newest()}."
