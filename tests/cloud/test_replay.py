"""What the official SDK and CLI send, byte by byte, and how the cloud answers it."""

import json
import re
import socket
import unittest
from urllib.parse import urlsplit

from support import Process, reference

KEY = {"access_key": "AKEXAMPLE0000000000000000000000",
       "secret_key": "SKEXAMPLE0000000000000000000000"}
IMAGE = "img-m5s0abcd29"
STATE = {
    "accounts": [
        {"pin": "owner", "keys": [KEY, {"access_key": "AKEXAMPLE", "secret_key": "SK"}]},
        {"pin": "pin1"}, {"pin": "pin2"}, {"pin": "京东用户"},
        {"pin": "pin3", "login_name": "login1"},
    ],
    "images": [{"imageId": IMAGE, "owner": "owner", "name": "web 镜像+1"},
               {"imageId": "img-m5s0abcd30", "owner": "owner", "name": "other"}],
}


def read_requests(path):
    """Name and bytes of each request of the file."""
    with open(path, "rb") as file:
        data = file.read()
    position, name = 0, ""
    for match in re.finditer(rb"^#### (.*)\n|^=====REQUEST (\d+) bytes=====\n", data, re.M):
        if match.start() < position:
            continue
        if match[1] is not None:
            name = match[1].decode()
            continue
        position = match.end() + int(match[2])
        yield name, data[match.end():position]


class Replay(unittest.TestCase):
    """One connection that carries all requests, in their order."""

    EXPECTED = {
        "share missing image": (404, "NOT_FOUND"),
        "--image-id img-nosuch": (404, "NOT_FOUND"),
        "SDK deleteImage": (400, "FAILED_PRECONDITION"),
        # A text where a list belongs.
        "--pins pin1": (400, "INVALID_ARGUMENT"),
    }

    def test_all(self):
        path = reference(self, "sdk-requests.txt")
        cloud = Process("--empty")
        self.addCleanup(cloud.stop)
        cloud.control([{"do": "load", "state": STATE},
                       {"do": "set", "settings": {"chunked": False}}])
        url = urlsplit(cloud.url)
        results = {}
        with socket.create_connection((url.hostname, url.port), 10) as sock:
            file = sock.makefile("rb")
            for name, request in read_requests(path):
                with self.subTest(name):
                    sock.sendall(request)
                    status = int(file.readline().split()[1])
                    length = 0
                    while (line := file.readline()) != b"\r\n":
                        if line.lower().startswith(b"content-length:"):
                            length = int(line.split(b":")[1])
                    body = json.loads(file.read(length))
                    self.assertTrue(body["requestId"])
                    expected = next((value for part, value in self.EXPECTED.items()
                                     if part in name), (200, None))
                    self.assertEqual((status, body.get("error", {}).get("status")), expected,
                                     body)
                    results[name] = body.get("result")
        self.assertEqual(len(cloud.control(path="/requests")), 27)
        self.assertEqual(results["SDK describeUserPin"], {"pin": "owner"})
        self.assertEqual(results["SDK describeImages ids"]["images"][0]["imageId"], IMAGE)
        self.assertEqual(results["SDK describeImageMembers"]["pins"], ["京东用户", "pin3"])
        self.assertEqual(results["SDK describeQuotas imageShare"]["quotas"],
                         [{"resourceType": "imageShare", "limit": 20, "used": 2}])


if __name__ == "__main__":
    unittest.main()
