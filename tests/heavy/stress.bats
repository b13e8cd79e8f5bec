# Mounts under stress from many sides at once, of a registry and of a cloud: nobody waits long, nothing is
# lost, no thread meets another (the thread sanitizer says so: tests/run --sanitize=thread stress), what was
# taken is given back, and ten million requests leave the program as it was.
#
# IMGSHARE_STRESS_SECONDS     how long each of the three stresses goes on (default: 2)
# IMGSHARE_STRESS_OPERATIONS  how many operations the program has to bear (default: 100000)
# IMGSHARE_STRESS_NG_SECONDS  how long stress-ng looks for its way in (default: 5)

load ../helpers
load ../cloud_helpers
load measure

SECONDS_EACH=${IMGSHARE_STRESS_SECONDS:-2}
OPERATIONS=${IMGSHARE_STRESS_OPERATIONS:-100000}
SECONDS_NG=${IMGSHARE_STRESS_NG_SECONDS:-5}

setup()
{
    MNTS=()
    DAEMONS=()
}

# In the place of the one in helpers.bash: in the foreground, so that what the program logs is in MNT.log, and
# its exit status can be had. Adds to MNTS and DAEMONS.
mount_any()
{
    local options=$2 source=$3

    MNT=$BATS_TEST_TMPDIR/mnt${#MNTS[@]}
    mkdir -p "$MNT"
    clear_later "$MNT"
    "$IMGSHAREFS" -f -o "$options" "$source" "$MNT" </dev/null >>"$MNT.log" 2>&1 3>&- &
    MNTS+=("$MNT")
    DAEMONS+=($!)
    wait_for 20 is_mounted "$MNT" || {
        cat "$MNT.log" >&2
        return 1
    }
}

teardown()
{
    local pid

    # Children of this shell: unmount_all would wait for them.
    for pid in "${DAEMONS[@]}"; do
        kill -KILL "$pid" 2>/dev/null || continue
        wait "$pid" || true
    done
    stop_all
}

# bound_of SECONDS: that, or one that only a hung call meets where everything is slow.
bound_of()
{
    [ -z "${IMGSHARE_SANITIZE-}" ] || set -- 60
    echo "$1"
}

# hammer [ARG]...: tests/stress/hammer.py on MNTS and PINS, for SECONDS_EACH. Prints its figures. As root it can
# see how many requests have no answer.
hammer()
{
    local daemon
    local -a command=("$PYTHON" -IS "$TESTS/stress/hammer.py")

    for daemon in "${DAEMONS[@]}"; do
        command+=(--daemon "$daemon")
    done
    command+=("$@" "$SECONDS_EACH" "${MNTS[@]}" -- "${PINS[@]}")
    if [ "$(id -u)" -eq 0 ]; then
        # What others mount and unmount meanwhile is not held here.
        # shellcheck disable=SC2016
        set -- unshare -m --propagation slave sh -c 'mount -t fusectl none /sys/fs/fuse/connections; exec "$@"' sh
    else
        set --
    fi
    run "$@" "${command[@]}"
    paste -s -d , <<<"$output" | sed 's/,/, /g; s/^/# /' >&3
    [ "$status" -eq 0 ] || tail -n 20 "${MNTS[@]/%/.log}"
    assert_success
    [ "$(sed -n 's/^interrupted //p' <<<"$output")" -gt 0 ]
}

# holds_nothing NUMBER: daemon NUMBER says so, when asked.
holds_nothing()
{
    local log=${MNTS[$1]}.log

    : >"$log"
    kill -USR1 "${DAEMONS[$1]}"
    wait_for 2 grep -q '^imgsharefs: loglevel=' "$log"
    grep -qx 'imgsharefs: holds: 0 contents, 0 open shares, 0 unanswered changes, 0 names' "$log"
}

# nothing_held: no daemon holds anything, once the kernel has forgotten what it knew.
nothing_held()
{
    local number

    [ ! -w /proc/sys/vm/drop_caches ] || echo 2 >/proc/sys/vm/drop_caches
    for number in "${!MNTS[@]}"; do
        wait_for 10 holds_nothing "$number" || {
            grep holds: "${MNTS[$number]}.log" >&2
            return 1
        }
        kill -USR2 "${DAEMONS[$number]}"
    done
}

# all_end: every mount ends as it should. The thread sanitizer has an exit status of its own.
all_end()
{
    local number

    for number in "${!MNTS[@]}"; do
        kill -TERM "${DAEMONS[$number]}"
        wait "${DAEMONS[$number]}" || fail "exit status $?: $(tail -n 200 "${MNTS[$number]}.log")"
    done
    DAEMONS=()
}

# agree: what all mounts show is what the file export says, of which `truth` makes a new one.
agree()
{
    truth >"$BATS_TEST_TMPDIR/export" && measure agree "$BATS_TEST_TMPDIR/export" "${MNTS[@]}" -- "${PINS[@]}"
}

# Who has changed something shows it until a list agrees, a minute at most, whatever another has made of it
# since; and where there were too many requests, none goes before the minute ends. So only in the long form.
agree_in_time()
{
    [ "$SECONDS_EACH" -lt 10 ] || all_agree 90
}

# Not in a sanitizer's build, whose business it is not: in a cloud it takes until all is settled.
all_agree()
{
    [ -z "${IMGSHARE_SANITIZE-}" ] || return 0
    wait_for "$1" agree || {
        agree
        false
    }
}

# lists_here: sets LISTS to options that name a list of each kind, which SIGHUP has read again.
lists_here()
{
    PINS+=(partner-lab jcloud-demo)
    printf '%s\n' "${PINS[@]}" >"$BATS_TEST_TMPDIR/allow"
    echo partner-lab >"$BATS_TEST_TMPDIR/trust"
    LISTS=allow=$BATS_TEST_TMPDIR/allow,trust=$BATS_TEST_TMPDIR/trust
}

# --- many callers ---

@test "a registry: sharing, looking, imports, SIGHUP, refreshes and interrupts at once; nobody waits a second" {
    local account

    truth() { "$IMGSHARE" export "$REGISTRY"; }
    lists_here
    contended_registry
    for account in jcloud-demo jcloud-demo partner-lab; do
        mount_registry -o "account=$account,$LISTS"
    done
    # Other records of the same images, and one of ten more.
    cat >"$BATS_TEST_TMPDIR/import" <<END
{
    '$TESTS/generate' --images 5 | sed "s/generated/\$\$/"
    '$TESTS/generate' --images 1 --first \$((100 + \$\$ % 10)) --owner partner-lab
} | '$IMGSHARE' import '$REGISTRY' - >/dev/null
END
    hammer --bound "$(bound_of 1)" --every 0.3 "kill -HUP ${DAEMONS[*]}" \
        --every 0.5 ". '$BATS_TEST_TMPDIR/import'"
    all_agree 2
    run -0 "$IMGSHARE" check "$REGISTRY"
    nothing_held
    all_end
}

# contended_cloud [ARG of start_cloud]...: the same images in a cloud; two mounts of the one account, with
# a replica each, and one of the other.
contended_cloud()
{
    local number account=jcloud-demo timeout=2

    [ -z "${IMGSHARE_SANITIZE-}" ] || timeout=30
    # shellcheck source-path=SCRIPTDIR source=../cloud_source.bash
    . "$TESTS/cloud_source.bash"
    truth()
    {
        # What others have changed is seen after a refresh.
        touch "${MNTS[@]/%//private}" "${MNTS[@]/%//shared}" || return
        for MNT in "${MNTS[@]}"; do
            touch "$MNT"/private/*/shares || return
        done
        control get state | "$PYTHON" -IS -c '
import json, sys
for image in json.load(sys.stdin)["images"]:
    print(json.dumps(image))'
    }
    lists_here
    SAMPLE=$BATS_TEST_TMPDIR/sample
    mkdir "$SAMPLE"
    printf '{"result": {"images": [%s]}}' "$(contended_images | paste -s -d ,)" >"$SAMPLE/images.json"
    printf '%s\n' "${PINS[@]}" >"$SAMPLE/accounts.txt"
    make_cloud_sample "$BATS_TEST_TMPDIR/state.json"
    start_cloud --state "$BATS_TEST_TMPDIR/state.json" "$@"
    for number in 0 1 2; do
        [ $number -lt 2 ] || account=partner-lab
        mount_registry -o "account=$account,$LISTS,refresh=1,timeout=$timeout,state=$BATS_TEST_TMPDIR/state$number"
        ls "$MNT"/private/*/shares >/dev/null
    done
}

# Another client, that has no mount.
others_share()
{
    printf "'%s' '%s' share img-0000000003 %s >/dev/null && '%s' '%s' cancel img-0000000003 %s >/dev/null" \
        "$TESTS/cloud/control" "$CONTROL" account-0020 "$TESTS/cloud/control" "$CONTROL" account-0020
}

@test "a cloud that lags: the same, with a client elsewhere; nobody waits a second" {
    contended_cloud --set latency_ms=10 --set latency_jitter_ms=10 --set lag_ms=300
    hammer --bound "$(bound_of 1)" --stale --refused EBUSY --every 0.5 "kill -HUP ${DAEMONS[*]}" \
        --every 0.5 "$(others_share)"
    agree_in_time
    nothing_held
    all_end
}

@test "a cloud that fails, resets, and answers late: the same; nobody waits much longer than timeout=" {
    local errnos=EREMOTEIO,ETIMEDOUT,EBUSY,EAGAIN,EHOSTUNREACH,ENETUNREACH,ECONNREFUSED,EBADMSG,EPROTO

    contended_cloud --set latency_ms=10 --set latency_jitter_ms=10 --set lag_ms=300
    tell fault '*' error row=internal probability=0.02
    tell fault '*' error row=internal applied=true probability=0.02
    tell fault '*' reset probability=0.02
    tell fault '*' cut probability=0.02
    tell fault '*' error row=rate-limit probability=0.02
    tell fault '*' delay ms=700 probability=0.02
    hammer --stale --bound "$(bound_of 4)" --refused $errnos,EDQUOT --unknown $errnos,EDQUOT \
        --every 0.5 "kill -HUP ${DAEMONS[*]}" --every 0.5 "$(others_share)"
    tell clear
    agree_in_time
    nothing_held
    all_end
}

# --- many requests ---

# load_calls CALL PATHS: that call for each path of the file, by eight processes, each a slice; adds to
# DONE.
load_calls()
{
    "$BUILD/tests/bench_load" -s "$1" 8 "$2" >/dev/null || return
    ((DONE += $(wc -l <"$2")))
}

# again_to COUNT FILE: so many lines, those of FILE over and over.
again_to()
{
    while :; do cat "$2"; done | head -n "$1"
}

# bear COUNT: so many operations, each of which the program hears of: what follows from shares is never
# kept by the kernel, and neither is what an attribute holds. Of a hundred, ninety look, nine read or list,
# one shares or cancels.
bear()
{
    local left call percent paths=$BATS_TEST_TMPDIR/paths

    while read -r call percent; do
        again_to $(($1 * percent / 100)) "$BATS_TEST_TMPDIR/$call" >"$paths"
        load_calls "$call" "$paths" || return
    done <<<$'stat 75\nmissing 15\nread 8\nlist 1'
    for ((left = $1 / 200; left > 0; left -= $(wc -l <"$paths"))); do
        head -n $left "$BATS_TEST_TMPDIR/create" >"$paths"
        load_calls create "$paths" && load_calls unlink "$paths" || return
    done
}

# Replies, and what little else the daemon writes.
writes_of()
{
    awk '/^syscw:/ { print $2 }' "/proc/$1/io"
}

memory_of()
{
    awk '/^RssAnon:/ { print $2 }' "/proc/$1/status"
}

@test "memory, threads and descriptors are after all operations what they were after a tenth of them" {
    local daemon part writes memory first=

    skip_if_sanitized
    ninja -C "$BUILD" tests/bench_load >/dev/null
    REGISTRY=$BATS_TEST_TMPDIR/registry
    "$IMGSHARE" init "$REGISTRY" --account jcloud-demo
    "$TESTS/generate" --images 1000 --pins 5 --accounts 20 | "$IMGSHARE" import "$REGISTRY" - >/dev/null
    mount_registry
    daemon=${DAEMONS[0]}
    cd "$BATS_TEST_TMPDIR"
    find "$MNT/by-account" -type l >stat
    sed 's/$/-not/' stat >missing
    printf '%s\n' "$MNT"/private/*/{status,quota,image.json,exposure} >'read'
    printf '%s\n' "$MNT"/private/*/shares "$MNT"/by-account/* >list
    # Every fourth account of those that an image is not shared with.
    find "$MNT/private" -path '*/shares/*' | awk -F / -v OFS=/ '
        { had[$0]; $NF = ""; shares[$0] }
        END {
            for (each in shares)
                for (pin = 0; pin < 20; pin += 4)
                    if (!((path = sprintf("%saccount-%04d", each, pin)) in had))
                        print path
        }' >create

    DONE=0
    writes=$(writes_of "$daemon")
    for part in 10 10 30 50; do
        bear $((OPERATIONS * part / 100))
        [ ! -w /proc/sys/vm/drop_caches ] || echo 2 >/proc/sys/vm/drop_caches
        memory=$(memory_of "$daemon")
        printf '# %d operations: RssAnon %d KiB, %s\n' "$DONE" "$memory" "$(holdings "$daemon")" >&3
        if [ -z "$first" ]; then
            first=$memory
            holdings "$daemon" >held
        fi
    done
    [ $(($(writes_of "$daemon") - writes)) -ge "$DONE" ]
    [ "$memory" -le $((first + 1024)) ]
    holdings "$daemon" | diff held -
    nothing_held
    all_end
}

# --- somebody else's stress ---

STRESSORS=(access chdir chmod chown copy-file dentry dir dirdeep dirmany dnotify fallocate fcntl fiemap
    file-ioctl filename flock fpunch fsize fstat getdent handle hdd inode-flags inotify io iomix lease link
    locka lockf lockofd mknod open readahead rename revio seek sendfile splice symlink sync-file touch
    utime verity xattr)

# stress_ng DIR [PREFIX]...: all of them, in DIR; each would make a directory there, and gets a link to it
# (tests/stress/link_dir.c). What they say of being refused does not matter.
stress_ng()
{
    local dir=$1 each
    local -a words=()

    shift
    for each in "${STRESSORS[@]}"; do
        words+=("--$each" 1)
    done
    (
        cd "$BATS_TEST_TMPDIR/links" || exit
        LINK_DIR=$dir LD_PRELOAD=$BATS_TEST_TMPDIR/link_dir.so "$@" stress-ng --quiet --timeout 3 \
            --temp-path . "${words[@]}" </dev/null >>"$BATS_TEST_TMPDIR/stress-ng.log" 2>&1 3>&-
    ) || true
}

@test "stress-ng, as root and as another user, in all kinds of directories: no share changes, nothing hangs" {
    local dir end rounds=0

    need_root
    skip_if_sanitized 'the programs meet nothing here that they did not before'
    cc -D_GNU_SOURCE -shared -fPIC -O1 -o "$BATS_TEST_TMPDIR/link_dir.so" "$TESTS/stress/link_dir.c"
    # shellcheck disable=SC2119
    new_registry
    mount_registry -o allow_other
    "$IMGSHARE" export "$REGISTRY" >"$BATS_TEST_TMPDIR/before"
    chmod 755 "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR/test" "$BATS_TEST_TMPDIR"
    install -d -m 1777 "$BATS_TEST_TMPDIR/links"
    end=$(($(now_ms) + SECONDS_NG * 1000))
    while [ "$(now_ms)" -lt $end ]; do
        # Some empty their directory by what they read in it: root would cancel what is shared there.
        for dir in "private/$IMG_GOLDEN/shares" "private/$IMG_MYSQL/shares" "private/$IMG_MYSQL" private \
            by-account/alice "shared/$IMG_PARTNER_ML/shares"; do
            [ "$dir" = "private/$IMG_MYSQL/shares" ] || stress_ng "$MNT/$dir"
            stress_ng "$MNT/$dir" setpriv --reuid 65534 --regid 65534 --clear-groups
            ((rounds += 1))
            [ "$(now_ms)" -lt $end ] || break
        done
    done
    printf '# %d rounds of %d stressors; %d events\n' $rounds ${#STRESSORS[@]} \
        "$(wc -l <"$MNT/events")" >&3
    "$IMGSHARE" export "$REGISTRY" | diff "$BATS_TEST_TMPDIR/before" -
    grep -q 'outcome=refused.*exe=.*stress-ng' "$MNT/events"
    run -0 "$IMGSHARE" check "$REGISTRY"
    nothing_held
    all_end
}
