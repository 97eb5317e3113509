"""`Operation`: one thing people may ask, declared once; `CATALOG`: all of them; and the checks a declaration must pass.

From one declaration come the grammar, help, forms, MCP tools, manifests, the command reference and a test. A wrong
declaration fails when its module is imported, with a sentence that contains the fix.
"""

import inspect
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar, Self, get_args

from pydantic import BaseModel, ConfigDict
from pydantic.fields import FieldInfo

from crm.tables import Column, Kind, Table

from .fields import Text

if TYPE_CHECKING:
    from .cards import Form
    from .context import Context
    from .request import Reply


class Effect(StrEnum):
    """What running it does to Dataverse, and so how it is run."""

    READ = "read"
    """Nothing: runs inline, touches no journal."""
    WRITE = "write"
    """Creates or changes a row; safe to repeat, because ids come from the intent key and values can be compared."""
    ACTION = "action"
    """Changes state on the server (win, qualify, resolve); never repeated blindly: `landed()` looks first."""


class Accepts:
    """Further names under which a field is understood: `Annotated[Ref, CASE.customer, Accepts("account_id")]`."""

    def __init__(self, *names: str) -> None:
        self.names = names


class ByButton:
    """Marks a field that our own sealed buttons and forms fill, and nobody else: typed, it is refused."""


@dataclass(frozen=True)
class Parameter:
    """A field of an operation, as grammar, forms, help and tools see it."""

    name: str
    """The user's word: `priority`."""
    kind: Kind
    column: Column | None
    """The Dataverse column it fills; None for what only we understand (`top`, `note`)."""
    names: tuple[str, ...]
    """All accepted names, the user's word first: `priority`, `prioritycode`."""
    help: str
    required: bool
    field: FieldInfo
    marks: tuple[object, ...] = ()
    """Everything else that its annotation carries."""

    def marked(self, mark: type) -> bool:
        """Whether the annotation carries a mark of this class."""
        return any(isinstance(m, mark) for m in self.marks)

    @property
    def label(self) -> str:
        """For people, where metadata has no label: `close_date` -> `Close date`."""
        return self.name.replace("_", " ").capitalize()


class DeclarationError(TypeError):
    """A wrong declaration of an operation; the message contains the fix."""


CATALOG: dict[str, type["Operation"]] = {}
"""Every declared operation by its canonical verb (`case create`), in order of declaration."""

_KINDS: dict[type, Kind] = {bool: Kind.BOOLEAN, int: Kind.INTEGER, str: Kind.TEXT}


class Operation(BaseModel):
    """Subclass to declare an operation. Class keywords:

    * `verb`: noun and verb, `"case create"`; without it the class is a base for others and joins no catalog.
    * `effect`, `table`, `slug` (the public toolkit's name, if it has one), `example` (must parse; the first test).
    * `words`: the fields that words without a key fill: `words="title"`, or `("record", "note")`: the first word or
      quoted phrase goes to the first field, the rest to the last. `"name"` in `words` splits a person's name when the
      operation has `first_name` and `last_name`.
    * `also`: other ways to say the verb, whole: `("ticket open",)`.

    Every field is `Annotated[<type from commands.fields>, <column of crm.tables or nothing>, Accepts(...)?]` with a
    docstring below it, which is its help text.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, validate_default=False)

    verb: ClassVar[str] = ""
    effect: ClassVar[Effect] = Effect.READ
    table: ClassVar[Table | None] = None
    slug: ClassVar[str] = ""
    example: ClassVar[str] = ""
    words: ClassVar[tuple[str, ...]] = ()
    also: ClassVar[tuple[str, ...]] = ()
    parameters: ClassVar[dict[str, Parameter]] = {}
    makes: ClassVar[tuple[str, ...]] = ()
    """Tables, by logical name, in which it makes rows beside its own and connects them with it."""
    does_also: ClassVar[tuple[str, ...]] = ()
    """Verbs of other commands that this one does under its own name: what policy says about these holds for it, too."""
    noted: ClassVar[bool] = False
    """A READ that stands in the audit all the same: it changes what is ours."""
    without_account: ClassVar[bool] = False
    """It is for those, too, who are nobody in Dynamics (yet): it touches no record, and policy has no say."""

    user_id: str = "me"
    """Whom to act for: `me`, or another person where policy allows it."""
    env: Text = ""
    """Which organisation, where there are several; left out: the conversation's own."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        # pydantic calls __pydantic_init_subclass__ with the keywords once the fields are known; swallow them here.
        super().__init_subclass__()
        own = inspect.get_annotations(cls)
        hidden = next(
            (n for n, a in own.items() if "ClassVar" not in str(a) and any(hides(n, b) for b in cls.__bases__)), ""
        )
        if hidden:
            raise DeclarationError(
                f"{cls.__module__}.{cls.__qualname__}: a field cannot be called {hidden!r}, which every operation has "
                f'for itself; call it {hidden}_text, say, and add Accepts("{hidden}") so that people may still write it'
            )

    @classmethod
    def __pydantic_init_subclass__(
        cls,
        *,
        verb: str = "",
        effect: Effect | None = None,
        table: Table | None = None,
        slug: str = "",
        example: str = "",
        words: str | tuple[str, ...] | None = None,
        also: tuple[str, ...] = (),
        **kwargs: Any,
    ) -> None:
        super().__pydantic_init_subclass__(**kwargs)
        cls.verb, cls.slug, cls.example, cls.also = verb, slug, example, also
        # What is not said is left to inheritance: of several bases, the first that says it.
        if effect is not None:
            cls.effect = effect
        if table is not None:
            cls.table = table
        if words is not None:
            cls.words = (words,) if isinstance(words, str) else words
        cls.parameters = {name: _parameter(name, info) for name, info in cls.model_fields.items()}
        if verb:
            _check(cls)
            CATALOG[verb] = cls

    @classmethod
    def noun(cls) -> str:
        """`case` of `case create`; empty for verbs that stand alone (`help`)."""
        return cls.verb.rpartition(" ")[0]

    @classmethod
    def summary(cls) -> str:
        """The first line of the docstring."""
        return (cls.__doc__ or "").strip().splitlines()[0]

    @classmethod
    def shaped(cls, form: "Form", args: Mapping[str, str]) -> "Form":  # noqa: ARG003  (for whoever overrides it)
        """Its form, filled from `args`, as this operation asks it."""
        return form

    async def run(self, ctx: "Context") -> "Reply":
        """Do it and answer. Everything it needs comes from `ctx`; it may be run again after a crash.

        Raises `commands.errors.UserError` for what the person can mend, `commands.errors.Question` to ask something
        (nothing must have been written by then), and lets `crm.errors.CrmError` pass.
        """
        raise NotImplementedError

    async def landed(self, ctx: "Context") -> "Reply | None":
        """ACTION only: after an unknown outcome, the answer if the state that the action leaves is there already."""
        raise NotImplementedError

    def given(self) -> dict[str, Any]:
        """Only what was said: field values by name, in order of declaration, without defaults."""
        return {name: getattr(self, name) for name in type(self).model_fields if name in self.model_fields_set}

    def args(self) -> dict[str, str]:
        """What was said, as canonical text by field name: `type(op).read(op.args()) == op`."""
        dumped = self.model_dump(mode="json", exclude_unset=True)
        return {k: _arg(v) for k, v in dumped.items() if v is not None}

    @classmethod
    def read(cls, args: dict[str, str], reading: object = None) -> Self:
        """The operation from text by field name; `reading` is the `commands.fields.Reading` (locale, zone, today).

        Raises pydantic.ValidationError whose messages are sentences for people.
        """
        return cls.model_validate(args, context=reading)


def hides(name: str, base: type) -> bool:
    """Whether a field of this name would hide something of a class that is no field: `words`, `run`, `copy`."""
    return hasattr(base, name) and name not in getattr(base, "model_fields", {})


def _arg(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    return str(value)


def _parameter(name: str, info: FieldInfo) -> Parameter:
    members = get_args(info.annotation)  # the marks of `Day` in `Day | None` are on the member
    marks = [*info.metadata, *(m for member in members for m in getattr(member, "__metadata__", ()))]
    column = next((m for m in marks if isinstance(m, Column)), None)
    accepted = tuple(n for m in marks if isinstance(m, Accepts) for n in m.names)
    marked = next((m for m in marks if isinstance(m, Kind)), None)
    kind = marked or (column.kind if column else _KINDS.get(_bare(info.annotation), Kind.TEXT))
    names = dict.fromkeys((name, *((column.logical,) if column else ()), *accepted))
    return Parameter(name, kind, column, tuple(names), info.description or "", info.is_required(), info, tuple(marks))


def _bare(annotation: Any) -> type:
    """`int` of `int | None`."""
    args = [a for a in getattr(annotation, "__args__", ()) if a is not type(None)]
    return args[0] if args and isinstance(args[0], type) else annotation if isinstance(annotation, type) else str


def _check(cls: type[Operation]) -> None:
    """Refuse a wrong declaration while its author is still looking at it."""
    problem = next((p for check in (_verb_problems, _help_problems, _field_problems) for p in check(cls)), None)
    if problem:
        raise DeclarationError(f"{cls.__module__}.{cls.__qualname__}: {problem}")


def _verb_problems(cls: type[Operation]) -> Iterator[str]:
    if cls.verb != cls.verb.lower() or not 1 <= len(cls.verb.split()) <= 3:
        yield 'verb must be one to three lower-case words, like verb="case create"'
    if cls.verb in CATALOG:
        yield f"the verb {cls.verb!r} is already declared by {CATALOG[cls.verb].__qualname__}; choose another"
    if cls.effect is not Effect.READ and cls.table is None:
        yield f"a {cls.effect} operation needs table=, the table it changes"
    if cls.effect is Effect.ACTION and cls.landed is Operation.landed:
        yield "an ACTION needs landed(), which looks whether it has been done already"


def _help_problems(cls: type[Operation]) -> Iterator[str]:
    if not (cls.__doc__ or "").strip():
        yield 'add a docstring; its first line is the help text, like """Open a case."""'
    elif len(cls.summary()) > 150:
        yield "the docstring's first line has more than 150 characters; shorten it"
    if not cls.example:
        yield f'add example="{cls.verb} …", a command that works; help and tests use it'


def _field_problems(cls: type[Operation]) -> Iterator[str]:
    seen: dict[str, str] = {}
    for p in cls.parameters.values():
        if not p.help:
            yield f"put a docstring under {p.name}; people read it as help"
        for alias in p.names:
            if alias in seen:
                yield f"{alias!r} means both {seen[alias]} and {p.name}; drop it from one"
            seen[alias] = p.name
    for word in cls.words:
        if word not in cls.parameters and not (word == "name" and {"first_name", "last_name"} <= set(cls.parameters)):
            yield f"words={word!r} names no field; it has {', '.join(cls.parameters)}"


def by_slug(slug: str) -> type[Operation] | None:
    """The operation with this public toolkit name."""
    return next((op for op in CATALOG.values() if op.slug == slug), None)
