#!/usr/bin/env bats
# shellcheck disable=SC2086,SC2154,SC2188  # ids of images need no quotes
# Tools that copy, move and write files, on the mount: which of them share and cancel, and which are
# refused. What they did is looked up in the registry.

load helpers

setup()
{
    export LC_ALL=C.UTF-8
    new_registry
    mount_registry
    cd "$MNT" || return
    golden=private/$IMG_GOLDEN # not shared
    mysql=private/$IMG_MYSQL   # shared with alice and bob
    elsewhere=$BATS_TEST_TMPDIR/elsewhere
    mkdir "$elsewhere"
    before=$(all_shares)
}

teardown()
{
    cd /
    unmount_all
}

nothing_changed()
{
    assert_equal "$(all_shares)" "$before"
}

# --- making empty files ---

@test "the shell's > shares, and again is a success" {
    : >$golden/shares/alice
    >$golden/shares/bob
    : >$golden/shares/alice
    : >>$golden/shares/carol
    assert_shares $IMG_GOLDEN alice bob carol
    set -o noclobber
    run eval ": >$golden/shares/alice"
    assert_failure
    assert_output --partial 'cannot overwrite existing file'
}

@test "cp /dev/null shares" {
    cp /dev/null $golden/shares/alice
    cp /dev/null $golden/shares/alice
    cp -f /dev/null $golden/shares/bob
    assert_shares $IMG_GOLDEN alice bob
}

@test "cp IMAGE/shares/* OTHER/shares/ shares with the same accounts" {
    cp $mysql/shares/* $golden/shares/
    assert_shares $IMG_GOLDEN alice bob
    cp $mysql/shares/* $golden/shares/
    cp -a $mysql/shares/. private/$IMG_WINDOWS/shares/
    cp -p $mysql/shares/alice private/$IMG_ARM/shares/
    cp -r private/$IMG_FULL/shares private/$IMG_LOCAL/
    assert_shares $IMG_WINDOWS alice bob
    assert_shares $IMG_ARM alice
    assert_equal "$(shares_of $IMG_LOCAL)" "$(shares_of $IMG_FULL)"
    assert_shares $IMG_MYSQL alice bob
}

@test "install shares" {
    install -m 644 /dev/null $golden/shares/alice
    install /dev/null $golden/shares/bob
    install -m 600 /dev/null $golden/shares/bob # removes and makes it
    assert_shares $IMG_GOLDEN alice bob
    run -1 install -m 4755 /dev/null $golden/shares/carol
    assert_output --partial 'Operation not permitted'
}

@test "truncate, dd and tee share, too, as long as nothing is in it" {
    truncate -s 0 $golden/shares/alice
    dd if=/dev/null of=$golden/shares/bob status=none
    tee $golden/shares/carol </dev/null
    assert_shares $IMG_GOLDEN alice bob carol
    run -1 truncate -s 1 $golden/shares/alice
    assert_output --partial 'File too large'
}

# --- content ---

@test "echo > shares, and fails, as a share holds nothing; echo >> fails as well" {
    run -1 bash -c "echo x >$golden/shares/alice"
    assert_output --partial 'File too large'
    assert_shares $IMG_GOLDEN alice
    run -1 bash -c "echo x >>$mysql/shares/alice"
    assert_output --partial 'File too large'
    run -1 cp README $golden/shares/bob
    assert_output --partial 'File too large'
    assert_equal "$(stat -c %s $golden/shares/alice $mysql/shares/alice)" $'0\n0'
    assert_event action=write image=$IMG_GOLDEN name=bob outcome=refused errno=EFBIG code=tree-content
}

@test "attributes cannot be written" {
    for command in "echo error >$mysql/status" "echo x >>$mysql/quota" "cp README $mysql/name" \
        "truncate -s 0 $mysql/status" ": >events" "tee README <<<x"; do
        run -1 bash -c "$command"
        assert_output --partial 'Permission denied'
    done
    assert_equal "$(cat $mysql/status)" available
    nothing_changed
}

# --- rsync ---

@test "rsync -r --inplace --size-only --delete makes shares/ what a list wants" {
    sync=(rsync -r --inplace --size-only --delete --max-delete=5 "$elsewhere/" "$mysql/shares/")
    touch "$elsewhere/"{alice,carol,partner-lab}
    "${sync[@]}"
    assert_shares $IMG_MYSQL alice carol partner-lab
    assert_equal "$(ls $mysql/shares)" $'alice\ncarol\npartner-lab'
    # Nothing is left to do: neither by a dry run, nor really.
    events=$(wc -l <events)
    run -0 "${sync[@]}" -n -i
    assert_output ''
    run -0 "${sync[@]}" -i
    assert_output ''
    assert_equal "$(wc -l <events)" "$events"
}

@test "rsync says what was refused, and does the rest" {
    touch "$elsewhere/"{alice,nobody}
    run -23 rsync -r --inplace --size-only --delete "$elsewhere/" $mysql/shares/
    assert_output --partial 'nobody" failed: No such device or address (6)'
    assert_shares $IMG_MYSQL alice
}

@test "rsync --max-delete: a list that was lost cancels no more than that" {
    run -25 rsync -r --inplace --size-only --delete --max-delete=5 "$elsewhere/" private/$IMG_FULL/shares/
    assert_output --partial 'Deletions stopped due to --max-delete limit (15 skipped)'
    assert_equal "$(shares_of $IMG_FULL | wc -l)" 15
}

@test "rsync of an image's shares to another image, and into a backup and back" {
    rsync -r --inplace --size-only $mysql/shares/ $golden/shares/
    assert_shares $IMG_GOLDEN alice bob
    rsync -a $mysql/shares/ "$elsewhere/"
    rm $mysql/shares/*
    rsync -a --inplace "$elsewhere/" $mysql/shares/
    assert_shares $IMG_MYSQL alice bob
}

@test "rsync without --inplace is refused its temporary names, and makes no share" {
    touch "$elsewhere/"{alice,bob}
    run -23 rsync -r "$elsewhere/" $golden/shares/
    assert_output --partial 'mkstemp'
    assert_output --partial 'Invalid argument (22)'
    nothing_changed
}

# --- tar, cpio-like ---

@test "tar -c of shares/ and of an image, and tar -x into another image" {
    # A cloud is asked when it is opened first, and what tar reads has changed then.
    ls $mysql/shares >/dev/null
    tar -cf "$elsewhere/shares.tar" -C $mysql/shares .
    run -0 tar -tf "$elsewhere/shares.tar"
    assert_output $'./\n./alice\n./bob'
    tar -xf "$elsewhere/shares.tar" -C $golden/shares
    assert_shares $IMG_GOLDEN alice bob
    tar -xf "$elsewhere/shares.tar" -C $golden/shares
    assert_shares $IMG_GOLDEN alice bob

    run -0 --separate-stderr tar -cf "$elsewhere/image.tar" $mysql
    assert_equal "$stderr" ''
    tar -xf "$elsewhere/image.tar" -C "$elsewhere"
    assert_equal "$(cat "$elsewhere/$mysql/name")" mysql-8.0
    assert_equal "$(ls "$elsewhere/$mysql/shares")" $'alice\nbob'
}

@test "an image's directory can be copied out, and diff finds no difference" {
    cp -r private/$IMG_CHINESE "$elsewhere/"
    run -0 diff -r -x confirmed private/$IMG_CHINESE "$elsewhere/$IMG_CHINESE"
    assert_output ''
}

# --- moving, linking, directories ---

@test "mv of a share out of the mount cancels it, mv of an empty file in shares" {
    mv $mysql/shares/alice "$elsewhere/"
    assert_shares $IMG_MYSQL bob
    assert_exists "$elsewhere/alice"
    mv "$elsewhere/alice" $golden/shares/
    assert_shares $IMG_GOLDEN alice
    assert_not_exists "$elsewhere/alice"
}

@test "mv of what cannot be shared into the mount is refused, and the file stays where it was" {
    touch "$elsewhere/nobody"
    run -1 mv "$elsewhere/nobody" $golden/shares/
    assert_output --partial 'No such device or address'
    assert_exists "$elsewhere/nobody"
    nothing_changed
}

@test "mv within the mount is refused, and neither shares nor cancels" {
    for command in "mv $mysql/shares/alice $mysql/shares/carol" "mv $mysql/shares/alice $golden/shares/" \
        "mv -f $mysql/shares/alice $mysql/shares/bob" "mv -n $mysql/shares/alice $mysql/shares/carol" \
        "mv $mysql $golden/" "mv private/$IMG_MYSQL private/mysql" "mv README LIESMICH" \
        "mv by-name/private/golden by-name/private/silver"; do
        run -1 bash -c "$command"
        assert_output --partial 'Operation not permitted'
    done
    nothing_changed
    assert_equal "$(ls $mysql/shares)" $'alice\nbob'
}

@test "ln, ln -s, mkdir, mkfifo, mknod and rmdir are refused, and nothing changes" {
    for command in "ln $mysql/shares/alice $mysql/shares/carol" "ln -s alice $mysql/shares/carol" \
        "ln -sf ../../alice $golden/shares/alice" "mkdir $golden/shares/alice" "mkdir private/img-new" \
        "mkdir -p $golden/shares/a/b" "mkfifo $golden/shares/alice" "mknod $golden/shares/alice p" \
        "rmdir $golden/shares" "rmdir $mysql" "ln -s private/$IMG_MYSQL mysql"; do
        run -1 bash -c "$command"
        assert_output --partial 'Operation not permitted'
    done
    nothing_changed
    assert_equal "$(ls -A $golden/shares)" ''
}

@test "mkdir -p of what is there is content" {
    mkdir -p $golden/shares private
    nothing_changed
}

@test "chmod and chown to what is, go; to something else, only a share takes a mode" {
    chmod 644 $mysql/shares/alice
    chmod 600 $mysql/shares/alice
    chmod -R u+rw $mysql/shares
    chown "$(id -u):$(id -g)" $mysql/shares/alice $mysql $mysql/status
    assert_equal "$(stat -c %a $mysql/shares/alice)" 644
    for command in "chmod u+s $mysql/shares/alice" "chmod 777 $mysql" "chmod u+w $mysql/status" \
        "chown $(($(id -u) + 1)) $mysql/shares/alice" "chgrp $(($(id -g) + 1)) $mysql/shares"; do
        run -1 bash -c "$command"
        assert_output --partial 'Operation not permitted'
    done
    nothing_changed
}

# --- programs that make temporary files ---

@test "sed -i is refused, and makes no share" {
    run sed -i s/x/y/ $mysql/shares/alice
    assert_failure
    assert_output --partial 'Invalid argument'
    nothing_changed
}

@test "mktemp is refused, and makes no share" {
    run -1 mktemp -p $golden/shares
    assert_output --partial 'Invalid argument'
    run -1 mktemp $golden/shares/.aliceXXXXXX
    run -1 mktemp -d -p $golden/shares
    nothing_changed
}

@test "vim leaves no share behind but the one that it writes" {
    type -P vim >/dev/null || skip 'there is no vim'
    run vim -es -u NONE -c 'set swapfile backup writebackup' -c 'w!' -c 'qa!' $mysql/shares/alice </dev/null
    nothing_changed
    run vim -es -u NONE -c 'set swapfile backup writebackup' -c 'w!' -c 'qa!' $golden/shares/carol </dev/null
    run comm -13 <(sort <<<"$before") <(all_shares | sort)
    refute_line --regexp ' (\.|4913|.*~)'
}

@test "what a file manager does: gio copies an empty file in, and trashes and removes what it may" {
    type -P gio >/dev/null || skip 'there is no gio'
    run -1 gio trash $mysql
    run -1 gio remove $mysql
    nothing_changed
    gio remove $mysql/shares/alice
    assert_shares $IMG_MYSQL bob
}

@test "names that editors, browsers and desktops make are refused, and no share is made" {
    for name in .alice.Ab3xYz sedAb12Cd tmp.AbCdEf1234 4913 .alice.swp .alice.swx alice~ '#alice#' '.#alice' \
        .goutputstream-AB12CD '.~lock.alice#' .nfs000000000012d687 .fuse_hidden0000000b .DS_Store ._alice \
        alice.part alice.tmp desktop.ini Thumbs.db autorun.inf core nohup.out .directory; do
        run -1 touch "$golden/shares/$name"
        assert_output "touch: cannot touch '$golden/shares/$name': Invalid argument"
    done
    nothing_changed
    assert_equal "$(ls -A $golden/shares)" ''
}

# --- programs ---

@test "python's pathlib and shutil" {
    run -0 "$PYTHON" -IS - $golden $mysql "$elsewhere" <<'END'
import errno, pathlib, shutil, sys
golden, mysql, elsewhere = (pathlib.Path(arg) for arg in sys.argv[1:])

def fails(expected, call, *args, **options):
    try:
        call(*args, **options)
    except OSError as err:
        assert err.errno == expected, err
    else:
        sys.exit("%s%r did not fail" % (call.__name__, args))

(golden / "shares/alice").touch()
(golden / "shares/alice").touch()
fails(errno.EEXIST, (golden / "shares/alice").touch, exist_ok=False)
fails(errno.ENXIO, (golden / "shares/nobody").touch)
fails(errno.EFBIG, (golden / "shares/bob").write_text, "x")
(golden / "shares/bob").unlink()
fails(errno.ENOENT, (golden / "shares/bob").unlink)
fails(errno.EPERM, (golden / "shares").rmdir)
fails(errno.EPERM, (golden / "shares/alice").rename, golden / "shares/bob")
fails(errno.EACCES, (golden / "status").write_text, "error")
assert sorted(path.name for path in (mysql / "shares").iterdir()) == ["alice", "bob"]
assert (mysql / "status").read_text() == "available\n"
shutil.copy(mysql / "shares/bob", golden / "shares/carol")
shutil.copy2(mysql / "shares/bob", golden / "shares/carol")
shutil.move(mysql / "shares/bob", elsewhere / "bob")
shutil.copytree(mysql, elsewhere / "copy")
assert [path.name for path in (elsewhere / "copy/shares").iterdir()] == ["alice"]
END
    assert_output ''
    assert_shares $IMG_GOLDEN alice carol
    assert_shares $IMG_MYSQL alice
}

# --- options that change what the tools see ---

@test "-o uid=, gid= and umask= say whose the files are, and who may share" {
    cd /
    unmount "$MNT"
    mount_registry -o uid=1234,gid=5678,umask=027
    cd "$MNT"
    run -0 stat -c '%n %u %g %a' . $mysql $mysql/status $mysql/shares $mysql/shares/alice events
    assert_output ". 1234 5678 750
$mysql 1234 5678 750
$mysql/status 1234 5678 440
$mysql/shares 1234 5678 750
$mysql/shares/alice 1234 5678 640
events 1234 5678 440"

    cd /
    unmount "$MNT"
    mount_registry -o umask=002 # lets the group share
    cd "$MNT"
    run -0 stat -c '%n %a' $mysql/shares $mysql/shares/alice $mysql/status
    assert_output "$mysql/shares 775
$mysql/shares/alice 664
$mysql/status 444"
}
