#!/usr/bin/env bats
# shellcheck disable=SC2012,SC2016,SC2086  # ls is tested here; scripts of bash -c; ids of images need no quotes
# Share lists as files: imgshare plan says what differs from the mount, imgshare apply makes it so.

load helpers
load cloud_helpers

setup()
{
    LISTS=$BATS_TEST_TMPDIR/lists
    mkdir "$LISTS"
    cd "$LISTS" || return
}

# list NAME LINE...: a list of these lines.
list()
{
    local name=$1

    shift
    printf '%s\n' "$@" >"$LISTS/$name"
}

# plan_is LINE...: the plan has these lines, and the status that says so; nothing is on standard error.
plan_is()
{
    local status_then=2

    [ $# -gt 0 ] || status_then=0
    run --separate-stderr "$IMGSHARE" plan "$LISTS" "$MNT"
    assert_equal "$output" "$(printf '%s\n' "$@")"
    # shellcheck disable=SC2154
    assert_equal "$stderr" ''
    assert_equal "$status" "$status_then"
}

# refused MESSAGE [OPTION]...: plan and apply exit with 1 and say the whole MESSAGE, and no share is changed.
refused()
{
    local message=$1 before

    shift
    before=$(all_shares)
    run --separate-stderr "$IMGSHARE" plan "$LISTS" "$MNT" "$@"
    assert_equal "$stderr" "imgshare: $message"
    assert_equal "$status" 1
    run --separate-stderr "$IMGSHARE" apply "$LISTS" "$MNT" "$@"
    assert_equal "$stderr" "imgshare: $message"$'\nimgshare: nothing was changed'
    assert_equal "$output" ''
    assert_equal "$status" 1
    assert_equal "$(all_shares)" "$before"
}

@test "plan prints the difference and changes nothing; apply makes it so, and then there is none" {
    new_mount
    list golden alice bob
    list "$IMG_MYSQL" alice dave
    local -a lines=(
        "+ share $IMG_MYSQL (mysql-8) dave"
        "- cancel $IMG_MYSQL (mysql-8) bob"
        "+ share $IMG_GOLDEN (golden) alice"
        "+ share $IMG_GOLDEN (golden) bob"
    )
    add_account dave
    name=$(cat "$MNT/private/$IMG_MYSQL/name")
    lines=("${lines[@]//mysql-8/$name}")
    assert_shares "$IMG_MYSQL" alice bob
    before=$(all_shares)
    plan_is "${lines[@]}"
    assert_equal "$(all_shares)" "$before"
    run --separate-stderr "$IMGSHARE" apply "$LISTS" "$MNT"
    assert_equal "$output" "$(printf '%s\n' "${lines[@]}")"
    assert_equal "$stderr$status" 0
    assert_shares "$IMG_GOLDEN" alice bob
    assert_shares "$IMG_MYSQL" alice dave
    # Nothing else has changed.
    assert_equal "$(all_shares | grep -v "^$IMG_GOLDEN\|^$IMG_MYSQL")" \
        "$(grep -v "^$IMG_GOLDEN\|^$IMG_MYSQL" <<<"$before")"
    plan_is
    run -0 --separate-stderr "$IMGSHARE" apply "$LISTS" "$MNT"
    assert_equal "$output$stderr" ''
}

@test "lists hold comments, labels, CRLF, doubles and teams" {
    new_mount
    printf '\xef\xbb\xbf# who may use golden\r\n\r\nalice\tAlice of Sales\r\n@team # all of them\r\nalice\r\n' >golden
    list @team 'bob   # Bob' "$(printf 'carol\tCarol')"
    list .hidden 'no pin at all'
    mkdir .git
    plan_is "+ share $IMG_GOLDEN (golden) alice" "+ share $IMG_GOLDEN (golden) bob" \
        "+ share $IMG_GOLDEN (golden) carol"
    # An image of a name that others have, too, has its id in the name of the list.
    rm golden
    list "ci-runner@$IMG_RUNNER_A" alice
    plan_is "+ share $IMG_RUNNER_A (ci-runner) alice"
}

@test "a pin that begins with @ is written with two" {
    new_mount
    add_account @ops
    list golden @@ops
    plan_is "+ share $IMG_GOLDEN (golden) @ops"
    run -0 "$IMGSHARE" apply "$LISTS" "$MNT"
    assert_shares "$IMG_GOLDEN" @ops
}

@test "what the rules would refuse is said before the first change, all of it" {
    new_mount
    list "$IMG_MYSQL" alice bob carol # this could be done
    list "$IMG_PENDING" alice
    refused "$IMG_PENDING (release-2.4): cannot be shared: EBUSY: the image is pending; only an available image can be shared"
    rm "$IMG_PENDING"
    list golden alice nobody
    refused "$IMG_GOLDEN (golden): nobody: JD Cloud account does not exist"
    list golden alice 'a b' jcloud-demo .x
    refused "$LISTS/golden:2: a b: the name cannot be a User Pin: it is not UTF-8, begins with . or -, or holds white space, a control or a shell character
imgshare: $LISTS/golden:3: jcloud-demo: the name is this account's own pin; an image is not shared with its owner
imgshare: $LISTS/golden:4: .x: the name cannot be a User Pin: it is not UTF-8, begins with . or -, or holds white space, a control or a shell character"
    list golden @team
    list @team @other
    list @other alice
    refused "$LISTS/@team:1: @other: a team cannot name another team
imgshare: $LISTS/@team: an empty list would cancel everything; if that is meant: --allow-empty"
    rm @team
    refused "$LISTS/golden:1: @team: $LISTS/@team: No such file or directory
imgshare: $LISTS/golden: an empty list would cancel everything; if that is meant: --allow-empty"
    rm golden
    list gold alice
    refused "$LISTS/gold: no own image has this id or name"
    rm gold
    list "$IMG_PARTNER_ML" alice
    refused "$LISTS/$IMG_PARTNER_ML: no own image has this id or name"
    rm "$IMG_PARTNER_ML"
    list ci-runner alice
    refused "$LISTS/ci-runner: several images have this name; call the list: ci-runner@$IMG_RUNNER_A, ci-runner@$IMG_RUNNER_B"
    rm ci-runner
    list golden alice
    list "$IMG_GOLDEN" bob
    refused "$IMG_GOLDEN (golden): has two lists: $LISTS/golden and $LISTS/$IMG_GOLDEN"
}

@test "a share that no file name can be stands against a list of its image, and no other" {
    new_registry
    share_unlistable "$IMG_GOLDEN"
    mount_registry
    list golden alice
    refused "$IMG_GOLDEN (golden): is shared with a/b, which no file name can be; cancel that where it was shared"
    rm "$LISTS/golden"
    list "$IMG_MYSQL" alice bob
    plan_is
    # What was cancelled can be shared again all the same.
    touch "$MNT/private/$IMG_GOLDEN/shares/bob"
    rm "$MNT/private/$IMG_GOLDEN/shares/bob"
    run -0 "$IMGSHARE" undo "$MNT" --since 1m --apply
    assert_output "+ share $IMG_GOLDEN (golden) bob"
}

@test "lists that cannot be read are errors" {
    new_mount
    rmdir "$LISTS"
    run -1 "$IMGSHARE" plan "$LISTS" "$MNT"
    assert_output "imgshare: $LISTS: No such file or directory"
    mkdir "$LISTS"
    run -1 "$IMGSHARE" plan "$LISTS" "$MNT"
    assert_output "imgshare: $LISTS: no list is in it; a list is a file named as an image"
    mkdir "$LISTS/golden"
    run -1 "$IMGSHARE" plan "$LISTS" "$MNT"
    assert_output "imgshare: $LISTS/golden: Is a directory"
    rmdir "$LISTS/golden"
    list golden a/b
    run -1 "$IMGSHARE" plan "$LISTS" "$MNT"
    assert_output "imgshare: $LISTS/golden:1: not a pin: \"a/b\"; a pin is UTF-8, at most 255 bytes, without a slash"
}

@test "an empty list, and many cancels, must be meant" {
    new_mount
    list "$IMG_MYSQL" '# nobody any more'
    refused "$LISTS/$IMG_MYSQL: an empty list would cancel everything; if that is meant: --allow-empty"
    refused "2 cancels, and --max-cancel allows 1; if they are meant: --max-cancel 2" --allow-empty --max-cancel 1
    run -0 "$IMGSHARE" apply --allow-empty "$LISTS" "$MNT"
    assert_shares "$IMG_MYSQL"
    # Five are allowed unless said otherwise.
    rm "$IMG_MYSQL"
    ls "$MNT/private/$IMG_FULL/shares" | tail -n +7 >"$IMG_FULL"
    refused "6 cancels, and --max-cancel allows 5; if they are meant: --max-cancel 6"
    run -0 "$IMGSHARE" apply --max-cancel 6 "$LISTS" "$MNT"
    # shellcheck disable=SC2046
    assert_shares "$IMG_FULL" $(cat "$IMG_FULL")
}

@test "an image that is full changes its accounts, and takes no more" {
    new_mount
    { ls "$MNT/private/$IMG_FULL/shares" | tail -n +2; echo dave; } >"$IMG_FULL"
    gone=$(ls "$MNT/private/$IMG_FULL/shares" | head -n 1)
    add_account dave
    name=$(cat "$MNT/private/$IMG_FULL/name")
    echo "$gone" >>"$IMG_FULL"
    refused "$IMG_FULL ($name): would be shared with 21 accounts, and 20 are allowed"
    sed -i '$d' "$IMG_FULL"
    # Room is made first, then it is used.
    run -0 --separate-stderr "$IMGSHARE" apply "$LISTS" "$MNT"
    assert_equal "$output" "- cancel $IMG_FULL ($name) $gone"$'\n'"+ share $IMG_FULL ($name) dave"
    # shellcheck disable=SC2046
    assert_shares "$IMG_FULL" $(cat "$IMG_FULL")
}

@test "a share that the mount refuses: why, what was done, and its image keeps what it had" {
    printf 'alice\ncarol\n' >"$BATS_TEST_TMPDIR/allow"
    new_mount -o "allow=$BATS_TEST_TMPDIR/allow"
    list golden bob alice
    list "$IMG_MYSQL" dave
    add_account dave
    name=$(cat "$MNT/private/$IMG_MYSQL/name")
    # Only the mount knows its allow-list.
    run -2 "$IMGSHARE" plan "$LISTS" "$MNT"
    run -1 --separate-stderr "$IMGSHARE" apply "$LISTS" "$MNT"
    assert_equal "$output" "+ share $IMG_GOLDEN (golden) alice"
    why="Operation not permitted; EPERM: the pin is not in the allow-list of this mount. What to do: add it to the file given as allow= and send the daemon SIGHUP."
    assert_equal "$stderr" "imgshare: share $IMG_MYSQL ($name) dave: $why
imgshare: share $IMG_GOLDEN (golden) bob: $why
imgshare: 1 of 5 changes made, 2 refused, 2 not tried"
    assert_shares "$IMG_GOLDEN" alice
    assert_shares "$IMG_MYSQL" alice bob
}

@test "what the mount does not do is said before: read-only, nocancel, maxcancel" {
    new_mount -o maxcancel=1
    name=$(cat "$MNT/private/$IMG_MYSQL/name")
    list "$IMG_MYSQL"
    refused "$IMG_MYSQL ($name): 2 cancels, and this mount allows a process 1 of one image in a minute (maxcancel)" --allow-empty
    unmount "$MNT"
    mount_registry -o nocancel
    refused "$IMG_MYSQL ($name): this mount does not cancel shares (nocancel)" --allow-empty
    unmount "$MNT"
    mount_registry -o ro
    list "$IMG_MYSQL" alice
    refused "the mount or its store is read-only"
    list "$IMG_MYSQL" alice bob
    plan_is
}

@test "a mount that is none, a place inside one, and wrong calls" {
    new_mount
    list golden alice
    run -1 "$IMGSHARE" plan "$LISTS" "$BATS_TEST_TMPDIR"
    assert_output "imgshare: $BATS_TEST_TMPDIR: not inside a mount of imgsharefs"
    run -1 "$IMGSHARE" apply "$LISTS" "$MNT/private"
    assert_output "imgshare: $MNT/private: not where imgsharefs is mounted; that is $MNT"
    run -1 "$IMGSHARE" plan "$LISTS" "$BATS_TEST_TMPDIR/none/mnt"
    assert_output --partial 'No such file or directory'
    # 2 would say that there are changes.
    run -1 "$IMGSHARE" plan "$LISTS"
    assert_output 'imgshare: plan: MOUNT is missing; see: imgshare plan --help'
    run -2 "$IMGSHARE" apply "$LISTS"
    run -1 bash -c '"$1" plan "$2" "$3" >/dev/full' bash "$IMGSHARE" "$LISTS" "$MNT"
    assert_output 'imgshare: standard output: No space left on device'
    run -1 "$IMGSHARE" plan --max-cancel x "$LISTS" "$MNT"
    assert_output --partial '--max-cancel takes a number'
    kill -KILL "$(daemon_pid "$MNT")"
    run -1 "$IMGSHARE" plan "$LISTS" "$MNT"
    assert_output --regexp 'Transport endpoint is not connected|daemon has died'
}

@test "a signal ends apply between two changes, with a report" {
    new_mount
    list golden alice bob
    hold_lock
    "$IMGSHARE" apply "$LISTS" "$MNT" >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" {LOCK_FD}>&- 3>&- &
    pid=$!
    wait_for 10 lock_awaited
    kill -TERM $pid
    release_lock
    status=0
    wait $pid || status=$?
    assert_equal "$status" 143
    assert_equal "$(cat "$BATS_TEST_TMPDIR/out")" "+ share $IMG_GOLDEN (golden) alice"
    assert_equal "$(cat "$BATS_TEST_TMPDIR/err")" \
        'imgshare: stopped by a signal after 1 of 2 changes (0 refused); the same command does the rest'
    assert_shares "$IMG_GOLDEN" alice
    run -0 "$IMGSHARE" apply "$LISTS" "$MNT"
    assert_output "+ share $IMG_GOLDEN (golden) bob"
}

@test "a cloud is asked first: what others did since counts" {
    start_cloud
    mount_read
    tell share $CLOUD_GOLDEN carol
    tell cancel $CLOUD_WEB alice
    list golden alice
    list $CLOUD_WEB alice bob
    name=$(cat "$MNT/private/$CLOUD_WEB/name")
    plan_is "+ share $CLOUD_GOLDEN (golden) alice" "- cancel $CLOUD_GOLDEN (golden) carol" \
        "+ share $CLOUD_WEB ($name) alice"
    run -0 "$IMGSHARE" apply "$LISTS" "$MNT"
    assert_cloud_shares $CLOUD_GOLDEN alice
    assert_cloud_shares $CLOUD_WEB alice bob
    # An image that is new there is known, too.
    tell add-image imageId=img-new0000000 owner=owner name=new status=ready
    list new bob
    plan_is "+ share img-new0000000 (new) bob"
}

@test "a cloud that cannot be asked: no plan, and no change" {
    start_cloud
    mount_read
    list golden alice
    tell fault describeImageMembers error row=internal
    run -1 --separate-stderr "$IMGSHARE" plan "$LISTS" "$MNT"
    assert_equal "$output" ''
    [[ $stderr == "imgshare: $GOLDEN: Remote I/O error; the list could not be refreshed, and an old one is not believed" ]] ||
        fail "$stderr"
    tell clear
    tell set connections=refuse
    tell drop-connections
    run -1 --separate-stderr "$IMGSHARE" apply "$LISTS" "$MNT"
    assert_equal "$output" ''
    assert_equal "$stderr" \
        "imgshare: $MNT/private: Connection refused; the list could not be refreshed, and an old one is not believed"
    assert_cloud_shares $CLOUD_GOLDEN
}

@test "a share that the cloud refuses: its words, and the cancels of that image are left" {
    start_cloud
    mount_read
    list $CLOUD_WEB nobody bob
    name=$(cat "$MNT/private/$CLOUD_WEB/name")
    run -1 --separate-stderr "$IMGSHARE" apply "$LISTS" "$MNT"
    assert_equal "$output" ''
    assert_equal "$stderr" "imgshare: share $CLOUD_WEB ($name) nobody: No such device or address; ENXIO: JD Cloud account does not exist. What to do: check the User Pin: its owner finds it in the user center, or in account/pin of a mount.
imgshare: 0 of 2 changes made, 1 refused, 1 not tried"
    assert_cloud_shares $CLOUD_WEB alice bob
}

@test "a change of unknown outcome is no ground for a plan" {
    start_cloud
    mount_read -o timeout=1
    tell fault shareImage hang applied=false
    run -1 touch "$GOLDEN/alice"
    list golden bob
    run -1 "$IMGSHARE" plan "$LISTS" "$MNT"
    assert_output --partial "$CLOUD_GOLDEN (golden): a change of it has an unknown outcome, see status; try again when it is settled"
}

@test "what a change was answered with is not believed: the mount is looked at afterwards" {
    skip_if_sanitized 'leaks cannot be looked for under strace'
    new_mount
    list "$IMG_MYSQL" alice
    name=$(cat "$MNT/private/$IMG_MYSQL/name")
    # A cancel that says it was made, and was not.
    run -1 --separate-stderr strace -qq -o "$BATS_TEST_TMPDIR/trace" -e inject=unlinkat:retval=0 \
        "$IMGSHARE" apply "$LISTS" "$MNT"
    assert_output "- cancel $IMG_MYSQL ($name) bob"
    assert_equal "$stderr" "imgshare: $IMG_MYSQL ($name): is not shared as planned: bob has it"
}
