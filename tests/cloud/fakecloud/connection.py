"""HTTP/1.1 on one connection: requests are read one after the other, answers written whole."""

import asyncio
import ipaddress
import re

from fakecloud import answers, exchange
from fakecloud.rows import ROWS, message_of, error_body

_LARGEST_HEAD = 65536
_LARGEST_URI = 8192
_LARGEST_BODY = 100 * 1048576
_REQUEST_LINE = re.compile(r"([A-Za-z]+) ([^ ]+) HTTP/1\.([01])")


class Request:
    """A request as it was sent. headers: lower-case name to value; several joined by commas."""

    __slots__ = ("method", "target", "path", "query", "headers", "body", "connection", "tls")

    def __init__(self, method, target, headers, body, connection, tls):
        self.method = method
        self.target = target
        self.path, _, self.query = target.partition("?")
        self.headers = headers
        self.body = body
        self.connection = connection
        self.tls = tls


class BadRequest(Exception):
    """What cannot be read as a request; the row that it is refused with."""


def parse_head(data):
    """Method, target, minor version and headers."""
    lines = data.decode("latin-1").split("\r\n")
    match = _REQUEST_LINE.fullmatch(lines[0])
    if not match:
        raise BadRequest("bad-request")
    headers = {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if not colon or not name or name != name.strip():
            raise BadRequest("bad-request")
        name, value = name.lower(), value.strip(" \t")
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    if len(match[2]) > _LARGEST_URI:
        raise BadRequest("uri-too-long")
    return match[1].upper(), match[2], match[3], headers


def body_length(headers):
    """Length of the body that follows the headers."""
    if "transfer-encoding" in headers:
        raise BadRequest("length-missing")
    text = headers.get("content-length", "0")
    if not re.fullmatch(r"[0-9]{1,15}", text):
        raise BadRequest("bad-request")
    if int(text) > _LARGEST_BODY:
        raise BadRequest("too-large")
    return int(text)


class Connection(asyncio.Protocol):
    """One connection of a client, to the cloud or to its control interface."""

    def __init__(self, cloud, control_only=False):
        self.cloud = cloud
        self.number = 0
        self.requests = 0
        self._control_only = control_only
        self._transport = None
        self._loopback = False
        self._tls = False
        self._buffer = bytearray()
        self._head = None
        self._busy = False
        self._closes = False
        self._held = None
        self._idle = None
        self._full = False
        self._when_writable = None

    # --- what asyncio calls ---

    def connection_made(self, transport):
        self._transport = transport
        self._tls = transport.get_extra_info("sslcontext") is not None
        peer = transport.get_extra_info("peername")
        self._loopback = bool(peer) and ipaddress.ip_address(peer[0]).is_loopback
        if not self._control_only:
            self.number = self.cloud.connection_opened(self)
            self._wait_idle()

    def connection_lost(self, exc):
        self._stop_idle()
        self._busy = True
        if not self._control_only:
            self.cloud.connection_closed(self)

    def data_received(self, data):
        self._buffer += data
        if not self._busy:
            self._next()

    def pause_writing(self):
        self._full = True

    def resume_writing(self):
        self._full = False
        if self._when_writable:
            then, self._when_writable = self._when_writable, None
            then()

    # --- requests ---

    def _next(self):
        """Begins with the next request, if all of it is there."""
        try:
            request = self._take()
        except BadRequest as error:
            self._refuse(str(error))
            return
        if request is None:
            return
        self._busy = True
        self._stop_idle()
        if request.path == "/_control" or request.path.startswith("/_control/"):
            status, body = ((403, b"") if not self._loopback
                            else self.cloud.control.answer(request))
            self.answer(b"HTTP/1.1 %d -\r\nContent-Type: application/json\r\n"
                        b"Content-Length: %d\r\n\r\n%b" % (status, len(body), body), self._closes)
        elif self._control_only:
            self._refuse("no-route")
        else:
            self.requests += 1
            exchange.Exchange(self.cloud, self, request).start()

    def _take(self):
        """The next request of what was received, or None."""
        if self._head is None:
            # Empty lines before a request are to be ignored.
            while self._buffer.startswith(b"\r\n"):
                del self._buffer[:2]
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                if len(self._buffer) > _LARGEST_HEAD:
                    raise BadRequest("uri-too-long")
                return None
            method, target, minor, headers = parse_head(self._buffer[:end])
            del self._buffer[:end + 4]
            self._head = (method, target, headers, body_length(headers))
            self._closes = (headers.get("connection", "").lower() == "close"
                            or minor == "0" and headers.get("connection") != "keep-alive")
            if (headers.get("expect", "").lower() == "100-continue"
                    and len(self._buffer) < self._head[3]):
                self.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        method, target, headers, length = self._head
        if len(self._buffer) < length:
            return None
        body = bytes(self._buffer[:length])
        del self._buffer[:length]
        self._head = None
        return Request(method, target, headers, body, self.number, self._tls)

    def _refuse(self, row):
        """Answers what is no request, and closes."""
        self._busy = True
        request_id = self.cloud.new_request_id()
        status, word, _ = ROWS[row]
        body = error_body(request_id, status, word, message_of(row, {}))
        answer = answers.Answer(status, word, body.encode())
        self.answer(answers.whole(answer, request_id, self.cloud.settings, None, True), True)

    def closes_next(self):
        """Whether the connection is to be closed after the next answer."""
        most = self.cloud.settings.requests_per_connection
        if most and self.requests >= most:
            self._closes = True
        return self._closes

    # --- answers ---

    def write(self, data):
        """Sends, or keeps while the network is dead; False if nobody is there any more."""
        if self._held is not None:
            self._held.append(data)
        elif self._transport.is_closing():
            return False
        else:
            self._transport.write(data)
        return True

    def answer(self, data, close):
        """Sends the end of an answer; then the next request has its turn."""
        if not self.write(data):
            return
        if close:
            self.end()
            return
        self._busy = False
        self._wait_idle()
        if self._buffer:
            # Not at once: many requests in one piece must not nest.
            asyncio.get_running_loop().call_soon(self._next_if_free)

    def _next_if_free(self):
        if not self._busy:
            self._next()

    def writable(self):
        """Whether what is written leaves soon."""
        return not self._full and self._held is None

    def when_writable(self, then):
        """Calls once what is written leaves again."""
        self._when_writable = then

    def end(self):
        """Closes, after all that was written."""
        if self._held is not None:
            self._held.append(None)
        else:
            self._transport.close()

    def reset(self):
        """Resets the connection."""
        exchange.reset_socket(self._transport.get_extra_info("socket"))
        self._transport.abort()

    def hold(self, held):
        """Neither reads nor writes, or does so again."""
        if held and self._held is None:
            self._held = []
            self._stop_idle()
            self._transport.pause_reading()
        elif not held and self._held is not None:
            waiting, self._held = self._held, None
            self._transport.resume_reading()
            for data in waiting:
                if data is None:
                    self._transport.close()
                else:
                    self._transport.write(data)
            self.resume_writing()

    # --- idleness ---

    def _wait_idle(self):
        after = self.cloud.settings.idle_close_ms
        if after:
            self._idle = self.cloud.later(after / 1000, self._close_idle)

    def _stop_idle(self):
        if self._idle:
            self._idle.cancel()
            self._idle = None

    def _close_idle(self):
        if not self._busy and not self._buffer:
            self.cloud.journal.events["idle connections closed"] += 1
            self._transport.close()

    @property
    def idle(self):
        """Whether no request is being read or answered."""
        return not self._busy and not self._buffer
