#!/usr/bin/env bats
# shellcheck disable=SC2012,SC2086  # ls is tested here; ids of images need no quotes
# One slip cancels nothing. Whoever removes or moves an image's directory meant the directory, not the
# shares: they stay, as the process is refused them after its first refused removal. Whoever names the
# shares cancels them. And -o maxcancel bounds what one slip among the shares themselves can cancel.

load helpers

setup()
{
    export LC_ALL=C
    new_registry
    mount_registry
    cd "$MNT" || return
    before=$(all_shares)
}

teardown()
{
    cd /
    unmount_all
}

# remount OPTIONS
remount()
{
    cd /
    unmount "$MNT"
    mount_registry -o "$1"
    cd "$MNT" || return
}

# nothing_cancelled: the shares are as they were, in the registry and in the mount.
nothing_cancelled()
{
    assert_equal "$(all_shares)" "$before"
    assert_equal "$(ls private/$IMG_MYSQL/shares)" $'alice\nbob'
}

# says_recursive IMAGE PIN...: the log tells of each cancel that was refused.
says_recursive()
{
    local image=$1 pin

    shift
    for pin; do
        run -0 grep "action=cancel image=$image pin=$pin outcome=refused errno=EPERM code=cancel-recursive" events
    done
    run cat "private/$image/last_refusal"
    assert_output --partial "EPERM: "
}

# --- slips ---

@test "rm -rf of an image cancels nothing" {
    run -1 rm -rf private/$IMG_MYSQL
    assert_line "rm: cannot remove 'private/$IMG_MYSQL/shares/alice': Operation not permitted"
    assert_line "rm: cannot remove 'private/$IMG_MYSQL/shares/bob': Operation not permitted"
    nothing_cancelled
    says_recursive $IMG_MYSQL alice bob
    run cat private/$IMG_MYSQL/last_refusal
    assert_output --partial 'part of a recursive delete: '
}

@test "rm -rf of private/, or of everything, cancels nothing" {
    run -1 rm -rf private
    nothing_cancelled
    says_recursive $IMG_MYSQL alice bob
    says_recursive $IMG_FULL alice bob carol dept-{01..17}
    says_recursive $IMG_ERROR bob

    run -1 rm -rf private/* shared/* by-name by-account "$MNT"
    nothing_cancelled
}

@test "rm -rf of a link with a slash behind it, as completion makes it, cancels nothing" {
    run -1 rm -rf by-name/private/mysql-8.0/
    nothing_cancelled
    run -1 rm -rf by-name/private/mysql-8.0 by-account/alice by-account/alice/$IMG_MYSQL
    nothing_cancelled
    run -1 rm -rf by-account/alice/$IMG_MYSQL/* # names shares/ among others
    nothing_cancelled
    says_recursive $IMG_MYSQL alice bob
}

@test "rm -rf of an image that others share cancels nothing, and is no business of this account" {
    run -1 rm -rf shared/$IMG_PARTNER_ML
    nothing_cancelled
    assert_equal "$(ls shared/$IMG_PARTNER_ML/shares)" jcloud-demo
}

@test "mv of an image out of the mount cancels nothing" {
    run -1 mv private/$IMG_MYSQL "$BATS_TEST_TMPDIR/"
    nothing_cancelled
    says_recursive $IMG_MYSQL alice bob
}

@test "mv of an image to another place in the mount cancels nothing" {
    run -1 mv private/$IMG_MYSQL private/$IMG_GOLDEN/
    run -1 mv private/$IMG_MYSQL private/mysql
    run -1 mv private/$IMG_MYSQL/shares private/$IMG_GOLDEN/
    nothing_cancelled
}

@test "what deletes in the order of inode numbers cancels nothing, forwards or backwards" {
    # As file managers do: GLib sorts by number.
    local reverse

    for reverse in '' -r; do
        # shellcheck disable=SC2016,SC2046
        run -1 "$PYTHON" -IS -c '
import os, sys
directory = sys.argv[1]
names = sorted(os.listdir(directory), key=lambda name: os.lstat(directory + "/" + name).st_ino)
failed = False
for name in reversed(names) if len(sys.argv) > 2 else names:
    try:
        if name == "shares":
            for pin in os.listdir(directory + "/shares"):
                os.unlink(directory + "/shares/" + pin)
        else:
            os.unlink(directory + "/" + name)
    except PermissionError:
        failed = True
sys.exit(failed)' private/$IMG_FULL $reverse
        nothing_cancelled
    done
}

@test "find IMAGE -delete cancels nothing" {
    run -1 find private/$IMG_MYSQL -delete
    nothing_cancelled
    says_recursive $IMG_MYSQL alice bob
}

@test "find IMAGE -exec rm {} + cancels nothing, as the rm is refused the attributes first" {
    run find private/$IMG_MYSQL -type f -exec rm -f {} +
    assert_failure
    nothing_cancelled
    says_recursive $IMG_MYSQL alice bob
}

@test "python's shutil.rmtree of an image cancels nothing" {
    run -1 "$PYTHON" -IS -c 'import shutil, sys; shutil.rmtree(sys.argv[1])' private/$IMG_MYSQL
    assert_output --partial 'PermissionError: [Errno 1] Operation not permitted'
    nothing_cancelled
    run -0 "$PYTHON" -IS -c 'import shutil, sys; shutil.rmtree(sys.argv[1], ignore_errors=True)' \
        private/$IMG_MYSQL
    nothing_cancelled
    says_recursive $IMG_MYSQL alice bob
}

@test "cp --remove-destination of a copy over its image leaves it shared as it was" {
    cp -r private/$IMG_MYSQL "$BATS_TEST_TMPDIR/"
    run -1 cp -r --remove-destination "$BATS_TEST_TMPDIR/$IMG_MYSQL" private/
    nothing_cancelled
}

@test "who was refused a removal is refused cancels in that image, and another process is not" {
    run -1 rm -rf private/$IMG_MYSQL
    rm private/$IMG_MYSQL/shares/alice
    assert_shares $IMG_MYSQL bob
}

@test "one process that tries both images keeps what it may not have, and cancels in the other" {
    run -1 rm private/$IMG_MYSQL/status private/$IMG_MYSQL/shares/alice private/$IMG_ERROR/shares/bob
    assert_output "rm: cannot remove 'private/$IMG_MYSQL/status': Operation not permitted
rm: cannot remove 'private/$IMG_MYSQL/shares/alice': Operation not permitted"
    assert_shares $IMG_MYSQL alice bob
    assert_shares $IMG_ERROR
}

# --- what is meant ---

@test "rm private/*/shares/PIN cancels what an account has, and nothing else" {
    rm private/*/shares/alice
    assert_equal "$(all_shares)" "$(grep -v -e "^$IMG_MYSQL alice" -e "^$IMG_FULL alice" <<<"$before")"
    assert_not_exists by-account/alice/$IMG_MYSQL
}

@test "rm IMAGE/shares/* cancels all shares of an image" {
    rm private/$IMG_MYSQL/shares/*
    assert_shares $IMG_MYSQL
    rm -rf private/$IMG_FULL/shares/*
    assert_shares $IMG_FULL
    rm -r by-name/private/erp-rollout/shares/bob
    assert_shares $IMG_ERROR
}

@test "find IMAGE/shares -type f -delete cancels all shares of an image" {
    find private/$IMG_FULL/shares -type f -delete
    assert_shares $IMG_FULL
    assert_equal "$(ls private/$IMG_FULL/shares | wc -l)" 0
}

@test "find private -path '*/shares/bob' -delete cancels what bob has" {
    find private -path '*/shares/bob' -delete
    assert_equal "$(all_shares)" \
        "$(grep -v -e "^$IMG_MYSQL bob" -e "^$IMG_FULL bob" -e "^$IMG_ERROR bob" <<<"$before")"
}

# --- limits ---

@test "-o maxcancel=3: rsync --delete from an empty directory cancels three shares of an image" {
    remount maxcancel=3
    mkdir "$BATS_TEST_TMPDIR/empty"
    run -23 rsync -r --inplace --size-only --delete "$BATS_TEST_TMPDIR/empty/" private/$IMG_FULL/shares/
    assert_output --partial 'Operation not permitted'
    assert_equal "$(shares_of $IMG_FULL | wc -l)" 17
    assert_equal "$(ls private/$IMG_FULL/shares | wc -l)" 17
    assert_equal "$(grep -c "action=cancel image=$IMG_FULL pin=[^ ]* outcome=done" events)" 3
    run grep -c "action=cancel image=$IMG_FULL pin=[^ ]* outcome=refused errno=EPERM code=cancel-limit" events
    assert_output 17

    rm private/$IMG_FULL/shares/dept-01 # a new process
    assert_equal "$(shares_of $IMG_FULL | wc -l)" 16
}

@test "-o maxcancel=3: rsync --delete with shares/ forgotten cancels three shares of an image" {
    # rsync removes the content of shares/ first: nothing was refused before, and maxcancel is the bound.
    remount maxcancel=3
    mkdir "$BATS_TEST_TMPDIR/wanted"
    touch "$BATS_TEST_TMPDIR/wanted/alice"
    run -23 rsync -r --inplace --size-only --delete "$BATS_TEST_TMPDIR/wanted/" private/$IMG_FULL/
    assert_equal "$(shares_of $IMG_FULL | wc -l)" 17
    assert_equal "$(all_shares | grep -v "^$IMG_FULL ")" "$(grep -v "^$IMG_FULL " <<<"$before")"
}

@test "-o maxcancel=3: rm -rf \"\$S/\$pin\" with pin unset cancels three shares of an image" {
    remount maxcancel=3
    pin=
    S=private/$IMG_FULL/shares
    run -1 rm -rf "$S/$pin"
    assert_equal "$(shares_of $IMG_FULL | wc -l)" 17
    run -0 grep "action=cancel image=$IMG_FULL .* code=cancel-limit message=\"this process has cancelled as many" events
    assert_equal "$(all_shares | grep -v "^$IMG_FULL ")" "$(grep -v "^$IMG_FULL " <<<"$before")"
}

@test "-o maxcancel=3 is of one process and one image: three here, and three there" {
    remount maxcancel=3
    touch private/$IMG_MYSQL/shares/{carol,partner-lab}
    run -1 rm private/$IMG_MYSQL/shares/* private/$IMG_FULL/shares/*
    assert_equal "$(shares_of $IMG_MYSQL)" partner-lab
    assert_equal "$(shares_of $IMG_FULL | wc -l)" 17
}

@test "-o nocancel: nothing is cancelled, whatever is tried" {
    remount nocancel
    run -1 rm -rf private/$IMG_MYSQL/shares/*
    assert_line "rm: cannot remove 'private/$IMG_MYSQL/shares/alice': Operation not permitted"
    run -1 find private/$IMG_MYSQL/shares -type f -delete
    run -1 mv private/$IMG_MYSQL/shares/alice "$BATS_TEST_TMPDIR/"
    run -1 rm -rf private
    nothing_cancelled
    run -0 grep "action=cancel image=$IMG_MYSQL pin=alice outcome=refused errno=EPERM code=cancel-off" events
}
