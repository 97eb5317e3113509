"""Who may do what, where."""

from .errors import NotAllowed
from .operation import Operation
from .request import Place, Principal


class Policy:
    """Without a policy file: everyone may do what Dataverse lets them do, as themselves."""

    def check(self, operation: Operation, principal: Principal, place: Place) -> None:
        """Raises NotAllowed, naming the rule and what to do."""
        del principal, place
        if operation.user_id != "me":
            raise NotAllowed(
                "Acting for somebody else is not allowed here.",
                "Leave out user_id, or ask an administrator to allow it in the policy file.",
            )
