#!/bin/bash
# usage: check_layers.sh ARCHIVE SOURCES
#
# Who may know what, as TAP: ARCHIVE is the static library of core/ as it was built, SOURCES the top
# of the source tree. docs/design.md says why the layers are as they are.
set -u
shopt -s lastpipe # check counts in this shell, not in one of its own
archive=$1
cd "$2" || exit

number=0
failed=0

# check SENTENCE: fails, and shows them, if there are lines on standard input.
check()
{
    local found

    found=$(cat)
    ((number += 1))
    if [ -z "$found" ]; then
        echo "ok $number - $1"
    else
        echo "not ok $number - $1"
        printf '%s\n' "$found" | sed 's/^/# /'
        ((failed += 1))
    fi
}

# OBJECT SYMBOL, for what each object of the archive takes from elsewhere. Objects are named by their
# path in core/, with _ for /.
imports()
{
    nm -A -u "$archive" | sed -E 's|^.*[:/\[]([^:/]+\.o)\]?: +[Uwv] |\1 |'
}

# Files whose names end in one of the given ways, below the folders of this project's own code.
code()
{
    local end
    local -a names=()

    for end; do
        names+=(-o -name "*$end")
    done
    find core fs tests mountscripts -type f \( "${names[@]:1}" \)
}

# Without these the checks below would find nothing wrong in anything.
{
    imports | grep -q '^store_.* sqlite3_prepare' || echo "no object of core/store in $archive"
    [ -n "$(find fs -name '*.c')" ] || echo 'no sources in fs/'
} | check 'the archive and the sources are there to be looked at'

imports | grep ' fuse_' | check 'core/ builds without libfuse'

imports | grep ' sqlite3_' | grep -v '^store_' | check 'only core/store/ calls SQLite'

grep -rnE '\<sqlite3(_|\.h)' core --include='*.[ch]' | grep -v '^core/store/' |
    check 'only core/store/ speaks of SQLite'

imports | grep -E ' (curl_|HMAC|EVP_|SHA256)' | grep -v '^cloud_' |
    check 'only core/cloud/ speaks HTTP, and signs'

grep -rnE '#include <(curl/|openssl/)' core | grep -v '^core/cloud/' |
    check 'only core/cloud/ knows libcurl and libcrypto'

grep -rnE '#include [<"](sqlite3|curl/|jansson|openssl/)' fs |
    check 'fs/ includes neither SQLite nor HTTP nor JSON'

grep -rniE '"(SELECT|INSERT|UPDATE|DELETE|PRAGMA) ' fs | check 'fs/ holds no SQL'

grep -rn '#include "fs/' core | check 'core/ includes nothing of fs/'

code .c .h .sh .bash .bats meson.build | xargs -d '\n' wc -l |
    awk '$2 != "total" && $1 > 620 { print $2 ": " $1 " lines" }' |
    check 'no source file has more than 620 lines'

echo "1..$number"
[ $failed -eq 0 ]
