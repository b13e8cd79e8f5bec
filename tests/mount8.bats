#!/usr/bin/env bats
# mount(8): its helper, fstab, users' mounts, automounters.

load helpers
load home_helpers
load cloud_helpers

setup()
{
    need_root
    new_registry
    mkdir "$BATS_TEST_TMPDIR/home"
    cp "$REGISTRY" "$BATS_TEST_TMPDIR/home/r"
    REGISTRY=$BATS_TEST_TMPDIR/home/r
    MAN=$PROJECT/docs/man/imgsharefs.8.scd
}

# examples PATTERN: the lines of the manual's examples that match.
examples()
{
    awk '/^```/ { on = !on; next } on' "$MAN" | grep -E "$1"
}

# --- the helper ---

@test "mount -t imgsharefs and mount -t fuse.imgsharefs mount, umount unmounts" {
    run at_home "
        mkdir m
        for type in imgsharefs fuse.imgsharefs; do
            mount -t \$type -o account=jcloud-demo,rw,nosuid,nodev,noatime r m || exit
            touch m/private/$IMG_GOLDEN/shares/alice || exit
            grep -o ' fuse.imgsharefs rw,nosuid,nodev,noatime,' /proc/mounts
            umount m || exit
            while pgrep -x imgsharefs >/dev/null; do sleep 0.02; done
        done
        mount | grep ' fuse.imgsharefs ' || echo none"
    assert_success
    assert_output ' fuse.imgsharefs rw,nosuid,nodev,noatime,
 fuse.imgsharefs rw,nosuid,nodev,noatime,
none'
    assert_equal "$(shares_of "$IMG_GOLDEN")" alice
}

@test "the exit statuses are those of mount(8), and each says why" {
    run at_home "
        mkdir m
        helper() { mount.imgsharefs \"\$@\"; echo \"\$?\"; }
        helper
        helper r
        helper r m surplus
        helper r m -x
        helper r m -o
        helper r m -t ext4
        helper r m -o account=jcloud-demo,bogus
        helper r m -N nowhere
        helper nothing m -o account=jcloud-demo
        helper r nowhere -o account=jcloud-demo
        mount -t imgsharefs -o account=jcloud-demo,bogus r m; echo \$?
        mount -t imgsharefs -o account=nobody r m; echo \$?
        umount -l /usr/local/bin
        [ -e /usr/bin/imgsharefs ] || helper r m -o account=jcloud-demo
        grep -c fuse.imgsharefs /proc/mounts; pgrep imgsharefs"
    assert_equal "$(grep -xE '[0-9]+' <<<"$output" | tr '\n' ' ')" '1 1 1 1 1 1 1 1 32 32 1 32 2 0 '
    for words in 'usage: mount.imgsharefs SOURCE DIR' 'one word too many: surplus' 'unknown option: -x' \
        '-o needs a value' '-t ext4: mounts imgsharefs only' 'unknown option: bogus' \
        '-N nowhere: no such namespace' "$BATS_TEST_TMPDIR/home/nothing: No such file" \
        "$BATS_TEST_TMPDIR/home/nowhere: no such directory" 'nobody' 'imgsharefs is not in /usr/local/sbin:'; do
        assert_output --partial "$words"
    done
}

@test "-s ignores what is not known, -n and -v and -t change nothing, -f mounts nothing" {
    run at_home "
        mkdir m
        mount -v -f -t imgsharefs -o account=jcloud-demo r m; echo \$?
        grep -c fuse.imgsharefs /proc/mounts
        mount -f -t imgsharefs -o account=jcloud-demo r nowhere; echo \$?
        mount -f -t imgsharefs -o account=jcloud-demo nothing m; echo \$?
        mount -f -t imgsharefs -o account=jcloud-demo,bogus r m; echo \$?
        [ ! -e r-wal ] || echo 'it was opened'
        mount -s -n -v -t imgsharefs -o bogus,account=jcloud-demo,bogus2=3 r m; echo \$?
        umount m
        mount.imgsharefs -n -t fuse.imgsharefs -o account=jcloud-demo -o ro r m; echo \$?
        grep -c ' fuse.imgsharefs ro,' /proc/mounts"
    assert_equal "$(grep -xE '[0-9]+' <<<"$output" | tr '\n' ' ')" '0 0 32 32 1 0 0 1 '
    assert_line "mount.imgsharefs: $REGISTRY could be mounted on $BATS_TEST_TMPDIR/home/m"
    assert_line "mount.imgsharefs: $REGISTRY mounted on $BATS_TEST_TMPDIR/home/m"
    refute_line 'it was opened'
}

@test "-N mounts in another namespace, and only there" {
    run at_home "
        mkdir m
        unshare -m sleep 60 &
        until [ \"\$(readlink /proc/\$!/ns/mnt)\" != \"\$(readlink /proc/self/ns/mnt)\" ] &&
            [ \"\$(cat /proc/\$!/comm)\" = sleep ]; do sleep 0.02; done
        mount -N \$! -t imgsharefs -o account=jcloud-demo \$PWD/r \$PWD/m; echo \$?
        grep -c ' fuse.imgsharefs ' /proc/mounts
        grep -c ' fuse.imgsharefs ' /proc/\$!/mounts
        nsenter -m -t \$! cat \$PWD/m/account/pin"
    assert_output $'0\n0\n1\njcloud-demo'
}

# --- fstab ---

@test "the line of fstab that the manual shows mounts at mount -a, once however often it is called" {
    line=$(examples '^/[^ ]+ /images imgsharefs ')
    assert_equal "$(wc -l <<<"$line")" 1
    run -0 grep -F "    $line" "$PROJECT/README.md"
    for word in _netdev nofail; do
        [[ $line == *[,\ ]"$word"[,\ ]* ]]
    done
    line=${line/\/images /$BATS_TEST_TMPDIR/home/images }
    line=${line/#\/srv\/images.registry/$REGISTRY}
    line=${line/account=alice/account=jcloud-demo}
    run at_home "
        mkdir images && echo '$line' >/etc/fstab
        for _ in 1 2; do
            mount -a || exit
            grep -c fuse.imgsharefs /proc/mounts
        done
        cat images/account/pin
        # Where file managers find what is for them.
        grep -o 'x-gvfs-hide,x-gvfs-notrash' /run/mount/utab
        umount images && mount images && umount '$REGISTRY' && mount '$REGISTRY' && ls images/status"
    assert_success
    assert_output $'1\n1\njcloud-demo\nx-gvfs-hide,x-gvfs-notrash\nimages/status'
}

@test "the line of fstab for a cloud does, and comes up without a network" {
    line=$(examples '^jdcloud:[^ ]+ /images imgsharefs ')
    assert_equal "$(wc -l <<<"$line")" 1
    line=${line/ \/images / $BATS_TEST_TMPDIR/home/images }
    start_cloud
    mkdir "$BATS_TEST_TMPDIR/state"
    line=${line/profile=work/endpoint=$CLOUD_URL,state=$BATS_TEST_TMPDIR/state}
    echo "$line"
    script="
        export JDCLOUD_ACCESS_KEY=$OWNER_KEY JDCLOUD_SECRET_KEY=$OWNER_SECRET
        mkdir -p images && echo '$line' >/etc/fstab
        for _ in 1 2; do mount -a; echo \$?; grep -c fuse.imgsharefs /proc/mounts; done
        until ls images/private/$CLOUD_WEB/shares; do sleep 0.1; done 2>/dev/null
        until grep -o \"^online: \$online\" images/status; do sleep 0.1; done
        umount images"
    run at_home "online=yes; $script"
    assert_output $'0\n1\n0\n1\nalice\nbob\nonline: yes'
    end_cloud
    run at_home "online=no; $script"
    assert_output $'0\n1\n0\n1\nalice\nbob\nonline: no'
}

@test "paths with blanks, in fstab too" {
    run at_home "
        mkdir 'a b' && mv r 'a b/the registry' && mkdir 'a b/m'
        echo '$BATS_TEST_TMPDIR/home/a\\040b/the\\040registry $BATS_TEST_TMPDIR/home/a\\040b/m imgsharefs account=jcloud-demo 0 0' >/etc/fstab
        mount -a && mount -a && cat 'a b/m/account/pin' && umount 'a b/m'"
    assert_success
    assert_output jcloud-demo
}

@test "with user in fstab a user mounts what is his own, and unmounts it" {
    run at_home "
        chmod 0755 .. && mkdir own && cp r own/r && mkdir own/m && chown -R 65534:65534 own
        echo \"\$PWD/own/r \$PWD/own/m imgsharefs account=jcloud-demo,noauto,user,x-gvfs-hide 0 0\" >/etc/fstab
        as_user() { setpriv --reuid 65534 --regid 65534 --clear-groups \"\$@\"; }
        path=\$PWD; while [ \"\$path\" != / ]; do chmod o+x \"\$path\"; path=\${path%/*}; path=\${path:-/}; done
        as_user mount \"\$PWD/own/m\"; echo \$?
        as_user cat own/m/account/pin
        grep -o 'fuse.imgsharefs rw,nosuid,nodev' /proc/mounts
        as_user umount \"\$PWD/own/m\"; echo \$?
        grep -c fuse.imgsharefs /proc/mounts"
    assert_output $'0\njcloud-demo\nfuse.imgsharefs rw,nosuid,nodev\n0\n0'
}

@test "a remount is refused in words" {
    run at_home "
        mkdir m && mount -t imgsharefs -o account=jcloud-demo r m
        mount -o remount,ro m && exit
        touch m/private/$IMG_GOLDEN/shares/alice"
    assert_success
    assert_output --partial 'options cannot be changed'
}

# --- automounters ---

@test "the mount passes the trigger of an automounter, whose group it stays in until it is mounted" {
    grep -qw autofs /proc/filesystems || skip 'this kernel has no autofs'
    for type in imgsharefs fuse.imgsharefs; do
        run at_home "
            mkdir m
            python3 -IS '$TESTS/home_autofs.py' \"\$PWD/m\" mount -t $type -o account=jcloud-demo r m"
        assert_success
        assert_line by-name
        assert_line status
    done
}

@test "a dead mount is explained, cleared with umount -l, and mounted again" {
    run at_home "
        mkdir m && mount -t imgsharefs -o account=jcloud-demo r m
        pkill -KILL -x imgsharefs; while pgrep -x imgsharefs >/dev/null; do sleep 0.02; done
        mount -t imgsharefs -o account=jcloud-demo r m; echo \$?
        umount -l m && mount -t imgsharefs -o account=jcloud-demo r m && cat m/account/pin"
    assert_success
    assert_line --partial 'a dead mount: its daemon has ended'
    assert_line 32
    assert_line jcloud-demo
}
