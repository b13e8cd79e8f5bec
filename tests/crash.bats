#!/usr/bin/env bats
# Programs are killed at any moment, and the power is lost: nothing acknowledged is lost, nothing is there
# that nobody asked for, the registry is whole, and what comes next works without help. cloud_crash.bats
# has the same for changes of a cloud.
#
# IMGSHARE_CRASH_ROUNDS  how often daemons and imports are killed (default: 10); 300 for the long form
# IMGSHARE_POWER_STATES  how many states after a loss of power are looked at (default: 300); 10000 then
# IMGSHARE_CRASH_SEED    repeats the random numbers of a run, though not the moments

load helpers
load cloud_helpers

ROUNDS=${IMGSHARE_CRASH_ROUNDS:-10}
STATES=${IMGSHARE_POWER_STATES:-300}

setup()
{
    PLACE=$BATS_TEST_TMPDIR/place
    mkdir "$PLACE"
    RECORDER=$BUILD/tests/libcrash_record.so
    OPTIONS=refresh=60,timeout=2
    export JDCLOUD_ACCESS_KEY=$OWNER_KEY JDCLOUD_SECRET_KEY=$OWNER_SECRET
}

# crash HARNESS [ARG]...: runs it; what it says of its figures is shown.
crash()
{
    local harness=$1

    shift
    "$PYTHON" -B "$TESTS/crash/$harness.py" "$@" 3>&- >"$BATS_TEST_TMPDIR/said" || return
    cat "$BATS_TEST_TMPDIR/said" >&3
}

@test "daemons are killed under eight writers: what was acknowledged is there, logged, and mounts again" {
    crash registry "$PLACE" "$ROUNDS"
}

@test "an import is killed, also beside a mount: it is there or is not, and can be done again" {
    crash importer "$PLACE" $((ROUNDS > 10 ? ROUNDS : 9))
}

@test "init is killed before each of its calls: the registry is whole or not there" {
    crash commands init "$PLACE"
}

@test "a backup is killed before each of its calls: the copy is whole or not there" {
    crash commands backup "$PLACE"
}

@test "the first mount of a cloud is killed before each of its calls: the next one works" {
    start_cloud
    crash commands replica "$PLACE" "$OPTIONS,endpoint=$CLOUD_URL" "jdcloud:$REGION"
}

@test "the power is lost: what was acknowledged is on the disk, and every file is whole" {
    crash power "$PLACE" "$RECORDER" "$STATES"
}

@test "the power is lost while a cloud is served: its changes are in the replica or in its journal" {
    start_cloud
    add_accounts 'p%d' 1 4
    crash power_cloud "$PLACE" "$RECORDER" $((STATES / 2)) "$OPTIONS,endpoint=$CLOUD_URL" \
        "jdcloud:$REGION" p1 p2 p3 p4
}
