#!/usr/bin/env bats
# The units: systemd takes them, and what they say works. systemd is not what runs this machine, so
# their commands are run as it would run them.

load helpers
load home_helpers
load cloud_helpers

UNITS=$PROJECT/mountscripts/systemd
SERVICE=$UNITS/imgsharefs@.service

setup()
{
    need_root
    PLACE=$(cd "$BATS_TEST_TMPDIR" && pwd -P)
    mkdir "$PLACE/home" "$PLACE/images"
    MNT=$PLACE/images
    clear_later "$MNT"
    TOLD=$PLACE/told
}

# of_unit FILE KEY: the values of KEY, one a line.
of_unit()
{
    sed -n "s/^$2=//p" "$1"
}

# start_service SOURCE OPTIONS [COMMAND...]: runs the unit's ExecStart as systemd would, below COMMAND;
# what it tells is in TOLD. NOTIFY is the socket's name. Sets DAEMON.
start_service()
{
    local -a line=()
    local word name=${NOTIFY-$PLACE/notify} words

    words=$(of_unit "$SERVICE" ExecStart)
    # Each of these is one word, whatever is in it: systemd.service(5).
    # shellcheck disable=SC2016
    for word in $words; do
        word=${word//'${OPTIONS}'/$2}
        word=${word//'${SOURCE}'/$1}
        line+=("${word//%f/$MNT}")
    done
    assert_equal "${line[0]}" imgsharefs
    line[0]=$IMGSHAREFS
    shift 2
    rm -f "$TOLD"
    [ "${name:0:1}" = @ ] || rm -f "$name"
    "$TESTS/home_notify.py" "$name" "$TOLD" 3>&- &
    EAR=$!
    wait_for 5 test -e "$TOLD"
    NOTIFY_SOCKET=$name "$@" "${line[@]}" </dev/null >"$PLACE/log" 2>&1 3>&- &
    DAEMON=$!
    wait_for 15 decided
    told_of READY=1 || { cat "$PLACE/log"; return 1; }
}

decided()
{
    told_of READY=1 || mounts_daemon_gone "$DAEMON"
}

told_of()
{
    grep -E "(^|\| )$1( \||\$)" "$TOLD"
}

told_lines()
{
    [ "$(wc -l <"$TOLD")" -ge "$1" ]
}

stop_service()
{
    kill "$DAEMON"
    wait "$DAEMON" || fail "exit status $?"
    wait_for 5 told_of STOPPING=1
    kill "$EAR"
}

@test "systemd-analyze verifies the units" {
    run at_home "
        cp '$UNITS'/* . && mv imgsharefs@.service imgsharefs@srv-my\\\\x2dimages.service
        systemd-analyze verify --man=no ./*.service ./*.mount ./*.automount"
    assert_success
    assert_output ''
    # It does find faults.
    run at_home "sed s/^Type=notify/Type=notifie/ '$SERVICE' >imgsharefs@x.service
        systemd-analyze verify --man=no ./imgsharefs@x.service"
    assert_output --partial notifie
}

@test "the service is as narrow as FUSE allows, and no narrower" {
    cp "$SERVICE" "$PLACE/imgsharefs@images.service"
    run -0 systemd-analyze security --no-pager --offline=yes --threshold=44 "$PLACE/imgsharefs@images.service"
    assert_line --regexp 'Overall exposure level for imgsharefs@images.service: [0-9.]+ OK'
    # Each of these gives it a mount namespace, and nobody else would see the mount.
    run ! grep -E '^(Protect(System|Home|KernelTunables|KernelModules|KernelLogs|ControlGroups|Proc)|ProcSubset|Private(Tmp|Devices|Mounts|IPC|Users)|(ReadWrite|ReadOnly|Inaccessible|Exec|NoExec|Bind|BindReadOnly)Paths|Root(Directory|Image)|TemporaryFileSystem|MountFlags|DynamicUser|MountImages|MountAPIVFS)=' "$SERVICE"
}

@test "READY comes when the mount can be used, RELOADING and READY at SIGHUP, STOPPING at the end" {
    new_registry
    for NOTIFY in "$PLACE/notify" "@imgsharefs-tests-$$"; do
        start_service "$REGISTRY" account=jcloud-demo
        assert_equal "$(cat "$MNT/account/pin")" jcloud-demo
        assert_equal "$(status_of maxcancel)" 3
        assert_equal "$(cat "$TOLD")" "READY=1 | STATUS=Serving $REGISTRY on $MNT for jcloud-demo"
        assert_equal "$(of_unit "$SERVICE" ExecReload)" "sh -c 'kill -HUP \$MAINPID'"
        kill -HUP "$DAEMON"
        wait_for 5 told_lines 3
        assert_equal "$(sed -nE '2s/MONOTONIC_USEC=[0-9]+$/N/p' "$TOLD")" 'RELOADING=1 | N'
        assert_equal "$(sed -n 3p "$TOLD")" "$(sed -n 1p "$TOLD")"
        stop_service
        assert_equal "$(tail -n 1 "$TOLD")" STOPPING=1
    done
}

@test "no READY comes of a mount that fails; a socket that is not there stops nothing" {
    new_registry
    run ! start_service "$REGISTRY" account=nobody timeout 2
    run ! grep READY "$TOLD"
    for NOTIFY in "$PLACE/nowhere" relative @ "/$(printf '%0200d' 0)"; do
        NOTIFY_SOCKET=$NOTIFY "$IMGSHAREFS" -f -o account=jcloud-demo "$REGISTRY" "$MNT" \
            </dev/null >"$PLACE/log" 2>&1 3>&- &
        wait_for 10 test -e "$MNT/status"
        kill $!
        wait $!
    done
}

@test "what the file of the instance says wins over the unit's own" {
    new_registry
    start_service "$REGISTRY" account=jcloud-demo,maxcancel=7,ro
    assert_equal "$(status_of maxcancel)" 7
    assert_equal "$(status_of access)" read-only
    stop_service
}

# capabilities UNIT: those that it leaves, in the words of setpriv.
capabilities()
{
    local set='-all' word

    for word in $(of_unit "$1" CapabilityBoundingSet); do
        word=${word#CAP_}
        set+=,+${word,,}
    done
    echo "$set"
}

@test "the unit's capabilities are enough, also to tell who asked" {
    new_registry
    set=$(capabilities "$SERVICE")
    start_service "$REGISTRY" account=jcloud-demo,allow_other,uid=65534 \
        setpriv --bounding-set "$set" --inh-caps "$set" --no-new-privs
    as_nobody "touch /mnt/there/private/$IMG_GOLDEN/shares/alice"
    assert_event action=share pin=alice outcome=done uid=65534 "exe=$(realpath "$(command -v touch)")"
    stop_service
    refute_mount
}

refute_mount()
{
    ! is_mounted "$MNT"
}

# a_day IMAGE: what is done with a mount, most of all what makes it call the kernel: IMAGE is not shared.
a_day()
{
    local shares=$MNT/private/$1/shares

    touch "$shares/alice" && rm "$shares/alice" && touch "$shares/alice" || return
    run ! mkdir "$MNT/private/new"
    run ! mv "$shares" "$MNT/private"
    run ! bash -c "echo x >'$shares/.x'"
    touch "$MNT/private" "$shares" && df "$MNT" >/dev/null || return
    find "$MNT" -type f -exec cat {} + >"$PLACE/read" && tail -n 3 "$MNT/events" >/dev/null
}

# serve_cloud COMMAND...: the service with a cloud, over TLS and by a name that is looked up, below COMMAND.
serve_cloud()
{
    start_cloud --tls
    JDCLOUD_ACCESS_KEY=$OWNER_KEY JDCLOUD_SECRET_KEY=$OWNER_SECRET \
        start_service "jdcloud:$REGION" \
        "endpoint=${CLOUD_URL/127.0.0.1/localhost},cacert=$CLOUD_CA,state=$PLACE/state,refresh=1" "$@"
    wait_for 10 lists_known "$MNT"
}

# reload: what ExecReload= does.
reload()
{
    local lines

    lines=$(wc -l <"$TOLD")
    kill -HUP "$(daemon_pid "$MNT")"
    wait_for 5 told_lines $((lines + 2))
}

@test "the unit's filter allows the system calls that are made, with a registry and with a cloud" {
    skip_if_sanitized 'the sanitizers make calls of their own'
    new_registry
    start_service "$REGISTRY" account=jcloud-demo strace -f -qq -o "$PLACE/trace.registry"
    a_day "$IMG_GOLDEN"
    reload
    kill "$(pgrep -P "$DAEMON")"
    wait "$DAEMON"
    kill "$EAR"
    serve_cloud strace -f -qq -o "$PLACE/trace.cloud"
    a_day "$CLOUD_GOLDEN"
    reload
    fusermount3 -u "$MNT"
    wait "$DAEMON"
    run "$TESTS/home_syscalls.py" "$SERVICE" "$PLACE/trace.registry" "$PLACE/trace.cloud"
    assert_success
    assert_output ''
    printf '# %s system calls of %s allowed\n' \
        "$(cat "$PLACE"/trace.* | grep -oE '^[0-9]+ +[a-z_0-9]+\(' | sed 's/.* //' | sort -u | wc -l)" \
        "$("$PYTHON" -c "import sys; sys.path.insert(0, '$TESTS'); sys.dont_write_bytecode = True
import home_syscalls; print(len(home_syscalls.allowed(sys.argv[1])))" "$SERVICE")" >&3
    # It does find what is missing.
    sed '/^SystemCallFilter=/s/ @mount//' "$SERVICE" >"$PLACE/narrow.service"
    run "$TESTS/home_syscalls.py" "$PLACE/narrow.service" "$PLACE/trace.registry"
    assert_line mount
}

# narrowly UNIT: sets NARROWLY to what runs a command under the unit's filter, limits and capabilities.
narrowly()
{
    local set

    set=$(capabilities "$1")
    NARROWLY=(setpriv --bounding-set "$set" --inh-caps "$set" "$TESTS/home_filter.py" "$1")
}

@test "it does its work under the unit's filter, and without what the unit takes away" {
    skip_if_sanitized 'the sanitizers make calls of their own'
    [ "$(uname -m)" = x86_64 ] || [ "$(uname -m)" = aarch64 ] || skip 'about other processors'
    narrowly "$SERVICE"
    new_registry
    start_service "$REGISTRY" account=jcloud-demo "${NARROWLY[@]}"
    assert_equal "$(sed -n 's/^\(Seccomp\|NoNewPrivs\):\t//p' "/proc/$DAEMON/status" | tr -d '\n')" 12
    a_day "$IMG_GOLDEN"
    reload
    stop_service
    serve_cloud "${NARROWLY[@]}"
    a_day "$CLOUD_GOLDEN"
    reload
    tell set connections=reset
    tell drop-connections
    run ! touch "$MNT/private"
    tell set connections=open
    wait_for 20 touch "$MNT/private"
    stop_service

    # What the filter lacks is refused, and told.
    sed '/^SystemCallFilter=/s/ @mount//' "$SERVICE" >"$PLACE/narrow.service"
    narrowly "$PLACE/narrow.service"
    run ! start_service "$REGISTRY" account=jcloud-demo "${NARROWLY[@]}"
    assert_output --partial 'Operation not permitted'
}

@test "with its key as a credential, and its state where systemd says; without a network what it knew" {
    assert_equal "$(of_unit "$SERVICE" LoadCredential)" jdcloud:imgsharefs.%i.key
    assert_equal "$(of_unit "$SERVICE" StateDirectory)" imgsharefs
    start_cloud
    mkdir "$PLACE/credentials" "$PLACE/state"
    printf '[default]\naccess_key = %s\nsecret_key = %s\nregion_id = %s\n' \
        "$OWNER_KEY" "$OWNER_SECRET" "$REGION" >"$PLACE/credentials/jdcloud"
    chmod 0400 "$PLACE/credentials/jdcloud"
    export CREDENTIALS_DIRECTORY=$PLACE/credentials STATE_DIRECTORY=$PLACE/state HOME=$PLACE/home
    start_service "jdcloud:$REGION" "endpoint=$CLOUD_URL"
    wait_for 10 lists_known "$MNT"
    assert_equal "$(listed "$CLOUD_WEB")" $'alice\nbob'
    stop_service
    end_cloud KILL

    start_service "jdcloud:$REGION" "endpoint=$CLOUD_URL,timeout=1"
    assert_exists "$MNT/private/$CLOUD_WEB"
    assert_equal "$(listed "$CLOUD_WEB")" $'alice\nbob'
    wait_for 5 status_is online 'no: ECONNREFUSED: *'
    run ! touch "$MNT/private/$CLOUD_WEB/shares/carol"
    assert_equal "$(find "$PLACE/state" -name '*.replica' | wc -l)" 1
    stop_service
}

@test "what kill -9 leaves behind, ExecStopPost clears for the next start" {
    new_registry
    start_service "$REGISTRY" account=jcloud-demo
    kill -KILL "$DAEMON"
    wait "$DAEMON" || true
    kill "$EAR"
    run ! ls "$MNT"
    clear=$(of_unit "$SERVICE" ExecStopPost)
    clear=${clear#+-}
    clear=${clear//%f/\"\$MNT\"}
    eval "$clear"
    run ! is_mounted "$MNT"
    start_service "$REGISTRY" account=jcloud-demo
    stop_service
    # It is run after a start that failed, too, and what others have mounted there stays.
    run at_home "
        mkdir images
        mount -t tmpfs none images
        MNT=\$PWD/images
        $clear
        findmnt -n -o FSTYPE images"
    assert_output tmpfs
}

@test "the unit that the manual shows is the example, and mounts" {
    run awk '/^```/ { on = !on; if (!on && found) exit; next } on && /^\[Unit\]/ { found = 1 } found' \
        "$PROJECT/docs/man/imgsharefs.8.scd"
    assert_output "$(grep -v '^#' "$UNITS/images.mount" | sed '1{/^$/d}')"
    for word in _netdev nofail; do
        [[ ,$(of_unit "$UNITS/images.mount" Options), == *,$word,* ]]
    done
    # shellcheck disable=SC2310
    assert_equal "$(systemd-escape -p --suffix=mount "$(of_unit "$UNITS/images.mount" Where)")" images.mount
    assert_equal "$(of_unit "$UNITS/images.automount" Where)" "$(of_unit "$UNITS/images.mount" Where)"
    start_cloud
    options=$(of_unit "$UNITS/images.mount" Options)
    run at_home "
        mkdir -p images .jdc
        printf '[work]\naccess_key = $OWNER_KEY\nsecret_key = $OWNER_SECRET\nregion_id = $REGION\n' >.jdc/config
        chmod 0600 .jdc/config
        # mount(8) takes HOME away: it is the user's of /etc/passwd.
        awk -F: -v OFS=: -v home=\"\$PWD\" '\$3 == 0 { \$6 = home } 1' /etc/passwd >passwd
        mount --bind passwd /etc/passwd
        mount -t '$(of_unit "$UNITS/images.mount" Type)' -o '${options/\/var\/lib\/imgsharefs/$PLACE/state},endpoint=$CLOUD_URL' \
            '$(of_unit "$UNITS/images.mount" What)' images
        cat images/account/pin"
    assert_output owner
}

@test "of a line of fstab systemd makes a mount that waits for the network, and an automount" {
    local generator=/usr/lib/systemd/system-generators/systemd-fstab-generator

    [ -x "$generator" ] || skip "there is no $generator"
    mkdir "$PLACE/units"
    echo 'jdcloud:cn-north-1 /images imgsharefs profile=work,_netdev,nofail,x-systemd.automount 0 0' >"$PLACE/fstab"
    SYSTEMD_FSTAB=$PLACE/fstab SYSTEMD_IN_INITRD=0 SYSTEMD_PROC_CMDLINE='' \
        "$generator" "$PLACE/units" "$PLACE/units" "$PLACE/units"
    run cat "$PLACE/units/images.mount"
    assert_line What=jdcloud:cn-north-1
    assert_line Type=imgsharefs
    assert_exists "$PLACE/units/remote-fs.target.wants/images.automount"
    run systemd-analyze verify --man=no "$PLACE/units/images.mount" "$PLACE/units/images.automount"
    assert_output ''
}
