#!/usr/bin/env bats
# shellcheck disable=SC2030,SC2031,SC2086,SC2153  # ids of images need no quotes
# Where the keys of a cloud are while it is mounted, and where they never are: memory, core files, /proc, logs,
# and all that is written.
#
# secrets/search is who looks. It knows the keys as text and in base64, a piece of them too, the keys that are made
# of them for signing, and what HMAC makes of all these.

load helpers
load home_helpers
load cloud_helpers

SEARCH=$TESTS/secrets/search

setup()
{
    export LC_ALL=C.UTF-8 HOME=$BATS_TEST_TMPDIR/home
    PLACE=$(cd "$BATS_TEST_TMPDIR" && pwd -P)
    mkdir -p "$HOME/.jdc"
    # By chance, so that nothing else holds a piece of them.
    KEY=$OWNER_KEY SECRET=$(openssl rand -hex 20) TOKEN=$(openssl rand -hex 24)
    sed "s/$OWNER_SECRET/$SECRET/" "$TESTS/cloud/sample.json" >"$PLACE/sample.json"
}

# search [--kept] WHERE...: what of the keys is there, one a line.
search()
{
    SECRET_KEY=$SECRET TOKEN=$TOKEN "$PYTHON" -IS "$SEARCH" "$@"
}

# assert_clean WHERE...: nothing of the keys is there.
assert_clean()
{
    run search "$@"
    assert_output ''
    assert_failure 1
}

# start_own_cloud: a fake cloud that knows SECRET; a mount with QUIET asks it nothing by itself.
QUIET=refresh=3600,maxage=0
start_own_cloud()
{
    start_cloud --state "$PLACE/sample.json"
}

# use_keys: shares and cancels with the mount, in two ways that fail as well, and waits until nothing is on its way.
use_keys()
{
    local shares=$MNT/private/$CLOUD_GOLDEN/shares

    touch "$shares/alice" && ls "$MNT/private/$CLOUD_WEB/shares" >/dev/null && rm "$shares/alice" || return
    tell fault shareImage error row=internal times=1
    touch "$shares/alice" || return
    tell fault shareImage error row=signature times=1
    run ! touch "$shares/bob"
    wait_for 10 is_quiet
}

# is_quiet: the cloud has no request, and gets none for a while.
is_quiet()
{
    local count

    count=$(requests_count)
    sleep 0.3
    requests_held 0 && [ "$(requests_count)" = "$count" ]
}

# serve WORD...: a mount in the foreground, run by WORD...; sets DAEMON. Its log is PLACE/log.
serve()
{
    MNT=$PLACE/mnt
    mkdir -p "$MNT"
    clear_later "$MNT"
    JDCLOUD_ACCESS_KEY=$KEY JDCLOUD_SECRET_KEY=$SECRET JDCLOUD_SESSION_TOKEN=$TOKEN "$@" "$IMGSHAREFS" -f \
        -o "endpoint=$CLOUD_URL,state=$PLACE/state,timeout=2,$QUIET" "jdcloud:$REGION" "$MNT" \
        </dev/null >"$PLACE/log" 2>&1 3>&- &
    wait_for 15 is_mounted "$MNT"
    wait_for 10 lists_known "$MNT"
    DAEMON=$(daemon_pid "$MNT")
}

# --- memory ---

# assert_no_key WHERE...: neither the secret key nor what signatures are made with is there; a token may be.
assert_no_key()
{
    run search "$@"
    refute_output --partial 'the secret key'
    refute_output --partial 'for signing'
}

# assert_kept PID: its memory holds the keys where no core file and no swap has them, and the secret key nowhere else.
assert_kept()
{
    assert_no_key "pid:$1"
    run -0 search --kept "pid:$1"
    assert_line --partial "the secret key: pid $1: "
    assert_line --partial "the token: pid $1: "
}

@test "the keys of the environment stay in memory that is not swapped out and that no core file holds" {
    need_root
    skip_if_sanitized 'the sanitizers keep what was freed'
    start_own_cloud
    mount_cloud -o $QUIET
    use_keys
    pid=$(daemon_pid "$MNT")
    assert_kept "$pid"
    # Of the environment the names are left.
    assert_equal "$(tr -d '\0' <"/proc/$pid/environ" | grep -aoE 'JDCLOUD_(ACCESS|SECRET|SESSION)[A-Z_]*=[^A-Z]*' | sort)" \
        $'JDCLOUD_ACCESS_KEY=\nJDCLOUD_SECRET_KEY=\nJDCLOUD_SESSION_TOKEN='
}

@test "so do those of a profile, and of systemd's credentials" {
    need_root
    skip_if_sanitized 'the sanitizers keep what was freed'
    start_own_cloud
    printf '[default]\naccess_key = %s\nsecret_key = %s\nsession_token = %s\n' "$KEY" "$SECRET" "$TOKEN" >"$PLACE/profile"
    install -m 0600 "$PLACE/profile" "$HOME/.jdc/config"
    mkdir "$PLACE/one" "$PLACE/three"
    install -m 0400 "$PLACE/profile" "$PLACE/one/jdcloud"
    printf '%s\n' "$KEY" >"$PLACE/three/jdcloud-access-key"
    printf '%s\n' "$SECRET" >"$PLACE/three/jdcloud-secret-key"
    printf '%s\n' "$TOKEN" >"$PLACE/three/jdcloud-session-token"
    chmod 0400 "$PLACE"/three/*
    # The search does find them where they are.
    run -0 search "$HOME/.jdc/config"
    for directory in '' "$PLACE/one" "$PLACE/three"; do
        CREDENTIALS_DIRECTORY=$directory SECRET='' TOKEN='' KEY='' mount_cloud -o $QUIET
        use_keys
        assert_kept "$(daemon_pid "$MNT")"
        unmount "$MNT"
    done
}

@test "while a request is on its way its token is in libcurl's memory, the secret key is not" {
    need_root
    skip_if_sanitized 'the sanitizers keep what was freed'
    start_own_cloud
    mount_cloud -o $QUIET,timeout=20
    wait_for 10 is_quiet
    tell fault shareImage hang times=1
    touch "$MNT/private/$CLOUD_GOLDEN/shares/alice" 3>&- &
    wait_for 5 requests_held 1
    pid=$(daemon_pid "$MNT")
    run -0 search "pid:$pid"
    assert_line --partial "the token in base64: pid $pid: "
    assert_kept "$pid"
    tell resume
    wait $!
}

@test "where no memory may be locked it goes on without" {
    need_root
    start_own_cloud
    serve prlimit --memlock=0 setpriv --bounding-set -ipc_lock --inh-caps -ipc_lock
    run search --kept "pid:$DAEMON"
    assert_output 'search: there is nothing to look into'
    touch "$MNT/private/$CLOUD_GOLDEN/shares/alice"
}

# --- core files ---

# cores_are_files: the system puts them into the working directory.
cores_are_files()
{
    [[ $(cat /proc/sys/kernel/core_pattern) != */* ]] && [[ $(cat /proc/sys/kernel/core_pattern) != '|'* ]]
}

# die: the mount meets what a bug would lead to.
die()
{
    kill -ABRT "$DAEMON"
    wait_for 30 mounts_daemon_gone "$DAEMON"
    fusermount3 -u -z "$MNT"
}

@test "a program that holds keys writes no core file; if it did, they would not be in it" {
    skip_if_sanitized 'they write none anyway'
    cores_are_files || skip "core files go elsewhere here: $(cat /proc/sys/kernel/core_pattern)"
    ulimit -c unlimited 2>/dev/null || skip 'core files cannot be allowed here'
    start_own_cloud
    mkdir "$PLACE/cores"
    cd "$PLACE/cores"
    serve
    use_keys
    die
    assert_equal "$(ls)" ''

    # The call that forbids it is made to do nothing.
    serve strace -f -qq -e trace=prctl -e inject=prctl:retval=0 -o "$PLACE/prctl"
    use_keys
    die
    grep -q 'prctl(PR_SET_DUMPABLE, SUID_DUMP_DISABLE.*INJECTED' "$PLACE/prctl"
    cd "$PLACE"
    run -0 find cores -name 'core*' -size +100k
    # It holds what such a file holds.
    run -0 grep -aqF "$KEY" "$output"
    assert_no_key cores
}

@test "what a debugger of root writes as a core file does not hold them either" {
    need_root
    skip_if_sanitized 'the sanitizers keep what was freed'
    start_own_cloud
    serve
    use_keys
    run -0 gcore -o "$PLACE/core" "$DAEMON"
    run -0 grep -aqF "$KEY" "$PLACE/core.$DAEMON"
    assert_no_key "$PLACE/core.$DAEMON"
}

# --- other processes ---

# can_open UID FILE: that user may open it.
can_open()
{
    # shellcheck disable=SC2016
    setpriv --reuid "$1" --regid "$1" --clear-groups bash -c ': <"$1"' bash "$2" 2>/dev/null
}

# can_trace UID PID: that user may look into it as a debugger does.
can_trace()
{
    setpriv --reuid "$1" --regid "$1" --clear-groups timeout 1 strace -qq -p "$2" -o /dev/null 2>"$PLACE/strace" || true
    ! grep -q 'Operation not permitted' "$PLACE/strace"
}

# assert_closed PID: neither its own user, who is nobody, nor another looks into it, and what all see holds no key.
assert_closed()
{
    local uid file

    for uid in 65534 65533; do
        for file in environ mem maps smaps pagemap auxv; do
            ! can_open $uid "/proc/$1/$file" || fail "user $uid can open /proc/$1/$file"
        done
        ! can_trace $uid "$1" || fail "user $uid can trace $1"
    done
    can_open 65533 "/proc/$1/cmdline" || fail "who can see it at all?"
    assert_clean "/proc/$1/cmdline"
}

# daemons_are COUNT: so many processes serve or wait for MNT.
daemons_are()
{
    [ "$(daemon_pid "$MNT" | wc -l)" -eq "$1" ]
}

@test "no other process looks into it, neither of another user nor of its own" {
    need_root
    new_registry
    start_own_cloud
    mkfifo "$PLACE/go"
    mount=/mnt/here/secrets.$$.$RANDOM # all processes are seen from here, and others' tests are there, too
    tell set connections=hang
    as_nobody "
        exec 9<&0
        export JDCLOUD_ACCESS_KEY=$KEY JDCLOUD_SECRET_KEY=$SECRET JDCLOUD_SESSION_TOKEN=$TOKEN
        mkdir $mount.cloud $mount.registry
        imgsharefs -o endpoint=$CLOUD_URL,state=/mnt/here/state,timeout=10 jdcloud:$REGION $mount.cloud
        imgsharefs -o account=jcloud-demo registry $mount.registry
        read -r _ <&9" <"$PLACE/go" >"$PLACE/out" 2>&1 &
    user=$!
    exec {go}>"$PLACE/go"
    # While the cloud lets it wait there are two: who waits for the mount to be there has the environment, too.
    MNT=$mount.cloud
    wait_for 5 daemons_are 2
    for pid in $(daemon_pid "$MNT"); do
        assert_closed "$pid"
    done
    tell set connections=open
    wait_for 15 daemon_pid "$mount.registry"
    wait_for 15 daemons_are 1
    assert_closed "$(daemon_pid "$MNT")"

    # One that holds no keys is like any other program.
    pid=$(daemon_pid "$mount.registry")
    can_open 65534 "/proc/$pid/environ"
    can_open 65534 "/proc/$pid/mem"
    run ! can_open 65533 "/proc/$pid/environ"
    can_trace 65534 "$pid"
    exec {go}>&-
    wait $user || true # it is ended by that
}

# --- what is written ---

@test "of all that is written nothing holds a key, whatever the cloud answers" {
    need_root
    skip_if_sanitized 'strace would follow their threads'
    start_own_cloud
    encoded=$(printf %s "$TOKEN" | base64 -w 0)
    # A day's worth of bad answers; some quote what they got.
    cat >"$PLACE/day" <<DAY
tell() { '$TESTS/cloud/control' $CONTROL "\$@" >/dev/null; }
shares=mnt/private/$CLOUD_GOLDEN/shares
touch \$shares/alice && rm \$shares/alice
meet() { tell fault '*' "\$@" times=2; touch \$shares/alice; rm -f \$shares/alice; touch mnt/private; tell clear; }
for row in signature internal rate-limit forbidden; do meet error row=\$row; done
meet error row=bad-gateway body=html
meet garbage
meet cut at=3
meet reset
tell fault '*' hang times=2; touch \$shares/bob; tell resume; tell clear
quote() { meet answer http=\$1 "body={\"requestId\": \"\$2\", \"error\": {\"code\": \$1, \"status\": \"\$3\", \"message\": \"\$2\"}}"; }
quote 401 'x-jdcloud-security-token:$encoded' UNAUTHENTICATED
quote 401 'the token $TOKEN is too old' UNAUTHENTICATED
quote 400 '$(printf '%0400d' 0) $encoded' INVALID_ARGUMENT
quote 500 'JDCLOUD2$SECRET' INTERNAL
find mnt -type f -exec tail -n +1 {} + >shown 2>&1
DAY
    run at_home "
        mkdir mnt state
        syslog_to syslog
        export JDCLOUD_ACCESS_KEY=$KEY JDCLOUD_SECRET_KEY=$SECRET JDCLOUD_SESSION_TOKEN=$TOKEN
        options=endpoint=$CLOUD_URL,state=\$PWD/state,timeout=1,refresh=3600
        trace() { strace -f -qq -yy -s 1000000 -e trace=write,writev,pwrite64,pwritev,pwritev2,sendto,sendmsg,sendmmsg \"\$@\"; }
        served() { until mountpoint -q mnt && ! grep -q '_age: never' mnt/status; do sleep 0.05; done; }
        trace -o trace.1 imgsharefs -o \$options,loglevel=debug jdcloud:$REGION mnt >out.1 2>&1 &
        served; . ../day; umount mnt; wait \$!
        trace -o trace.2 imgsharefs -d -o \$options jdcloud:$REGION mnt >out.2 2>&1 &
        served; . ../day; umount mnt; wait \$!"
    cd "$PLACE/home"
    # They have gone to the cloud, and the trace shows it.
    run -0 search trace.1
    assert_output --partial 'the token in base64: '
    sed -i '/<TCP:/d' trace.1 trace.2
    # What was written is there: the log, the answers' own words.
    for file in syslog out.2 shown trace.1; do
        [ -s $file ] || fail "$file is empty"
    done
    assert_clean out.1 out.2 syslog shown state trace.1 trace.2
    for word in HMAC-SHA256 Signature=; do
        run ! grep -ralF $word out.1 out.2 syslog shown state trace.1 trace.2
    done
}

# --- files ---

# mount_any_with_keys ARGS: mount_any, with the keys in the environment.
mount_any_with_keys()
{
    JDCLOUD_ACCESS_KEY=$KEY JDCLOUD_SECRET_KEY=$SECRET mount_any "$@"
}

@test "whatever the umask, replica and state are for their user alone" {
    start_own_cloud
    (
        umask 0
        unset STATE_DIRECTORY XDG_STATE_HOME
        mount_any_with_keys umask "endpoint=$CLOUD_URL,$QUIET" "jdcloud:$REGION"
        wait_for 10 lists_known "$MNT"
        touch "$MNT/private/$CLOUD_GOLDEN/shares/alice"
    )
    run find "$HOME/.local" -printf '%M %P\n'
    refute_line --regexp '^....[^-]|^.......[^-]'
    assert_line --regexp '^drwx------ state/imgsharefs$'
    for side in '' -wal -shm -lock; do
        assert_line --regexp "^-rw------- state/imgsharefs/jdcloud-$REGION-[0-9a-f]+\.replica$side\$"
    done
}

@test "a replica is not kept where another user can put files" {
    need_root
    start_own_cloud
    mkdir -m 1777 "$PLACE/everybody"
    install -d -o 65534 -m 0700 "$PLACE/nobody"
    for place in everybody nobody; do
        run mount_cloud -o "state=$PLACE/$place"
        assert_failure
        assert_output --partial "$PLACE/$place: another user can put files there"
        assert_output --partial state=DIR
        assert_equal "$(ls -A "$PLACE/$place")" ''
    done
    # A directory below is made for this user alone.
    mount_cloud -o "state=$PLACE/everybody/mine"
    assert_equal "$(stat -c %a "$PLACE/everybody/mine")" 700
}
