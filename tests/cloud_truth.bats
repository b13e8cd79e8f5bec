#!/usr/bin/env bats
# shellcheck disable=SC2012,SC2034,SC2086  # ls is tested here; ids of images need no quotes
# Nothing is lost, and nothing invented: what touch and rm say holds, whatever happens on the way; and where
# nobody knows what became of a change, it is found out.

load helpers
load cloud_helpers

# That a change was not made is known ten seconds later: a mount where nothing else happens waits for that while
# the other tests go on.
setup_file()
{
    export LC_ALL=C.UTF-8
    local BATS_TEST_TMPDIR=$BATS_FILE_TMPDIR

    start_cloud
    mount_read -o timeout=1
    tell fault shareImage hang
    tell fault unShareImage hang
    ! touch "$GOLDEN/alice" 2>/dev/null || return
    wait_for 8 status_is online yes
    ! rm "$WEB/alice" 2>/dev/null || return
    tell clear
    export SETTLING_CONTROL=$CONTROL SETTLING_MNT=$MNT SETTLING_CLOUD=$CLOUD_PID
}

teardown_file()
{
    local BATS_TEST_TMPDIR=$BATS_FILE_TMPDIR CLOUD_PID=$SETTLING_CLOUD

    stop_all
}

setup()
{
    export LC_ALL=C.UTF-8
    start_cloud
}

# settled: nothing is unknown any more.
settled()
{
    status_is unsettled '0 changes'
}

assert_settled()
{
    within "$1" 'settled' settled
    agrees $CLOUD_GOLDEN $CLOUD_WEB
}

# --- the answer is missing ---

# share_without_answer, cancel_without_answer: the cloud makes it and does not say so; who has asked for it fails.
share_without_answer()
{
    mount_read -o timeout=1
    tell fault shareImage hang applied=true
    run touch "$GOLDEN/alice"
    assert_failure 1
}

cancel_without_answer()
{
    mount_read -o timeout=1
    tell fault unShareImage hang applied=true
    run rm "$WEB/alice"
    assert_failure 1
}

@test "a share whose answer comes too late fails, and appears when it is known to be made" {
    mount_read -o timeout=1
    tell fault shareImage delay ms=1800
    run touch "$GOLDEN/alice"
    assert_failure 1
    assert_output --partial 'Connection timed out'
    assert_event_has action=share pin=alice errno=ETIMEDOUT unsettled=yes
    # Until that is known it is not there.
    assert_equal "$(listed $CLOUD_GOLDEN)" ''
    assert_not_exists "$GOLDEN/alice"
    assert_equal "$(status_of unsettled)" '1 change'
    run cat "$MNT/status"
    assert_output --regexp "unsettled.*$CLOUD_GOLDEN.*alice"
    assert_settled 10
    assert_cloud_shares $CLOUD_GOLDEN alice
    assert_event_has action=share image=$CLOUD_GOLDEN pin=alice settled=made
}

@test "a share that the cloud has made without an answer appears; touch has failed all the same" {
    share_without_answer
    tell clear
    assert_settled 8
    assert_exists "$GOLDEN/alice"
    assert_event_has action=share pin=alice settled=made
    # It is an ordinary share now.
    rm "$GOLDEN/alice"
    assert_cloud_shares $CLOUD_GOLDEN
}

@test "a cancel without an answer leaves the entry until it is known" {
    mount_read -o timeout=1
    tell fault unShareImage hang applied=true image=$CLOUD_WEB pin=alice
    run rm "$WEB/alice"
    assert_failure 1
    assert_exists "$WEB/alice"
    assert_equal "$(listed $CLOUD_WEB)" $'alice\nbob'
    tell clear
    assert_settled 8
    assert_equal "$(listed $CLOUD_WEB)" bob
    assert_event_has action=cancel pin=alice settled=made
}

@test "rm -f of a share that nobody knows of does not say that it is gone" {
    tell set lag_ms=60000
    share_without_answer
    # The cloud has it; nothing may exit 0 that leaves it there, and nothing that takes it for made.
    tell fault '*' hang
    for command in "rm -f $GOLDEN/alice" "touch $GOLDEN/alice"; do
        run $command
        assert_failure 1
        assert_output --partial 'Connection timed out'
    done
    assert_equal "$(listed $CLOUD_GOLDEN)" ''
    # So it is while the cloud answers, but its list does not show the share yet.
    tell clear
    wait_for 8 status_is online yes
    for command in "rm -f $GOLDEN/alice" "touch $GOLDEN/alice" "stat $GOLDEN/alice"; do
        run $command
        assert_failure 1
        assert_output --partial 'Connection timed out'
    done
    tell set lag_ms=0
    assert_settled 5
    rm -f "$GOLDEN/alice"
    assert_cloud_shares $CLOUD_GOLDEN
}

@test "touch of a share whose cancel nobody knows of does not say that it is there" {
    tell set lag_ms=60000
    cancel_without_answer
    # The list still shows the share.
    tell clear
    wait_for 8 status_is online yes
    run touch "$WEB/alice"
    assert_failure 1
    assert_output --partial 'Connection timed out'
    assert_equal "$(listed $CLOUD_WEB)" $'alice\nbob'
}

@test "rm -f after Ctrl-C on a touch waits for what became of it, and cancels" {
    mount_read -o timeout=5
    tell fault shareImage hang
    env --default-signal=INT touch "$GOLDEN/alice" 3>&- &
    pid=$!
    wait_for 5 requests_held 1
    kill -INT $pid
    status=0
    wait $pid || status=$?
    assert_equal $status 130
    rm -f "$GOLDEN/alice" 3>&- &
    pid=$!
    wait_for 5 members_asked $CLOUD_GOLDEN
    # Only now is it carried out.
    tell share $CLOUD_GOLDEN alice
    wait $pid
    assert_cloud_shares $CLOUD_GOLDEN
    assert_equal "$(requests_count unShareImage)" 1
}

# interrupted PROGRAM FILE: Ctrl-C comes while its change hangs at the cloud, which answers when it is resumed.
interrupted()
{
    local pid status=0

    env --default-signal=INT "$@" 3>&- &
    pid=$!
    wait_for 5 requests_held 1
    kill -INT $pid
    wait $pid || status=$?
    assert_equal $status 130
}

@test "after Ctrl-C the answer that is on its way is taken, and the kernel is told; until then it is unsettled" {
    # The list never shows what was made.
    tell set lag_ms=60000
    mount_read
    tell fault shareImage hang times=1
    tell fault unShareImage hang times=1
    interrupted touch "$GOLDEN/alice"
    assert_equal "$(status_of unsettled)" '1 change'
    tell resume
    assert_event_has action=share pin=alice errno=EINTR unsettled=yes
    # Who asks for it waits for the answer.
    stat "$GOLDEN/alice"
    interrupted rm "$WEB/bob"
    tell resume
    wait_for 5 test ! -e "$WEB/bob"
    assert_equal "$(listed $CLOUD_GOLDEN)" alice
    assert_equal "$(listed $CLOUD_WEB)" alice
    assert_equal "$(status_of unsettled)" '0 changes'
    assert_equal "$(grep -c 'outcome=done settled=made request=' "$MNT/events")" 2
    assert_cloud_shares $CLOUD_GOLDEN alice
    assert_cloud_shares $CLOUD_WEB alice
}

@test "a shell that is interrupted while it shares, and tries again, shares once" {
    mount_read -o timeout=5
    tell fault shareImage delay ms=700
    # Its children end meanwhile.
    bash -c 'sleep 0.3 & sleep 0.5 & : >"$1"' bash "$GOLDEN/alice" 3>&-
    assert_cloud_shares $CLOUD_GOLDEN alice
    assert_equal "$(requests_count shareImage)" 1
}

@test "the opposite of what is unsettled fails until that is known, and what is done then holds" {
    mount_read -o timeout=1
    tell fault unShareImage hang times=1 applied=true
    run rm "$WEB/alice"
    assert_failure 1
    wait_for 8 touch "$WEB/alice"
    assert_cloud_shares $CLOUD_WEB alice bob
    assert_settled 10
}

# --- the connection or the service fails in the middle ---

@test "a connection that is reset after the cloud has carried out the change is looked after" {
    mount_read
    for how in reset close; do
        tell fault shareImage $how applied=true times=1
        touch "$GOLDEN/alice"
        assert_cloud_shares $CLOUD_GOLDEN alice
        tell fault unShareImage $how applied=true times=1
        rm "$GOLDEN/alice"
        assert_cloud_shares $CLOUD_GOLDEN
        agrees $CLOUD_GOLDEN
    done
    assert_equal "$(status_of unsettled)" '0 changes'
}

@test "an error or half an answer after the cloud has carried out the change is looked after" {
    mount_read
    for how in 'error row=internal' 'error row=timing-out body=html' 'cut at=10' garbage; do
        # shellcheck disable=SC2086
        tell fault shareImage $how applied=true times=1
        touch "$GOLDEN/alice"
        assert_cloud_shares $CLOUD_GOLDEN alice
        # shellcheck disable=SC2086
        tell fault unShareImage $how applied=true times=1
        rm "$GOLDEN/alice"
        assert_cloud_shares $CLOUD_GOLDEN
        agrees $CLOUD_GOLDEN
    done
}

@test "an error that stays although the change was made fails, and what is true is found out" {
    mount_read
    tell fault '*' error row=internal applied=true
    run touch "$GOLDEN/alice"
    assert_failure 1
    assert_output --partial 'Remote I/O error'
    assert_not_exists "$GOLDEN/alice"
    run rm "$WEB/alice"
    assert_failure 1
    assert_exists "$WEB/alice"
    tell clear
    assert_settled 8
    assert_cloud_shares $CLOUD_GOLDEN alice
    assert_cloud_shares $CLOUD_WEB bob
}

@test "a refusal of the second try says nothing of the first, which the cloud may have carried out" {
    tell set lag_ms=60000
    mount_read
    for operation in shareImage unShareImage; do
        tell fault $operation error row=internal applied=true times=1
        tell fault $operation error row=api-disabled
    done
    run touch "$GOLDEN/alice"
    assert_failure 1
    assert_output --partial 'Permission denied'
    run rm "$WEB/alice"
    assert_failure 1
    tell clear
    # The list still shows the share that is gone, and not the one that is there.
    for command in "rm -f $GOLDEN/alice" "touch $GOLDEN/alice" "touch $WEB/alice"; do
        run $command
        assert_failure 1
        assert_output --partial 'Permission denied'
    done
    tell set lag_ms=0
    assert_settled 5
    assert_cloud_shares $CLOUD_GOLDEN alice
    assert_cloud_shares $CLOUD_WEB bob
}

# held_then_killed: the cloud ends while a touch and an rm hang there; sets FAILED to what they say.
held_then_killed()
{
    local one two

    tell fault shareImage hang
    tell fault unShareImage hang
    touch "$GOLDEN/alice" 2>/dev/null 3>&- &
    one=$!
    rm "$WEB/alice" 2>/dev/null 3>&- &
    two=$!
    wait_for 5 requests_held 2
    end_cloud KILL
    FAILED=
    for pid in $one $two; do
        if wait $pid; then FAILED+=' no'; else FAILED+=' yes'; fi
    done
}

@test "a cloud that dies with the request: both fail, and after its return its word counts" {
    mount_read
    held_then_killed
    assert_equal "$FAILED" ' yes yes'
    assert_equal "$(listed $CLOUD_GOLDEN)" ''
    assert_equal "$(listed $CLOUD_WEB)" $'alice\nbob'
    assert_equal "$(status_of unsettled)" '2 changes'
    # It had made the share, and the cancel as well.
    start_cloud_again
    tell share $CLOUD_GOLDEN alice
    tell cancel $CLOUD_WEB alice
    wait_for 5 status_is online yes
    assert_settled 10
    assert_event_has action=share pin=alice settled=made
    assert_event_has action=cancel pin=alice settled=made
}

@test "what was unsettled when the mount ended is settled by the next one" {
    mount_read
    held_then_killed
    unmount "$MNT"
    start_cloud_again
    tell share $CLOUD_GOLDEN alice
    tell cancel $CLOUD_WEB alice
    mount_cloud
    assert_settled 10
    assert_event_has action=share pin=alice settled=made
    assert_event_has action=cancel pin=alice settled=made
    assert_cloud_shares $CLOUD_WEB bob
}

# --- lists that lag ---

@test "one's own changes are there at once and stay, while the cloud's list lags" {
    tell set lag_ms=60000
    mount_read
    touch "$GOLDEN/alice"
    rm "$WEB/alice"
    for _ in 1 2 3; do
        touch "$GOLDEN" "$WEB"
        assert_equal "$(control members --visible $CLOUD_GOLDEN)" ''
        assert_equal "$(listed $CLOUD_GOLDEN)" alice
        assert_equal "$(listed $CLOUD_WEB)" bob
        touch "$MNT/private"
        assert_equal "$(listed $CLOUD_GOLDEN)" alice
    done
    tell set lag_ms=0
    agrees $CLOUD_GOLDEN $CLOUD_WEB
    refute event_has action=vanished
    refute event_has action=appeared
}

@test "one's own changes stay while the cloud's list flaps between before and after" {
    tell set lag_ms=60000 lag_mode=flapping
    mount_read
    touch "$GOLDEN/alice"
    rm "$WEB/bob"
    for _ in {1..12}; do
        touch "$GOLDEN" "$WEB"
        assert_equal "$(listed $CLOUD_GOLDEN)" alice
        assert_equal "$(listed $CLOUD_WEB)" alice
    done
    refute event_has action=vanished
    refute event_has action=appeared
    # What others change is seen meanwhile.
    tell set lag_ms=0
    tell share $CLOUD_GOLDEN carol
    agrees $CLOUD_GOLDEN $CLOUD_WEB
}

@test "share, cancel and share again are in order, while the list lags" {
    tell set lag_ms=60000
    mount_read
    for _ in {1..5}; do
        touch "$GOLDEN/alice"
        assert_exists "$GOLDEN/alice"
        rm "$GOLDEN/alice"
        assert_not_exists "$GOLDEN/alice"
    done
    touch "$GOLDEN/alice"
    assert_equal "$(control requests | grep -c '"operation": ".*hareImage"')" 11
    assert_cloud_shares $CLOUD_GOLDEN alice
    tell set lag_ms=0
    agrees $CLOUD_GOLDEN
}

@test "a share of unknown outcome is found although the list lags" {
    tell set lag_ms=60000
    share_without_answer
    tell clear
    wait_for 8 members_asked $CLOUD_GOLDEN
    assert_equal "$(status_of unsettled)" '1 change'
    tell set lag_ms=0
    assert_settled 8
    assert_event_has action=share pin=alice settled=made
    assert_equal "$(listed $CLOUD_GOLDEN)" alice
}

@test "a list from before the last opposite change is no proof that a change was made" {
    tell set lag_ms=60000
    mount_read
    touch "$GOLDEN/alice"
    rm "$WEB/alice"
    tell fault shareImage reset applied=false
    tell fault unShareImage reset applied=false
    # The lists show just what is wanted.
    run rm "$GOLDEN/alice"
    assert_failure 1
    run touch "$WEB/alice"
    assert_failure 1
    assert_equal "$(listed $CLOUD_GOLDEN)" alice
    assert_equal "$(listed $CLOUD_WEB)" bob
    touch "$GOLDEN" "$WEB"
    assert_equal "$(status_of unsettled)" '2 changes'
    refute event_has settled=made
    assert_cloud_shares $CLOUD_GOLDEN alice
    assert_cloud_shares $CLOUD_WEB bob
}

# --- what was not made: see setup_file ---

@test "a share and a cancel that the cloud has not made are forgotten, each with an event" {
    CONTROL=$SETTLING_CONTROL MNT=$SETTLING_MNT
    GOLDEN=$MNT/private/$CLOUD_GOLDEN/shares WEB=$MNT/private/$CLOUD_WEB/shares
    # Most of it has passed already.
    assert_settled 16
    assert_cloud_shares $CLOUD_GOLDEN
    assert_event_has action=share pin=alice settled=not-made
    assert_not_exists "$GOLDEN/alice"
    assert_equal "$(listed $CLOUD_WEB)" $'alice\nbob'
    assert_event_has action=cancel pin=alice settled=not-made
    # All is as before.
    touch "$GOLDEN/alice"
    assert_cloud_shares $CLOUD_GOLDEN alice
    rm "$WEB/alice"
    assert_cloud_shares $CLOUD_WEB bob
}
