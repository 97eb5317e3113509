"""How people say conditions in words: the patterns, and the columns and comparisons that they stand for."""

import re
from typing import Final

from .numerals import any_of

_CREATED: Final = ("created", "opened", "added", "made", "new", "received", "logged")
KEYS: Final = {
    **dict.fromkeys(_CREATED, ("created",)),
    **dict.fromkeys(("modified", "changed", "updated"), ("modified",)),
    **dict.fromkeys(("closing", "closes"), ("close_date",)),
    **dict.fromkeys(("due", "overdue"), ("due", "delivery_by", "close_date", "follow_up")),
    "delivered": ("delivered",),
    "closed": ("actual_close", "modified"),
}
"""Columns that a word about a date may mean; the first that the table has."""
AMOUNTS: Final = ("value", "total", "revenue")
CUSTOMERS: Final = ("customer", "company")
DATE_OPS: Final = {
    **dict.fromkeys(("before", "prior to", "earlier than"), "<"),
    **dict.fromkeys(("by", "until", "till", "up to"), "<="),
    **dict.fromkeys(("after", "later than"), ">"),
    **dict.fromkeys(("since", "from", "as of"), ">="),
    **dict.fromkeys(("in", "on", "during", "at", ""), "="),
}
AMOUNT_OPS: Final = {
    **dict.fromkeys(("over", "above", "more than", "greater than", "bigger than", "larger than", "exceeding"), ">"),
    **dict.fromkeys(("under", "below", "less than", "smaller than"), "<"),
    **dict.fromkeys(("at least", "from"), ">="),
    **dict.fromkeys(("at most", "up to"), "<="),
}
WORD_OPS: Final = {
    **dict.fromkeys(("is not", "isn't"), "!="),
    **dict.fromkeys(("is", "equals"), "="),
    **dict.fromkeys(("contains", "includes", "like"), "~"),
}
ORDERS: Final = {
    **dict.fromkeys(("newest first", "latest first", "newest", "latest", "most recent"), ("-", ("created",))),
    **dict.fromkeys(("oldest first", "oldest"), ("", ("created",))),
    **dict.fromkeys(("biggest first", "largest first", "biggest", "largest"), ("-", AMOUNTS)),
}


_END: Final = r"(?=[\s)]|$)"
DATED = re.compile(rf"(?:(?P<key>{any_of(KEYS)})\s+)?(?:(?P<op>{any_of(filter(None, DATE_OPS))})\s+)?", re.IGNORECASE)
BETWEEN = re.compile(r"(?:(?P<key>[^\W\d][\w-]*)\s+)?between\s+", re.IGNORECASE)
TO = re.compile(r"\s+(?:and|to|-)\s+", re.IGNORECASE)
WITHIN = re.compile(
    rf"(?P<key>{any_of(KEYS)})\s+(?:with)?in\s+(?:the\s+next\s+)?(?P<n>\d{{1,3}})\s*(?P<unit>[^\W\d_]+){_END}",
    re.IGNORECASE,
)
AGED = re.compile(rf"(?P<way>older|newer|younger)\s+than\s+(?P<age>(?:\d{{1,4}}|an?)\s*[^\W\d_]+){_END}", re.IGNORECASE)
AMOUNT = re.compile(rf"(?:(?P<key>[^\W\d][\w-]*)\s+)?(?:is\s+)?(?P<op>{any_of(AMOUNT_OPS)})\s+", re.IGNORECASE)
WORDED = re.compile(rf"(?P<key>[^\W\d][\w-]*)\s+(?P<op>{any_of(WORD_OPS)})\s+(?P<value>[^\s()]+){_END}", re.IGNORECASE)
EMPTY = re.compile(
    rf"(?P<no>without|with\s+no|with|missing|no)\s+(?:an?\s+)?(?P<key>[^\W\d][\w-]*){_END}", re.IGNORECASE
)
ORDER = re.compile(rf"(?P<order>{any_of(ORDERS)})(?:\s+(?P<n>\d{{1,3}}))?{_END}", re.IGNORECASE)
SORTED = re.compile(
    rf"(?:(?:sort|sorted|order|ordered)\s+)?by\s+(?P<key>[^\W\d][\w-]*)(?P<desc>\s+desc(?:ending)?)?{_END}",
    re.IGNORECASE,
)
TOP = re.compile(rf"(?:top|first|last|latest)\s+(?P<n>\d{{1,3}}){_END}", re.IGNORECASE)
FILLER = re.compile(
    rf"(?:(?:that|which|who)\s+)?(?:are|is)\s+(?=(?:open|active|closed|inactive|mine|{any_of(KEYS)})(?:[\s)]|$))",
    re.IGNORECASE,
)
"""`cases that are open`."""
OVERDUE = re.compile(rf"overdue{_END}", re.IGNORECASE)
OWNER = re.compile(r"(?:owned\s+by|assigned\s+to)\s+", re.IGNORECASE)
OF = re.compile(r"(?P<word>for|of|from|at|in|with)\s+", re.IGNORECASE)
NEXT = re.compile(r"(?:for|from|at|in|owned\s+by|assigned\s+to)\s", re.IGNORECASE)
FIGURES = re.compile(rf"\d{{4}}-\d\d-\d\d|\d{{1,2}}[./]\d{{1,2}}(?:[./](?:\d{{4}}|\d\d)?)?|\d{{4}}{_END}")
NAMELESS = re.compile(
    rf"(?:the\s+)?(?:(?:this|last|next|past)\s|(?:today|yesterday|tomorrow|heute|gestern|morgen|q[1-4]){_END})",
    re.IGNORECASE,
)
"""Dates that are plain enough to say no column; any other may be part of a name."""
