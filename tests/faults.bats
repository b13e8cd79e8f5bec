#!/usr/bin/env bats
# Each call that the programs make fails once: system calls, allocations, SQLite's; and the disk is full, or
# read-only. No crash, no hang, no lie, nothing lost, and afterwards all goes on. tests/faults/ has the machinery.
#
# IMGSHARE_FAULTS       how many calls of each scenario fail ("all": every call, in every way that it can, which
#                       takes hours; default: a few of each kind)
# IMGSHARE_FAULTS_SEED  which ones (default: another choice each time; the seed is printed)
# IMGSHARE_FAULTS_WAIT  a file: while it is there, nothing is done

load helpers
load cloud_helpers

# sweep ROUNDS SCENARIO...: so many faults in each, or as many as IMGSHARE_FAULTS says.
sweep()
{
    local rounds=${IMGSHARE_FAULTS:-$1} library=$BUILD/tests/libinject.so

    shift
    need_root # libfuse mounts by itself only then: fusermount3 would come under the filter
    [ -e "$library" ] || skip 'faults are injected on x86_64 only'
    skip_if_sanitized 'the allocations are the sanitizer'\''s'
    [ "$rounds" != all ] || rounds=0
    "$TESTS/faults/sweep" --rounds "$rounds" ${IMGSHARE_FAULTS_SEED:+--seed "$IMGSHARE_FAULTS_SEED"} \
        --wait "${IMGSHARE_FAULTS_WAIT-}" "$BUILD" "$library" "$BATS_TEST_TMPDIR" "$@" \
        >"$BATS_TEST_TMPDIR/report" 2>&1 3>&- || fail "$(cat "$BATS_TEST_TMPDIR/report")"
    sed 's/^/# /' "$BATS_TEST_TMPDIR/report" >&3
}

@test "a mount that cannot start leaves nothing behind and says why, and one that starts can be used" {
    sweep 120 start
}

@test "whatever fails once in a mount that is used: no lie, nothing lost, and it goes on" {
    sweep 300 use
    sweep 60 cold
}

@test "whatever fails while a mount ends, it ends, and what was acknowledged is there" {
    sweep 60 end
}

@test "a command in which something fails says so, and has done nothing, or all" {
    sweep 40 init account import export check check-damaged backup explain explain-path plan apply
}

@test "whatever fails in a mount of a cloud, what was acknowledged is so" {
    sweep 40 cloud cloud-start
}
