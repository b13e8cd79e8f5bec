# How many requests reach the program: what the kernel has been told it must not ask again. The counts
# are those of docs/performance.md; one more of any is a regression.

load helpers

setup()
{
    REGISTRY=$BATS_TEST_TMPDIR/registry
    LOG=$BATS_TEST_TMPDIR/log
    MNT=$BATS_TEST_TMPDIR/mnt
    cp -- "$BATS_FILE_TMPDIR/registry" "$REGISTRY"
    mkdir "$MNT"
    clear_later "$MNT"
    # libfuse writes down each request, and each reply.
    "$IMGSHAREFS" -f -d -o account=jcloud-demo "$REGISTRY" "$MNT" </dev/null >/dev/null 2>"$LOG" 3>&- &
    DAEMON=$!
    wait_for 10 is_mounted "$MNT"
    # What is asked once a mount and never again: what there is to ask for, and the upper directories.
    : >"$MNT/private/img-0000000009/shares/account-0000"
    "$PYTHON" -IS -c 'import os, sys
try:
    os.getxattr(sys.argv[1], "security.selinux")
except OSError:
    pass' "$MNT"
    wait_for 10 all_answered
    SHARES=$MNT/private/img-0000000000/shares
}

teardown()
{
    # A child of this shell: it has to be waited for before it is gone.
    ! is_mounted "$MNT" || fusermount3 -u "$MNT" || kill -KILL "$DAEMON"
    wait "$DAEMON" || true
    unmount_all
}

setup_file()
{
    "$IMGSHARE" init "$BATS_FILE_TMPDIR/registry" --account jcloud-demo
    "$TESTS/generate" --images 10 --pins 3 --accounts 6 |
        "$IMGSHARE" import "$BATS_FILE_TMPDIR/registry" -
}

# all_answered: every request in the log that gets a reply has it.
all_answered()
{
    awk '
        / opcode: / && !/ opcode: (BATCH_)?FORGET / { asked++ }
        / unique: [0-9]+, (success|error)/ { answered++ }
        END { exit asked != answered }' "$LOG"
}

# ended: the last thing asked is the question that marks the end, and all is answered.
ended()
{
    tail -n "+$1" "$LOG" | grep -q 'opcode: STATFS ' && all_answered
}

# requests CMD...: runs it, and sets REQUESTS to what it asked for, sorted: "LOOKUP 1, OPENDIR 1". What
# the kernel forgets, it tells when it likes: not counted.
requests()
{
    local begin

    begin=$(($(wc -l <"$LOG") + 1))
    "$@" >/dev/null || return
    stat -f "$MNT" >/dev/null
    wait_for 10 ended "$begin"
    REQUESTS=$(tail -n "+$begin" "$LOG" | sed -n 's/.* opcode: \([A-Z]*\) .*/\1/p' |
        grep -vx -e STATFS -e '.*FORGET' | LC_ALL=C sort | uniq -c | awk '{ print $2, $1 }' |
        paste -s -d , | sed 's/,/, /g')
}

# assert_requests EXPECTED CMD...
assert_requests()
{
    local expected=$1

    shift
    requests "$@"
    assert_equal "$*: $REQUESTS" "$*: $expected"
}

@test "ls -l of shares: names and attributes come together, and attributes are not asked for again" {
    assert_requests 'LOOKUP 2, OPENDIR 1, READDIRPLUS 2, RELEASEDIR 1' ls -l "$SHARES"
    # Reading a directory made its access time news.
    assert_requests 'GETATTR 1, OPENDIR 1, READDIRPLUS 2, RELEASEDIR 1' ls -l "$SHARES"
    assert_requests '' stat "$SHARES/account-0001"
}

@test "ls of private: the second time nothing is read, and attributes are not asked for" {
    assert_requests 'OPENDIR 1, READDIR 1, READDIRPLUS 1, RELEASEDIR 1' ls -f "$MNT/private"
    assert_requests 'GETATTR 1, OPENDIR 1, RELEASEDIR 1' ls -f "$MNT/private"
    assert_requests 'OPENDIR 1, RELEASEDIR 1' ls -l "$MNT/private"
}

@test "touch of a new name shares with three requests, of a known one with none that looks it up" {
    ls "$SHARES" >/dev/null
    assert_requests 'CREATE 1, LOOKUP 1, RELEASE 1, SETATTR 1' touch "$SHARES/account-0003"
    # The directory has changed: its attributes are asked for, once.
    assert_requests 'GETATTR 1, OPEN 1, RELEASE 1, SETATTR 1' touch "$SHARES/account-0003"
    assert_requests 'OPEN 1, RELEASE 1, SETATTR 1' touch "$SHARES/account-0003"
}

@test "rm of a known share is one request, and of a missing one none" {
    ls -l "$SHARES" >/dev/null
    assert_requests 'UNLINK 1' rm "$SHARES/account-0001"
    assert_requests 'GETATTR 1, LOOKUP 1' rm -f "$SHARES/account-0001"
    assert_requests '' rm -f "$SHARES/account-0001"
}

@test "find asks four times a directory, and looks no name up; the second time images are not read" {
    assert_requests 'OPENDIR 21, READDIR 21, READDIRPLUS 21, RELEASEDIR 21' \
        find "$MNT/private"
    assert_requests 'GETATTR 21, OPENDIR 21, READDIR 10, READDIRPLUS 10, RELEASEDIR 21' \
        find "$MNT/private"
}

@test "cat of an attribute: to open, to read, to see its end" {
    assert_requests 'LOOKUP 2, OPEN 1, READ 2, RELEASE 1' cat "$MNT/private/img-0000000001/name"
    assert_requests 'GETATTR 1, OPEN 1, READ 2, RELEASE 1' cat "$MNT/private/img-0000000001/name"
}

@test "a missing name is asked for once, by however many" {
    assert_requests 'LOOKUP 3' errno_of stat "$SHARES/nobody"
    assert_requests '' errno_of stat "$SHARES/nobody"
}

# measured TEXT: the benchmark's line that begins so says what came out, or why it could not be measured.
measured()
{
    local peer='could not run: .*: install libfuse3-dev'

    [ ! -e /usr/share/doc/libfuse3-dev/examples/passthrough_ll.c ] || peer='.*/s +passthrough_ll '
    assert_line --regexp "^$1 +$peer"
}

@test "the benchmark runs, says what it measured, and judges nothing" {
    skip_if_sanitized
    cd "$BATS_TEST_TMPDIR"
    run "$TESTS/bench/run" --build "$BUILD" --dir "$BATS_TEST_TMPDIR" --scale tiny --rounds 1 \
        --json figures warm-negative cold-ls
    assert_success
    assert_line --regexp '^warm-negative +stat +.*/s +tmpfs .*  at least 1.2  '
    measured 'cold-ls( +ls -l)?'
    "$PYTHON" -IS -c '
import json
results = json.load(open("figures"))["results"]
assert [each["row"] for each in results] == ["warm-negative", "cold-ls"], results
assert results[0]["ours"][0] > 0 and results[0]["peer"][0] > 0, results'
    refute [ -d imgsharefs-bench.* ]
    run "$TESTS/bench/run" no-such-row
    assert_failure 2
    assert_output --partial 'no such row: no-such-row'
}
