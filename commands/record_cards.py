"""From rows to cards: a record, its public stub, a line of a list. Labels come in the reader's language."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from urllib.parse import urlencode

from crm.definitions import ColumnInfo, TableInfo
from crm.languages import language_code
from crm.lifecycle import state_of
from crm.records import Ref, Row
from crm.tables import Kind

from . import cards
from .cards import Action, Card, CardKind, Confirm, Fact, Moment, Status, Style, Value
from .context import Context
from .press import Do, Press
from .view import TONES, View
from .views import VIEWS

_CLOSED_QUESTION = "This cannot be undone here."


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How the rows of one table look to one person."""

    view: View
    info: TableInfo
    language: int
    url: str
    """The organisation's address."""

    # -- values -------------------------------------------------------------------------------------------------

    def label(self, column: str) -> str:
        """A column's name as people see it."""
        known = self.info.columns.get(column)
        return known.label(self.language) if known else column

    def value(self, row: Row, column: str) -> Value:
        """A column's value; empty text where there is none."""
        raw = row.get(column)
        if raw is None:
            return ""
        known = self.info.columns.get(column)
        if known is None:
            return row.formatted(column)
        return _shown(row, known, raw, self.language)

    def fact(self, row: Row, column: str, *, wide: bool = False) -> Fact | None:
        """Label and value; None for an empty one."""
        value = self.value(row, column) if column in row else ""
        return Fact(self.label(column), value, wide) if value else None

    def title(self, row: Row) -> str:
        """What the record is called."""
        view = self.view
        texts = (row.get(c.logical) for c in (view.title, view.lead_text, view.number) if c)
        return next((str(t) for t in texts if t), f"{view.named(view.noun)} without a name")

    def subtitle(self, row: Row) -> str:
        """What kind of thing, and its number: `Case CAS-01042`."""
        number = row.get(self.view.number.logical) if self.view.number else None
        return " ".join(filter(None, (self.info.label(self.language), str(number or ""))))

    def status(self, row: Row) -> Status | None:
        """The status reason, with the tone of its state."""
        label = self.value(row, "statuscode") or self.value(row, "statecode")
        return Status(str(label), TONES[state_of(row)]) if label else None

    def record_url(self, ref: Ref) -> str:
        """Where the record opens in Dynamics."""
        return record_url(self.url, ref)

    # -- cards --------------------------------------------------------------------------------------------------

    def record(self, row: Row, *, notes: Sequence[str] = (), also: Iterable[str] = ()) -> Card:
        """The record card. `notes`: sentences about what happened; `also`: columns to show beside the key facts."""
        view = self.view
        told = [c.logical for c in view.facts if self._tells(c.logical)]
        wide = [c.logical for c in view.wide]
        quiet = {view.title.logical, *(c.logical for c in (view.lead_text, view.number) if c)}
        further = [c for c in dict.fromkeys(also) if c in row and c not in {*told, *wide, *quiet}]
        facts = [self.fact(row, c) for c in (*told, *further)] + [self.fact(row, c, wide=True) for c in wide]
        subject = row.get(view.lead_text.logical) if view.lead_text else None
        title = self.title(row)
        return Card(
            kind=CardKind.RECORD,
            title=title,
            subtitle=self.subtitle(row),
            url=self.record_url(row.ref),
            status=self.status(row),
            text=(*notes, *([str(subject)] if subject and subject != title else ())),
            facts=tuple(f for f in facts if f),
            actions=tuple(self._steps(row)),
            more=tuple(self._further(row)),
            record=f"{row.ref.table}/{row.ref.id}",
            etag=row.etag or "",
            stub=self.stub(row) if view.public else None,
        )

    def stub(self, row: Row) -> Card:
        """What everyone in a conversation may see: number, title and status; a button fetches the rest per person."""
        return Card(
            kind=CardKind.STUB,
            title=self.title(row),
            subtitle=self.subtitle(row),
            status=self.status(row),
            actions=(Action(label="Show details", press=self.press("show", row.ref)),),
            record=f"{row.ref.table}/{row.ref.id}",
        )

    def line(self, row: Row, *, columns: Iterable[str] = (), action: Action | None = None) -> cards.Row:
        """A row of a list. `columns`: what to show instead of the usual details."""
        view = self.view
        usual = (c.logical for c in view.listed)
        number = str(row.get(view.number.logical) or "") if view.number else ""
        wanted = [c for c in (columns or usual) if c in row]
        title = self.title(row)
        details = (_brief(self.value(row, c)) for c in wanted)
        return cards.Row(
            title=f"{number} {title}".strip() if number and number != title else title,
            detail=tuple(d for d in details if d and d != title),
            status=self.status(row),
            action=action or Action(label="Open", press=self.press("show", row.ref)),
        )

    def press(
        self, verb: str, ref: Ref, *, do: Do = Do.RUN, etag: str = "", args: dict[str, str] | None = None
    ) -> Press:
        """A press that does `verb` to the record."""
        name = f"{self.view.noun} get" if verb == "show" else verb
        return Press(do=do, verb=name, args={"record": str(ref.id), **(args or {})}, etag=etag)

    def _tells(self, column: str) -> bool:
        """A choice of one (`Default Value`) says nothing."""
        known = self.info.columns.get(column)
        return not (known and known.kind is Kind.CHOICE and len(known.choices) == 1)

    def _steps(self, row: Row) -> Iterable[Action]:
        for number, step in enumerate(self.view.steps.get(state_of(row), ())):
            press = self.press(step.verb, row.ref, do=Do.FORM if step.ask else Do.RUN, etag=row.etag or "")
            yield Action(
                label=step.label,
                press=press,
                style=Style.DANGER if step.danger and number else Style.PRIMARY if number == 0 else Style.DEFAULT,
                confirm=Confirm(step.danger, _CLOSED_QUESTION, yes=step.label, no="Go back") if step.danger else None,
            )

    def _further(self, row: Row) -> Iterable[Action]:
        seen = {row.ref}
        for column in self.view.related:
            ref = row.lookup(column.logical)
            view = VIEWS.get(ref.table) if ref else None
            if ref and view and ref not in seen:
                seen.add(ref)
                label = f"{view.named(view.noun)}: {ref.name or 'open'}"
                yield Action(label=label, press=Press(do=Do.RUN, verb=f"{view.noun} get", args={"record": str(ref.id)}))
        if self.view.public:
            yield Action(label="Share", press=self.press("show", row.ref, do=Do.SHARE))
        yield Action(label="Open in Dynamics", url=self.record_url(row.ref))


async def look(ctx: Context, table: str) -> Look:
    """How this person sees rows of a table that has a view. Raises CrmError where metadata cannot be had."""
    return Look(
        view=VIEWS[table],
        info=await ctx.crm.metadata.table(table),
        language=language_code(ctx.principal.locale),
        url=ctx.crm.url,
    )


def record_url(organisation: str, ref: Ref) -> str:
    """The address of a record in Dynamics. Source: Microsoft, "Open apps, forms, views by using URLs"."""
    return f"{organisation}/main.aspx?" + urlencode({"pagetype": "entityrecord", "etn": ref.table, "id": str(ref.id)})


def notice(title: str, *text: str, actions: Sequence[Action] = ()) -> Card:
    """A few words, and perhaps what to do next."""
    return Card(kind=CardKind.NOTICE, title=title, text=text, actions=tuple(actions))


def with_notes(card: Card, *notes: str) -> Card:
    """The card with sentences before its text."""
    return replace(card, text=(*notes, *card.text))


def _brief(value: Value) -> Value:
    return replace(value, brief=True) if isinstance(value, Moment) and isinstance(value.at, datetime) else value


def _shown(row: Row, column: ColumnInfo, raw: object, language: int) -> Value:
    match column.kind:
        case Kind.CHOICE | Kind.BOOLEAN:
            choice = column.choice(int(raw)) if isinstance(raw, int) else None
            return choice.label(language) if choice else row.formatted(column.logical)
        case Kind.LOOKUP:
            ref = row.lookup(column.logical)
            return ref.name or "" if ref else ""
        case Kind.DATE:
            return Moment(date.fromisoformat(str(raw)[:10]))
        case Kind.DATETIME:
            return Moment(datetime.fromisoformat(str(raw)))
        case Kind.CHOICES:
            numbers = (int(n) for n in str(raw).split(",") if n.strip())
            labels = (c.label(language) for n in numbers if (c := column.choice(n)))
            return ", ".join(labels)
    return row.formatted(column.logical)
