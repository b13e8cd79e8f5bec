#!/usr/bin/env bats
# The order of the house: what may know what, the size of files, and what no file may hold.

load helpers

setup()
{
    cd "$PROJECT" || return
}

# sources [REGEX]: the files of the project that are, or could be, under version control, one a line; but
# not the inputs of fuzz targets, which may be anything.
sources()
{
    if [ -e .git ] && git rev-parse >/dev/null 2>&1; then
        git ls-files --cached --others --exclude-standard
    else
        find . \( -path ./.git -o -path './build*' -o -name __pycache__ \) -prune -o -type f -printf '%P\n'
    fi | grep -v '^tests/fuzz/corpus/' | grep -E "${1-.}" | while IFS= read -r file; do
        [ ! -f "$file" ] || printf '%s\n' "$file"
    done
}

@test "core knows nothing of libfuse, and fs nothing of SQL" {
    [ -x tests/unit/check_layers.sh ] || skip 'there is no tests/unit/check_layers.sh'
    tests/unit/check_layers.sh "$BUILD/core/libcore.a" "$PROJECT"
}

@test "imgshare does without libfuse and the cloud's libraries, and imgsharefs needs no library but its own" {
    run needs imgshare
    assert_line --partial libsqlite3
    refute_output --regexp 'fuse|curl|crypto|INIReader|inih'
    run needs imgsharefs
    assert_line --partial libfuse3
}

# needs PROGRAM: the libraries that it asks for by itself.
needs()
{
    readelf -d "$BUILD/$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p'
}

@test "no source file is much longer than 600 lines" {
    sources '^(core|fs|mountscripts|tests|\.ci)/' | xargs -d '\n' wc -l |
        awk '$2 != "total" && $2 !~ /\.json$/ && $1 > 620 { print; found = 1 } END { exit found }'
}

@test "the top level holds what it should, and nothing else" {
    run bash -c "cut -d / -f 1 | sort -u" < <(sources '^[^.]')
    assert_output "LICENSE
README.md
core
docs
fs
meson.build
mountscripts
tests"
}

@test "README begins with what this is, and names both programs and the first step" {
    grep -qw imgsharefs README.md
    grep -qw imgshare README.md
    grep -q mountscripts/quickstart README.md
    grep -q tests/run README.md
}

@test "every file that README and the manuals name is there" {
    status=0
    while IFS= read -r path; do
        [ -e "$path" ] || { echo "not there: $path" && status=1; }
    done < <(grep -hoP '(?<![\w/])(core|docs|fs|mountscripts|tests)/[\w./-]*\w' README.md docs/*.md | sort -u)
    return "$status"
}

@test "nothing mentions a path of the machine that it was written on" {
    # With brackets, so that this line is not one of them; who is "me" is anybody.
    run xargs -d '\n' grep -nP '(?<![\w.$}-])/(wor[k]\b|roo[t]/\w|home/(?!me\b)[a-z])' < <(sources)
    assert_output ''
}

@test "nothing is left to be done" {
    run xargs -d '\n' grep -nE '\b(TO[D]O|FIX[M]E|XX[X])\b' < <(sources)
    assert_output ''
}

@test "what begins like a program can be executed, and nothing else can" {
    while IFS= read -r file; do
        IFS= read -rn 2 begin <"$file" || true
        case $file in
        *.bats) continue ;; # run by bats, executable or not
        esac
        if [ "$begin" = '#!' ]; then
            [ -x "$file" ] || fail "$file has an interpreter, but cannot be executed"
        else
            [ ! -x "$file" ] || fail "$file can be executed, but has no interpreter"
        fi
    done < <(sources)
}

@test "what a header declares has a comment" {
    sources '^(core|fs)/.*\.h$' >"$BATS_TEST_TMPDIR/headers"
    "$PYTHON" -IS - "$BATS_TEST_TMPDIR/headers" <<'END'
import re, sys

found = 0
for path in open(sys.argv[1], encoding="utf-8").read().split():
    text = open(path, encoding="utf-8").read()
    if not text.startswith("/*"):
        print("%s: does not begin with what it is for" % path)
        found += 1
    # Declarations that belong together stand in one paragraph, below its comment.
    for part in re.split(r"\n\s*\n", text):
        name = re.search(r"^(?!static|typedef|#|extern|struct \w+;)[a-z][\w *]*[ *](\w+)\([^;{]*\)[^;{]*;", part, re.M)
        # Names that say all there is to say.
        if name and re.search(r"_(init|dispose|free|close|release|has|count)$", name.group(1)):
            continue
        if name and "/*" not in part:
            print("%s: %s() has no comment" % (path, name.group(1)))
            found += 1
sys.exit(found > 0)
END
}

@test "every header can be included by itself" {
    # shellcheck disable=SC2046
    sources '^(core|fs)/.*\.h$' | xargs -d '\n' -n 8 -P "$(nproc)" "${CC:-cc}" -std=gnu11 -D_GNU_SOURCE \
        -I. $(pkg-config --cflags fuse3 jansson sqlite3) -Wno-unused -fsyntax-only -x c
}

@test "every test of bats can be told from the others" {
    for suite in tests/*.bats; do
        assert_equal "$(grep ^@test "$suite" | sort | uniq -d)" ''
    done
}
