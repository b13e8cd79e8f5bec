#!/usr/bin/env bats
# Each call that the programs make fails once: system calls, allocations, SQLite's; and the disk is full, or
# read-only. No crash, no hang, no lie, nothing lost, and afterwards all goes on. tests/faults/ has the machinery.
#
# IMGSHARE_FAULTS       how many calls of each scenario fail ("all": at every place from which calls are made, in every
#                       way that they can, which takes an hour or so; default: a few of each kind)
# IMGSHARE_FAULTS_SEED  which ones (default: another choice each time; the seed is printed)
# IMGSHARE_FAULTS_WAIT  a file: while it is there, nothing is done

load helpers
load cloud_helpers

# sweep ROUNDS SCENARIO...: so many faults in each, or as many as IMGSHARE_FAULTS says.
sweep()
{
    local rounds=${IMGSHARE_FAULTS:-$1} library=$BUILD/tests/libinject.so

    shift
    need_root # libfuse mounts by itself only then: fusermount3 would come under the filter
    [ -e "$library" ] || skip 'faults are injected on x86_64 only'
    skip_if_sanitized 'the allocations are the sanitizer'\''s'
    [ "$rounds" != all ] || rounds=0
    "$TESTS/faults/sweep" --rounds "$rounds" ${IMGSHARE_FAULTS_SEED:+--seed "$IMGSHARE_FAULTS_SEED"} \
        --wait "${IMGSHARE_FAULTS_WAIT-}" "$BUILD" "$library" "$BATS_TEST_TMPDIR" "$@" \
        >"$BATS_TEST_TMPDIR/report" 2>&1 3>&- || fail "$(cat "$BATS_TEST_TMPDIR/report")"
    sed 's/^/# /' "$BATS_TEST_TMPDIR/report" >&3
}

@test "a mount that cannot start leaves nothing behind and says why, and one that starts can be used" {
    sweep 60 start
}

@test "whatever fails once in a mount that is used: no lie, nothing lost, and it goes on" {
    sweep 150 use
    sweep 30 cold
}

@test "whatever fails while a mount ends, it ends, and what was acknowledged is there" {
    sweep 25 end
}

@test "a command in which something fails says so, and has done nothing, or all" {
    sweep 6 init account import export check check-damaged backup explain explain-path plan apply undo undo-apply \
        audit graph graph-mount
}

@test "whatever fails in a mount of a cloud, what was acknowledged is so" {
    sweep 12 cloud cloud-start
}

# --- the disk ---

# disk: a file system of this test's own, 3 MB, at DISK; it goes at the end of the test.
disk()
{
    need_root
    DISK=$BATS_TEST_TMPDIR/disk
    mkdir "$DISK"
    mount -t tmpfs -o size=3m none "$DISK"
}

# fill: not a byte is free any more.
fill()
{
    dd if=/dev/zero of="$DISK/fill" bs=4k 2>/dev/null || true
    assert_equal "$(df --output=avail "$DISK" | tail -n 1 | tr -d ' ')" 0
}

make_room()
{
    rm "$DISK/fill"
}

# with_registry: the sample registry on DISK, mounted.
with_registry()
{
    new_registry
    cp "$REGISTRY" "$DISK/registry"
    REGISTRY=$DISK/registry
    mount_registry
}

# Cloud first, mounts next, and the disk when nobody uses it.
teardown()
{
    stop_all
    [ ! -d "$BATS_TEST_TMPDIR/disk" ] || umount -l "$BATS_TEST_TMPDIR/disk" 2>/dev/null || true
}

@test "on a full disk a mount lists, and refuses to share and to cancel, until there is room" {
    disk
    with_registry
    shares=$MNT/private/$IMG_GOLDEN/shares
    touch "$shares/bob"
    before=$(all_shares)
    fill
    # What the log has room for is used up first.
    for ((i = 0; i < 1000; i++)); do
        rm "$shares/bob" 2>/dev/null && touch "$shares/bob" 2>/dev/null || break
    done
    [ "$i" -lt 1000 ]
    [ -e "$shares/bob" ] && held=bob || held=alice
    assert_equal "$(errno_of creat "$shares/carol")" ENOSPC
    [ "$held" != bob ] || assert_equal "$(errno_of unlink "$shares/bob")" ENOSPC
    run touch "$shares/carol"
    assert_failure
    assert_output --partial 'No space left on device'
    assert_equal "$(errno_of creat "$MNT/private/$IMG_PENDING/shares/alice")" EBUSY
    assert_equal "$(find "$MNT/private" -mindepth 1 -maxdepth 1 | wc -l)" 19
    grep -q '^last_error: .* ENOSPC: ' "$MNT/status"
    make_room
    touch "$shares/bob" "$shares/carol"
    rm "$shares/carol"
    assert_equal "$(all_shares)" "$before"
    "$IMGSHARE" check "$REGISTRY"
}

@test "a registry on a full disk can be mounted, and listed" {
    disk
    with_registry
    unmount "$MNT"
    fill
    mount_registry
    assert_equal "$(find "$MNT/private" -mindepth 1 -maxdepth 1 | wc -l)" 19
    if grep -qx 'access: read-only' "$MNT/status"; then
        assert_equal "$(errno_of creat "$MNT/private/$IMG_GOLDEN/shares/alice")" EROFS
        grep -q 'mounted read-only' "$BATS_TEST_TMPDIR/mount.log"
    else
        assert_equal "$(errno_of creat "$MNT/private/$IMG_GOLDEN/shares/alice")" ENOSPC
    fi
    unmount "$MNT"
    make_room
    mount_registry
    touch "$MNT/private/$IMG_GOLDEN/shares/alice"
    "$IMGSHARE" check "$REGISTRY"
}

# broken_disk: as disk, of a kind that can break.
broken_disk()
{
    need_root
    DISK=$BATS_TEST_TMPDIR/disk
    mkdir "$DISK"
    truncate -s 16M "$BATS_TEST_TMPDIR/disk.image"
    /sbin/mkfs.ext4 -q -m 0 -e remount-ro "$BATS_TEST_TMPDIR/disk.image"
    mount -o loop "$BATS_TEST_TMPDIR/disk.image" "$DISK" || skip 'no file can be mounted here'
    TRIGGER=/sys/fs/ext4/$(basename "$(findmnt -n -o SOURCE "$DISK")")/trigger_fs_error
    [ -w "$TRIGGER" ] || skip 'no fault of a file system can be made here'
}

is_broken()
{
    ! mkdir "$DISK/probe" 2>/dev/null
}

@test "where the disk becomes read-only a mount lists and refuses, and a new one says that it is read-only" {
    broken_disk
    with_registry
    shares=$MNT/private/$IMG_GOLDEN/shares
    touch "$shares/bob"
    echo test >"$TRIGGER"
    wait_for 5 is_broken
    run errno_of creat "$shares/alice"
    assert_output --regexp '^(EROFS|EIO)$'
    run errno_of unlink "$shares/bob"
    assert_output --regexp '^(EROFS|EIO)$'
    assert_equal "$(ls "$shares")" bob
    assert_equal "$(find "$MNT/private" -mindepth 1 -maxdepth 1 | wc -l)" 19
    run unmount "$MNT"
    run mount_registry
    assert_success
    MNT=$(tail -n 1 "$BATS_TEST_TMPDIR/.mounts")
    grep -qx 'access: read-only' "$MNT/status"
    assert_equal "$(errno_of creat "$MNT/private/$IMG_GOLDEN/shares/alice")" EROFS
    assert_equal "$(find "$MNT/private" -mindepth 1 -maxdepth 1 | wc -l)" 19
}

@test "init, import, backup and account on a full disk name the file and the remedy, and leave nothing half made" {
    disk
    with_registry
    unmount "$MNT"
    before=$(all_shares)
    image_of img-new1 pins '["alice"]' >"$BATS_TEST_TMPDIR/new.json"
    fill
    for words in "init $DISK/new" "backup $REGISTRY $DISK/copy"; do
        # shellcheck disable=SC2086
        run -1 "$IMGSHARE" $words
        assert_output --partial "$DISK/"
        assert_output --regexp '(full|No space left).*make room'
    done
    for words in "import $REGISTRY $BATS_TEST_TMPDIR/new.json" "account add $REGISTRY dave"; do
        # shellcheck disable=SC2086
        run -1 "$IMGSHARE" $words
        assert_output --partial "$REGISTRY"
        assert_output --regexp 'full.*make room|read-only'
    done
    assert_equal "$(find "$DISK" -name 'new*' -o -name 'copy*')" ''
    make_room
    assert_equal "$(all_shares)" "$before"
    "$IMGSHARE" check "$REGISTRY"
    "$IMGSHARE" import "$REGISTRY" "$BATS_TEST_TMPDIR/new.json"
}

@test "a cloud whose state is on a full disk is listed, and refuses before anything is sent" {
    disk
    start_cloud
    mount_read -o "state=$DISK/state"
    fill
    for ((i = 0; i < 1000; i++)); do
        touch "$GOLDEN/alice" 2>/dev/null && rm "$GOLDEN/alice" 2>/dev/null || break
    done
    [ "$i" -lt 1000 ]
    held=$(cloud_shares "$CLOUD_GOLDEN")
    sent=$(($(requests_count shareImage) + $(requests_count unShareImage)))
    assert_equal "$(errno_of creat "$GOLDEN/bob")" ENOSPC
    assert_equal "$(errno_of unlink "$WEB/alice")" ENOSPC
    assert_equal $(($(requests_count shareImage) + $(requests_count unShareImage))) "$sent"
    assert_equal "$(cloud_shares "$CLOUD_GOLDEN")" "$held"
    assert_equal "$(LC_ALL=C ls "$WEB")" $'alice\nbob'
    make_room
    touch "$GOLDEN/bob"
    rm "$WEB/alice"
    wait_for 15 agrees "$CLOUD_GOLDEN" "$CLOUD_WEB"
}

@test "a cloud whose state is on a full or read-only disk is mounted read-only, or not at all, and says why" {
    disk
    start_cloud
    mount_read -o "state=$DISK/state"
    unmount "$MNT"
    mount -o remount,ro "$DISK"
    mount_cloud_only -o "state=$DISK/state"
    grep -qx 'access: read-only' "$MNT/status"
    assert_equal "$(errno_of creat "$MNT/private/$CLOUD_GOLDEN/shares/alice")" EROFS
    assert_equal "$(LC_ALL=C ls "$MNT/private/$CLOUD_WEB/shares")" $'alice\nbob'
    unmount "$MNT"
    mount -o remount,rw "$DISK"
    rm -rf "$DISK/state"
    fill
    run mount_cloud_only -o "state=$DISK/state"
    assert_failure
    assert_output --partial "$DISK/state"
    assert_output --partial 'make room'
    assert_equal "$(find "$DISK/state" -type f 2>/dev/null)" ''
}
