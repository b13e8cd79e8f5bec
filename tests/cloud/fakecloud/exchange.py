"""One request from its arrival to its answer, with all delays and faults on the way."""

import base64
import math
import os
import socket
import struct

from fakecloud import answers
from fakecloud.answers import Answer, to_bytes
from fakecloud.rows import to_json

_PIECE = b"x" * 65536


class Exchange:
    """A request that is being answered.

    Half of the latency passes before the request takes effect, half between that and its answer.
    An answer to a connection that is gone meanwhile is dropped, but what was asked is done: so
    does a service that has read the request.
    """

    __slots__ = ("cloud", "connection", "request", "call", "entry", "account", "refusal",
                 "fault", "before", "after", "request_id", "left")

    def __init__(self, cloud, connection, request):
        self.cloud = cloud
        self.connection = connection
        self.request = request
        self.request_id = cloud.new_request_id()
        (self.call, self.account, self.refusal, self.left,
         self.entry) = cloud.understand(request)
        self.entry["request_id"] = self.request_id
        half = cloud.latency() / 2
        before, after, self.fault = cloud.faults.meet(
            self.call, self.account.pin if self.account else None)
        self.before, self.after = half + before, half + after
        if self.fault:
            self.entry["fault"] = self.fault.action

    def start(self):
        """The request has arrived."""
        self.cloud.later(self.before, self._reach)

    def _reach(self):
        """Where the request takes effect."""
        if self.fault and not self.fault.applied:
            if self.fault.action == "hang":
                self.cloud.hold(self._carry_out)
            else:
                self.cloud.later(self.after, self._misbehave)
        else:
            self._carry_out()

    def _carry_out(self):
        answer = self.cloud.carry_out(self.call, self.account, self.refusal, self.request_id)
        if self.fault and self.fault.applied:
            self.cloud.later(self.after, self._misbehave, answer)
        else:
            self.cloud.later(self.after, self._send, answer)

    def _send(self, answer):
        close = self.connection.closes_next()
        answer.left = self.left
        self.cloud.journal.close(self.entry, answer.status, answer.word)
        self.connection.answer(answers.whole(answer, self.request_id, self.cloud.settings,
                                             self.call.operation, close), close)

    # --- faults ---

    def _misbehave(self, answer=None):
        """Does what the fault says. answer: the right one, if the request was carried out."""
        getattr(self, "_do_" + self.fault.action)(
            answer or answers.success(self.request_id, None), **self.fault.parameters)

    def _end(self, word):
        """No answer, or none that is one."""
        self.cloud.journal.close(self.entry, None, word)

    def _head(self, answer, length):
        return answers.head(answer, self.request_id, self.cloud.settings, self.call.operation,
                            length, False)

    def _do_hang(self, answer):
        self.cloud.hold(self._send, answer)

    def _do_error(self, _answer, row, **changes):
        names = {"image": self.call.image, "region": self.call.region,
                 "pin": (self.call.pins_wanted() or ["xx"])[0]}
        self._send(answers.refusal(self.request_id, row, names, changes))

    def _do_answer(self, _answer, http, headers, body, **parameters):
        if not isinstance(body, str):
            body = to_json(body)
        data = (base64.b64decode(body) if parameters["base64"]
                else to_bytes(body.replace("{requestId}", self.request_id)))
        self._send(Answer(http, "forced", data, headers=tuple(headers.items())))

    def _do_cut(self, answer, at):
        at = len(answer.body) // 2 if at is None else at
        self._end("cut")
        self.connection.answer(self._head(answer, len(answer.body)) + answer.body[:at], True)

    def _do_garbage(self, _answer, **parameters):
        # The name of the parameter is that of a type.
        self._send(Answer(200, "garbage", os.urandom(parameters["bytes"])))

    def _do_deep(self, _answer, levels):
        body = (f'{{"requestId":"{self.request_id}","result":{{"images":{"[" * levels}'
                f'{"]" * levels}}}}}')
        self._send(Answer(200, "deep", body.encode()))

    def _do_raw(self, _answer, text):
        self._end("raw")
        self.connection.answer(text.encode(), True)

    def _do_close(self, _answer):
        self._end("close")
        self.connection.end()

    def _do_reset(self, _answer):
        self._end("reset")
        self.connection.reset()

    def _do_drip(self, answer, bytes_per_s):
        self._end("drip")
        data = self._head(answer, len(answer.body)) + answer.body

        def drop(position):
            if position + 1 >= len(data):
                self.connection.answer(data[position:], False)
            elif self.connection.write(data[position:position + 1]):
                self.cloud.later(1 / bytes_per_s, drop, position + 1)
        drop(0)

    def _do_huge(self, _answer, mb):
        """A body of valid JSON whose padding is written as fast as it is read."""
        self._end("huge")
        start = f'{{"requestId":"{self.request_id}","result":{{"padding":"'.encode()
        pieces = int(mb * 1048576) // len(_PIECE)
        length = len(start) + pieces * len(_PIECE) + 3
        answer = Answer(200, "huge", b"")
        self.connection.write(self._head(answer, length) + start)
        self._repeat(lambda _: _PIECE, pieces, b'"}}', False)

    def _do_stream(self, _answer, head, start, piece, pieces, end):
        """Whatever it is, written as fast as it is read."""
        self._end("stream")
        self.connection.write(
            to_bytes(head if head is not None else
                     "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\n\r\n")
            + to_bytes(start.replace("{requestId}", self.request_id)))
        whole = to_bytes(piece)
        numbered = "{n}" in piece

        def make(number):
            return to_bytes(piece.replace("{n}", str(number))) if numbered else whole
        self._repeat(make, pieces or math.inf, to_bytes(end), True)

    def _repeat(self, make, pieces, end, close):
        """Writes so many pieces, many at a time, and then the end of the answer."""
        def more(number):
            while number < pieces and self.connection.writable():
                data = bytearray()
                while number < pieces and len(data) < len(_PIECE):
                    data += make(number)
                    number += 1
                if not self.connection.write(bytes(data)):
                    return
            if number < pieces:
                self.connection.when_writable(lambda: more(number))
            else:
                self.connection.answer(end, close)
        more(0)


def reset_socket(sock):
    """From now on, closing the socket resets its connection."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
