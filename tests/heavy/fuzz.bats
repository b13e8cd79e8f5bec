# Parsers, and what else takes bytes from others, are given bytes that nobody would think of: see
# tests/fuzz/fuzz.h.
#
# IMGSHARE_FUZZ_SECONDS  how long each target runs (default: 60)

load ../helpers

setup()
{
    FUZZ=$PROJECT/tests/fuzz/run
}

# Four at a time on two processors. The build is kept beside the others, so that a second run need not make it again.
@test "no target finds an input that breaks what must hold" {
    run "$FUZZ" --seconds "${IMGSHARE_FUZZ_SECONDS:-60}"
    printf '%s\n' "${lines[@]}" | sed 's/^/# /' >&3
    assert_success
    refute_output --partial ': 0 executions'
}

@test "every target has inputs to begin with, and every folder of inputs is a target's" {
    assert_equal "$("$FUZZ" --list | sort)" "$(ls "$PROJECT/tests/fuzz/corpus")"
    assert_equal "$(find "$PROJECT/tests/fuzz/corpus" -type f -size +8 -printf '%P\n')" ''
    while IFS= read -r target; do
        [ -n "$(ls "$PROJECT/tests/fuzz/corpus/$target")" ]
    done < <("$FUZZ" --list)
}
