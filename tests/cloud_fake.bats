#!/usr/bin/env bats
# The fake cloud that the other suites of the cloud talk to: it signs, refuses, fails and lags as the
# documents say that the service does.

load helpers

@test "the fake cloud does what its own tests say" {
    cd "$TESTS/cloud" || return
    run "$PYTHON" -I -W error::ResourceWarning -c '
import sys, unittest
sys.path.insert(0, ".")
unittest.main(module=None, argv=["fake", "discover", "-q"])' </dev/null
    printf '%s\n' "$output"
    [ "$status" -eq 0 ]
    [[ $output =~ Ran\ ([0-9]+)\ tests ]]
    ((BASH_REMATCH[1] > 80))
}
