"""The working directory of a run: programs, tmpfs, registries, mounts. Everything goes when it ends."""

import os
import resource
import select
import shlex
import shutil
import subprocess
import tempfile
import time

from .figure import CannotRun

PEER_SOURCE = "/usr/share/doc/libfuse3-dev/examples/passthrough_ll.c"
PEER_HELPERS = "/usr/share/doc/libfuse3-dev/examples/passthrough_helpers.h"


def output(*command, **options):
    """What COMMAND prints; its failure is an exception that shows what it said."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          check=False, stdin=subprocess.DEVNULL, **options)
    if done.returncode != 0:
        raise CannotRun("%s: exit status %d: %s" % (
            " ".join(command[:3]), done.returncode, (done.stderr or done.stdout).strip()[:300]))
    return done.stdout


def filesystem(path):
    """The type of the filesystem that PATH is on."""
    return output("findmnt", "-n", "-o", "FSTYPE", "-T", path).strip().splitlines()[-1]


def raise_files():
    """Raises the limit of open files as far as may be (root may raise the hard one, unless it was
    taken from it), and gives it."""
    with open("/proc/sys/fs/nr_open") as file:
        most = int(file.read())
    for limit in (most, resource.getrlimit(resource.RLIMIT_NOFILE)[1]):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
            break
        except ValueError:
            pass
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def processes_of(mountpoint):
    """The processes that serve it: the last word of their command line is the mount point."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open("/proc/%s/cmdline" % name, "rb") as file:
                words = file.read().rstrip(b"\0").split(b"\0")
        except OSError:
            continue
        if words[-1] == mountpoint.encode():
            found.append(int(name))
    return found


class Mount:
    """A mounted filesystem and the process that serves it."""

    def __init__(self, path, command, env=None):
        os.makedirs(path, exist_ok=True)
        self.path = path
        start = time.monotonic()
        output(*command, path, env=env)
        self.seconds = time.monotonic() - start  # until it said that it is usable
        if not os.path.ismount(path):
            raise CannotRun("%s did not mount" % command[0])
        self.pids = processes_of(path)
        # A number is given to another process as soon as it is free; this stays its own.
        self.ends = [os.pidfd_open(pid) for pid in self.pids]

    def under(self, *names):
        """A path in it."""
        return os.path.join(self.path, *names)

    def memory(self):
        """RssAnon in MiB."""
        with open("/proc/%d/status" % self.pids[0]) as status:
            for line in status:
                if line.startswith("RssAnon:"):
                    return int(line.split()[1]) / 1024
        raise CannotRun("no RssAnon in /proc/PID/status")

    def computed(self):
        """Seconds that its threads have computed."""
        total = 0
        base = "/proc/%d/task" % self.pids[0]
        for thread in os.listdir(base):
            with open("%s/%s/schedstat" % (base, thread)) as file:
                total += int(file.read().split()[0])
        return total / 1e9

    def unmount(self):
        """Ends it, and waits until the process is gone."""
        output("fusermount3", "-u", self.path)
        for end in self.ends:
            if not select.select([end], [], [], 30)[0]:
                raise CannotRun("%s: its process does not end" % self.path)
            os.close(end)


class Place:
    """Where a run works. A context manager."""

    def __init__(self, project, build, parent):
        self.project = project
        self.build = build
        self.parent = parent
        self.mounts = []
        self.mounted = 0
        self.dir = self.tmpfs = self.peer = self.peer_missing = None

    def __enter__(self):
        self.dir = os.path.realpath(tempfile.mkdtemp(prefix="imgsharefs-bench.", dir=self.parent))
        kind = filesystem(self.dir)
        if kind in ("tmpfs", "ramfs"):
            os.rmdir(self.dir)
            raise SystemExit("bench: %s is on %s, where nothing is durable: name a directory on a"
                             " disk with --dir" % (self.parent, kind))
        try:
            self.build_all()
            self.make_tmpfs()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *unused):
        for mount in filter(lambda each: os.path.ismount(each.path), self.mounts):
            subprocess.run(["fusermount3", "-u", "-z", mount.path], check=False)
        if self.tmpfs and os.path.ismount(self.tmpfs):
            subprocess.run(["umount", "-l", self.tmpfs], check=False)
        elif self.tmpfs:
            shutil.rmtree(self.tmpfs, ignore_errors=True)
        shutil.rmtree(self.dir, ignore_errors=True)

    def path(self, *names):
        """A path in the working directory, which is on a disk."""
        return os.path.join(self.dir, *names)

    def build_all(self):
        """Our programs, and the peer of libfuse."""
        try:
            if not os.path.exists(os.path.join(self.build, "build.ninja")):
                output("meson", "setup", self.build, cwd=self.project)
            output("ninja", "-C", self.build, "imgsharefs", "imgshare", "benchmarks")
        except FileNotFoundError as err:
            raise SystemExit("bench: %s is missing: see tests/run" % err.filename) from err
        except CannotRun as err:
            raise SystemExit("bench: %s" % err) from err
        if not os.path.exists(PEER_SOURCE):
            self.peer_missing = PEER_SOURCE + " is not there: install libfuse3-dev"
            return
        # Copied: it includes its helpers from beside it.
        for file in (PEER_SOURCE, PEER_HELPERS):
            shutil.copy(file, self.dir)
        flags = shlex.split(output("pkg-config", "--cflags", "--libs", "fuse3"))
        self.peer = self.path("passthrough_ll")
        output("cc", "-O2", "-w", self.path("passthrough_ll.c"), *flags, "-o", self.peer)

    def make_tmpfs(self):
        """One of its own for who may mount; else a directory of one that is there."""
        self.tmpfs = self.path("tmpfs")
        os.mkdir(self.tmpfs)
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=0700,size=75%,nr_inodes=0",
                               "bench", self.tmpfs], stderr=subprocess.DEVNULL, check=False)
        if done.returncode != 0:
            self.tmpfs = tempfile.mkdtemp(prefix="imgsharefs-bench.", dir="/dev/shm")

    def program(self, name):
        """One of the programs that were built."""
        return os.path.join(self.build, name)

    def imgshare(self, *args, **options):
        """Runs imgshare."""
        return output(self.program("imgshare"), *args, **options)

    def generate(self, *args):
        """Runs tests/generate; returns the file with what it wrote."""
        out = self.path("generated")
        with open(out, "w") as file:
            subprocess.run([os.path.join(self.project, "tests", "generate"), *map(str, args)],
                           stdout=file, check=True)
        return out

    def ours(self, registry):
        """Mounts REGISTRY."""
        return self.keep(Mount(self.new_mountpoint(), [self.program("imgsharefs"), "-o", "account=jcloud-demo", registry]))

    def passthrough(self, source, cache="always", more=()):
        """Mounts the directory SOURCE with libfuse's example, and MORE options. It holds a descriptor
        for each file that the kernel knows."""
        if not self.peer:
            raise CannotRun(self.peer_missing)
        raise_files()
        return self.keep(Mount(self.new_mountpoint(), [self.peer, "-o", ",".join(
            ("source=" + source, "cache=" + cache, *more))]))

    def new_mountpoint(self):
        """Of a name that no other has had."""
        self.mounted += 1
        return self.path("mnt%d" % self.mounted)

    def keep(self, mount):
        """It is unmounted at the end at the latest."""
        self.mounts.append(mount)
        return mount

    def drop(self, *mounts):
        """Unmounts."""
        for mount in mounts:
            mount.unmount()
            self.mounts.remove(mount)

    def write_list(self, lines):
        """A file with these LINES, for load and bound."""
        descriptor, name = tempfile.mkstemp(prefix="list.", dir=self.dir)
        with os.fdopen(descriptor, "w") as file:
            file.writelines(line + "\n" for line in lines)
        return name

    def load(self, *args):
        """Runs load; the seconds that it measured."""
        return int(output(self.program("tests/bench_load"), *map(str, args)).split()[0]) / 1e9

    def run(self, *command):
        """Runs COMMAND; its seconds and the most memory it had, in MiB."""
        took, memory = output(self.program("tests/bench_load"), "run", *command).split()
        return int(took) / 1e9, int(memory) / 1024

    def bound(self, registry, action, names, together=1):
        """Runs bound, TOGETHER changes a commit; the seconds that it measured."""
        return int(output(self.program("tests/bench_bound"), registry, action, names,
                          str(together))) / 1e9
