# shellcheck shell=bash disable=SC2034
# What the suites of the JD Cloud source share: `load cloud_helpers` after `load helpers`.
#
# start_cloud starts the fake cloud of tests/cloud, mount_cloud mounts it; teardown ends both. A suite
# with a teardown of its own calls stop_all there.

# The fake cloud's sample: see tests/cloud/sample.json. The account is owner.
OWNER_KEY=AK0000000000000000000000000OWNER
OWNER_SECRET=SK0000000000000000000000000OWNER
LIMITED_KEY=AK00000000000000000000000LIMITED # may ask neither iam nor user
LIMITED_SECRET=SK00000000000000000000000LIMITED
REGION=cn-north-1
CLOUD_GOLDEN=img-m5s0abcd29 # not shared
CLOUD_WEB=img-m5s0abcd30    # shared with alice and bob
CLOUD_PENDING=img-p7e1nd5g3a
CLOUD_ENCRYPTED=img-e2n3crypt4
CLOUD_RELEASED=img-c0mmunity1
CLOUD_RECEIVED=img-a1s2hared3 # from alice

# start_cloud [ARGS]: a fake cloud with these arguments; sets CLOUD_URL, CONTROL, CLOUD_PID and CLOUD_CA.
# Not in a subshell: it ends with the process that has started it.
start_cloud()
{
    local ready=$BATS_TEST_TMPDIR/cloud.ready url control pid ca

    rm -f -- "$ready"
    "$TESTS/cloud/fake" --ready "$ready" --die-with-parent --set limit_minute=60000 "$@" \
        </dev/null >"$BATS_TEST_TMPDIR/cloud.log" 2>&1 3>&- &
    CLOUD_PID=$!
    wait_for 10 test -e "$ready" || {
        cat "$BATS_TEST_TMPDIR/cloud.log" >&2
        return 1
    }
    # shellcheck source=/dev/null
    . "$ready"
    CLOUD_URL=$url CONTROL=$control CLOUD_CA=$ca
}

# end_cloud [SIGNAL]: the fake cloud is gone.
end_cloud()
{
    [ -n "${CLOUD_PID-}" ] || return 0
    kill "-${1-TERM}" "$CLOUD_PID" 2>/dev/null
    wait "$CLOUD_PID" 2>/dev/null || true
    CLOUD_PID=
}

# start_cloud_again [ARGS]: as start_cloud, on the ports of the last one. What it knew is forgotten.
start_cloud_again()
{
    start_cloud --port "${CLOUD_URL##*:}" --control-port "${CONTROL##*:}" "$@"
}

# control COMMAND [ARG]...: tells the fake cloud what to do, or asks it.
control()
{
    "$TESTS/cloud/control" "$CONTROL" "$@"
}

# tell COMMAND [ARG]...: control, when its answer does not matter.
tell()
{
    control "$@" >/dev/null
}

# cloud_shares IMAGE: with whom the cloud has it shared, sorted, one a line.
cloud_shares()
{
    control members "$1" | LC_ALL=C sort
}

assert_cloud_shares()
{
    local image=$1

    shift
    assert_equal "$(cloud_shares "$image")" "$(printf '%s\n' "$@" | LC_ALL=C sort)"
}

# requests_count [OPERATION]: how many requests the cloud has got.
requests_count()
{
    control requests --count "$@"
}

# members_asked [IMAGE]: the cloud was asked with whom something, or IMAGE, is shared.
members_asked()
{
    [ "$(requests_count describeImageMembers ${1:+"image=$1"})" -gt 0 ]
}

# asked_since NUMBER: what was asked after so many requests, one OPERATION a line.
asked_since()
{
    control requests --after "$1" | sed -n 's/^  "operation": "\(.*\)",$/\1/p'
}

# requests_held COUNT: so many requests hang at the cloud.
requests_held()
{
    control get connections | grep -qx "  *\"held requests\": $1,"
}

# add_accounts FORMAT FIRST LAST: as in: add_accounts p%02d 1 20.
add_accounts()
{
    local number list=

    for ((number = $2; number <= $3; number++)); do
        # shellcheck disable=SC2059
        list+=",{\"do\":\"add-account\",\"account\":{\"pin\":\"$(printf "$1" "$number")\"}}"
    done
    tell post "[${list#,}]"
}

# lists_known MNT: it has both lists of images.
lists_known()
{
    ! grep -q '_age: never$' "$1/status"
}

# mount_cloud_only [-o OPTIONS] [DIR]: mounts the account owner of the fake cloud, on a new directory
# unless DIR is given; sets MNT. OPTIONS go before refresh=60 and timeout=2, and before the endpoint
# and the state, which is below BATS_TEST_TMPDIR. Does not wait for the lists. KEY and SECRET may be
# others; TOKEN is none unless set.
mount_cloud_only()
{
    local options='' word

    if [ "${1-}" = -o ]; then
        options=$2
        shift 2
    fi
    for word in refresh=60 timeout=2 "endpoint=$CLOUD_URL" "state=$BATS_TEST_TMPDIR/state"; do
        [[ ,$options, == *,${word%%=*}=* ]] || options=$options,$word
    done
    JDCLOUD_ACCESS_KEY=${KEY-$OWNER_KEY} JDCLOUD_SECRET_KEY=${SECRET-$OWNER_SECRET} \
        JDCLOUD_SESSION_TOKEN=${TOKEN-} mount_any mount_cloud "${options#,}" "jdcloud:$REGION" "$@"
}

# mount_cloud: as mount_cloud_only, and the lists are there.
mount_cloud()
{
    mount_cloud_only "$@" && wait_for 10 lists_known "$MNT"
}

# mount_read [ARGS of mount_cloud]: with the shares of golden (none) and web (alice, bob) read; sets GOLDEN
# and WEB to where they are.
mount_read()
{
    mount_cloud "$@"
    GOLDEN=$MNT/private/$CLOUD_GOLDEN/shares
    WEB=$MNT/private/$CLOUD_WEB/shares
    ls "$GOLDEN" "$WEB" >/dev/null
}

# golden: sets GOLDEN and WEB to the images themselves, in the mount.
golden()
{
    GOLDEN=$MNT/private/$CLOUD_GOLDEN
    WEB=$MNT/private/$CLOUD_WEB
}

# listed IMAGE: with whom the mount lists it as shared, sorted, one a line.
listed()
{
    LC_ALL=C ls -A "$MNT/private/$1/shares"
}

# agrees IMAGE...: the mount lists what is true, after a refresh.
agrees()
{
    local image

    for image; do
        touch "$MNT/private/$image/shares" || return
        [ "$(listed "$image")" = "$(cloud_shares "$image")" ] || {
            printf 'of %s\nthe mount lists: %s\nthe cloud has: %s\n' "$image" \
                "$(listed "$image" | tr '\n' ' ')" "$(cloud_shares "$image" | tr '\n' ' ')" >&2
            return 1
        }
    done
}

# quota_is IMAGE TEXT
quota_is()
{
    [ "$(cat "$MNT/private/$1/quota")" = "$2" ]
}

# status_of KEY: the value of that line of the file status.
status_of()
{
    sed -n "s/^$1: //p" "$MNT/status"
}

# status_is KEY PATTERN: a shell pattern.
status_is()
{
    # shellcheck disable=SC2053
    [[ $(status_of "$1") == $2 ]]
}

# event_has FIELD...: some line of the log has each FIELD.
event_has()
{
    local field lines

    lines=$(cat "$MNT/events") || return
    for field; do
        lines=$(grep -F -e " $field" -e " ${field%%=*}=\"${field#*=}\"" <<<" $lines") || return
    done
    [ -n "$lines" ]
}

assert_event_has()
{
    event_has "$@" || fail "no event with $*; there are: $(cat "$MNT/events")"
}

# assert_refused ERRNO CODE ACTION IMAGE PIN: does it, and it is refused with that errno, an event of that code,
# and that last_refusal.
assert_refused()
{
    local errno=$1 code=$2 action=$3 image=$4 pin=$5 call=creat path

    [ "$action" = share ] || call="unlink"
    path=$MNT/private/$image/shares/$pin
    assert_equal "$pin $(errno_of $call "$path")" "$pin $errno"
    assert_event_has "action=$action" "image=$image" "pin=$pin" outcome=refused "errno=$errno" \
        "code=$code"
    run cat "$MNT/private/$image/last_refusal"
    assert_output --regexp "^[0-9T:-]+Z $action $pin: $errno: .*\. What to do: .+\.$"
}

# ms_of COMMAND...: runs it, and sets TOOK to the milliseconds and STATUS to its exit status.
ms_of()
{
    local start

    start=$(now_ms)
    STATUS=0
    "$@" >/dev/null 2>&1 || STATUS=$?
    TOOK=$(($(now_ms) - start))
}

# assert_took_at_most MS WHAT: prints TOOK as well.
assert_took_at_most()
{
    printf '# %s: %d.%03d s\n' "$2" $((TOOK / 1000)) $((TOOK % 1000)) >&3
    [ "$TOOK" -le "$1" ] || fail "$2 took $TOOK ms, not at most $1"
}

stop_all()
{
    # Nothing may hang at the cloud, or be away, while the mounts end.
    unmount_all
    end_cloud KILL
}

teardown()
{
    stop_all
}
