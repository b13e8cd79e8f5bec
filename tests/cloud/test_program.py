"""The programs: fake, from its start to its end, and control."""

import contextlib
import io
import json
import os
import subprocess
import sys
import tempfile
import time
import unittest

from fakecloud import remote
from fakecloud.settings import SWITCHES
from support import GOLDEN, HERE, WEB, CloudTest, Process, call


def run(program, *arguments):
    """Runs a program of this directory."""
    return subprocess.run([sys.executable, "-S", os.path.join(HERE, program), *arguments],
                          capture_output=True, text=True, timeout=30, check=False)


class Fake(unittest.TestCase):
    """Start and end."""

    def test_help_names_every_switch(self):
        text = run("fake", "--help").stdout
        for name in SWITCHES:
            self.assertIn(f"  {name} ", text)

    def test_readme_names_every_switch(self):
        with open(os.path.join(HERE, "README.md"), encoding="utf-8") as file:
            text = file.read()
        for name in SWITCHES:
            self.assertIn(f"`{name}`", text)

    def test_it_ends_on_sigterm(self):
        cloud = Process("--set", "latency_ms=10", "--set", "order=random")
        settings = cloud.control(path="/settings")
        self.assertEqual((settings["latency_ms"], settings["order"]), (10, "random"))
        self.assertEqual(cloud.stop(), 0)

    def test_it_ends_with_its_parent(self):
        script = (f"{sys.executable} -S {HERE}/fake --die-with-parent --ready $0 & "
                  "while [ ! -e $0 ]; do sleep 0.05; done; cat $0")
        with tempfile.TemporaryDirectory() as directory:
            ready = os.path.join(directory, "ready")
            out = subprocess.run(["sh", "-c", script, ready], capture_output=True, text=True,
                                 timeout=30, check=True).stdout
            pid = int(dict(line.split("=", 1) for line in out.splitlines())["pid"])
            deadline = time.monotonic() + 5
            while os.path.exists(f"/proc/{pid}"):
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.02)

    def test_what_cannot_be(self):
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            file.write('{"images": [{"name": "nobody owns me"}]}')
            file.flush()
            for arguments, message in ((("--state", file.name), "owner"),
                                       (("--set", "colour=red"), "no switch colour"),
                                       (("--state", file.name + "x"), "No such file")):
                result = run("fake", *arguments)
                self.assertEqual(result.returncode, 1)
                self.assertIn(message, result.stderr)


class Control(CloudTest):
    """The command line client."""

    def control(self, *arguments, status=0):
        """What a command prints."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            self.assertEqual(remote.main([self.cloud.control_url, *arguments]), status)
        return err.getvalue() if status else out.getvalue()

    def test_shares_and_images(self):
        self.control("share", GOLDEN, "carol")
        self.control("cancel", WEB, "bob")
        self.assertEqual(self.control("members", GOLDEN), "carol\n")
        self.assertEqual(self.control("members", WEB), "alice\n")
        ids = self.control("add-images", "3", "owner=owner", 'pins=["alice"]').split()
        self.assertEqual(self.members(ids[2]), ["alice"])
        self.control("update-image", ids[0], "status=error", "task=null")
        self.assertEqual(json.loads(self.control("get", "image", ids[0]))["status"], "error")
        self.control("remove-image", ids[1])
        self.assertIn("no image", self.control("members", ids[1], status=1))
        self.control("add-account", "dave", "mobile=13900000000")
        self.assertEqual(self.share("dave").status, 200)
        self.control("remove-account", "dave")
        self.assertEqual(self.members(), ["carol", "dave"])
        self.assertEqual(self.share("dave", WEB).status, 400)

    def test_switches_faults_and_requests(self):
        self.control("set", "share_limit=1", "chunked=false")
        self.assertEqual(json.loads(self.control("get", "settings"))["share_limit"], 1)
        self.control("fault", "shareImage", "error", "row=internal", "pin=594035263019")
        self.assertEqual([self.share(pin).status for pin in ("594035263019", "alice")],
                         [500, 200])
        self.control("clear")
        self.control("reset-requests")
        self.cancel("alice")
        self.control("fault", "shareImage", "error", "row=internal", "times=1")
        self.assertEqual([self.share("alice").status for _ in range(2)], [500, 200])
        self.assertEqual(self.control("requests", "--count", "shareImage"), "2\n")
        self.assertEqual(self.control("requests", "--count", "shareImage", "status=500"), "1\n")
        self.assertEqual(self.control("wait", "shareImage", "2"), "2\n")
        self.assertIn("not 9", self.control("wait", "shareImage", "9", "--timeout", "0.1",
                                            status=1))
        self.assertIn("no switch", self.control("set", "colour=red", status=1))

    def test_the_control_interface_is_on_the_cloud_s_port_as_well(self):
        self.assertIn("settings", run("control", self.cloud.url, "get").stdout)

    def test_the_control_port_serves_nothing_else(self):
        cloud = self.cloud.connect()
        cloud.port = int(self.cloud.control_url.rpartition(":")[2])
        self.addCleanup(cloud.close)
        self.assertEqual(call(cloud, "GET", "/v1/regions/cn-north-1/images").status, 404)


if __name__ == "__main__":
    unittest.main()
