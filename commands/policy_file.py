"""The policy file (CRMCHAT_POLICY): read and checked when the bot starts, every problem with its line.

What the file may say is documented with an example in docs/policy.md.
"""

from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from . import operations
from .environment_settings import EnvironmentPart
from .environment_settings import problems as environment_problems
from .membership import ROLE, TEAM
from .operation import CATALOG, Effect

Where = tuple[str | int, ...]
"""The path to a value: `("rules", 0, "deny", "nouns", 1)`."""

READS, WRITES = "read", "write"
"""In `verbs`: every operation of that effect."""


class PolicyError(Exception):
    """The policy file cannot be used. One problem a line: `policy.yaml, line 7: …`."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Match(_Part):
    """What a rule is about. Every list that is given must match; one that is left out matches everything."""

    people: tuple[str, ...] = ()
    """E-mail addresses, `@domain.example`, `group:name`, `role:name` and `team:name` (of Dynamics), Entra object ids or
    `platform:tenant:user`."""
    except_: tuple[str, ...] = Field((), alias="except")
    """People to whom the rule does not apply, written likewise."""
    channels: tuple[str, ...] = ()
    """Conversation ids of the platforms (`C0123456789`, `19:…@thread.tacv2`); names can be changed by anyone."""
    nouns: tuple[str, ...] = ()
    """`case`, `invoice`, …; a table's logical name; or a command that stands alone: `search`."""
    verbs: tuple[str, ...] = ()
    """`create`, `win`, …; or `read`, `write` for all that read or write."""
    fields: tuple[str, ...] = ()
    """The operation sets one of these."""
    environments: tuple[str, ...] = ()
    """Organisations by their names in `environments` below."""


class Rule(_Part):
    """One rule; the first that matches decides."""

    rule: str = Field(min_length=1, max_length=120)
    """Its name, which a denial shows."""
    allow: Match | None = None
    deny: Match | None = None
    ask: str = ""
    """Whom a denied person is told to ask; empty: the file's own `ask`."""


class PolicyFile(_Part):
    """The whole file."""

    version: Literal[1]
    ask: str = Field(min_length=1, max_length=200)
    groups: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    rules: tuple[Rule, ...] = ()
    default: Literal["allow", "deny"] = "allow"
    """For what no rule matches."""
    read_only_channels: tuple[str, ...] = ()
    act_for: tuple[str, ...] = ()
    """People who may name somebody else as `user_id`."""
    share: tuple[str, ...] | None = None
    """People who may show records to a conversation; left out: everybody."""
    share_outside: tuple[str, ...] = ()
    """People who may do so where outsiders read along."""
    environments: dict[str, EnvironmentPart] = Field(default_factory=dict)
    """Organisations by name, where there are several; DATAVERSE_URL's is the one without a `url`."""

    @property
    def names_memberships(self) -> bool:
        """Whether anybody is named by a role or a team of Dynamics."""
        matches = [m for rule in self.rules for m in (rule.allow, rule.deny) if m]
        lists = (*self.groups.values(), *((m.people + m.except_) for m in matches))
        everybody = (*lists, self.act_for, self.share or (), self.share_outside)
        return any(person.startswith((ROLE, TEAM)) for people in everybody for person in people)


def load(path: Path) -> PolicyFile:
    """The checked file. Raises PolicyError naming every problem and its line."""
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as e:
        raise PolicyError(f"{path} cannot be read: {getattr(e, 'strerror', None) or 'it is not UTF-8 text'}.") from e
    try:
        tree = YAML(typ="rt").load(text)
    except MarkedYAMLError as e:
        mark = e.problem_mark or e.context_mark
        raise PolicyError(f"{path.name}, line {mark.line + 1 if mark else 1}: {e.problem or e.context}.") from e
    except YAMLError as e:
        raise PolicyError(f"{path.name}: {e}") from e
    if not isinstance(tree, dict):
        raise PolicyError(f"{path.name}, line 1: it must begin with `version: 1`; see docs/policy.md.")
    try:
        read = PolicyFile.model_validate(tree)
    except ValidationError as e:
        problems = [(p["loc"], _words(p["type"], p["loc"], p["msg"])) for p in e.errors()]
    else:
        problems = list(_senseless(read))
    if problems:
        raise PolicyError("\n".join(f"{path.name}, line {_line(tree, at)}: {says}" for at, says in problems))
    return read


def _words(kind: str, at: Where, message: str) -> str:
    name = at[-1] if at else "the file"
    if kind == "extra_forbidden":
        names = {
            *PolicyFile.model_fields, *Rule.model_fields, *Match.model_fields, *EnvironmentPart.model_fields, "except",
        } - {"except_"}  # fmt: skip
        return f"{name!r} is not known here{_nearest(str(name), names)}."
    if kind == "missing":
        return f"{name!r} is missing."
    return f"{name}: {message}."


def _senseless(file: PolicyFile) -> Iterator[tuple[Where, str]]:
    """What is well-formed and yet cannot mean anything."""
    yield from environment_problems(file.environments)
    for group, members in file.groups.items():
        yield from _people_problems(members, ("groups", group), {})
    for name in ("act_for", "share", "share_outside"):
        yield from _people_problems(getattr(file, name) or (), (name,), file.groups)
    yield from _channel_problems(file.read_only_channels, ("read_only_channels",))
    for i, rule in enumerate(file.rules):
        if (rule.allow is None) == (rule.deny is None):
            yield ("rules", i), f"the rule {rule.rule!r} needs either `allow:` or `deny:`."
            continue
        word, match = ("allow", rule.allow) if rule.allow else ("deny", rule.deny)
        assert match is not None  # noqa: S101  one of them is given
        at: Where = ("rules", i, word)
        for name in match.model_fields_set:
            if not getattr(match, name):
                key = name.rstrip("_")
                yield (*at, key), f"{key} is empty, and would match everything: leave it out, or name something."
        yield from _people_problems(match.people, (*at, "people"), file.groups)
        yield from _people_problems(match.except_, (*at, "except"), file.groups)
        yield from _channel_problems(match.channels, (*at, "channels"))
        for name, given, known in (
            ("nouns", match.nouns, nouns()),
            ("verbs", match.verbs, verbs()),
            ("fields", match.fields, field_names()),
            ("environments", match.environments, set(file.environments)),
        ):
            for n, word_given in enumerate(given):
                # A custom column (`new_region`) is known to the organisation alone.
                if word_given not in known and not (name == "fields" and "_" in word_given):
                    yield (*at, name, n), f"{word_given!r} is none of the {name}{_nearest(word_given, known)}."


def _people_problems(
    people: tuple[str, ...], at: Where, groups: dict[str, tuple[str, ...]]
) -> Iterator[tuple[Where, str]]:
    for i, person in enumerate(people):
        if person.startswith("group:"):
            if person.removeprefix("group:") not in groups:
                yield (*at, i), f"there is no such group{_nearest(person, {f'group:{g}' for g in groups})}."
        elif person.startswith((ROLE, TEAM)):
            if not person.partition(":")[2].strip():
                yield (*at, i), f"{person!r} names no {person.partition(':')[0]}: write it like role:Sales Manager."
        elif "@" not in person and person.count(":") < 2 and len(person) != 36:
            ways = "name@host, @host, group:name, role:name, team:name, an object id or platform:tenant:user"
            yield (*at, i), f"{person!r} is no person: write {ways}."


def _channel_problems(channels: tuple[str, ...], at: Where) -> Iterator[tuple[Where, str]]:
    for i, channel in enumerate(channels):
        if not channel or channel.startswith("#") or any(c.isspace() for c in channel):
            yield (*at, i), f"{channel!r} is a name: write the channel's id, like C0123456789, which nobody can change."


def _nearest(word: str, known: set[str]) -> str:
    near = get_close_matches(word, sorted(known), n=1)
    return f"; did you mean {near[0]}?" if near else ""


def _line(root: Any, at: Where) -> int:
    """The line (from 1) on which the value at this path, or the nearest thing around it, stands."""
    tree: Any
    line, tree = 0, root
    for step in at:
        try:
            places = tree.lc  # ruamel's own: where its parts stand
            line = (places.item if isinstance(step, int) else places.key)(step)[0]
            tree = tree[step]
        except (KeyError, IndexError, AttributeError, TypeError):
            break
    return line + 1


def nouns() -> set[str]:
    """Every noun, table and command that stands alone."""
    assert operations  # noqa: S101  imported for what it declares
    found = {op.noun() or verb for verb, op in CATALOG.items()}
    return found | {op.table.logical for op in CATALOG.values() if op.table}


def verbs() -> set[str]:
    """Every verb, and the two that stand for many."""
    return {op.verb.rpartition(" ")[2] for op in CATALOG.values()} | {READS, WRITES}


def field_names() -> set[str]:
    """Every field, by all its names."""
    return {name for op in CATALOG.values() for p in op.parameters.values() for name in p.names}


def kind(effect: Effect) -> str:
    """`read` or `write`, as `verbs` has it."""
    return READS if effect is Effect.READ else WRITES
