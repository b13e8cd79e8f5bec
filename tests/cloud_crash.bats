#!/usr/bin/env bats
# The program that serves an account of a cloud is killed in the middle of changes, and what is then true:
# nothing acknowledged is lost, and nothing is there that the cloud has not.
#
# IMGSHARE_CRASH_ROUNDS  how often (default: 12); 100 for the long form

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

# has LIST WORD: whether one of the lines of LIST is WORD.
has()
{
    [[ $'\n'$1$'\n' == *$'\n'"$2"$'\n'* ]]
}

# acknowledged_holds PIN: where the last that was begun was acknowledged, the cloud has it, as THERE says.
acknowledged_holds()
{
    local word action image held
    local -A last=()

    while read -r word action image _; do
        last[$image]="$word $action"
    done <"$BATS_TEST_TMPDIR/log.$1"
    for image in "${!last[@]}"; do
        held=cancel
        ! has "${THERE[$image]}" "$1" || held=share
        [[ ${last[$image]} == @(begun*|"done $held") ]] || {
            printf '%s of %s with %s was acknowledged, and the cloud does not have it\n' \
                "${last[$image]#done }" "$image" "$1" >&2
            return 1
        }
    done
}

# agrees_or_says IMAGE PIN...: after a refresh each of the pins is listed where the cloud has it, and only
# there, unless status names it as one of unknown outcome. Leaves what the cloud has in THERE[IMAGE].
agrees_or_says()
{
    local image=$1 pin here status

    touch "$MNT/private/$image/shares" || return
    here=$(listed "$image")
    THERE[$image]=$(cloud_shares "$image")
    [ "$here" != "${THERE[$image]}" ] || return 0
    status=$(cat "$MNT/status")
    for pin in "${@:2}"; do
        has "$here" "$pin" && has "${THERE[$image]}" "$pin" && continue
        has "$here" "$pin" || has "${THERE[$image]}" "$pin" || continue
        [[ $status == *$'\nunsettled_'[a-z]*": $image $pin "* ]] || {
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
    local -A THERE=()

    tell set latency_ms=15 latency_jitter_ms=15 share_limit=1000
    for ((round = 1; round <= $1; round++)); do
        # Other accounts each time: what is unknown of the last ones would hold these up.
        add_accounts "r${round}k%d" 1 8
        pins=("r${round}k"{1..8})
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
        done
        for pin in "${pins[@]}"; do
            acknowledged_holds "$pin"
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
