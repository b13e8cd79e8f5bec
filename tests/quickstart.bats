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
