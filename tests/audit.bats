#!/usr/bin/env bats
# shellcheck disable=SC2016,SC2086  # scripts of bash -c; ids of images need no quotes
# imgshare audit: what no list allows.

load helpers
load cloud_helpers

setup()
{
    ALLOW=$BATS_TEST_TMPDIR/allow
    TRUST=$BATS_TEST_TMPDIR/trust
}

# name_of ID: its name.
name_of()
{
    cat "$MNT"/{private,shared}/"$1/name" 2>/dev/null || true
}

# audit_is STATUS LINE...: the audit with ALLOW and TRUST has these findings.
audit_is()
{
    local wanted=$1

    shift
    run --separate-stderr "$IMGSHARE" audit "$MNT" --allow "$ALLOW" --trust "$TRUST"
    assert_equal "$output" "$(printf '%s\n' "$@")"
    # shellcheck disable=SC2154
    assert_equal "$stderr" ''
    assert_equal "$status" "$wanted"
}

@test "audit finds shares outside the list, what is open to everyone, and images of strangers" {
    new_mount
    printf 'alice\r\n# no more\r\ncarol\tCarol\r\n' >"$ALLOW"
    echo nobody >"$TRUST"
    all_shares | grep "^$IMG_FULL" | sed 's/^[^ ]* //' | grep -vx 'bob' >>"$ALLOW"
    own=$(cd "$MNT/private" && for share in */shares/bob; do
        printf 'unlisted: %s (%s) bob\n' "${share%%/*}" "$(cat "${share%%/*}/name")"
    done)
    [ "$(grep -c . <<<"$own")" -ge 2 ]
    open="everyone: $IMG_EVERYONE ($(name_of $IMG_EVERYONE))"
    received=$(cd "$MNT/shared" && for id in *; do
        printf 'untrusted: %s (%s) %s\n' "$id" "$(cat "$id/name")" "$(cat "$id/owner")"
    done)
    [ "$(grep -c . <<<"$received")" -ge 2 ]
    audit_is 1 "$(printf '%s\n' "$own" "$open" | LC_ALL=C sort -k 2,2)" "$received"
    # Less and less of it.
    cut -d ' ' -f 4 <<<"$received" | sort -u >"$TRUST"
    echo bob >>"$ALLOW"
    audit_is 1 "$open"
    import_image $IMG_EVERYONE launchPermission ownerOnly
    wait_for 5 grep -qx owner "$MNT/private/$IMG_EVERYONE/exposure"
    audit_is 0
}

@test "audit without --trust takes the mount's own list" {
    echo partner-lab >"$TRUST"
    new_mount -o "trust=$TRUST"
    all_shares | cut -d ' ' -f 2 | sort -u >"$ALLOW"
    run -1 "$IMGSHARE" audit "$MNT" --allow "$ALLOW"
    assert_output "everyone: $IMG_EVERYONE ($(name_of $IMG_EVERYONE))"
    unmount "$MNT"
    mount_registry
    run -1 "$IMGSHARE" audit "$MNT" --allow "$ALLOW"
    assert_line "untrusted: $IMG_PARTNER_ML ($(name_of $IMG_PARTNER_ML)) partner-lab"
}

@test "audit works on a read-only mount, and exits with 3 where it could not look" {
    new_mount -o ro
    echo alice >"$ALLOW"
    run -1 "$IMGSHARE" audit "$MNT" --allow "$ALLOW"
    assert_line "unlisted: $IMG_MYSQL ($(name_of $IMG_MYSQL)) bob"
    run -3 "$IMGSHARE" audit "$MNT" --allow "$ALLOW.none"
    assert_output "imgshare: $ALLOW.none: No such file or directory"
    echo a/b >"$TRUST"
    run -3 "$IMGSHARE" audit "$MNT" --allow "$ALLOW" --trust "$TRUST"
    assert_output --partial "$TRUST:1: not a pin"
    run -3 "$IMGSHARE" audit "$BATS_TEST_TMPDIR" --allow "$ALLOW"
    assert_output "imgshare: $BATS_TEST_TMPDIR: not inside a mount of imgsharefs"
    run -2 "$IMGSHARE" audit "$MNT"
    assert_output 'imgshare: audit: --allow FILE is missing; see: imgshare audit --help'
    run -3 bash -c '"$1" audit "$2" --allow "$3" >/dev/full' bash "$IMGSHARE" "$MNT" "$ALLOW"
    assert_output --partial 'standard output: No space left on device'
}

@test "audit finds what no file name can be" {
    new_registry
    share_unlistable "$IMG_GOLDEN"
    mount_registry
    all_shares | cut -d ' ' -f 2 | grep -v / | sort -u >"$ALLOW"
    run -1 "$IMGSHARE" audit "$MNT" --allow "$ALLOW"
    assert_line "unlistable: $IMG_GOLDEN a/b"
}

@test "audit asks a cloud for what it does not know, and for no more" {
    start_cloud
    mount_read
    printf 'alice\nbob\n' >"$ALLOW"
    echo alice >"$TRUST"
    open="everyone: $CLOUD_RELEASED ($(name_of $CLOUD_RELEASED))"
    audit_is 1 "$open"
    # Somebody shares in the console.
    tell share $CLOUD_GOLDEN carol
    before=$(requests_count)
    audit_is 1 "$open" "unlisted: $CLOUD_GOLDEN (golden) carol"
    # The two lists, and the members of what is shared: not of each image.
    asked=$(asked_since "$before" | sort | uniq -c)
    assert_regex "$(grep describeImageMembers <<<"$asked")" '^ +[1-3] '
    tell fault describeImageMembers error row=internal
    run -3 --separate-stderr "$IMGSHARE" audit "$MNT" --allow "$ALLOW"
    assert_regex "$stderr" "^imgshare: $MNT/private/[^/]*/shares: Remote I/O error; the list could not be refreshed"
    tell clear
    tell set connections=refuse
    tell drop-connections
    run -3 --separate-stderr "$IMGSHARE" audit "$MNT" --allow "$ALLOW"
    assert_equal "$output" ''
    assert_equal "$stderr" \
        "imgshare: $MNT/private: Connection refused; the list could not be refreshed, and an old one is not believed"
}

@test "audit finds a share whose outcome is not known, whatever its pin" {
    start_cloud
    printf 'alice\nal since x\n' >"$BATS_TEST_TMPDIR/allowed"
    mount_read -o "timeout=1,allow=$BATS_TEST_TMPDIR/allowed"
    tell fault shareImage hang applied=false
    run -1 touch "$GOLDEN/al since x"
    printf '%s\n' alice bob al >"$ALLOW"
    run -1 "$IMGSHARE" audit "$MNT" --allow "$ALLOW"
    assert_line --regexp "^unsettled: $CLOUD_GOLDEN al since x since [0-9TZ:-]+\$"
    echo 'al since x' >>"$ALLOW"
    run "$IMGSHARE" audit "$MNT" --allow "$ALLOW"
    refute_line --partial unsettled
}

@test "audit of a cloud that is mounted read-only, or by a user who may not refresh: only of young lists" {
    start_cloud
    printf 'alice\nbob\n' >"$ALLOW"
    echo alice >"$TRUST"
    mount_read -o ro
    audit_is 1 "everyone: $CLOUD_RELEASED ($(name_of $CLOUD_RELEASED))"
    # What is older than the mount's refresh is asked for by opening it: that finds this.
    unmount "$MNT"
    mount_read -o ro,refresh=1
    tell share $CLOUD_GOLDEN carol
    sleep 1.1
    audit_is 1 "everyone: $CLOUD_RELEASED ($(name_of $CLOUD_RELEASED))" "unlisted: $CLOUD_GOLDEN (golden) carol"
}

@test "audit of a mount that dies between two looks says so, and exits with 3" {
    new_mount
    : >"$ALLOW"
    assert_told_when_mount_dies 3 "$IMGSHARE" audit "$MNT" --allow "$ALLOW"
}
