#!/usr/bin/env bats
# shellcheck disable=SC2086  # ids of images need no quotes
# imgshare undo: what was cancelled by mistake is shared again.

load helpers
load cloud_helpers

setup()
{
    new_registry
    mount_registry
    NAME=$(cat "$MNT/private/$IMG_MYSQL/name")
}

# plus ID NAME PIN
plus()
{
    printf '+ share %s (%s) %s\n' "$@"
}

@test "undo prints what a process has cancelled, and with --apply shares it again" {
    before=$(all_shares)
    rm "$MNT/private/$IMG_MYSQL/shares/bob" # by another process
    bash -c 'echo $$ >"$1"; exec rm "$2"/*' bash "$BATS_TEST_TMPDIR/pid" "$MNT/private/$IMG_FULL/shares"
    pid=$(cat "$BATS_TEST_TMPDIR/pid")
    assert_shares $IMG_FULL
    after=$(all_shares)
    run -2 --separate-stderr "$IMGSHARE" undo "$MNT" --pid "$pid"
    # shellcheck disable=SC2154
    assert_equal "$stderr" ''
    assert_equal "$output" "$(grep "^$IMG_FULL" <<<"$before" |
        sed "s/^$IMG_FULL /+ share $IMG_FULL ($(cat "$MNT/private/$IMG_FULL/name")) /")"
    assert_equal "$(all_shares)" "$after"
    planned=$output
    run -0 --separate-stderr "$IMGSHARE" undo "$MNT" --pid "$pid" --apply
    assert_equal "$output" "$planned"
    assert_equal "$(all_shares)" "$(grep -vx "$IMG_MYSQL bob" <<<"$before")"
    # Then there is nothing to do.
    run -0 "$IMGSHARE" undo "$MNT" --pid "$pid"
    assert_output ''
    run -0 "$IMGSHARE" undo "$MNT" --pid "$pid" --apply
    assert_output ''
}

@test "undo --since: of that time on, and not what was shared again or is not lost" {
    rm "$MNT/private/$IMG_MYSQL/shares/bob"
    time=$(tail -n 1 "$MNT/events" | sed -E 's/^time=([^ ]*) .*/\1/')
    rm "$MNT/private/$IMG_MYSQL/shares/alice"
    run -2 "$IMGSHARE" undo "$MNT" --since "$time"
    assert_output "$(plus $IMG_MYSQL "$NAME" alice; plus $IMG_MYSQL "$NAME" bob)"
    later=$(tail -n 1 "$MNT/events" | sed -E 's/^time=([^ ]*) .*/\1/')
    run -2 "$IMGSHARE" undo "$MNT" --since "$later"
    assert_output "$(plus $IMG_MYSQL "$NAME" alice)"
    run -2 "$IMGSHARE" undo "$MNT" --since 1h
    assert_output "$(plus $IMG_MYSQL "$NAME" alice; plus $IMG_MYSQL "$NAME" bob)"
    touch "$MNT/private/$IMG_MYSQL/shares/alice"
    run -0 "$IMGSHARE" undo "$MNT" --since "$later"
    assert_output ''
    # Import leaves no event of each share.
    import_image $IMG_MYSQL name "$NAME" pins '["bob"]'
    run -0 "$IMGSHARE" undo "$MNT" --since 1h
    assert_output ''
}

@test "undo --since says so where the log does not go back as far" {
    rm "$MNT/private/$IMG_MYSQL/shares/bob"
    run -2 --separate-stderr "$IMGSHARE" undo "$MNT" --since 1h
    # shellcheck disable=SC2154
    assert_equal "$stderr" ''
    unmount "$MNT"
    # As many lines as are kept, all of this moment.
    sqlite3 "$REGISTRY" "
        CREATE TEMP TABLE last AS SELECT event.account, at_ns, line, length(CAST(line AS BLOB)) AS size,
            events_end AS end FROM event JOIN account ON account.id = event.account WHERE pin = 'jcloud-demo'
            ORDER BY start DESC LIMIT 1;
        WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 9999)
            INSERT INTO event SELECT account, end + i * size, at_ns, line FROM last CROSS JOIN n;
        UPDATE account SET events_end = events_end + 10000 * (SELECT size FROM last)
            WHERE id = (SELECT account FROM last);"
    mount_registry
    first=$(head -n 1 "$MNT/events" | sed -E 's/^time=([^ ]*) .*/\1/')
    run -2 --separate-stderr "$IMGSHARE" undo "$MNT" --since 1h
    assert_output "$(plus $IMG_MYSQL "$NAME" bob)"
    assert_regex "$stderr" "the log of events begins at ${first%.*}[^ ]*; what was before is not in it"
}

@test "undo says what cannot be undone, and does the rest" {
    rm "$MNT/private/$IMG_MYSQL/shares/"{alice,bob}
    rm "$MNT/private/$IMG_FULL/shares/alice"
    add_account dave
    touch "$MNT/private/$IMG_FULL/shares/dave"
    full=$(cat "$MNT/private/$IMG_FULL/name")
    run -1 --separate-stderr "$IMGSHARE" undo "$MNT" --since 1h
    assert_equal "$stderr" "imgshare: $IMG_FULL ($full): would be shared with 21 accounts, and 20 are allowed"
    assert_line "$(plus $IMG_MYSQL "$NAME" alice)"
    run -1 --separate-stderr "$IMGSHARE" undo "$MNT" --since 1h --apply
    assert_equal "$output" "$(plus $IMG_MYSQL "$NAME" alice; plus $IMG_MYSQL "$NAME" bob)"
    [[ $stderr == *"imgshare: share $IMG_FULL ($full) alice: Disk quota exceeded; EDQUOT: "*"imgshare: 2 of 3 changes made, 1 refused, 0 not tried" ]] ||
        fail "$stderr"
    assert_shares $IMG_MYSQL alice bob
}

@test "undo that is called wrongly, or cannot read the log" {
    run -1 "$IMGSHARE" undo "$MNT"
    assert_output 'imgshare: undo: --since TIME or --pid N is missing; see: imgshare undo --help'
    run -1 "$IMGSHARE" undo "$MNT" --since yesterday
    assert_output --partial '--since takes a time like 2026-11-24T08:00:00Z'
    run -1 "$IMGSHARE" undo "$MNT" --pid 0
    assert_output --partial '--pid takes the number of a process'
    run -1 "$IMGSHARE" undo --pid 1
    assert_output --partial 'MOUNT is missing'
    run -1 "$IMGSHARE" undo "$BATS_TEST_TMPDIR" --pid 1
    assert_output --partial 'not inside a mount of imgsharefs'
    run -0 "$IMGSHARE" undo "$MNT" --pid 1
    assert_output ''
}

@test "undo in a cloud: an image that is gone is said, and what is there is shared again" {
    unmount "$MNT"
    start_cloud
    mount_read
    touch "$GOLDEN/carol"
    rm "$GOLDEN/carol" "$WEB/alice"
    tell remove-image $CLOUD_GOLDEN
    name=$(cat "$MNT/private/$CLOUD_WEB/name")
    run -1 --separate-stderr "$IMGSHARE" undo "$MNT" --since 1h
    assert_equal "$output" "$(plus $CLOUD_WEB "$name" alice)"
    assert_equal "$stderr" "imgshare: $CLOUD_GOLDEN: the image is gone; 1 shares of it are lost"
    run -1 "$IMGSHARE" undo "$MNT" --since 1h --apply
    assert_cloud_shares $CLOUD_WEB alice bob
}
