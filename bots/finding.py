"""What `crmchat doctor` says of one thing that it has looked at."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One check: `problem` is empty when all is well; `remedy` says how to mend it."""

    check: str
    problem: str = ""
    remedy: str = ""
    note: str = ""
    """What was seen, or why nothing was looked at."""

    def __str__(self) -> str:
        lines = [f"{'WRONG' if self.problem else 'ok   '} {self.check}: {self.problem or self.note or 'well'}"]
        return "\n".join([*lines, f"      {self.remedy}"] if self.remedy else lines)
