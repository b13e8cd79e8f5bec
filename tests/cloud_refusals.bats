#!/usr/bin/env bats
# shellcheck disable=SC2012,SC2086,SC2153  # ls is tested here; ids of images need no quotes
# Every refusal that a cloud can give, on share and on cancel: the errno, the event, last_refusal, and that
# nothing has changed.

load helpers
load cloud_helpers

setup()
{
    export LC_ALL=C.UTF-8
    start_cloud
}

# cloud_refuses ACTION ERRNO CODE ROW [NAME=VALUE]...: the cloud answers ACTION with ROW, once and for
# good; the errno, the event and last_refusal are so, and nothing has changed.
cloud_refuses()
{
    local action=$1 errno=$2 code=$3 row=$4 operation=shareImage pin=carol

    shift 4
    if [ "$action" = cancel ]; then
        operation=unShareImage
        pin=alice
    fi
    tell fault $operation error row="$row" "$@"
    assert_refused "$errno" "$code" "$action" $CLOUD_WEB $pin
    tell clear
    assert_cloud_shares $CLOUD_WEB alice bob
    assert_equal "$(listed $CLOUD_WEB)" $'alice\nbob'
}

@test "a limit that is reached is EDQUOT, and not tried again" {
    mount_cloud
    ls "$MNT/private/$CLOUD_WEB/shares" >/dev/null
    wait_for 5 quota_is $CLOUD_WEB 2/20
    before=$(requests_count shareImage)
    tell set share_limit=2
    assert_refused EDQUOT image-limit share $CLOUD_WEB carol
    assert_equal "$(requests_count shareImage)" $((before + 1))
    # The limit is asked for, and shown.
    wait_for 5 quota_is $CLOUD_WEB 2/2
}

@test "what the cloud says of a limit goes before what is known of it" {
    mount_cloud
    ls "$MNT/private/$CLOUD_WEB/shares" >/dev/null
    wait_for 5 quota_is $CLOUD_WEB 2/20
    cloud_refuses share EDQUOT image-limit share-quota
    tell set share_limit=3
    touch "$MNT/private/$CLOUD_WEB/shares/carol"
    # The mount believes in 20 still: the cloud decides.
    assert_refused EDQUOT image-limit share $CLOUD_WEB 594035263019
    wait_for 5 quota_is $CLOUD_WEB 3/3
    # And it may allow more than is believed.
    tell set share_limit=4
    touch "$MNT/private/$CLOUD_WEB/shares/594035263019"
    assert_cloud_shares $CLOUD_WEB 594035263019 alice bob carol
}

@test "an account that does not exist is ENXIO, and what looks like a mobile number EINVAL" {
    mount_cloud
    golden
    assert_refused ENXIO no-account share $CLOUD_WEB nobody
    assert_refused EINVAL mobile-number share $CLOUD_WEB 13800000002
    cloud_refuses share ENXIO no-account pin-not-found
    cloud_refuses share ENXIO no-account pin-invalid
    run touch "$WEB/shares/nobody"
    assert_failure 1
    assert_output "touch: cannot touch '$WEB/shares/nobody': No such device or address"
    # A number that is a pin is one.
    touch "$WEB/shares/594035263019"
    assert_cloud_shares $CLOUD_WEB 594035263019 alice bob
}

@test "rules that only the cloud knows of are told as the mount's own" {
    mount_cloud
    cloud_refuses share EOPNOTSUPP image-released community
    cloud_refuses share EOPNOTSUPP image-encrypted encrypted
    cloud_refuses share EACCES not-owner image-not-yours
    cloud_refuses cancel EACCES not-owner image-not-yours
    cloud_refuses share ENOENT image-gone image-not-found
    cloud_refuses cancel ENOENT image-gone image-not-found
}

@test "a task that holds the image is waited for, and EBUSY if it stays" {
    mount_cloud
    golden
    tell fault shareImage error row=task-conflict times=1
    touch "$WEB/shares/carol"
    assert_cloud_shares $CLOUD_WEB alice bob carol
    tell fault unShareImage error row=task-conflict times=1
    rm "$WEB/shares/carol"
    before=$(requests_count shareImage)
    cloud_refuses share EBUSY service-busy task-conflict
    [ "$(requests_count shareImage)" -ge $((before + 2)) ]
    cloud_refuses cancel EBUSY service-busy task-conflict
}

@test "a key or a signature that the cloud rejects is EKEYREJECTED" {
    mount_cloud
    for row in signature access-key clock-skew unauthenticated; do
        cloud_refuses share EKEYREJECTED service-key $row
        cloud_refuses cancel EKEYREJECTED service-key $row
    done
    run status_of last_error
    assert_output --partial EKEYREJECTED
}

@test "what the key may not do is EACCES" {
    mount_cloud
    for row in api-disabled ip-forbidden; do
        cloud_refuses share EACCES service-forbidden $row
        cloud_refuses cancel EACCES service-forbidden $row
    done
}

@test "a rate limit that outlasts the deadline is EAGAIN at once" {
    # The minute ends later than the deadline, unless its last seconds are running.
    [ $((10#$(date +%S))) -lt 54 ] || sleep $((61 - 10#$(date +%S)))
    for row in rate-limit rate-limit-ak rate-limit-api; do
        mount_cloud
        golden
        ls "$WEB/shares" >/dev/null
        tell fault '*' error row=$row
        ms_of touch "$WEB/shares/carol"
        [ $STATUS -eq 1 ]
        [ $TOOK -lt 1000 ] || fail "EAGAIN took $TOOK ms"
        assert_event_has action=share pin=carol errno=EAGAIN code=service-rate
        assert_refused EAGAIN service-rate cancel $CLOUD_WEB alice
        # Who has asked for nothing new is not concerned.
        assert_equal "$(listed $CLOUD_WEB)" $'alice\nbob'
        assert_equal "$(errno_of creat "$WEB/shares/bob")" OK
        unmount "$MNT"
        tell clear
    done
    assert_cloud_shares $CLOUD_WEB alice bob
}

# fails_for_good ERRNO CODE NAME=VALUE...: for shares and cancels, each of an image of its own, all at
# once: the words of a failure that does not pass.
fails_for_good()
{
    local errno=$1 code=$2 pids='' number=0 row pid

    shift 2
    for row; do
        ((number += 1))
        # shellcheck disable=SC2086
        tell fault shareImage $row image="img-f$number"
        # shellcheck disable=SC2086
        tell fault unShareImage $row image="img-g$number"
        errno_of creat "$MNT/private/img-f$number/shares/carol" >"$BATS_TEST_TMPDIR/share$number" 3>&- &
        pids+=" $!"
        errno_of unlink "$MNT/private/img-g$number/shares/alice" >"$BATS_TEST_TMPDIR/cancel$number" 3>&- &
        pids+=" $!"
    done
    for pid in $pids; do wait $pid; done
    number=0
    for row; do
        ((number += 1))
        assert_equal "$row: $(cat "$BATS_TEST_TMPDIR/share$number")" "$row: $errno"
        assert_equal "$row: $(cat "$BATS_TEST_TMPDIR/cancel$number")" "$row: $errno"
        assert_event_has action=share image=img-f$number pin=carol outcome=refused errno=$errno code=$code
        assert_event_has action=cancel image=img-g$number pin=alice outcome=refused errno=$errno code=$code
        run cat "$MNT/private/img-f$number/last_refusal" "$MNT/private/img-g$number/last_refusal"
        assert_line --index 0 --partial "share carol: $errno: "
        assert_line --index 1 --partial "cancel alice: $errno: "
        assert_not_exists "$MNT/private/img-f$number/shares/carol"
        assert_exists "$MNT/private/img-g$number/shares/alice"
    done
}

# images_to_fail COUNT: img-f1 ... not shared, and img-g1 ... shared with alice.
images_to_fail()
{
    local number list=

    for ((number = 1; number <= $1; number++)); do
        list+=",{\"do\":\"add-image\",\"image\":{\"imageId\":\"img-f$number\",\"owner\":\"owner\",\"status\":\"ready\"}}"
        list+=",{\"do\":\"add-image\",\"image\":{\"imageId\":\"img-g$number\",\"owner\":\"owner\",\"status\":\"ready\",\"pins\":[\"alice\"]}}"
    done
    tell post "[${list#,}]"
    mount_cloud "${@:2}"
    ls "$MNT"/private/img-g*/shares >/dev/null
}

# shares_in_cloud: with whom each image that is shared is, one a line.
shares_in_cloud()
{
    "$PYTHON" -IS -c '
import json, sys
for image in sorted(json.load(sys.stdin)["images"], key=lambda image: image["imageId"]):
    if image.get("pins"):
        print(image["imageId"], *sorted(image["pins"]))' < <(control get state)
}

@test "a failure of the service that passes is no error" {
    images_to_fail 6 -o timeout=5
    number=0 pids='' faults=
    for row in internal unknown bad-gateway service-unavailable timing-out unavailable; do
        ((number += 1))
        for each in "shareImage img-f$number" "unShareImage img-g$number"; do
            faults+=",{\"do\":\"fault\",\"fault\":{\"do\":\"error\",\"row\":\"$row\",\"times\":1,\"operation\":\"${each% *}\",\"image\":\"${each#* }\"}}"
        done
    done
    tell post "[${faults#,}]"
    for number in {1..6}; do
        touch "$MNT/private/img-f$number/shares/carol" 3>&- &
        pids+=" $!"
        rm "$MNT/private/img-g$number/shares/alice" 3>&- &
        pids+=" $!"
    done
    for pid in $pids; do
        wait $pid
    done
    assert_equal "$(shares_in_cloud | grep 'img-[fg]')" "$(printf 'img-f%d carol\n' {1..6})"
}

@test "a service that fails and goes on failing is EREMOTEIO, with its JSON and without" {
    images_to_fail 7
    fails_for_good EREMOTEIO service-failed \
        'error row=internal' 'error row=unknown' 'error row=bad-gateway' \
        'error row=service-unavailable' 'error row=timing-out' 'error row=gateway-error' \
        'error row=source-unavailable'
}

@test "a gateway's failure without JSON is EREMOTEIO as well" {
    images_to_fail 6
    fails_for_good EREMOTEIO service-failed \
        'error row=bad-gateway body=html' 'error row=service-unavailable body=empty' \
        'error row=timing-out body=html' 'error row=internal body=empty' \
        'error row=internal body=no-request-id' 'error row=internal http=200'
}

@test "every row that the service documents is an errno of the table, on share and on cancel" {
    # Failures that pass, rates, and pins that nobody knows have tests of their own. What is already so is a success.
    while read -r row share cancel; do
        image=img-$row
        list+=",{\"do\":\"add-image\",\"image\":{\"imageId\":\"$image\",\"owner\":\"owner\",\"status\":\"ready\",\"pins\":[\"alice\"]}}"
        list+=",{\"do\":\"fault\",\"fault\":{\"do\":\"error\",\"operation\":[\"shareImage\",\"unShareImage\"],\"row\":\"$row\",\"image\":\"$image\"}}"
        table+="$share creat 'MNT/private/$image/shares/carol'"$'\n'
        table+="$cancel unlink 'MNT/private/$image/shares/alice'"$'\n'
    done <<'END'
image-not-found ENOENT ENOENT
image-not-yours EACCES EACCES
community EOPNOTSUPP EREMOTEIO
encrypted EOPNOTSUPP EREMOTEIO
already-shared OK EREMOTEIO
not-shared EREMOTEIO OK
share-quota EDQUOT EREMOTEIO
image-quota EDQUOT EREMOTEIO
source-missing EREMOTEIO EREMOTEIO
page-size EREMOTEIO EREMOTEIO
page-number EREMOTEIO EREMOTEIO
image-id-missing EREMOTEIO EREMOTEIO
attribute-missing EREMOTEIO EREMOTEIO
parameter-invalid EREMOTEIO EREMOTEIO
parameter-missing EREMOTEIO EREMOTEIO
region EREMOTEIO EREMOTEIO
delete-protected EREMOTEIO EREMOTEIO
delete-this EREMOTEIO EREMOTEIO
delete-shared EREMOTEIO EREMOTEIO
local-disk-used EREMOTEIO EREMOTEIO
name-duplicate EREMOTEIO EREMOTEIO
user-not-found EBADMSG EBADMSG
invalid-argument EREMOTEIO EREMOTEIO
failed-precondition EREMOTEIO EREMOTEIO
out-of-range EREMOTEIO EREMOTEIO
unauthenticated EKEYREJECTED EKEYREJECTED
not-found EBADMSG EBADMSG
already-exists OK EREMOTEIO
cancelled EREMOTEIO EREMOTEIO
not-implemented EREMOTEIO EREMOTEIO
bad-request EREMOTEIO EREMOTEIO
signature EKEYREJECTED EKEYREJECTED
credentials EKEYREJECTED EKEYREJECTED
access-key EKEYREJECTED EKEYREJECTED
authorization-missing EKEYREJECTED EKEYREJECTED
credential-missing EKEYREJECTED EKEYREJECTED
date-missing EKEYREJECTED EKEYREJECTED
nonce-missing EKEYREJECTED EKEYREJECTED
signed-headers-missing EKEYREJECTED EKEYREJECTED
nonce-used EKEYREJECTED EKEYREJECTED
clock-skew EKEYREJECTED EKEYREJECTED
ip-forbidden EACCES EACCES
api-disabled EACCES EACCES
no-route EBADMSG EBADMSG
length-missing EREMOTEIO EREMOTEIO
too-large EREMOTEIO EREMOTEIO
uri-too-long EREMOTEIO EREMOTEIO
END
    tell post "[${list#,}]"
    mount_cloud
    ls "$MNT/by-account" >/dev/null
    assert_errnos <<<"${table//MNT/$MNT}"
    # Nothing has changed.
    assert_equal "$(shares_in_cloud | grep -c '^img-[a-z-]* alice$')" 47
}

@test "answers that cannot be understood are EBADMSG" {
    images_to_fail 5 -o timeout=4
    fails_for_good EBADMSG service-answer \
        'garbage bytes=512' 'cut at=20 applied=false' 'deep levels=100000' 'huge mb=40' 'raw text=nonsense'
}

@test "an error in an HTTP 200 is an error" {
    mount_cloud
    cloud_refuses share EDQUOT image-limit share-quota http=200
    cloud_refuses share ENXIO no-account pin-not-found http=200
    cloud_refuses cancel EKEYREJECTED service-key signature http=200
}

@test "reasons that nobody knows are EREMOTEIO, and the event has the cloud's words" {
    mount_cloud
    cloud_refuses share EREMOTEIO service-refused failed-precondition message=Full-moon
    assert_event_has 'answer=Full-moon'
    cloud_refuses share EREMOTEIO service-refused invalid-argument
    cloud_refuses cancel EREMOTEIO service-refused not-implemented
}

@test "a way that leads to no API is told apart from an image that is not there" {
    mount_cloud
    for row in no-route not-found; do
        cloud_refuses share EBADMSG service-answer $row
        cloud_refuses cancel EBADMSG service-answer $row
    done
}

@test "an image that goes while it is looked at is ENOENT for a change" {
    mount_cloud
    golden
    cd "$GOLDEN/shares"
    tell remove-image $CLOUD_GOLDEN
    assert_equal "$(errno_of creat alice)" ENOENT
    touch "$MNT/private"
    within 2 'the name is gone' test ! -e "$GOLDEN"
    cd /
}
