"""The words for things and for what is done to them: nouns per table, verbs with their synonyms. No grammar in here."""

from dataclasses import dataclass
from typing import Final

from crm.tables import ACCOUNT, CASE, CONTACT, INVOICE, LEAD, OPPORTUNITY, ORDER, USER


@dataclass(frozen=True, slots=True)
class Noun:
    """What people call the rows of one table. Lower case; a form may have several words."""

    word: str
    """The one we use: `case`."""
    plural: str
    table: str
    """Logical name."""
    singulars: tuple[str, ...] = ()
    """Other words for one."""
    plurals: tuple[str, ...] = ()
    """Other words for many."""
    prefix: str = ""
    """What its numbers begin with, unless the organisation has changed that: `CAS` of `CAS-01042`."""


@dataclass(frozen=True, slots=True)
class NounForm:
    """A noun as it was said."""

    noun: Noun
    many: bool


NOUNS: Final[dict[str, Noun]] = {}
"""By the word we use. The seven tables first; `add()` joins the organisation's own."""

_FORMS: dict[str, NounForm] = {}

VERBS: Final[dict[str, tuple[str, ...]]] = {
    "create": ("new", "add", "open", "make", "log", "raise", "register", "create new", "add new", "open new"),
    "update": ("edit", "set", "change", "modify", "correct"),
    "get": ("show", "view", "see", "open", "display", "read", "details", "show me", "look up"),
    "list": ("ls", "list all", "show all", "get all", "all", "show me all", "filter"),
    "search": ("find", "search for", "look for", "lookup", "query"),
    "qualify": ("convert",),
    "disqualify": ("reject",),
    "win": ("won", "close won", "close as won", "mark won", "mark as won"),
    "lose": ("lost", "close lost", "close as lost", "mark lost", "mark as lost"),
    "resolve": ("close", "solve", "finish", "complete", "fix"),
    "reopen": ("re-open", "reactivate", "open again"),
    "cancel": ("withdraw",),
    "fulfil": ("fulfill", "ship", "deliver"),
    "invoice": ("bill",),
    "assign": ("reassign", "give", "hand over"),
    "remind": ("remind me about", "remind me of", "remind me"),
    "note": ("comment", "add note", "add a note", "add comment", "annotate"),
}
"""Other ways to say a verb, whole; a word may stand for several verbs, and the first that a noun has wins."""


def add(noun: Noun) -> None:
    """Join a noun. Raises ValueError if one of its words is another's already."""
    forms = {
        **{form: NounForm(noun, many=True) for form in (noun.plural, *noun.plurals)},
        **{form: NounForm(noun, many=False) for form in (noun.word, *noun.singulars)},
    }
    for form in forms:
        if form in _FORMS and _FORMS[form].noun != noun:
            raise ValueError(f"{form!r} means {_FORMS[form].noun.word} already; choose another word")
    _FORMS.update(forms)
    NOUNS[noun.word] = noun


def remove(noun: Noun) -> None:
    """Take out a noun that `add()` joined."""
    NOUNS.pop(noun.word, None)
    for form in [form for form, said in _FORMS.items() if said.noun == noun]:
        del _FORMS[form]


def named(text: str) -> NounForm | None:
    """The noun that a word (or words) stand for, in any case."""
    return _FORMS.get(" ".join(text.casefold().split()))


def forms(noun: Noun) -> tuple[str, ...]:
    """Every word for it, ours first."""
    return tuple(dict.fromkeys((noun.word, noun.plural, *noun.singulars, *noun.plurals)))


def one(word: str) -> str:
    """With its article: `an order`."""
    return f"{'an' if word[:1] in 'aeiou' else 'a'} {word}"


def of_table(logical: str) -> Noun | None:
    """The noun for a table's rows."""
    return next((noun for noun in NOUNS.values() if noun.table == logical), None)


def of_number(number: str) -> Noun | None:
    """The noun whose numbers begin like this one."""
    prefix = number.partition("-")[0].upper()
    return next((noun for noun in NOUNS.values() if noun.prefix and noun.prefix == prefix), None)


for _noun in (
    Noun("lead", "leads", LEAD.logical, ("prospect",), ("prospects",)),
    Noun("account", "accounts", ACCOUNT.logical, ("company", "acct", "organisation"), ("companies", "accts")),
    Noun("contact", "contacts", CONTACT.logical, ("person",), ("people", "persons")),
    Noun("opportunity", "opportunities", OPPORTUNITY.logical, ("opp", "deal", "oppty"), ("opps", "deals")),
    Noun("order", "orders", ORDER.logical, ("sales order", "salesorder"), ("sales orders", "salesorders"), "ORD"),
    Noun("invoice", "invoices", INVOICE.logical, ("bill",), ("bills",), "INV"),
    Noun("case", "cases", CASE.logical, ("ticket", "incident"), ("tickets", "incidents"), "CAS"),
    Noun("user", "users", USER.logical, ("colleague",), ("colleagues",)),
):
    add(_noun)
