"""From the case to its threads: what has happened to it, told once in each."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from crm.errors import NotFound
from crm.languages import language_code
from crm.notifications import Change
from crm.records import Json, Ref, Row
from crm.session import Session
from crm.tables import CASE, NOTE

from .cards import Card, Status
from .record_cards import Look
from .request import DeliveryFailed, Face, Faces, PlaceKind, Reply, Visibility
from .threads import FOR_CUSTOMERS, Following, Threads, ours
from .views import VIEWS

log = logging.getLogger(__name__)

_SHOWN: Final = 1500
"""Characters of a note that are shown."""


async def case_news(
    threads: Threads,
    crm: Session,
    faces: Faces,
    change: Change,
    *,
    known_as: frozenset[str] = frozenset({""}),
    marked: Callable[[Card], Card] = lambda card: card,
) -> int:
    """Tell the threads of a case what has happened to it; how many were told.

    `crm`: Dataverse as the application, in the environment of these names; `marked` puts that on a card. Every delivery
    of the same change after the first says nothing. Raises CrmError; DeliveryFailed where trying again may help (the
    change then is still new for that thread).
    """
    case = await _case_of(crm, change)
    if case is None or await threads.known(ours(change.ref)):
        return 0
    told = 0
    again: DeliveryFailed | None = None
    for following in await threads.followers(case, known_as):
        mark = f"{change.id}@{following.place.key}"
        face = faces.get(following.place.platform)
        if face is None or await threads.known(mark):
            continue
        news = await _news(crm, following, change, face)
        if news is None:
            continue
        card, status = news
        try:
            await face.deliver(
                following.place, following.principal, Reply(card=marked(card), visibility=Visibility.EVERYONE)
            )
        except DeliveryFailed as e:
            log.warning("a thread could not be told of its case: %s", e.sentence)
            if e.again:
                again = e
            else:
                await threads.unfollow(following.place)
            continue
        await threads.first(mark)
        if status != following.told:
            await threads.follow(replace(following, told=status))
        told += 1
    if again:
        raise again
    return told


async def _case_of(crm: Session, change: Change) -> Ref | None:
    """The case that a change is about: the case itself, or what a note is about."""
    if change.ref.table == CASE.logical:
        return change.ref if change.message == "Update" else None
    if change.ref.table != NOTE.logical or change.message != "Create":
        return None
    about = change.values.get(NOTE.regarding.logical)
    if not isinstance(about, Ref):
        try:
            about = (await crm.get(change.ref, select=[NOTE.regarding.logical])).lookup(NOTE.regarding.logical)
        except NotFound:
            return None
    return about if about and about.table == CASE.logical else None


async def _news(crm: Session, following: Following, change: Change, face: Face) -> tuple[Card, str] | None:
    """What to say in this thread, and the status that it knows then; None where it knows already."""
    info = await crm.metadata.table(CASE.logical)
    seen = Look(view=VIEWS[CASE.logical], info=info, language=language_code(following.principal.locale), url=crm.url)
    columns = [c for c in seen.view.list_columns if c in info.columns]
    row = await crm.get(following.case, select=columns)
    status = _status(seen.status(row))
    if change.ref.table == CASE.logical:
        if status == following.told:
            return None
        return replace(seen.stub(row), text=(f"{seen.subtitle(row)} is now: {status}",)), status
    note = await _note(crm, change)
    if note is None:
        return None
    place = following.place
    # Asked each time: a channel may have been shared, or a guest invited, since the case was made.
    outsiders = bool(place.shared) or (place.kind is not PlaceKind.PERSONAL and await face.outsiders(place))
    return replace(seen.stub(row), text=_said(note, outsiders)), following.told or status


def _status(status: Status | None) -> str:
    return status.text if status else ""


async def _note(crm: Session, change: Change) -> Row | None:
    columns = [NOTE.subject.logical, NOTE.text.logical, NOTE.file_name.logical, "createdby"]
    try:
        return await crm.get(change.ref, select=columns)
    except NotFound:
        return None


def _said(note: Mapping[str, Json], outsiders: bool) -> tuple[str, ...]:
    """The note for the thread; where outsiders read along, only that there is one."""
    row = note if isinstance(note, Row) else None
    who = row.formatted("createdby") if row and "createdby" in row else ""
    head = f"{who} added a note." if who else "A note was added."
    if outsiders:
        return (head,)
    text = str(note.get(NOTE.text.logical) or note.get(NOTE.subject.logical) or "").removeprefix(FOR_CUSTOMERS).strip()
    cut = text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
    file = note.get(NOTE.file_name.logical)
    return tuple(filter(None, (head, cut, f"File: {file}" if file else "")))
