"""Bytes of a response. Each is made whole, so that it can be sent in one piece."""

import http
import time
from email.utils import formatdate

from fakecloud.rows import ROWS, error_body, message_of

_REASONS = {status.value: status.phrase for status in http.HTTPStatus}
_REASONS[499] = "Client Closed Request"
_JSON = "application/json; charset=utf-8"


def to_bytes(text):
    """UTF-8; what JSON can hold and UTF-8 cannot comes out as bytes that are no UTF-8."""
    return text.encode("utf-8", "surrogatepass")


class Answer:
    """A response before it is put into bytes. word: OK, or the status word of the refusal."""

    __slots__ = ("status", "word", "body", "content_type", "headers", "left")

    def __init__(self, status, word, body, content_type=_JSON, headers=(), left=None):
        self.status = status
        self.word = word
        self.body = body
        self.content_type = content_type
        self.headers = headers
        self.left = left


def success(request_id, result):
    """The answer to a request that was carried out; result: JSON, or None."""
    tail = f',"result":{result}}}' if result is not None else "}"
    return Answer(200, "OK", to_bytes(f'{{"requestId":"{request_id}"{tail}'))


def refusal(request_id, row, names, changes=None):
    """A refusal by a row of the table; changes: http, code, status, message, body."""
    changes = {name: value for name, value in (changes or {}).items() if value is not None}
    status, word, _ = ROWS[row] if row else (400, None, None)
    status = changes.get("http", status)
    # With another HTTP status, the code in the body is still that of the row.
    code = changes.get("code", ROWS[row][0] if row else status)
    word = changes.get("status", word)
    message = changes.get("message") or (message_of(row, names) if row else "")
    form = changes.get("body", "json")
    if form == "empty":
        return Answer(status, word, b"")
    if form == "html":
        title = f"{status} {_REASONS.get(status, 'Unknown')}"
        page = (f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n"
                f"<center><h1>{title}</h1></center>\r\n<hr><center>jfe</center>\r\n"
                "</body>\r\n</html>\r\n")
        return Answer(status, word, page.encode(), "text/html")
    body = error_body("" if form == "no-request-id" else request_id, code, word, message)
    return Answer(status, word, to_bytes(body))


def _date(clock_offset, _memory={"second": None, "text": ""}):
    """The Date header; made once a second."""
    second = int(time.time() + clock_offset)
    if _memory["second"] != second:
        _memory["second"], _memory["text"] = second, formatdate(second, usegmt=True)
    return _memory["text"]


def head(answer, request_id, settings, operation, length, close):
    """Status line and headers. length: of the body, or None for chunks."""
    left = settings.limit_minute - 1 if answer.left is None else max(answer.left, 0)
    framing = (f"content-length: {length}" if length is not None
               else "transfer-encoding: chunked")
    more = "".join(f"{name}: {value}\r\n" for name, value in answer.headers)
    return (f"HTTP/1.1 {answer.status} {_REASONS.get(answer.status, 'Unknown')}\r\n"
            f"date: {_date(settings.clock_offset_s)}\r\n"
            f"content-type: {answer.content_type}\r\n"
            f"{framing}\r\n"
            f"connection: {'close' if close else 'keep-alive'}\r\n"
            f"x-jdcloud-request-id: {request_id}\r\n"
            f"x-jdcloud-trace-id: {request_id}\r\n"
            f"x-jdcloud-operationid: {operation or '-'}\r\n"
            f"x-jdcloud-limit-minute: {settings.limit_minute}\r\n"
            f"x-jdcloud-remaining-minute: {left}\r\n"
            "x-jdcloud-upstream-latency: 1\r\n"
            "x-jdcloud-proxy-latency: 0\r\n"
            "via: jd-gateway/1.0.1\r\n"
            "server: jfe\r\n"
            f"{more}\r\n").encode("latin-1", "replace")


def chunk(data):
    """One chunk of a body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def whole(answer, request_id, settings, operation, close):
    """The bytes of an answer."""
    body = b"" if answer.status in (204, 304) else answer.body
    if body and settings.chunked:
        return (head(answer, request_id, settings, operation, None, close)
                + chunk(body) + b"0\r\n\r\n")
    return head(answer, request_id, settings, operation, len(body), close) + body
