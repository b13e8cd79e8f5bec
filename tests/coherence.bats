# What files and names say after a change: at once after one's own, soon after others', and never half
# of one value and half of another.

load helpers

# Others' changes are seen within a second; a machine that runs other suites meanwhile gets two.
BOUND=2

setup()
{
    new_registry
    mount_registry
    OWN=$MNT
    GOLDEN=$OWN/private/$IMG_GOLDEN
}

# holds FILE TEXT: that is all it holds, and its size says so.
holds()
{
    local size read

    size=$(stat -c %s "$1")
    read=$(cat "$1" && echo .)
    [ "$read" = "$2"$'\n.' ] && [ "$size" -eq "$(printf '%s\n' "$2" | wc -c)" ]
}

assert_holds()
{
    holds "$1" "$2" && return
    {
        echo "-- $1 does not hold what it has to --"
        echo "expected : $2"
        echo "actual   : $(cat "$1")"
        echo "size     : $(stat -c %s "$1")"
        echo --
    } >&2
    return 1
}

# shared_with COUNT: the image img-0counted00, shared with that many of c01, c02 ...
shared_with()
{
    local pins

    pins=$(printf '"c%02d",' $(seq "$1"))
    import_image img-0counted00 pins "[${pins%,}]"
    wait_for $BOUND [ -d "$OWN/private/img-0counted00" ]
    COUNTED=$OWN/private/img-0counted00
}

@test "quota and exposure follow touch and rm at once, also where they get longer or shorter" {
    shared_with 9
    ls -l "$COUNTED" >/dev/null # now the kernel has the sizes
    assert_holds "$COUNTED/quota" 9/20
    assert_holds "$COUNTED/exposure" '9 accounts'
    touch "$COUNTED/shares/alice"
    assert_holds "$COUNTED/quota" 10/20
    assert_holds "$COUNTED/exposure" '10 accounts'
    rm "$COUNTED/shares/c01"
    assert_holds "$COUNTED/quota" 9/20
    rm "$COUNTED"/shares/c0[2-9]
    assert_holds "$COUNTED/quota" 1/20
    assert_holds "$COUNTED/exposure" '1 account'
    rm "$COUNTED/shares/alice"
    assert_holds "$COUNTED/quota" 0/20
    assert_holds "$COUNTED/exposure" owner
}

@test "shareable says no with the last free place, and yes again with the first cancel" {
    shared_with 19
    ls -l "$COUNTED" >/dev/null
    assert_holds "$COUNTED/shareable" yes
    touch "$COUNTED/shares/alice"
    run cat "$COUNTED/shareable"
    assert_output --regexp '^no: EDQUOT: .+[^ ]$'
    assert_equal "$(stat -c %s "$COUNTED/shareable")" $((${#output} + 1))
    assert_equal "$(errno_of creat "$COUNTED/shares/bob")" EDQUOT
    rm "$COUNTED/shares/c07"
    assert_holds "$COUNTED/shareable" yes
    assert_equal "$(errno_of creat "$COUNTED/shares/bob")" OK
    assert_equal "$(shares_of img-0counted00 | wc -l)" 20
}

@test "last_refusal shows the last refused change, whole, as soon as it is refused" {
    local name

    assert_equal "$(stat -c %s "$GOLDEN/last_refusal")" 0
    for name in a-name-that-no-account-has x jcloud-demo; do
        assert_not_equal "$(errno_of creat "$GOLDEN/shares/$name")" OK
        run cat "$GOLDEN/last_refusal"
        assert_output --regexp "^20[-0-9T:]+Z share $name: E[A-Z]+: .+\. What to do: .+\.$"
        assert_equal "$(stat -c %s "$GOLDEN/last_refusal")" $((${#output} + 1))
    done
    # A success does not make it unsaid.
    touch "$GOLDEN/shares/alice"
    run cat "$GOLDEN/last_refusal"
    assert_output --partial ' share jcloud-demo: EINVAL: '
}

@test "the counts in status, and its size, follow what was imported and shared" {
    local count size

    # The size is asked for first: to read the file would tell the kernel.
    for count in 19 109; do
        size=$(stat -c %s "$OWN/status")
        assert_equal "$(wc -c <"$OWN/status")" "$size"
        run cat "$OWN/status"
        assert_line "private: $count images"
        ls -l "$OWN" >/dev/null
        "$TESTS/generate" --images 90 | "$IMGSHARE" import "$REGISTRY" - >/dev/null
        wait_for $BOUND [ -d "$OWN/private/img-000000002h" ]
    done
}

others_see()
{
    holds "$1/quota" "$2" && holds "$1/exposure" "$3" && [ "$(cut -d : -f 1-2 "$1/shareable")" = "$4" ] &&
        [ "$(find "$1/shares" -type f | wc -l)" -eq "${2%/*}" ]
}

@test "a second mount of the account sees new values within a second, and never parts of two" {
    local second=$BATS_TEST_TMPDIR/second watcher

    shared_with 9
    mount_registry "$second"
    second=$second/private/img-0counted00
    others_see "$second" 9/20 '9 accounts' yes
    "$PYTHON" -IS "$TESTS/coherence.py" watch "$BATS_TEST_TMPDIR/stop" "$second/quota" \
        "$second/exposure" "$second/shareable" >"$BATS_TEST_TMPDIR/values" 3>&- &
    watcher=$!
    touch "$COUNTED/shares/alice"
    within $BOUND '10 of 20 in the second mount' others_see "$second" 10/20 '10 accounts' yes
    touch "$COUNTED"/shares/{bob,carol,dept-0{1..8}}
    within $BOUND '20 of 20 in the second mount' others_see "$second" 20/20 '20 accounts' 'no: EDQUOT'
    assert_equal "$(errno_of creat "$second/shares/partner-lab")" EDQUOT
    rm "$COUNTED"/shares/{alice,bob,carol,dept-*}
    within $BOUND '9 of 20 in the second mount' others_see "$second" 9/20 '9 accounts' yes
    touch "$BATS_TEST_TMPDIR/stop"
    wait $watcher
    # Every value is one line of a length that such a value has.
    run grep -vE '^(quota (9/20 5|1[0-9]/20 6|20/20 6) |exposure (9 accoun 11|1[0-9] accou 12|20 accou 12) )' \
        "$BATS_TEST_TMPDIR/values"
    assert_line --regexp '^shareable yes 4 '
    assert_line --regexp '^shareable no: EDQU [0-9]+ '
    assert_equal "${#lines[@]}" 2
}

@test "touch and ls, stat and rm agree 500 times over, in every process" {
    run timeout 240 "$PYTHON" -IS "$TESTS/coherence.py" alternate "$OWN" "$IMG_GOLDEN" carol 500
    assert_success
    assert_output ''
    assert_equal "$(shares_of "$IMG_GOLDEN")" ''
    "$IMGSHARE" check "$REGISTRY"
}

@test "touch and ls agree in every process while another mount changes the same image" {
    local second=$BATS_TEST_TMPDIR/second stop=$BATS_TEST_TMPDIR/stop other

    mount_registry "$second"
    shares=$second/private/$IMG_GOLDEN/shares
    # Its own names, in the directory that the alternation counts: so only names are compared.
    (
        exec 3>&-
        while [ ! -e "$stop" ]; do
            touch "$shares/alice" "$shares/bob" && rm "$shares/alice" "$shares/bob" || exit
        done
    ) &
    other=$!
    run timeout 240 "$PYTHON" -IS "$TESTS/coherence.py" alternate "$OWN" "$IMG_GOLDEN" carol 100 names
    touch "$stop"
    wait $other
    assert_success
    assert_output ''
    "$IMGSHARE" check "$REGISTRY"
}

# --- the log ---

@test "events is as long as it says, and every part of it can be read by its offset" {
    local size at

    touch "$GOLDEN/shares/alice"
    rm "$GOLDEN/shares/alice"
    assert_equal "$(errno_of creat "$GOLDEN/shares/a b")" EINVAL
    size=$(stat -c %s "$OWN/events")
    assert_equal "$(wc -c <"$OWN/events")" "$size"
    cat "$OWN/events" >"$BATS_TEST_TMPDIR/events"
    assert_equal "$(stat -c %s "$BATS_TEST_TMPDIR/events")" "$size"
    for at in 1 2 100 $((size / 2)) $((size - 1)) "$size" $((size + 1)); do
        tail -c "+$at" "$OWN/events" >"$BATS_TEST_TMPDIR/part"
        tail -c "+$at" "$BATS_TEST_TMPDIR/events" | cmp - "$BATS_TEST_TMPDIR/part"
    done
    dd if="$OWN/events" bs=7 status=none | cmp - "$BATS_TEST_TMPDIR/events"
    # One line each, in order, the newest last.
    run tail -n 3 "$OWN/events"
    assert_line --index 0 --regexp "^time=.* action=share image=$IMG_GOLDEN pin=alice outcome=done "
    assert_line --index 1 --regexp "^time=.* action=cancel image=$IMG_GOLDEN pin=alice outcome=done "
    assert_line --index 2 --regexp "^time=.* action=share image=$IMG_GOLDEN pin=\"a b\" outcome=refused errno=EINVAL "
}

@test "events grows by one's own changes at once, and by those of another mount of the account soon" {
    local second=$BATS_TEST_TMPDIR/second size

    mount_registry "$second"
    size=$(stat -c %s "$OWN/events")
    touch "$GOLDEN/shares/alice"
    tail -c "+$((size + 1))" "$OWN/events" >"$BATS_TEST_TMPDIR/new"
    assert_equal "$(wc -l <"$BATS_TEST_TMPDIR/new")" 1
    assert_equal "$(stat -c %s "$OWN/events")" $((size + $(wc -c <"$BATS_TEST_TMPDIR/new")))
    wait_for $BOUND cmp "$OWN/events" "$second/events"
    rm "$second/private/$IMG_GOLDEN/shares/alice"
    wait_for $BOUND cmp "$OWN/events" "$second/events"
    run tail -n 1 "$OWN/events"
    assert_output --partial ' action=cancel '
    # That of another account is another log.
    mount_registry -o account=alice
    run cat "$MNT/events"
    refute_output --partial jcloud-demo
    refute_output --partial action=cancel
}

@test "tail -f shows what happens, while it happens" {
    local follower followed=$BATS_TEST_TMPDIR/followed

    tail -n +1 -s 0.1 -f "$OWN/events" >"$followed" 3>&- &
    follower=$!
    wait_for 5 cmp "$OWN/events" "$followed"
    # From here on nobody else looks at the file: that would tell the kernel of its size.
    touch "$GOLDEN/shares/alice"
    wait_for 5 grep -q ' action=share .* pin=alice outcome=done ' "$followed"
    rm "$GOLDEN/shares/alice"
    wait_for 5 grep -q ' action=cancel .* pin=alice outcome=done ' "$followed"
    kill $follower
    assert_equal "$(cat "$followed")" "$(cat "$OWN/events")"
}

# refuse_many FROM TO: so many refusals of which no two are equal, none of them waiting for the disk.
refuse_many()
{
    "$PYTHON" -IS -c '
import os, sys
for number in range(int(sys.argv[2]), int(sys.argv[3])):
    try:
        os.open("%s/nobody-%06d" % (sys.argv[1], number), os.O_CREAT | os.O_WRONLY)
    except OSError:
        continue
    sys.exit("shared with nobody")
' "$GOLDEN/shares" "$1" "$2"
}

@test "offsets in events stay while the log grows past its limit and a second mount starts; a mount alone trims it" {
    local second=$BATS_TEST_TMPDIR/second size

    refuse_many 0 10500
    assert_equal "$(grep -c ' pin=nobody-' "$OWN/events")" 10500
    cp "$OWN/events" "$BATS_TEST_TMPDIR/before"
    size=$(stat -c %s "$BATS_TEST_TMPDIR/before")
    exec 9<"$OWN/events"
    head -c 100000 <&9 >/dev/null
    mount_registry "$second"
    touch "$GOLDEN/shares/alice"
    # Where the reader stands is where it stood, and from the beginning it is the same as well.
    head -c "$size" "$OWN/events" | cmp - "$BATS_TEST_TMPDIR/before"
    head -c 200000 "$BATS_TEST_TMPDIR/before" | tail -c 100000 | cmp - <(head -c 100000 <&9)
    exec 9<&-
    run tail -n 1 "$second/events"
    assert_output --partial ' pin=alice outcome=done '
    cmp "$OWN/events" "$second/events"

    # The one that mounts when no other does keeps the last 10,000 lines.
    unmount "$second"
    unmount "$OWN"
    mount_registry "$OWN"
    run tail -n 1 "$OWN/events"
    assert_output --partial ' pin=alice outcome=done '
    assert_equal "$(wc -l <"$OWN/events")" 10000
    assert_equal "$(wc -c <"$OWN/events")" "$(stat -c %s "$OWN/events")"
    head -n 1 "$OWN/events" | grep -q '^time='
    tail -n 10000 "$BATS_TEST_TMPDIR/before" | tail -n +2 | cmp - <(head -n 9999 "$OWN/events")
    "$IMGSHARE" check "$REGISTRY"
}
