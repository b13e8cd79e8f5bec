#!/usr/bin/env bats
# shellcheck disable=SC2012,SC2034,SC2086,SC2153  # ls is tested here; ids of images need no quotes
# The account of a cloud as a file system: what is shown, and what a change asks of the cloud and what not.

load helpers
load cloud_helpers

setup()
{
    export LC_ALL=C.UTF-8
    start_cloud
}

# --- what a change asks of the cloud ---

@test "touch shares with one request, rm cancels with one, and both are there at once" {
    mount_cloud
    golden
    before=$(requests_count)
    touch "$GOLDEN/shares/alice"
    assert_equal "$(asked_since $before)" shareImage
    assert_cloud_shares $CLOUD_GOLDEN alice
    assert_exists "$GOLDEN/shares/alice"
    rm "$GOLDEN/shares/alice"
    assert_equal "$(asked_since $before)" $'shareImage\nunShareImage'
    assert_cloud_shares $CLOUD_GOLDEN
    assert_not_exists "$GOLDEN/shares/alice"
    # Each asked for its one pin, and that only.
    run control requests --after $before
    assert_equal "$(grep -c '"alice"' <<<"$output")" 2
    refute_output --partial '"bob"'
}

@test "rm works at a mount that has just begun, where no shares/ was listed yet" {
    mount_cloud
    golden
    rm "$WEB/shares/alice"
    assert_cloud_shares $CLOUD_WEB bob
    unmount "$MNT"
    mount_cloud -o "state=$BATS_TEST_TMPDIR/state2"
    # A pattern opens no shares/ either.
    rm "$MNT"/private/*/shares/bob
    assert_cloud_shares $CLOUD_WEB
    tell share $CLOUD_WEB alice
    unmount "$MNT"
    mount_cloud -o "state=$BATS_TEST_TMPDIR/state3"
    assert_equal "$(errno_of stat "$MNT/by-account/alice")" OK
    rm -f "$MNT/private/$CLOUD_WEB/shares/alice"
    assert_cloud_shares $CLOUD_WEB
}

@test "a name is not missing before the cloud was asked for it: images, accounts, and what they can use" {
    tell set latency_ms=300
    mount_cloud_only
    # Neither list has come yet.
    assert_equal "$(status_of private_age)$(status_of shared_age)" nevernever
    number=0 pids=
    for path in private/$CLOUD_WEB/shares/alice shared/$CLOUD_RECEIVED by-name/private/web \
        by-name/shared/alice/from-alice by-account/alice by-account/bob/$CLOUD_WEB; do
        ((number += 1))
        errno_of stat "$MNT/$path" >"$BATS_TEST_TMPDIR/there$number" 3>&- &
        pids+=" $!"
    done
    for path in private/img-none shared/img-none by-name/private/none by-account/nobody \
        by-account/.Trash; do
        ((number += 1))
        errno_of stat "$MNT/$path" >"$BATS_TEST_TMPDIR/missing$number" 3>&- &
        pids+=" $!"
    done
    for pid in $pids; do
        wait $pid
    done
    assert_equal "$(sort "$BATS_TEST_TMPDIR"/there* | uniq -c)" '      6 OK'
    assert_equal "$(sort "$BATS_TEST_TMPDIR"/missing* | uniq -c)" '      5 ENOENT'
}

@test "what the cloud did not tell is not missing: by-account/ then fails with the reason" {
    tell add-images 100 owner=owner status=ready name=many 'pins=["carol"]'
    tell fault describeImageMembers error row=api-disabled image=$CLOUD_WEB
    mount_cloud
    ms_of ls "$MNT/by-account"
    assert_took_at_most 3000 'ls of by-account/, one image of which cannot be asked for'
    assert_equal "$(ls "$MNT/by-account")" carol
    assert_errnos <<END
EACCES stat '$MNT/by-account/alice'
EACCES readlink '$MNT/by-account/carol/$CLOUD_WEB'
ENOENT readlink '$MNT/by-account/carol/$CLOUD_GOLDEN'
OK stat '$MNT/by-account/carol'
END
    tell set connections=refuse
    tell drop-connections
    run touch "$MNT/private"
    assert_failure
    assert_equal "$(errno_of stat "$MNT/by-account/alice")" ECONNREFUSED
    tell clear
    tell set connections=open
    wait_for 10 status_is online yes
    assert_errnos <<END
OK stat '$MNT/by-account/alice'
ENOENT stat '$MNT/by-account/nobody'
END
}

@test "whatever makes an empty file shares with one request" {
    add_accounts p%d 1 4
    mount_cloud
    golden
    before=$(requests_count)
    : >"$GOLDEN/shares/p1"
    cp /dev/null "$GOLDEN/shares/p2"
    mknod "$GOLDEN/shares/p3" p 2>/dev/null && fail 'a fifo was made'
    install -m 644 /dev/null "$GOLDEN/shares/p4"
    assert_cloud_shares $CLOUD_GOLDEN p1 p2 p4
    assert_equal "$(asked_since $before | sort | uniq -c)" '      3 shareImage'
}

@test "looking at what is fresh asks nothing: ls, stat, find, names that are missing, a second touch" {
    mount_cloud
    golden
    touch "$GOLDEN/shares/alice"
    ls "$GOLDEN/shares" "$WEB/shares" >/dev/null
    # The limit is asked for when shares/ is opened first, behind the listing.
    wait_for 10 quota_is $CLOUD_GOLDEN 1/20
    wait_for 10 quota_is $CLOUD_WEB 2/20
    find "$MNT" >/dev/null
    before=$(requests_count)

    ls -lR "$MNT/private" "$MNT/shared" "$MNT/by-name" "$MNT/by-account" >/dev/null
    find "$MNT" -name alice >/dev/null
    cat "$MNT"/private/*/[a-r]* "$MNT/status" "$MNT/events" >/dev/null
    stat "$GOLDEN/shares/alice" >/dev/null
    for name in .DS_Store autorun.inf desktop.ini .Trash .git Thumbs.db nobody 'a b'; do
        assert_not_exists "$GOLDEN/shares/$name"
        assert_not_exists "$MNT/private/$name"
    done
    touch "$GOLDEN/shares/alice"
    : >"$WEB/shares/bob"
    assert_equal "$(asked_since $before)" ''
}

@test "names that cannot be a pin are refused without a request" {
    mount_cloud
    golden
    before=$(requests_count)
    assert_errnos <<END
EINVAL creat '$GOLDEN/shares/.DS_Store'
EINVAL creat '$GOLDEN/shares/autorun.inf'
EINVAL creat '$GOLDEN/shares/a b'
EINVAL creat '$GOLDEN/shares/-x'
EINVAL creat '$GOLDEN/shares/sedAbCdEf'
EINVAL creat '$GOLDEN/shares/owner'
EPERM mkdir '$GOLDEN/shares/alice'
EPERM creat '$GOLDEN/alice'
EPERM creat '$MNT/private/alice'
ENOENT unlink '$GOLDEN/shares/alice'
EACCES creat '$MNT/shared/$CLOUD_RECEIVED/shares/bob'
EACCES unlink '$MNT/shared/$CLOUD_RECEIVED/shares/owner'
END
    assert_equal "$(asked_since $before)" ''
}

@test "what the record already tells is refused without a request" {
    mount_cloud
    before=$(requests_count)
    assert_refused EBUSY image-pending share $CLOUD_PENDING alice
    assert_refused EOPNOTSUPP image-encrypted share $CLOUD_ENCRYPTED alice
    assert_refused EOPNOTSUPP image-released share $CLOUD_RELEASED alice
    assert_equal "$(asked_since $before)" ''
}

@test "a share that another client has made or cancelled is no error, whether the cloud minds or not" {
    add_accounts p%d 1 2
    mount_cloud
    golden
    ls "$GOLDEN/shares" "$WEB/shares" >/dev/null
    for how in quiet strict; do
        tell set double_share=$how double_cancel=$how
        tell share $CLOUD_GOLDEN carol
        touch "$GOLDEN/shares/carol"
        assert_exists "$GOLDEN/shares/carol"
        assert_cloud_shares $CLOUD_GOLDEN carol
        tell cancel $CLOUD_GOLDEN carol
        rm "$GOLDEN/shares/carol"
        assert_not_exists "$GOLDEN/shares/carol"
        assert_cloud_shares $CLOUD_GOLDEN
    done
}

@test "the event of a change names the request, its caller, and no secret" {
    mount_cloud
    golden
    touch "$GOLDEN/shares/alice"
    id=$(control requests shareImage | sed -n 's/.*"request_id": "\(.*\)",/\1/p')
    assert_event action=share image=$CLOUD_GOLDEN pin=alice outcome=done "request=$id" \
        "uid=$(id -u)" "exe=$(realpath "$(type -P touch)")"
    rm "$GOLDEN/shares/alice"
    assert_event action=cancel image=$CLOUD_GOLDEN pin=alice outcome=done
    id=$(control requests unShareImage | sed -n 's/.*"request_id": "\(.*\)",/\1/p')
    assert_event "request=$id"
    tell fault shareImage error row=pin-not-found
    run touch "$GOLDEN/shares/carol"
    assert_failure 1
    id=$(control requests status=400 | sed -n 's/.*"request_id": "\(.*\)",/\1/p')
    assert_event outcome=refused "request=$id" "answer=Pin 'carol' not found"
}

@test "twenty shares of one image made at once are twenty requests, and all are there" {
    add_accounts p%02d 1 20
    mount_cloud
    golden
    before=$(requests_count)
    pids=
    for pin in p{01..20}; do
        touch "$GOLDEN/shares/$pin" 3>&- &
        pids+=" $!"
    done
    for pid in $pids; do
        wait $pid
    done
    assert_equal "$(asked_since $before | sort | uniq -c)" '     20 shareImage'
    assert_cloud_shares $CLOUD_GOLDEN p{01..20}
    assert_equal "$(listed $CLOUD_GOLDEN)" "$(printf '%s\n' p{01..20})"
}

@test "the same share asked for by eight at once is one request, and a success for all" {
    mount_cloud
    golden
    tell set latency_ms=300
    before=$(requests_count)
    pids=
    for _ in {1..8}; do
        touch "$GOLDEN/shares/alice" 3>&- &
        pids+=" $!"
    done
    for pid in $pids; do
        wait $pid
    done
    assert_equal "$(asked_since $before)" shareImage
    assert_cloud_shares $CLOUD_GOLDEN alice
}

@test "of 300 shares and cancels each is seen at once by stat and ls, and after a new mount, while the cloud's lists lag" {
    mount_cloud
    golden
    ls "$GOLDEN/shares" >/dev/null
    tell set lag_ms=60000
    "$PYTHON" -IS - "$GOLDEN/shares" <<'END'
import os, sys
for number in range(150):
    path = os.path.join(sys.argv[1], "alice")
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o644))
    assert os.path.exists(path) and os.listdir(sys.argv[1]) == ["alice"], (number, "touch")
    os.unlink(path)
    assert not os.path.exists(path) and os.listdir(sys.argv[1]) == [], (number, "rm")
END
    touch "$GOLDEN/shares/bob"
    rm "$WEB/shares/bob"
    unmount "$MNT"
    mount_cloud
    golden
    touch "$GOLDEN/shares" "$WEB/shares"
    assert_equal "$(ls "$GOLDEN/shares")" bob
    assert_equal "$(ls "$WEB/shares")" alice
}

# --- what is shown ---

@test "an image's files are what its record says" {
    mount_cloud
    golden
    cd "$GOLDEN"
    for pair in id=$CLOUD_GOLDEN name=golden status=available platform=Ubuntu os_type=linux \
        os_version=22.04 architecture=x86_64 size_mb=2494 system_disk_gb=40 root_device=cloudDisk \
        snapshot=snapshot-h8u1abcd36 'created=2026-01-28 16:49:05' owner=owner exposure=owner \
        shareable=yes 'description=the image that everybody starts from' last_refusal=; do
        assert_equal "${pair%%=*}=$(cat "${pair%%=*}")" "$pair"
    done
    "$PYTHON" -IS -c '
import json, sys
record = json.load(open("image.json"))
assert record["imageId"] == sys.argv[1] and record["bootMode"] == "bios"
assert record["systemDisk"]["cloudDisk"]["encrypted"] is False' $CLOUD_GOLDEN
    cd "$WEB"
    assert_equal "$(cat size_mb)" 0
    assert_equal "$(cat snapshot)" ''
    ls shares >/dev/null
    assert_equal "$(cat exposure)" '2 accounts'
    assert_equal "$(cat "$MNT/private/$CLOUD_PENDING/status")" pending
    assert_equal "$(cat "$MNT/private/$CLOUD_RELEASED/exposure")" everyone
    run cat "$MNT/private/$CLOUD_PENDING/shareable"
    assert_output 'no: EBUSY: the image is pending; only an available image can be shared'
    cd /
}

@test "members of a record that are absent, null, or of another type are empty files" {
    tell post '[{"do":"add-image","image":{"imageId":"img-absent0000","owner":"owner"}},
        {"do":"add-image","image":{"imageId":"img-null000000","owner":"owner","name":null,
            "platform":null,"osType":null,"sizeMB":null,"systemDisk":null,"dataDisks":null,
            "createTime":null,"snapshotId":null,"status":"ready"}},
        {"do":"add-image","image":{"imageId":"img-other00000","owner":"owner","name":7,
            "platform":["Ubuntu"],"sizeMB":"many","systemDiskSizeGB":{"a":1},"status":"ready",
            "systemDisk":"vda","desc":"one\u001b[2Jtwo\nthree"}}]'
    mount_cloud
    for image in img-absent0000 img-null000000; do
        for file in platform os_type size_mb created snapshot; do
            assert_equal "$image $file $(cat "$MNT/private/$image/$file")" "$image $file "
        done
    done
    cd "$MNT/private/img-other00000"
    assert_equal "$(cat platform)" ''
    assert_equal "$(cat system_disk_gb)" ''
    refute grep -rq $'\e' --include='description' .
    assert_equal "$(wc -l <description)" 1
    cd /
    touch "$MNT/private/img-null000000/shares/alice"
    assert_cloud_shares img-null000000 alice
}

@test "the old words for where an image comes from are understood, and lists that are null or absent" {
    tell set vocabulary=old
    mount_cloud
    assert_equal "$(ls "$MNT/private" | wc -l)" 5
    assert_equal "$(ls "$MNT/shared")" $CLOUD_RECEIVED
    for how in null absent; do
        tell set empty_lists=$how
        touch "$MNT/private/$CLOUD_GOLDEN/shares" "$MNT/private"
        assert_equal "$(ls "$MNT/private/$CLOUD_GOLDEN/shares")" ''
        assert_equal "$(ls "$MNT/private" | wc -l)" 5
    done
    tell remove-image $CLOUD_RECEIVED
    touch "$MNT/shared"
    assert_equal "$(ls "$MNT/shared")" ''
}

@test "nothing is said of an image's shares before they were asked for" {
    mount_cloud
    golden
    assert_equal "$(cat "$WEB/confirmed")" ''
    assert_not_equal "$(cat "$WEB/exposure")" owner
    assert_not_equal "$(cut -d / -f 1 "$WEB/quota")" 0
    # The list itself tells that nobody has this one.
    assert_equal "$(cat "$GOLDEN/exposure")" owner
}

# refreshed_to COUNT: after one more refresh there are so many images.
refreshed_to()
{
    touch "$MNT/private"
    [ "$(ls "$MNT/private" | wc -l)" -eq "$1" ]
}

@test "the order of lists does not matter, not even one that is another on each page" {
    tell add-images 250 owner=owner status=ready name=many
    tell set order=reversed
    mount_cloud
    assert_equal "$(ls "$MNT/private" | wc -l)" 255
    tell set order=random
    tell add-images 50 owner=owner status=ready name=more
    # Some images come twice, and others do not: such a list is no success, and takes nothing away.
    wait_for 10 refreshed_to 305
    touch "$MNT/private" 2>/dev/null || assert_equal $? 1
    assert_equal "$(ls "$MNT/private" | wc -l)" 305
    refute event_has action=vanished
}

@test "images that others share are in shared/, with their owner, and cannot be shared on" {
    mount_cloud
    cd "$MNT/shared/$CLOUD_RECEIVED"
    assert_equal "$(ls "$MNT/shared")" $CLOUD_RECEIVED
    assert_equal "$(cat owner name)" $'alice\nfrom-alice'
    assert_equal "$(cat trusted)" no
    assert_equal "$(ls shares)" owner
    run cat notice
    assert_output --partial 'trust'
    assert_equal "$(errno_of creat shares/bob)" EACCES
    assert_equal "$(errno_of unlink shares/owner)" EACCES
    cd /
}

@test "by-name/ and by-account/ lead to the images" {
    mount_cloud
    ls "$MNT"/private/*/shares >/dev/null
    assert_equal "$(ls "$MNT/by-name/private")" $'encrypted\ngolden\nin-the-making\nreleased\nweb'
    assert_equal "$(readlink "$MNT/by-name/private/golden")" ../../private/$CLOUD_GOLDEN
    assert_equal "$(readlink "$MNT/by-name/shared/alice/from-alice")" \
        ../../../shared/$CLOUD_RECEIVED
    assert_equal "$(ls "$MNT/by-account")" $'alice\nbob'
    assert_equal "$(readlink "$MNT/by-account/bob/$CLOUD_WEB")" ../../private/$CLOUD_WEB
    touch "$MNT/by-name/private/golden/shares/carol"
    assert_cloud_shares $CLOUD_GOLDEN carol
    assert_equal "$(ls "$MNT/by-account/carol")" $CLOUD_GOLDEN
    rm "$MNT/by-name/private/golden/shares/carol"
    assert_not_exists "$MNT/by-account/carol"
}

@test "pins of digits, in Chinese, and what no rule allows are shown, and can be cancelled" {
    add_accounts 'a b%d' 1 1
    tell post '[{"do":"add-account","account":{"pin":"x*"}},{"do":"share","image":"'$CLOUD_GOLDEN'","pin":"x*"},
        {"do":"share","image":"'$CLOUD_GOLDEN'","pin":"a b1"}]'
    mount_cloud
    golden
    touch "$GOLDEN/shares/594035263019" "$GOLDEN/shares/京东用户"
    assert_equal "$(ls "$GOLDEN/shares")" $'594035263019\na b1\nx*\n京东用户'
    rm "$GOLDEN"/shares/*
    assert_cloud_shares $CLOUD_GOLDEN
}

@test "the account's pin is asked of iam, else of user, else taken from an image" {
    mount_cloud
    assert_equal "$(cat "$MNT/account/pin")" owner
    assert_equal "$(requests_count describeUserPin)" 1
    assert_equal "$(requests_count describeUser)" 0
    unmount "$MNT"

    # The replica knows it.
    mount_cloud
    assert_equal "$(cat "$MNT/account/pin")" owner
    assert_equal "$(requests_count describeUserPin)" 1
    unmount "$MNT"

    tell fault describeUserPin error row=api-disabled
    mount_cloud -o "state=$BATS_TEST_TMPDIR/state2"
    assert_equal "$(cat "$MNT/account/pin")" owner
    assert_equal "$(requests_count describeUser)" 1
    unmount "$MNT"

    KEY=$LIMITED_KEY SECRET=$LIMITED_SECRET mount_cloud
    assert_equal "$(cat "$MNT/account/pin")" owner
    assert_equal "$(ls "$MNT/private" | wc -l)" 5
}

@test "a key that may ask for no pin, of an account without images, has to be told it" {
    tell post '{"do":"add-account","account":{"pin":"dave","keys":[{"access_key":"AK00000000000000000000000000DAVE","secret_key":"SK00000000000000000000000000DAVE","forbid":["iam","user"]}]}}'
    KEY=AK00000000000000000000000000DAVE SECRET=SK00000000000000000000000000DAVE
    run mount_cloud_only
    assert_failure
    assert_output --partial 'account=PIN'
    mount_cloud -o account=dave
    assert_equal "$(cat "$MNT/account/pin")" dave
}

@test "status says what the source is, and whether it is there" {
    mount_cloud
    assert_equal "$(status_of source)" jdcloud:$REGION
    assert_equal "$(status_of region)" $REGION
    assert_equal "$(status_of endpoint)" "$CLOUD_URL"
    assert_equal "$(status_of online)" yes
    assert_equal "$(status_of account)" owner
    assert_equal "$(status_of private)" '5 images'
    assert_equal "$(status_of shared)" '1 images'
    assert_equal "$(status_of unsettled)" '0 changes'
    assert_equal "$(status_of last_error)" none
    [[ $(status_of private_age) =~ ^[0-9]+\ s$ ]]
    [[ $(status_of shared_age) =~ ^[0-9]+\ s$ ]]
    assert_file_exist "$(status_of replica)"
    assert_equal "$(stat -c %a "$(status_of replica)")" 600
    run df --output=fstype "$MNT"
    assert_line fuse.imgsharefs
}

@test "confirmed tells when the cloud was asked last" {
    mount_cloud
    golden
    before=$(date +%s)
    touch "$WEB/shares"
    confirmed=$(date -d "$(cat "$WEB/confirmed")" +%s)
    [ $confirmed -ge $((before - 1)) ]
    [ $confirmed -le "$(date +%s)" ]
}

# --- options of the mount ---

@test "allow=, nocancel, maxcancel= and ro hold without a request" {
    printf 'carol\n' >"$BATS_TEST_TMPDIR/allow"
    mount_cloud -o "allow=$BATS_TEST_TMPDIR/allow,nocancel"
    before=$(requests_count)
    assert_refused EPERM pin-unlisted share $CLOUD_GOLDEN alice
    ls "$MNT/private/$CLOUD_WEB/shares" >/dev/null
    assert_refused EPERM cancel-off cancel $CLOUD_WEB alice
    refute grep -q hareImage <<<"$(asked_since $before)"
    touch "$MNT/private/$CLOUD_GOLDEN/shares/carol"
    unmount "$MNT"

    mount_cloud -o maxcancel=1
    run rm "$MNT/private/$CLOUD_WEB/shares/"{alice,bob}
    assert_failure 1
    assert_cloud_shares $CLOUD_WEB bob
    unmount "$MNT"

    mount_cloud_only -o ro
    assert_equal "$(errno_of unlink "$MNT/private/$CLOUD_WEB/shares/bob")" EROFS
    assert_equal "$(errno_of creat "$MNT/private/$CLOUD_WEB/shares/carol")" EROFS
    assert_cloud_shares $CLOUD_WEB bob
}

@test "a recursive delete cancels nothing" {
    mount_cloud
    ls "$MNT/private/$CLOUD_WEB/shares" >/dev/null
    run rm -rf "$MNT/private/$CLOUD_WEB"
    assert_failure
    assert_cloud_shares $CLOUD_WEB alice bob
    rm "$MNT"/private/*/shares/alice
    assert_cloud_shares $CLOUD_WEB bob
}

@test "explain says what touch and rm would do now, what the cloud has to decide, and what last failed" {
    mount_cloud
    golden
    ls "$WEB/shares" >/dev/null
    wait_for 5 quota_is $CLOUD_WEB 2/20
    before=$(requests_count)
    run "$IMGSHARE" explain "$GOLDEN/shares/carol"
    assert_success
    assert_line --index 0 "touch $GOLDEN/shares/carol: would ask the cloud to share $CLOUD_GOLDEN with carol"
    assert_line --index 1 --regexp '^The cloud confirmed the image.s shares at 20[0-9T:-]+Z\.$'
    assert_line --index 2 --partial 'the cloud decides then'
    assert_equal "${#lines[@]}" 3
    run "$IMGSHARE" explain "$WEB/shares/alice"
    assert_success
    assert_line --index 0 --regexp '^alice has it since .*: touch changes nothing, rm asks the cloud to cancel it$'
    run "$IMGSHARE" explain "$GOLDEN/shares/a b"
    assert_success
    assert_line --index 0 --partial 'would be refused: EINVAL (pin-invalid)'
    run "$IMGSHARE" explain "$MNT/private/$CLOUD_PENDING/shares/carol"
    assert_line --index 0 --partial 'would be refused: EBUSY (image-pending)'
    run "$IMGSHARE" explain "$MNT/private/$CLOUD_ENCRYPTED"
    assert_line --index 0 --partial 'cannot be shared: EOPNOTSUPP (image-encrypted)'
    run "$IMGSHARE" explain "$MNT/shared/$CLOUD_RECEIVED/shares/bob"
    assert_line --index 0 --partial 'would be refused: EACCES (not-owner)'
    assert_equal "$(asked_since $before)" ''

    run touch "$GOLDEN/shares/nobody"
    assert_failure
    tell set share_limit=2
    run touch "$WEB/shares/carol"
    assert_failure
    wait_for 5 quota_is $CLOUD_WEB 2/2
    run "$IMGSHARE" explain "$GOLDEN/shares/nobody"
    assert_line --regexp '^last refusal: .*Z, share nobody: ENXIO \(no-account\): .* What to do: '
    run "$IMGSHARE" explain "$WEB/shares/carol"
    assert_line --partial 'By what the cloud said last it will refuse: EDQUOT (image-limit)'

    tell set connections=hang
    run touch "$WEB/shares/bob2"
    assert_failure
    run "$IMGSHARE" explain "$WEB/shares/bob2"
    assert_success
    assert_line --regexp '^The cloud is away, and changes fail at once: ETIMEDOUT: '
    assert_line --regexp '^A change of it has had no answer since 20[0-9T:-]+Z; '
    run "$IMGSHARE" explain "$WEB"
    assert_line --regexp '^The cloud is away, and changes fail at once: ETIMEDOUT: '

    # To others than the owner of the replica the mount itself tells.
    chmod 0 "$(status_of replica)"
    run setpriv --bounding-set=-all --inh-caps=-all "$IMGSHARE" explain "$GOLDEN/shares/nobody"
    assert_success
    assert_line --partial 'this user cannot read it'
    assert_line --partial 'ENXIO'
}

@test "a source that is no region, or an endpoint that is none, is said by name" {
    run mount_cloud_only -o endpoint=ftp://127.0.0.1/
    assert_failure
    assert_output --partial endpoint
    REGION='Cn_North' run mount_cloud_only
    assert_failure
    assert_output --partial 'Cn_North'
    run mount_cloud_only -o refresh=soon
    assert_failure
    assert_output --partial refresh
}
