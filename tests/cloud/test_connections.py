"""Connections that are closed, reset, not accepted or not served, and HTTPS."""

import socket
import ssl
import tempfile
import unittest

from support import GOLDEN, REGION, CloudTest, Process, call


class Connections(CloudTest):
    """The switches of connections."""

    def ask(self, connection=None):
        """The status of a request."""
        return call(connection or self.connection, "GET", f"{REGION}/images/{GOLDEN}").status

    def fresh(self):
        """A connection that is not made yet, and does not wait long."""
        connection = self.cloud.connect(timeout=0.3)
        self.addCleanup(connection.close)
        return connection

    def test_a_kept_connection(self):
        for chunked in (True, False):
            self.set(chunked=chunked)
            for _ in range(3):
                self.assertEqual(self.ask(), 200)
        numbers = {each["connection"] for each in self.cloud.control(path="/requests")}
        self.assertEqual(len(numbers), 1)

    def test_requests_in_one_piece_are_answered_in_turn(self):
        request = f"GET {REGION}/images HTTP/1.1\r\nx: 1\r\n\r\n".encode()
        with socket.create_connection((self.connection.host, self.connection.port), 5) as sock:
            sock.sendall(request * 300 + request.replace(b"x: 1", b"connection: close"))
            self.assertEqual(sock.makefile("rb").read().count(b"HTTP/1.1 401 "), 301)

    def test_refuse(self):
        self.set(connections="refuse")
        with self.assertRaises(ConnectionRefusedError):
            self.ask(self.fresh())
        self.set(connections="open")
        self.assertEqual(self.ask(self.fresh()), 200)

    def test_reset(self):
        self.set(connections="reset")
        with self.assertRaises(ConnectionResetError):
            self.ask(self.fresh())
        self.assertEqual(self.cloud.control(path="/requests"), [])

    def test_hang(self):
        self.ask()
        self.set(connections="hang")
        self.connection.sock.settimeout(0.3)
        for connection in (self.fresh(), self.connection):
            with self.assertRaises(TimeoutError):
                self.ask(connection)
        self.set(connections="open")
        self.assertEqual(self.ask(self.fresh()), 200)

    def test_blackhole(self):
        self.ask()
        self.set(connections="blackhole")
        with self.assertRaises(TimeoutError):
            self.fresh().connect()
        self.connection.sock.settimeout(0.3)
        with self.assertRaises(TimeoutError):
            self.ask()
        self.set(connections="open")
        connection = self.cloud.connect()
        self.addCleanup(connection.close)
        self.assertEqual(self.ask(connection), 200)

    def test_what_was_sent_into_a_hang_is_answered_after_it(self):
        self.ask()
        self.set(connections="hang")
        self.connection.request("GET", f"{REGION}/images")
        self.set(connections="open")
        self.assertEqual(self.connection.getresponse().status, 401)

    def test_idle_connections_are_closed(self):
        self.set(idle_close_ms=50)
        self.ask()
        self.connection.sock.settimeout(5)
        self.assertEqual(self.connection.sock.recv(1), b"")

    def test_connections_are_closed_after_some_requests(self):
        self.set(requests_per_connection=2)
        for _ in range(2):
            answer = call(self.connection, "GET", f"{REGION}/images/{GOLDEN}")
        self.assertEqual(answer.headers["connection"], "close")
        self.assertIsNone(self.connection.sock)

    def test_dropping_connections(self):
        self.ask()
        self.cloud.control({"do": "drop-connections", "how": "close"})
        self.assertEqual(self.connection.sock.recv(1), b"")
        self.connection.close()
        self.ask()
        self.cloud.control({"do": "drop-connections", "how": "reset", "idle_only": True})
        with self.assertRaises(ConnectionResetError):
            self.connection.sock.recv(1)


class Tls(CloudTest):
    """HTTPS."""

    arguments = ("--tls",)

    def handshake(self):
        """A request on a new connection."""
        connection = self.cloud.connect()
        self.addCleanup(connection.close)
        return call(connection, "GET", f"{REGION}/images/{GOLDEN}").status

    def test_a_good_certificate(self):
        self.assertEqual(self.handshake(), 200)

    def test_certificates_that_are_not_good(self):
        for kind, message in (("expired", "expired"), ("wrong-name", "mismatch"),
                              ("unknown-ca", "unable to get local issuer")):
            with self.subTest(kind):
                self.set(certificate=kind)
                with self.assertRaisesRegex(ssl.SSLCertVerificationError, message):
                    self.handshake()
        self.set(certificate="good")
        self.assertEqual(self.handshake(), 200)
        self.assertEqual(self.cloud.control(path="/counts")["events"]["handshakes failed"], 3)

    def test_reset_and_hang(self):
        self.set(connections="reset")
        with self.assertRaises(ConnectionError):
            self.handshake()
        self.set(connections="open")
        self.fault("reset", times=1)
        with self.assertRaises(ConnectionError):
            self.handshake()
        self.assertEqual(self.handshake(), 200)

    def test_a_directory_of_certificates_is_used_again(self):
        with tempfile.TemporaryDirectory() as directory:
            authorities = []
            for _ in range(2):
                cloud = Process("--tls", "--make-ca", directory)
                connection = cloud.connect()
                self.assertEqual(call(connection, "GET", f"{REGION}/images/{GOLDEN}").status, 200)
                connection.close()
                with open(cloud.ca, encoding="ascii") as file:
                    authorities.append(file.read())
                cloud.stop()
            self.assertEqual(authorities[0], authorities[1])


if __name__ == "__main__":
    unittest.main()
