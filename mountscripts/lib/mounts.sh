# shellcheck shell=bash
# Where imgsharefs is mounted, and which processes serve it. Sourced, not run.

# mounts_list: the mount points, one a line. The kernel's table is read and no mount point is
# touched: one whose server is gone or hangs is listed like any other.
mounts_list()
{
    local target line
    local -a lines

    # At once: read(1) goes back in the file after each line, and where a mount before that place has
    # gone meanwhile, lines are passed over.
    mapfile -t lines </proc/self/mountinfo
    for line in "${lines[@]}"; do
        [[ $line == *' - fuse.imgsharefs '* ]] || continue
        read -r _ _ _ _ target _ <<<"$line"
        printf '%b\n' "$target"
    done
    return 0
}

# mounts_daemons DIR: the processes that serve DIR or something below it, one a line.
mounts_daemons()
{
    local proc word
    local -a words

    for proc in /proc/[0-9]*; do
        words=()
        { mapfile -d '' -t words <"$proc/cmdline"; } 2>/dev/null || continue
        [[ ${words[0]-} =~ (^|/)imgsharefs$ ]] || continue
        for word in "${words[@]:1}"; do
            if [[ $word == "$1" || $word == "$1"/* ]]; then
                echo "${proc#/proc/}"
                break
            fi
        done
    done
}

# mounts_daemon_gone PID: whether that process has ended, be it that its parent has yet to notice.
mounts_daemon_gone()
{
    ! grep -qs . "/proc/$1/cmdline"
}

# mounts_possible: whether this user can mount here; if not, says what to do. fusermount3 is setuid
# root, and yet opens the device with the rights of its caller.
mounts_possible()
{
    if [ ! -e /dev/fuse ]; then
        echo 'There is no /dev/fuse, so nothing can be mounted.' >&2
        echo '    On a machine of your own, as root: modprobe fuse' >&2
        echo '    In a container, start it with: --device /dev/fuse --cap-add SYS_ADMIN' >&2
        return 1
    fi
    if [ ! -r /dev/fuse ] || [ ! -w /dev/fuse ]; then
        echo "$(id -un) may not use /dev/fuse, so nothing can be mounted." >&2
        echo '    As root, for all users: chmod 0666 /dev/fuse (what udev would set)' >&2
        return 1
    fi
    # fusermount3 looks there whether a mount is this user's before it takes it away.
    if [ "$(id -u)" -ne 0 ] && [ ! -e /etc/mtab ]; then
        echo "There is no /etc/mtab, so $(id -un) could mount, but not unmount." >&2
        echo '    As root: ln -s ../proc/self/mounts /etc/mtab' >&2
        return 1
    fi
}
