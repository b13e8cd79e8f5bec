#!/usr/bin/env bats
# The program that serves an account of a cloud is killed a hundred times in the middle of changes.

load ../../helpers
load ../../cloud_helpers
load ../../cloud_crash

@test "after a hundred kills nothing acknowledged is lost, and nothing is there that the cloud has not" {
    start_cloud
    crash_rounds 100
}

@test "the same while the cloud's lists lag" {
    start_cloud --set lag_ms=300
    crash_rounds 20
}
