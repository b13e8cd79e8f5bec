#!/usr/bin/env bats
# Mounting and unmounting: command line, options, signals, mount points, other users.

load helpers

setup()
{
    new_registry
    PLACE=$(cd "$BATS_TEST_TMPDIR" && pwd -P)
    REGISTRY=$PLACE/registry
    MNT=$PLACE/mnt
    LOG=$PLACE/log
    mkdir "$MNT"
    clear_later "$MNT"
}

# mount_here ARG...: in the background, for jcloud-demo.
mount_here()
{
    "$IMGSHAREFS" -o account=jcloud-demo "$@" "$REGISTRY" "$MNT" </dev/null 3>&-
}

# serve: the same in the foreground, with messages in LOG; sets DAEMON.
serve()
{
    "$IMGSHAREFS" -f -o account=jcloud-demo "$REGISTRY" "$MNT" </dev/null >"$LOG" 2>&1 3>&- &
    DAEMON=$!
    wait_for 10 is_mounted "$MNT"
}

# assert_end SECONDS: DAEMON ends by then, with 0, and leaves no mount and no log of SQLite's.
assert_end()
{
    local status=0

    wait_for "$1" mounts_daemon_gone "$DAEMON"
    wait "$DAEMON" || status=$?
    assert_equal "$status" 0
    refute_mounted
    assert_not_exists "$REGISTRY-wal"
    assert_not_exists "$REGISTRY-shm"
}

mounted_times()
{
    mounts_list | grep -cFx -- "$MNT" || true
}

refute_mounted()
{
    [ "$(mounted_times)" -eq 0 ] || fail "$MNT is mounted"
}

# assert_refused STATUS WORDS ARG...: imgsharefs ARG... exits with STATUS, says WORDS on stderr and
# nothing on stdout, and leaves no mount and no process.
assert_refused()
{
    local expected=$1 words=$2

    shift 2
    status=0
    timeout 20 "$IMGSHAREFS" "$@" </dev/null >"$LOG" 2>"$PLACE/error" 3>&- || status=$?
    stderr=$(<"$PLACE/error")
    [ "$status" -eq "$expected" ] || fail "exit status $status of: imgsharefs $* ($stderr)"
    [[ $stderr == "imgsharefs: "*"$words"* ]] || fail "no \"$words\" of: imgsharefs $*: $stderr"
    assert_equal "$(cat "$LOG")" ''
    refute_mounted
    assert_equal "$(mounts_daemons "$MNT")" ''
}

# --- the command line ---

@test "the program returns when the mount can be used, and not before" {
    # The next one does not wait for the last daemon's end.
    for i in {1..50}; do
        mount_here && ls "$MNT/private/$IMG_GOLDEN/shares" || fail "round $i"
        fusermount3 -u "$MNT"
    done
    for pid in $(mounts_daemons "$MNT"); do wait_for 5 mounts_daemon_gone "$pid"; done
}

@test "in the background nothing of its caller is held on to" {
    output=$(cd "$PLACE" && timeout 10 "$IMGSHAREFS" -o account=jcloud-demo "$REGISTRY" "$MNT" 3>&-)
    assert_equal "$output" ''
    pid=$(daemon_pid "$MNT")
    assert_equal "$(readlink "/proc/$pid/cwd")" /
    for fd in 0 1 2; do
        assert_equal "$(readlink "/proc/$pid/fd/$fd")" /dev/null
    done
    # It has left the session that it was started in.
    assert_equal "$(ps -o sid= -p "$pid" | tr -d ' ')" "$pid"
}

@test "with -f it stays in the foreground; umount ends it, with 0, and frees everything" {
    serve
    touch "$MNT/private/$IMG_GOLDEN/shares/alice"
    kill -0 "$DAEMON"
    fusermount3 -u "$MNT"
    assert_end 5
    rmdir "$MNT"
    "$IMGSHARE" check "$REGISTRY"
}

@test "-d stays, too, and logs each request" {
    "$IMGSHAREFS" -d -o account=jcloud-demo "$REGISTRY" "$MNT" </dev/null >"$LOG" 2>&1 3>&- &
    DAEMON=$!
    wait_for 10 is_mounted "$MNT"
    ls "$MNT/private"
    touch "$MNT/private/$IMG_GOLDEN/shares/alice"
    for request in LOOKUP READDIR CREATE; do
        grep "opcode: $request" "$LOG"
    done
    fusermount3 -u "$MNT"
    assert_end 5
}

@test "--help and --version go to standard output and succeed" {
    for word in -h --help -V --version; do
        run --separate-stderr "$IMGSHAREFS" "$word"
        assert_success
        assert_equal "$stderr" ''
        [ -n "$output" ]
    done
    run "$IMGSHAREFS" --version
    assert_output --regexp '^imgsharefs [0-9]+\.[0-9]+\.[0-9]+$'
    run "$IMGSHAREFS" --help
    assert_line --index 0 --partial 'imgsharefs [-f] [-d]'
    for option in ro account= allow_other uid= gid= umask= allow= trust= nocancel maxcancel=; do
        assert_line --regexp "^  $option"
    done
    run eval '"$IMGSHAREFS" --help >/dev/full'
    assert_failure 1
    assert_output --partial 'No space left'
}

@test "a wrong call is refused with status 2, by the word that is wrong" {
    assert_refused 2 REGISTRY
    assert_refused 2 MOUNTPOINT "$REGISTRY"
    assert_refused 2 'surplus' "$REGISTRY" "$MNT" surplus
    assert_refused 2 '-x' -x "$REGISTRY" "$MNT"
    assert_refused 2 '--bogus' --bogus "$REGISTRY" "$MNT"
    assert_refused 2 'bogus' -o account=jcloud-demo,bogus "$REGISTRY" "$MNT"
    assert_refused 2 'rw2' -o rw2 "$REGISTRY" "$MNT"
    assert_refused 2 'frobnicate=...' -o frobnicate=1 "$REGISTRY" "$MNT"
    assert_refused 2 'ro=...' -o ro=1 "$REGISTRY" "$MNT"
    assert_refused 2 '-o' "$REGISTRY" "$MNT" -o
}

@test "an option without the value that it needs is named" {
    for option in account allow trust uid gid umask maxcancel; do
        assert_refused 2 "$option needs a value" -o "$option" "$REGISTRY" "$MNT"
    done
}

@test "a number that is none is refused" {
    for option in uid=x uid= uid=-1 uid=4294967295 gid=root gid=99999999999999999999 \
        umask=8 umask=1000 maxcancel=1x maxcancel=-1; do
        assert_refused 2 "$option" -o "account=jcloud-demo,$option" "$REGISTRY" "$MNT"
    done
}

# --- the options ---

@test "ro: everything can be read, nothing shared or cancelled" {
    mount_here -o ro
    grep -E "^[^ ]+ $MNT fuse.imgsharefs ro," /proc/mounts
    assert_equal "$(cat "$MNT/private/$IMG_MYSQL/status")" available
    assert_equal "$(errno_of creat "$MNT/private/$IMG_MYSQL/shares/carol")" EROFS
    assert_equal "$(errno_of unlink "$MNT/private/$IMG_MYSQL/shares/alice")" EROFS
    assert_equal "$(grep ^access "$MNT/status")" 'access: read-only'
    assert_equal "$(shares_of "$IMG_MYSQL")" $'alice\nbob'
}

@test "account= chooses whose images are shown" {
    mount_registry -o account=partner-lab
    assert_equal "$(cat "$MNT/account/pin")" partner-lab
    assert_exists "$MNT/private/$IMG_PARTNER_UNSHARED"
    assert_not_exists "$MNT/private/$IMG_GOLDEN"
}

@test "uid=, gid= and umask= are what stat shows of every file" {
    mount_here -o uid=1234,gid=5678,umask=027
    for path in . events private "private/$IMG_MYSQL/name" "private/$IMG_MYSQL/shares/alice"; do
        assert_equal "$(stat -c %u:%g "$MNT/$path")" 1234:5678
    done
    assert_equal "$(stat -c %a "$MNT/private/$IMG_MYSQL/shares")" 750
    assert_equal "$(stat -c %a "$MNT/private/$IMG_MYSQL/name")" 440
    assert_equal "$(stat -c %a "$MNT/private/$IMG_MYSQL/shares/alice")" 640
}

@test "without them files are of who mounts, 0755, 0444 and 0644; umask=0 is 0777 and 0666" {
    mount_here
    image=$MNT/private/$IMG_MYSQL
    assert_equal "$(stat -c %u:%g:%a "$image/shares")" "$(id -u):$(id -g):755"
    assert_equal "$(stat -c %a "$image/name" "$image/shares/alice")" $'444\n644'
    unmount "$MNT"
    mount_here -o umask=0
    assert_equal "$(stat -c %a "$image/shares" "$image/name" "$image/shares/alice")" $'777\n444\n666'
}

@test "allow= binds sharing, not cancelling" {
    echo carol >"$PLACE/allow"
    mount_here -o allow="$PLACE/allow"
    cd "$MNT/private/$IMG_MYSQL/shares"
    assert_equal "$(errno_of creat partner-lab)" EPERM
    assert_equal "$(errno_of creat carol)" OK
    assert_equal "$(errno_of unlink bob)" OK
    assert_equal "$(shares_of "$IMG_MYSQL")" $'alice\ncarol'
}

@test "trust= says whose images are trusted" {
    printf '# partners\r\npartner-lab\tthe lab\r\n' >"$PLACE/trust"
    mount_here -o trust="$PLACE/trust"
    assert_equal "$(cat "$MNT/shared/$IMG_PARTNER_ML/trusted")" yes
}

@test "a list that cannot be read, or holds what is no pin, is no mount" {
    printf 'alice\nwith/slash\n' >"$PLACE/bad"
    for option in allow trust; do
        assert_refused 1 "$PLACE/missing" -o "account=jcloud-demo,$option=$PLACE/missing" \
            "$REGISTRY" "$MNT"
        assert_refused 1 "$PLACE/bad:2" -o "account=jcloud-demo,$option=$PLACE/bad" "$REGISTRY" "$MNT"
        assert_refused 1 "$PLACE" -o "account=jcloud-demo,$option=$PLACE" "$REGISTRY" "$MNT"
    done
}

@test "nocancel: rm is refused, touch is not" {
    mount_here -o nocancel
    assert_equal "$(errno_of unlink "$MNT/private/$IMG_MYSQL/shares/alice")" EPERM
    touch "$MNT/private/$IMG_MYSQL/shares/carol"
    assert_equal "$(shares_of "$IMG_MYSQL")" $'alice\nbob\ncarol'
}

@test "maxcancel=2: a process cancels two shares of an image, and not a third" {
    mount_here -o maxcancel=2
    cd "$MNT/private/$IMG_FULL/shares"
    run rm dept-01 dept-02 dept-03
    assert_failure
    assert_output --partial "'dept-03': Operation not permitted"
    assert_not_exists dept-01
    assert_not_exists dept-02
    assert_exists dept-03
    rm dept-03 # another process
}

@test "the words of fstab and mount(8) are accepted" {
    local words=_netdev,nofail,x-systemd.automount,x-gvfs-hide,defaults,noauto,user,rw,nosuid,nodev
    words+=,noexec,noatime,relatime,comment=x

    mount_here -o "$words"
    grep -E "^[^ ]+ $MNT fuse.imgsharefs rw,nosuid,nodev,noexec,noatime," /proc/mounts
    unmount "$MNT"
    mount_here -o defaults,,noexec, # as a line of fstab may well look
    unmount "$MNT"
    # With these it comes as far as the mount point.
    for word in ${words//,/ } auto nouser users owner group suid dev exec atime strictatime sync async \
        nodiratime lazytime x-systemd.idle-timeout=60 X-mount.mkdir; do
        assert_refused 1 'no such directory' -o "account=jcloud-demo,$word" "$REGISTRY" "$PLACE/none"
    done
}

# --- what the kernel's table shows ---

@test "the kernel's table has the absolute path of the registry, and the type fuse.imgsharefs" {
    (cd "$PLACE" && "$IMGSHAREFS" -o account=jcloud-demo registry mnt </dev/null 3>&-)
    assert_equal "$(findmnt -n -o FSTYPE,SOURCE "$MNT" | tr -s ' ')" "fuse.imgsharefs $REGISTRY"
    ls "$MNT/private/$IMG_GOLDEN"
    fusermount3 -u "$MNT"
    wait_for 5 test ! -e "$REGISTRY-wal"
}

@test "paths may hold blanks, commas, quotes and backslashes" {
    mkdir "$PLACE/odd, \"place\" \\ä"
    mv "$REGISTRY" "$PLACE/odd, \"place\" \\ä/my, registry?#%20"
    REGISTRY="$PLACE/odd, \"place\" \\ä/my, registry?#%20"
    MNT="$PLACE/odd, \"place\" \\ä/mnt 1"
    mkdir "$MNT"
    clear_later "$MNT"
    mount_here
    touch "$MNT/private/$IMG_GOLDEN/shares/alice"
    assert_equal "$(findmnt -n -o SOURCE "$MNT")" "$REGISTRY"
    fusermount3 -u "$MNT"
    wait_for 5 test ! -e "$REGISTRY-wal"
    assert_equal "$(shares_of "$IMG_GOLDEN")" alice
}

@test "df, df -i and df -l take the mount for what it is" {
    mount_here
    timeout 5 df "$MNT"
    timeout 5 df -i "$MNT"
    timeout 5 df -l || [ $? -eq 1 ] # it may complain of other mounts
}

# --- mount points ---

@test "a mount point must be an empty directory" {
    assert_refused 1 "$PLACE/none: no such directory" -o account=jcloud-demo "$REGISTRY" "$PLACE/none"
    assert_refused 1 "$REGISTRY: not a directory" -o account=jcloud-demo "$REGISTRY" "$REGISTRY"
    echo kept >"$MNT/file"
    assert_refused 1 "$MNT: not empty" -o account=jcloud-demo "$REGISTRY" "$MNT"
    assert_equal "$(cat "$MNT/file")" kept
}

@test "a symbolic link to a directory is a mount point, and one to a registry a source" {
    mkdir "$PLACE/links"
    ln -s "$MNT" "$PLACE/links/mnt"
    ln -s ../registry "$PLACE/links/registry"
    (cd "$PLACE/links" && "$IMGSHAREFS" -o account=jcloud-demo registry mnt </dev/null 3>&-)
    is_mounted "$MNT"
    touch "$PLACE/links/mnt/private/$IMG_GOLDEN/shares/alice"
    assert_not_exists "$PLACE/links/registry-lock" # which no other mount would queue on
    fusermount3 -u "$MNT"
    wait_for 5 test ! -e "$REGISTRY-wal"
}

@test "a second mount on the same place is refused, and never stacked" {
    mount_here
    run mount_here
    assert_failure 1
    assert_output --partial "$MNT: already mounted, from $REGISTRY"
    assert_equal "$(mounted_times)" 1
}

@test "of two that mount on the same place at once, one is refused" {
    for _ in {1..8}; do
        mount_here 2>"$PLACE/first" &
        first=$!
        mount_here 2>"$PLACE/second" &
        second=$!
        status=0
        wait "$first" || ((status += $?))
        wait "$second" || ((status += $?))
        assert_equal "$(mounted_times)" 1
        assert_equal "$status" 1
        grep -h 'already mounted' "$PLACE/first" "$PLACE/second"
        unmount "$MNT"
    done
}

@test "umount while a file is open is refused, and takes nothing away" {
    mount_here
    exec {open}<"$MNT/status"
    run fusermount3 -u "$MNT"
    assert_failure
    assert_output --partial busy
    assert_equal "$(cat "$MNT/account/pin")" jcloud-demo
    exec {open}<&-
    unmount "$MNT"
    refute_mounted
}

@test "a dead mount point is explained, and after umount -l all acknowledged shares are there" {
    mount_here
    pid=$(daemon_pid "$MNT")
    for image in "$IMG_GOLDEN" "$IMG_CHINESE" "$IMG_BARE" "$IMG_ARM"; do
        for pin in alice bob dept-0{1..9}; do
            touch "$MNT/private/$image/shares/$pin" 2>/dev/null && echo "$image $pin"
        done
    done >"$PLACE/acknowledged" 3>&- &
    wait_for 10 grep -F dept-05 "$PLACE/acknowledged"
    kill -KILL "$pid"
    wait $! || true

    run mount_here
    assert_failure
    assert_output --partial 'dead mount'
    assert_output --partial "umount -l $MNT"
    fusermount3 -u -z "$MNT"
    mount_here
    while read -r image pin; do
        assert_exists "$MNT/private/$image/shares/$pin"
    done <"$PLACE/acknowledged"
    "$IMGSHARE" check "$REGISTRY"
}

# --- the end ---

@test "SIGTERM and SIGINT unmount, and it ends with 0" {
    for signal in TERM INT; do
        serve
        kill "-$signal" "$DAEMON"
        assert_end 2
    done
}

@test "SIGTERM ends it within 2 s though touches hang on another program's lock" {
    serve
    hold_lock
    TOUCHES=()
    touch_later "$IMG_GOLDEN/shares/alice"
    wait_for 5 lock_awaited
    touch_later "$IMG_GOLDEN/shares/bob"
    touch_later "$IMG_BARE/shares/alice"
    for pid in "${TOUCHES[@]}"; do wait_for 5 touch_waits "$pid"; done
    kill -TERM "$DAEMON"
    wait_for 2 mounts_daemon_gone "$DAEMON"
    for pid in "${TOUCHES[@]}"; do wait "$pid" && fail 'a touch exited with 0'; done
    release_lock
    assert_end 2
    assert_equal "$(shares_of "$IMG_GOLDEN")$(shares_of "$IMG_BARE")" ''
}

@test "SIGHUP reads the lists again; a bad one leaves the old, and an event says so" {
    echo carol >"$PLACE/allow"
    mount_here -o allow="$PLACE/allow"
    share=$MNT/private/$IMG_GOLDEN/shares
    assert_equal "$(errno_of creat "$share/alice")" EPERM
    echo alice >>"$PLACE/allow"
    pid=$(daemon_pid "$MNT")
    kill -HUP "$pid"
    wait_for 2 touch "$share/alice"
    echo bad/pin >"$PLACE/allow"
    kill -HUP "$pid"
    wait_for 2 grep 'action=reload outcome=refused' "$MNT/events"
    grep "action=reload.*$PLACE/allow:1" "$MNT/events"
    touch "$share/carol"
    assert_equal "$(errno_of creat "$share/bob")" EPERM
}

@test "a mount whose caller is killed before it can be used does not stay" {
    # Until somebody writes the list, the program waits for it.
    mkfifo "$PLACE/list"
    for signal in INT TERM KILL; do
        env --default-signal=INT "$IMGSHAREFS" -o "account=jcloud-demo,allow=$PLACE/list" \
            "$REGISTRY" "$MNT" </dev/null 2>/dev/null 3>&- &
        caller=$!
        wait_for 5 pgrep -P "$caller"
        daemon=$(pgrep -P "$caller")
        kill "-$signal" "$caller"
        wait "$caller" && fail "exit status 0 after SIG$signal"
        timeout 5 tee "$PLACE/list" <<<alice
        wait_for 5 mounts_daemon_gone "$daemon"
        refute_mounted
    done
}

# --- other users ---

@test "another user may not even look, unless allow_other is given" {
    need_root
    mount_here
    run as_nobody 'ls /mnt/there'
    assert_failure
    assert_output --partial 'Permission denied'
    unmount "$MNT"

    mount_here -o allow_other
    run as_nobody "ls /mnt/there/private/$IMG_MYSQL/shares && cat /mnt/there/private/$IMG_MYSQL/name"
    assert_success
    assert_output $'alice\nbob\nmysql-8.0'
}

@test "with allow_other the modes say who may share and cancel" {
    need_root
    mount_here -o allow_other
    run as_nobody "LC_ALL=C touch /mnt/there/private/$IMG_MYSQL/shares/carol"
    assert_failure
    assert_output --partial 'Permission denied'
    run as_nobody "LC_ALL=C rm -f /mnt/there/private/$IMG_MYSQL/shares/alice"
    assert_failure
    run as_nobody 'cat /mnt/there/events'
    assert_failure
    assert_equal "$(shares_of "$IMG_MYSQL")" $'alice\nbob'
    unmount "$MNT"

    for options in uid=65534 gid=65534,umask=002; do
        mount_here -o "allow_other,$options"
        as_nobody "touch /mnt/there/private/$IMG_MYSQL/shares/carol"
        tail -n 1 "$MNT/events" | grep 'action=share .*pin=carol outcome=done uid=65534 '
        rm "$MNT/private/$IMG_MYSQL/shares/carol"
        unmount "$MNT"
    done
}

@test "a user without rights mounts and unmounts by way of fusermount3" {
    need_root
    run as_nobody "
        mkdir mnt && imgsharefs -o account=jcloud-demo registry mnt &&
        touch mnt/private/$IMG_GOLDEN/shares/alice && stat -c %U:%a mnt/private &&
        fusermount3 -u mnt && ls -A mnt && imgshare export registry | grep -c '\"pins\":\[\"alice\"\]'"
    assert_success
    assert_output $'nobody:755\n1'
}

@test "allow_other of such a user needs /etc/fuse.conf, and that is said" {
    need_root
    # shellcheck disable=SC2016
    run as_nobody '
        mkdir mnt
        imgsharefs -o account=jcloud-demo,allow_other registry mnt && exit 9
        status=$?; grep /mnt/here /proc/mounts; pgrep imgsharefs; exit $status'
    assert_failure 1
    assert_line --regexp 'user_allow_other.* /etc/fuse.conf'
    assert_line --index 1 'imgsharefs: /mnt/here/mnt: cannot be mounted'
    [ "${#lines[@]}" -eq 2 ]
}

@test "without /dev/fuse it says so, and what to do" {
    need_root
    run without_fuse "$IMGSHAREFS" -o account=jcloud-demo "$REGISTRY" "$MNT" 3>&-
    assert_failure 1
    assert_output --partial '/dev/fuse is missing'
    assert_output --partial 'modprobe fuse'
    assert_equal "$(mounts_daemons "$MNT")" ''
}
