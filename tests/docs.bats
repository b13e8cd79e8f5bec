# The documents say what the programs do.

load helpers
load cloud_helpers
load documents

MAN_MOUNT=$DOCS/man/imgsharefs.8.scd
MAN_KEEP=$DOCS/man/imgshare.1.scd

# section FILE HEADING: the lines of a document from that heading to the next of its level or above.
section()
{
    awk -v heading="$2" '
        $0 == heading { on = 1; level = index(heading, " "); next }
        on && /^#+ / && index($0, " ") <= level { exit }
        on' "$1"
}

# rows FILE HEADING: the tables of a section, without their heads, cells separated by tabs.
rows()
{
    section "$1" "$2" | awk '
        /^\|---/ { on = 1; next }
        !/^\|/ { on = 0 }
        on' | sed 's/^| *//; s/ *|$//; s/ *| */\t/g'
}

# plain: scdoc without its marks.
plain()
{
    sed -E 's/\\(.)/\1/g; s/\*([^*]*)\*/\1/g; s/(^|[^A-Za-z0-9])_([^_]+)_/\1\2/g'
}

# table_of_program: the refusal table as the program prints it, cells separated by tabs.
table_of_program()
{
    "$IMGSHARE" explain | awk -v RS= '{
        gsub(/\n +/, " ")
        error = $1
        code = $2
        sub(/^[^ ]+ +[^ ]+ +/, "")
        print error "\t" code "\t" $0
    }' | sed -E 's/^([^\t]*\t[^\t]*\t(share, cancel|share|cancel|any other call)( \([^)]*\))?) /\1\t/
                 s/ What to do: /\t/; s/\.$//'
}

@test "errors.md has the table of refusals, row by row" {
    local program document

    program=$(table_of_program)
    document=$(rows "$DOCS/errors.md" '## The refusals of this program')
    [ "$(grep -c . <<<"$program")" -gt 25 ]
    [ "$(awk -F'\t' 'NF != 5' <<<"$program" | wc -l)" -eq 0 ]
    assert_same errors.md "$program" "$document"
}

@test "errors.md says how each errno of the table reads" {
    local name text found

    assert_same 'How they read' "$(table_of_program | cut -f1 | sort -u)" \
        "$(rows "$DOCS/errors.md" '## How they read' | cut -f1)"
    while IFS=$'\t' read -r name text; do
        found=$("$PYTHON" -IS -c 'import errno, os, sys
print(os.strerror(getattr(errno, sys.argv[1])))' "$name")
        assert_equal "$name $text" "$name $found"
    done < <(rows "$DOCS/errors.md" '## How they read')
}

# assert_kernel ERRNO CALL PATH [ARG]...: the call gives ERRNO, which is OK or one that errors.md has.
assert_kernel()
{
    local name=$1

    shift
    assert_equal "$* $(errno_of "$@")" "$* $name"
    [ "$name" = OK ] ||
        rows "$DOCS/errors.md" '## What the kernel answers by itself' | cut -f1 | grep -qx "$name" ||
        fail "not in errors.md: $name"
}

@test "what errors.md says of the kernel's own answers, where it is short to try" {
    local id

    new_registry
    mount_registry
    id=$MNT/private/$IMG_MYSQL
    assert_kernel EEXIST creat_excl "$id/shares/alice"
    assert_kernel EEXIST mkdir "$id/shares/alice"
    assert_kernel ENOENT unlink "$id/shares/dave"
    assert_kernel EISDIR unlink "$id/shares"
    assert_kernel ENOTDIR rmdir "$id/shares/alice"
    assert_kernel ENOTDIR opendir "$id/name"
    assert_kernel EINVAL rename "$id" "$id/shares/x"
    assert_kernel ENOTEMPTY rename "$id/shares/alice" "$id"
    assert_kernel EBUSY rmdir "$MNT"
    assert_kernel EXDEV rename "$id/shares/alice" "$BATS_TEST_TMPDIR/x"
    assert_kernel OK rename "$id/shares/alice" "$id/shares/alice"
    assert_kernel OK creat "$id/shares/alice"
    assert_kernel OK truncate "$id/shares/alice" 0
    assert_kernel OK chmod "$id/shares/alice" 600
    # None of these is an event.
    run -1 grep -v action=import "$MNT/events"
    assert_output ''
    unmount "$MNT"
    mount_registry -o ro
    id=$MNT/private/$IMG_MYSQL
    assert_kernel EROFS creat "$id/shares/dave"
    assert_kernel EROFS unlink "$id/shares/alice"
    assert_kernel EEXIST creat_excl "$id/shares/alice"
}

# options_of_help: "-f", "-h", "--help", "account=", "ro", ... one a line.
options_of_help()
{
    "$IMGSHAREFS" --help | sed -nE 's/^  (-[^ ]+(, -[^ ]+)*|[a-z_]+(=[A-Z]+)?)(  .*)?$/\1/p' |
        sed 's/, /\n/g; s/=[A-Z]*/=/' | sort
}

# options_of_manual: the same from imgsharefs(8).
options_of_manual()
{
    section "$MAN_MOUNT" '# OPTIONS' | sed -nE '/^\*-/p' | plain |
        sed -E 's/^-o //; s/, /\n/g' | sed 's/=[A-Z]*/=/' | sort
}

@test "imgsharefs(8) has every option of --help, and no other" {
    [ "$(options_of_help | wc -l)" -gt 12 ]
    assert_same imgsharefs.8 "$(options_of_help)" "$(options_of_manual)"
}

@test "imgsharefs takes every option of mount(8) that its manual names" {
    local words word

    words=$(section "$MAN_MOUNT" '# OPTIONS' | awk '/^Of \*mount\*/ { on = 1 } on' | plain | tr '\n' ' ')
    [[ $words =~ 'go to the kernel: '([^.]*)'.'.*'mean nothing here: '(.*)', and all that begin with x-, X- or comment=' ]]
    words="${BASH_REMATCH[1]}, ${BASH_REMATCH[2]}, x-a.b, X-c=d, comment=e"
    words=${words//, / }
    [ "$(wc -w <<<"$words")" -gt 30 ]
    for word in $words; do
        run "$IMGSHAREFS" -o "$word" "$BATS_TEST_TMPDIR/none" "$BATS_TEST_TMPDIR/nowhere" 3>&-
        assert_failure 1
        assert_output --partial "$BATS_TEST_TMPDIR/nowhere: no such directory"
    done
    run "$IMGSHAREFS" -o nosuch "$BATS_TEST_TMPDIR/none" "$BATS_TEST_TMPDIR/nowhere" 3>&-
    assert_failure 2
    assert_output --partial nosuch
    # What --help names of them is among them.
    for word in $("$IMGSHAREFS" --help | sed -n 's/^  and those of mount(8): //p' | tr -d ,); do
        case $word in
        ... | 'x-*') ;;
        *) [[ " $words " == *" $word "* ]] || fail "not in imgsharefs(8): $word" ;;
        esac
    done
}

# commands: the names of imgshare's commands, one a line.
commands()
{
    "$IMGSHARE" --help | sed -nE 's/^  ([a-z]+( [a-z]+)?)  +[A-Z].*/\1/p'
}

@test "imgshare(1) has every command with its usage line, and no other" {
    local name usage=

    [ "$(commands | wc -l)" -ge 8 ]
    while read -r name; do
        # shellcheck disable=SC2086
        usage+=$("$IMGSHARE" $name --help | sed -n '1s/^usage: //p')$'\n'
    done < <(commands)
    assert_same imgshare.1 "${usage%$'\n'}" "$(sed -n 's/^## //p' "$MAN_KEEP")"
}

@test "imgshare(1) has every option of each command, and no other" {
    local name usage count=0

    while read -r name; do
        # shellcheck disable=SC2086
        usage=$("$IMGSHARE" $name --help | sed -n '1s/^usage: //p')
        # shellcheck disable=SC2086
        assert_same "imgshare $name" \
            "$("$IMGSHARE" $name --help | sed -nE 's/^  (--[a-z-]+).*/\1/p' | sort)" \
            "$(section "$MAN_KEEP" "## $usage" | sed -nE 's/^\*(--[a-z-]+)\*.*/\1/p' | sort)"
        ((count += 1))
    done < <(commands)
    [ $count -ge 8 ]
    run -0 grep -F -- '--help' "$MAN_KEEP"
    run -0 grep -F -- '--version' "$MAN_KEEP"
}

@test "the manual pages are built without a warning" {
    local page

    command -v scdoc >/dev/null || skip 'scdoc is not installed'
    for page in "$MAN_MOUNT" "$MAN_KEEP"; do
        run -0 --separate-stderr scdoc <"$page"
        # shellcheck disable=SC2154
        assert_equal "$stderr" ''
        printf '%s\n' "$output" >"$BATS_TEST_TMPDIR/${page##*/}"
        command -v man >/dev/null || continue
        MANROFFSEQ='' MANWIDTH=80 LC_ALL=C.UTF-8 run -0 --separate-stderr \
            man --warnings -E UTF-8 -l -Tutf8 -Z "$BATS_TEST_TMPDIR/${page##*/}"
        assert_equal "$stderr" ''
    done
}

# tree_of_mount: the files and links of MNT, with ID, PIN, NAME and OWNER for what differs. A directory
# that holds nothing is named with a slash.
tree_of_mount()
{
    (cd "$MNT" && find . -mindepth 1 \( ! -type d -o -empty \) \( -type d -printf '%P/\n' -o -printf '%P\n' \)) |
        sed -E 's,^(private|shared)/[^/]+/shares/[^/]*$,\1/ID/shares/PIN,
                s,^(private|shared)/[^/]+/,\1/ID/,
                s,^by-name/private/.*,by-name/private/NAME,
                s,^by-name/shared/.*/.*,by-name/shared/OWNER/NAME,
                s,^by-account/.*/.*,by-account/PIN/ID,' | sort -u
}

# tree_of_manual: the same from imgsharefs(8): what is at the root, and the files of an image.
tree_of_manual()
{
    section "$MAN_MOUNT" '# THE TREE' | plain | awk '
        /^The files of an image/ { image = 1 }
        !/^[A-Za-z]/ || (/ / && !/^[a-z_.]+(, [a-z_.]+)*$/) { next }
        !image { if ($0 !~ /\/$/) print; next }
        {
            gsub(/, /, "\n")
            count = split($0, names, "\n")
            for (i = 1; i <= count; i++) {
                print "shared/ID/" names[i]
                if (names[i] != "trusted" && names[i] != "notice")
                    print "private/ID/" names[i]
            }
        }' | sort -u
}

@test "imgsharefs(8) names every file of a mount, and no other" {
    new_registry
    mount_registry
    assert_same imgsharefs.8 "$(tree_of_mount)" "$(tree_of_manual)"
}

@test "what imgsharefs(8) says of exposure and quota holds" {
    new_registry
    mount_registry
    run -0 cat "$MNT/shared/$IMG_PARTNER_ML"/{exposure,quota}
    assert_output ''
    run -0 cat "$MNT/private/$IMG_FULL"/{exposure,quota}
    assert_output $'20 accounts\n20/20'
    run -0 cat "$MNT/private/$IMG_EVERYONE/exposure" "$MNT/private/$IMG_GOLDEN/exposure"
    assert_output $'everyone\nowner'
}

@test "operations.md explains every line of status, and no other" {
    local keys

    new_registry
    "$PYTHON" -IS - "$REGISTRY" <<'END'
# A pin that no file name can be: nothing but a program of another kind makes one.
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.executescript("""
    INSERT INTO account (pin, private_ns, names_ns, received_ns, owners_ns, recipients_ns, received)
        VALUES ('a/b', 1, 1, 1, 1, 1, 1);
    INSERT INTO share (image, pin, created_ns) SELECT id, 'a/b', 1 FROM image WHERE image_id = 'img-m5s0abcd29';
    UPDATE image SET shares = shares + 1 WHERE image_id = 'img-m5s0abcd29';
    INSERT INTO recipient (owner, pin, images, changed_ns)
        SELECT owner, 'a/b', 1, 1 FROM image WHERE image_id = 'img-m5s0abcd29';
""")
db.close()
END
    echo alice >"$BATS_TEST_TMPDIR/pins"
    mount_registry -o "maxcancel=3,allow=$BATS_TEST_TMPDIR/pins,trust=$BATS_TEST_TMPDIR/pins"
    keys=$(sed 's/: .*//' "$MNT/status")
    assert_same 'the example' "$keys" \
        "$(section "$DOCS/operations.md" '## status' | sed -n 's/^    \([a-z_]*\): .*/\1/p')"
    assert_same 'the table' "$keys" "$(rows "$DOCS/operations.md" '## status' | cut -f1 | sed 's/, /\n/g')"
}

@test "operations.md explains every key of events" {
    local keys key

    new_registry
    echo alice >"$BATS_TEST_TMPDIR/pins"
    mount_registry -o "allow=$BATS_TEST_TMPDIR/pins"
    touch "$MNT/private/$IMG_GOLDEN/shares/alice"
    run ! touch "$MNT/private/$IMG_GOLDEN/shares/bob"
    run ! mkdir "$MNT/private/new"
    kill -HUP "$(daemon_pid "$MNT")"
    wait_for 5 grep -q action=reload "$MNT/events"
    keys=$(rows "$DOCS/operations.md" '## The log: events' | cut -f1 | sed 's/, /\n/g')
    for key in $(sed 's/"[^"]*"//g' "$MNT/events" | grep -o '[a-z]*=' | tr -d = | sort -u); do
        grep -qx "$key" <<<"$keys" || fail "not in operations.md: $key"
    done
}

@test "jdcloud.md and operations.md explain every key of a cloud's events and status" {
    local keys key cloud

    start_cloud
    mount_read -o timeout=1
    touch "$WEB/carol"
    run ! touch "$WEB/nobody"
    tell share "$CLOUD_GOLDEN" carol
    touch "$GOLDEN"
    tell fault shareImage hang applied=true times=1
    run ! touch "$GOLDEN/alice"
    cloud=$(sed 's/: .*//' "$MNT/status")
    keys=$(rows "$DOCS/jdcloud.md" '## status' | cut -f1 | sed 's/, /\n/g')
    assert_same 'the example' "$cloud" "$(section "$DOCS/jdcloud.md" '## status' | sed -n 's/^    \([a-z_]*\): .*/\1/p')"
    for key in $cloud; do
        grep -qx "$key" <<<"$keys" || rows "$DOCS/operations.md" '## status' | cut -f1 | sed 's/, /\n/g' |
            grep -qx "$key" || fail "no document has this line of status: $key"
    done
    touch "$GOLDEN"
    wait_for 10 grep -q settled=made "$MNT/events"
    keys=$(for key in operations.md jdcloud.md; do
        section "$DOCS/$key" '## The log: events'
        section "$DOCS/$key" '## events'
    done | sed -n 's/^| \([a-z, ]*\) | .*/\1/p' | sed 's/, /\n/g')
    for key in $(sed 's/"[^"]*"//g' "$MNT/events" | grep -o '[a-z]*=' | tr -d = | sort -u); do
        grep -qx "$key" <<<"$keys" || fail "no document has this key of events: $key"
    done
    for key in request answer appeared unsettled settled; do
        run -0 grep -E "[ =]$key( |=)" "$MNT/events"
    done
    end_cloud
}

@test "the examples of README do what it says, one after the other on a fresh sample" {
    local blocks=$BATS_TEST_TMPDIR/blocks

    sample_at_home
    # The examples mount, too.
    clear_later "$HOME/imgshare-alice"
    clear_later "$HOME/my-images"
    blocks_of "$PROJECT/README.md" '## Use it' "$blocks"
    (cd "$MNT" && blocks_run "$blocks")
    assert_blocks "$blocks"
    [ "$(find "$blocks" -name '*.text' | wc -l)" -ge 9 ]
}

@test "what the documents point to is there" {
    local file target count=0

    for file in "$PROJECT/README.md" "$DOCS"/*.md; do
        while read -r target; do
            assert_exists "${file%/*}/$target"
            ((count += 1))
        done < <(grep -oE '\]\([^)#:]+\)' "$file" | sed 's/^](//; s/)$//')
    done
    [ $count -ge 8 ]
    for target in mountscripts/quickstart tests/run; do
        run -0 grep -F "./$target" "$PROJECT/README.md"
        assert [ -x "$PROJECT/$target" ]
    done
    # Sources that design.md names.
    # shellcheck disable=SC2016
    for target in $(grep -oE '`(core|fs)/[a-z_/]+(\.[ch])?`' "$DOCS/design.md" | tr -d '`'); do
        assert_exists "$PROJECT/$target"
    done
}
