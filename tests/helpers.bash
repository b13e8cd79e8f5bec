# shellcheck shell=bash disable=SC2034
# What the bats suites share: `load helpers` at the top of a suite.
#
# A suite gets a registry and a mount with new_registry and mount_registry; teardown unmounts all.
# A suite with a teardown of its own calls unmount_all there.
#
# IMGSHARE_BUILD     the build to test (default: build/ in the project)
# IMGSHARE_SANITIZE  set by tests/run when that build has the sanitizers: see skip_if_sanitized
# IMGSHARE_TEST_SOURCE  "cloud": the suite runs against the fake cloud: see cloud_source.bash

bats_require_minimum_version 1.5.0

TESTS=$(cd "${BASH_SOURCE[0]%/*}" && pwd -P)
PROJECT=${TESTS%/*}
BUILD=${IMGSHARE_BUILD:-$PROJECT/build}
IMGSHARE=$BUILD/imgshare
IMGSHAREFS=$BUILD/imgsharefs
SAMPLE=$PROJECT/docs/examples

# Images of docs/examples/images.json; its README says what each is there for.
IMG_GOLDEN=img-m5s0abcd29
IMG_MYSQL=img-h7k2wq9x4e
IMG_CHINESE=img-c3n8zt5y1u
IMG_WINDOWS=img-w9d4rv6m2s
IMG_RUNNER_A=img-r1f6pj3b8k
IMG_RUNNER_B=img-r4q7xh2n5c
IMG_ARM=img-a6m1gu8t3z
IMG_BARE=img-q2y5kd7v9l
IMG_IMPORTED=img-x8b3fs6w0j
IMG_LOCAL=img-l5t9ne1c7h
IMG_FULL=img-f0u2lm4o6d
IMG_PENDING=img-p7e1nd5g3a
IMG_DELETING=img-d2l6gz8q4i
IMG_ERROR=img-e4r0xy7k1m
IMG_SNAPSHOT=img-s3v8jb2p6w
IMG_SNAPSHOT_TOP=img-o1g5hc9r7t
IMG_SNAPSHOT_DATA=img-k6z2wd4a8n
IMG_ENCRYPTED=img-y9c7qe3u5f
IMG_EVERYONE=img-b5j1ot8x2g
IMG_PARTNER_ML=img-n8a4vk6e0p
IMG_PARTNER_GOLDEN=img-g2w5ys9l3b
IMG_PARTNER_CHINESE=img-t7h0mf1d8q
IMG_PARTNER_UNSHARED=img-z4p9cu2j6r
IMG_PARTNER_PENDING=img-v1x3io5s7y

# The system's python starts several times faster than a version manager's shim.
PYTHON=/usr/bin/python3
[ -x "$PYTHON" ] || PYTHON=python3

# shellcheck source-path=SCRIPTDIR source=../mountscripts/lib/mounts.sh
. "$PROJECT/mountscripts/lib/mounts.sh"

# In a shell of its own: bats traps every command of every function, and this looks at all processes.
mounts_daemons()
{
    # shellcheck disable=SC2016
    bash -c '. "$1" && mounts_daemons "$2"' bash "$PROJECT/mountscripts/lib/mounts.sh" "$1"
}

# As their load.bash do, but without a process a file: this runs for every test.
for helper in "${BATS_LIBRARIES:-/usr/lib/bats}"/bats-{support,assert,file}/src/*.bash; do
    # shellcheck source=/dev/null
    . "$helper"
done
unset helper

skip_if_sanitized()
{
    [ -z "${IMGSHARE_SANITIZE-}" ] || skip "${1:-not meaningful under the sanitizers}"
}

skip_if_cloud()
{
    [ "${IMGSHARE_TEST_SOURCE-}" != cloud ] || skip "${1:-about a registry}"
}

# wait_for SECONDS CMD...: tries CMD every 20 ms until it succeeds; fails after SECONDS and says so.
wait_for()
{
    local seconds=$1 fraction start=${EPOCHREALTIME//[.,]/}

    shift
    fraction=${seconds#"${seconds%%.*}"}
    fraction=${fraction#.}000
    local limit=$((start + (10#0${seconds%%.*} * 1000 + 10#${fraction:0:3}) * 1000))
    until "$@" >/dev/null 2>&1; do
        if ((${EPOCHREALTIME//[.,]/} > limit)); then
            printf 'wait_for: still failing after %s s: %s\n' "$seconds" "$*" >&2
            return 1
        fi
        sleep 0.02
    done
}

# within SECONDS WHAT CMD...: wait_for, and prints how long it took until WHAT was so.
within()
{
    local seconds=$1 what=$2 start=${EPOCHREALTIME//[.,]/} took

    shift 2
    wait_for "$seconds" "$@" || return
    took=$(((${EPOCHREALTIME//[.,]/} - start) / 1000))
    printf '# %s: %d.%03d s\n' "$what" $((took / 1000)) $((took % 1000)) >&3
}

# make_sample REGISTRY [ARGS]: the sample of docs/examples; ARGS go to imgshare init.
make_sample()
{
    local registry=$1 pin mobile

    shift
    "$IMGSHARE" init "$registry" "$@" || return
    while IFS=$'\t' read -r pin mobile; do
        case $pin in
        '' | '#'*) ;;
        *)
            "$IMGSHARE" account add "$registry" "$pin" ${mobile:+--mobile "$mobile"} </dev/null ||
                return
            ;;
        esac
    done <"$SAMPLE/accounts.txt"
    "$IMGSHARE" import "$registry" "$SAMPLE/images.json" </dev/null
}

# new_registry [ARGS]: sets REGISTRY to a new sample registry, and SOURCE to what df calls it. Without ARGS it is a copy of one that
# is made once a suite.
new_registry()
{
    local master=$BATS_FILE_TMPDIR/sample.registry

    REGISTRY=$BATS_TEST_TMPDIR/registry
    rm -f -- "$REGISTRY"*
    if [ $# -gt 0 ]; then
        make_sample "$REGISTRY" "$@" >/dev/null
        return
    fi
    if [ ! -e "$master" ]; then
        rm -f -- "$master.new"*
        make_sample "$master.new" >/dev/null && mv -- "$master.new" "$master" || return
    fi
    cp -- "$master" "$REGISTRY"
    SOURCE=$(realpath "$REGISTRY")
}

# new_place [ARGS]: sets REGISTRY to a new sample registry and MNT to an empty mount point, both in PLACE.
new_place()
{
    new_registry "$@" || return
    PLACE=$(cd "$BATS_TEST_TMPDIR" && pwd -P)
    REGISTRY=$PLACE/registry
    MNT=$PLACE/mnt
    mkdir "$MNT" || return
    clear_later "$MNT"
}

is_mounted()
{
    mounts_list | grep -Fx -- "$1" >/dev/null
}

# mount_any NAME OPTIONS SOURCE [DIR]: what mount_registry and mount_cloud do; NAME is the one that
# complains. Sets MNT: a new directory unless DIR is given. Descriptor 3 is closed because bats waits
# for everyone that holds it: close it too (3>&-) when starting imgsharefs by hand.
mount_any()
{
    local name=$1 options=$2 source=$3 number=1 log

    shift 3
    if [ $# -gt 0 ]; then
        MNT=$1
    else
        while [ -d "$BATS_TEST_TMPDIR/mnt$number" ]; do ((number += 1)); done
        MNT=$BATS_TEST_TMPDIR/mnt$number
    fi
    mkdir -p -- "$MNT" || return
    MNT=$(cd "$MNT" && pwd -P)
    # Written down first, and in a file: the mount may come about though the program failed, and
    # `run` is a subshell.
    printf '%s\n' "$MNT" >>"$BATS_TEST_TMPDIR/.mounts"
    log=$BATS_TEST_TMPDIR/mount.log
    "$IMGSHAREFS" -o "$options" "$source" "$MNT" </dev/null >"$log" 2>&1 3>&- || {
        printf '%s: exit status %s: %s\n' "$name" $? "$(cat "$log")" >&2
        return 1
    }
    is_mounted "$MNT" || {
        printf '%s: exit status 0, but %s is not mounted\n' "$name" "$MNT" >&2
        return 1
    }
}

# mount_registry [-o OPTIONS] [DIR]: mounts REGISTRY, for jcloud-demo unless OPTIONS name an account,
# on a new directory unless DIR is given; sets MNT.
mount_registry()
{
    local options=''

    if [ "${1-}" = -o ]; then
        options=$2
        shift 2
    fi
    [[ ,$options, == *,account=* ]] || options=account=jcloud-demo${options:+,$options}
    mount_any mount_registry "$options" "$REGISTRY" "$@"
}

# new_mount [ARGS of mount_registry]: a new sample registry, mounted.
new_mount()
{
    # shellcheck disable=SC2119 # these are not its arguments
    new_registry
    mount_registry "$@"
}

# daemon_pid MNT: the process that serves it.
daemon_pid()
{
    mounts_daemons "$1" | grep . || {
        printf 'daemon_pid: no process serves %s\n' "$1" >&2
        return 1
    }
}

# unmount MNT: must succeed, and the daemon must end.
unmount()
{
    local pid pids

    pids=$(daemon_pid "$1") || return
    fusermount3 -u -- "$1" || return
    for pid in $pids; do
        wait_for 10 mounts_daemon_gone "$pid" || return
    done
}

# unmount_all: for teardown. What does not unmount in the normal way is torn down by force.
unmount_all()
{
    unmount_all_mounts
}

unmount_all_mounts()
{
    local mnt pid
    local -a mnts=()

    [ -e "$BATS_TEST_TMPDIR/.mounts" ] || return 0
    mapfile -t mnts < <(tac "$BATS_TEST_TMPDIR/.mounts")
    for mnt in "${mnts[@]}"; do
        is_mounted "$mnt" && unmount "$mnt" 2>/dev/null && continue
        # The daemon goes first: that frees whoever hangs in a call.
        for pid in $(mounts_daemons "$mnt"); do
            kill -KILL "$pid" 2>/dev/null
        done
        is_mounted "$mnt" && fusermount3 -u -z -- "$mnt"
    done
    rm -f -- "$BATS_TEST_TMPDIR/.mounts"
}

# clear_later DIR: what gets mounted on DIR otherwise than by mount_registry, unmount_all unmounts.
clear_later()
{
    printf '%s\n' "$1" >>"$BATS_TEST_TMPDIR/.mounts"
}

teardown()
{
    unmount_all
}

# errno_of CALL PATH [ARG]...: does one system call, prints OK or the name of the errno. errno_of --each
# and errno_of --table do several: see there.
errno_of()
{
    "$PYTHON" -IS "$TESTS/errno_of.py" "$@"
}

# assert_errnos <<END: lines of EXPECTED CALL PATH [ARG]...; all come out as expected.
assert_errnos()
{
    local differences

    differences=$(errno_of --table) || fail "$differences"
}

# assert_event FIELD...: the newest line of the log has each FIELD, as in assert_event errno=EBUSY.
assert_event()
{
    local line field

    line=" $(tail -n 1 -- "$MNT/events") " || return
    for field; do
        [[ $line == *" $field "* || $line == *" ${field%%=*}=\"${field#*=}\" "* ]] && continue
        printf 'no %s in the newest event:%s\n' "$field" "$line" >&2
        return 1
    done
}

# assert_shares IMAGE_ID [PIN]...: it is shared with these, and no others.
assert_shares()
{
    local image=$1

    shift
    assert_equal "$(shares_of "$image")" "$(printf '%s\n' "$@" | LC_ALL=C sort)"
}

# add_account PIN: one more account.
add_account()
{
    "$IMGSHARE" account add "$REGISTRY" "$1"
}

# all_shares: every share in the registry, as IMAGE_ID PIN, in no particular but always the same order.
all_shares()
{
    local records

    records=$("$IMGSHARE" export "$REGISTRY") || return
    "$PYTHON" -IS -c '
import json, sys
for line in sys.stdin.buffer:
    record = json.loads(line)
    for pin in sorted(record.get("pins", [])):
        sys.stdout.buffer.write(("%s %s\n" % (record["imageId"], pin)).encode())
' <<<"$records"
}

# image_of ID [KEY VALUE]...: the record of an image of jcloud-demo, for import. A VALUE that begins
# with a bracket is JSON as it is, any other is text.
image_of()
{
    "$PYTHON" -IS -c '
import json, sys
record = {"imageId": sys.argv[1], "name": sys.argv[1], "ownerPin": "jcloud-demo", "status": "ready"}
for key, value in zip(sys.argv[2::2], sys.argv[3::2]):
    record[key] = json.loads(value) if value.startswith(("[", "{")) else value
print(json.dumps(record))
' "$@"
}

# import_image ID [KEY VALUE]...: the same, imported into REGISTRY.
import_image()
{
    image_of "$@" | "$IMGSHARE" import "$REGISTRY" - >/dev/null
}

# share_unlistable ID: shares it, in REGISTRY, with an account that no file name can be.
share_unlistable()
{
    sqlite3 "$REGISTRY" "
        INSERT INTO account (pin, private_ns, names_ns, received_ns, owners_ns, recipients_ns, received)
            VALUES ('a/b', 1, 1, 1, 1, 1, 1);
        INSERT INTO share (image, pin, created_ns) SELECT id, 'a/b', 1 FROM image WHERE image_id = '$1';
        UPDATE image SET shares = shares + 1 WHERE image_id = '$1';
        INSERT INTO recipient (owner, pin, images, changed_ns)
            SELECT owner, 'a/b', 1, 1 FROM image WHERE image_id = '$1';"
}

# shares_of IMAGE_ID: with whom the registry says it is shared, sorted, one a line.
shares_of()
{
    # pipefail would be the caller's: the export is checked apart.
    local records

    records=$("$IMGSHARE" export "$REGISTRY") || return
    "$PYTHON" -IS -c '
import json, sys
for line in sys.stdin.buffer:
    record = json.loads(line)
    if record.get("imageId") == sys.argv[1]:
        for pin in sorted(record.get("pins", [])):
            sys.stdout.buffer.write(pin.encode() + b"\n")
        break
else:
    sys.exit("shares_of: no image %s" % sys.argv[1])
' "$1" <<<"$records"
}

now_ms()
{
    echo $((${EPOCHREALTIME//[.,]/} / 1000))
}

# hold_lock: this test takes the lock of REGISTRY that writers queue on. Programs that it starts
# inherit the descriptor, so that only release_lock frees it.
hold_lock()
{
    exec {LOCK_FD}<>"$REGISTRY-lock" && flock -n "$LOCK_FD"
}

release_lock()
{
    flock -u "$LOCK_FD" && exec {LOCK_FD}>&-
}

# lock_awaited: whether some process waits for that lock.
lock_awaited()
{
    grep -- "-> FLOCK .*:$(stat -c %i -- "$REGISTRY-lock") " /proc/locks >/dev/null
}

# touch_later NAME: a touch in the background that Ctrl-C can end; its process is added to TOUCHES, what it
# says to touches in the directory of the test.
touch_later()
{
    env --default-signal=INT touch "$MNT/private/$1" 2>>"$BATS_TEST_TMPDIR/touches" 3>&- &
    TOUCHES+=($!)
}

# Whether process PID is in the kernel, as the program touch.
touch_waits()
{
    local state

    [ "$(cat "/proc/$1/comm")" = touch ] && state=$(cut -d ' ' -f 3 "/proc/$1/stat") &&
        [[ $state == [SD] ]]
}

need_root()
{
    [ "$(id -u)" -eq 0 ] || skip 'only root can do that'
    unshare -m -p -f --mount-proc true 2>/dev/null || skip 'no namespaces can be made here'
}

# as_nobody SCRIPT: runs SCRIPT with bash as a user without rights (65534), who may use /dev/fuse. The
# working directory is empty but for a copy of REGISTRY, both that user's own; the programs are in
# PATH, /etc/fuse.conf is empty, and MNT can be seen as /mnt/there. All that SCRIPT mounts and starts
# ends with it. Only for root.
as_nobody()
{
    # shellcheck disable=SC2016
    unshare -m -p -f --mount-proc --kill-child bash -c '
        # Copies of what other suites have mounted would keep their daemons alive.
        while read -r _ target kind _; do
            [ "$kind" != fuse.imgsharefs ] || [ "$target" = "$3" ] || umount -l -- "$target" 2>/dev/null
        done </proc/self/mounts
        set -e
        mount -t tmpfs -o mode=0755 none /mnt
        mkdir /mnt/build /mnt/here /mnt/there
        mount --bind "$1" /mnt/build
        ! mountpoint -q "$3" || mount --bind "$3" /mnt/there
        cp -- "$2" /mnt/here/registry
        chown -R 65534:65534 /mnt/here
        mknod -m 0666 /mnt/fuse c 10 229
        mount --bind /mnt/fuse /dev/fuse
        : >/mnt/fuse.conf
        [ ! -e /etc/fuse.conf ] || mount --bind /mnt/fuse.conf /etc/fuse.conf
        cd /mnt/here
        export PATH=/mnt/build:$PATH HOME=/mnt/here TMPDIR=/mnt/here
        exec setpriv --reuid 65534 --regid 65534 --clear-groups bash -c "$4"
    ' bash "$BUILD" "$REGISTRY" "${MNT:-/none}" "$1" 3>&-
}

# assert_told_when_mount_dies STATUS CMD...: CMD, which looks into directories of a mount, exits with STATUS and says
# why from whichever of them on there is no mount any more. Sets ANSWERS to what it prints all the same.
assert_told_when_mount_dies()
{
    local wanted=$1 trace=$BATS_TEST_TMPDIR/trace call

    shift
    skip_if_sanitized 'leaks cannot be looked for under strace'
    ANSWERS=
    # Of each directory two calls: what is in it, and that there is no more.
    # shellcheck disable=SC2154
    for ((call = 1; ; call += 2)); do
        run --separate-stderr strace -qq -o "$trace" -e trace=getdents64 \
            -e "inject=getdents64:error=ENOTCONN:when=$call+" "$@"
        grep -q INJECTED "$trace" || break
        assert_equal "$status" "$wanted"
        assert_regex "$stderr" 'Transport endpoint is not connected'
        ANSWERS+=$output
    done
    [ "$call" -gt 5 ]
}

# without_fuse CMD...: runs CMD where there is no /dev/fuse. Only for root.
without_fuse()
{
    # shellcheck disable=SC2016
    unshare -m sh -c '
        umount -a -l -t fuse.imgsharefs 2>/dev/null
        mount -t tmpfs none /dev && mknod -m 0666 /dev/null c 1 3 && exec "$@"' sh "$@"
}

if [ "${IMGSHARE_TEST_SOURCE-}" = cloud ]; then
    # shellcheck source-path=SCRIPTDIR source=cloud_source.bash
    . "$TESTS/cloud_source.bash"
fi
