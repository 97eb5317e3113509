"""What can go wrong, in words for the person who asked.

    UserError                  the person can mend it; the sentence says how
      + BadInput               a value: names the field, what is wrong, one example that works
      + UnknownCommand         no such verb or noun: the nearest ones
      + NotAllowed             policy: the rule, and whom to ask; or the button is somebody else's
      + NotConnected           no Dynamics user for this person
        + SignInNeeded         they can prove who they are by signing in
      + StaleButton            the button is of an old message, or was changed
      + NotAccepted            we cannot take the work now; nothing was done
    Question                   not an error: something must be asked first; nothing was written

`explain(exc)` (commands.explain) turns any exception, `crm.errors.CrmError` included, into a card.
"""

from .cards import Form
from .request import Reply


class UserError(Exception):
    """Something the person can mend. `sentence` says what is wrong; `remedy` what to do next, with one example."""

    def __init__(self, sentence: str, remedy: str = "") -> None:
        super().__init__(sentence)
        self.sentence, self.remedy = sentence, remedy


class BadInput(UserError):
    """One or several values cannot be used. `problems`: sentence by field name, for a form to show at the field."""

    def __init__(self, sentence: str, remedy: str = "", *, problems: dict[str, str] | None = None) -> None:
        super().__init__(sentence, remedy)
        self.problems = problems or {}


class UnknownCommand(UserError):
    """Nothing by that name. `nearest`: commands that the person may have meant, likeliest first."""

    def __init__(self, sentence: str, remedy: str = "", *, nearest: tuple[str, ...] = ()) -> None:
        super().__init__(sentence, remedy)
        self.nearest = nearest


class NotAllowed(UserError):
    """Policy says no, or the button is somebody else's."""


class NotConnected(UserError):
    """Nobody in Dynamics for this person (yet)."""


class SignInNeeded(NotConnected):
    """The person must prove who they are by signing in (`commands.signing_in`)."""


class StaleButton(UserError):
    """A button or form that cannot be used any more."""


class NotAccepted(UserError):
    """The work cannot be journalled now. Nothing was done."""


class Question(Exception):
    """Ask before going on: a card to choose from, a confirmation, or a form. Nothing has been written."""

    def __init__(self, reply: Reply) -> None:
        super().__init__("a question to the person")
        self.reply = reply

    @classmethod
    def form(cls, form: Form) -> "Question":
        """Ask with a form."""
        return cls(Reply(form=form))
