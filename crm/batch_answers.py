"""What came back for each part of a batch."""

from uuid import UUID

from multidict import CIMultiDict, CIMultiDictProxy

from .answers import error_from, parsed
from .batch import CRLF, Batch, ChangeSet, Part, Result
from .definitions import Names
from .errors import BadAnswer, NotCarriedOut
from .metadata import Metadata
from .records import Ref, page_of, row_of
from .transport import Answer


async def decode(batch: Batch, answer: Answer, host: str, metadata: Metadata) -> dict[Part, Result]:
    """Results by part."""
    answers = _split(answer.body, answer.headers.get("Content-Type", ""), host)
    results: dict[Part, Result] = {}
    position = 0
    for item in batch.items:
        parts = item.parts if isinstance(item, ChangeSet) else [item]
        if position >= len(answers):
            skipped = NotCarriedOut("An earlier request of the same batch failed, so this one was not carried out.")
            results.update(dict.fromkeys(parts, Result(error=skipped)))
            continue
        failed = answers[position].status >= 400 and isinstance(item, ChangeSet)
        if failed:
            error = error_from(answers[position], host, table=None)
            results.update(dict.fromkeys(parts, Result(error=error)))
            position += 1
            continue
        for part in parts:
            if position >= len(answers):
                raise BadAnswer(f"{host} answered only a part of a change set.", outcome_unknown=True)
            results[part] = await _result(part, answers[position], host, metadata)
            position += 1
    return results


async def _result(part: Part, answer: Answer, host: str, metadata: Metadata) -> Result:
    if answer.status >= 400:
        return Result(error=error_from(answer, host, table=part.table))
    names = await metadata.names(part.table)
    try:
        return _success(part, answer, host, names)
    except (BadAnswer, AttributeError, KeyError, TypeError, ValueError):
        problem = f"{host} answered a part of the batch with something else."
        return Result(error=BadAnswer(problem, table=part.table, outcome_unknown=part.method != "GET"))


def _success(part: Part, answer: Answer, host: str, names: Names) -> Result:
    if part.action:
        return Result(answer=parsed(answer, host))
    if part.method == "POST":
        location = answer.headers.get("OData-EntityId") or answer.headers.get("Location") or ""
        return Result(Ref(part.table, UUID(location.rpartition("(")[2].rstrip(")"))))
    if part.method != "GET":
        return Result()
    data = parsed(answer, host)
    if part.ref:
        return Result(row_of(part.table, names.primary_id, data))
    return Result(page_of(part.table, names.primary_id, data))


def _boundary(content_type: str) -> bytes | None:
    for parameter in content_type.split(";")[1:]:
        name, _, value = parameter.strip().partition("=")
        if name.lower() == "boundary":
            return value.strip('"').encode()
    return None


def _split(body: bytes, content_type: str, host: str) -> list[Answer]:
    """The HTTP answers inside a multipart body, change sets flattened."""
    boundary = _boundary(content_type)
    if boundary is None:
        raise BadAnswer(f"{host} did not answer the batch with a batch.")
    answers: list[Answer] = []
    for chunk in (CRLF + body).split(CRLF + b"--" + boundary)[1:]:
        if chunk.startswith(b"--"):
            break
        head, _, content = chunk.lstrip(CRLF).partition(CRLF * 2)
        headers = _headers(head)
        kind = headers.get("Content-Type", "")
        if kind.startswith("multipart/mixed"):
            answers += _split(content, kind, host)
        else:
            answers.append(_inner(content, host))
    return answers


def _inner(content: bytes, host: str) -> Answer:
    head, _, body = content.partition(CRLF * 2)
    line, _, rest = head.partition(CRLF)
    words = line.split(None, 2)
    if len(words) < 2 or not words[0].startswith(b"HTTP/") or not words[1].isdigit():
        raise BadAnswer(f"{host} answered the batch with something that is not HTTP.", outcome_unknown=True)
    return Answer(int(words[1]), CIMultiDictProxy(_headers(rest)), body.strip())


def _headers(head: bytes) -> CIMultiDict[str]:
    headers: CIMultiDict[str] = CIMultiDict()
    for line in head.decode("utf-8", "replace").split("\r\n"):
        name, colon, value = line.partition(":")
        if colon:
            headers.add(name.strip(), value.strip())
    return headers
