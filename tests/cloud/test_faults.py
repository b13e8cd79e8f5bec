"""Misbehaviour on demand: what is answered, and whether the change was made."""

import http.client
import json
import socket
import threading
import time
import unittest

from fakecloud.rows import ROWS
from support import GOLDEN, REGION, WEB, CloudTest, call


class Errors(CloudTest):
    """Faults that answer something else."""

    def test_every_row(self):
        for row, (status, word, _) in ROWS.items():
            with self.subTest(row):
                self.fault("error", row=row, operation="shareImage", times=1)
                answer = self.share("alice")
                self.assertEqual(answer.error[:2], (status, word))
                self.assertEqual(answer.json["error"]["code"], status)
        self.assertEqual(self.truth(), [])
        self.assertEqual(self.share("alice").status, 200)

    def test_messages_name_what_the_request_names(self):
        self.fault("error", row="pin-not-found")
        self.assertEqual(self.share("alice").error[2], "Pin 'alice' not found")
        self.cloud.control({"do": "clear-faults"})
        self.fault("error", row="task-conflict")
        self.assertEqual(self.share("alice").error[2],
                         "Conflict with underlay image task 'xx'")

    def test_applied_but_answered_otherwise(self):
        self.fault("error", row="internal", applied=True, times=1)
        self.assertEqual(self.share("alice").status, 500)
        self.assertEqual(self.truth(), ["alice"])

    def test_which_requests_a_fault_is_for(self):
        self.fault("error", row="internal", operation=["shareImage", "unShareImage"],
                   image=GOLDEN, pin="alice", account="owner", skip=1, times=2)
        for pin, image, status in (("alice", GOLDEN, 200), ("bob", GOLDEN, 200),
                                   ("alice", WEB, 200), ("alice", GOLDEN, 500),
                                   ("alice", GOLDEN, 500), ("alice", GOLDEN, 200)):
            self.assertEqual(self.share(pin, image).status, status)
        self.assertEqual(self.cloud.control(path="/faults"), [])

    def test_chance(self):
        self.fault("error", row="internal", probability=0.5)
        statuses = {self.share("alice").status for _ in range(40)}
        self.assertEqual(statuses, {200, 500})

    def test_an_error_in_a_success(self):
        self.fault("error", row="image-not-yours", http=200)
        answer = self.share("alice")
        self.assertEqual((answer.status, answer.json["error"]["code"]), (200, 400))

    def test_errors_without_json(self):
        self.fault("error", row="bad-gateway", body="html", times=1)
        answer = self.share("alice")
        self.assertEqual((answer.status, answer.headers["content-type"]), (502, "text/html"))
        self.assertIn(b"502 Bad Gateway", answer.raw)
        self.fault("error", row="unavailable", body="empty", times=1)
        answer = self.share("alice")
        self.assertEqual((answer.status, answer.raw), (503, b""))
        self.fault("error", row="internal", body="no-request-id", times=1)
        self.assertEqual(self.share("alice").json["requestId"], "")

    def test_an_error_of_ones_own(self):
        self.fault("error", http=418, status="TEAPOT", message="short and stout", code=40301)
        answer = self.share("alice")
        self.assertEqual(answer.error, (418, "TEAPOT", "short and stout"))
        self.assertEqual(answer.json["error"]["code"], 40301)

    def test_bytes_of_ones_own(self):
        self.fault("answer", base64=True, body="AP8=", headers={"content-encoding": "x"})
        answer = self.share("alice")
        self.assertEqual((answer.raw, answer.headers["content-encoding"]), (b"\0\xff", "x"))

    def test_pieces(self):
        self.fault("stream", start='{"result":{"pins":[', piece='"p{n}",', pieces=30000,
                   end='"last"]}}')
        self.assertEqual(self.share("alice").json["result"]["pins"][-2:], ["p29999", "last"])
        self.assertEqual(self.truth(), [])

    def test_an_answer_of_ones_own(self):
        self.fault("answer", http=302, headers={"location": "http://localhost:1/"},
                   body={"requestId": "{requestId}"})
        answer = self.share("alice")
        self.assertEqual((answer.status, answer.headers["location"]), (302, "http://localhost:1/"))
        self.assertEqual(answer.json["requestId"], answer.headers["x-jdcloud-request-id"])

    def test_garbage_and_depth(self):
        self.fault("garbage", bytes=300, times=1)
        self.assertEqual(len(self.share("alice").raw), 300)
        self.fault("deep", levels=100000, times=1)
        answer = self.call("GET", "/images?imageSource=private")
        self.assertIn(b"[" * 100000 + b"]" * 100000, answer.raw)

    def test_a_huge_answer(self):
        self.fault("huge", mb=8, times=1)
        answer = self.call("GET", "/images?imageSource=private")
        self.assertGreater(len(answer.raw), 8 << 20)
        self.assertEqual(list(answer.json), ["requestId", "result"])
        self.assertEqual(self.share("alice").status, 200)


class Silence(CloudTest):
    """Faults that answer nothing, or only a part."""

    def test_an_answer_that_is_cut(self):
        self.fault("cut")
        with self.assertRaises(http.client.IncompleteRead):
            self.share("alice")
        self.assertEqual(self.truth(), ["alice"])

    def test_reset_and_close(self):
        for applied in (False, True):
            for action, error in (("reset", ConnectionResetError),
                                  ("close", http.client.RemoteDisconnected)):
                with self.subTest(action=action, applied=applied):
                    self.fault(action, applied=applied, times=1, operation="shareImage")
                    with self.assertRaises(error):
                        self.share("alice")
                    self.connection.close()
                    self.assertEqual(self.truth(), ["alice"] if applied else [])
            self.cancel("alice")

    def test_what_is_not_even_http(self):
        self.fault("raw", text="nonsense\r\n\r\n")
        with self.assertRaises(http.client.BadStatusLine):
            self.share("alice")

    def hang(self, applied):
        """A share that hangs until it is resumed; its status."""
        self.fault("hang", operation="shareImage", applied=applied, times=1)
        statuses = []
        thread = threading.Thread(target=lambda: statuses.append(self.share("alice").status))
        thread.start()
        while not self.cloud.control(path="/connections")["held requests"]:
            time.sleep(0.01)
        self.assertEqual(self.truth(), ["alice"] if applied else [])
        self.assertEqual(self.cloud.control({"do": "resume"})["resumed"], 1)
        thread.join()
        return statuses[0]

    def test_no_answer_for_now(self):
        for applied in (False, True):
            with self.subTest(applied=applied):
                self.assertEqual(self.hang(applied), 200)
                self.assertEqual(self.truth(), ["alice"])
                self.cancel("alice")

    def test_no_answer_at_all(self):
        self.fault("hang", applied=True)
        self.connection.timeout = 0.2
        with self.assertRaises(TimeoutError):
            self.share("alice")
        self.assertEqual(self.truth(), ["alice"])

    def test_a_request_that_takes_long(self):
        self.fault("delay", ms=200, operation="shareImage", times=1)
        start = time.monotonic()
        self.assertEqual(self.share("alice").status, 200)
        self.assertGreaterEqual(time.monotonic() - start, 0.2)

    def test_an_answer_that_comes_in_drops(self):
        self.fault("drip", bytes_per_s=4000, times=1)
        start = time.monotonic()
        self.assertEqual(self.share("alice").status, 200)
        self.assertGreaterEqual(time.monotonic() - start, 0.1)


class Time(CloudTest):
    """Latency, and the limiter."""

    def test_latency_passes_for_all_at_once(self):
        self.set(latency_ms=200)
        connections = [self.cloud.connect() for _ in range(40)]
        threads = [threading.Thread(target=call, args=(each, "GET",
                                                       f"{REGION}/images/{GOLDEN}"))
                   for each in connections]
        start = time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        took = time.monotonic() - start
        for each in connections:
            each.close()
        self.assertGreaterEqual(took, 0.2)
        # One after the other, they would take 8 s.
        self.assertLess(took, 4)

    def test_the_minute(self):
        self.set(limit_minute=3, limit_enforced=True, limit_window_s=0.5)
        left = [self.share("alice").headers["x-jdcloud-remaining-minute"] for _ in range(3)]
        self.assertEqual(left, ["2", "1", "0"])
        answer = self.share("alice")
        self.assertEqual(answer.error, (429, "HTTP_RATE_LIMIT_EXCEEDED",
                                        "minute rate limit exceeded, role:ak [gw]"))
        self.assertEqual(answer.headers["x-jdcloud-limit-minute"], "3")
        time.sleep(0.5)
        self.assertEqual(self.share("alice").status, 200)


class Records(CloudTest):
    """What is recorded of requests."""

    def test_a_record(self):
        self.share("alice")
        self.fault("error", row="internal")
        self.share("bob")
        records = self.cloud.control(path="/requests?operation=shareImage")
        self.assertEqual([(each["pins"], each["status"], each["answer"], each["fault"],
                           each["account"], each["signature"]) for each in records],
                         [(["alice"], 200, "OK", None, "owner", "ok"),
                          (["bob"], 500, "INTERNAL", "error", "owner", "ok")])
        self.assertEqual(records[0]["connection"], records[1]["connection"])
        self.assertEqual(records[0]["path"], f"{REGION}/images/{GOLDEN}:share")
        self.assertNotIn("SK0000", json.dumps(self.cloud.control(path="/state")))
        self.assertNotIn("SK0000", json.dumps(records))
        self.cloud.control({"do": "reset-requests"})
        self.assertEqual(self.cloud.control(path="/requests"), [])

    def test_bad_commands(self):
        for command in ({"do": "dance"}, {"do": "set", "settings": {"lag": 1}}, [], {},
                        {"do": "set", "settings": {"lag_ms": "long"}},
                        {"do": "set", "settings": {"order": "sideways"}},
                        {"do": "share", "image": "img-nosuch", "pin": "alice"},
                        {"do": "share", "image": GOLDEN},
                        {"do": "fault", "fault": {"do": "error"}},
                        {"do": "fault", "fault": {"do": "error", "row": "nonesuch"}},
                        {"do": "fault", "fault": {"do": "hang", "mb": 3}},
                        {"do": "fault", "fault": {"do": "hang", "operation": "dance"}}):
            with self.subTest(command=command):
                if command == []:
                    self.assertEqual(self.cloud.control(command), [])
                else:
                    self.assertIn("error", self.cloud.control(command, status=400))


class Garbled(CloudTest):
    """Requests that are none."""

    def exchange(self, data):
        """Sends bytes; the status line of the answer."""
        host, port = self.connection.host, self.connection.port
        with socket.create_connection((host, port), 5) as sock:
            sock.sendall(data)
            return sock.makefile("rb").readline().decode().strip()

    def test_refusals(self):
        for data, status in ((b"nonsense\r\n\r\n", 400), (b"GET / HTTP/1.1\r\nbad\r\n\r\n", 400),
                             (b"GET /" + b"x" * 8192 + b" HTTP/1.1\r\n\r\n", 414),
                             (b"POST / HTTP/1.1\r\nContent-Length: 104857601\r\n\r\n", 413),
                             (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", 411),
                             (b"GET /nowhere HTTP/1.1\r\n\r\n", 404)):
            with self.subTest(data[:40]):
                self.assertIn(f" {status} ", self.exchange(data))

    def test_a_client_that_waits_before_it_sends_a_body(self):
        self.assertIn(" 100 ", self.exchange(b"POST / HTTP/1.1\r\nContent-Length: 9\r\n"
                                             b"Expect: 100-continue\r\n\r\n"))


if __name__ == "__main__":
    unittest.main()
