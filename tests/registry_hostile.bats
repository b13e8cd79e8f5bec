#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2010,SC2086,SC2153  # ids of images need no quotes
# A registry that somebody else has made, or beside which somebody else can make files: it is opened, or refused with the reason.
# Nothing in it is carried out, nothing leads out of the tree, no file comes to be elsewhere, and nothing waits for ever.

load helpers

setup()
{
    export LC_ALL=C.UTF-8
    new_place
}

# evil SQL: REGISTRY is changed by who minds no rule. char(27) is an escape.
evil()
{
    sqlite3 "$REGISTRY" 'PRAGMA ignore_check_constraints = ON; PRAGMA foreign_keys = OFF; PRAGMA trusted_schema = ON;' "$@" >/dev/null
}

mount_evil()
{
    timeout 20 "$IMGSHAREFS" -o account=jcloud-demo "$REGISTRY" "$MNT" </dev/null 3>&-
}

# assert_refused WORDS: no mount, and no command that reads it, each with WORDS, in time; nothing comes to lie beside it.
assert_refused()
{
    local beside command

    beside=$(ls -A "$PLACE")
    for command in mount_evil check export; do
        if [ $command = mount_evil ]; then
            run mount_evil
        else
            run timeout 20 "$IMGSHARE" $command "$REGISTRY"
        fi
        [ "$status" -eq 1 ] || fail "exit status $status of: $command ($output)"
        assert_output --partial "$1"
        refute_output --partial $'\e'
    done
    refute is_mounted "$MNT"
    assert_equal "$(ls -A "$PLACE" | grep -v -- -lock)" "$(grep -v -- -lock <<<"$beside")"
}

# walk: everything in the mount is listed, looked at and read, as far as it can be, in time; links lead to images, and names tell a
# terminal nothing. The program survives, and what is sound goes on.
walk()
{
    local link pid

    pid=$(daemon_pid "$MNT")
    timeout 20 find "$MNT" -printf '%i %y %p\n%l\n' >"$PLACE/names" 2>/dev/null || [ $? -ne 124 ]
    timeout 20 find "$MNT" -type f -exec cat {} + >"$PLACE/texts" 2>/dev/null || [ $? -ne 124 ]
    refute grep -anP '[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80\xae' "$PLACE/names" "$PLACE/texts"
    while IFS= read -r -d '' link; do
        link=$(realpath -- "$link")
        [[ $link == "$MNT"/@(private|shared)/* && $link != "$MNT"/*/*/* ]] || fail "a link leads to $link"
    done < <(find "$MNT/by-name" "$MNT/by-account" -type l -print0 2>/dev/null)
    kill -0 "$pid"
    # Commands end, too, whatever they say.
    for command in check export 'account list'; do
        timeout 20 "$IMGSHARE" $command "$REGISTRY" >"$PLACE/said" 2>&1 || [ $? -eq 1 ]
        [ "$command" = export ] || refute grep -aP '[\x00-\x08\x0b-\x1f\x7f]' "$PLACE/said"
    done
}

# survives SQL...: with REGISTRY changed so, it is mounted and walked, and golden can be shared.
survives()
{
    evil "$@"
    mount_evil
    walk
    touch "$MNT/private/$IMG_GOLDEN/shares/alice"
    rm "$MNT/private/$IMG_GOLDEN/shares/alice"
    unmount "$MNT"
}

fresh()
{
    cp "$BATS_FILE_TMPDIR/sample.registry" "$REGISTRY"
}

# --- what it holds ---

@test "ids of images that are no file name lead nowhere: they are in no directory, and have no link" {
    number=0
    for id in "'../../../etc'" "'..'" "'.'" "''" "'a/b'" "'/etc'" "char(27) || '[2J'" "'x' || char(10) || 'y'" "CAST(x'ff2f' AS TEXT)" \
        "CAST(x'fe' AS TEXT)" "printf('%.300c', 'x')" "printf('%.3000000c', 'x')" "'a' || char(0) || '/../b'"; do
        statements+="UPDATE image SET image_id = $id WHERE id = (SELECT id FROM image WHERE owner = 1 AND image_id LIKE 'img-%' AND image_id
            NOT IN ('$IMG_GOLDEN') ORDER BY shares DESC LIMIT 1);"
        ((number += 1))
    done
    survives "$statements"
    mount_evil
    [ "$(find "$MNT/by-name/private" -type l | wc -l)" -ge 1 ]
    assert_equal "$(find "$MNT/by-account" -lname '*etc*')" ''
    assert_equal "$(find "$MNT/private" -mindepth 1 -maxdepth 1 | wc -l)" $(($(sqlite3 "$REGISTRY" 'SELECT count(*) FROM image WHERE owner = 1') - number))
}

@test "names of images lead to their image, whatever they are" {
    number=0
    for name in "'../../../etc'" "'..'" "'.'" "''" "'a/b'" "'/etc'" "char(27) || '[2J'" "'x' || char(10) || 'y'" "CAST(x'ff2f' AS TEXT)" \
        "printf('%.300c', 'x')" "'@$IMG_GOLDEN'" "'x@$IMG_GOLDEN'" "'$IMG_GOLDEN'" "'a' || char(0) || '/b'"; do
        statements+="UPDATE image SET name = $name WHERE id = (SELECT id FROM image WHERE owner = 1 AND image_id <> '$IMG_GOLDEN'
            ORDER BY id LIMIT 1 OFFSET $number);"
        ((number += 1))
    done
    survives "$statements"
}

@test "pins that no file name can be are told of in status, escaped, and do no harm" {
    for pin in "'../x'" "'..'" "''" "char(27) || '[2J'" "CAST(x'ff' AS TEXT)" "printf('%.300c', 'p')" "'-rf'" "'*'" "'a b'" "char(8238) || 'x'"; do
        statements+="INSERT INTO account (pin, private_ns, names_ns, received_ns, owners_ns, recipients_ns) VALUES ($pin, 1, 1, 1, 1, 1);
            INSERT INTO share (image, pin, created_ns) SELECT id, $pin, 1 FROM image WHERE image_id = '$IMG_MYSQL';
            UPDATE image SET shares = shares + 1 WHERE image_id = '$IMG_MYSQL';
            INSERT INTO recipient (owner, pin, images, changed_ns) VALUES (1, $pin, 1, 1);"
    done
    survives "$statements"
    mount_evil
    assert_equal "$(ls -A "$MNT/private/$IMG_MYSQL/shares")" $'*\n-rf\na b\nalice\nbob'
    assert_equal "$(sed -n 's/^unlistable: //p' "$MNT/status" | sort)" "$(sort <<END
$IMG_MYSQL ../x
$IMG_MYSQL ..
$IMG_MYSQL 
$IMG_MYSQL \\x1b[2J
$IMG_MYSQL \\xff
$IMG_MYSQL $(printf 'p%.0s' {1..255})... (300 bytes)
$IMG_MYSQL \\xe2\\x80\\xaex
END
)"
    rm "$MNT/private/$IMG_MYSQL/shares/"$'\e[2J'
}

@test "numbers out of range, and values of another kind, are odd and no more" {
    while IFS= read -r updates; do
        fresh
        evil "UPDATE ${updates//; /; UPDATE }"
        mount_evil || { run mount_evil; refute_output --partial $'\e'; continue; }
        walk
        errno_of creat "$MNT/private/$IMG_GOLDEN/shares/alice" >/dev/null
        errno_of unlink "$MNT/private/$IMG_GOLDEN/shares/alice" >/dev/null
        unmount "$MNT"
    done <<'END'
image SET shares = -5, shares_ns = -1, added_ns = -9223372036854775808, changed_ns = 9223372036854775807; setting SET value = '-1'
image SET shares = 9223372036854775807, status = 3, snapshots = -1; setting SET value = '9223372036854775807' WHERE name = 'limit'
share SET created_ns = -9223372036854775808; account SET events_end = -7, private_ns = -1, images = -1; recipient SET images = -1
event SET line = char(27) || '[2J' || char(155); image SET record = char(27) || '[' || char(155); setting SET value = char(27)
image SET record = printf('%.200000c', '['); recipient SET owner = 4711 WHERE id = 1; image SET owner = -1 WHERE id > 3; refusal SET code = char(27)
account SET events_end = 9223372036854775807; feed SET first = -1, last = 9223372036854775807, kind = 99; sqlite_sequence SET seq = 9223372036854775807
END
}

@test "a row that no inode number can hold is damage, and not another row" {
    evil "UPDATE image SET id = (1 << 58) + 1 WHERE image_id = '$IMG_ARM'" \
        "UPDATE share SET id = -3 WHERE image = (SELECT id FROM image WHERE image_id = '$IMG_MYSQL') AND pin = 'alice'"
    mount_evil
    assert_equal "$(errno_of stat "$MNT/private/$IMG_ARM")" EIO
    assert_equal "$(errno_of creat "$MNT/private/$IMG_ARM/shares/alice")" EIO
    assert_equal "$(errno_of stat "$MNT/private/$IMG_MYSQL/shares/alice")" EIO
    walk
    assert_equal "$(errno_of creat "$MNT/private/$IMG_GOLDEN/shares/alice")" OK
}

# --- what would be carried out ---

@test "a schema with more than tables is refused: triggers, views and virtual tables of our names, columns and indexes that compute" {
    endless='WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n)'
    while IFS='|' read -r words sql; do
        fresh
        evil "$sql"
        assert_refused "its schema holds another $words"
    done <<END
trigger t|CREATE TRIGGER t AFTER INSERT ON share BEGIN DELETE FROM share; END
trigger t|CREATE TRIGGER t AFTER INSERT ON event BEGIN INSERT INTO feed SELECT NULL, 1, 1, 1, 1, 1, 'x' FROM share a, share b, share c; END
view setting|DROP TABLE setting; CREATE VIEW setting AS $endless SELECT 'limit' AS name, x AS value FROM n WHERE x < 0
table image|DROP TABLE image; CREATE VIRTUAL TABLE image USING fts5(id)
index slow|CREATE INDEX slow ON share (hex(zeroblob(1000)))
table event|ALTER TABLE event ADD COLUMN more TEXT AS (hex(zeroblob(1000)))
table share|PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = replace(sql, 'UNIQUE', 'CHECK (length(hex(zeroblob(image))) > 0), UNIQUE') WHERE name = 'share'
table Share|DROP TABLE share; CREATE TABLE "Share" (id)
END
}

@test "tables and views of other names are not looked at" {
    survives 'CREATE TABLE more (x); CREATE VIEW mine AS SELECT pin FROM account; ANALYZE'
}

@test "a version that never was is refused" {
    for version in -1 -2147483648 99; do
        fresh
        evil "PRAGMA user_version = $version"
        assert_refused "schema"
    done
}

@test "pages that lead in circles do not keep a reader for ever" {
    for name in image image_by_owner share_by_image recipient_by_owner; do
        fresh
        "$PYTHON" -IS "$TESTS/registry_circle.py" "$REGISTRY" $name
        mount_evil
        for path in private private/$IMG_MYSQL/shares by-name/private by-account; do
            run timeout 10 ls "$MNT/$path"
            [ $status -ne 124 ] || fail "$name: $path has no end"
        done
        timeout 10 cat "$MNT/status" "$MNT/private/$IMG_GOLDEN/name" >/dev/null || [ $? -ne 124 ]
        for command in check export; do
            run timeout 10 "$IMGSHARE" $command "$REGISTRY"
            [ $status -le 1 ] || fail "$name: $command: $status"
            [ $command = export ] || [ $status -eq 1 ]
        done
        unmount "$MNT"
    done
    # Where all that is on the pages is one account's, the same would be listed again and again.
    fresh
    evil 'DELETE FROM share; DELETE FROM recipient; DELETE FROM image WHERE owner <> 1; VACUUM'
    "$PYTHON" -IS "$TESTS/registry_circle.py" "$REGISTRY" image_by_owner
    mount_evil
    run timeout 10 ls -U "$MNT/private"
    assert_line $IMG_GOLDEN
    assert_equal "$(printf '%s\n' "${lines[@]}" | sort | uniq -d)" ''
}

# --- files beside it ---

@test "a file beside the registry that is none of its own is refused by name, and what it leads to is left alone" {
    printf 'precious\n' >"$PLACE/victim"
    while read -r side make; do
        $make "$REGISTRY$side"
        run mount_evil
        assert_failure 1
        assert_output --partial "$REGISTRY$side: "
        run timeout 20 "$IMGSHARE" account list "$REGISTRY"
        assert_failure 1
        assert_equal "$(<"$PLACE/victim")" precious
        assert_not_exists "$PLACE/nowhere"
        rm -rf "$REGISTRY$side"
    done <<END
-wal ln -s $PLACE/victim
-wal ln -s $PLACE/nowhere
-wal ln $PLACE/victim
-wal mkfifo
-wal mkdir
-shm ln -s $PLACE/victim
-shm mkfifo
-journal ln -s $PLACE/victim
-lock ln -s $PLACE/victim
-lock ln -s $PLACE/nowhere
-lock mkfifo
END
    survives 'SELECT 1'
    for side in -wal -shm -journal -lock; do
        ln -s "$PLACE/victim" "$PLACE/new$side"
        run "$IMGSHARE" init "$PLACE/new"
        assert_failure 1
        assert_output --partial "$PLACE/new$side: a symbolic link"
        assert_not_exists "$PLACE/new"
        rm "$PLACE/new$side"
    done
}

@test "a log or a lock that another user has put beside a registry is refused; one of a registry that he may write is not" {
    [ "$(id -u)" -eq 0 ] || skip 'needs another user'
    for side in -wal -journal -shm -lock; do
        install -o 1000 -m 0666 /dev/null "$REGISTRY$side"
        assert_refused "$REGISTRY$side: made by user 1000, who may not write the store"
        rm "$REGISTRY$side"
    done
    chown 0:2000 "$REGISTRY"
    chmod 0660 "$REGISTRY"
    install -o 1000 -m 0660 /dev/null "$REGISTRY-lock"
    survives 'SELECT 1'
}

@test "who may only read a registry cannot hold its lock" {
    for modes in 600:600 644:600 660:660 664:660 666:666; do
        rm -f "$REGISTRY-lock"
        chmod "${modes%:*}" "$REGISTRY"
        mount_evil
        assert_equal "${modes%:*}:$(stat -c %a "$REGISTRY-lock")" "$modes"
        unmount "$MNT"
    done
    # One of an older program's making.
    chmod 644 "$REGISTRY" "$REGISTRY-lock"
    mount_evil
    assert_equal "$(stat -c %a "$REGISTRY-lock")" 600
}
