"""Who may do what, where. Dataverse decides about rights; this decides what of them is offered in chat."""

import json
from collections.abc import Iterable, Iterator
from typing import Final

from .errors import NotAllowed
from .fields import ColumnsMark
from .operation import CATALOG, Effect, Operation
from .policy_file import Match, PolicyFile, Rule, kind
from .request import OUTSIDERS, Place, Principal, Standing
from .views import VIEWS

_OF_NO_TABLE: Final = frozenset({"whoami", "unremind"})
"""Reading commands without a table that show no record."""


class Policy:
    """Without a policy file: everyone may do what Dataverse lets them do, as themselves."""

    def __init__(self, file: PolicyFile | None = None) -> None:
        self._file = file

    @property
    def names_people(self) -> bool:
        """Whether deciding needs a person's e-mail address and Entra id."""
        return self._file is not None

    @property
    def names_memberships(self) -> bool:
        """Whether it needs a person's roles and teams (`Principal.memberships`)."""
        return self._file is not None and self._file.names_memberships

    @property
    def ask(self) -> str:
        """Whom people are told to ask; empty without a file."""
        return self._file.ask if self._file else ""

    def check(self, operation: Operation, principal: Principal, place: Place, *, env: str = "") -> None:
        """Raises NotAllowed, naming the rule and whom to ask. `env`: the environment that the command goes to."""
        self.check_kind(type(operation), principal, place, fields=_fields(operation), env=env)
        if operation.user_id != "me" and not self._is_one(principal, self._file.act_for if self._file else ()):
            raise NotAllowed(
                "Acting for somebody else is not allowed here.",
                f"Leave out user_id, or {self._whom()} to allow it (`act_for` in the policy file).",
            )

    def check_kind(
        self,
        operation: type[Operation],
        principal: Principal,
        place: Place,
        *,
        fields: Iterable[str] = (),
        env: str = "",
    ) -> None:
        """The same before anything was filled in: whether a form may open at all. Raises NotAllowed."""
        if principal.standing is Standing.UNKNOWN:
            raise NotAllowed("Who you are cannot be checked just now, so nothing was done.", "Try again in a minute.")
        if principal.standing is not Standing.MEMBER and not (principal.proved and principal.standing in OUTSIDERS):
            raise NotAllowed(
                "Records are shown to members of this organisation only.",
                f"Guests and people of other organisations cannot use this here; {self._whom()} if you are none.",
            )
        if self._file is None:
            return
        if self._file.names_memberships and principal.memberships is None:
            raise NotAllowed("The policy asks for your roles, and these are not known here.", f"{self._whom()}.")
        if operation.effect is not Effect.READ and _here(place, self._file.read_only_channels):
            raise NotAllowed(
                "Nothing can be changed from this channel.",
                f"Do it in a direct message, or {self._whom()} (`read_only_channels` in the policy file).",
            )
        said = frozenset(fields)
        self._check_rules(operation, principal, place, said, env)
        for each in _done_with_it(operation, said):
            self._check_rules(each, principal, place, said if each.table is operation.table else frozenset(), env)

    def hidden(self, principal: Principal, place: Place, *, env: str = "") -> dict[str, NotAllowed]:
        """The tables that this person may not read here, by logical name, and why: no lookup finds their rows."""
        found = {}
        for verb, each in CATALOG.items() if self._file else ():
            if each.table and verb.endswith(" get"):
                try:
                    self._check_rules(each, principal, place, frozenset(), env)
                except NotAllowed as e:
                    found[each.table.logical] = e
        return found

    def _check_rules(
        self, operation: type[Operation], principal: Principal, place: Place, fields: frozenset[str], env: str
    ) -> None:
        assert self._file is not None  # noqa: S101  both callers looked
        for rule in self._file.rules:
            match = rule.allow or rule.deny
            here = match is not None and (not match.environments or env in match.environments)
            if match and here and self._matches(match, operation, principal, place, fields):
                if rule.deny is not None:
                    raise self._denied(rule)
                return
        if self._file.default == "deny":
            raise NotAllowed("No rule of the policy allows this here.", _sentence(f"{self._whom()}."))

    def check_sharing(self, principal: Principal, place: Place) -> None:
        """Whether this person may show a record's public form to this conversation, of which is known who reads along.

        Raises NotAllowed.
        """
        if place.shared and not self._is_one(principal, self._file.share_outside if self._file else ()):
            raise NotAllowed(
                "People outside the organisation may read along here, so records are not shared to it.",
                "Where I am no member I cannot tell: invite me. Or share it in another channel, or "
                f"{self._whom()} (`share_outside` in the policy file).",
            )
        share = self._file.share if self._file else None
        if share is not None and not self._is_one(principal, share):
            raise NotAllowed(
                "You may not share records to a conversation.",
                _sentence(f"{self._whom()} (`share` in the policy file)."),
            )

    def _matches(
        self, match: Match, operation: type[Operation], principal: Principal, place: Place, fields: frozenset[str]
    ) -> bool:
        noun, _, verb = operation.verb.rpartition(" ")
        names = {noun or verb, operation.table.logical if operation.table else ""}
        return (
            (not match.people or self._is_one(principal, match.people))
            and not (match.except_ and self._is_one(principal, match.except_))
            and (not match.channels or _here(place, match.channels))
            and (not match.nouns or not names.isdisjoint(match.nouns))
            and (not match.verbs or not {verb, kind(operation.effect)}.isdisjoint(match.verbs))
            and (not match.fields or not fields.isdisjoint(match.fields))
        )

    def _is_one(self, principal: Principal, people: Iterable[str]) -> bool:
        email = principal.email.casefold()
        domain = f"@{email.rpartition('@')[2]}" if "@" in email else ""
        mine = {email, domain, principal.key.casefold(), principal.entra_id.casefold()} - {""}
        mine |= principal.memberships or set()
        for person in people:
            if person.startswith("group:"):
                if self._file and self._is_one(principal, self._file.groups[person.removeprefix("group:")]):
                    return True
            elif person.casefold() in mine:
                return True
        return False

    def _denied(self, rule: Rule) -> NotAllowed:
        return NotAllowed(f"The policy does not allow this: {rule.rule}.", _sentence(f"{self._whom(rule.ask)}."))

    def _whom(self, ask: str = "") -> str:
        whom = ask or (self._file.ask if self._file else "")
        return f"ask {whom}" if whom else "ask an administrator"


def _here(place: Place, channels: Iterable[str]) -> bool:
    # Teams appends the thread to a channel's id: `19:…@thread.tacv2;messageid=…`.
    return place.conversation.partition(";")[0] in channels


def _done_with_it(operation: type[Operation], fields: frozenset[str]) -> Iterator[type[Operation]]:
    """Other commands that this one does as well, whatever it is called: what is said about these holds for it, too."""
    if operation.effect is Effect.READ and operation.table is None and operation.verb not in _OF_NO_TABLE:
        # What looks into every table shows no more than the commands for each of them would.
        yield from (each for verb, each in CATALOG.items() if verb.endswith(" get"))
    made = (f"{VIEWS[table].noun} create" for table in operation.makes if table in VIEWS)
    given_away = (f"{operation.noun()} assign",) if "ownerid" in fields else ()
    for verb in (*operation.does_also, *made, *given_away):
        if verb in CATALOG:
            yield CATALOG[verb]


def _fields(operation: Operation) -> set[str]:
    """What it sets, by every name: the field's, its column's, and further columns by theirs."""
    said: set[str] = set()
    for name, value in operation.given().items():
        said.add(name)
        if operation.parameters[name].marked(ColumnsMark):
            said.update(value if isinstance(value, dict) else json.loads(value or "{}"))
        elif name == "clear":
            said.update(word.strip() for word in str(value).split(","))
    return said.union(*(p.names for p in operation.parameters.values() if said & set(p.names)))


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
