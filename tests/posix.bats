# docs/posix.md: what POSIX says of each call, and what a mount does, call by call and object by object.

load helpers
load documents

POSIX=$DOCS/posix.md

teardown()
{
    cd /
    unmount_all
}

# section_of HEADING: the lines below a heading of posix.md.
section_of()
{
    awk -v heading="## $1" '/^## / { on = $0 == heading; next } on' "$POSIX"
}

# tests_named: the tests that the table of calls names, as SUITE: TITLE.
tests_named()
{
    section_of 'The calls' | sed -n '/^|[ -]/s/^| .*| \(.*\) |$/\1/p' | sed 1d | sed 's/; /\n/g'
}

@test "each row of posix.md names tests that there are" {
    local suite title file call found=0

    section_of 'The calls' | grep '^| [^c-]' | grep -v '^| any path' >"$BATS_TEST_TMPDIR/rows"
    [ "$(wc -l <"$BATS_TEST_TMPDIR/rows")" -ge 20 ]
    run ! grep -vE '^\| `.*\|.*\|.*\| [a-z_-]+: .* \|$' "$BATS_TEST_TMPDIR/rows"
    for call in open creat unlink mkdir mknod link symlink rename rmdir truncate ftruncate utimensat chmod chown \
        statvfs fsync; do
        grep -q "^| [^|]*\`$call\`" "$BATS_TEST_TMPDIR/rows" || fail "no row for $call"
    done
    while IFS= read -r file; do
        suite=${file%%: *} title=${file#*: }
        grep -qF "@test \"$title\"" "$TESTS/$suite.bats" || fail "there is no test: $file"
        ((found += 1))
    done < <(tests_named)
    [ "$found" -ge 30 ]
}

# mounts_for_all: the mount of a user, and a read-only one, for everybody; the directory can be reached.
mounts_for_all()
{
    chmod 755 "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR/test" "$BATS_TEST_TMPDIR"
    mount_registry -o allow_other,uid=65534,gid=65534
    OWN=$MNT
    mount_another allow_other,uid=65534,gid=65534,ro
    RO=$MNT
}

# mount_another OPTIONS: one more of the account. Of a cloud it has a replica of its own.
mount_another()
{
    mount_registry -o "$1${IMGSHARE_TEST_SOURCE:+,state=$BATS_TEST_TMPDIR/another}"
}

@test "each call on each kind of object gives what posix.md says, to every user" {
    [ "$(id -u)" -eq 0 ] || skip 'needs other users'
    export LC_ALL=C
    new_registry
    mounts_for_all
    "$PYTHON" -IS "$TESTS/posix.py" "$OWN" root="$OWN:0" owner="$OWN:65534" other="$OWN:65533" ro="$RO:0" -- \
        share="private/$IMG_MYSQL/shares/alice" missing="private/$IMG_MYSQL/shares/carol" \
        missing_nobody="private/$IMG_MYSQL/shares/nobody-at-all" missing_above="private/$IMG_MYSQL/new" \
        attribute="private/$IMG_MYSQL/status" shares="private/$IMG_MYSQL/shares" \
        image="private/$IMG_MYSQL" private=private root= README=README events=events \
        by_name="by-name/private/golden" by_account="by-account/bob/$IMG_MYSQL" \
        received="shared/$IMG_PARTNER_ML" received_share="shared/$IMG_PARTNER_ML/shares/jcloud-demo" \
        >"$BATS_TEST_TMPDIR/found"
    [ -z "${IMGSHARE_POSIX-}" ] || cp "$BATS_TEST_TMPDIR/found" "$IMGSHARE_POSIX"
    # shellcheck disable=SC2016
    section_of 'Every call on every kind of object' | sed -n '/^```text/,/^```$/p' | sed '1d;$d' |
        diff - "$BATS_TEST_TMPDIR/found"
}

# --- what no errno tells ---

# python_in MNT: the script on standard input, with the calls and constants that it needs, in the directory of
# an image's shares, of which alice and bob have one, and carol not.
python_in()
{
    {
        cat <<'END'
import ctypes, errno, os, stat, sys
sys.path.insert(0, os.environ["TESTS"])
from errno_of import errno_of, libc_call

def fails(name, call, *args):
    try:
        call(*args)
    except OSError as err:
        assert errno.errorcode[err.errno] == name, "%s, not %s: %s%r" % (errno.errorcode[err.errno], name, call, args)
    else:
        raise AssertionError("OK, not %s: %s%r" % (name, call, args))

def times(path):
    found = os.lstat(path)
    return found.st_mtime_ns, found.st_ctime_ns
END
        cat
    } >"$BATS_TEST_TMPDIR/script"
    (cd "$1/private/$IMG_MYSQL/shares" && TESTS=$TESTS "$PYTHON" -IS "$BATS_TEST_TMPDIR/script" "$1")
}

@test "a file that is made is there for all at once, with the mode of the mount" {
    new_mount
    python_in "$MNT" <<'END'
os.umask(0)
before = times(".")
fd = os.open("carol", os.O_CREAT | os.O_WRONLY, 0o600)
made = os.fstat(fd)
assert stat.S_IMODE(made.st_mode) == 0o644 and stat.S_ISREG(made.st_mode) and made.st_size == 0, made
assert made.st_nlink == 1 and made.st_uid == os.getuid() and made.st_ino == os.lstat("carol").st_ino, made
pid = os.fork()
if pid == 0:
    os._exit(os.stat("carol").st_ino != made.st_ino or "carol" not in os.listdir("."))
assert os.waitpid(pid, 0)[1] == 0
between = times(".")
assert between > before
# Opened again, with O_CREAT or to be truncated: nothing has changed.
own = times("carol")
for flags in 0, os.O_CREAT, os.O_CREAT | os.O_TRUNC, os.O_TRUNC, os.O_APPEND, os.O_SYNC:
    os.close(os.open("carol", flags | os.O_RDWR, 0o777))
assert times("carol") == own and times(".") == between
assert stat.S_IMODE(os.stat("carol").st_mode) == 0o644
fails("EEXIST", os.open, "carol", os.O_CREAT | os.O_EXCL | os.O_WRONLY)
# A name that has gone, and the file that is still open.
os.unlink("carol")
assert times(".") > between
fails("ENOENT", os.stat, "carol")
assert os.fstat(fd).st_nlink == 0 and os.fstat(fd).st_ino == made.st_ino
os.close(fd)
END
}

@test "close and fsync have nothing to tell, and a change outlives the program once its call has returned" {
    local pid

    new_mount
    pid=$(daemon_pid "$MNT")
    export DAEMON=$pid
    python_in "$MNT" <<'END'
import signal
fd = os.open("alice", os.O_WRONLY)
os.fsync(fd)
os.fdatasync(fd)
os.close(fd)
for directory in ".", "..", sys.argv[1], "../status":
    assert errno_of("fsync", [directory]) == "OK", directory
fd = os.open("carol", os.O_CREAT | os.O_WRONLY)
os.unlink("bob")
# Not closed, not synchronised.
os.kill(int(os.environ["DAEMON"]), signal.SIGKILL)
END
    assert_shares "$IMG_MYSQL" alice carol
    wait_for 5 mounts_daemon_gone "$pid"
    umount -l "$MNT" || fusermount3 -u -z "$MNT"
}

@test "a share is read and written as an empty file that cannot grow" {
    new_mount
    python_in "$MNT" <<'END'
fd = os.open("alice", os.O_RDWR)
assert os.read(fd, 100) == b"" and os.pread(fd, 100, 5000) == b""
assert os.lseek(fd, 0, os.SEEK_END) == 0 and os.lseek(fd, 100, os.SEEK_SET) == 100
fails("EINVAL", os.lseek, fd, -1, os.SEEK_SET)
fails("ENXIO", os.lseek, fd, 0, os.SEEK_DATA)
assert os.write(fd, b"") == 0
fails("EFBIG", os.write, fd, b"x")
fails("EFBIG", os.pwrite, fd, b"x" * 10000, 0)
fails("EFBIG", os.writev, fd, [b"x", b"y"])
os.ftruncate(fd, 0)
fails("EFBIG", os.ftruncate, fd, 1)
fails("EINVAL", os.ftruncate, fd, -1)
assert os.fstat(fd).st_size == 0
os.close(fd)
fd = os.open("alice", os.O_RDONLY)
fails("EBADF", os.write, fd, b"x")
fails("EINVAL", os.ftruncate, fd, 0)
os.close(fd)
fails("EINVAL", os.truncate, "alice", -1)
assert os.stat("alice").st_size == 0 and os.stat("alice").st_blocks == 0
END
}

@test "links lead to what they name, and names that are too long or lead in circles are told" {
    local link call

    new_mount
    for link in by-name/private/mysql "by-account/alice/$IMG_MYSQL"; do
        [ -L "$MNT/$link" ] || continue
        assert_equal "$(realpath "$MNT/$link")" "$MNT/private/$IMG_MYSQL"
        assert_equal "$(stat -c %s "$MNT/$link")" "$(readlink "$MNT/$link" | tr -d '\n' | wc -c)"
    done
    [ -L "$MNT/by-account/alice/$IMG_MYSQL" ]
    ln -s loop "$BATS_TEST_TMPDIR/loop"
    ln -s "$MNT/private" "$BATS_TEST_TMPDIR/in"
    cd "$MNT/private/$IMG_MYSQL/shares"
    long=$(printf '%0256d' 0)
    path=$(printf './%.0s' {1..2050})alice
    for call in open_r creat stat unlink rmdir mkdir mkfifo mknod symlink 'truncate 0' 'chmod 644' 'chown -1 -1' \
        'utime now' 'statvfs' "rename carol" "link carol"; do
        echo "ENAMETOOLONG ${call%% *} $long ${call#"${call%% *}"}"
        echo "ENAMETOOLONG ${call%% *} $path ${call#"${call%% *}"}"
        echo "ELOOP ${call%% *} $BATS_TEST_TMPDIR/loop/x ${call#"${call%% *}"}"
        echo "ENOENT ${call%% *} '' ${call#"${call%% *}"}"
        echo "ENOTDIR ${call%% *} alice/x ${call#"${call%% *}"}"
        echo "ENOENT ${call%% *} ../../img-none/x ${call#"${call%% *}"}"
    done >"$BATS_TEST_TMPDIR/calls"
    assert_errnos <"$BATS_TEST_TMPDIR/calls"
    assert_errnos <<END
ENAMETOOLONG rename alice $long
ENAMETOOLONG link alice $long
ENOENT  stat     ${long%?}
ENOTDIR stat     alice/
ENOTDIR unlink   alice/
OK      stat     $BATS_TEST_TMPDIR/in/$IMG_MYSQL/shares/alice
END
}

@test "the root of a mount is not removed" {
    new_mount
    mkdir "$BATS_TEST_TMPDIR/dir"
    assert_errnos <<END
EBUSY  rmdir  $MNT
EBUSY  rename $MNT $MNT-new
EBUSY  rename $BATS_TEST_TMPDIR/dir $MNT
EISDIR unlink $MNT
EEXIST mkdir  $MNT
END
}

@test "times that are left out, or both, change nothing" {
    new_mount
    python_in "$MNT" <<'END'
NOW, OMIT = (1 << 30) - 1, (1 << 30) - 2

def set_times(path, *nanoseconds):
    spec = (ctypes.c_long * 4)(1000000000, nanoseconds[0], 1000000000, nanoseconds[1])
    libc_call("utimensat", -100, path, spec, 0)

for path in "..", ".":
    os.utime(path)  # what a cloud has to tell of it is known from here on
for path in "alice", ".", "..":
    before = times(path)
    for pair in (OMIT, OMIT), (NOW, OMIT), (OMIT, NOW), (NOW, NOW), (5, OMIT), (OMIT, 5), (5, 5), (NOW, 5):
        set_times(path, *pair)
        assert times(path) == before, (path, pair)
    for pair in (1 << 30, 5), (5, -1):
        fails("EINVAL", set_times, path, *pair)
before = times("../status")
set_times("../status", OMIT, OMIT)
for pair in (NOW, NOW), (5, OMIT), (5, 5):
    fails("EPERM", set_times, "../status", *pair)
assert times("../status") == before
END
}

@test "what stat says goes together" {
    new_mount
    python_in "$MNT" <<'END'
device = os.stat(".").st_dev
for path, directories, files in os.walk(sys.argv[1]):
    for name in [""] + directories + files:
        place = os.path.join(path, name)
        found = os.lstat(place)
        assert found.st_dev == device, place
        assert found.st_mtime_ns == found.st_ctime_ns, place
        assert found.st_nlink == 1 or stat.S_ISDIR(found.st_mode), place
        if stat.S_ISREG(found.st_mode):
            fd = os.open(place, os.O_RDONLY)
            held = os.fstat(fd)
            assert (held.st_ino, held.st_mode, held.st_uid) == (found.st_ino, found.st_mode, found.st_uid), place
            os.read(fd, 100000)
            os.close(fd)
            assert os.lstat(place).st_atime_ns == found.st_atime_ns, place
# What is accepted without effect has none.
before = os.stat("alice")
os.chmod("alice", 0o600)
os.chown("alice", os.getuid(), os.getgid())
os.utime("alice")
os.truncate("alice", 0)
assert os.stat("alice")[:9] == before[:9] and times("alice") == (before.st_mtime_ns, before.st_ctime_ns)
END
}

@test "statvfs says what there is, and whether it can be written" {
    local own

    new_mount
    own=$MNT
    mount_another ro
    READ_ONLY=$MNT python_in "$own" <<'END'
for place in sys.argv[1], ".", "alice", "../status", "..":
    found = os.statvfs(place)
    assert (found.f_namemax, found.f_blocks, found.f_bfree, found.f_bavail) == (255, 0, 0, 0), found
    assert found.f_files > 10 and found.f_ffree == 0 and found.f_bsize == found.f_frsize == 4096, found
    assert not found.f_flag & os.ST_RDONLY and found.f_flag & os.ST_NOSUID and found.f_flag & os.ST_NODEV
assert os.statvfs(os.environ["READ_ONLY"]).f_flag & os.ST_RDONLY
END
}
