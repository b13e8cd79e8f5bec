"""What the tests of the fake cloud share: a fake cloud of their own, and clients of it."""

import http.client
import json
import os
import ssl
import subprocess
import sys
import tempfile
import time
import unittest
from urllib.parse import urlsplit

from signer import sign

HERE = os.path.dirname(os.path.abspath(__file__))
OWNER = {"access_key": "AK0000000000000000000000000OWNER",
         "secret_key": "SK0000000000000000000000000OWNER"}
LIMITED = {"access_key": "AK00000000000000000000000LIMITED",
           "secret_key": "SK00000000000000000000000LIMITED"}
ALICE = {"access_key": "AK0000000000000000000000000ALICE",
         "secret_key": "SK0000000000000000000000000ALICE"}
REGION = "/v1/regions/cn-north-1"
GOLDEN = "img-m5s0abcd29"
WEB = "img-m5s0abcd30"


class Process:
    """A fake cloud that runs."""

    def __init__(self, *arguments):
        self.directory = tempfile.TemporaryDirectory(prefix="fake-cloud-test-")
        self.ready_file = os.path.join(self.directory.name, "ready")
        self.process = subprocess.Popen(
            [sys.executable, "-S", os.path.join(HERE, "fake"), "--die-with-parent", "--ready",
             self.ready_file, *arguments])
        deadline = time.monotonic() + 20
        while not os.path.exists(self.ready_file):
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError("the fake cloud did not start")
            time.sleep(0.01)
        with open(self.ready_file, encoding="utf-8") as file:
            values = dict(line.rstrip("\n").split("=", 1) for line in file)
        self.url, self.control_url, self.ca = values["url"], values["control"], values["ca"]

    def stop(self):
        """Ends it; its exit status."""
        self.process.terminate()
        status = self.process.wait(10)
        self.directory.cleanup()
        return status

    def connect(self, timeout=10, ca=None):
        """A connection of a client."""
        url = urlsplit(self.url)
        if url.scheme == "https":
            context = ssl.create_default_context(cafile=ca or self.ca)
            return http.client.HTTPSConnection(url.netloc, timeout=timeout, context=context)
        return http.client.HTTPConnection(url.netloc, timeout=timeout)

    def control(self, command=None, path="", status=200):
        """Tells or asks the control interface."""
        connection = http.client.HTTPConnection(urlsplit(self.control_url).netloc, timeout=10)
        if command is None:
            connection.request("GET", "/_control" + path)
        else:
            connection.request("POST", "/_control", json.dumps(command))
        response = connection.getresponse()
        answer = json.loads(response.read())
        connection.close()
        if response.status != status:
            raise AssertionError(f"{response.status}: {answer}")
        return answer


class Response:
    """An answer of the cloud."""

    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.raw = response.read()

    @property
    def json(self):
        """The body."""
        return json.loads(self.raw)

    @property
    def result(self):
        """What a success tells."""
        return self.json["result"]

    @property
    def error(self):
        """HTTP status, status word and message of a refusal."""
        error = self.json["error"]
        return (self.status, error["status"], error["message"])


def call(connection, method, target, body=None, keys=None, **how):
    """A signed request on a connection, and its answer."""
    raw = json.dumps(body).encode() if body is not None else b""
    host = connection.host if connection.port in (80, 443) else (
        f"{connection.host}:{connection.port}")
    headers = sign(method, host, target, raw, **(keys or OWNER), **how)
    connection.request(method, target, raw or None, headers)
    return Response(connection.getresponse())


class CloudTest(unittest.TestCase):
    """Tests against one fake cloud that every test finds as at the start."""

    arguments = ()

    @classmethod
    def setUpClass(cls):
        cls.cloud = Process(*cls.arguments)
        with open(os.path.join(HERE, "sample.json"), encoding="utf-8") as file:
            cls.sample = json.load(file)

    @classmethod
    def tearDownClass(cls):
        cls.cloud.stop()

    def setUp(self):
        self.cloud.control([{"do": "reset"},
                            {"do": "load", "replace": True, "state": self.sample}])
        self.connection = self.cloud.connect()
        self.addCleanup(self.connection.close)

    def set(self, **values):
        """Sets switches."""
        self.cloud.control({"do": "set", "settings": values})

    def fault(self, action, **values):
        """Adds a fault."""
        self.cloud.control({"do": "fault", "fault": {"do": action, **values}})

    def call(self, method, target, body=None, **how):
        """A signed request within the region."""
        return call(self.connection, method, REGION + target, body, **how)

    def share(self, pin, image=GOLDEN, **how):
        """Shares an image."""
        return self.call("POST", f"/images/{image}:share", {"pins": [pin]}, **how)

    def cancel(self, pin, image=GOLDEN, **how):
        """Cancels a share."""
        return self.call("POST", f"/images/{image}:unshare", {"pins": [pin]}, **how)

    def members(self, image=GOLDEN, **how):
        """The pins that an image is shared with, as the cloud tells it."""
        return self.call("GET", f"/images/{image}/members", **how).result["pins"]

    def truth(self, image=GOLDEN):
        """The pins that an image is shared with, as the control interface tells it."""
        return self.cloud.control(path=f"/members/{image}")["pins"]


def reference(test, name):
    """A file of the reference, which is kept beside the project; skips where it is not."""
    root = os.path.dirname(os.path.dirname(HERE))
    directory = os.environ.get("IMGSHAREFS_REFERENCE",
                               os.path.join(root, os.pardir, "shared", "reference"))
    path = os.path.join(directory, name)
    if not os.path.exists(path):
        test.skipTest(f"there is no {name}; IMGSHAREFS_REFERENCE names the directory that has it")
    return path
