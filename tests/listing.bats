# Listings: complete, each entry once, also while entries come and go between the steps of a reader.
#
# What is counted are lines of ls, as people count them.
# shellcheck disable=SC2012

load helpers

setup()
{
    REGISTRY=$BATS_TEST_TMPDIR/registry
}

readdir()
{
    "$PYTHON" -IS "$TESTS/readdir.py" "$@"
}

# new_shares FORMAT COUNT: a registry in which img-0listing00 is shared with COUNT accounts, whose names
# FORMAT makes of a number; mounted, with that image's shares in SHARES.
new_shares()
{
    local pins

    # shellcheck disable=SC2059
    pins=$(printf "\"$1\"," $(seq "$2"))
    "$IMGSHARE" init "$REGISTRY" --account jcloud-demo --limit 10000
    "$IMGSHARE" account add "$REGISTRY" alice
    for name in churn-{0..49}; do
        printf '{"account":"%s"}\n' "$name"
    done | "$IMGSHARE" import "$REGISTRY" - >/dev/null
    import_image img-0listing00 pins "[${pins%,}]"
    mount_registry
    SHARES=$MNT/private/img-0listing00/shares
}

@test "what readdir says of an entry is what stat says of it, all over the tree, and nothing is there twice" {
    local pin

    new_registry
    for pin in jcloud-demo alice partner-lab; do
        mount_registry -o account=$pin
        run readdir inodes "$MNT"
        assert_success
        assert_output --regexp '^[0-9]+ entries$'
        [ "${output% entries}" -gt 50 ]
    done
}

@test "an image's directory lists its attributes first and shares last" {
    new_registry
    mount_registry
    run readdir names "$MNT/private/$IMG_MYSQL"
    assert_success
    assert_output - <<END
id
name
status
description
platform
os_type
os_version
architecture
size_mb
system_disk_gb
root_device
snapshot
created
owner
exposure
shareable
quota
confirmed
last_refusal
image.json
shares
END
    run readdir names "$MNT/shared/$IMG_PARTNER_ML"
    assert_success
    assert_line --index 20 trusted
    assert_line --index 21 notice
    assert_line --index 22 shares
    assert_equal "${#lines[@]}" 23
    # The same when it comes from the kernel's memory.
    run ls -U "$MNT/private/$IMG_MYSQL"
    assert_line --index 0 id
    assert_line --index 20 shares
}

@test "ls -f and ls count every share, in directories of any size" {
    local count

    for count in 1 127 128 129 5000; do
        rm -f "$REGISTRY"*
        new_shares 'c%d' "$count"
        assert_equal "$(ls -f "$SHARES" | wc -l)" $((count + 2))
        assert_equal "$(ls "$SHARES" | wc -l)" "$count"
        assert_equal "$(find "$SHARES" -type f | sort -u | wc -l)" "$count"
        assert_equal "$(cat "$SHARES/../quota")" "$count/10000"
        unmount "$MNT"
    done
}

@test "a reader that removes what it has read misses nothing, beside a second reader" {
    new_shares 'p%04d' 5000
    run readdir consume "$SHARES" 5
    assert_success
    assert_output ''
    assert_equal "$(shares_of img-0listing00 | wc -l)" 1000
    "$IMGSHARE" check "$REGISTRY"
}

# What a kernel keeps of a listing in pages of 4096 bytes ends at once for a reader whose entry was
# removed, if the last page is full: 128 entries with names of 1 to 8 bytes.
@test "nothing is missed where what is left of a listing fills whole pages" {
    local left dots

    for left in 128 256 1024; do
        for dots in 0 2; do
            rm -f "$REGISTRY"*
            new_shares 'p%d' $((left - dots + 8))
            run readdir behind "$SHARES" 8
            assert_success
            assert_output ''
            assert_equal "$(shares_of img-0listing00 | wc -l)" $((left - dots))
            unmount "$MNT"
        done
    done
}

@test "entries that come and go during a scan make no other be missed or seen twice" {
    new_shares 'account-%03d' 300
    run readdir steady "$SHARES" 10
    assert_success
    assert_output ''
    assert_equal "$(shares_of img-0listing00 | wc -l)" 300
    "$IMGSHARE" check "$REGISTRY"
}

@test "a reader can go back to any place, also to that of an entry that is gone" {
    local dir

    new_shares 'account-%03d' 200
    run readdir seek "$SHARES" account-100
    assert_success
    assert_output ''
    assert_equal "$(shares_of img-0listing00 | wc -l)" 199
    # And where the kernel keeps the listing.
    for dir in private private/img-0listing00 by-account; do
        run readdir seek "$MNT/$dir"
        assert_success
        assert_output ''
    done
}

@test "a listing that is open while a share is cancelled goes on with all the others" {
    local first=$BATS_TEST_TMPDIR/first

    new_shares 'account-%03d' 200
    run readdir opened "$SHARES" account-150 rm "$SHARES/account-150"
    assert_success
    assert_output ''
    # The same when another mount cancels it.
    mount_registry "$first"
    run readdir opened "$SHARES" account-120 rm "$first/private/img-0listing00/shares/account-120"
    assert_success
    assert_output ''
    assert_equal "$(shares_of img-0listing00 | wc -l)" 198
}

@test "rm -r of 2,000 shares cancels them all in one go" {
    new_shares 'account-%04d' 2000
    run rm -r "$SHARES"
    assert_failure
    assert_output "rm: cannot remove '$SHARES': Operation not permitted"
    assert_equal "$(ls -f "$SHARES" | wc -l)" 2
    assert_equal "$(shares_of img-0listing00)" ''
    assert_equal "$(cat "$SHARES/../quota")" 0/10000
    "$IMGSHARE" check "$REGISTRY"
}

@test "find -delete and rm of a glob cancel all shares of many images, and exit with 0" {
    "$IMGSHARE" init "$REGISTRY" --account jcloud-demo
    "$TESTS/generate" --images 40 --pins 5 --accounts 20 | "$IMGSHARE" import "$REGISTRY" - >/dev/null
    mount_registry
    assert_equal "$(find "$MNT/private" -path '*/shares/*' | wc -l)" 200
    find "$MNT"/private/img-000000000*/shares -type f -delete
    assert_equal "$(find "$MNT/private" -path '*/shares/*' | wc -l)" 20
    rm "$MNT"/private/*/shares/*
    assert_equal "$(find "$MNT/private" -path '*/shares/*' | wc -l)" 0
    assert_equal "$(ls -A "$MNT/by-account")" ''
    "$IMGSHARE" check "$REGISTRY"
}

@test "private/ and shared/ list every image, also those that were imported after they were read" {
    "$IMGSHARE" init "$REGISTRY" --account jcloud-demo --account account-0000
    "$TESTS/generate" --images 500 --pins 1 | "$IMGSHARE" import "$REGISTRY" - >/dev/null
    mount_registry -o account=account-0000
    shared=$MNT/shared
    mount_registry
    assert_equal "$(ls -f "$MNT/private" | wc -l)" 502
    assert_equal "$(ls -f "$shared" | wc -l)" 502
    "$TESTS/generate" --images 700 --pins 1 | "$IMGSHARE" import "$REGISTRY" - >/dev/null
    all_listed()
    {
        [ "$(ls -f "$MNT/private" | wc -l)" -eq 702 ] && [ "$(ls -f "$shared" | wc -l)" -eq 702 ] &&
            [ "$(ls -f "$MNT/by-name/private" | wc -l)" -eq 702 ] &&
            [ "$(ls -f "$MNT/by-account/account-0000" | wc -l)" -eq 702 ]
    }
    within 2 '200 more images in both mounts' all_listed
    run readdir inodes "$MNT/private"
    assert_success
}
