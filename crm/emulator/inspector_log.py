"""The inspector's list of recent requests, with the names of those who asked."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from .markup import link, sheet, soft, tag, text
from .requestlog import Entry
from .session import Session

People = Mapping[str, tuple[str, str]]
"""Id in small letters -> full name and `systemuserid`."""


def people(session: Session) -> People:
    """Every user by both ids that a request may name them by: the row's and Entra's."""
    found = session.tx.execute("SELECT systemuserid, azureactivedirectoryobjectid, fullname FROM systemuser")
    return {
        str(named).lower(): (str(name), str(key))
        for key, entra, name in found
        for named in (key, entra)
        if named and name
    }


def requests(entries: Iterable[Entry], people: People) -> str:
    """The entries as a table, in the order given."""
    rows = []
    for entry in entries:
        status = "no answer" if entry.status is None else str(entry.status)
        kind = "good" if entry.status is not None and entry.status < 400 else "bad"
        note = tag("br") + soft("a fault or limit interfered") if entry.injected else ""
        when = datetime.fromtimestamp(entry.at, UTC)
        rows.append(
            tag("tr", tag("td", text(f"{when:%H:%M:%S}"), kind="soft"),
                 tag("td", tag("code", text(entry.line.replace("/api/data/", "/", 1))), _who(entry.caller, people)),
                 tag("td", text(status), note, kind=kind),
                 tag("td", text(f"{entry.ms:,.1f}"), kind="number"))
        )  # fmt: skip
    if not rows:
        return tag("p", text("Nobody has asked anything yet."))
    return sheet(("UTC", "Request", "Status", "ms"), rows, numbers=(3,))


def _who(caller: str, people: People) -> str:
    if not caller:
        return ""
    if caller.lower() not in people:
        return tag("br") + soft(f"as {caller}")
    name, key = people[caller.lower()]
    return tag("br") + soft("as ") + link(name, f"tables/systemuser/{key}") + soft(f" {caller}")
