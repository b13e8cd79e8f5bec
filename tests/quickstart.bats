#!/usr/bin/env bats
# mountscripts/quickstart: from a clone to a mounted sample, with everything it prints true. It runs in a
# copy of the project whose build/ is the build that is tested.

load helpers

setup()
{
    PLACE=$(cd "$BATS_TEST_TMPDIR" && pwd -P)
    mkdir -p "$PLACE/project/docs" "$PLACE/home"
    cp -r "$PROJECT/mountscripts" "$PLACE/project"
    cp -r "$SAMPLE" "$PLACE/project/docs"
    ln -s "$(realpath "$BUILD")" "$PLACE/project/build"
    QUICKSTART=$PLACE/project/mountscripts/quickstart
    MNT=$PLACE/demo
    REGISTRY=$PLACE/data/demo.registry
    export IMGSHARE_DEMO_DIR=$MNT IMGSHARE_DEMO_REGISTRY=$REGISTRY HOME=$PLACE/home
    unset SUDO_USER XDG_DATA_HOME
    clear_later "$MNT"
    clear_later "$PLACE/home/imgshare-demo"
}

teardown()
{
    cd /
    unmount_all
}

# quickstart ARG...: with no input; its output, both of it, is that of run.
quickstart()
{
    run timeout 120 "$QUICKSTART" "$@" </dev/null 3>&-
}

@test "-y makes a registry of the sample and mounts it" {
    quickstart -y
    assert_success
    assert_output --partial "Made the registry $REGISTRY"
    assert_output --partial "Mounted it on $MNT for the account jcloud-demo."
    is_mounted "$MNT"
    assert_equal "$(cat "$MNT/account/pin")" jcloud-demo
    run "$IMGSHARE" check "$REGISTRY"
    assert_success
    assert_output --partial 'ok: 22 accounts, 24 images, 27 shares'
    # What is made on the way is gone, and nothing is written elsewhere.
    assert_equal "$(find "$PLACE/data" -name '*.new.*')" ''
    assert_equal "$(ls -A "$HOME")" ''
}

@test "each command that it prints does what is said beside it" {
    quickstart -y
    assert_success
    sed -n '/^Next, type:/,/^When done/s/^    //p' <<<"$output" >"$PLACE/tour"
    [ "$(wc -l <"$PLACE/tour")" -ge 4 ]
    while IFS= read -r line; do
        command=${line%%  *}
        said=${line##*   } said=${said#"${said%%[! ]*}"}
        if [[ $command == cd\ * ]]; then
            eval "$command"
            continue
        fi
        run eval "$command"
        case $said in
        refused:*) assert_failure ;;
        *) assert_success ;;
        esac
        case $command in
        'ls private') assert_line img-m5s0abcd29 ;;
        'cat private/'*/name) assert_output "$said" ;;
        'touch private/img-m5s0abcd29/shares/alice') assert_exists "$MNT/${command#touch }" ;;
        'ls private/img-m5s0abcd29/shares') assert_output alice ;;
        *last_refusal) assert_output --partial 'EBUSY' ;;
        'rm '*) assert_not_exists "$MNT/${command#rm }" ;;
        'tail events') assert_line --regexp 'action=cancel .*pin=alice outcome=done' ;;
        'ls shared') assert_line img-n8a4vk6e0p ;;
        esac
    done <"$PLACE/tour"
    cd /
    eval "$(sed -n 's/^When done: cd, then //p' <<<"$(quickstart -y; echo "$output")")"
    refute is_mounted "$MNT"
}

@test "running it again is harmless: what is there is kept" {
    quickstart -y
    assert_success
    touch "$MNT/private/$IMG_GOLDEN/shares/alice"
    pid=$(daemon_pid "$MNT")
    quickstart -y
    assert_success
    assert_output --partial "Kept the registry $REGISTRY"
    assert_output --partial "Already mounted on $MNT"
    assert_equal "$(daemon_pid "$MNT")" "$pid"
    assert_exists "$MNT/private/$IMG_GOLDEN/shares/alice"
}

@test "a dead mount is cleared, and mounted anew" {
    quickstart -y
    assert_success
    touch "$MNT/private/$IMG_GOLDEN/shares/alice"
    kill -KILL "$(daemon_pid "$MNT")"
    quickstart -y
    assert_success
    assert_output --partial "Cleared a dead mount on $MNT"
    assert_exists "$MNT/private/$IMG_GOLDEN/shares/alice"
    assert_equal "$(mounts_list | grep -cFx "$MNT")" 1
}

@test "--stop unmounts, and keeps the registry; once more it says that nothing is mounted" {
    quickstart -y
    assert_success
    touch "$MNT/private/$IMG_GOLDEN/shares/alice"
    quickstart --stop
    assert_success
    assert_output "Unmounted $MNT. The registry $REGISTRY is kept."
    assert_not_exists "$MNT"
    assert_equal "$(mounts_daemons "$MNT")" ''
    quickstart --stop
    assert_success
    assert_output "Nothing is mounted on $MNT."
    quickstart -y
    assert_success
    assert_exists "$MNT/private/$IMG_GOLDEN/shares/alice"
}

@test "--stop while it is in use says who may be in the way, and takes nothing away" {
    quickstart -y
    assert_success
    cd "$MNT/private"
    quickstart --stop
    assert_failure 1
    assert_output --partial "unmounting $MNT failed"
    assert_output --partial 'fuser'
    assert_exists "$MNT/private/$IMG_GOLDEN"
}

@test "--reset starts afresh" {
    quickstart -y
    assert_success
    touch "$MNT/private/$IMG_GOLDEN/shares/alice"
    quickstart -y --reset
    assert_success
    assert_output --partial "Unmounted $MNT"
    assert_output --partial "Deleted the registry $REGISTRY"
    assert_output --partial "Made the registry $REGISTRY"
    is_mounted "$MNT"
    assert_equal "$(ls "$MNT/private/$IMG_GOLDEN/shares")" ''
}

@test "without settings it mounts in the home directory, and takes blanks in paths" {
    unset IMGSHARE_DEMO_DIR IMGSHARE_DEMO_REGISTRY
    quickstart -y
    assert_success
    assert_equal "$(cat "$HOME/imgshare-demo/account/pin")" jcloud-demo
    assert_exists "$HOME/.local/share/imgsharefs/demo.registry"
    quickstart --stop
    assert_success

    export IMGSHARE_DEMO_DIR="$PLACE/my images" IMGSHARE_DEMO_REGISTRY="$PLACE/my data, 1/demo registry"
    clear_later "$IMGSHARE_DEMO_DIR"
    quickstart -y
    assert_success
    assert_equal "$(cat "$IMGSHARE_DEMO_DIR/account/pin")" jcloud-demo
    quickstart --stop
    assert_success
}

@test "a directory that holds something is not mounted over" {
    mkdir "$MNT"
    echo kept >"$MNT/file"
    quickstart -y
    assert_failure 1
    assert_output --partial "$MNT is not empty"
    assert_equal "$(cat "$MNT/file")" kept
    refute is_mounted "$MNT"
}

@test "an unknown word is named, and --help tells the others" {
    quickstart --frob
    assert_failure 2
    assert_output --partial '--frob'
    assert_not_exists "$REGISTRY"
    quickstart --help
    assert_success
    for word in -y --reset --stop IMGSHARE_DEMO_DIR IMGSHARE_DEMO_REGISTRY; do
        assert_output --partial "$word"
    done
}

@test "a registry that cannot be made is said, with the remedy" {
    : >"$PLACE/data"
    quickstart -y
    assert_failure 1
    assert_output --partial 'making the registry failed'
    assert_output --partial 'IMGSHARE_DEMO_REGISTRY'
    refute is_mounted "$MNT"
}

# --- installing ---

# fakes UID: a PATH whose commands pretend that the user is UID and that the libraries of MISSING are
# not there until apt-get installs them. What is called as root is written down in PLACE/called.
# shellcheck disable=SC2016
fakes()
{
    local uid=$1 bin=$PLACE/bin

    mkdir "$bin"
    export PLACE MISSING='jansson=libjansson-dev fuse3=libfuse3-dev'
    printf '#!/bin/sh\n[ "$*" = -u ] && echo %s || exec /usr/bin/id "$@"\n' "$uid" >"$bin/id"
    cat >"$bin/pkg-config" <<'END'
#!/bin/bash
for each in $MISSING; do
    [ "$*" != "--exists ${each%=*}" ] || grep -qs "install .*${each#*=}" "$PLACE/done" || exit 1
done
exec /usr/bin/pkg-config "$@"
END
    cat >"$bin/apt-get" <<'END'
#!/bin/bash
echo "$WAY apt-get $*" >>"$PLACE/called"
[ ! -e "$PLACE/stale" ] || [ "$1" = update ] && rm -f "$PLACE/stale" || exit 100
echo "$*" >>"$PLACE/done"
END
    printf '#!/bin/sh\n[ -e "$PLACE/unknown" ] || echo Package: "$3"\n' >"$bin/apt-cache"
    printf '#!/bin/sh\nWAY=sudo exec "$@"\n' >"$bin/sudo"
    printf '#!/bin/bash\nWAY=su\nexport WAY\nPATH=$PLACE/bin:$PATH eval "${2/PATH=* DEBIAN/DEBIAN}"\n' >"$bin/su"
    chmod +x "$bin"/*
    QUICKPATH=$bin:/usr/local/bin:/usr/bin:/bin
}

# only_path DIR: QUICKPATH is DIR with what quickstart calls, but for sudo, and su unless it is faked.
only_path()
{
    local each

    for each in bash sh env timeout script sed realpath grep stat cut cat ls rm rmdir mkdir mktemp mv \
        sleep sort uniq cc gcc meson ninja python3 fusermount3; do
        ln -s "$(command -v "$each")" "$1"
    done
    QUICKPATH=$1
}

# typed ANSWER ARG...: quickstart on a terminal, where ANSWER is typed.
typed()
{
    local answer=$1

    shift
    run env PATH="$QUICKPATH" timeout 60 script -qec "'$QUICKSTART' $*" /dev/null \
        <<<"$answer" 3>&-
}

@test "it lists what pkg-config and PATH miss, and installs only that; without a terminal it does not ask" {
    fakes 0
    run env PATH="$QUICKPATH" timeout 60 "$QUICKSTART" </dev/null 3>&-
    assert_success
    assert_line 'Missing packages: libfuse3-dev libjansson-dev'
    refute_output --partial 'Install them now?'
    assert_equal "$(cat "$PLACE/called")" \
        ' apt-get install -y --no-install-recommends --no-remove libfuse3-dev libjansson-dev'
    is_mounted "$MNT"
    # Nothing is missing any more.
    rm "$PLACE/called"
    run env PATH="$QUICKPATH" timeout 60 "$QUICKSTART" </dev/null 3>&-
    assert_success
    refute_output --partial 'Missing packages'
    assert_not_exists "$PLACE/called"
}

@test "on a terminal it asks first; -y skips the question" {
    fakes 0
    typed n
    assert_failure 1
    assert_output --partial 'Install them now? [Y/n]'
    assert_output --partial 'apt-get update && apt-get install libfuse3-dev libjansson-dev'
    assert_not_exists "$PLACE/called"
    assert_not_exists "$REGISTRY"
    typed '' -y
    assert_success
    refute_output --partial 'Install them now?'
    is_mounted "$MNT"
    "$QUICKSTART" --stop
    rm "$PLACE/done"
    typed ''
    assert_success
    is_mounted "$MNT"
}

@test "an ordinary user becomes root for installing alone, by sudo, or by su where there is a terminal" {
    fakes 1000
    run env PATH="$QUICKPATH" timeout 60 "$QUICKSTART" -y </dev/null 3>&-
    assert_success
    assert_equal "$(cut -d ' ' -f 1-3 "$PLACE/called")" 'sudo apt-get install'

    "$QUICKSTART" --stop
    rm "$PLACE/bin/sudo" "$PLACE/called" "$PLACE/done"
    only_path "$PLACE/bin"
    typed '' -y
    assert_success
    assert_equal "$(cut -d ' ' -f 1-3 "$PLACE/called")" 'su apt-get install'
    is_mounted "$MNT"
}

@test "who cannot become root is told once, and what to type" {
    fakes 1000
    rm "$PLACE/bin/sudo"
    only_path "$PLACE/bin"
    : >"$PLACE/unknown"
    run env PATH="$QUICKPATH" timeout 60 "$QUICKSTART" -y </dev/null 3>&-
    assert_failure 1
    assert_equal "$(grep -c 'Root is needed' <<<"$output")" 1
    assert_output --partial 'apt-get update && apt-get install libfuse3-dev libjansson-dev'
    rm "$PLACE/bin/su"
    typed '' -y
    assert_failure 1
    assert_equal "$(grep -c 'Root is needed' <<<"$output")" 1
    refute_output --partial 'command not found'
    assert_not_exists "$PLACE/called"
}

@test "a package list that is missing or old is fetched" {
    fakes 0
    : >"$PLACE/unknown"
    run env PATH="$QUICKPATH" timeout 60 "$QUICKSTART" </dev/null 3>&-
    assert_success
    assert_equal "$(cut -d ' ' -f 3 "$PLACE/called" | paste -sd ' ')" 'update install'
    rm "$PLACE/unknown" "$PLACE/called" "$PLACE/done"
    : >"$PLACE/stale"
    run env PATH="$QUICKPATH" timeout 60 "$QUICKSTART" </dev/null 3>&-
    assert_success
    assert_equal "$(cut -d ' ' -f 3 "$PLACE/called" | paste -sd ' ')" 'install update install'
}

@test "a user who could mount but not unmount, for want of /etc/mtab, is told so" {
    need_root
    cp -a /etc "$PLACE/etc"
    rm -f "$PLACE/etc/mtab"
    chmod 755 "$PLACE"
    # shellcheck disable=SC2016
    run unshare -m sh -c '
        umount -a -l -t fuse.imgsharefs 2>/dev/null
        mount --bind "$1/etc" /etc && mount -t tmpfs none "$1/etc" && mknod -m 0666 "$1/etc/fuse" c 10 229 &&
        mount --bind "$1/etc/fuse" /dev/fuse &&
        exec setpriv --reuid 65534 --regid 65534 --clear-groups bash -c "$2
mounts_possible"
        ' sh "$PLACE" "$(<"$PROJECT/mountscripts/lib/mounts.sh")" 3>&- # which may be where nobody else can look
    assert_failure
    assert_output --partial 'There is no /etc/mtab'
    assert_output --partial 'ln -s ../proc/self/mounts /etc/mtab'
}

@test "without /dev/fuse it says what to do, before anything is installed or built" {
    need_root
    rm "$PLACE/project/build"
    run without_fuse "$QUICKSTART" -y </dev/null 3>&-
    assert_failure 1
    assert_output --partial 'There is no /dev/fuse'
    assert_output --partial 'modprobe fuse'
    assert_not_exists "$PLACE/project/build"
    assert_not_exists "$REGISTRY"
}
