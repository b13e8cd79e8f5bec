"""What the harnesses that kill programs share: the programs, a mount that can be killed at a moment,
and reading a registry from outside."""

import ctypes
import errno
import json
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
TESTS = os.path.dirname(HERE)
BUILD = os.environ.get("IMGSHARE_BUILD") or os.path.join(os.path.dirname(TESTS), "build")
IMGSHARE = os.path.join(BUILD, "imgshare")
IMGSHAREFS = os.path.join(BUILD, "imgsharefs")

# Longer than anything here takes, unless it hangs, also on a machine that has much else to do. Seconds.
PATIENCE = 120
# After so long a daemon that was killed and is not gone is taken for one that hangs. Seconds.
FREE_WITHIN = 3


class Fault(Exception):
    """Something is not as it was promised."""


def require(condition, text, *arguments):
    if not condition:
        raise Fault(text % arguments)


def run(*arguments, data=None, environment=None):
    """Runs a program that has to succeed, and gives its output."""
    done = subprocess.run(arguments, input=data, stdin=None if data else subprocess.DEVNULL,
                          env=dict(os.environ, **(environment or {})),
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=PATIENCE,
                          check=False)
    if done.returncode:
        raise Fault("%s: exit status %d: %s" % (
            " ".join(os.path.basename(word) for word in arguments), done.returncode,
            (done.stderr + done.stdout).decode(errors="replace").strip()))
    return done.stdout


def imgshare(*arguments, data=None):
    return run(IMGSHARE, *arguments, data=data)


def check(registry):
    """The registry is whole: imgshare check has nothing to say."""
    imgshare("check", registry)


def shares_of(registry):
    """What the registry says: a set of (image, pin)."""
    shares = set()
    for line in imgshare("export", registry).splitlines():
        record = json.loads(line)
        for pin in record.get("pins", ()):
            shares.add((record["imageId"], pin))
    return shares


def new_registry(path, accounts, images):
    """Makes a registry; IMAGES is a list of (image, owner)."""
    words = []
    for account in accounts:
        words += ["--account", account]
    imgshare("init", path, "--limit", "1000", *words)
    records = [{"imageId": image, "name": image, "ownerPin": owner, "status": "ready"}
               for image, owner in images]
    imgshare("import", path, "-", data=json.dumps(records).encode())


def kill_later(process, seconds):
    """Kills PROCESS after so long, to within a fraction of a millisecond; whether it was alive."""
    time.sleep(seconds)
    process.send_signal(signal.SIGKILL)
    return process.wait(PATIENCE) == -signal.SIGKILL


def is_dead(directory):
    """Whether that is a mount whose daemon is gone."""
    try:
        os.statvfs(directory)
    except OSError as error:
        return error.errno == errno.ENOTCONN
    return False


def where_it_hangs(pid):
    """Where in the kernel the threads of a process wait, as far as this user may know."""
    stacks = []
    try:
        threads = os.listdir("/proc/%d/task" % pid)
    except OSError:
        return "%d: gone" % pid
    for thread in threads:
        try:
            with open("/proc/%d/task/%s/stack" % (pid, thread), encoding="ascii") as file:
                frames = [line.split()[-1].partition("+")[0] for line in file]
            stacks.append("%s: %s" % (thread, " ".join(frames[:6])))
        except OSError:
            continue
    return " | ".join(stacks)


def text_of(path):
    with open(path, encoding="utf-8") as file:
        return file.read()


def wait_for_lists(mount):
    """Until the mount of a cloud has both lists of images; whether it lived so long."""
    deadline = time.monotonic() + PATIENCE
    while mount.process.poll() is None:
        try:
            if "_age: never" not in text_of(mount.path("status")):
                return True
        except OSError:  # it is killed just now
            pass
        require(time.monotonic() < deadline, "%s: no lists", mount.directory)
        time.sleep(0.01)
    return False


def die_with_parent():
    """In a child: it ends with who has started it (PR_SET_PDEATHSIG)."""
    ctypes.CDLL(None, use_errno=True).prctl(1, signal.SIGKILL)


class Mount:
    """A mount whose daemon is ours to kill. It runs in the foreground and says by the socket of
    sd_notify(3) when it can be used."""

    def __init__(self, source, directory, options, environment=None):
        self.source = source
        self.directory = directory
        self.options = options
        self.environment = dict(os.environ, **(environment or {}))
        self.process = None
        self.ready = self.address = None
        os.makedirs(directory, exist_ok=True)

    def begin(self, within=()):
        """Starts the daemon, by the program WITHIN if there is one, and does not wait for it."""
        self.address = tempfile.mktemp(prefix="notify", dir=os.path.dirname(self.directory))
        self.ready = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.ready.bind(self.address)
        with open(self.directory + ".log", "ab") as log:
            # pylint: disable=subprocess-popen-preexec-fn
            self.process = subprocess.Popen(
                [*within, IMGSHAREFS, "-f", "-o", self.options, self.source, self.directory],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=die_with_parent,
                env=dict(self.environment, NOTIFY_SOCKET=self.address))

    def wait_ready_or_end(self):
        """Whether the daemon says that it can be used, before it ends or too much time has passed."""
        deadline = time.monotonic() + PATIENCE
        self.ready.settimeout(0.01)
        said = b""
        while not said and time.monotonic() < deadline and self.process.poll() is None:
            try:
                said = self.ready.recv(4096)
            except socket.timeout:
                continue
        self.forget()
        return said.startswith(b"READY=1")

    def forget(self):
        self.ready.close()
        os.unlink(self.address)

    def start(self):
        """Mounts; it has to work without help."""
        self.begin()
        require(self.wait_ready_or_end(), "%s cannot be mounted: %s", self.directory,
                self.last_words())

    def last_words(self):
        with open(self.directory + ".log", encoding="utf-8", errors="replace") as log:
            return log.read()[-500:]

    def kill(self):
        self.process.send_signal(signal.SIGKILL)

    def is_gone(self):
        """Whether the daemon that was killed is gone, and its descriptor of /dev/fuse with it."""
        try:
            self.process.wait(FREE_WITHIN)
            return True
        except subprocess.TimeoutExpired:
            return False

    def abort(self):
        """Frees who hangs in the kernel: umount -f, which aborts the connection."""
        subprocess.run(["umount", "-f", self.directory], check=False, stderr=subprocess.DEVNULL)

    def clear(self):
        """What the message about a dead mount says to do, unless umount -f has done it already."""
        if not is_dead(self.directory) and not os.path.ismount(self.directory):
            return
        if os.geteuid() == 0:
            run("umount", "-l", self.directory)
        else:
            run("fusermount3", "-u", "-z", self.directory)

    def start_over_dead(self):
        """As a user might: mounts without clearing. Has to be refused, and to say what to do."""
        done = subprocess.run([IMGSHAREFS, "-o", self.options, self.source, self.directory],
                              stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, timeout=PATIENCE,
                              env=self.environment, check=False)
        require(done.returncode and b"a dead mount" in done.stderr and b"umount -l" in done.stderr,
                "mounting over a dead mount: exit status %d: %s", done.returncode,
                done.stderr.decode(errors="replace"))

    def unmount(self):
        run("fusermount3", "-u", self.directory)
        require(self.process.wait(PATIENCE) == 0, "the daemon ended with %s",
                self.process.returncode)

    def force(self):
        """For the end of a harness that failed."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
            if not self.is_gone():
                self.abort()
        subprocess.run(["umount", "-l", self.directory], check=False, stderr=subprocess.DEVNULL)

    def path(self, *parts):
        return os.path.join(self.directory, *parts)

    def shares(self, image):
        return set(os.listdir(self.path("private", image, "shares")))

    def events(self):
        with open(self.path("events"), "rb") as file:
            return file.read()


def seeded():
    """A source of random numbers; the seed is said, and can be given by IMGSHARE_CRASH_SEED."""
    seed = int(os.environ.get("IMGSHARE_CRASH_SEED") or random.SystemRandom().randrange(1 << 32))
    print("# IMGSHARE_CRASH_SEED=%d" % seed, file=sys.stderr)
    return random.Random(seed)


def told(text, *arguments):
    """A line that bats shows."""
    print("# " + text % arguments, flush=True)


def run_main(main):
    """Runs MAIN, which says what it found or what is wrong; gives the exit status."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    try:
        main()
    except Fault as fault:
        print(fault, file=sys.stderr)
        return 1
    return 0


def run_harness(make):
    """The same for a harness: what it found is what it counted."""
    def main():
        harness = make()
        harness.main()
        harness.tell()

    return run_main(main)
