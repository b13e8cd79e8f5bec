#!/usr/bin/env bats
# shellcheck disable=SC2016  # scripts for another shell
# Other users of the machine: who gets in, by which way, and what who gets in can do. Each test has a machine in namespaces; who is
# not root skips.

load helpers
load home_helpers

setup()
{
    need_root
    new_registry
    mkdir "$BATS_TEST_TMPDIR/home"
    cp "$REGISTRY" "$BATS_TEST_TMPDIR/home/r"
}

# What the scripts have. as UID CMD: as that user, whose group has the same number, in the groups EXTRA besides. everything AT ERRNO:
# system calls on the tree AT, for errno_of --table; all fail with ERRNO.
PRELUDE='
    path=$PWD
    while [ "$path" ]; do chmod o+x "$path"; path=${path%/*}; done
    cp "$tests/errno_of.py" /usr/local/bin && chmod 0755 /usr/local/bin/*
    errno_of() { /usr/bin/python3 -IS /usr/local/bin/errno_of.py "$@"; }
    export -f errno_of
    as() {
        local uid=$1 groups=--clear-groups
        shift
        [ -z "$EXTRA" ] || groups=--groups=$EXTRA
        setpriv --reuid "$uid" --regid "$uid" "$groups" "$@"
    }
    everything() { sed "s|^|$2 |; s|AT|$1|g" <<END
stat AT/status
stat AT/nothing
opendir AT/private
open_r AT/README
open_rw AT/private/$image/shares/alice
readlink AT/by-name/private/golden
creat AT/private/$image/shares/carol
mknod AT/private/$image/shares/carol
unlink AT/private/$image/shares/alice
mkdir AT/private/new
symlink AT/link
link AT/README AT/link
rename AT/README AT/moved
truncate AT/private/$image/shares/alice 0
chmod AT/README 777
utime AT/private now
setxattr AT/README
access AT/README
END
    }
    changes() { sed "s|^|$2 |; s|AT|$1|g" <<END
creat AT/private/$image/shares/carol
creat_excl AT/private/$image/shares/carol
mknod AT/private/$image/shares/carol
unlink AT/private/$image/shares/alice
open_w AT/private/$image/shares/alice
truncate AT/private/$image/shares/alice 0
mkdir AT/private/new
rename AT/private/$image/shares/alice AT/private/$golden/shares/alice
END
    }
    table() { errno_of --table; }
    export -f table
'

# machine SCRIPT: at_home, with the prelude; $image is an image shared with alice and bob, $golden one that is not shared.
machine()
{
    at_home "image=$IMG_MYSQL; golden=$IMG_GOLDEN; $PRELUDE $1"
}

# --- without allow_other ---

@test "without allow_other nobody but who mounts gets in, root included, by no call and on no way" {
    run machine '
        mkdir own bound && mv r own && mkdir own/m && chown -R 65534:65534 own
        as 65534 imgsharefs -o account=jcloud-demo own/r own/m || exit
        as 65534 cat own/m/account/pin
        before=$(as 65534 cat own/m/events | wc -l)
        setpriv --reuid 65534 --regid 65534 --clear-groups sh -c "cd own/m/private && exec sleep 60" &
        standing=$!
        until [ "$(readlink "/proc/$standing/cwd")" = "$PWD/own/m/private" ]; do sleep 0.02; done
        mount --bind own/m bound
        for uid in 0 1000; do
            for at in "$PWD/own/m" "$PWD/bound" "/proc/$standing/root$PWD/own/m"; do
                [ $uid = 0 ] || [[ $at != /proc* ]] || continue # proc has its own say
                everything "$at" EACCES | as $uid bash -c table
            done
            # The table of mounts is known to all; statfs tells the kind of file system, and no number.
            as $uid stat -f -c "%b %c %f" own/m
        done
        for call in stat opendir; do errno_of $call "/proc/$standing/cwd/$image"; done
        ls "/proc/$standing/cwd/" >/dev/null 2>&1 || echo "not listed"
        [ "$(as 65534 cat own/m/events | wc -l)" -eq "$before" ] && echo "no event"
        as 65534 ls own/m/private/$image/shares
        kill $standing; umount bound; as 65534 fusermount3 -u own/m'
    assert_success
    assert_output $'jcloud-demo\n0 0 0\n0 0 0\nEACCES\nEACCES\nnot listed\nno event\nalice\nbob'
}

@test "what root mounts is root's: a user, one of his namespace's root, and a program without root's identity stay out" {
    run machine '
        mkdir m && imgsharefs -o account=jcloud-demo r m || exit
        everything "$PWD/m" EACCES | as 1000 bash -c table
        everything "$PWD/m" EACCES | as 1000 unshare --user --map-root-user bash -c table
        everything "$PWD/m" EACCES | setpriv --euid 1000 /usr/bin/python3 -IS /usr/local/bin/errno_of.py --table
        ls m/private/$image/shares; umount m'
    assert_output $'alice\nbob'
}

@test "who is handed an open file can use that, and gets nowhere from an open directory" {
    run machine '
        mkdir m && imgsharefs -o account=jcloud-demo r m || exit
        exec 5<m/account/pin 6<m/private/$image/shares 7>>m/private/$image/shares/alice
        as 1000 bash -c "read -r line && echo \$line" <&5
        at="/proc/self/fd/6"
        as 1000 bash -c "errno_of stat $at/alice; errno_of unlink $at/alice; errno_of creat $at/carol; errno_of opendir $at/.
            echo x 2>&1 >&7 | grep -o \"File too large\""
        exec 5<&- 6<&- 7>&-
        ls m/private/$image/shares; umount m'
    assert_output $'jcloud-demo\nEACCES\nEACCES\nEACCES\nEACCES\nFile too large\nalice\nbob'
}

# --- with allow_other ---

@test "with allow_other another user lists and reads, and changes nothing: EACCES, and no event of it" {
    run machine '
        mkdir m && imgsharefs -o account=jcloud-demo,allow_other r m || exit
        changes "$PWD/m" EACCES | as 1000 bash -c table
        changes "$PWD/m" EACCES | as 1000 unshare --user --map-root-user bash -c table
        changes "$PWD/m" EACCES | EXTRA=0,1001 as 1000 bash -c table
        as 1000 cat m/private/$image/name
        as 1000 ls m/private/$image/shares
        as 1000 bash -c "errno_of open_r m/events"
        EXTRA=0 as 1000 bash -c "errno_of open_r m/events"
        grep -v action=import m/events; umount m'
    assert_output $'mysql-8.0\nalice\nbob\nEACCES\nOK'
}

@test "uid=, gid= and umask= say who may: the owner, a group, supplementary ones too, or all" {
    run machine '
        mkdir m
        may() { as $1 bash -c "errno_of creat m/private/$golden/shares/carol; errno_of unlink m/private/$image/shares/alice
            errno_of creat m/private/$image/shares/alice" | xargs; }
        given() { imgsharefs -o account=jcloud-demo,allow_other,$1 r m || exit; }
        given uid=1000; may 1000; may 1001; tail -n 1 m/events | grep -o "uid=[0-9]*"; umount m
        given gid=2000,umask=002; may 1000; EXTRA=2000 may 1000; EXTRA=3000,2000 may 1001; umount m
        given gid=2000,umask=022; EXTRA=2000 may 1000; umount m
        given uid=1000,umask=0277; may 1000; may 0; umount m
        given umask=0; may 1000; umount m
        given umask=077; as 1000 bash -c "errno_of opendir m; errno_of stat m/status; errno_of stat m"; umount m
        given gid=2000,umask=027; as 1000 bash -c "errno_of opendir m"; EXTRA=2000 as 1000 bash -c "errno_of open_r m/events; errno_of creat m/private/$golden/shares/x"; umount m'
    assert_output - <<'END'
OK OK OK
EACCES EACCES EACCES
uid=1000
EACCES EACCES EACCES
OK OK OK
OK OK OK
EACCES EACCES EACCES
EACCES EACCES EACCES
OK OK OK
OK OK OK
EACCES
EACCES
OK
EACCES
OK
EACCES
END
}

@test "root without the right to override modes is a user like others; with it, root may" {
    run machine '
        mkdir m && imgsharefs -o account=jcloud-demo,allow_other,uid=1000 r m || exit
        changes "$PWD/m" EACCES | setpriv --bounding-set=-dac_override,-dac_read_search --inh-caps=-all bash -c table
        changes "$PWD/m" EACCES | setpriv --bounding-set=-all --inh-caps=-all bash -c table
        errno_of creat m/private/$golden/shares/alice
        umount m'
    assert_output OK
}

@test "set-user-id files, devices, pipes and sockets cannot be, whoever mounts and whatever the options say" {
    run machine '
        mkdir m own && cp r own/r && mkdir own/m && chown -R 65534:65534 own
        imgsharefs -o account=jcloud-demo,suid,dev r m || exit
        as 65534 imgsharefs -o account=jcloud-demo,suid,dev own/r own/m || exit
        grep -o "fuse.imgsharefs rw,nosuid,nodev" /proc/mounts
        s=$PWD/m/private/$image/shares
        table <<END
EPERM mknod $s/x chr
EPERM mknod $s/x fifo
EPERM mknod $s/x sock
EPERM chmod $s/alice 4755
EPERM chmod $s/alice 2755
EPERM chmod $PWD/m/status 4755
EPERM chown $s/alice 1000 -1
EOPNOTSUPP setxattr $s/alice
END
        stat -c %A $s/alice
        umount m; as 65534 fusermount3 -u own/m'
    assert_output $'fuse.imgsharefs rw,nosuid,nodev\nfuse.imgsharefs rw,nosuid,nodev\n-rw-r--r--'
}

@test "a user's own mount is open to others only where /etc/fuse.conf lets users say so" {
    run machine '
        mkdir own && cp r own/r && mkdir own/m && chown -R 65534:65534 own
        as 65534 imgsharefs -o account=jcloud-demo,allow_other own/r own/m 2>/dev/null; echo $?
        grep -c fuse.imgsharefs /proc/mounts
        [ -e /etc/fuse.conf ] || exit
        echo user_allow_other >/etc/fuse.conf
        as 65534 imgsharefs -o account=jcloud-demo,allow_other own/r own/m || exit
        changes "$PWD/own/m" EACCES | as 1000 bash -c table
        as 1000 cat own/m/account/pin
        # Mode bits do not bind root.
        errno_of creat "$PWD/own/m/private/$golden/shares/carol"
        as 65534 tail -n 1 own/m/events | grep -o "outcome=done uid=0"
        as 1000 fusermount3 -u own/m 2>/dev/null || echo "not unmounted"
        as 65534 fusermount3 -u own/m'
    assert_output $'1\n0\njcloud-demo\nOK\noutcome=done uid=0\nnot unmounted'
}
