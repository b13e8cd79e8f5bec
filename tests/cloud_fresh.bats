#!/usr/bin/env bats
# shellcheck disable=SC2009,SC2010,SC2012,SC2034,SC2086,SC2089,SC2090,SC2153  # ls is tested here; ids of images need no quotes
# How soon others' changes are seen, what a failed refresh leaves, what is not said when nobody has been able
# to ask for long, and that no secret is anywhere.

load helpers
load cloud_helpers

setup()
{
    export LC_ALL=C.UTF-8
    start_cloud
}

lists()
{
    ls -A "$1" | grep -qxF "$2"
}

lists_not()
{
    ! lists "$@"
}

missing()
{
    [ ! -e "$1" ]
}

# --- others' changes ---

@test "another client's changes show in a shares/ that is in use within refresh seconds" {
    mount_read -o refresh=1
    # What the kernel keeps: a name that is missing, and one that is there.
    missing "$GOLDEN/carol"
    stat "$WEB/alice" >/dev/null
    cd "$GOLDEN"
    tell share $CLOUD_GOLDEN carol
    tell cancel $CLOUD_WEB alice
    start=$(now_ms)
    within 3 'the share, by stat' [ -e "$GOLDEN/carol" ]
    within 3 'the cancel, by stat' missing "$WEB/alice"
    # Two round trips, and the tools.
    [ $(($(now_ms) - start)) -le 1800 ]
    lists "$GOLDEN" carol
    lists . carol
    lists_not "$WEB" alice
    [ -L "$MNT/by-account/carol/$CLOUD_GOLDEN" ]
    cd /
    assert_event_has action=appeared image=$CLOUD_GOLDEN pin=carol
    assert_event_has action=vanished image=$CLOUD_WEB pin=alice
    # Once a second, each: no more is asked than that needs.
    before=$(requests_count)
    sleep 1.1
    assert_equal "$(asked_since $before | sort | uniq -c | awk '$1 > 4 { print "too many:", $0 }')" ''
    refute event_has action=appeared pin=bob # which was there from the beginning
}

@test "a shares/ that is not in use is asked for when it is opened, if it is older than refresh" {
    mount_read -o refresh=1
    unmount "$MNT"
    tell share $CLOUD_GOLDEN carol
    tell cancel $CLOUD_WEB alice
    sleep 1.1
    # The images of this mount are in nobody's use yet: the very first listing is right.
    mount_cloud -o refresh=1
    lists "$MNT/private/$CLOUD_GOLDEN/shares" carol
    lists_not "$MNT/private/$CLOUD_WEB/shares" alice
}

@test "after touch of a shares/ the news shows within 200 ms" {
    mount_read
    missing "$GOLDEN/carol"
    tell share $CLOUD_GOLDEN carol
    tell cancel $CLOUD_WEB alice
    touch "$GOLDEN" "$WEB"
    wait_for 0.2 [ -e "$GOLDEN/carol" ]
    wait_for 0.2 missing "$WEB/alice"
    lists "$GOLDEN" carol
    lists_not "$WEB" alice
    assert_event_has action=appeared image=$CLOUD_GOLDEN pin=carol
}

@test "after touch of private/ and of shared/ the news shows within 200 ms" {
    mount_read
    missing "$MNT/private/img-new0000000"
    missing "$MNT/by-name/private/new"
    missing "$MNT/shared/img-her0000000"
    tell add-image imageId=img-new0000000 owner=owner name=new status=ready
    tell add-image imageId=img-her0000000 owner=alice name=hers status=ready 'pins=["owner"]'
    tell remove-image $CLOUD_GOLDEN
    tell cancel $CLOUD_RECEIVED owner
    touch "$MNT/private" "$MNT/shared"
    wait_for 0.2 [ -e "$MNT/private/img-new0000000" ]
    wait_for 0.2 [ -e "$MNT/shared/img-her0000000" ]
    wait_for 0.2 missing "$MNT/private/$CLOUD_GOLDEN"
    wait_for 0.2 missing "$MNT/shared/$CLOUD_RECEIVED"
    [ -d "$MNT/by-name/private/new/" ]
    missing "$MNT/by-name/private/golden"
    [ -d "$MNT/by-name/shared/alice/hers/" ]
    assert_equal "$(ls "$MNT/shared")" img-her0000000
    assert_equal "$(ls "$MNT/private" | wc -l)" 5
    assert_event_has action=vanished image=$CLOUD_GOLDEN
    assert_event_has action=vanished image=$CLOUD_RECEIVED
    assert_event_has action=appeared image=img-her0000000
}

@test "after touch of an image its own values are new within 200 ms" {
    mount_read
    assert_equal "$(cat "$MNT/private/$CLOUD_PENDING/status")" pending
    tell update-image $CLOUD_PENDING status=ready name=finished
    touch "$MNT/private/$CLOUD_PENDING"
    wait_for 0.2 grep -qx available "$MNT/private/$CLOUD_PENDING/status"
    assert_equal "$(cat "$MNT/private/$CLOUD_PENDING/name" "$MNT/private/$CLOUD_PENDING/shareable")" \
        $'finished\nyes'
    [ -d "$MNT/by-name/private/finished/" ]
    touch "$MNT/private/$CLOUD_PENDING/shares/alice"
}

@test "SIGHUP refreshes everything" {
    mount_read
    missing "$GOLDEN/carol"
    tell share $CLOUD_GOLDEN carol
    tell add-image imageId=img-new0000000 owner=owner name=new status=ready
    tell cancel $CLOUD_RECEIVED owner
    kill -HUP "$(daemon_pid "$MNT")"
    within 2 'the share after SIGHUP' [ -e "$GOLDEN/carol" ]
    within 2 'the image after SIGHUP' [ -d "$MNT/private/img-new0000000" ]
    within 2 'the received image after SIGHUP' missing "$MNT/shared/$CLOUD_RECEIVED"
}

@test "touch with a time that is set explicitly refreshes nothing" {
    mount_read
    before=$(requests_count)
    touch -d 2020-01-01 "$MNT/private" "$GOLDEN" "$MNT/private/$CLOUD_GOLDEN"
    assert_equal "$(asked_since $before)" ''
}

@test "inode numbers stay over refreshes and mounts, and directories change their time with their members" {
    mount_read
    before=$(stat -c %i "$GOLDEN" "$WEB/alice" "$MNT/shared/$CLOUD_RECEIVED")
    times=$(stat -c %.Y "$GOLDEN" "$WEB" "$MNT/private")
    touch "$MNT/private" "$GOLDEN" "$WEB"
    assert_equal "$(stat -c %.Y "$GOLDEN" "$WEB" "$MNT/private")" "$times"
    tell share $CLOUD_GOLDEN carol
    touch "$GOLDEN"
    assert_not_equal "$(stat -c %.Y "$GOLDEN")" "$(head -n 1 <<<"$times")"
    unmount "$MNT"
    mount_cloud
    assert_equal "$(stat -c %i "$MNT/private/$CLOUD_GOLDEN/shares" \
        "$MNT/private/$CLOUD_WEB/shares/alice" "$MNT/shared/$CLOUD_RECEIVED")" "$before"
}

# --- a refresh that fails ---

@test "a failed refresh neither empties nor shrinks a list" {
    tell add-images 250 owner=owner status=ready name=many
    mount_read -o timeout=1
    assert_equal "$(ls "$MNT/private" | wc -l)" 255
    # The second page of three, and its repetitions.
    for fault in 'error row=api-disabled' 'cut at=1000' \
        'answer http=200 body={"requestId":"r"}'; do
        # shellcheck disable=SC2086
        tell fault describeImages $fault skip=1
        run touch "$MNT/private"
        [ $status -eq 1 ] || fail "no failure after: $fault"
        assert_equal "$fault: $(ls "$MNT/private" | wc -l)" "$fault: 255"
        tell clear
    done
    for fault in 'error row=internal' 'error row=image-not-yours' garbage; do
        # shellcheck disable=SC2086
        tell fault describeImageMembers $fault
        run touch "$WEB"
        [ $status -eq 1 ] || fail "no failure after: $fault"
        assert_equal "$fault: $(ls "$WEB")" "$fault: "$'alice\nbob'
        tell clear
    done
    refute event_has action=vanished
    touch "$MNT/private" "$WEB"
    assert_equal "$(ls "$MNT/private" | wc -l)" 255
}

@test "a list that holds less than it says removes nothing" {
    mount_read
    tell fault describeImages answer http=200 \
        'body={"requestId":"{requestId}","result":{"images":[],"totalCount":5}}'
    tell remove-image $CLOUD_PENDING
    for list in private shared; do
        ends_with_short "$MNT/$list"
    done
    assert_equal "$(ls "$MNT/private" | wc -l) $(ls "$MNT/shared" | wc -l)" '5 1'
    [[ $(status_of online) == 'no: EBADMSG: '* ]]
    tell clear
    refute event_has action=vanished
    # Once may be chance: it is asked again.
    tell fault describeImages answer http=200 times=1 \
        'body={"requestId":"{requestId}","result":{"images":[],"totalCount":5}}'
    touch "$MNT/private"
    assert_equal "$(ls "$MNT/private" | wc -l)" 4
    assert_equal "$(status_of online)" yes
    tell add-image imageId=$CLOUD_PENDING owner=owner status=pending
    touch "$MNT/private"
    # Nor does an answer that tells neither images nor their number.
    tell fault describeImages answer http=200 'body={"requestId":"{requestId}","result":{}}'
    touch "$MNT/private" 2>/dev/null || true
    assert_equal "$(ls "$MNT/private" | wc -l)" 5
    tell clear
    # One that is empty, and says so, does.
    tell fault describeImages answer http=200 \
        'body={"requestId":"{requestId}","result":{"images":[],"totalCount":0}}'
    touch "$MNT/private"
    assert_equal "$(ls "$MNT/private")" ''
    tell clear
    touch "$MNT/private"
    assert_equal "$(ls "$MNT/private" | wc -l)" 5
}

# ends_with_short DIR: to refresh it fails, and says why.
ends_with_short()
{
    run touch "$1"
    assert_failure 1
    assert_output --partial 'Bad message'
}

@test "names that the cloud makes up do no harm" {
    mount_read
    tell fault describeImageMembers answer http=200 \
        'body={"requestId":"{requestId}","result":{"pins":["a/b","..",".","","ok","\u001b[2J",null,7,"ok"]}}'
    touch "$GOLDEN" 2>/dev/null || true
    run ls -A "$GOLDEN"
    assert_success
    refute_output --partial a
    run cat "$MNT/status" "$MNT/events"
    refute_output --partial $'\e'
    tell clear
    touch "$GOLDEN"
    assert_equal "$(ls -A "$GOLDEN")" ''
}

# --- what was not confirmed for long ---

@test "without an answer for longer than maxage neither no nor already so is said" {
    mount_read -o maxage=1,refresh=60
    tell set connections=refuse
    tell drop-connections
    # A refresh finds out, and the list grows old.
    run touch "$WEB"
    assert_failure
    wait_for 5 doubted "$WEB/nobody" ECONNREFUSED
    assert_errnos <<END
ECONNREFUSED stat '$WEB/nobody'
ECONNREFUSED unlink '$WEB/nobody'
ECONNREFUSED creat '$WEB/nobody'
ECONNREFUSED creat '$WEB/alice'
ECONNREFUSED open_w '$WEB/alice'
ECONNREFUSED open_rw '$WEB/alice'
ECONNREFUSED utime '$WEB/alice' now
ECONNREFUSED unlink '$WEB/alice'
OK stat '$WEB/alice'
OK open_r '$WEB/alice'
OK opendir '$WEB'
END
    run bash -c ': >"$1"' bash "$WEB/alice"
    assert_failure 1
    for command in "rm -f $WEB/nobody" "touch $WEB/alice" "touch $WEB/nobody"; do
        run $command
        assert_failure 1
        assert_output --partial 'Connection refused'
    done
    assert_equal "$(ls "$WEB")" $'alice\nbob'
    # Names that no pin can have are still nobody's.
    assert_equal "$(errno_of stat "$WEB/.DS_Store")" ENOENT
    tell set connections=open
    wait_for 5 status_is online yes
    wait_for 5 not_doubted "$WEB/nobody"
    touch "$WEB/alice"
    rm -f "$WEB/nobody"
}

doubted()
{
    [ "$(errno_of stat "$1")" = "$2" ]
}

not_doubted()
{
    [ "$(errno_of stat "$1")" = ENOENT ]
}

@test "maxage=0 goes on saying what was known last" {
    mount_read -o maxage=0
    tell set connections=refuse
    tell drop-connections
    run touch "$WEB"
    assert_failure
    assert_equal "$(errno_of stat "$WEB/nobody")" ENOENT
    touch "$WEB/alice"
}

@test "while the cloud answers, lists that nobody opens do not grow older than maxage" {
    mount_read -o maxage=2,refresh=60
    unmount "$MNT"
    mount_cloud -o maxage=2,refresh=60
    sleep 3
    # No doubt: somebody has asked meanwhile.
    assert_equal "$(errno_of stat "$MNT/private/$CLOUD_WEB/shares/nobody")" ENOENT
    touch "$MNT/private/$CLOUD_WEB/shares/alice"
    age=$(($(date +%s) - $(date -d "$(cat "$MNT/private/$CLOUD_WEB/confirmed")" +%s)))
    [ $age -le 3 ]
}

# --- requests ---

@test "an image that only its owner may use causes no request for its members" {
    mount_read
    before=$(requests_count)
    ls "$GOLDEN" "$MNT/private/$CLOUD_PENDING/shares" >/dev/null
    assert_equal "$(control requests describeImageMembers image=$CLOUD_GOLDEN --count)" 0
    assert_equal "$(control requests describeImageMembers image=$CLOUD_PENDING --count)" 0
    assert_equal "$(control requests describeImageMembers image=$CLOUD_WEB --count)" 1
    refute grep -q Members <<<"$(asked_since $before)"
}

@test "a sweep over two hundred images shows all shares" {
    tell add-images 200 owner=owner status=ready name=many 'pins=["carol"]'
    mount_cloud
    ms_of find "$MNT/private" -path '*/shares/carol'
    assert_equal "$(find "$MNT/private" -path '*/shares/carol' | wc -l)" 200
    assert_took_at_most 10000 'find over 200 images'
    assert_equal "$(ls "$MNT/by-account/carol" | wc -l)" 200
    # Each was asked for once.
    [ "$(requests_count describeImageMembers)" -le 205 ]
}

@test "a sweep waits for many answers at a time" {
    tell add-images 60 owner=owner status=ready name=many 'pins=["carol"]'
    mount_cloud
    tell set latency_ms=200
    ms_of ls -R "$MNT/private"
    assert_took_at_most 6000 'ls -R over 60 images at 200 ms an answer'
    assert_equal "$(find "$MNT/private" -path '*/shares/carol' | wc -l)" 60
}

@test "who opens what is asked for in the background does not wait for all of that" {
    tell add-images 40 owner=owner status=ready name=many 'pins=["carol"]'
    mount_cloud -o maxage=2
    tell set latency_ms=500
    # Eight at a time: five rounds.
    wait_for 5 members_asked
    last=$(ls "$MNT/private" | grep -v -e img-m5s0 -e img-p7e1 -e img-e2n3 -e img-c0mm | tail -n 1)
    ms_of ls "$MNT/private/$last/shares"
    assert_took_at_most 1200 'ls of the last of them'
    assert_equal "$(ls "$MNT/private/$last/shares")" carol
}

@test "a mount that nobody uses asks for the two lists and nothing else" {
    mount_cloud -o refresh=1,maxage=0
    before=$(requests_count)
    sleep 1.2
    asked=$(asked_since $before | sort | uniq -c)
    [[ $asked =~ ^\ *([0-9]+)\ describeImages$ ]] || fail "asked: $asked"
    [ ${BASH_REMATCH[1]} -le 4 ]
}

# --- secrets ---

@test "no secret is in the process list, the environment, the mounts, the tree, or the replica" {
    token=TOKEN0123456789TOKEN0123456789
    TOKEN=$token # an assignment before the function would be in the program's environment
    mount_read
    touch "$GOLDEN/alice"
    tell fault shareImage error row=signature
    run touch "$GOLDEN/carol"
    assert_failure
    tell clear
    pid=$(daemon_pid "$MNT")
    replica=$(status_of replica)
    for secret in $OWNER_SECRET $token; do
        for file in /proc/$pid/environ /proc/$pid/cmdline /proc/self/mountinfo /proc/mounts \
            "$MNT/events" "$MNT/status" "$MNT/README" "$MNT/private/$CLOUD_GOLDEN/last_refusal" \
            "$BATS_TEST_TMPDIR/mount.log" "$replica"*; do
            [ ! -e "$file" ] || refute grep -qaF "$secret" "$file"
        done
        refute grep -qF "$secret" <<<"$(ps axwwe | grep -v grep | grep imgsharefs | grep -v bats)"
        refute grep -rqaF "$secret" "$BATS_TEST_TMPDIR/state"
    done
    # Nor in a core file: the process cannot be dumped, and is not to be traced by others.
    assert_equal "$(awk '/^Max core file size/ { print $5 }' /proc/$pid/limits)" 0
}
