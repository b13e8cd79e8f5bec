# shellcheck shell=bash disable=SC2034
# What the heavy suites share that contend or measure: `load measure` after `load ../helpers`.

measure()
{
    "$PYTHON" -IS "$TESTS/heavy/measure.py" "$@"
}

# The accounts that contended_images are shared with.
PINS=(account-00{00..23})

# contended_images: images of jcloud-demo and partner-lab near the limit of 20 shares and far from it, for
# import.
contended_images()
{
    "$TESTS/generate" --images 3 --pins 19 --accounts 24
    "$TESTS/generate" --first 3 --images 2 --pins 1 --accounts 24
    "$TESTS/generate" --first 5 --images 2 --pins 18 --accounts 24 --owner partner-lab
}

# contended_registry: a registry of them.
contended_registry()
{
    REGISTRY=$BATS_TEST_TMPDIR/registry
    "$IMGSHARE" init "$REGISTRY" --account jcloud-demo --account partner-lab
    contended_images | "$IMGSHARE" import "$REGISTRY" - >/dev/null
}

# holdings PID...: threads and open files of each daemon.
holdings()
{
    local pid

    for pid; do
        printf '%s: %s threads, %s files\n' "$pid" \
            "$(find "/proc/$pid/task" -mindepth 1 -maxdepth 1 | wc -l)" \
            "$(find "/proc/$pid/fd" -mindepth 1 | wc -l)"
    done
}
