#!/usr/bin/env bats
# shellcheck disable=SC2086  # ids of images need no quotes
# What can be shared and cancelled, and what cannot. Every refusal is told three times: by the errno of
# open(2) or unlink(2), and so by the message and the exit status of touch(1) and rm(1); by a line in the
# file events; and by the image's last_refusal, with what to do. And it changes nothing.

load helpers

# What touch and rm say for an errno.
declare -gA SAYS=(
    [EACCES]='Permission denied'
    [EBUSY]='Device or resource busy'
    [EDQUOT]='Disk quota exceeded'
    [EINVAL]='Invalid argument'
    [ENOENT]='No such file or directory'
    [ENXIO]='No such device or address'
    [EOPNOTSUPP]='Operation not supported'
    [EPERM]='Operation not permitted'
    [EROFS]='Read-only file system'
)

# Who waits for another program's lock is told after 15 s: they pass while the other tests run.
setup_file()
{
    export LOCKED=$BATS_FILE_TMPDIR/locked LC_ALL=C
    mkdir "$LOCKED"
    make_sample "$LOCKED/registry" >/dev/null
    for tool in touch rm; do
        mkdir "$LOCKED/$tool.mnt"
        "$IMGSHAREFS" -o account=jcloud-demo "$LOCKED/registry" "$LOCKED/$tool.mnt" </dev/null 3>&-
    done
    flock -F "$LOCKED/registry-lock" sleep 120 </dev/null 3>&- &
    echo $! >"$LOCKED/holder"
    wait_for 5 refute flock -n "$LOCKED/registry-lock" true
    behind_lock touch "private/$IMG_GOLDEN/shares/alice"
    behind_lock rm -f "private/$IMG_MYSQL/shares/alice"
}

# behind_lock TOOL ARG...: runs it in its mount, in the background; LOCKED/TOOL.out gets what it says, and
# LOCKED/TOOL.status its exit status and its seconds.
behind_lock()
{
    (
        cd "$LOCKED/$1.mnt" && SECONDS=0
        status=0
        "$@" >"$LOCKED/$1.out" 2>&1 || status=$?
        echo $status $SECONDS >"$LOCKED/$1.status"
    ) </dev/null 3>&- &
}

teardown_file()
{
    kill "$(<"$LOCKED/holder")" 2>/dev/null || true
    for tool in touch rm; do
        wait_for 20 fusermount3 -u "$LOCKED/$tool.mnt"
    done
}

setup()
{
    export LC_ALL=C
    new_registry
}

# run_as_process COMMAND...: like run, and sets PROCESS to the process that COMMAND was.
run_as_process()
{
    # shellcheck disable=SC2016
    run bash -c 'echo $$ >"$0" && exec "$@"' "$BATS_TEST_TMPDIR/process" "$@"
    PROCESS=$(<"$BATS_TEST_TMPDIR/process")
}

# told ACTION IMAGE PIN ERRNO CODE SENTENCE TOOL: the log and last_refusal tell what happened to TOOL,
# which ran as PROCESS.
told()
{
    local action=$1 image=$2 pin=$3 errno=$4 code=$5 sentence=$6 tool=$7

    assert_event "action=$action" "image=${image##*/}" "pin=$pin" outcome=refused \
        "errno=$errno" "code=$code" "message=$sentence" \
        "uid=$(id -u)" "pid=$PROCESS" "exe=$(realpath "$(type -P "$tool")")"
    run cat "$MNT/$image/last_refusal"
    assert_output --regexp "^[0-9T:-]+Z $action $pin: $errno: .*\. What to do: .+\.$"
    assert_output --partial ": $errno: $sentence. What to do: "
}

# refuses_share IMAGE PIN ERRNO CODE SENTENCE: IMAGE, as in private/ID, cannot be shared with PIN.
refuses_share()
{
    local path=$MNT/$1/shares/$2 before

    before=$(all_shares)
    run_as_process touch "$path"
    assert_failure 1
    assert_output "touch: cannot touch '$path': ${SAYS[$3]}"
    told share "$@" touch
    assert_equal "$(errno_of creat "$path")" "$3"
    assert_not_exists "$path"
    assert_equal "$(all_shares)" "$before"
}

# refuses_cancel IMAGE PIN ERRNO CODE SENTENCE: the share of IMAGE with PIN cannot be cancelled, not even
# with rm -f, which takes some errors for success.
refuses_cancel()
{
    local path=$MNT/$1/shares/$2 before

    before=$(all_shares)
    run_as_process rm "$path"
    assert_failure 1
    assert_output "rm: cannot remove '$path': ${SAYS[$3]}"
    told cancel "$@" rm
    run rm -f "$path"
    assert_failure 1
    assert_output "rm: cannot remove '$path': ${SAYS[$3]}"
    assert_equal "$(errno_of unlink "$path")" "$3"
    assert_exists "$path"
    assert_equal "$(all_shares)" "$before"
}

# says IMAGE ATTRIBUTE VALUE
says()
{
    assert_equal "$(cat "$MNT/$1/$2")" "$3"
}

# --- what goes ---

@test "an available image is shared by touch, and the share is cancelled by rm" {
    mount_registry
    image=private/$IMG_GOLDEN
    says $image shareable yes
    says $image exposure owner
    says $image quota 0/20

    run_as_process touch "$MNT/$image/shares/alice"
    assert_success
    assert_shares $IMG_GOLDEN alice
    assert_event action=share "image=$IMG_GOLDEN" pin=alice outcome=done \
        "uid=$(id -u)" "pid=$PROCESS" "exe=$(realpath "$(type -P touch)")"
    says $image exposure '1 account'
    says $image quota 1/20

    touch "$MNT/$image/shares/bob"
    says $image exposure '2 accounts'

    run_as_process rm "$MNT/$image/shares/alice"
    assert_success
    assert_shares $IMG_GOLDEN bob
    assert_event action=cancel "image=$IMG_GOLDEN" pin=alice outcome=done \
        "uid=$(id -u)" "pid=$PROCESS" "exe=$(realpath "$(type -P rm)")"
    says $image exposure '1 account'
    says $image last_refusal ''
}

@test "sharing again with the same account is a success, and no event" {
    mount_registry
    before=$(cat "$MNT/events")
    touch "$MNT/private/$IMG_MYSQL/shares/alice"
    assert_shares $IMG_MYSQL alice bob
    assert_equal "$(cat "$MNT/events")" "$before"
}

@test "what is shared already is EEXIST to who insists on making it: O_EXCL and mknod(2)" {
    mount_registry
    path=$MNT/private/$IMG_MYSQL/shares/alice
    assert_equal "$(errno_of creat_excl "$path")" EEXIST
    assert_equal "$(errno_of mknod "$path")" EEXIST
    assert_equal "$(errno_of creat_excl "$MNT/private/$IMG_MYSQL/shares/carol")" OK
    assert_equal "$(errno_of mknod "$MNT/private/$IMG_MYSQL/shares/partner-lab")" OK
    assert_shares $IMG_MYSQL alice bob carol partner-lab
}

@test "there is no share to cancel: ENOENT, from the kernel, and rm -f is content" {
    mount_registry
    path=$MNT/private/$IMG_MYSQL/shares/carol
    run -1 rm "$path"
    assert_output "rm: cannot remove '$path': ${SAYS[ENOENT]}"
    assert_equal "$(errno_of unlink "$path")" ENOENT
    run -0 rm -f "$path"
    assert_shares $IMG_MYSQL alice bob
}

# --- what the image forbids ---

@test "a pending image cannot be shared: EBUSY" {
    mount_registry
    sentence='the image is pending; only an available image can be shared'
    says private/$IMG_PENDING shareable "no: EBUSY: $sentence"
    refuses_share private/$IMG_PENDING alice EBUSY image-pending "$sentence"
}

@test "an image that is being deleted cannot be shared: EOPNOTSUPP, as waiting will not help" {
    mount_registry
    sentence='the image is being deleted; it will not become available'
    says private/$IMG_DELETING shareable "no: EOPNOTSUPP: $sentence"
    refuses_share private/$IMG_DELETING alice EOPNOTSUPP image-deleting "$sentence"
}

@test "an image in error cannot be shared, but its shares can be cancelled" {
    mount_registry
    sentence='the image is in error; it will not become available'
    says private/$IMG_ERROR shareable "no: EOPNOTSUPP: $sentence"
    refuses_share private/$IMG_ERROR alice EOPNOTSUPP image-error "$sentence"
    assert_shares $IMG_ERROR bob
    rm "$MNT/private/$IMG_ERROR/shares/bob"
    assert_shares $IMG_ERROR
    refuses_share private/$IMG_ERROR bob EOPNOTSUPP image-error "$sentence"
}

@test "an image with any snapshot cannot be shared, wherever its record names it" {
    mount_registry
    sentence='the image references a snapshot and cannot be shared'
    for id in $IMG_SNAPSHOT $IMG_SNAPSHOT_TOP $IMG_SNAPSHOT_DATA $IMG_ENCRYPTED; do
        says private/$id shareable "no: EOPNOTSUPP: $sentence"
        refuses_share private/$id alice EOPNOTSUPP image-snapshot "$sentence"
    done
    touch "$MNT/private/$IMG_IMPORTED/shares/alice" # a data disk, but no snapshot
    assert_shares $IMG_IMPORTED alice
}

@test "init --snapshots encrypted: only encrypted snapshots forbid sharing" {
    new_registry --snapshots encrypted
    mount_registry
    for id in $IMG_SNAPSHOT $IMG_SNAPSHOT_TOP $IMG_SNAPSHOT_DATA; do
        says private/$id shareable yes
        touch "$MNT/private/$id/shares/alice"
        assert_shares $id alice
    done
    sentence='the image references an encrypted snapshot and cannot be shared'
    says private/$IMG_ENCRYPTED shareable "no: EOPNOTSUPP: $sentence"
    refuses_share private/$IMG_ENCRYPTED alice EOPNOTSUPP image-encrypted "$sentence"
}

@test "init --snapshots none: no snapshot forbids sharing" {
    new_registry --snapshots none
    mount_registry
    for id in $IMG_SNAPSHOT $IMG_SNAPSHOT_TOP $IMG_SNAPSHOT_DATA $IMG_ENCRYPTED; do
        says private/$id shareable yes
        touch "$MNT/private/$id/shares/alice"
        assert_shares $id alice
    done
}

@test "an image that is released to everyone cannot be shared with single accounts" {
    mount_registry
    sentence='the image is released to everyone and cannot be shared with single accounts'
    says private/$IMG_EVERYONE exposure everyone
    says private/$IMG_EVERYONE shareable "no: EOPNOTSUPP: $sentence"
    refuses_share private/$IMG_EVERYONE alice EOPNOTSUPP image-released "$sentence"
}

@test "an image is shared with 20 accounts at most: EDQUOT" {
    mount_registry
    image=private/$IMG_FULL
    sentence='the image is shared with as many accounts as it may be'
    says $image quota 20/20
    says $image exposure '20 accounts'
    says $image shareable "no: EDQUOT: $sentence"
    refuses_share $image partner-lab EDQUOT image-limit "$sentence"
    touch "$MNT/$image/shares/alice" # is there already, and needs no place

    rm "$MNT/$image/shares/alice"
    says $image quota 19/20
    says $image shareable yes
    touch "$MNT/$image/shares/partner-lab"
    says $image quota 20/20
    refuses_share $image alice EDQUOT image-limit "$sentence"
}

@test "init --limit: another limit" {
    REGISTRY=$BATS_TEST_TMPDIR/small
    "$IMGSHARE" init "$REGISTRY" --limit 2 --account jcloud-demo --account alice \
        --account bob --account carol
    "$IMGSHARE" import "$REGISTRY" - <<<'{"imageId": "img-1", "name": "one", "status": "ready"}' \
        --owner jcloud-demo
    mount_registry
    touch "$MNT/private/img-1/shares/"{alice,bob}
    says private/img-1 quota 2/2
    refuses_share private/img-1 carol EDQUOT image-limit \
        'the image is shared with as many accounts as it may be'
    assert_shares img-1 alice bob
}

@test "shareable, quota and exposure say of every image what the registry has and touch will do" {
    mount_registry
    shares=$(all_shares)
    for image in "$MNT"/private/*; do
        count=$(grep -c "^${image##*/} " <<<"$shares") || true
        says "${image#"$MNT/"}" quota "$count/20"
        case $count,${image##*/} in
        0,"$IMG_EVERYONE") says "${image#"$MNT/"}" exposure everyone ;;
        0,*) says "${image#"$MNT/"}" exposure owner ;;
        1,*) says "${image#"$MNT/"}" exposure '1 account' ;;
        *) says "${image#"$MNT/"}" exposure "$count accounts" ;;
        esac
        said=$(<"$image/shareable")
        case $(errno_of creat "$image/shares/partner-lab") in
        OK) expected=yes ;;
        *) expected="no: $(sed -E 's/^[^ ]* share partner-lab: (.*)\. What to do: .*/\1/' "$image/last_refusal")" ;;
        esac
        [ "$said" = "$expected" ] || fail "${image##*/}: shareable was '$said', touch: '$expected'"
    done
    run grep -c ' partner-lab$' <<<"$(all_shares)"
    assert_output 10
}

# --- what the account forbids ---

@test "who received an image can neither share it nor cancel: EACCES" {
    mount_registry
    image=shared/$IMG_PARTNER_CHINESE
    sentence='only the owner can share or cancel; a shared image cannot be shared again'
    says $image owner partner-lab
    says $image shareable "no: EACCES: $sentence"
    says $image quota ''
    says $image exposure ''
    refuses_share $image bob EACCES not-owner "$sentence"
    refuses_cancel $image jcloud-demo EACCES not-owner "$sentence"
}

@test "who received an image does not learn who else did" {
    mount_registry
    image=shared/$IMG_PARTNER_CHINESE
    assert_shares $IMG_PARTNER_CHINESE alice jcloud-demo
    assert_equal "$(ls "$MNT/$image/shares")" jcloud-demo
    assert_equal "$(errno_of stat "$MNT/$image/shares/alice")" ENOENT
    refuses_share $image alice EACCES not-owner \
        'only the owner can share or cancel; a shared image cannot be shared again'
    assert_equal "$(errno_of unlink "$MNT/$image/shares/alice")" ENOENT
    assert_shares $IMG_PARTNER_CHINESE alice jcloud-demo
}

@test "a pin that is no account is refused: ENXIO" {
    mount_registry
    refuses_share private/$IMG_GOLDEN nobody-here ENXIO no-account 'JD Cloud account does not exist'
    # Pins are case-sensitive.
    refuses_share private/$IMG_GOLDEN Alice ENXIO no-account 'JD Cloud account does not exist'
}

@test "a new account can be shared with at once" {
    mount_registry
    refuses_share private/$IMG_GOLDEN dora ENXIO no-account 'JD Cloud account does not exist'
    "$IMGSHARE" account add "$REGISTRY" dora
    touch "$MNT/private/$IMG_GOLDEN/shares/dora"
    assert_shares $IMG_GOLDEN dora
}

@test "a mobile number is not a pin: EINVAL" {
    mount_registry
    refuses_share private/$IMG_GOLDEN 13800138000 EINVAL mobile-number \
        'the name is a mobile number of an account, not its User Pin'
    touch "$MNT/private/$IMG_GOLDEN/shares/carol" # whose number it is
    assert_shares $IMG_GOLDEN carol
}

@test "digits that are a pin are that pin" {
    mount_registry
    "$IMGSHARE" account add "$REGISTRY" 13912345678
    touch "$MNT/private/$IMG_GOLDEN/shares/13912345678"
    assert_shares $IMG_GOLDEN 13912345678
}

@test "digits that are a pin and another account's mobile number are the pin" {
    mount_registry
    "$IMGSHARE" account add "$REGISTRY" 13800138000
    touch "$MNT/private/$IMG_GOLDEN/shares/13800138000"
    assert_shares $IMG_GOLDEN 13800138000
}

@test "an image is not shared with its owner: EINVAL" {
    mount_registry
    refuses_share private/$IMG_GOLDEN jcloud-demo EINVAL own-pin \
        "the name is this account's own pin; an image is not shared with its owner"
}

# --- what the mount forbids ---

@test "-o nocancel: sharing goes, cancelling is EPERM" {
    mount_registry -o nocancel
    refuses_cancel private/$IMG_MYSQL alice EPERM cancel-off \
        'this mount does not cancel shares (nocancel)'
    touch "$MNT/private/$IMG_MYSQL/shares/carol"
    assert_shares $IMG_MYSQL alice bob carol
}

@test "-o maxcancel=2: the third share of an image that a process cancels is EPERM" {
    mount_registry -o maxcancel=2
    shares=$MNT/private/$IMG_FULL/shares
    sentence='this process has cancelled as many shares of this image as it may in a minute (maxcancel)'
    run_as_process rm "$shares/alice" "$shares/bob" "$shares/carol" "$MNT/private/$IMG_MYSQL/shares/alice"
    assert_failure 1
    assert_output "rm: cannot remove '$shares/carol': ${SAYS[EPERM]}"
    assert_shares $IMG_FULL carol dept-{01..17}
    assert_shares $IMG_MYSQL bob # another image

    run grep -c "outcome=refused errno=EPERM code=cancel-limit message=\"$sentence\"" "$MNT/events"
    assert_output 1
    run cat "$MNT/private/$IMG_FULL/last_refusal"
    assert_output --partial " cancel carol: EPERM: $sentence. What to do: "

    rm "$shares/carol" # another process
    assert_shares $IMG_FULL dept-{01..17}
}

@test "cancelling as part of a recursive delete is EPERM, for the process that tried one" {
    mount_registry
    image=private/$IMG_MYSQL
    before=$(all_shares)
    run_as_process "$PYTHON" -IS -c '
import os, sys
def errno_of(call, path):
    try:
        call(path)
    except OSError as err:
        print(path, os.strerror(err.errno))
    else:
        print(path, "done")
os.chdir(sys.argv[1])
errno_of(os.rmdir, "shares")
errno_of(os.unlink, "shares/alice")
errno_of(os.unlink, "../'$IMG_ERROR'/shares/bob")
errno_of(os.unlink, "shares/bob")
' "$MNT/$image"
    assert_success
    assert_output "shares ${SAYS[EPERM]}
shares/alice ${SAYS[EPERM]}
../$IMG_ERROR/shares/bob done
shares/bob ${SAYS[EPERM]}"
    told cancel $image bob EPERM cancel-recursive "part of a recursive delete: this process has just tried \
to remove the image's directory" "$PYTHON"
    assert_shares $IMG_MYSQL alice bob
    assert_shares $IMG_ERROR

    rm "$MNT/$image/shares/bob" # another process
    assert_shares $IMG_MYSQL alice
}

@test "-o ro: nothing can be changed, EROFS, and everything be read" {
    mount_registry -o ro
    before=$(all_shares)
    cd "$MNT/private/$IMG_MYSQL"
    assert_errnos <<END
EROFS creat         shares/carol
EROFS creat_excl    shares/carol
EROFS open_w        shares/alice
EROFS creat         shares/.x
EROFS mknod         shares/carol
EROFS mknod         shares/carol fifo
EROFS unlink        shares/alice
EROFS unlink        shares/carol
EROFS access        shares
EROFS access        shares/alice
EROFS access        status
EROFS utime         shares/alice now
EROFS utime         shares now
EROFS utime         . now
EROFS chmod         shares/alice 600
EROFS chown         shares/alice $(id -u) $(id -g)
EROFS truncate      shares/alice 0
EROFS truncate      status 0
EROFS open_w        status
EROFS mkdir         shares/carol
EROFS rmdir         shares
EROFS symlink       shares/carol
EROFS link          shares/alice shares/carol
EROFS rename        shares/alice shares/carol
OK    open_r        shares/alice
OK    open_r        status
OK    opendir       shares
END
    run -1 touch shares/carol
    assert_output "touch: cannot touch 'shares/carol': ${SAYS[EROFS]}"
    run -1 rm -f shares/alice
    assert_output "rm: cannot remove 'shares/alice': ${SAYS[EROFS]}"
    assert_equal "$(ls shares)" $'alice\nbob'
    assert_equal "$(cat status)" available
    cd /
    assert_equal "$(all_shares)" "$before"
}

# --- the rest ---

@test "an image that is gone is ENOENT, for sharing and for cancelling" {
    mount_registry
    shares=$MNT/private/$IMG_MYSQL/shares
    stat "$shares/alice" >/dev/null # known to the kernel
    sqlite3 "$REGISTRY" "
        BEGIN IMMEDIATE;
        DELETE FROM share WHERE image = (SELECT id FROM image WHERE image_id = '$IMG_MYSQL');
        DELETE FROM image WHERE image_id = '$IMG_MYSQL';
        COMMIT"
    assert_equal "$(errno_of unlink "$shares/alice")" ENOENT
    assert_equal "$(errno_of creat "$shares/alice")" ENOENT
    run -1 touch "$shares/carol"
    assert_output "touch: cannot touch '$shares/carol': ${SAYS[ENOENT]}"
}

@test "the name is looked at before the image, and the image before the account" {
    mount_registry
    refuses_share private/$IMG_PENDING jcloud-demo EINVAL own-pin \
        "the name is this account's own pin; an image is not shared with its owner"
    refuses_share private/$IMG_PENDING nobody-here EBUSY image-pending \
        'the image is pending; only an available image can be shared'
    refuses_share private/$IMG_FULL nobody-here ENXIO no-account 'JD Cloud account does not exist'
}

@test "a refusal is told to the account that it happened to, and to no other" {
    mount_registry -o account=partner-lab
    partner=$MNT
    mount_registry
    run -1 touch "$MNT/private/$IMG_PENDING/shares/alice"
    run -1 touch "$MNT/shared/$IMG_PARTNER_ML/shares/alice"
    assert_event "image=$IMG_PARTNER_ML" code=not-owner
    run cat "$partner/events" "$partner/private/$IMG_PARTNER_ML/last_refusal"
    refute_output --partial refused
    refute_output --partial EACCES
}

@test "a refusal that is repeated at once is one event" {
    mount_registry
    for _ in {1..5}; do
        run -1 touch "$MNT/private/$IMG_PENDING/shares/alice"
    done
    run grep -c code=image-pending "$MNT/events"
    assert_output 1
    run -1 touch "$MNT/private/$IMG_PENDING/shares/bob" # not the same
    run grep -c code=image-pending "$MNT/events"
    assert_output 2
    touch "$MNT/private/$IMG_GOLDEN/shares/bob" # after something was done, it is news
    run -1 touch "$MNT/private/$IMG_PENDING/shares/alice"
    run grep -c code=image-pending "$MNT/events"
    assert_output 3
}

@test "imgshare explain knows every code that the log can show" {
    mount_registry
    run -1 touch "$MNT/private/$IMG_PENDING/shares/alice" "$MNT/private/$IMG_GOLDEN/shares/"{nobody,jcloud-demo,.x} \
        "$MNT/private/$IMG_SNAPSHOT/shares/alice" "$MNT/new"
    count=0
    while IFS= read -r line; do
        code=${line#*code=}
        code=${code%% *}
        sentence=${line#*message=\"}
        sentence=${sentence%%\"*}
        explanation=$("$IMGSHARE" explain "$code" | tr -s ' \n' ' ')
        [[ $explanation == *" $code "*" $sentence "*"What to do: "* ]] ||
            fail "$code: '$sentence' is not in '$explanation'"
        ((count += 1))
    done < <(grep code= "$MNT/events")
    assert_equal $count 6
}

@test "a lock that another program does not let go of is ETIMEDOUT, and nothing is done" {
    REGISTRY=$LOCKED/registry
    before=$(all_shares)
    wait_for 30 [ -s "$LOCKED/touch.status" ]
    wait_for 30 [ -s "$LOCKED/rm.status" ]
    for tool in touch rm; do
        read -r status seconds <"$LOCKED/$tool.status"
        assert_equal "$tool $status" "$tool 1"
        ((seconds >= 14 && seconds <= 20)) || fail "$tool was told after $seconds s"
    done
    assert_equal "$(<"$LOCKED/touch.out")" \
        "touch: cannot touch 'private/$IMG_GOLDEN/shares/alice': Connection timed out"
    assert_equal "$(<"$LOCKED/rm.out")" \
        "rm: cannot remove 'private/$IMG_MYSQL/shares/alice': Connection timed out"
    assert_equal "$(all_shares)" "$before"
    kill "$(<"$LOCKED/holder")"
    touch "$LOCKED/touch.mnt/private/$IMG_GOLDEN/shares/alice"
    rm "$LOCKED/rm.mnt/private/$IMG_MYSQL/shares/alice"
    assert_shares $IMG_GOLDEN alice
    assert_shares $IMG_MYSQL bob
}
