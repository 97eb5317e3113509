"""One process holds a database file."""

import os
import stat
from pathlib import Path
from typing import BinaryIO


class StoreError(Exception):
    """The database file cannot be used; the message is a sentence for the person who started the server."""


def claim(path: Path) -> BinaryIO:
    """Make this process the file's only user, until it ends in whatever way.

    Raises: StoreError.
    """
    if path.is_dir():
        raise StoreError(f"{path} is a folder; give the path of a database file.")
    if path.exists() and not path.stat().st_mode & (stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH):
        raise StoreError(f"{path} is read-only. Make it writable, or give another file.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        held = Path(f"{path}.lock").open("ab+")  # noqa: SIM115 - it is held for as long as the store is open
    except OSError as error:
        raise StoreError(f"{path} cannot be opened for writing: {error.strerror}. Give another file.") from error
    if not _lock(held):
        held.close()
        raise StoreError(
            f"{path} is already in use by another emulator. Stop that one, or start this one with another file."
        )
    return held


def _lock(held: BinaryIO) -> bool:
    """Take the operating system's lock, which dies with the process."""
    try:
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(held.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        else:
            import fcntl

            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
