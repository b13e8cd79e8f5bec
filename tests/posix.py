#!/usr/bin/python3
"""Does each call to each kind of object, as several users, and says what came of it.

usage: posix.py REPAIR USER=MOUNT:UID... -- KIND=PATH...

Each call is made by a process of its own, as user UID, to each PATH in MOUNT. After each, REPAIR, a MOUNT
where all may be changed, is put in order: the kinds whose names begin with "missing" are removed, "share" is
made. A process that was refused a removal in an image may not cancel there: so the share comes first.

Prints lines: CALL [ARG]..., "|", the errno that each USER gets, "|", the KINDs of which that is so. The
calls are those of errno_of.py. {new} in an ARG is a name that is not there, {share} the share.
"""

import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import errno_of  # noqa: E402

CALLS = [
    "open_r", "open_w", "open_rw", "open_trunc", "open_nofollow", "open_tmpfile", "opendir", "creat", "creat_excl",
    "unlink", "rmdir", "mkdir", "mkfifo", "mknod", "mknod chr", "symlink", "link {new}", "rename {new}",
    "rename {share}", "rename_noreplace {share}", "rename_exchange {share}", "truncate 0", "truncate 1",
    "ftruncate 0", "ftruncate 1", "ftruncate 0 r", "write", "utime now", "utime 86400", "chmod 600", "chmod 4755",
    "chown -1 -1", "chown 4242 -1", "chown -1 4242", "access", "stat", "readlink", "statvfs", "fsync", "setxattr",
]


class Caller:
    """A process of user UID that makes one kind of call: what it was refused may keep it from others."""

    def __init__(self, uid, call):
        asked, self.ask = os.pipe()
        self.answer, answer = os.pipe()
        self.pid = os.fork()
        if self.pid:
            os.close(asked)
            os.close(answer)
            return
        os.close(self.ask)
        if uid != os.getuid():
            os.setgroups([])
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
        while True:
            question = os.read(asked, 65536)
            if not question:
                os._exit(0)
            os.write(answer, errno_of.errno_of(call, question.decode().split("\0")).encode())

    def errno(self, *args):
        os.write(self.ask, "\0".join(args).encode())
        return os.read(self.answer, 100).decode() or "DIED"

    def end(self):
        os.close(self.ask)
        os.close(self.answer)
        os.waitpid(self.pid, 0)


def exists(path):
    return os.path.lexists(path)


def repair(kinds):
    for kind, path in kinds.items():
        if kind.startswith("missing") and exists(path):
            os.unlink(path)
    if not exists(kinds["share"]):
        os.close(os.open(kinds["share"], os.O_CREAT | os.O_WRONLY, 0o644))


def main(args):
    at = args.index("--")
    kinds = dict(word.split("=", 1) for word in args[at + 1:])
    users = [word.split("=", 1)[1].rsplit(":", 1) for word in args[1:at]]
    whole = {kind: os.path.join(args[0], path) for kind, path in kinds.items()}
    repair(whole)
    for line in CALLS:
        call, *words = line.split()
        found = {kind: [] for kind in kinds}
        for mount, uid in users:
            place = {"new": os.path.join(mount, kinds["missing"]), "share": os.path.join(mount, kinds["share"])}
            caller = Caller(int(uid), call)
            for kind, path in kinds.items():
                found[kind].append(caller.errno(os.path.join(mount, path), *[word.format(**place) for word in words]))
                repair(whole)
            caller.end()
        for errnos in dict.fromkeys(tuple(each) for each in found.values()):
            print("%-24s | %s | %s" % (line, " ".join("%-10s" % name for name in errnos).rstrip(),
                                       " ".join(kind for kind in kinds if tuple(found[kind]) == errnos)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
