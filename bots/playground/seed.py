"""The people, rooms and first messages of the playground: one file of data for both platforms' fakes."""

from __future__ import annotations

from functools import cached_property
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class _Data(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Person(_Data):
    """`slack`, `teams` and `aad` are the ids on the two platforms and in Entra; `external` people are customers."""

    key: str
    name: str
    email: str
    title: str
    slack: str
    teams: str
    aad: str
    external: bool = False


class Room(_Data):
    """A channel on both platforms; `bot` says whether the app was added to it."""

    name: str
    topic: str
    slack: str
    teams: str
    members: tuple[str, ...]
    private: bool = False
    bot: bool = True


class TextFile(_Data):
    name: str
    text: str


class Said(_Data):
    """Something that a person said; `channel` is a room's name (none in a thread)."""

    who: str
    text: str
    minutes_ago: float
    channel: str = ""
    files: tuple[TextFile, ...] = ()
    thread: tuple[Said, ...] = ()


class Seed(_Data):
    company: str
    domain: str
    tenant: str
    team_id: str
    people: tuple[Person, ...]
    channels: tuple[Room, ...]
    messages: tuple[Said, ...] = Field(default=())

    @cached_property
    def _people(self) -> dict[str, Person]:
        return {name: p for p in self.people for name in (p.key, p.slack, p.teams, p.aad, p.email)}

    def person(self, name: str) -> Person:
        """By key, e-mail, or an id on any platform; KeyError names those who exist."""
        if name not in self._people:
            raise KeyError(f"nobody called {name!r}; there are: {', '.join(p.key for p in self.people)}")
        return self._people[name]

    def channel(self, name: str) -> Room:
        return next(room for room in self.channels if name in (room.name, room.slack, room.teams))


def load(path: Path | None = None) -> Seed:
    """The playground's own seed, or another file of the same shape."""
    return Seed.model_validate_json((path or Path(__file__).with_name("seed.json")).read_text("utf-8"))
