#!/usr/bin/python3
"""Does system calls and prints the name of the errno of each, or OK.

usage: errno_of.py CALL PATH [ARG]...     one call
       errno_of.py --each CALL PATH...    a line for each PATH
       errno_of.py --table <LINES         a line is EXPECTED CALL PATH [ARG]..., quoted as in a shell;
                                          prints those that come out otherwise, and ends with 1 if any

    creat creat_excl open_r open_w open_rw open_trunc open_nofollow open_tmpfile opendir stat readlink
    unlink rmdir mkdir mkfifo symlink statvfs fsync   PATH
    access    PATH                    for writing
    mknod     PATH [chr|fifo|reg|sock]    reg unless told
    link      PATH NEW
    rename    PATH NEW
    rename_noreplace rename_exchange rename_flags   PATH NEW    renameat2(2); the last with unknown flags
    truncate  PATH SIZE
    ftruncate PATH SIZE [r]           through a descriptor for writing, or for reading
    chmod     PATH MODE               octal
    chown     PATH UID GID            -1 leaves it
    utime     PATH now|SECONDS
    write     PATH                    opens for appending, without creating, and writes one byte
    setxattr  PATH                    of the name user.test
"""

import errno
import os
import shlex
import stat
import sys


def write(path):
    fd = os.open(path, os.O_WRONLY | os.O_APPEND)
    try:
        os.write(fd, b"x")
    finally:
        os.close(fd)


def ftruncate(path, size, how="w"):
    fd = os.open(path, os.O_WRONLY if how == "w" else os.O_RDONLY)
    try:
        os.ftruncate(fd, int(size))
    finally:
        os.close(fd)


def fsync(path):
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
        os.fdatasync(fd)
    finally:
        os.close(fd)


def mknod(path, kind="reg"):
    kinds = {"chr": stat.S_IFCHR, "fifo": stat.S_IFIFO, "reg": stat.S_IFREG, "sock": stat.S_IFSOCK}
    os.mknod(path, kinds[kind] | 0o644, os.makedev(1, 3) if kind == "chr" else 0)


def libc_call(name, *args):
    """For what the module os lacks, or keeps the errno of."""
    import ctypes  # takes longer to load than all else here

    args = [os.fsencode(arg) if isinstance(arg, str) else arg for arg in args]
    if getattr(ctypes.CDLL(None, use_errno=True), name)(*args) != 0:
        raise OSError(ctypes.get_errno(), name)


def rename(flags):
    at_cwd = -100
    return lambda path, new: libc_call("renameat2", at_cwd, path, at_cwd, new, flags)


def utime(path, when):
    os.utime(path, None if when == "now" else (float(when), float(when)))


CALLS = {
    "creat": lambda p: os.close(os.open(p, os.O_CREAT | os.O_WRONLY, 0o644)),
    "creat_excl": lambda p: os.close(os.open(p, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)),
    "open_r": lambda p: os.close(os.open(p, os.O_RDONLY)),
    "open_w": lambda p: os.close(os.open(p, os.O_WRONLY)),
    "open_rw": lambda p: os.close(os.open(p, os.O_RDWR)),
    "open_trunc": lambda p: os.close(os.open(p, os.O_RDONLY | os.O_TRUNC)),
    "open_nofollow": lambda p: os.close(os.open(p, os.O_RDONLY | os.O_NOFOLLOW)),
    "open_tmpfile": lambda p: os.close(os.open(p, os.O_TMPFILE | os.O_WRONLY, 0o600)),
    "opendir": lambda p: os.close(os.open(p, os.O_RDONLY | os.O_DIRECTORY)),
    "stat": os.stat,
    "statvfs": os.statvfs,
    "fsync": fsync,
    "readlink": os.readlink,
    "access": lambda p: libc_call("access", p, os.W_OK),
    "unlink": os.unlink,
    "rmdir": os.rmdir,
    "mkdir": os.mkdir,
    "mkfifo": os.mkfifo,
    "symlink": lambda p: os.symlink("target", p),
    "mknod": mknod,
    "link": os.link,
    "rename": os.rename,
    "rename_noreplace": rename(1),
    "rename_exchange": rename(2),
    "rename_flags": rename(0x40000000),
    "truncate": lambda p, size: os.truncate(p, int(size)),
    "ftruncate": ftruncate,
    "chmod": lambda p, mode: os.chmod(p, int(mode, 8)),
    "chown": lambda p, uid, gid: os.chown(p, int(uid), int(gid)),
    "utime": utime,
    "write": write,
    "setxattr": lambda p: os.setxattr(p, "user.test", b"x"),
}


def errno_of(call, args):
    try:
        CALLS[call](*args)
    except OSError as err:
        if err.errno == errno.EOPNOTSUPP:
            return "EOPNOTSUPP"  # which the table of names has as ENOTSUP
        return errno.errorcode.get(err.errno, str(err.errno))
    return "OK"


def check_table():
    wrong = 0
    for line in sys.stdin:
        words = shlex.split(line)
        if not words:
            continue
        found = errno_of(words[1], words[2:])
        if found != words[0]:
            print("%s, not %s: %s" % (found, words[0], shlex.join(words[1:])))
            wrong = 1
    return wrong


def main(args):
    try:
        if args == ["--table"]:
            return check_table()
        if len(args) > 2 and args[0] == "--each":
            for path in args[2:]:
                print(errno_of(args[1], [path]))
        elif len(args) > 1:
            print(errno_of(args[0], args[1:]))
        else:
            sys.stderr.write(__doc__)
            return 2
    except (TypeError, ValueError, KeyError) as err:
        sys.stderr.write("errno_of.py: %s: %s\n" % (" ".join(args), err))
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
