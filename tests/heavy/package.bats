#!/usr/bin/env bats
# The Debian package: built, looked at by lintian, installed in a clean root, mounted, removed, purged. The
# tests are one story: each goes on from the one before.

load ../helpers

setup_file()
{
    local mirror codename depends

    [ "$(id -u)" -eq 0 ] || skip 'only root can make a root'
    export DEB CLEAN=$BATS_FILE_TMPDIR/root
    "$PROJECT/mountscripts/package" -y "$BATS_FILE_TMPDIR" >"$BATS_FILE_TMPDIR/built" || return
    DEB=$(cat "$BATS_FILE_TMPDIR/built")

    # From where, and of which release, this machine has its own packages.
    # shellcheck disable=SC2016
    read -r mirror codename < <(apt-get indextargets --format '$(REPO_URI) $(CODENAME)' 'Created-By: Packages')
    depends=$(dpkg-deb -f "$DEB" Depends | sed -E 's/ *\([^)]*\)//g; s/ *\|[^,]*//g; s/, */,/g')
    # What it depends on belongs to the root: the package itself is what comes and goes.
    debootstrap --variant=minbase --include="$depends" "$codename" "$CLEAN" "$mirror" \
        >"$BATS_FILE_TMPDIR/debootstrap" 2>&1 || {
        tail -n 20 "$BATS_FILE_TMPDIR/debootstrap"
        return 1
    }
    cp "$DEB" "$CLEAN/tmp/package.deb"
    files >"$BATS_FILE_TMPDIR/before"
}

teardown()
{
    :
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

@test "a mount outlives the package, and with the package goes all that came with it" {
    run in_root '
        mount -a && dpkg -r imgsharefs >/dev/null && cat /images/account/pin && umount /images
        command -v imgsharefs; ls /sbin/mount.imgsharefs
        mkdir -p /var/lib/imgsharefs && dpkg -P imgsharefs >/dev/null && echo purged
        dpkg -s imgsharefs; ls /var/lib/imgsharefs
        echo keep >/etc/fstab; rm -r /images /srv/images.registry*'
    assert_line alice
    assert_line purged
    assert_line --partial "cannot access '/sbin/mount.imgsharefs'"
    assert_line --partial "package 'imgsharefs' is not installed"
    assert_line --partial "cannot access '/var/lib/imgsharefs'"
    [ "${#lines[@]}" -le 7 ]
    # The rest is as it was: but for fstab, a file of the administrator.
    run diff <(grep -v '^./etc/fstab ' "$BATS_FILE_TMPDIR/before") <(files | grep -v '^./etc/fstab ')
    assert_output ''
}
