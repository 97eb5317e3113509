"""The organisation's own words for the grammar: column names from metadata that is loaded already."""

from collections.abc import Iterable

from crm.errors import UnknownColumn
from crm.metadata import Metadata
from crm.payload import find_column
from crm.tables import Kind


class MetadataVocabulary:
    """`grammar.Vocabulary` over metadata. It never waits: a table that is not loaded yet has no words."""

    def __init__(self, metadata: Metadata) -> None:
        self._metadata = metadata

    def column(self, table: str, word: str) -> tuple[str, str] | None:
        """(logical name, label) of the column that a word names in a table."""
        info = self._metadata.known(table)
        if info is None:
            return None
        try:
            found = find_column(info, word)
        except UnknownColumn:
            return None
        return found.logical, found.label()

    def choice(self, table: str, label: str) -> tuple[str, str] | None:
        """(logical name, label) of the only choice of a table, its states left out, that is called so."""
        info = self._metadata.known(table)
        found = [
            (column.logical, said)
            for column in (info.columns.values() if info else ())
            if column.kind is Kind.CHOICE and column.creatable and column.logical not in ("statecode", "statuscode")
            for choice in column.choices
            for said in dict.fromkeys(choice.labels.values())
            if said.casefold() == label.casefold()
        ]
        return found[0] if len({column for column, _ in found}) == 1 else None

    def names(self, table: str) -> Iterable[str]:
        """Logical names and labels of a table's columns."""
        info = self._metadata.known(table)
        for column in info.columns.values() if info else ():
            yield column.logical
            yield column.label()
