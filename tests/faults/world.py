"""What the scenarios share: processes with a time limit, mounts, calls in a process of their own, and the truth."""

import ctypes
import errno
import json
import os
import select
import signal
import shutil
import sqlite3
import subprocess
import time

from control import most

# Well above what anything here takes, on a machine that does much else, too: a hang is what lasts longer.
LIMIT_S = 60

# Runs without a fault in which places are looked for: threads do not meet in the same way each time.
COUNTED = 3


class Finding(Exception):
    """What must hold did not."""


def subreaper():
    """Daemons that went into the background become children of this process, which sees how they end."""
    if ctypes.CDLL(None).prctl(36, 1, 0, 0, 0) != 0:  # PR_SET_CHILD_SUBREAPER
        raise OSError("prctl: no subreaper")


def wait_for(condition, what, limit=LIMIT_S):
    end = time.monotonic() + limit
    while not condition():
        if time.monotonic() > end:
            raise Finding("hang: " + what)
        time.sleep(0.002)


def children():
    """The processes that this one started, and that were left to it."""
    with open("/proc/self/task/%d/children" % os.getpid()) as file:
        return [int(word) for word in file.read().split()]


def reap(pid):
    """How process pid ended, once it has: None if it has not."""
    done, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if done else None


def reap_in_time(pid, what, limit=LIMIT_S):
    """The exit status. A crash is a finding."""
    end = time.monotonic() + limit
    while True:
        status = reap(pid)
        if status is not None:
            break
        if time.monotonic() > end:
            where = stacks(pid)
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            raise Finding("hang: %s\n%s" % (what, where))
        time.sleep(0.001)
    if status < 0 or status in (99, 134, 139):
        raise Finding("crash: %s: exit status %d" % (what, status))
    return status


def stacks(pid):
    """Where the threads of a process that hangs are in the kernel."""
    lines = []
    try:
        for task in os.listdir("/proc/%d/task" % pid):
            with open("/proc/%d/task/%s/stack" % (pid, task)) as file:
                lines.append("    %s: %s" % (task, " < ".join(
                    line.split()[-1].split("+")[0] for line in file.read().splitlines()[:4])))
    except OSError:
        pass
    return "\n".join(lines)


def run(command, environment=None, stdin=b""):
    """(exit status, standard output, standard error) of a program that ends in time."""
    process = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        out, err = process.communicate(stdin, timeout=LIMIT_S)
    except subprocess.TimeoutExpired:
        where = stacks(process.pid)
        process.kill()
        process.wait()
        raise Finding("hang: %s\n%s" % (command[0], where)) from None
    if process.returncode < 0 or process.returncode in (99, 134, 139):
        raise Finding("crash: %s: exit status %d: %s" % (command[0], process.returncode, err.decode()))
    return process.returncode, out.decode(), err.decode()


def is_mounted(path):
    with open("/proc/self/mountinfo") as file:
        return any(line.split()[4] == path for line in file)


def unmount(path):
    """In the normal way, once whoever was in it has gone."""
    wait_for(lambda: subprocess.run(["fusermount3", "-u", path], stderr=subprocess.DEVNULL, check=False).returncode == 0,
             "umount")


def errno_name(err):
    if err.errno == errno.EOPNOTSUPP:
        return "EOPNOTSUPP"
    return errno.errorcode.get(err.errno, str(err.errno))


def touch(path):
    """As touch(1) does."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NONBLOCK | os.O_NOCTTY, 0o666)
    try:
        os.utime(fd)
    finally:
        os.close(fd)


def cat(path):
    with open(path, "rb", buffering=0) as file:
        text = b""
        while True:
            part = file.read(65536)
            if not part:
                return text.decode()
            text += part


def outcome(call):
    """OK, or the name of the errno, and what the call returned."""
    try:
        return "OK", call()
    except OSError as err:
        return errno_name(err), None


def play(script, limit=LIMIT_S):
    """Makes the calls of a script of (name, function) in a process of its own: {name: (errno, value)}."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reading)
            with os.fdopen(writing, "w") as pipe:
                for name, call in script:
                    pipe.write(json.dumps([name, *outcome(call)]) + "\n")
                    pipe.flush()
        finally:
            os._exit(0)
    os.close(writing)
    results = {}
    text = b""
    hangs = False
    end = time.monotonic() + limit
    try:
        while True:
            left = end - time.monotonic()
            if left <= 0 or not select.select([reading], [], [], left)[0]:
                hangs = True
                missing = [name for name, _ in script][text.count(b"\n")]
                os.kill(child, signal.SIGKILL)
                raise Finding("hang: the call " + missing)
            part = os.read(reading, 65536)
            if not part:
                break
            text += part
    finally:
        os.close(reading)
        if not hangs:
            os.waitpid(child, 0)
    for line in text.decode().splitlines():
        name, result, value = json.loads(line)
        results[name] = (result, value)
    return results


class World:
    """The programs of a build, and a directory to work in."""

    def __init__(self, build, directory, control, source_tree):
        self.imgshare = os.path.join(build, "imgshare")
        self.imgsharefs = os.path.join(build, "imgsharefs")
        self.directory = directory
        self.control = control
        self.sample = os.path.join(source_tree, "docs/examples")
        self.master = os.path.join(directory, "master")
        if not os.path.exists(self.master):
            self.make_sample()

    def must(self, *command, stdin=b""):
        status, out, err = run(command, stdin=stdin)
        if status != 0:
            raise RuntimeError("%s: %s" % (" ".join(command), err))
        return out

    def make_sample(self):
        self.must(self.imgshare, "init", self.master)
        with open(os.path.join(self.sample, "accounts.txt")) as file:
            for line in file:
                pin, _, mobile = line.rstrip("\n").partition("\t")
                if pin and not pin.startswith("#"):
                    self.must(self.imgshare, "account", "add", self.master, pin,
                              *(["--mobile", mobile] if mobile else []))
        self.must(self.imgshare, "import", self.master, os.path.join(self.sample, "images.json"))

    def new_directory(self, name):
        path = os.path.join(self.directory, name)
        shutil.rmtree(path, ignore_errors=True)
        os.makedirs(path)
        return path

    def new_registry(self, directory):
        path = os.path.join(directory, "registry")
        shutil.copyfile(self.master, path)
        return path

    def export(self, registry):
        """All that a registry holds, as a program without faults sees it."""
        return self.must(self.imgshare, "export", registry)

    def check(self, registry):
        status, out, err = run([self.imgshare, "check", registry])
        if status != 0:
            raise Finding("check: " + out + err)


def shares(registry):
    """The truth: {image id: sorted pins}."""
    db = sqlite3.connect(registry, timeout=LIMIT_S)
    try:
        found = {}
        for image, pin in db.execute("SELECT image_id, pin FROM share JOIN image ON image.id = share.image"):
            found.setdefault(image, []).append(pin)
        return {image: sorted(pins) for image, pins in found.items()}
    finally:
        db.close()


class Mount:
    """A mount in the foreground: a child of this process."""

    def __init__(self, world, arguments, directory, watched=True, environment=None):
        self.path = os.path.join(directory, "mnt")
        os.makedirs(self.path, exist_ok=True)
        self.log_path = os.path.join(directory, "log")
        self.ended = None
        env = world.control.environment(world.imgsharefs) if watched else dict(os.environ)
        env.update(environment or {})
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([world.imgsharefs, "-f", *arguments, self.path], env=env,
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.pid = self.process.pid

    def wait_ready(self):
        wait_for(lambda: "serving " in self.log() or self.process.poll() is not None, "mounting")
        if self.process.poll() is not None:
            raise Finding("the mount has ended: " + self.log())

    def log(self):
        with open(self.log_path, errors="replace") as file:
            return file.read()

    def alive(self):
        return self.process.poll() is None

    def wait_end(self, what):
        """The exit status."""
        try:
            status = self.process.wait(LIMIT_S)
        except subprocess.TimeoutExpired:
            raise Finding("hang: %s\n%s" % (what, stacks(self.pid))) from None
        if status < 0 or status in (99, 134, 139):
            raise Finding("crash: %s: exit status %d: %s" % (what, status, self.log()))
        return status

    def unmount(self):
        unmount(self.path)
        return self.wait_end("the end after umount")

    def clear(self):
        """Whatever there is left of it goes."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        while is_mounted(self.path):
            subprocess.run(["umount", "-l", self.path], check=False)


class Kept:
    """A scenario whose mount is kept for as many rounds as it survives: prepare() has it ready, once() uses it, stop()
    ends it. `expected` says what calls give that are not "OK"."""

    program = "imgsharefs"
    expected = {}

    def unexpected(self, results):
        """What other calls gave."""
        return {name: result for name, (result, _) in results.items() if result != self.expected.get(name, "OK")}

    def round(self, point):
        try:
            self.prepare()
            self.world.control.set(point)
            results, late = self.once()
        except Finding:
            self.world.control.disarm()
            self.stop()
            raise
        said = sorted(set(self.unexpected(results).values()))
        return ["done, and refused: " + name for name in late] + ["met: " + name for name in said]


class Anew:
    """A scenario that starts a mount anew for each fault: once() does it all, clear() takes away what a finding
    has left."""

    program = "imgsharefs"

    def stop(self):
        """Nothing is kept."""

    def count(self):
        counts = []
        for _ in range(COUNTED):
            self.world.control.set()
            note = self.once()
            if note:
                raise RuntimeError("without a fault: %s" % note)
            counts.append(self.world.control.counts())
        return most(counts)

    def round(self, point):
        self.world.control.set(point)
        try:
            return self.once()
        except Finding:
            self.clear()
            raise
