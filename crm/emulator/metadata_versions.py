"""When which part of the schema last changed, so that clients can ask for what is new since they last looked.

A stamp is `<count>!<identity>`: how many metadata changes this database has seen, and which database and shipped schema
they belong to. Clients treat it as opaque and send it back as ClientVersionStamp.
"""

import functools
import hashlib
import uuid
from dataclasses import dataclass
from importlib import resources

from .catalog import metadata_id
from .errors import DataverseError
from .store import Transaction

EXPIRED_STAMP = "0x80044352"
_COUNT, _EPOCH = "metadata", "metadata.epoch"
_CHANGED, _DELETED = "metadata.table:", "metadata.deleted:"


@functools.cache
def shipped_digest() -> str:
    """Identifies the schema files of this version of the program."""
    digest = hashlib.sha256()
    for folder in ("labels", "tables"):
        place = resources.files("crm.emulator.schema").joinpath(folder)
        for entry in sorted(place.iterdir(), key=lambda e: e.name):
            digest.update(entry.name.encode() + entry.read_bytes())
    return digest.hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Since:
    """What changed after a stamp: logical names of tables, and MetadataIds of what is gone."""

    tables: frozenset[str]
    deleted: tuple[str, ...]


def count(tx: Transaction) -> int:
    """How many metadata changes this database has seen."""
    return int(tx.meta(_COUNT, 0))


def stamp(tx: Transaction) -> str:
    """The current ServerVersionStamp."""
    return f"{count(tx)}!{_identity(tx)}"


def _identity(tx: Transaction) -> str:
    return f"{tx.meta(_EPOCH, 'shipped')}-{shipped_digest()}"


def record(tx: Transaction, *tables: str, deleted: str | None = None) -> None:
    """Note that these tables changed, and which item (by MetadataId) went away."""
    if tx.meta(_EPOCH) is None:
        tx.set_meta(_EPOCH, uuid.uuid4().hex[:12])
    number = count(tx) + 1
    tx.set_meta(_COUNT, number)
    for name in tables:
        tx.set_meta(_CHANGED + name, number)
    if deleted is not None:
        tx.set_meta(_DELETED + deleted, number)


def record_deleted_table(tx: Transaction, logical_name: str) -> None:
    record(tx, deleted=metadata_id(logical_name))
    tx.execute("DELETE FROM _meta WHERE name = ?", (_CHANGED + logical_name,))


def since(tx: Transaction, client_stamp: str) -> Since:
    """What changed after the stamp.

    Raises: DataverseError 400 (ExpiredVersionStamp) when it is not one of this database's: the client must read all.
    """
    number, _, identity = client_stamp.partition("!")
    unchanged = int(number) if number.isascii() and number.isdigit() and len(number) < 19 else None
    if (
        unchanged is None
        or unchanged > count(tx)
        or (identity != _identity(tx) and not _is_first(tx, unchanged, identity))
    ):
        raise DataverseError(
            400,
            EXPIRED_STAMP,
            "Version stamp associated with the client has expired. Please perform a full sync.",
        )
    rows = tx.execute(
        "SELECT name, value FROM _meta WHERE name LIKE 'metadata.%' AND value > ?", (unchanged,)
    ).fetchall()
    return Since(
        frozenset(name.removeprefix(_CHANGED) for name, _ in rows if name.startswith(_CHANGED)),
        tuple(name.removeprefix(_DELETED) for name, _ in rows if name.startswith(_DELETED)),
    )


def _is_first(tx: Transaction, number: int, identity: str) -> bool:
    """The stamp of the untouched shipped schema holds on every database that later changed it."""
    return number == 0 and identity == f"shipped-{shipped_digest()}" and count(tx) > 0
