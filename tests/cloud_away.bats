#!/usr/bin/env bats
# shellcheck disable=SC2010,SC2012,SC2086,SC2153  # ls is tested here; ids of images need no quotes
# A cloud that is not there, hangs, or is somebody else: every operation ends within its deadline with its
# errno, nothing else waits, and all goes on when the cloud is back.

load helpers
load cloud_helpers

setup()
{
    export LC_ALL=C.UTF-8
}

# online PATTERN
online()
{
    status_is online "$1"
}

is_shared()
{
    [ -e "$MNT/private/$1/shares/$2" ]
}

touches()
{
    touch "$1" 2>/dev/null
}

# ends_with ERRNO MS CALL PATH [ARG]: within that time.
ends_with()
{
    local start took

    start=$(now_ms)
    assert_equal "$3 $(errno_of "${@:3}")" "$3 $1"
    took=$(($(now_ms) - start))
    [ $took -le "$2" ] || fail "$3 took $took ms, not at most $2"
}

# all_end_with ERRNO MS: a share, a cancel and refreshes, at a mount whose shares/ of web are known. After
# the first that fails the others do so at once.
all_end_with()
{
    ends_with "$1" "$2" creat "$MNT/private/$CLOUD_GOLDEN/shares/alice"
    ends_with "$1" 600 unlink "$MNT/private/$CLOUD_WEB/shares/alice"
    ends_with "$1" 600 creat "$MNT/private/$CLOUD_WEB/shares/carol"
    ends_with "$1" "$2" utime "$MNT/private" now
    ends_with "$1" "$2" utime "$MNT/private/$CLOUD_WEB" now
    ends_with "$1" "$2" utime "$MNT/private/$CLOUD_WEB/shares" now
    assert_event_has action=share image=$CLOUD_GOLDEN pin=alice outcome=refused errno=$1
    assert_event_has action=cancel image=$CLOUD_WEB pin=alice outcome=refused errno=$1
    run cat "$MNT/private/$CLOUD_WEB/last_refusal"
    assert_output --partial "share carol: $1: "
    run cat "$MNT/status"
    assert_line --partial "online: no: $1: "
    refute_line 'last_error: none'
    # What is known is shown, and what is wanted already is a success.
    assert_equal "$(listed $CLOUD_WEB)" $'alice\nbob'
    assert_equal "$(errno_of creat "$MNT/private/$CLOUD_WEB/shares/bob")" OK
    # "No" is not said of what was sent.
    local no=ENOENT
    status_is unsettled '0 changes' || no=$1
    assert_equal "$(errno_of stat "$MNT/private/$CLOUD_GOLDEN/shares/alice")" $no
}

# mount_known [ARGS of mount_cloud]: with the shares of web read, and a deadline of a second.
mount_known()
{
    [ $# -gt 0 ] || set -- -o timeout=1
    mount_cloud "$@"
    ls "$MNT/private/$CLOUD_WEB/shares" >/dev/null
    wait_for 5 quota_known
}

quota_known()
{
    [ "$(cat "$MNT/private/$CLOUD_WEB/quota")" = 2/20 ]
}

# --- ways of not being there ---

@test "a cloud that takes no connections is ECONNREFUSED, at once" {
    start_cloud
    mount_known
    tell set connections=refuse
    tell drop-connections
    all_end_with ECONNREFUSED 2500
    tell set connections=open
    wait_for 5 online yes
    touch "$MNT/private/$CLOUD_GOLDEN/shares/alice"
    assert_cloud_shares $CLOUD_GOLDEN alice
}

@test "a cloud that swallows everything is ETIMEDOUT within the deadline" {
    start_cloud
    mount_known
    tell set connections=blackhole
    tell drop-connections
    all_end_with ETIMEDOUT 2000
    tell set connections=open
    touch "$MNT/private" # which need not wait for a probe
    online yes
    agrees $CLOUD_GOLDEN $CLOUD_WEB
}

@test "a cloud that accepts connections and says nothing is ETIMEDOUT within the deadline" {
    start_cloud
    mount_known
    tell set connections=hang
    all_end_with ETIMEDOUT 2000
    tell set connections=open
    touch "$MNT/private" # which need not wait for a probe
    online yes
}

@test "connections that are reset are EREMOTEIO within the deadline" {
    start_cloud
    mount_known
    tell set connections=reset
    tell drop-connections
    ends_with EREMOTEIO 2000 creat "$MNT/private/$CLOUD_GOLDEN/shares/alice"
    ends_with EREMOTEIO 2000 unlink "$MNT/private/$CLOUD_WEB/shares/alice"
    ends_with EREMOTEIO 2000 utime "$MNT/private" now
    tell set connections=open
    touch "$MNT/private"
    touch "$MNT/private/$CLOUD_GOLDEN/shares/carol"
    agrees $CLOUD_GOLDEN $CLOUD_WEB
}

@test "half an answer that never ends is ETIMEDOUT within the deadline" {
    start_cloud
    mount_known
    tell fault describeImageMembers drip bytes_per_s=4
    ends_with ETIMEDOUT 2000 utime "$MNT/private/$CLOUD_WEB/shares" now
    assert_equal "$(listed $CLOUD_WEB)" $'alice\nbob'
    tell clear
    touch "$MNT/private"
    tell fault shareImage drip bytes_per_s=4 applied=false
    ends_with ETIMEDOUT 2000 creat "$MNT/private/$CLOUD_GOLDEN/shares/alice"
}

@test "lists that fail with 5xx fail the refresh within the deadline, and nothing is lost" {
    start_cloud
    mount_known
    tell fault '*' error row=internal
    ends_with EREMOTEIO 2000 utime "$MNT/private" now
    ends_with EREMOTEIO 2000 utime "$MNT/private/$CLOUD_WEB/shares" now
    ends_with EREMOTEIO 2000 utime "$MNT/private/$CLOUD_WEB" now
    ends_with EREMOTEIO 2000 utime "$MNT/shared" now
    assert_equal "$(ls "$MNT/private" | wc -l)" 5
    assert_equal "$(listed $CLOUD_WEB)" $'alice\nbob'
    tell clear
    touch "$MNT/private" "$MNT/private/$CLOUD_WEB/shares"
}

@test "a host without an address is EHOSTUNREACH" {
    # Where account= is given nobody has to be asked whose the key is.
    mount_cloud_only -o "endpoint=https://nowhere.invalid,account=owner"
    ends_with EHOSTUNREACH 3000 utime "$MNT/private" now
    run status_of online
    assert_output --partial EHOSTUNREACH
    run ls "$MNT/private"
    assert_failure
}

# --- TLS ---

@test "HTTPS works with cacert=" {
    start_cloud --tls
    mount_known -o "cacert=$CLOUD_CA"
    touch "$MNT/private/$CLOUD_GOLDEN/shares/alice"
    assert_cloud_shares $CLOUD_GOLDEN alice
    unmount "$MNT"
    run mount_cloud_only -o "state=$BATS_TEST_TMPDIR/state2"
    assert_failure
    assert_output --partial 'TLS'
    refute is_mounted "$MNT"
}

@test "a certificate that is expired, of another host, or of an unknown authority is EPROTO" {
    start_cloud --tls
    mount_known -o "cacert=$CLOUD_CA,timeout=1"
    for certificate in expired wrong-name unknown-ca; do
        tell set certificate=$certificate
        tell drop-connections
        run touch "$MNT/private" # a change could meet the end of the old connection
        assert_failure 1
        all_end_with EPROTO 2500
        tell set certificate=good
        touch "$MNT/private" # which need not wait for a probe
    done
    touch "$MNT/private/$CLOUD_GOLDEN/shares/alice"
    assert_cloud_shares $CLOUD_GOLDEN alice
}

# --- who waits ---

@test "twenty touches that queue on one image end within the deadline of the first" {
    start_cloud
    add_accounts p%02d 1 20
    mount_known
    tell fault shareImage hang
    start=$(now_ms)
    pids=
    for pin in p{01..20}; do
        LC_ALL=C touch "$MNT/private/$CLOUD_GOLDEN/shares/$pin" 2>"$BATS_TEST_TMPDIR/$pin" 3>&- &
        pids+=" $!"
    done
    for pid in $pids; do wait $pid && fail 'one has succeeded'; done
    took=$(($(now_ms) - start))
    printf '# all twenty: %d ms\n' $took >&3
    [ $took -lt 3000 ]
    assert_equal "$(cat "$BATS_TEST_TMPDIR"/p?? | grep -c ': Connection timed out$')" 20
    assert_equal "$(requests_count shareImage)" 1
    # Each of them was refused, and that is written down.
    for pin in p{01..20}; do
        assert_event_has action=share pin=$pin outcome=refused errno=ETIMEDOUT
    done
    assert_equal "$(listed $CLOUD_GOLDEN)" ''
}

@test "while thirty touches on thirty images hang, everything else is quick" {
    start_cloud
    tell add-images 30 owner=owner status=ready name=many
    mount_known -o timeout=10
    golden=$MNT/private/$CLOUD_GOLDEN
    ls "$golden/shares" >/dev/null
    tell fault shareImage hang
    pids=
    mapfile -t images < <(ls -d "$MNT"/private/* | grep -v -e img-m5s0 -e img-p7e1 -e img-e2n3 -e img-c0mm)
    assert_equal ${#images[@]} 30
    for image in "${images[@]}"; do
        touch "$image/shares/alice" 2>/dev/null 3>&- &
        pids+=" $!"
    done
    wait_for 5 requests_held 16 # as many as there are connections; the others wait for one
    ms_of ls -lR "$golden" "$MNT/private/$CLOUD_WEB" "$MNT/by-name"
    assert_took_at_most 1000 'ls -lR of two images and by-name/'
    ms_of stat "$golden/shares/alice"
    assert_took_at_most 1000 'stat of a name that is missing'
    ms_of cat "$MNT/status" "$MNT/events" "$golden/quota" "$golden/last_refusal"
    assert_took_at_most 1000 'cat of status, events and an image'
    ms_of ls -l "$MNT/private"
    assert_took_at_most 1000 'ls -l of private/'
    ms_of touch "$MNT/private/$CLOUD_WEB/shares/bob"
    [ $STATUS -eq 0 ]
    assert_took_at_most 1000 'touch of a share that is there'
    kill -TERM $pids
    for pid in $pids; do wait $pid || true; done
}

@test "SIGINT frees eight touches that hang on one image within a second" {
    start_cloud
    add_accounts p%d 1 8
    mount_known -o timeout=20
    tell fault shareImage hang
    pids=
    for pin in p{1..8}; do
        # A shell's background process would ignore SIGINT.
        "$PYTHON" -IS -c 'import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execvp("touch", ["touch", sys.argv[1]])' "$MNT/private/$CLOUD_GOLDEN/shares/$pin" 3>&- &
        pids+=" $!"
    done
    wait_for 5 requests_held 1
    wait_for 5 all_are touch $pids
    sleep 0.1
    start=$(now_ms)
    kill -INT $pids
    for pid in $pids; do
        status=0
        wait $pid || status=$?
        assert_equal $status 130
    done
    took=$(($(now_ms) - start))
    printf '# all eight: %d ms\n' $took >&3
    [ $took -lt 1000 ]
    # What was sent is unsettled, as no answer comes within a second; of what was not sent nothing is left.
    wait_for 5 status_is unsettled '1 change'
    tell clear
    tell resume
    touch "$MNT/private/$CLOUD_GOLDEN/shares"
    assert_equal "$(listed $CLOUD_GOLDEN)" "$(cloud_shares $CLOUD_GOLDEN)"
    [ "$(listed $CLOUD_GOLDEN | wc -l)" -le 1 ]
}

# all_are NAME PID...: the processes are that program by now, in the kernel's wait.
all_are()
{
    local pid

    for pid in "${@:2}"; do
        [ "$(cat /proc/$pid/comm)" = "$1" ] && grep -q '^State:.*[SD]' /proc/$pid/status || return
    done
}

@test "SIGINT frees a refresh and an ls that hang within a second" {
    start_cloud
    mount_cloud -o timeout=20
    tell fault describeImageMembers hang
    pids=
    for command in "touch $MNT/private/$CLOUD_WEB/shares" "ls $MNT/private/$CLOUD_WEB/shares"; do
        # shellcheck disable=SC2016
        "$PYTHON" -IS -c 'import os, signal, sys
signal.signal(signal.SIGINT, signal.SIG_DFL)
os.execvp(sys.argv[1], sys.argv[1:])' $command 3>&- >/dev/null &
        pids+=" $!"
    done
    wait_for 5 requests_held 1
    start=$(now_ms)
    kill -INT $pids
    for pid in $pids; do wait $pid || true; done
    [ $(($(now_ms) - start)) -lt 1000 ]
}

@test "SIGTERM ends the program in two seconds though calls hang, with exit status 0" {
    start_cloud
    mount_cloud -o timeout=30
    ls "$MNT/private/$CLOUD_WEB/shares" >/dev/null
    unmount "$MNT"
    # In the foreground, so that its exit status is seen.
    JDCLOUD_ACCESS_KEY=$OWNER_KEY JDCLOUD_SECRET_KEY=$OWNER_SECRET "$IMGSHAREFS" -f \
        -o "endpoint=$CLOUD_URL,state=$BATS_TEST_TMPDIR/state,timeout=30" "jdcloud:$REGION" "$MNT" \
        </dev/null >"$BATS_TEST_TMPDIR/out" 2>&1 3>&- &
    daemon=$!
    wait_for 5 is_mounted "$MNT"
    wait_for 5 lists_known "$MNT"
    # While private/ is refreshed the kernel looks up no new name in it.
    ls "$MNT/private/"{"$CLOUD_GOLDEN","$CLOUD_WEB"}/shares >/dev/null
    tell fault '*' hang
    touch "$MNT/private/$CLOUD_GOLDEN/shares/alice" 2>/dev/null 3>&- &
    one=$!
    rm "$MNT/private/$CLOUD_WEB/shares/alice" 2>/dev/null 3>&- &
    two=$!
    touch "$MNT/private" 2>/dev/null 3>&- &
    three=$!
    wait_for 5 requests_held 4 # two lists
    start=$(now_ms)
    kill -TERM $daemon
    status=0
    wait $daemon || status=$?
    took=$(($(now_ms) - start))
    printf '# the end: %d ms\n' $took >&3
    assert_equal $status 0
    [ $took -lt 2000 ]
    for pid in $one $two $three; do
        status=0
        wait $pid || status=$?
        [ $status -ne 0 ]
    done
    refute is_mounted "$MNT"
}

@test "umount works while the cloud is away, and the program ends" {
    start_cloud
    mount_known
    tell set connections=blackhole
    run touch "$MNT/private/$CLOUD_GOLDEN/shares/alice"
    assert_failure 1
    pid=$(daemon_pid "$MNT")
    ms_of fusermount3 -u "$MNT"
    [ $STATUS -eq 0 ]
    wait_for 2 mounts_daemon_gone $pid
}

# --- coming back, and being offline ---

@test "when the cloud is back a probe finds out, and touch works without a new mount" {
    start_cloud
    mount_known
    end_cloud KILL
    ends_with ECONNREFUSED 2500 creat "$MNT/private/$CLOUD_GOLDEN/shares/alice"
    start_cloud_again
    within 5 'the cloud is back' online yes
    touch "$MNT/private/$CLOUD_GOLDEN/shares/alice"
    assert_cloud_shares $CLOUD_GOLDEN alice
    agrees $CLOUD_GOLDEN $CLOUD_WEB
}

@test "a mount whose cloud is away shows what the replica knows, and changes fail with the reason" {
    start_cloud
    mount_known
    unmount "$MNT"
    end_cloud
    ms_of mount_cloud_only
    [ $STATUS -eq 0 ]
    assert_took_at_most 4000 'the mount without a cloud'
    MNT=$BATS_TEST_TMPDIR/mnt2
    assert_equal "$(ls "$MNT/private" | wc -l)" 5
    assert_equal "$(listed $CLOUD_WEB)" $'alice\nbob'
    assert_equal "$(cat "$MNT/private/$CLOUD_WEB/name" "$MNT/account/pin")" $'web\nowner'
    assert_equal "$(ls "$MNT/shared")" $CLOUD_RECEIVED
    wait_for 5 online 'no: ECONNREFUSED*'
    ends_with ECONNREFUSED 2500 creat "$MNT/private/$CLOUD_GOLDEN/shares/alice"
    ends_with ECONNREFUSED 2500 unlink "$MNT/private/$CLOUD_WEB/shares/alice"
    start_cloud_again
    wait_for 5 online yes
    touch "$MNT/private/$CLOUD_GOLDEN/shares/alice"
    assert_cloud_shares $CLOUD_GOLDEN alice
}

@test "a first mount without a network fails with the reason, and leaves nothing behind" {
    start_cloud
    end_cloud KILL
    run mount_cloud_only
    assert_failure
    assert_output --partial 'takes no connections'
    assert_output --partial "jdcloud:$REGION"
    refute is_mounted "$BATS_TEST_TMPDIR/mnt1"
    assert_equal "$(mounts_daemons "$BATS_TEST_TMPDIR/mnt1")" ''
    # What there is of a replica does not hinder the next.
    start_cloud_again
    mount_cloud
    assert_equal "$(ls "$MNT/private" | wc -l)" 5
}

@test "a first mount at a cloud that swallows everything fails within the deadline" {
    start_cloud
    tell set connections=blackhole
    ms_of mount_cloud_only
    [ $STATUS -ne 0 ]
    assert_took_at_most 4000 'the mount that fails'
    refute is_mounted "$BATS_TEST_TMPDIR/mnt1"
    assert_equal "$(mounts_daemons "$BATS_TEST_TMPDIR/mnt1")" ''
}

@test "a first mount with a key that the cloud rejects fails and says so, without the key's secret" {
    start_cloud
    SECRET=SKwrong000000000000000000000000 run mount_cloud_only
    assert_failure
    assert_output --partial 'rejects the access key'
    refute_output --partial SKwrong
    refute is_mounted "$BATS_TEST_TMPDIR/mnt1"
}

@test "a second program on the same replica is refused" {
    start_cloud
    mount_cloud
    first=$MNT
    run mount_cloud_only
    assert_failure
    assert_output --partial replica
    refute is_mounted "$BATS_TEST_TMPDIR/mnt2"
    assert_equal "$(ls "$first/private" | wc -l)" 5
    MNT=$first
    touch "$MNT/private/$CLOUD_GOLDEN/shares/alice"
}
