#!/usr/bin/env bats
# What is logged, where to, how much of it, and what never is.

load helpers
load home_helpers
load cloud_helpers

setup_file()
{
    # Equal messages: the first of these ten seconds, and the last one after them.
    export FOLD=$BATS_FILE_TMPDIR/fold BATS_TEST_TMPDIR=$BATS_FILE_TMPDIR
    mkdir "$FOLD"
    "$IMGSHARE" init "$FOLD/r" --account alice >/dev/null
    echo alice >"$FOLD/allow"
    mkdir "$FOLD/m"
    "$IMGSHAREFS" -f -o "allow=$FOLD/allow" "$FOLD/r" "$FOLD/m" </dev/null >"$FOLD/log" 2>&1 3>&- &
    echo $! >"$FOLD/pid"
    wait_for 10 is_mounted "$(cd "$FOLD/m" && pwd -P)"
    echo 'no/pin' >"$FOLD/allow"
    for _ in 1 2 3 4; do
        kill -HUP "$(cat "$FOLD/pid")"
        # Signals that wait are one: each is to be seen first.
        wait_for 5 hups_seen $((++seen))
    done
    now_ms >"$FOLD/first"
}

# hups_seen COUNT: so many times the list was refused.
hups_seen()
{
    grep -o 'action=reload outcome=refused' "$FOLD/m/events" | wc -l | grep -qx "$1"
}

teardown_file()
{
    fusermount3 -u -z "$FOLD/m" 2>/dev/null || true
}

setup()
{
    PLACE=$(cd "$BATS_TEST_TMPDIR" && pwd -P)
    LOG=$PLACE/log
}

# serve [OPTION]...: a mount of the sample in the foreground, with its messages in LOG; sets DAEMON.
serve()
{
    new_registry
    MNT=$PLACE/mnt
    mkdir -p "$MNT"
    clear_later "$MNT"
    "$IMGSHAREFS" -f -o account=jcloud-demo "$@" "$REGISTRY" "$MNT" </dev/null >"$LOG" 2>&1 3>&- &
    DAEMON=$!
    wait_for 10 is_mounted "$MNT"
}

end()
{
    kill "$DAEMON"
    wait "$DAEMON"
}

@test "in the background it goes to syslog, under the name of the mount point; to stderr before" {
    need_root
    new_registry
    mkdir "$PLACE/home"
    cp "$REGISTRY" "$PLACE/home/r"
    run at_home '
        syslog_to log
        mkdir m "a [b]: c"
        imgsharefs -o account=nobody r m
        imgsharefs -o account=jcloud-demo r m
        imgsharefs -o account=alice r "a [b]: c"
        umount m "a [b]: c"
        while pgrep -x imgsharefs >/dev/null; do sleep 0.02; done
        echo =; cat log'
    assert_success
    place="imgsharefs$PLACE/home"
    # Facility daemon (3 * 8), level info (6).
    local message='^<30>[A-Z][a-z]{2} [ 0-9]{2} [0-9:]{8} '
    assert_line --index 0 --partial 'imgsharefs: '
    assert_line --index 0 --partial 'no account "nobody"'
    assert_line --index 1 =
    assert_line --regexp "$message$place/m\[[0-9]+\]: serving $PLACE/home/r on $PLACE/home/m for jcloud-demo\$"
    assert_line --regexp "$message$place/m\[[0-9]+\]: unmounted $PLACE/home/m\$"
    assert_line --regexp "$message$place/a\\\\x20\\\\x5bb\\\\x5d\\\\x3a\\\\x20c\[[0-9]+\]: serving "
    [ "${#lines[@]}" -eq 6 ]
}

@test "without a syslog daemon it works all the same" {
    need_root
    new_registry
    mkdir "$PLACE/home"
    cp "$REGISTRY" "$PLACE/home/r"
    run at_home 'mkdir m && imgsharefs -o account=alice r m && cat m/account/pin'
    assert_output alice
}

@test "with -f it goes to stderr, what the program begins and ends with" {
    serve
    end
    run -0 cat "$LOG"
    assert_output "imgsharefs: serving $REGISTRY on $MNT for jcloud-demo
imgsharefs: SIGTERM: ends
imgsharefs: unmounted $MNT"
}

@test "loglevel= says how much" {
    serve -o loglevel=warning
    end
    assert_equal "$(cat "$LOG")" ''
    serve -o loglevel=debug
    ls "$MNT/private"
    end
    grep '^imgsharefs: .*opcode: READDIR' "$LOG"
    grep '^imgsharefs: serving' "$LOG"
    # libfuse's own are like the others: each line has the program's name.
    run ! grep -v '^imgsharefs: ' "$LOG"
    for word in verbose '' 7 Info; do
        run -2 "$IMGSHAREFS" -o "loglevel=$word" "$REGISTRY" "$MNT" 3>&-
        assert_output --partial "loglevel=$word: must be error, warning, info or debug"
    done
}

@test "SIGUSR1 is one level more, SIGUSR2 one less, and both say which" {
    serve -o loglevel=error
    for word in warning info debug debug; do
        step USR1 "$word"
    done
    ls "$MNT/private" >/dev/null
    wait_for 5 grep 'opcode: READDIR' "$LOG"
    for word in info warning error error; do
        step USR2 "$word"
    done
    : >"$LOG"
    ls -l "$MNT/private" "$MNT/shared" >/dev/null
    end
    assert_equal "$(tr -d '\0' <"$LOG")" ''
}

# step SIGNAL LEVEL: upon the signal the daemon says that this is the level now.
step()
{
    : >"$LOG"
    kill "-$1" "$DAEMON"
    wait_for 5 eval "tr -d '\\0' <'$LOG' | grep -x 'imgsharefs: loglevel=$2'"
}

@test "SIGUSR1 at debug says what is held, which is nothing once all is closed" {
    serve -o loglevel=debug
    exec 8<"$MNT/README" 9>"$MNT/private/$IMG_GOLDEN/shares/alice"
    wait_for 5 eval "step USR1 debug && holds '1 contents, 1 open shares, 0 unanswered changes, 0 names'"
    exec 8<&- 9>&-
    wait_for 5 eval "step USR1 debug && holds '0 contents, 0 open shares, 0 unanswered changes, 0 names'"
    end
}

# holds WHAT: the daemon has said so.
holds()
{
    tr -d '\0' <"$LOG" | grep -qx "imgsharefs: holds: $1"
}

@test "in the journal each line has its level" {
    new_registry
    mkdir "$PLACE/mnt"
    clear_later "$PLACE/mnt"
    : >"$LOG"
    stream=$(stat -c %d:%i "$LOG")
    JOURNAL_STREAM=$stream "$IMGSHAREFS" -f -o account=alice "$REGISTRY" "$PLACE/mnt" \
        </dev/null >"$LOG" 2>&1 3>&- &
    wait_for 10 grep -x "<6>serving $(realpath "$REGISTRY") on $PLACE/mnt for alice" "$LOG"
    kill $!
    wait $!
    # Of somebody else's stream the variable says nothing.
    JOURNAL_STREAM=1:2 run -1 "$IMGSHAREFS" -o account=nobody "$REGISTRY" "$PLACE/mnt" 3>&-
    assert_output --partial 'imgsharefs: '
}

@test "what a message quotes is escaped" {
    run "$IMGSHAREFS" -o "$(printf 'a\e[2Jb\x9b')" x y 3>&-
    assert_output 'imgsharefs: unknown option: a\x1b[2Jb\x9b (see imgsharefs --help)'
}

@test "a cloud that goes away, and comes back, is logged once each; a rejected key is" {
    new_registry
    start_cloud
    MNT=$PLACE/mnt
    mkdir "$MNT"
    clear_later "$MNT"
    JDCLOUD_ACCESS_KEY=$OWNER_KEY JDCLOUD_SECRET_KEY=$OWNER_SECRET "$IMGSHAREFS" -d \
        -o "endpoint=$CLOUD_URL,state=$PLACE/state,refresh=1,timeout=1" "jdcloud:$REGION" "$MNT" \
        </dev/null >"$LOG" 2>&1 3>&- &
    wait_for 10 is_mounted "$MNT"
    wait_for 10 lists_known "$MNT"
    touch "$MNT/private/$CLOUD_GOLDEN/shares/alice"
    run ! grep -F "imgsharefs: jdcloud:$REGION" "$LOG"
    end_cloud KILL
    wait_for 10 grep -F "imgsharefs: jdcloud:$REGION: ECONNREFUSED: " "$LOG"
    run ! touch "$MNT/private"
    run ! touch "$MNT/private/$CLOUD_GOLDEN/shares/bob"
    start_cloud_again
    wait_for 15 grep -F "imgsharefs: jdcloud:$REGION: answers again; it was away since 20" "$LOG"
    assert_equal "$(grep -cF "imgsharefs: jdcloud:$REGION: " "$LOG")" 2
    # At the highest level, and after all that.
    run ! grep -F "$OWNER_SECRET" "$LOG"
    run ! grep -F "$OWNER_KEY" "$LOG"
    unmount "$MNT"

    mkdir "$PLACE/mnt2"
    clear_later "$PLACE/mnt2"
    JDCLOUD_ACCESS_KEY=$OWNER_KEY JDCLOUD_SECRET_KEY=wrong-secret "$IMGSHAREFS" -d \
        -o "endpoint=$CLOUD_URL,state=$PLACE/state,refresh=1,timeout=1" "jdcloud:$REGION" "$PLACE/mnt2" \
        </dev/null >"$LOG" 2>&1 3>&- &
    wait_for 10 grep -F "imgsharefs: jdcloud:$REGION: EKEYREJECTED: " "$LOG"
    run ! grep -F wrong-secret "$LOG"
}

@test "a disk that is full is logged" {
    need_root
    new_registry
    mkdir "$PLACE/home"
    cp "$REGISTRY" "$PLACE/home/r"
    run at_home "
        mkdir small m && mount -t tmpfs -o size=400k none small && cp r small/r
        syslog_to log
        imgsharefs -o account=jcloud-demo small/r m
        head -c 1M /dev/zero >small/filler
        for _ in 1 2 3; do touch m/private/$IMG_GOLDEN/shares/alice; done
        cat log"
    assert_line --regexp '^<27>.*imgsharefs[^ ]*/m\[[0-9]+\]: ENOSPC: the disk of the store is full$'
    assert_equal "$(grep -c '<27>.*ENOSPC' <<<"$output")" 1
}

ten_seconds_later()
{
    [ $(($(now_ms) - $(cat "$FOLD/first"))) -gt 10000 ]
}

# The last one: by now most of the ten seconds have gone.
@test "equal messages within ten seconds are one, and the next says how many there were" {
    local pid bad="the list of before stays in force: $FOLD/allow:1: "

    pid=$(cat "$FOLD/pid")
    wait_for 11 ten_seconds_later
    kill -HUP "$pid"
    wait_for 5 grep -F 'times more before' "$FOLD/log"
    run grep -F "$bad" "$FOLD/log"
    assert_line --index 0 --regexp "^imgsharefs: .*[^)]\$"
    assert_line --index 1 --partial ' (and 3 times more before)'
    [ "${#lines[@]}" -eq 2 ]
}
