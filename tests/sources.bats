#!/usr/bin/env bats
# Sources that are no registry, damaged ones, and disks that are full or read-only: said by name, and
# nothing is changed.

load helpers

setup()
{
    new_place
}

teardown()
{
    unmount_all
    if [ -d "$BATS_TEST_TMPDIR/shelf" ] && mountpoint -q "$BATS_TEST_TMPDIR/shelf"; then
        wait_for 5 umount "$BATS_TEST_TMPDIR/shelf"
    fi
    if [ -d "$BATS_TEST_TMPDIR/disk" ] && mountpoint -q "$BATS_TEST_TMPDIR/disk"; then
        wait_for 5 umount "$BATS_TEST_TMPDIR/disk"
    fi
}

# mount_source SOURCE [OPTIONS]
mount_source()
{
    timeout 20 "$IMGSHAREFS" -o "${2-account=jcloud-demo}" "$1" "$MNT" </dev/null 3>&-
}

# assert_no_source SOURCE WORDS [OPTIONS]: cannot be mounted, which is said by SOURCE and WORDS; the
# file stays as it is, and nothing comes to lie beside it (but for the lock of a registry).
assert_no_source()
{
    local before beside words=$2

    beside=$(ls_beside "$1")
    before=$([ ! -f "$1" ] || sha256sum "$1")
    run mount_source "$1" "${@:3}"
    assert_failure 1
    assert_output --regexp "^imgsharefs: ${1//./\\.}"
    assert_output --partial "$words"
    [ "${#lines[@]}" -eq 1 ] || fail "several lines: $output"
    refute is_mounted "$MNT"
    assert_equal "$(mounts_daemons "$MNT")" ''
    assert_equal "$([ ! -f "$1" ] || sha256sum "$1")" "$before"
    assert_equal "$(ls_beside "$1")" "$beside"
}

ls_beside()
{
    [ ! -d "${1%/*}" ] || find "${1%/*}" ! -path "$1-lock" | sort
}

# pages_of TABLE: the pages that hold its rows.
pages_of()
{
    sqlite3 "file:$REGISTRY?immutable=1" \
        "SELECT pageno - 1 FROM dbstat WHERE name = '$1' AND pagetype = 'leaf' ORDER BY pageno"
}

# damage FILE PAGE...: overwrites pages, numbered from 0, with something else.
damage()
{
    local file=$1 page

    shift
    for page; do
        head -c 4096 /dev/zero | tr '\0' 'Z' |
            dd of="$file" bs=4096 seek="$page" conv=notrunc status=none
    done
}

# new_disk SIZE: an empty file system of that size in PLACE/disk, with REGISTRY on it.
new_disk()
{
    need_root
    mkdir "$PLACE/disk"
    mount -t tmpfs -o "size=$1" none "$PLACE/disk"
    mv "$REGISTRY" "$PLACE/disk/registry"
    REGISTRY=$PLACE/disk/registry
}

fill_disk()
{
    dd if=/dev/zero of="$PLACE/disk/filler" bs=4096 status=none 2>/dev/null && return 1
    [ "$(df --output=avail "$PLACE/disk" | tail -n 1)" -eq 0 ]
}

# assert_images NUMBER: so many are in private/.
assert_images()
{
    local -a images=("$MNT"/private/*)

    assert_equal "${#images[@]}" "$1"
}

# --- what is no registry ---

@test "a source that is missing says how to make one" {
    assert_no_source "$PLACE/none" 'imgshare init'
    assert_no_source "$PLACE/none/registry" 'No such file or directory'
    assert_not_exists "$PLACE/none"
}

@test "a source that is a directory, a device or a pipe is none" {
    mkdir "$PLACE/directory"
    mkfifo "$PLACE/pipe"
    assert_no_source "$PLACE/directory" 'a registry is one file'
    assert_no_source "$PLACE/pipe" 'not a regular file'
    ln -s /dev/null "$PLACE/device"
    run mount_source "$PLACE/device"
    assert_failure 1
    assert_output 'imgsharefs: /dev/null: not a regular file'
}

@test "an empty file is none" {
    : >"$PLACE/empty"
    assert_no_source "$PLACE/empty" empty
}

@test "a file that is no SQLite file is none" {
    printf 'pin,image\nalice,img-1\n' >"$PLACE/text"
    head -c 20000 /dev/urandom >"$PLACE/noise"
    assert_no_source "$PLACE/text" 'not a registry'
    assert_no_source "$PLACE/noise" 'not a registry'
}

@test "an SQLite file of another program is none" {
    sqlite3 "$PLACE/other" 'CREATE TABLE account (id INTEGER PRIMARY KEY, pin TEXT)'
    assert_no_source "$PLACE/other" 'another program'
}

@test "a registry of a newer program is left alone" {
    sqlite3 "$REGISTRY" 'PRAGMA user_version = 99'
    assert_no_source "$REGISTRY" 'newer imgshare (schema 99'
}

# --- damage ---

@test "a damaged header is found at the mount" {
    damage "$REGISTRY" 0
    assert_no_source "$REGISTRY" 'not a registry'
}

@test "a registry that was cut off is found at the mount" {
    for size in 50 4096 40000; do
        cp "$REGISTRY" "$PLACE/cut"
        truncate -s "$size" "$PLACE/cut"
        assert_no_source "$PLACE/cut" 'restore a backup'
        rm "$PLACE/cut"
    done
}

@test "a table or a column that is missing is found at the mount" {
    for table in setting account image share recipient refusal event feed; do
        cp "$REGISTRY" "$PLACE/damaged"
        sqlite3 "$PLACE/damaged" "DROP TABLE $table"
        assert_no_source "$PLACE/damaged" "$table"
        rm "$PLACE/damaged"
    done
    sqlite3 "$REGISTRY" 'ALTER TABLE feed DROP COLUMN pin'
    assert_no_source "$REGISTRY" feed
}

@test "a table that cannot be read is found at the mount" {
    page=$(sqlite3 "file:$REGISTRY?immutable=1" \
        "SELECT pageno - 1 FROM dbstat WHERE name = 'share' AND path = '/'")
    damage "$REGISTRY" "$page"
    assert_no_source "$REGISTRY" 'restore a backup'
}

@test "deeper damage is EIO where it is met, and the rest goes on" {
    mapfile -t pages < <(pages_of image)
    [ "${#pages[@]}" -gt 1 ]
    damage "$REGISTRY" "${pages[1]}"
    mount_source "$REGISTRY"
    pid=$(daemon_pid "$MNT")

    # The images on the other pages.
    assert_equal "$(cat "$MNT/private/$IMG_GOLDEN/name")" golden
    touch "$MNT/private/$IMG_GOLDEN/shares/alice"
    for lost in "$MNT"/private/*; do
        cat "$lost/image.json" >/dev/null 2>"$PLACE/error" || break
    done
    grep 'Input/output error' "$PLACE/error"
    assert_equal "$(errno_of creat "$lost/shares/alice")" EIO
    grep '^last_error: .* EIO: the store cannot be read' "$MNT/status"
    kill -0 "$pid"
    assert_equal "$(cat "$MNT/private/$IMG_GOLDEN/shares/alice" "$MNT/account/pin")" jcloud-demo

    run "$IMGSHARE" check "$REGISTRY"
    assert_failure 1
    assert_output --partial "$REGISTRY"
}

@test "damage under a running mount is EIO, and ends neither the program nor the mount" {
    mount_source "$REGISTRY"
    pid=$(daemon_pid "$MNT")
    ls "$MNT/private" >/dev/null
    # Everything but the schema and the account; nobody has the log of a mount that nothing was written to.
    damage "$REGISTRY" $(seq 6 26)
    assert_equal "$(errno_of creat "$MNT/private/$IMG_GOLDEN/shares/alice")" EIO
    assert_equal "$(errno_of opendir "$MNT/private/$IMG_MYSQL/shares")" EIO
    run ls "$MNT/private" "$MNT/shared" "$MNT/by-name/private"
    assert_failure
    truncate -s 4096 "$REGISTRY"
    run ls -R "$MNT"
    assert_failure
    assert_equal "$(errno_of creat "$MNT/private/$IMG_GOLDEN/shares/alice")" EIO
    kill -0 "$pid"
    fusermount3 -u "$MNT"
    wait_for 5 mounts_daemon_gone "$pid"
}

@test "a registry that is replaced or removed under a mount is not written to, and nobody reads from two" {
    mount_source "$REGISTRY"
    share=$MNT/private/$IMG_MYSQL/shares
    mkdir "$PLACE/away"
    mv "$REGISTRY"* "$PLACE/away"
    "$IMGSHARE" init "$REGISTRY" --account other --account alice
    # Every thread of the mount has had to do with it.
    run xargs -P 8 -n 1 ls -f <<<"$(yes "$share" | head -n 64)"
    assert_success
    assert_equal "$(printf '%s\n' "${lines[@]}" | grep -cx alice)" 64

    assert_equal "$(errno_of creat "$share/carol")" EIO
    assert_equal "$(errno_of unlink "$share/alice")" EIO
    run rm -f "$share/alice"
    assert_failure 1
    grep '^last_error: .* EIO: the store.s file or its log was moved, removed or replaced' "$MNT/status"
    run grep store-replaced "$MNT/events"
    assert_failure 1
    rm "$REGISTRY"*
    assert_equal "$(errno_of creat "$share/carol")" EIO
    # Back in its place it is the same one.
    mv "$PLACE/away/"* "$PLACE"
    touch "$share/carol"
    unmount "$MNT"
    assert_equal "$(shares_of "$IMG_MYSQL")" $'alice\nbob\ncarol'
}

@test "a registry whose log is removed under a mount is not written to: nobody would find it" {
    mount_source "$REGISTRY"
    share=$MNT/private/$IMG_MYSQL/shares
    touch "$share/carol"
    rm "$REGISTRY-wal" "$REGISTRY-shm"
    assert_equal "$(errno_of creat "$share/partner-lab")" EIO
    assert_equal "$(errno_of unlink "$share/alice")" EIO
    grep "^last_error: .* EIO: the store's file or its log was moved" "$MNT/status"
    # Another one is none of its own either.
    touch "$REGISTRY-wal"
    assert_equal "$(errno_of creat "$share/partner-lab")" EIO
    unmount "$MNT"
    "$IMGSHARE" check "$REGISTRY"
    assert_equal "$(shares_of "$IMG_MYSQL")" $'alice\nbob\ncarol'
    mount_source "$REGISTRY"
    touch "$MNT/private/$IMG_MYSQL/shares/partner-lab"
}

@test "a registry that another file is renamed onto under a mount does not spoil that file" {
    mount_source "$REGISTRY"
    share=$MNT/private/$IMG_MYSQL/shares
    touch "$share/carol"
    "$IMGSHARE" backup "$REGISTRY" "$PLACE/other"
    "$IMGSHARE" account add "$PLACE/other" "$(printf '%0200d' 1)"
    # All that is in the log is in the file as well: the next reader takes nothing from the log.
    sqlite3 "$REGISTRY" 'PRAGMA wal_checkpoint(PASSIVE)'
    log=$(sha256sum "$REGISTRY-wal")
    mv "$PLACE/other" "$REGISTRY"
    assert_equal "$(errno_of creat "$share/dave")" EIO
    assert_equal "$(errno_of unlink "$share/carol")" EIO
    assert_equal "$(errno_of mkdir "$share/dave")" EPERM
    assert_equal "$(sha256sum "$REGISTRY-wal")" "$log"
    "$IMGSHARE" check "$REGISTRY"
    unmount "$MNT"
    "$IMGSHARE" check "$REGISTRY"
}

# --- rights ---

@test "a registry that may not be read is refused by that reason" {
    need_root
    # shellcheck disable=SC2016
    run as_nobody '
        mkdir mnt; chmod 0 registry
        imgsharefs -o account=jcloud-demo registry mnt; status=$?
        ls; grep /mnt/here /proc/mounts; exit $status'
    assert_failure 1
    assert_output 'imgsharefs: /mnt/here/registry: Permission denied; this user may not read it
mnt
registry'
}

@test "who may only read the registry has a read-only mount" {
    need_root
    run as_nobody "
        mkdir mnt shelf; mv registry shelf; chmod 0444 shelf/registry; chmod 0555 shelf
        sum=\$(sha256sum shelf/registry)
        imgsharefs -o account=jcloud-demo shelf/registry mnt || exit
        ls mnt/private/$IMG_MYSQL/shares
        grep ^access mnt/status
        LC_ALL=C touch mnt/private/$IMG_MYSQL/shares/carol
        LC_ALL=C rm -f mnt/private/$IMG_MYSQL/shares/alice
        fusermount3 -u mnt
        ls shelf
        [ \"\$sum\" = \"\$(sha256sum shelf/registry)\" ]"
    assert_success
    assert_output "imgsharefs: /mnt/here/shelf/registry: it, its directory or its disk cannot be written: mounted read-only
alice
bob
access: read-only
touch: cannot touch 'mnt/private/$IMG_MYSQL/shares/carol': Read-only file system
rm: cannot remove 'mnt/private/$IMG_MYSQL/shares/alice': Read-only file system
registry"
}

# --- disks ---

@test "on a full disk a mount keeps listing, and touch is ENOSPC until there is room" {
    new_disk 1m
    mount_source "$REGISTRY"
    fill_disk
    share=$MNT/private/$IMG_GOLDEN/shares
    for _ in 1 2; do
        assert_equal "$(errno_of creat "$share/alice")" ENOSPC
        assert_equal "$(errno_of unlink "$MNT/private/$IMG_MYSQL/shares/alice")" ENOSPC
    done
    assert_equal "$(errno_of stat "$share/alice")" ENOENT
    assert_equal "$(ls "$MNT/private/$IMG_MYSQL/shares")" $'alice\nbob'
    assert_images 19
    grep '^last_error: .* ENOSPC: the disk of the store is full' "$MNT/status"
    assert_equal "$(shares_of "$IMG_GOLDEN")" ''

    rm "$PLACE/disk/filler"
    touch "$share/alice"
    rm "$MNT/private/$IMG_MYSQL/shares/alice"
    unmount "$MNT"
    assert_equal "$(shares_of "$IMG_GOLDEN")" alice
    assert_equal "$(shares_of "$IMG_MYSQL")" bob
    "$IMGSHARE" check "$REGISTRY"
}

@test "on a full disk a new mount lists, and changes nothing" {
    new_disk 1m
    fill_disk
    before=$(sha256sum "$REGISTRY")
    mount_source "$REGISTRY"
    assert_equal "$(ls "$MNT/private/$IMG_MYSQL/shares")" $'alice\nbob'
    run errno_of creat "$MNT/private/$IMG_GOLDEN/shares/alice"
    assert_output --regexp '^(ENOSPC|EROFS)$'
    unmount "$MNT"
    assert_equal "$(sha256sum "$REGISTRY")" "$before"
}

@test "shares that were acknowledged on a disk that fills up are there afterwards" {
    new_disk 300k
    mount_source "$REGISTRY"
    for image in "$IMG_GOLDEN" "$IMG_CHINESE" "$IMG_WINDOWS" "$IMG_RUNNER_A" "$IMG_BARE" "$IMG_ARM"; do
        for pin in alice bob carol dept-0{1..9} dept-1{0..7}; do
            : >"$MNT/private/$image/shares/$pin" && echo "$image $pin" >>"$PLACE/acknowledged"
        done
    done 2>"$PLACE/refused" || true
    grep 'No space left' "$PLACE/refused"
    refute grep -v 'No space left' "$PLACE/refused"
    unmount "$MNT"
    "$IMGSHARE" check "$REGISTRY"
    all_shares | grep -E "$IMG_GOLDEN|$IMG_CHINESE|$IMG_WINDOWS|$IMG_RUNNER_A|$IMG_BARE|$IMG_ARM" |
        sort | diff <(sort "$PLACE/acknowledged") -
}

@test "on a read-only file system everything is listed, and changes are EROFS" {
    new_disk 1m
    mount -o remount,ro "$PLACE/disk"
    mount_source "$REGISTRY"
    grep -E "^[^ ]+ $MNT fuse.imgsharefs ro," /proc/mounts
    assert_equal "$(ls "$MNT/private/$IMG_MYSQL/shares")" $'alice\nbob'
    assert_images 19
    assert_equal "$(errno_of creat "$MNT/private/$IMG_GOLDEN/shares/alice")" EROFS
    assert_equal "$(errno_of unlink "$MNT/private/$IMG_MYSQL/shares/alice")" EROFS
    assert_equal "$(grep ^access "$MNT/status")" 'access: read-only'
    assert_equal "$(ls "$PLACE/disk")" registry
}

@test "a mount on a read-only file system sees what others write to the registry elsewhere" {
    local reader

    new_disk 4m
    mkdir "$PLACE/shelf"
    mount --bind "$PLACE/disk" "$PLACE/shelf"
    mount -o remount,bind,ro "$PLACE/shelf"
    mount_source "$PLACE/shelf/registry"
    reader=$MNT
    assert_equal "$(ls "$reader/private/$IMG_MYSQL/shares")" $'alice\nbob'
    assert_equal "$(cat "$reader/private/$IMG_MYSQL/quota")" 2/20
    assert_not_exists "$reader/private/$IMG_MYSQL/shares/carol"
    # The log of a mount that is at work.
    MNT=$PLACE/writer
    mkdir "$MNT"
    clear_later "$MNT"
    mount_source "$REGISTRY"
    touch "$MNT/private/$IMG_MYSQL/shares/carol"
    wait_for 2 [ -e "$reader/private/$IMG_MYSQL/shares/carol" ]
    assert_equal "$(cat "$reader/private/$IMG_MYSQL/quota")" 3/20
    rm "$MNT/private/$IMG_MYSQL/shares/alice"
    wait_for 2 [ ! -e "$reader/private/$IMG_MYSQL/shares/alice" ]
    assert_equal "$(ls "$reader/private/$IMG_MYSQL/shares")" $'bob\ncarol'
    unmount "$MNT"
    assert_equal "$(ls "$reader/private/$IMG_MYSQL/shares")" $'bob\ncarol'
    unmount "$reader"

    # The file itself, by a program that has ended since.
    sqlite3 "$REGISTRY" 'PRAGMA wal_checkpoint(TRUNCATE)' >/dev/null
    rm -f "$REGISTRY"-{wal,shm}
    MNT=$reader
    mount_source "$PLACE/shelf/registry"
    assert_equal "$(ls "$reader/private/$IMG_MYSQL/shares")" $'bob\ncarol'
    assert_not_exists "$reader/private/img-new0000001"
    echo '{"imageId": "img-new0000001", "name": "new", "status": "ready", "pins": ["alice"]}' |
        "$IMGSHARE" import "$REGISTRY" - --owner jcloud-demo
    wait_for 2 [ -e "$reader/private/img-new0000001/shares/alice" ]
    assert_images 20
}

@test "a mount on a read-only file system shows no other account's images when the registry is replaced" {
    new_disk 4m
    mkdir "$PLACE/shelf"
    mount --bind "$PLACE/disk" "$PLACE/shelf"
    mount -o remount,bind,ro "$PLACE/shelf"
    mount_source "$PLACE/shelf/registry"
    assert_images 19
    cp "$REGISTRY" "$PLACE/disk/kept"
    # Its first account is another.
    "$IMGSHARE" init "$PLACE/disk/other" --account mallory --account jcloud-demo
    echo '{"imageId": "img-secret00001", "name": "secret", "status": "ready"}' |
        "$IMGSHARE" import "$PLACE/disk/other" - --owner mallory
    mv "$PLACE/disk/other" "$REGISTRY"
    assert_equal "$(errno_of opendir "$MNT/private")" EIO
    assert_equal "$(errno_of stat "$MNT/private/img-secret00001")" EIO
    rm "$REGISTRY"
    assert_equal "$(errno_of opendir "$MNT/private")" EIO
    # A copy of the same one is it.
    mv "$PLACE/disk/kept" "$REGISTRY"
    assert_images 19
    grep '^last_error: .* EIO: the store.s file or its log was moved, removed or replaced' "$MNT/status"
}

@test "a registry whose program was killed can be listed from a read-only file system" {
    new_disk 1m
    mount_source "$REGISTRY"
    touch "$MNT/private/$IMG_GOLDEN/shares/alice"
    kill -KILL "$(daemon_pid "$MNT")"
    fusermount3 -u -z "$MNT"
    # It is busy while what was killed has yet to close its files.
    wait_for 10 mount -o remount,ro "$PLACE/disk"
    mount_source "$REGISTRY"
    assert_equal "$(ls "$MNT/private/$IMG_GOLDEN/shares")" alice
    assert_equal "$(errno_of creat "$MNT/private/$IMG_GOLDEN/shares/bob")" EROFS
}

# --- accounts ---

@test "an account that the registry does not hold is named, and where to look" {
    assert_no_source "$REGISTRY" 'no account "nobody-here"' account=nobody-here
    assert_no_source "$REGISTRY" "imgshare account list $REGISTRY" account=nobody-here
    # A mobile number is no account, and what a terminal would obey is not printed.
    assert_no_source "$REGISTRY" 'no account "13800138000"' account=13800138000
    assert_no_source "$REGISTRY" '\x1b' $'account=a\e[2Jb'
}

@test "of several accounts one must be named" {
    assert_no_source "$REGISTRY" '-o account=PIN' ro
}

@test "a registry without an account cannot be mounted; one with one needs no account=" {
    "$IMGSHARE" init "$PLACE/small"
    assert_no_source "$PLACE/small" "imgshare account add $PLACE/small PIN" rw
    "$IMGSHARE" account add "$PLACE/small" only-one
    mount_source "$PLACE/small" rw
    assert_equal "$(cat "$MNT/account/pin")" only-one
}
