# Tools that look after other files look after shares: each section of docs/cookbook.md and docs/traps.md is run, on a
# fresh sample.

load helpers
load documents

# section_holds: the blocks of the section that the test is named after, as in "cookbook.md: make", do what it
# says, after those of "Before".
section_holds()
{
    section_blocks
    blocks_run "$BATS_TEST_TMPDIR"/{before,section}
    assert_blocks "$BATS_TEST_TMPDIR"/{before,section}
}

section_blocks()
{
    local page=$DOCS/${BATS_TEST_DESCRIPTION%%: *}

    sample_at_home
    blocks_of "$page" '## Before' "$BATS_TEST_TMPDIR/before"
    blocks_of "$page" "## ${BATS_TEST_DESCRIPTION#*: }" "$BATS_TEST_TMPDIR/section"
}

@test "every section of the cookbook and of the traps has its test" {
    local page

    for page in cookbook.md traps.md; do
        assert_same "$page" "$(sed -n "s/^## \(.*\)/@test \"$page: \1\" {/p" "$DOCS/$page" | grep -v ': Before"')" \
            "$(grep "^@test \"$page: " "$BATS_TEST_FILENAME")"
    done
}

@test "cookbook.md: Ansible" {
    # Of this machine's settings none counts, nothing is left in the home of whom the system knows, and
    # python is not looked for.
    : >"$BATS_TEST_TMPDIR/ansible.cfg"
    export ANSIBLE_CONFIG=$BATS_TEST_TMPDIR/ansible.cfg ANSIBLE_HOME=$BATS_TEST_TMPDIR/ansible \
        ANSIBLE_REMOTE_TEMP=$BATS_TEST_TMPDIR/ansible ANSIBLE_PYTHON_INTERPRETER=$PYTHON
    section_holds
}

@test "cookbook.md: rsync" {
    section_holds
}

@test "cookbook.md: GNU parallel" {
    section_holds
}

@test "cookbook.md: make" {
    section_holds
}

# The crontab is installed and run by Debian's cron, in a place where there is no other; its clock, and nothing
# else's, stands shortly before the hour of the job.
@test "cookbook.md: cron" {
    need_root
    cat >"$BATS_TEST_TMPDIR/place" <<'END'
# Copies of what other suites have mounted would keep their daemons alive.
findmnt -rno TARGET -t fuse.imgsharefs | grep -v "^$BATS_TEST_TMPDIR/" | xargs -r umount -l
set -e
mount -t tmpfs -o mode=1730 none /var/spool/cron/crontabs
chgrp crontab /var/spool/cron/crontabs
mount -t tmpfs none /etc/cron.d
[ ! -e /etc/crontab ] || mount --bind /dev/null /etc/crontab
mount -t tmpfs none /run
mount -t tmpfs none /dev/shm # faketime keeps something there under its process id
exec bash "$@"
END
    section_blocks
    cat >"$BATS_TEST_TMPDIR/section/02.before" <<'END'
faketime '2026-11-30 06:59:59' cron -f &
for try in $(seq 500); do
    ! grep -q carol share-wanted.log || break
    sleep 0.02
done 2>/dev/null
END
    blocks_shell()
    {
        unshare -m -p -f --mount-proc --kill-child bash "$BATS_TEST_TMPDIR/place" "$@"
    }
    blocks_run "$BATS_TEST_TMPDIR"/{before,section}
    assert_blocks "$BATS_TEST_TMPDIR"/{before,section}
}

@test "cookbook.md: Share lists" {
    section_holds
}

@test "traps.md: Nothing is mounted there" {
    section_holds
}

@test "traps.md: A pattern finds what is there" {
    section_holds
}

@test "traps.md: A loop forgets" {
    section_holds
}

@test "traps.md: A list from Windows" {
    section_holds
}

@test "traps.md: An empty variable" {
    section_holds
}

@test "traps.md: Braces are bash's" {
    section_holds
}

@test "traps.md: rsync without its options" {
    section_holds
}

@test "traps.md: Tools that replace a file" {
    section_holds
}

@test "traps.md: make removes what it did not finish" {
    section_holds
}

@test "traps.md: More accounts than an image may have" {
    section_holds
}
