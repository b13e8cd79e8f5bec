# shellcheck shell=bash disable=SC2034
# What the suites share that hold documents against the programs: `load documents` after `load helpers`.
#
# In a document a block of sh holds commands, and the block of text that follows is what they print,
# errors included; without one they print nothing.

DOCS=$PROJECT/docs

# assert_same WHAT EXPECTED ACTUAL: two texts, with the difference where they differ.
assert_same()
{
    diff <(printf '%s\n' "$2") <(printf '%s\n' "$3") || {
        printf '%s: the lines with < are missing or others, those with > are too many\n' "$1"
        return 1
    }
}

# same_but_for_the_run: takes away what differs from run to run: times, processes, users, the home, and
# what no editor leaves at the end of a line.
same_but_for_the_run()
{
    sed -E "s,$HOME,/home/me,g; s/20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z/TIME/g; s/ +$//
            s/ uid=[0-9]+ pid=[0-9]+ exe=[^ ]+( login=[0-9]+)?$/ CALLER/"
}

# sample_at_home: HOME is a new directory with the sample's registry where quickstart puts it, mounted on
# ~/imgshare-demo; the programs are in PATH, and the locale has no language.
sample_at_home()
{
    export HOME=$BATS_TEST_TMPDIR/home LC_ALL=C.UTF-8 PATH
    PATH=$(cd "$BUILD" && pwd -P):$PATH
    unset XDG_DATA_HOME
    mkdir -p "$HOME/.local/share/imgsharefs"
    new_registry
    mv "$REGISTRY" "$HOME/.local/share/imgsharefs/demo.registry"
    REGISTRY=$HOME/.local/share/imgsharefs/demo.registry
    mount_registry "$HOME/imgshare-demo"
}

# blocks_of FILE HEADING DIR: the blocks below that heading of level 2, as DIR/NN.sh and DIR/NN.text.
blocks_of()
{
    mkdir -p -- "$3"
    awk -v heading="$2" -v dir="$3" '
        /^```/ && inside { inside = 0; next }
        inside { if (file) print >file; next }
        /^## / { on = $0 == heading; found += on }
        /^```/ {
            inside = 1
            file = ""
            if (on && $0 == "```sh") file = sprintf("%s/%02d.sh", dir, ++number)
            if (on && $0 == "```text") file = sprintf("%s/%02d.text", dir, number)
        }
        END { exit !number }' "$1"
}

# blocks_run DIR...: what blocks_of wrote, one after the other in one shell in the working directory. What
# is in NN.before, if there is such a file, is done before NN.sh.
blocks_run()
{
    local place=$BATS_TEST_TMPDIR/blocks.run

    cat >"$place" <<'END'
for blocks_dir; do
    for blocks_file in "$blocks_dir"/*.sh; do
        [ ! -e "${blocks_file%.sh}.before" ] || . "${blocks_file%.sh}.before" >&2
        . "$blocks_file" >"${blocks_file%.sh}.out" 2>&1
    done
done
exit 0 # what the last command gave is in what it printed
END
    blocks_shell "$place" "$@" </dev/null 3>&-
}

# blocks_shell SCRIPT ARG...: how blocks_run starts bash; a test may have one of its own.
blocks_shell()
{
    bash "$@"
}

# assert_blocks DIR...: each printed what the document says.
assert_blocks()
{
    local dir script expected

    for dir; do
        for script in "$dir"/*.sh; do
            [ -e "${script%.sh}.out" ] || fail "${script##*/} was not run"
            expected=
            [ ! -e "${script%.sh}.text" ] || expected=$(same_but_for_the_run <"${script%.sh}.text")
            printf '%s:\n%s\n' "${script##*/}" "$(cat "$script")"
            assert_same 'its output' "$expected" "$(same_but_for_the_run <"${script%.sh}.out")" || return
        done
    done
}
