# shellcheck shell=bash disable=SC2034
# A desktop for suites about file managers: `load ../desktop` after `load ../helpers` in tests/heavy.
#
# desktop_start makes a display, a session bus and a window manager, with no user's settings; desktop_stop ends them.
# A directory is PLACE for this shell and SEEN for what runs on the desktop, as paths are in pictures.

# desktop_start: for setup_file. Sets PLACE and SEEN.
desktop_start()
{
    export PLACE SEEN DISPLAY LC_ALL=C.UTF-8 LANGUAGE=en
    PLACE=$(cd "$BATS_FILE_TMPDIR" && pwd -P)/desktop
    mkdir -p "$PLACE/images" "$PLACE/home/.config"
    mkdir -m 0700 "$PLACE/run"
    printf '[Default Applications]\ntext/plain=l3afpad.desktop\n' >"$PLACE/home/.config/mimeapps.list"
    SEEN=$PLACE
    if [ "$(id -u)" -eq 0 ]; then
        SEEN=/mnt
    fi

    desktop_run Xvfb -displayfd 4 -screen 0 642x508x24 -nolisten tcp -noreset 4>"$PLACE/display"
    wait_for 20 grep -q . "$PLACE/display" || return
    DISPLAY=:$(cat "$PLACE/display")
    desktop_run dbus-daemon --session --nofork --nopidfile --address="unix:path=$PLACE/run/bus"
    wait_for 20 test -S "$PLACE/run/bus" || return
    desktop_run /usr/libexec/at-spi-bus-launcher --launch-immediately
    desktop_run openbox --sm-disable
    wait_for 20 desktop_ready || {
        cat "$PLACE/log" >&2
        return 1
    }
}

# desktop_in CMD...: runs CMD on the desktop. File managers warn of being root: so it is another user there, with the
# rights that this process has over its files.
desktop_in()
{
    local -a command=(
        env -u XDG_DATA_DIRS -u XDG_CONFIG_DIRS -u XDG_CURRENT_DESKTOP -u WAYLAND_DISPLAY -u XAUTHORITY
        -u SESSION_MANAGER
        "HOME=$SEEN/home" "XDG_CONFIG_HOME=$SEEN/home/.config" "XDG_CACHE_HOME=$SEEN/home/.cache"
        "XDG_DATA_HOME=$SEEN/home/.local/share" "XDG_RUNTIME_DIR=$PLACE/run"
        "DBUS_SESSION_BUS_ADDRESS=unix:path=$PLACE/run/bus"
        GTK_MODULES=gail:atk-bridge NO_AT_BRIDGE=0 # GTK 2 tells assistive technology nothing otherwise
        "$@"
    )

    if [ "$SEEN" != "$PLACE" ]; then
        # shellcheck disable=SC2016
        command=(unshare -m sh -c 'mount --rbind "$0" "$1" && shift && exec unshare -U --map-user=1000 \
            --map-group=1000 "$@"' "$PLACE" "$SEEN" "${command[@]}")
    fi
    exec "${command[@]}"
}

# desktop_run CMD...: in the background, until desktop_stop.
desktop_run()
{
    (desktop_in "$@") </dev/null >>"$PLACE/log" 2>&1 3>&- &
    echo $! >>"$PLACE/pids"
}

desktop_ready()
{
    xprop -root _NET_SUPPORTING_WM_CHECK | grep -q '#' && xprop -root AT_SPI_BUS | grep -q =
}

# desktop_stop: for teardown_file. The display goes last, and whoever is on it.
desktop_stop()
{
    local pid

    while read -r pid; do
        kill "$pid" 2>/dev/null
    done < <(tac "$PLACE/pids")
}

# drive STEP [ARG]...: has MANAGER do that: see tests/desktop/drive.
drive()
{
    (desktop_in "$TESTS/desktop/drive" "$MANAGER" "$@" 3>&-)
}

# manager_ends: the file manager is gone. One that asks something does not end when it is told to.
manager_ends()
{
    local pid

    [ -e "$PLACE/run/manager" ] || return 0
    pid=$(cat "$PLACE/run/manager")
    kill -KILL "$pid" 2>/dev/null
    wait_for 10 mounts_daemon_gone "$pid"
    rm -f "$PLACE/run/manager"
}

# picture FILE: what is on the display, as FILE in IMGSHARE_PICTURES, if that is set.
picture()
{
    [ -z "${IMGSHARE_PICTURES-}" ] || scrot -o "$IMGSHARE_PICTURES/$1"
}
