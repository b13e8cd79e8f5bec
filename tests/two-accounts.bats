# One registry, mounted by its owner and by those it shares with: what one changes, the others show.
#
# The promise is a second. A machine that runs other suites meanwhile gets two, and what it took is
# printed.

load helpers

BOUND=2

setup()
{
    new_registry
    "$IMGSHARE" account add "$REGISTRY" dave # who has nothing yet
    mount_registry -o account=jcloud-demo
    OWN=$MNT
    SHARES=$OWN/private/$IMG_GOLDEN/shares
}

# mount_as PIN [OPTIONS]: that account's mount, in THEIRS.
mount_as()
{
    mount_registry -o "account=$1${2:+,$2}"
    THEIRS=$MNT
}

# is_listed DIR NAME: of names without spaces.
is_listed()
{
    local -a names

    mapfile -t names < <(ls -A -- "$1")
    [[ " ${names[*]} " == *" $2 "* ]]
}

missing()
{
    [ ! -e "$1" ] && [ ! -L "$1" ]
}

is_empty()
{
    [ -d "$1" ] && [ -z "$(ls -A "$1")" ]
}

# The image golden, in all places in which a recipient without other images finds it.
golden_is_there()
{
    # Names first: a listing makes the kernel forget that they were missing.
    [ "$(cat "$THEIRS/shared/$IMG_GOLDEN/owner")" = jcloud-demo ] &&
        [ "$(cat "$THEIRS/by-name/shared/jcloud-demo/golden/id")" = "$IMG_GOLDEN" ] &&
        [ -f "$THEIRS/shared/$IMG_GOLDEN/shares/$1" ] &&
        [ "$(ls -A "$THEIRS/shared")" = "$IMG_GOLDEN" ] &&
        [ "$(ls -A "$THEIRS/shared/$IMG_GOLDEN/shares")" = "$1" ] &&
        [ "$(ls -A "$THEIRS/by-name/shared")" = jcloud-demo ] &&
        [ "$(ls -A "$THEIRS/by-name/shared/jcloud-demo")" = golden ] &&
        grep -qx 'shared: 1 images' "$THEIRS/status"
}

golden_is_missing()
{
    is_empty "$THEIRS/shared" && missing "$THEIRS/shared/$IMG_GOLDEN" &&
        is_empty "$THEIRS/by-name/shared" && missing "$THEIRS/by-name/shared/jcloud-demo" &&
        missing "$THEIRS/by-name/shared/jcloud-demo/golden" &&
        grep -qx 'shared: 0 images' "$THEIRS/status"
}

file_holds()
{
    [ "$(cat "$1")" = "$2" ]
}

@test "a share appears at the recipient, also where the names were looked up before, and goes with the cancel" {
    local round

    mount_as dave
    for round in 1 2 3; do
        # This is also what the kernel keeps: that these names are missing.
        golden_is_missing
        touch "$SHARES/dave"
        within $BOUND "share $round at the recipient" golden_is_there dave
        rm "$SHARES/dave"
        within $BOUND "cancel $round at the recipient" golden_is_missing
    done
}

@test "a file of a shared image that is open when the share is cancelled does not come back with the path" {
    local path

    mount_as dave
    touch "$SHARES/dave"
    wait_for $BOUND golden_is_there dave
    path=$THEIRS/shared/$IMG_GOLDEN
    exec 9<"$path/name" 8<"$path/shares/dave"
    rm "$SHARES/dave"
    wait_for $BOUND golden_is_missing
    # What was opened while it was allowed can be read to its end.
    run cat <&9
    assert_output golden
    missing "$path/name"
    missing "$path/shares/dave"
    exec 9<&- 8<&-
    assert_equal "$(errno_of open_r "$path/name")" ENOENT
}

@test "a recipient can share the image with nobody and cancel nothing, and is told so" {
    local before

    mount_as alice
    before=$(shares_of "$IMG_MYSQL")
    cd "$THEIRS/shared/$IMG_MYSQL"
    assert_equal "$(errno_of creat shares/carol)" EACCES
    assert_equal "$(errno_of mknod shares/carol)" EACCES
    assert_equal "$(errno_of unlink shares/alice)" EACCES
    run cat last_refusal
    assert_output --regexp '^[-0-9TZ:]+ cancel alice: EACCES: only the owner can share or cancel'
    run tail -n 1 "$THEIRS/events"
    assert_output --regexp "action=cancel image=$IMG_MYSQL pin=alice outcome=refused errno=EACCES "
    run cat shareable
    assert_output --partial 'no: EACCES: '
    # It is shared with alice: nothing is to be done, and that is no refusal.
    assert_equal "$(errno_of creat shares/alice)" OK
    assert_equal "$(errno_of utime shares/alice now)" OK
    assert_equal "$(shares_of "$IMG_MYSQL")" "$before"
    cd /
    # The owner's log says nothing of what another account tried.
    run cat "$OWN/events" "$OWN/private/$IMG_MYSQL/last_refusal"
    refute_output --partial carol
}

@test "a recipient sees its own pin and no other, in any file or name" {
    local pin

    mount_as alice
    cd "$THEIRS/shared/$IMG_FULL"
    run ls -A shares
    assert_output alice
    for pin in bob carol dept-01 dept-17 jcloud-demo; do
        assert_equal "$(errno_of stat "shares/$pin")" ENOENT
    done
    run cat quota
    assert_output ''
    run cat exposure
    assert_output ''
    run grep -rE '(dept-|bob|carol)' "$THEIRS"
    assert_failure 1
    assert_output ''
    run find "$THEIRS" -name 'dept-*' -o -name bob -o -name carol
    assert_success
    assert_output ''
    cd /
}

@test "what is not shared with an account is not there for it, by any path" {
    mount_as dave
    touch "$SHARES/dave"
    wait_for $BOUND golden_is_there dave
    for id in "$IMG_MYSQL" "$IMG_PARTNER_UNSHARED" "$IMG_PENDING"; do
        assert_equal "$(errno_of stat "$THEIRS/shared/$id")" ENOENT
        assert_equal "$(errno_of stat "$THEIRS/private/$id")" ENOENT
    done
    # Nor is what is shared in the other half of the tree.
    assert_equal "$(errno_of stat "$THEIRS/private/$IMG_GOLDEN")" ENOENT
    assert_equal "$(errno_of stat "$OWN/shared/$IMG_GOLDEN")" ENOENT
    is_empty "$THEIRS/private"
    is_empty "$THEIRS/by-account"
    is_empty "$THEIRS/by-name/private"
}

@test "an image of another owner never shows among one's own, whatever its name" {
    local own

    own=$(stat -c %i "$OWN/by-name/private/golden")
    assert_equal "$(readlink "$OWN/by-name/private/golden")" "../../private/$IMG_GOLDEN"
    assert_equal "$(readlink "$OWN/by-name/shared/partner-lab/golden")" \
        "../../../shared/$IMG_PARTNER_GOLDEN"
    # A second one of the partner makes its own ambiguous, and nobody else's.
    import_image img-0partner00 name golden ownerPin partner-lab pins '["jcloud-demo"]'
    wait_for $BOUND [ -L "$OWN/by-name/shared/partner-lab/golden@img-0partner00" ]
    [ -L "$OWN/by-name/shared/partner-lab/golden@$IMG_PARTNER_GOLDEN" ]
    missing "$OWN/by-name/shared/partner-lab/golden"
    assert_equal "$(stat -c %i "$OWN/by-name/private/golden")" "$own"
    assert_equal "$(cat "$OWN/by-name/private/golden/owner")" jcloud-demo
    run ls "$OWN/by-name/private"
    refute_output --partial golden@
}

# --- import into a registry that is mounted ---

new_image_is_there()
{
    [ "$(cat "$OWN/private/img-0new000000/name")" = brandnew ] &&
        [ "$(cat "$OWN/by-name/private/brandnew/quota")" = 2/20 ] &&
        [ -e "$OWN/private/img-0new000000/shares/dave" ] &&
        [ -L "$OWN/by-account/dave/img-0new000000" ] &&
        [ "$(cat "$THEIRS/shared/img-0new000000/name")" = brandnew ] &&
        [ -d "$THEIRS/by-name/shared/jcloud-demo/brandnew/" ] &&
        is_listed "$OWN/private" img-0new000000 &&
        [ "$(ls -A "$THEIRS/shared")" = img-0new000000 ]
}

@test "an imported image shows in the mounts of its owner and of those it is shared with" {
    mount_as dave
    missing "$OWN/private/img-0new000000/name"
    missing "$OWN/by-name/private/brandnew"
    missing "$OWN/by-account/dave"
    missing "$THEIRS/shared/img-0new000000"
    missing "$THEIRS/by-name/shared/jcloud-demo/brandnew"
    ls "$OWN/private" "$THEIRS/shared" >/dev/null
    import_image img-0new000000 name brandnew pins '["alice", "dave"]'
    within $BOUND 'the imported image in both mounts' new_image_is_there
}

imported_pin_is_there()
{
    [ -f dave ] && [ -f "$SHARES/dave" ] && is_listed . dave && golden_is_there dave &&
        [ "$(stat -c %.Y "$SHARES")" != "$1" ]
}

@test "pins that an import adds to an image show, also where their names were missing" {
    local before

    mount_as dave
    before=$(stat -c %.Y "$SHARES")
    # Whoever is in the directory already has to see them as well.
    cd "$SHARES"
    missing dave
    golden_is_missing
    # Nothing but the pins is new.
    "$IMGSHARE" export "$REGISTRY" | grep -F "\"$IMG_GOLDEN\"" >"$BATS_TEST_TMPDIR/record"
    sed 's/}$/,"pins":["dave"]}/' "$BATS_TEST_TMPDIR/record" |
        "$IMGSHARE" import "$REGISTRY" - >/dev/null
    within $BOUND 'the imported pin in both mounts' imported_pin_is_there "$before"
    cd /
    "$IMGSHARE" check "$REGISTRY"
}

values_of()
{
    file_holds "$1/name" "$2" && file_holds "$1/description" "$3" && file_holds "$1/status" "$4" &&
        [ "$(stat -c %s "$1/name")" -eq $((${#2} + 1)) ]
}

@test "what an import changes of an image shows in all mounts" {
    local image=img-0change000 dir

    import_image $image name before desc 'the first' status ready pins '["alice"]'
    mount_as alice
    for dir in "$OWN/private/$image" "$THEIRS/shared/$image"; do
        wait_for $BOUND values_of "$dir" before 'the first' available
    done
    import_image $image name 'after the change' desc '' status pending
    for dir in "$OWN/private/$image" "$THEIRS/shared/$image"; do
        within $BOUND "the change in ${dir#"$BATS_TEST_TMPDIR/"}" \
            values_of "$dir" 'after the change' '' pending
    done
    wait_for $BOUND missing "$OWN/by-name/private/before"
    [ -d "$OWN/by-name/private/after the change/" ]
    [ -d "$THEIRS/by-name/shared/jcloud-demo/after the change/" ]
    run cat "$OWN/private/$image/shareable"
    assert_output 'no: EBUSY: the image is pending; only an available image can be shared'
    assert_equal "$(errno_of creat "$OWN/private/$image/shares/bob")" EBUSY
}

# letters LETTER COUNT
letters()
{
    printf "%0$2d" 0 | tr 0 "$1"
}

@test "a reader sees the value from before an import or the one from after it, never a mix" {
    local image=img-0change000 dir watcher
    local -a files=()

    import_image $image name "$(letters a 10)" desc "$(letters a 5000)" pins '["alice"]'
    mount_as alice
    for dir in "$OWN/private/$image" "$THEIRS/shared/$image"; do
        wait_for $BOUND [ -d "$dir" ]
        files+=("$dir/name" "$dir/description")
    done
    "$PYTHON" -IS "$TESTS/coherence.py" watch "$BATS_TEST_TMPDIR/stop" "${files[@]}" \
        >"$BATS_TEST_TMPDIR/values" 3>&- &
    watcher=$!
    for _ in 1 2 3; do
        import_image $image name "$(letters b 200)" desc "$(letters b 12000)"
        wait_for $BOUND file_holds "$OWN/private/$image/name" "$(letters b 200)"
        import_image $image name "$(letters a 10)" desc "$(letters a 5000)"
        wait_for $BOUND file_holds "$THEIRS/shared/$image/name" "$(letters a 10)"
    done
    touch "$BATS_TEST_TMPDIR/stop"
    wait $watcher
    run cat "$BATS_TEST_TMPDIR/values"
    assert_output - <<END
description aaaaaaaa 5001 pure
description bbbbbbbb 12001 pure
name aaaaaaaa 11 pure
name bbbbbbbb 201 pure
END
}

shows_length()
{
    [ "$(stat -c %s "$1")" -eq "$2" ]
}

@test "a file that is read while an import changes it stays what it was, and leaves nothing old behind" {
    local image=img-0change000 file=$OWN/private/img-0change000/description step begin

    for step in 1 1000 4096; do
        import_image $image desc "$(letters a 9000)"
        wait_for $BOUND shows_length "$file" 9001
        exec 9<"$file"
        begin=$(dd bs=$step count=1 status=none <&9)
        import_image $image desc "$(letters b 3000)"
        wait_for $BOUND shows_length "$file" 3001
        assert_equal "$begin$(cat <&9)" "$(letters a 9000)"
        exec 9<&-
        assert_equal "$(cat "$file")" "$(letters b 3000)"
    done
}

@test "whoever stands in an image's directory still stands there after an import" {
    local image=img-0change000 later=img-0later0000

    import_image $image desc before pins '["alice"]'
    mount_as alice
    wait_for $BOUND [ -d "$OWN/private/$image" ]
    cd "$OWN/private/$image"
    exec 8<"$THEIRS/shared/$image"
    # The one that comes later tells when the kernels have been told of both.
    missing "$OWN/private/$later"
    missing "$THEIRS/shared/$later"
    {
        image_of $image desc after pins '["alice", "bob"]'
        image_of $later pins '["alice"]'
    } | "$IMGSHARE" import "$REGISTRY" - >/dev/null
    wait_for $BOUND [ -d "$OWN/private/$later" ]
    wait_for $BOUND [ -d "$THEIRS/shared/$later" ]
    assert_equal "$("$PYTHON" -IS -c 'import os; print(os.getcwd())')" "$OWN/private/$image"
    assert_equal "$(readlink /proc/self/fd/8)" "$THEIRS/shared/$image"
    file_holds description after
    file_holds "$THEIRS/shared/$image/description" after
    [ -e shares/bob ]
    cd /
    exec 8<&-
}

# --- two mounts of one account ---

@test "a share that the other mount has just cancelled is made anew by touch, whatever the kernel still holds" {
    local round stale=0 old new how

    mount_as jcloud-demo
    second=$THEIRS/private/$IMG_GOLDEN/shares
    for round in {1..8}; do
        touch "$SHARES/alice"
        wait_for $BOUND [ -e "$second/alice" ]
        old=$(stat -c %i "$second/alice")
        how=$((round % 4))
        rm "$SHARES/alice"
        # While this holds, the kernel opens the share that is gone.
        [ -e "$second/alice" ] && ((stale += 1))
        case $how in
        0) : >"$second/alice" ;;
        1) touch "$second/alice" ;;
        2) cp /dev/null "$second/alice" ;;
        3) : >>"$second/alice" ;;
        esac
        assert_equal "$(shares_of "$IMG_GOLDEN")" alice
        new=$(stat -c %i "$second/alice")
        assert_not_equal "$new" "$old"
        wait_for $BOUND [ -e "$SHARES/alice" ]
        assert_equal "$(stat -c %i "$SHARES/alice")" "$new"
        rm "$second/alice"
        wait_for $BOUND missing "$SHARES/alice"
    done
    echo "# $stale of 8 rounds met a name that the kernel still held" >&3
    [ $stale -ge 2 ]
}

@test "a share that the other mount has cancelled is open for reading to nobody, and cancelled only once" {
    mount_as jcloud-demo
    second=$THEIRS/private/$IMG_GOLDEN/shares
    touch "$SHARES/alice" "$SHARES/bob"
    wait_for $BOUND [ -e "$second/alice" ]
    wait_for $BOUND [ -e "$second/bob" ]
    rm "$SHARES/alice" "$SHARES/bob"
    assert_equal "$(errno_of open_r "$second/alice")" ENOENT
    assert_equal "$(errno_of unlink "$second/bob")" ENOENT
    within $BOUND 'the cancel in the other mount' missing "$second/alice"
    is_empty "$second"
}

@test "a share made in one mount can be cancelled in the other, where its name was missing" {
    mount_as jcloud-demo
    second=$THEIRS/private/$IMG_GOLDEN/shares
    missing "$second/dave"
    touch "$SHARES/dave"
    within $BOUND 'the share in the other mount' [ -e "$second/dave" ]
    file_holds "$THEIRS/private/$IMG_GOLDEN/quota" 1/20
    rm "$second/dave"
    assert_equal "$(shares_of "$IMG_GOLDEN")" ''
    within $BOUND 'the cancel in the other mount' missing "$SHARES/dave"
    is_empty "$SHARES"
    file_holds "$OWN/private/$IMG_GOLDEN/quota" 0/20
    "$IMGSHARE" check "$REGISTRY"
}

# --- one's own changes, seen by other keys ---

@test "by-account/ follows this mount's own touch and rm at once, also under names that were missing" {
    local account=$OWN/by-account/dave

    for _ in {1..5}; do
        missing "$account"
        missing "$account/$IMG_GOLDEN"
        touch "$SHARES/dave"
        assert_equal "$(readlink "$account/$IMG_GOLDEN")" "../../private/$IMG_GOLDEN"
        assert_equal "$(ls -A "$account")" "$IMG_GOLDEN"
        is_listed "$OWN/by-account" dave
        missing "$account/$IMG_BARE"
        touch "$OWN/private/$IMG_BARE/shares/dave"
        assert_equal "$(cat "$account/$IMG_BARE/id")" "$IMG_BARE"
        rm "$SHARES/dave"
        missing "$account/$IMG_GOLDEN"
        assert_equal "$(ls -A "$account")" "$IMG_BARE"
        rm "$OWN/private/$IMG_BARE/shares/dave"
        missing "$account"
        refute is_listed "$OWN/by-account" dave
    done
}

# --- the trust-list ---

trust_is()
{
    file_holds "$THEIRS/shared/$IMG_MYSQL/trusted" "$1" &&
        file_holds "$THEIRS/shared/$IMG_PARTNER_CHINESE/trusted" "$2"
}

@test "trusted says whether the trust-list names the owner, and SIGHUP reads the list anew" {
    local list=$BATS_TEST_TMPDIR/trust

    printf '# who builds our images\r\npartner-lab\tthe lab next door\r\n' >"$list"
    mount_as alice trust="$list"
    trust_is no yes
    printf 'jcloud-demo\n' >"$list"
    kill -HUP "$(daemon_pid "$THEIRS")"
    within $BOUND 'the new list' trust_is yes no
    # A list that cannot be read leaves the old one in force, and the log says so.
    rm "$list"
    kill -HUP "$(daemon_pid "$THEIRS")"
    wait_for $BOUND grep -qF "$list" "$THEIRS/events"
    trust_is yes no
    # Without a list nobody is trusted, and one's own images are not in question.
    unmount "$THEIRS"
    mount_as alice
    trust_is no no
    missing "$OWN/private/$IMG_GOLDEN/trusted"
}

# --- what was missed ---

# has_time_of_the_store: of shared/ of dave, in nanoseconds.
has_time_of_the_store()
{
    [ "$(stat -c %.Y "$THEIRS/shared")" = \
        "$(sqlite3 "$REGISTRY" "SELECT printf('%d.%09d', received_ns / 1000000000, received_ns % 1000000000)
            FROM account WHERE pin = 'dave'")" ]
}

@test "a mount that slept while news was thrown away does not go on with what the kernel holds" {
    local pid

    mount_as dave
    pid=$(daemon_pid "$THEIRS")
    assert_equal "$(ls -A "$THEIRS/shared")" ''
    stat "$THEIRS/shared" >/dev/null
    kill -STOP "$pid"
    touch "$SHARES/dave"
    touch "$OWN/private/$IMG_MYSQL/shares/carol"
    # As by ten minutes: the newest row is always kept.
    sqlite3 "$REGISTRY" 'DELETE FROM feed WHERE id < (SELECT max(id) FROM feed)'
    kill -CONT "$pid"
    within $BOUND 'a listing whose news was lost' is_listed "$THEIRS/shared" "$IMG_GOLDEN"
    wait_for $BOUND has_time_of_the_store
    # For a minute nothing is held for longer than a second, so that no name is wrong for longer.
    missing "$THEIRS/shared/$IMG_MYSQL"
    sqlite3 "$REGISTRY" "BEGIN IMMEDIATE;
        INSERT INTO share (image, pin, created_ns) SELECT id, 'dave', 1 FROM image WHERE image_id = '$IMG_MYSQL';
        COMMIT"
    within $BOUND 'a name of which no news came at all' [ -d "$THEIRS/shared/$IMG_MYSQL" ]
}
