"""The elements of FetchXML and their attributes: what is known, what is refused by name.

Language: learn.microsoft.com/power-apps/developer/data-platform/fetchxml/reference.
"""

from xml.etree.ElementTree import Element

from defusedxml.ElementTree import fromstring

from .errors import BAD_QUERY_XML, DataverseError, not_implemented

_ATTRIBUTES = {
    "fetch": {
        "version", "mapping", "output-format", "no-lock", "distinct", "top", "count", "page", "paging-cookie",
        "aggregate", "returntotalrecordcount", "latematerialize", "useraworderby", "aggregatelimit", "options",
    },
    "entity": {"name", "enableprefiltering", "prefilterparametername"},
    "link-entity": {
        "name", "to", "from", "alias", "link-type", "intersect", "visible", "enableprefiltering",
        "prefilterparametername",
    },
    "attribute": {"name", "alias", "aggregate", "groupby", "dategrouping", "distinct", "usertimezone"},
    "all-attributes": set[str](),
    "order": {"attribute", "alias", "entityname", "descending"},
    "filter": {
        "type", "hint", "isquickfindfields", "overridequickfindrecordlimitenabled",
        "overridequickfindrecordlimitdisabled",
    },
    "condition": {"attribute", "operator", "value", "valueof", "entityname", "uiname", "uitype", "uihidden"},
    "value": {"uiname", "uitype"},
}  # fmt: skip
_REFUSED = {"fetch": {"datasource"}, "attribute": {"rowaggregate"}, "condition": {"aggregate", "alias", "rowaggregate"}}


def bad_xml(detail: str) -> DataverseError:
    return DataverseError(400, BAD_QUERY_XML, f"Invalid XML: {detail}")


def parse(text: str) -> Element:
    """A `<fetch>` with one `<entity>`, every attribute in it known.

    Raises: DataverseError 400, 501.
    """
    try:
        root: Element = fromstring(text)
    except Exception:
        raise bad_xml("the query is not well-formed XML, or holds a DTD or entities.") from None
    if root.tag != "fetch" or [child.tag for child in root] != ["entity"]:
        raise bad_xml("a <fetch> element with one <entity> was expected.")
    for element in root.iter():
        _check(element)
    return root


def _check(element: Element) -> None:
    known = _ATTRIBUTES.get(element.tag)
    if known is None:
        raise not_implemented(f"The FetchXML element '{element.tag}'")
    unknown = set(element.attrib) - known
    if refused := unknown & _REFUSED.get(element.tag, set()):
        raise not_implemented(f"The attribute '{min(refused)}' of the FetchXML element '{element.tag}'")
    if unknown:
        raise bad_xml(f"the attribute '{min(unknown)}' is not valid on <{element.tag}>.")


def flag(element: Element, name: str) -> bool:
    return element.get(name, "false").lower() in {"true", "1"}


def number(element: Element, name: str, default: int, high: int) -> int:
    """An attribute from 1 to `high`. Raises: DataverseError 400."""
    text = element.get(name)
    if text is None:
        return default
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:9]) <= high:
        raise bad_xml(f"the attribute '{name}' must be a number from 1 to {high}.")
    return int(text)
