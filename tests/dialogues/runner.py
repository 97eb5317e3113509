"""Reads dialogues and holds them with a `Speaker`; see README.md."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from commands.cards import Card, Form, Input, InputKind, to_text
from commands.press import Press
from commands.request import Reply, Visibility

FOLDER = Path(__file__).parent
ANY = "<…>"


@dataclass
class Turn:
    """What a person does, and what is answered."""

    said: str
    line: int
    expected: list[str] = field(default_factory=list)


class Speaker(Protocol):
    """One person in one conversation with the bot."""

    async def say(self, text: str) -> Reply:
        """Type a command."""
        ...

    async def press(self, press: Press) -> Reply:
        """Press a button."""
        ...

    async def submit(self, press: Press, values: dict[str, str]) -> Reply:
        """Submit a form."""
        ...


def dialogues() -> list[Path]:
    """Every dialogue there is."""
    return sorted(FOLDER.glob("*.txt"))


def speaker_of(path: Path) -> str:
    """The e-mail address of who speaks: `# as dmitri.volkov@contoso.example` in the first line; Anna Weber else."""
    first = path.read_text(encoding="utf-8").partition("\n")[0]
    return first.removeprefix("# as ") if first.startswith("# as ") else "anna.weber@contoso.example"


def read(path: Path) -> Iterator[Turn]:
    """The turns of a dialogue."""
    turn: Turn | None = None
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        if line.startswith("> "):
            if turn:
                yield turn
            turn = Turn(line.removeprefix("> ").strip(), number)
        elif turn and line.strip() and not line.startswith("# "):
            turn.expected.append(line.rstrip())
    if turn:
        yield turn


async def hold(path: Path, speaker: Speaker) -> None:
    """Hold the dialogue; AssertionError where an answer differs, with both."""
    card, form = None, None
    for turn in read(path):
        reply = await _turn(turn.said, Reply(card=card, form=form), speaker)
        # A form stays open while commands are typed beside it.
        card, form = reply.card or card, reply.form or form
        text = answer_text(reply)
        assert matches(turn.expected, text.splitlines()), (
            f"{path.name}:{turn.line}: > {turn.said}\n--- expected\n" + "\n".join(turn.expected) + f"\n--- got\n{text}"
        )


async def _turn(said: str, last: Reply, speaker: Speaker) -> Reply:
    if said.startswith("[") and said.endswith("]"):
        return await speaker.press(_button(last, said[1:-1]))
    if said.startswith("{") and said.endswith("}"):
        assert last.form, "no form was shown"
        return await speaker.submit(last.form.submit, _filled(last.form, said[1:-1]))
    return await speaker.say(said.removeprefix("/crm").strip())


def _button(reply: Reply, name: str) -> Press:
    card = reply.card
    assert card, "no card was shown"
    if name.isdecimal():
        action = card.rows[int(name) - 1].action
    else:
        action = next((a for a in card.buttons() if a.label == name), None)
    assert action, f"there is no button {name!r}: {[a.label for a in card.buttons()]}"
    assert action.press, f"{name!r} opens {action.url}"
    return action.press


def _filled(form: Form, text: str) -> dict[str, str]:
    values = {i.name: i.value for i in form.inputs if i.value}
    fields = {i.name: i for i in form.inputs}
    for pair in filter(None, (p.strip() for p in text.split(";"))):
        name, _, value = pair.partition(":")
        value = value.strip()
        assert name in fields, f"the form has no field {name!r}: {list(fields)}"
        if value == "-":
            values.pop(name, None)
        else:
            values[name] = _option(fields[name], value)
    return values


def _option(field_: Input, value: str) -> str:
    return next((o.value for o in field_.options if o.label == value), value)


def answer_text(reply: Reply) -> str:
    """What people see of a reply, the public stub after the card."""
    parts = ["(shared with everyone)"] if reply.visibility is Visibility.EVERYONE else []
    parts += [to_text(reply.card)] if reply.card else []
    parts += [form_text(reply.form)] if reply.form else []
    parts += ["(everyone) " + _first(reply.stub)] if reply.stub else []
    return "\n".join(parts)


def _first(card: Card) -> str:
    return to_text(card).splitlines()[0]


def form_text(form: Form) -> str:
    """A form as text."""
    return "\n".join([form.title, *filter(None, (form.problem,)), *map(_field_text, form.inputs)])


def _field_text(field_: Input) -> str:
    shown = field_.value_label or field_.value
    if field_.kind in {InputKind.CHOICE, InputKind.CHOICES}:
        shown = ", ".join(o.label for o in field_.options if o.value in field_.value.splitlines()) or shown
    problem = f" ! {field_.problem}" if field_.problem else ""
    return f"{'*' if field_.required else ''}{field_.label}: {shown}".rstrip() + problem


def matches(expected: list[str], got: list[str]) -> bool:
    """Whether the lines are as expected; see README.md for `<…>`."""
    patterns = [None if line.strip() == ANY else _pattern(line) for line in expected]
    reached = {0}
    for pattern in patterns:
        if pattern is None:
            reached = set(range(min(reached), len(got) + 1)) if reached else set()
        else:
            reached = {at + 1 for at in reached if at < len(got) and pattern.fullmatch(got[at].rstrip())}
    return len(got) in reached


def _pattern(line: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part) for part in line.split(ANY)))
