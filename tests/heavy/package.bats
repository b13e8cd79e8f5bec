#!/usr/bin/env bats
# The Debian package: built, looked at by lintian, installed in a clean root, mounted, booted with systemd,
# removed, purged. The tests are one story: each goes on from the one before.

load ../helpers
load ../cloud_helpers

setup_file()
{
    local libraries mirror codename

    [ "$(id -u)" -eq 0 ] || skip 'only root can make a root'
    export DEB CLEAN=$BATS_FILE_TMPDIR/root
    # What it depends on belongs to the root: the package itself is what comes and goes.
    libraries=$(readelf -d "$IMGSHAREFS" "$IMGSHARE" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\*\/\1/p' |
        xargs dpkg -S | cut -d : -f 1 | sed '/^libc6/d' | sort -u | paste -sd ,)
    # Of the release of this machine, and from where it has its own packages.
    codename=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
    # shellcheck disable=SC2016
    mirror=$(apt-get indextargets --format '$(CODENAME) $(REPO_URI)' 'Created-By: Packages' |
        sed -n "s/^$codename //p" | head -n 1)
    debootstrap --variant=minbase --include="systemd,fuse3,$libraries" "$codename" "$CLEAN" "$mirror" \
        >"$BATS_FILE_TMPDIR/debootstrap" 2>&1 3>&- &
    "$PROJECT/mountscripts/package" -y "$BATS_FILE_TMPDIR" >"$BATS_FILE_TMPDIR/built" || return
    DEB=$(cat "$BATS_FILE_TMPDIR/built")
    wait $! || {
        tail -n 20 "$BATS_FILE_TMPDIR/debootstrap"
        return 1
    }
    cp "$DEB" "$CLEAN/tmp/package.deb"
    files >"$BATS_FILE_TMPDIR/before"
}

teardown()
{
    end_cloud KILL
}

# files: what is in the clean root, but for the records of dpkg and caches.
files()
{
    (cd "$CLEAN" && find . \( -path ./proc -o -path ./run -o -path ./dev -o -path ./tmp -o -path ./var/lib/dpkg -o \
        -path ./var/log -o -path ./var/cache \) -prune -o -printf '%p %m %l\n' | LC_ALL=C sort)
}

# in_root SCRIPT: runs SCRIPT with sh in the clean root, where there is a /dev/fuse; what it mounts and
# starts ends with it.
in_root()
{
    # shellcheck disable=SC2016
    unshare -m -p -f --mount-proc --kill-child sh -c '
        mount -t proc none "$1/proc" && mount -t tmpfs -o mode=0755 none "$1/dev" &&
            mknod -m 0666 "$1/dev/null" c 1 3 && mknod -m 0666 "$1/dev/fuse" c 10 229 &&
            exec chroot "$1" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 \
                DEBIAN_FRONTEND=noninteractive sh -c "$2"
    ' sh "$CLEAN" "$1" 3>&-
}

@test "lintian has nothing to say" {
    run lintian --fail-on error,warning --allow-root "$DEB"
    assert_success
    refute_output --partial imgsharefs:
}

@test "it installs, with its configuration where it belongs" {
    run in_root 'dpkg -i /tmp/package.deb && imgshare --version && imgsharefs --version && dpkg -V imgsharefs'
    assert_success
    refute_output --partial warning
    assert_exists "$CLEAN/usr/lib/systemd/system/imgsharefs@.service"
    assert_exists "$CLEAN/etc/imgsharefs"
    # Nobody's mounts are touched by an upgrade.
    run ! grep -E 'systemctl|deb-systemd-invoke' "$CLEAN/var/lib/dpkg/info/imgsharefs.prerm"
}

@test "it mounts by a line of fstab, shares, and unmounts" {
    run in_root '
        imgshare init /srv/images.registry --account alice --account bob >/dev/null
        echo "{\"imageId\":\"img-1\",\"name\":\"one\",\"ownerPin\":\"alice\",\"status\":\"ready\"}" |
            imgshare import /srv/images.registry - >/dev/null
        mkdir /images
        echo "/srv/images.registry /images imgsharefs account=alice,_netdev,nofail,allow_other 0 0" >/etc/fstab
        mount -a && mount -a && touch /images/private/img-1/shares/bob && ls /images/private/img-1/shares &&
            cat /images/private/img-1/quota && umount /images && imgshare check /srv/images.registry'
    assert_success
    assert_output 'bob
1/20
/srv/images.registry: ok: 2 accounts, 1 images, 1 shares'
}

# boot ROOT: boots it until it powers off; what its /tests.sh has said is printed.
boot()
{
    timeout -s KILL 90 unshare -m -p -f -C -u -i --kill-child --mount-proc "$TESTS/heavy/boot" "$1" \
        </dev/null >"$BATS_TEST_TMPDIR/console" 2>&1 3>&- || true
    cat "$1/tests.out" || {
        cat "$BATS_TEST_TMPDIR/console"
        return 1
    }
}

@test "systemd boots with it: a service with its key, and a line of fstab as an automount" {
    local root=$BATS_FILE_TMPDIR/booted

    grep -qw autofs /proc/filesystems || skip 'this kernel has no autofs'
    unshare -m -C sh -c 'mount -t cgroup2 none /mnt' 2>/dev/null || skip 'no control groups can be had here'
    cp -a "$CLEAN" "$root"
    start_cloud
    echo '/srv/images.registry /images imgsharefs account=alice,_netdev,nofail,x-systemd.automount 0 0' \
        >"$root/etc/fstab"
    mkdir -p "$root/images" "$root/etc/credstore" "$root/etc/systemd/system/multi-user.target.wants"
    printf 'SOURCE=jdcloud:%s\nOPTIONS=timeout=1,refresh=1,endpoint=%s\n' "$REGION" "$CLOUD_URL" \
        >"$root/etc/imgsharefs/srv-cloud.conf"
    printf '[default]\naccess_key = %s\nsecret_key = %s\nregion_id = %s\n' "$OWNER_KEY" "$OWNER_SECRET" \
        "$REGION" >"$root/etc/credstore/imgsharefs.srv-cloud.key"
    chmod 0600 "$root/etc/credstore/imgsharefs.srv-cloud.key"
    # As systemctl enable does.
    ln -s /lib/systemd/system/imgsharefs@.service \
        "$root/etc/systemd/system/multi-user.target.wants/imgsharefs@srv-cloud.service"

    cat >"$root/tests.sh" <<'END'
service=imgsharefs@srv-cloud.service
echo "automount $(systemctl is-active images.automount) $(systemctl is-active images.mount)"
echo "account $(timeout 20 cat /images/account/pin)"
echo "mount $(systemctl is-active images.mount)"
echo "service $(systemctl is-active $service)"
until ls /srv/cloud/private/img-m5s0abcd30 >/dev/null 2>&1; do sleep 0.1; done
echo "shares" $(ls /srv/cloud/private/img-m5s0abcd30/shares)
touch /srv/cloud/private/img-m5s0abcd29/shares/alice && echo "event $(tail -n 1 /srv/cloud/events | grep -o exe=.*)"
systemctl reload $service
echo "reload $? $(systemctl show -p StatusText --value $service)"
systemctl kill -s KILL $service
until [ "$(systemctl is-active $service)" != active ]; do sleep 0.05; done
until [ "$(systemctl is-active $service)" = active ]; do sleep 0.1; done
echo "again $(grep ^maxcancel: /srv/cloud/status)"
systemctl stop $service
echo "stop $? $(systemctl is-failed $service) $(grep -c /srv/cloud /proc/mounts)"
journalctl --no-pager -o cat -t imgsharefs/srv/cloud | tail -n 1
journalctl --no-pager -o cat -t imgsharefs/images
echo "failed" $(systemctl --failed --plain --no-legend)
END
    run boot "$root"
    assert_output "automount active inactive
account alice
mount active
service active
shares alice bob
event exe=/usr/bin/touch
reload 0 Serving jdcloud:$REGION on /srv/cloud for owner
again maxcancel: 3
stop 0 inactive 0
unmounted /srv/cloud
serving /srv/images.registry on /images for alice
failed"

    # Again, without a network: the machine comes up, with what was known last.
    end_cloud KILL
    cat >"$root/tests.sh" <<'END'
echo "service $(systemctl is-active imgsharefs@srv-cloud.service)"
echo "shares" $(ls /srv/cloud/private/img-m5s0abcd30/shares)
until grep '^online: no: ECONNREFUSED' /srv/cloud/status >/dev/null; do sleep 0.1; done
echo "online $?"
echo "failed" $(systemctl --failed --plain --no-legend)
END
    run boot "$root"
    assert_output $'service active\nshares alice bob\nonline 0\nfailed'
}

@test "a mount outlives the package, and with the package goes all that came with it" {
    run in_root '
        mount -a && dpkg -r imgsharefs >/dev/null && cat /images/account/pin && umount /images
        command -v imgsharefs; ls /sbin/mount.imgsharefs
        mkdir -p /var/lib/imgsharefs && cd /var/lib/imgsharefs && touch mine.registry jdcloud-r-0.replica jdcloud-r-0.replica-wal
        dpkg -P imgsharefs >/dev/null && echo purged
        dpkg -s imgsharefs; ls; rm -r /var/lib/imgsharefs
        echo keep >/etc/fstab; rm -r /images /srv/images.registry*'
    assert_line alice
    assert_line purged
    assert_line --partial "cannot access '/sbin/mount.imgsharefs'"
    assert_line --partial "package 'imgsharefs' is not installed"
    # Replicas are gone; what somebody has put beside them is not.
    assert_line mine.registry
    refute_line --partial replica
    [ "${#lines[@]}" -le 7 ]
    # The rest is as it was: but for fstab, a file of the administrator.
    run diff <(grep -v '^./etc/fstab ' "$BATS_FILE_TMPDIR/before") <(files | grep -v '^./etc/fstab ')
    assert_output ''
}
