# shellcheck shell=bash
# What the suites share that are about a machine of one's own: `load home_helpers` after `load helpers`.
# Each test has a machine in namespaces, where the programs are installed; that of the tests is left
# as it is.

# at_home SCRIPT: runs SCRIPT with bash as root where imgsharefs and imgshare are in /usr/local/bin,
# the mount helper is in /sbin, all may use /dev/fuse, and /etc/fstab is empty and can be written.
# syslog_to FILE has what is sent to syslog in FILE. The working directory is an empty one in
# BATS_TEST_TMPDIR. All that SCRIPT mounts and starts ends with it. Only for root.
at_home()
{
    mkdir -p "$BATS_TEST_TMPDIR/home"
    # shellcheck disable=SC2016
    unshare -m -p -f --mount-proc --kill-child bash -c '
        set -e
        umount -a -t fuse.imgsharefs 2>/dev/null || true
        place=$3/.place
        mkdir -p "$place/sbin" "$place/dev"
        mount -t tmpfs none /run # where mount(8) keeps the options that are not for the kernel
        mount -t tmpfs none /usr/local/bin
        cp "$1/imgshare" "$1/imgsharefs" /usr/local/bin # the build may be where nobody else can look
        mount --bind /usr/sbin "$place/sbin"
        mount -t tmpfs -o mode=0755 none /usr/sbin
        ln -s "$place"/sbin/* /usr/sbin
        install "$2/mountscripts/mount.imgsharefs" /usr/sbin
        mount -t tmpfs -o mode=0755 none "$place/dev"
        for device in null zero random urandom tty; do
            mount --bind "/dev/$device" "$(touch "$place/dev/$device" && echo "$place/dev/$device")"
        done
        mknod -m 0666 "$place/dev/fuse" c 10 229
        ln -s /proc/self/fd "$place/dev/fd"
        mount --rbind "$place/dev" /dev
        : >"$place/fstab" >"$place/fuse.conf"
        touch /etc/fstab
        mount --bind "$place/fstab" /etc/fstab
        [ ! -e /etc/fuse.conf ] || mount --bind "$place/fuse.conf" /etc/fuse.conf
        cd "$3"
        syslog_to() { python3 -IS "$tests/home_syslog.py" "$1" & until [ -S /dev/log ]; do sleep 0.02; done; }
        tests=$2/tests
        set +e
        eval "$4"
    ' bash "$BUILD" "$PROJECT" "$BATS_TEST_TMPDIR/home" "$1" 3>&-
}
