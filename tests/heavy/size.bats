# A hundred thousand images, and a million while somebody works: what size costs in time and memory.
#
# The figures are printed. What is asserted leaves room for a machine that has other things to do; what
# must not depend on the machine (completeness, the shape of the growth, memory) is asserted as it is.

load ../helpers
load measure

SMALL_IMAGES=20000
IMAGES=100000
MEMORY_MAX=16384  # KiB, RssAnon of a daemon
IMPORT_MAX=102400 # KiB, of imgshare import

setup_file()
{
    local count

    cd "$BATS_FILE_TMPDIR" || return
    for count in $SMALL_IMAGES $IMAGES; do
        "$IMGSHARE" init "$count.registry" --account jcloud-demo
        "$TESTS/generate" --images "$count" --pins 5 --accounts 500 >images
        # script(1) gives it a terminal, and keeps what it shows there.
        measure run "$count.cost" script -qec \
            "'$IMGSHARE' import '$count.registry' images" "$count.terminal" >/dev/null
    done
    "$IMGSHARE" import "$SMALL_IMAGES.registry" "$SAMPLE/images.json" >again.out 2>again.err
    rm images
}

setup()
{
    cd "$BATS_FILE_TMPDIR" || return
}

# mount_count COUNT: the registry of that many images.
mount_count()
{
    REGISTRY=$BATS_FILE_TMPDIR/$1.registry
    mount_registry
}

@test "an import shows a bar on a terminal, none elsewhere, and needs little memory" {
    local memory seconds phase

    read -r memory seconds <"$IMAGES.cost"
    echo "# $IMAGES images with 5 shares each: $seconds s, $memory KiB" >&3
    tr '\r' '\n' <"$IMAGES.terminal" >lines
    for phase in reading storing; do
        grep -Eo "^$phase +\[#*-*\] +[0-9]+%  [0-9]+ images" lines |
            sed 's/.*\] *//; s/%.*//' >percent
        [ "$(sort -u percent | wc -l)" -ge 3 ]
        sort -C -n percent
    done
    # What is left on the screen is the result: the bar is wiped off.
    run tail -n 4 lines
    assert_line $'\e[K'"imported $IMAGES images ($IMAGES new, 0 updated), 500000 shares new, from images"
    assert_equal "$(cat again.err)" ''
    refute grep -q $'\r' again.out
    # Of the child that script(1) waited for as well.
    [ -n "${IMGSHARE_SANITIZE-}" ] || [ "$memory" -lt $IMPORT_MAX ]
}

@test "a registry of 100,000 images is whole, and mounted as fast as a small one" {
    local count start took

    run "$IMGSHARE" check "$IMAGES.registry"
    assert_output "$IMAGES.registry: ok: 501 accounts, $IMAGES images, 500000 shares"
    for count in $SMALL_IMAGES $IMAGES; do
        start=${EPOCHREALTIME//[.,]/}
        mount_count "$count"
        assert_equal "$(cat "$MNT/private/img-0000000abc/name")" web-13368
        took=$(((${EPOCHREALTIME//[.,]/} - start) / 1000))
        echo "# $count images: usable after $took ms" >&3
        [ $took -lt 5000 ]
    done
}

# find_all COUNT: lists every share; sets COST to the milliseconds of daemon and find together.
find_all()
{
    local seconds pid sampler status=0 count=$1

    mount_count "$count"
    pid=$(daemon_pid "$MNT")
    measure peak "$BATS_TEST_TMPDIR/stop.$count" "$pid" >"$BATS_TEST_TMPDIR/peak.$count" 3>&- &
    sampler=$!
    measure cpu "$pid" find "$MNT/private" -path '*/shares/*' >"$BATS_TEST_TMPDIR/cost.$count" \
        2>"$BATS_TEST_TMPDIR/found.$count" || status=$?
    touch "$BATS_TEST_TMPDIR/stop.$count"
    wait $sampler
    [ $status -eq 0 ]
    read -r COST seconds <"$BATS_TEST_TMPDIR/cost.$count"
    PEAK=$(cat "$BATS_TEST_TMPDIR/peak.$count")
    echo "# $count images: find took $seconds s and $COST ms of computing, $PEAK KiB" >&3
    unmount "$MNT"
}

@test "find sees every share of every image, at a cost that grows with their number only, in little memory" {
    local small found

    find_all $SMALL_IMAGES
    small=$COST
    assert_equal "$(wc -l <"$BATS_TEST_TMPDIR/found.$SMALL_IMAGES")" $((SMALL_IMAGES * 5 + 23))
    find_all $IMAGES
    found=$BATS_TEST_TMPDIR/found.$IMAGES
    assert_equal "$(wc -l <"$found")" $((IMAGES * 5))
    assert_equal "$(sort -u "$found" | wc -l)" $((IMAGES * 5))
    # A hundred of them by name, against what was imported.
    "$IMGSHARE" export "$IMAGES.registry" | "$PYTHON" -IS -c '
import json, sys
expected = set()
for line in sys.stdin:
    record = json.loads(line)
    if "imageId" in record:
        expected.update(record["imageId"] + "/shares/" + pin for pin in record["pins"])
with open(sys.argv[1]) as found:
    assert expected == {line.rstrip("\n").split("/private/")[1] for line in found}
' "$found"
    echo "# an image costs $((small * 1000 / SMALL_IMAGES)) us of 20,000, $((COST * 1000 / IMAGES)) of 100,000" >&3
    [ $((COST * SMALL_IMAGES)) -lt $((small * IMAGES * 2)) ]
    [ -n "${IMGSHARE_SANITIZE-}" ] || [ "$PEAK" -lt $MEMORY_MAX ]
}

@test "ls of 100,000 images, of by-name/ and of by-account/ is complete, in little memory" {
    local pid sampler

    mount_count $IMAGES
    pid=$(daemon_pid "$MNT")
    measure peak "$BATS_TEST_TMPDIR/stop" "$pid" >"$BATS_TEST_TMPDIR/peak" 3>&- &
    sampler=$!
    for dir in private by-name/private; do
        # shellcheck disable=SC2012
        assert_equal "$(ls -f "$MNT/$dir" | wc -l)" $((IMAGES + 2))
    done
    # shellcheck disable=SC2012
    assert_equal "$(ls -f "$MNT/by-account/account-0007" | wc -l)" $((IMAGES * 5 / 500 + 2))
    assert_equal "$(readlink "$MNT/by-name/private/web-99999")" ../../private/img-000000255r
    touch "$BATS_TEST_TMPDIR/stop"
    wait $sampler
    echo "# largest RssAnon: $(cat "$BATS_TEST_TMPDIR/peak") KiB" >&3
    [ -n "${IMGSHARE_SANITIZE-}" ] || [ "$(cat "$BATS_TEST_TMPDIR/peak")" -lt $MEMORY_MAX ]
}

@test "while a million records are imported a touch takes less than a second, and the import little memory" {
    local stop=$BATS_TEST_TMPDIR/stop toucher sampler pid count longest mean memory seconds

    new_registry
    mount_registry
    pid=$(daemon_pid "$MNT")
    measure touches "$stop" "$MNT/private/$IMG_GOLDEN/shares" alice >"$BATS_TEST_TMPDIR/touches" 3>&- &
    toucher=$!
    measure peak "$stop" "$pid" >"$BATS_TEST_TMPDIR/peak" 3>&- &
    sampler=$!
    "$TESTS/generate" --images 1000000 |
        measure run "$BATS_TEST_TMPDIR/cost" "$IMGSHARE" import "$REGISTRY" - >"$BATS_TEST_TMPDIR/out"
    within 5 'the last of a million images in the mount' \
        [ -d "$MNT/private/$("$TESTS/generate" --first 999999 --images 1 | cut -d '"' -f 4)" ]
    touch "$stop"
    wait $toucher
    wait $sampler
    assert_equal "$(cat "$BATS_TEST_TMPDIR/out")" \
        'imported 1000000 images (1000000 new, 0 updated), 0 shares new, from -'
    read -r count longest mean <"$BATS_TEST_TMPDIR/touches"
    read -r memory seconds <"$BATS_TEST_TMPDIR/cost"
    echo "# the import took $seconds s and $memory KiB" >&3
    echo "# $count shares and cancels meanwhile: $mean ms each, the longest $longest ms" >&3
    echo "# largest RssAnon of the daemon: $(cat "$BATS_TEST_TMPDIR/peak") KiB" >&3
    [ "$count" -gt 100 ]
    [ "$longest" -lt 1000 ]
    # shellcheck disable=SC2012
    assert_equal "$(ls -f "$MNT/private" | wc -l)" $((1000000 + 19 + 2))
    if [ -z "${IMGSHARE_SANITIZE-}" ]; then
        [ "$memory" -lt $IMPORT_MAX ]
        [ "$(cat "$BATS_TEST_TMPDIR/peak")" -lt $MEMORY_MAX ]
    fi
}
