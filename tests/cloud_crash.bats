#!/usr/bin/env bats
# The program that serves an account of a cloud is killed in the middle of changes, and what is then true:
# nothing acknowledged is lost, and nothing is there that the cloud has not.
#
# IMGSHARE_CRASH_ROUNDS  how often (default: 12)

load helpers
load cloud_helpers

ROUNDS=${IMGSHARE_CRASH_ROUNDS:-12}

# change_for_ever PIN LOG IMAGE...: shares each image with PIN and cancels that, over and over, until a
# call fails. LOG gets a line before each call, and one after each success.
change_for_ever()
{
    local pin=$1 log=$2 image

    shift 2
    while :; do
        for image; do
            echo "begun share $image $pin" >>"$log"
            : 2>/dev/null >"$MNT/private/$image/shares/$pin" || return 0
            echo "done share $image $pin" >>"$log"
        done
        for image; do
            echo "begun cancel $image $pin" >>"$log"
            rm "$MNT/private/$image/shares/$pin" 2>/dev/null || return 0
            echo "done cancel $image $pin" >>"$log"
        done
    done
}

# acknowledged_holds LOG IMAGE PIN: if the last that was begun there was acknowledged, the cloud has it.
acknowledged_holds()
{
    local word action held=cancel

    read -r word action _ <<<"$(grep " $2 $3\$" "$1" | tail -n 1)"
    [ "$word" = 'done' ] || return 0
    cloud_shares "$2" | grep -qxF "$3" && held=share
    [ "$action" = "$held" ] || {
        printf '%s of %s with %s was acknowledged, and the cloud does not have it\n' \
            "$action" "$2" "$3" >&2
        return 1
    }
}

# agrees_or_says IMAGE PIN...: after a refresh each of the pins is listed where the cloud has it, and only
# there, unless status names it as one of unknown outcome.
agrees_or_says()
{
    local image=$1 pin here there

    touch "$MNT/private/$image/shares" || return
    here=$(listed "$image")
    there=$(cloud_shares "$image")
    for pin in "${@:2}"; do
        [ "$(grep -cxF "$pin" <<<"$here")" = "$(grep -cxF "$pin" <<<"$there")" ] ||
            grep -q "^unsettled_[a-z]*: $image $pin " "$MNT/status" || {
            printf '%s of %s: neither agreed upon nor unsettled\n' "$pin" "$image" >&2
            return 1
        }
    done
}

# crash_rounds COUNT: so often the program is killed in the middle, mounted again, and compared. In the
# end nothing is unknown any more.
crash_rounds()
{
    local round pin pids pid image lost=0
    local -a images=("$CLOUD_GOLDEN" "$CLOUD_WEB") pins

    tell set latency_ms=15 latency_jitter_ms=15 share_limit=1000
    for ((round = 1; round <= $1; round++)); do
        # Other accounts each time: what is unknown of the last ones would hold these up.
        add_accounts "r${round}k%d" 1 4
        pins=("r${round}k"{1..4})
        mount_cloud "$BATS_TEST_TMPDIR/crash"
        ls "$MNT"/private/{"$CLOUD_GOLDEN","$CLOUD_WEB"}/shares >/dev/null
        pids=
        for pin in "${pins[@]}"; do
            change_for_ever "$pin" "$BATS_TEST_TMPDIR/log.$pin" "${images[@]}" 3>&- &
            pids+=" $!"
        done
        pid=$(daemon_pid "$MNT")
        sleep 0.$((RANDOM % 4))$((RANDOM % 10))
        kill -KILL "$pid"
        for pin in $pids; do wait "$pin"; done
        umount -l "$MNT"

        mount_cloud "$BATS_TEST_TMPDIR/crash"
        [[ $(status_of unsettled) == 0* ]] || ((lost += 1))
        for image in "${images[@]}"; do
            agrees_or_says "$image" "${pins[@]}"
            for pin in "${pins[@]}"; do
                acknowledged_holds "$BATS_TEST_TMPDIR/log.$pin" "$image" "$pin"
            done
        done
        unmount "$MNT"
    done
    mount_cloud "$BATS_TEST_TMPDIR/crash"
    wait_for 16 status_is unsettled '0 changes'
    wait_for 16 agrees "${images[@]}"
    printf '# %d changes were acknowledged; after %d of %d kills something was unsettled\n' \
        "$(cat "$BATS_TEST_TMPDIR"/log.* | grep -c ^done)" $lost "$1" >&3
}

@test "what was acknowledged before the program was killed holds, and the next mount says what is true" {
    start_cloud
    crash_rounds "$ROUNDS"
}

@test "the same while the cloud's lists lag" {
    start_cloud --set lag_ms=300
    crash_rounds $((ROUNDS / 5 + 1))
}
