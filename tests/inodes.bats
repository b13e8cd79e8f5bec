# Inode numbers and times: what programs remember a file by, across remounts, restarts and cancels.

load helpers

setup()
{
    new_registry
    mount_registry
    SHARES=$MNT/private/$IMG_GOLDEN/shares
}

# numbers FILE: the inode number of everything in the mount, by its path.
numbers()
{
    # Twice, so that what is answered from the kernel's memory is looked at as well.
    find "$MNT" -printf '%i %y %P\n' >"$1.again"
    find "$MNT" -printf '%i %y %P\n' | sort -k 3 >"$1"
    sort -k 3 "$1.again" | diff - "$1"
    [ "$(wc -l <"$1")" -gt 500 ]
}

# Of all directories whose members can change.
directory_times()
{
    find "$MNT/private" "$MNT/shared" "$MNT/by-account" "$MNT/by-name/private" "$MNT/by-name/shared" \
        -type d -printf '%T@ %P %i\n' | sort -k 2 >"$1"
    [ "$(wc -l <"$1")" -gt 60 ]
}

# moved_since FILE: those directories whose time is another, as paths: what the kernel says must be
# what the next mount says.
moved_since()
{
    local path number

    directory_times "$1.now"
    remount
    directory_times "$1.mounted"
    diff "$1.now" "$1.mounted"
    for path in private shared by-account by-account/alice by-account/bob by-name/private \
        by-name/shared by-name/shared/partner-lab "private/$IMG_GOLDEN" "private/$IMG_GOLDEN/shares" \
        "private/$IMG_BARE" "private/$IMG_BARE/shares"; do
        number=$(stat -c %i "$MNT/$path" 2>/dev/null) || continue
        [ "$(grep " $number\$" "$1")" = "$(grep " $number\$" "$1.now")" ] || echo "$path"
    done
}

remount()
{
    unmount "$MNT"
    mount_registry "$MNT"
}

@test "the root is inode 1, and no two things have one number" {
    assert_equal "$(stat -c %i "$MNT")" 1
    numbers "$BATS_TEST_TMPDIR/numbers"
    assert_equal "$(cut -d ' ' -f 1 "$BATS_TEST_TMPDIR/numbers" | sort | uniq -d)" ''
}

@test "inode numbers are the same after a remount" {
    touch "$SHARES/alice"
    numbers "$BATS_TEST_TMPDIR/before"
    remount
    numbers "$BATS_TEST_TMPDIR/after"
    diff "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after"
}

@test "inode numbers are the same after the kernel has dropped its caches" {
    [ "$(id -u)" -eq 0 ] && [ -w /proc/sys/vm/drop_caches ] || skip 'needs root and drop_caches'
    numbers "$BATS_TEST_TMPDIR/before"
    exec 9<"$SHARES"
    echo 2 >/proc/sys/vm/drop_caches
    numbers "$BATS_TEST_TMPDIR/after"
    diff "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after"
    assert_equal "$(stat -L -c %i /proc/self/fd/9)" "$(stat -c %i "$SHARES")"
    exec 9<&-
}

@test "inode numbers are the same after the daemon was killed and the mount made anew" {
    local pid

    touch "$SHARES/alice"
    numbers "$BATS_TEST_TMPDIR/before"
    pid=$(daemon_pid "$MNT")
    kill -KILL "$pid"
    wait_for 5 mounts_daemon_gone "$pid"
    fusermount3 -u -z "$MNT"
    mount_registry "$MNT"
    numbers "$BATS_TEST_TMPDIR/after"
    diff "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after"
}

@test "an import that changes images leaves their numbers, and those of their shares" {
    numbers "$BATS_TEST_TMPDIR/before"
    "$IMGSHARE" export "$REGISTRY" | sed 's/"desc":"[^"]*"/"desc":"changed"/' |
        "$IMGSHARE" import "$REGISTRY" - >/dev/null
    wait_for 2 grep -qx changed "$MNT/private/$IMG_GOLDEN/description"
    numbers "$BATS_TEST_TMPDIR/after"
    diff "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after"
}

@test "a share that is cancelled and made again is another file: no number is used twice" {
    local round

    for round in {1..25}; do
        touch "$SHARES/alice"
        stat -c %i "$SHARES/alice" >>"$BATS_TEST_TMPDIR/seen"
        rm "$SHARES/alice"
        # Also not across a restart, though the newest row is gone by then.
        [ "$round" != 12 ] || remount
    done
    touch "$SHARES/bob"
    stat -c %i "$SHARES/bob" >>"$BATS_TEST_TMPDIR/seen"
    assert_equal "$(sort -u "$BATS_TEST_TMPDIR/seen" | wc -l)" 26
    # by-account/ has links to it, and they are new as well; what does not go away stays the same.
    touch "$SHARES/alice"
    link=$(stat -c %i "$MNT/by-account/alice/$IMG_GOLDEN")
    account=$(stat -c %i "$MNT/by-account/alice")
    rm "$SHARES/alice"
    touch "$SHARES/alice"
    assert_not_equal "$(stat -c %i "$MNT/by-account/alice/$IMG_GOLDEN")" "$link"
    assert_equal "$(stat -c %i "$MNT/by-account/alice")" "$account"
}

@test "an open share that is cancelled can still be asked about: no links are left, and its times can be set" {
    local number second

    touch "$SHARES/alice"
    number=$(stat -c %i "$SHARES/alice")
    exec 9<>"$SHARES/alice"
    rm "$SHARES/alice"
    assert_equal "$(stat -L -c '%h %i %s' /proc/self/fd/9)" "0 $number 0"
    touch /proc/self/fd/9
    "$PYTHON" -IS -c 'import os; os.utime(9); os.fsync(9); assert os.fstat(9).st_nlink == 0'
    # None of that brought it back, and a new one is another.
    assert_equal "$(shares_of "$IMG_GOLDEN")" ''
    [ ! -e "$SHARES/alice" ]
    touch "$SHARES/alice"
    assert_equal "$(stat -L -c '%h %i' /proc/self/fd/9)" "0 $number"
    assert_not_equal "$(stat -c %i "$SHARES/alice")" "$number"
    exec 9>&-

    # The same where another mount cancels it.
    second=$BATS_TEST_TMPDIR/second
    exec 9<>"$SHARES/alice"
    mount_registry "$second"
    rm "$second/private/$IMG_GOLDEN/shares/alice"
    "$PYTHON" -IS -c 'import os; os.utime(9); os.fstat(9); assert os.fstat(9).st_nlink == 0'
    exec 9>&-
    assert_equal "$(shares_of "$IMG_GOLDEN")" ''
}

@test "a share's time is that of the sharing, and stays" {
    local before after time

    before=$(date +%s.%N)
    touch "$SHARES/alice"
    time=$(stat -c %.9Y "$SHARES/alice")
    after=$(date +%s.%N)
    printf '%s\n' "$before" "$time" "$after" | sort -C -n
    # Whatever one sets, and again after a remount.
    touch "$SHARES/alice"
    touch -d 2001-01-01 "$SHARES/alice"
    assert_equal "$(stat -c %.9Y "$SHARES/alice")" "$time"
    remount
    assert_equal "$(stat -c %.9Y "$SHARES/alice")" "$time"
    # By another key it is the same.
    assert_equal "$(stat -c %.9Y "$MNT/by-account/alice/$IMG_GOLDEN")" "$time"
    # Of what was imported it is not in the future, either.
    run find "$MNT" -newermt '5 seconds'
    assert_output ''
}

# --- the times of directories ---

@test "a directory's time changes with its members, and with nothing else" {
    local times=$BATS_TEST_TMPDIR/times

    directory_times "$times"
    # What changes no member.
    touch "$MNT/private/$IMG_MYSQL/shares/alice"
    assert_equal "$(errno_of creat "$SHARES/nobody-at-all")" ENXIO
    assert_equal "$(errno_of creat "$MNT/private/$IMG_PENDING/shares/alice")" EBUSY
    assert_equal "$(errno_of unlink "$SHARES/alice")" ENOENT
    assert_equal "$(errno_of utime "$SHARES" now)" OK
    assert_equal "$(errno_of utime "$SHARES" 1000000000)" OK
    ls -lR "$MNT" >/dev/null
    "$IMGSHARE" import "$REGISTRY" "$SAMPLE/images.json" >/dev/null
    import_image "$IMG_BARE" name bare-record desc changed
    wait_for 2 grep -qx changed "$MNT/private/$IMG_BARE/description"
    run moved_since "$times"
    assert_output ''
    # A share: that of the shares, and that of the account.
    touch "$SHARES/alice"
    run moved_since "$times"
    assert_output "by-account/alice
private/$IMG_GOLDEN/shares"
    directory_times "$times"
    rm "$SHARES/alice"
    run moved_since "$times"
    assert_output "by-account/alice
private/$IMG_GOLDEN/shares"
}

@test "by-account/ changes with the first share of an account and with its last cancel" {
    local times=$BATS_TEST_TMPDIR/times

    rm "$MNT"/private/*/shares/bob
    directory_times "$times"
    touch "$SHARES/bob"
    run moved_since "$times"
    assert_line by-account
    directory_times "$times"
    touch "$MNT/private/$IMG_BARE/shares/bob"
    run moved_since "$times"
    assert_output "by-account/bob
private/$IMG_BARE/shares"
    rm "$SHARES/bob"
    directory_times "$times"
    rm "$MNT/private/$IMG_BARE/shares/bob"
    run moved_since "$times"
    assert_output "by-account
private/$IMG_BARE/shares"
}

@test "private/ and by-name/ change with an import, each by what it shows" {
    local times=$BATS_TEST_TMPDIR/times

    directory_times "$times"
    import_image img-0another00 name another
    wait_for 2 [ -d "$MNT/private/img-0another00" ]
    run moved_since "$times"
    assert_output 'private
by-name/private'
    directory_times "$times"
    import_image img-0another00 name renamed
    wait_for 2 [ -d "$MNT/by-name/private/renamed/" ]
    run moved_since "$times"
    assert_output by-name/private
    # What another account shares with us.
    directory_times "$times"
    import_image img-0theirs000 name theirs ownerPin partner-lab pins '["jcloud-demo"]'
    wait_for 2 [ -d "$MNT/shared/img-0theirs000" ]
    run moved_since "$times"
    assert_output 'shared
by-name/shared/partner-lab'
}

@test "a directory's time rises with every change, however fast they come" {
    run "$PYTHON" -IS "$TESTS/coherence.py" mtimes "$SHARES" alice 200
    assert_success
    assert_output ''
}

@test "directory times are kept over a remount, to the nanosecond" {
    touch "$SHARES/alice" "$SHARES/bob"
    rm "$SHARES/alice"
    directory_times "$BATS_TEST_TMPDIR/before"
    grep -q '\.[0-9]*[1-9]' "$BATS_TEST_TMPDIR/before"
    remount
    directory_times "$BATS_TEST_TMPDIR/after"
    diff "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after"
}
