#!/usr/bin/env bats
# shellcheck disable=SC2086  # ids of images need no quotes
# Shares are made and removed; nothing else in the tree can be changed. What is asked of the daemon it
# refuses, with an event: EPERM, EACCES for the content of attributes, EFBIG for content of a share. Some
# answers are the kernel's own, before the daemon is asked.

load helpers

setup()
{
    export LC_ALL=C
    new_registry
    mount_registry
    cd "$MNT" || return
    image=private/$IMG_MYSQL # shared with alice and bob
    shares=$image/shares
}

teardown()
{
    cd /
    unmount_all
}

# Every name, with its type, target, mode and owner.
all_names()
{
    find . -printf '%p %y %l %m %U %G\n' | sort
}

# nothing_changed <<END: as assert_errnos, and neither the tree nor the registry is different after it.
nothing_changed()
{
    local names shares

    names=$(all_names)
    shares=$(all_shares)
    assert_errnos
    assert_equal "$(all_names)" "$names"
    assert_equal "$(all_shares)" "$shares"
}

# --- the daemon's answers ---

@test "files are made in shares/ only" {
    nothing_changed <<END
EPERM creat       new
EPERM creat       private/new
EPERM creat       shared/new
EPERM creat       $image/new
EPERM creat       $image/.x
EPERM creat_excl  $image/new
EPERM creat       by-name/new
EPERM creat       by-name/private/new
EPERM creat       by-name/shared/partner-lab/new
EPERM creat       by-account/new
EPERM creat       by-account/alice/new
EPERM creat       account/new
EPERM mknod       $image/new
END
}

@test "directories, links, pipes, sockets and devices are made nowhere" {
    nothing_changed <<END
EPERM mkdir       new
EPERM mkdir       private/img-new
EPERM mkdir       $image/new
EPERM mkdir       $shares/carol
EPERM mkdir       by-account/dora
EPERM symlink     new
EPERM symlink     $shares/carol
EPERM symlink     by-name/private/new
EPERM link        $shares/alice $shares/carol
EPERM link        $shares/alice private/$IMG_GOLDEN/shares/alice
EPERM link        README new
EPERM mkfifo      new
EPERM mkfifo      $shares/carol
EPERM mknod       $shares/carol fifo
EPERM mknod       $shares/carol sock
EPERM mknod       $shares/carol chr
EPERM mknod       new sock
END
}

@test "nothing but shares is removed" {
    nothing_changed <<END
EPERM unlink      README
EPERM unlink      events
EPERM unlink      account/pin
EPERM unlink      $image/status
EPERM unlink      shared/$IMG_PARTNER_ML/notice
EPERM unlink      by-name/private/golden
EPERM unlink      by-name/shared/partner-lab/golden
EPERM unlink      by-account/alice/$IMG_MYSQL
EPERM rmdir       private
EPERM rmdir       $image
EPERM rmdir       $shares
EPERM rmdir       private/$IMG_GOLDEN/shares
EPERM rmdir       shared/$IMG_PARTNER_ML
EPERM rmdir       by-account/alice
EPERM rmdir       by-name/private
END
}

@test "nothing is renamed, in no way, and it is never EXDEV within the mount: mv would copy and remove" {
    nothing_changed <<END
EPERM rename            $shares/alice $shares/carol
EPERM rename            $shares/alice $shares/bob
EPERM rename            $shares/alice private/$IMG_GOLDEN/shares/alice
EPERM rename            $shares/alice new
EPERM rename            $image private/img-new
EPERM rename            $image private/$IMG_GOLDEN
EPERM rename            $image shared/new
EPERM rename            $image/status $image/new
EPERM rename            README new
EPERM rename            by-name/private/golden by-name/private/silver
EPERM rename            by-account/alice by-account/carol
EPERM rename_noreplace  $shares/alice $shares/carol
EPERM rename_exchange   $shares/alice $shares/bob
EPERM rename_exchange   $image private/$IMG_GOLDEN
END
}

@test "attributes are only read: EACCES to who opens one for writing, root too" {
    nothing_changed <<END
EACCES open_w       $image/status
EACCES open_rw      $image/status
EACCES open_trunc   $image/status
EACCES creat        $image/status
EACCES write        $image/image.json
EACCES truncate     $image/quota 0
EACCES truncate     $image/quota 5
EACCES open_w       README
EACCES open_w       events
EACCES write        events
EACCES truncate     events 0
EACCES open_w       status
EACCES open_w       account/pin
EACCES open_w       shared/$IMG_PARTNER_ML/trusted
OK     open_r       $image/status
OK     open_r       events
END
}

@test "a share holds nothing: a byte is EFBIG, truncating it to nothing is fine" {
    nothing_changed <<END
EFBIG write        $shares/alice
EFBIG truncate     $shares/alice 1
OK    truncate     $shares/alice 0
OK    open_w       $shares/alice
OK    open_rw      $shares/alice
OK    open_trunc   $shares/alice
END
    assert_equal "$(stat -c %s $shares/alice)" 0
    run cat $shares/alice
    assert_output ''
}

@test "modes and owners stay: what would change them is EPERM, but a share takes any mode within 0777" {
    uid=$(id -u) gid=$(id -g)
    nothing_changed <<END
OK    chmod   $shares/alice 644
OK    chmod   $shares/alice 600
OK    chmod   $shares/alice 777
OK    chmod   $shares/alice 0
EPERM chmod   $shares/alice 4755
EPERM chmod   $shares/alice 1644
OK    chown   $shares/alice $uid $gid
OK    chown   $shares/alice -1 -1
EPERM chown   $shares/alice $((uid + 1)) -1
EPERM chown   $shares/alice -1 $((gid + 1))
OK    chmod   $shares 755
EPERM chmod   $shares 700
EPERM chmod   $shares 1777
OK    chmod   private 755
EPERM chmod   . 777
OK    chown   $shares $uid $gid
EPERM chown   $shares $((uid + 1)) -1
OK    chmod   $image/status 444
EPERM chmod   $image/status 644
OK    chown   $image/status $uid $gid
EPERM chown   $image/status $((uid + 1)) -1
EPERM chmod   README 644
END
}

@test "times stay: those of a share or a directory can be set, and are ignored" {
    share_time=$(stat -c %y $shares/alice)
    shares_time=$(stat -c %y $shares)
    status_time=$(stat -c %y $image/status)
    nothing_changed <<END
OK    utime   $shares/alice now
OK    utime   $shares/alice 86400
OK    utime   $shares now
OK    utime   $shares 86400
OK    utime   $image 86400
OK    utime   . now
EPERM utime   $image/status 86400
EPERM utime   README 86400
END
    assert_equal "$(stat -c %y $shares/alice)" "$share_time"
    assert_equal "$(stat -c %y $shares)" "$shares_time"
    assert_equal "$(stat -c %y $image/status)" "$status_time"
}

@test "there are no extended attributes: EOPNOTSUPP" {
    nothing_changed <<END
EOPNOTSUPP setxattr   $shares/alice
EOPNOTSUPP setxattr   $image
EOPNOTSUPP setxattr   $image/status
END
}

# --- events ---

# refusal ERRNO CALL PATH [ARG]... -- FIELD...: the call is refused, with an event that has the fields.
refusal()
{
    local expected=$1 i

    shift
    for ((i = 1; i <= $#; i++)); do
        [ "${!i}" != -- ] || break
    done
    assert_equal "$(errno_of "${@:1:i-1}")" "$expected"
    assert_event outcome=refused "errno=$expected" "uid=$(id -u)" "exe=$(realpath "$PYTHON")" "${@:i+1}"
}

@test "every refused call is an event that says what was tried, where, by whom" {
    refusal EPERM creat     $image/new                   -- action=create image=$IMG_MYSQL name=new code=tree-create
    refusal EPERM creat     new                          -- action=create name=new code=tree-create
    refusal EPERM mknod     $shares/carol fifo           -- action=mknod image=$IMG_MYSQL name=carol code=tree-create
    refusal EPERM mkdir     private/img-new              -- action=mkdir name=img-new code=tree-create
    refusal EPERM symlink   $shares/carol                -- action=symlink image=$IMG_MYSQL name=carol code=tree-create
    refusal EPERM link      $shares/alice $shares/carol  -- action=link image=$IMG_MYSQL name=carol code=tree-create
    refusal EPERM rename    $shares/alice $shares/carol  -- action=rename image=$IMG_MYSQL name=alice code=tree-rename
    refusal EPERM rmdir     $shares                      -- action=rmdir image=$IMG_MYSQL name=shares code=tree-remove
    refusal EPERM unlink    $image/status                -- action=unlink image=$IMG_MYSQL name=status code=tree-remove
    refusal EPERM unlink    by-name/private/golden       -- action=unlink name=golden code=tree-remove
    refusal EFBIG write     $shares/alice                -- action=write image=$IMG_MYSQL name=alice code=tree-content
    refusal EFBIG truncate  $shares/alice 1              -- action=truncate image=$IMG_MYSQL name=alice code=tree-content
    refusal EPERM chmod     $shares 700                  -- action=setattr image=$IMG_MYSQL name=shares code=tree-mode
}

@test "an attempt to write an attribute is an event too, where it reaches the daemon" {
    [ "$(id -u)" -eq 0 ] || skip 'to others than root the kernel says so by the mode'
    refusal EACCES open_w   $image/status                -- action=open image=$IMG_MYSQL name=status code=tree-attribute
    refusal EACCES truncate $image/status 0              -- action=truncate image=$IMG_MYSQL name=status code=tree-attribute
    refusal EACCES open_w   README                       -- action=open name=README code=tree-attribute
}

@test "last_refusal tells of what is no share as well" {
    run -1 mkdir $shares/carol
    run cat $image/last_refusal
    assert_output --regexp '^[^ ]+Z mkdir carol: EPERM: only shares can be made here, .*\. What to do: touch IMAGE/shares/PIN\.$'
}

# --- the kernel's answers ---

@test "what exists, is no directory, or does not fit is told by the kernel, and is no event" {
    before=$(wc -l <events)
    nothing_changed <<END
EEXIST     mkdir             $shares/alice
EEXIST     mkdir             private
EEXIST     symlink           $shares/alice
EEXIST     mkfifo            $shares/alice
EEXIST     mknod             $shares/alice
EEXIST     link              $shares/alice $shares/bob
EEXIST     creat_excl        $image/status
EEXIST     rename_noreplace  $shares/alice $shares/bob
EISDIR     creat             private
EISDIR     open_w            $shares
EISDIR     truncate          $shares 0
EISDIR     unlink            $shares
EISDIR     rename            $shares/alice private/$IMG_GOLDEN
ENOTDIR    rmdir             $shares/alice
ENOTDIR    rmdir             $image/status
ENOTDIR    stat              $shares/alice/x
ENOTDIR    creat             $image/status/x
ENOTDIR    rename            private/$IMG_GOLDEN $shares/alice
ENOTDIR    opendir           $shares/alice
ENOTEMPTY  rename            $shares/alice private
EINVAL     rename            private $image/private
EINVAL     rename_flags      $shares/alice $shares/carol
EINVAL     readlink          $shares/alice
ENOENT     unlink            $shares/carol
ENOENT     rmdir             $image/none
ENOENT     rename            $shares/carol $shares/dora
ENOENT     link              $shares/carol $shares/dora
ENOENT     stat              private/img-none
ENOENT     creat             private/img-none/shares/alice
ENOENT     rename_exchange   $shares/alice $shares/carol
EXDEV      rename            $shares/alice $BATS_TEST_TMPDIR/alice
EXDEV      link              $shares/alice $BATS_TEST_TMPDIR/alice
OK         rename            $shares/alice $shares/alice
END
    assert_equal "$(wc -l <events)" "$before"
}

@test "another user may do what the modes say: look, and nothing else (EACCES)" {
    [ "$(id -u)" -eq 0 ] || skip 'needs another user'
    cd /
    unmount "$MNT"
    chmod 755 "$BATS_RUN_TMPDIR" "$BATS_RUN_TMPDIR/test" "$BATS_TEST_TMPDIR"
    mount_registry -o allow_other
    cd "$MNT"
    as_nobody=(setpriv --reuid 65534 --regid 65534 --clear-groups)
    before=$(all_shares)
    run -0 "${as_nobody[@]}" ls $shares
    assert_output $'alice\nbob'
    run -0 "${as_nobody[@]}" cat $image/status
    assert_output available
    run -1 "${as_nobody[@]}" touch $shares/carol
    assert_output "touch: cannot touch '$shares/carol': Permission denied"
    run -1 "${as_nobody[@]}" rm -f $shares/alice
    assert_output "rm: cannot remove '$shares/alice': Permission denied"
    run -1 "${as_nobody[@]}" truncate -s 0 $shares/alice
    run -1 "${as_nobody[@]}" mkdir private/new
    run -1 "${as_nobody[@]}" cat events # who did what is not for everybody
    assert_output "cat: events: Permission denied"
    assert_equal "$(all_shares)" "$before"
}
