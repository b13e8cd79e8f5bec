#!/usr/bin/env bats
# shellcheck disable=SC1003,SC2012,SC2016,SC2086  # odd names are what this is about
# What can be a pin. A share is made by making a file, and programs make files that nobody asked for, and
# typing errors make others: a name that cannot be a pin is refused before anything is looked up. The
# allow-list of a mount (-o allow=FILE) says more closely with whom its images may be shared.

load helpers

setup()
{
    export LC_ALL=C
    new_registry
}

# creates ERRNO NAME...: making shares of these names gives ERRNO.
creates()
{
    local expected=$1 i
    local -a found

    shift
    mapfile -t found < <(errno_of --each creat "${@/#/$MNT/private/$IMG_GOLDEN/shares/}")
    for ((i = 0; i < $#; i++)); do
        [ "${found[i]-}" = "$expected" ] ||
            fail "$(printf '%q: %s, not %s' "${@:i+1:1}" "${found[i]-no answer}" "$expected")"
    done
    [ ${#found[@]} -eq $# ] || fail "${#found[@]} answers to $# calls"
}

# refuses CODE NAME...: they are refused with EINVAL and CODE, there is an event for each, and no share
# is made.
refuses()
{
    local code=$1 before count

    shift
    before=$(grep -c "code=$code" "$MNT/events") || true
    creates EINVAL "$@"
    count=$(grep -c "errno=EINVAL code=$code " "$MNT/events") || true
    assert_equal $((count - before)) $#
    assert_shares $IMG_GOLDEN
    assert_equal "$(ls -A "$MNT/private/$IMG_GOLDEN/shares")" ''
}

# --- names ---

@test "white space and control characters are in no pin" {
    mount_registry
    refuses pin-invalid 'a b' ' a' 'a ' ' ' $'a\tb' $'a\nb' $'a\n' $'a\rb' $'\x01a' $'a\x1b[2J' $'a\x7f'
    # The same beyond ASCII: no-break, ideographic, em and zero-width spaces, controls, marks.
    refuses pin-invalid $'a\u00a0b' $'a\u3000b' $'a\u2003' $'a\u200bb' $'a\u0085b' $'a\u202eb' \
        $'\ufeffa' $'a\u00adb'
}

@test "characters that a shell takes for its own are in no pin" {
    mount_registry
    refuses pin-invalid 'a*' 'a?b' '[ab]' 'a[' 'a]' '{a' 'a}' 'a(b' 'a)' '$pin' 'a\b' 'a"b' "a'b" \
        'a<b' 'a>' 'a|b' 'a;b' 'a&b' 'alice,bob' 'alice~' '~alice' '#alice' 'a#b' 'a!b' 'a`b'
}

@test "a pin begins with neither a dot nor a hyphen" {
    mount_registry
    refuses pin-invalid .alice ... ..alice -alice -rf - --
}

@test "what is not UTF-8 is no pin" {
    mount_registry
    # A stray byte, a sequence that is cut or broken, overlong forms, a surrogate, beyond Unicode.
    refuses pin-invalid $'\xff' $'alice\x80' $'\xe5\xbc' $'\xc3(' $'\xc0\xaf' $'\xe0\x80\xaf' $'\xed\xa0\x80' \
        $'\xf4\x90\x80\x80' $'\xf8\x88\x80\x80\x80'
}

@test "what programs leave behind is no pin" {
    mount_registry
    refuses pin-leftover sedAb12Cd sed000000 tmp.XXXX tmp.AbCdEf1234 4913 core nohup.out alice.tmp \
        alice.part alice.swp alice.bak alice.orig alice.rej alice.dpkg-new desktop.ini Thumbs.db \
        autorun.inf
    # rsync, vim, emacs, gio, LibreOffice, NFS, FUSE, macOS, trash cans: these begin with a dot, or have a
    # character of the shell.
    refuses pin-invalid .alice.Ab3xYz .alice.swp .alice.swx alice~ '#alice#' '.#alice' \
        .goutputstream-AB12CD '.~lock.alice#' .nfs000000000012d687 .fuse_hidden0000000b .DS_Store ._alice \
        .Trash-0 .directory
}

@test "a name is too long from 256 bytes on: ENAMETOOLONG" {
    mount_registry
    long=$(printf 'a%.0s' {1..256})
    chinese=$(printf '张%.0s' {1..86}) # 258 bytes
    creates ENAMETOOLONG "$long" "$chinese" "$long$long" ".$long"
    assert_shares $IMG_GOLDEN
    creates ENXIO "${long:1}" "${chinese:3}" # no account, but names

    "$IMGSHARE" account add "$REGISTRY" "${long:1}"
    creates OK "${long:1}"
    assert_shares $IMG_GOLDEN "${long:1}"
    rm "$MNT/private/$IMG_GOLDEN/shares/${long:1}"
    assert_shares $IMG_GOLDEN
}

@test "other names can be pins; these are only no accounts: ENXIO" {
    mount_registry
    creates ENXIO a 0 a.b a-b a_b jd_123 user@example.com a+b a=b a%b a:b a^b 张三 数据平台-01 Ünal Core sed \
        sedan-lab sed-ops tmp tmp-lab tmp. cores core-team 491 49130 nohup x.tmpl alice.TMP bakery desktop
}

@test "a pin may be Chinese" {
    mount_registry
    "$IMGSHARE" account add "$REGISTRY" 张三
    touch "$MNT/private/$IMG_GOLDEN/shares/张三"
    assert_shares $IMG_GOLDEN 张三
    assert_event action=share pin=张三 outcome=done
    rm "$MNT/private/$IMG_GOLDEN/shares/张三"
    assert_shares $IMG_GOLDEN
}

@test "no name breaks the log: it stays text, and a line an event" {
    mount_registry
    before=$(wc -l <"$MNT/events")
    creates EINVAL $'a\nuid=0' $'a\x1b[31m' $'\xff\xfe' 'a" outcome=done' 'a\' $'a\u202eb'
    assert_equal $(($(wc -l <"$MNT/events") - before)) 6
    run -0 iconv -f utf-8 -t utf-8 "$MNT/events"
    LC_ALL=C.UTF-8 run grep -P '[^\n[:print:]]' "$MNT/events" "$MNT/private/$IMG_GOLDEN/last_refusal"
    assert_failure 1
    run grep -c '^time=[^ ]* action=share image=[^ ]* pin=.* outcome=refused errno=EINVAL' "$MNT/events"
    assert_output 6
    assert_equal "$(wc -l <"$MNT/private/$IMG_GOLDEN/last_refusal")" 1
}

@test "a share whose name could not be made now is shown, and can be cancelled" {
    # Rules for names bind the making of shares only.
    "$IMGSHARE" import "$REGISTRY" - <<<'{"imageId": "'$IMG_GOLDEN'", "name": "golden", "status": "ready",
        "ownerPin": "jcloud-demo", "pins": [".dot", "a b", "core", "alice~"]}'
    mount_registry
    cd "$MNT/private/$IMG_GOLDEN/shares"
    assert_equal "$(ls -A | sort)" $'.dot\na b\nalice~\ncore'
    touch core '.dot' # are there
    rm .dot 'a b' core alice~
    assert_equal "$(ls -A)" ''
    cd /
    assert_shares $IMG_GOLDEN
}

# --- the allow-list ---

# mount_with_list LINE...: with an allow-list of these lines.
mount_with_list()
{
    LIST=$BATS_TEST_TMPDIR/allowed
    printf '%s\n' "$@" >"$LIST"
    mount_registry -o "allow=$LIST"
}

# reload: makes the daemon read its lists again, and waits until it has.
reload()
{
    local before

    before=$(grep -c action=reload "$MNT/events") || true
    kill -HUP "$(daemon_pid "$MNT")"
    wait_for 5 has_reloads $((before + 1))
}

has_reloads()
{
    [ "$(grep -c action=reload "$MNT/events")" -eq "$1" ]
}

@test "-o allow: sharing is for pins on the list, others are EPERM" {
    mount_with_list alice carol
    path=$MNT/private/$IMG_GOLDEN/shares
    touch "$path/alice"
    run -1 touch "$path/bob"
    assert_output "touch: cannot touch '$path/bob': Operation not permitted"
    sentence='the pin is not in the allow-list of this mount'
    assert_event action=share image=$IMG_GOLDEN pin=bob outcome=refused errno=EPERM code=pin-unlisted \
        "message=$sentence" exe="$(realpath "$(type -P touch)")"
    run cat "$MNT/private/$IMG_GOLDEN/last_refusal"
    assert_output --partial " share bob: EPERM: $sentence. What to do: "
    creates EPERM bob partner-lab nobody-here
    assert_shares $IMG_GOLDEN alice
}

@test "the allow-list does not bind cancelling, nor what is shared already" {
    mount_with_list alice
    touch "$MNT/private/$IMG_MYSQL/shares/bob"
    rm "$MNT/private/$IMG_MYSQL/shares/bob"
    assert_shares $IMG_MYSQL alice
    run -1 touch "$MNT/private/$IMG_MYSQL/shares/bob"
    assert_shares $IMG_MYSQL alice
}

@test "an allow-list may hold comments, labels after a tab, and lines from Windows" {
    mount_with_list '# partners' '' $'alice\tAlice of the test lab' $'bob\r' '  carol  ' '#partner-lab' \
        'partner-lab # our partner'
    creates OK alice bob carol partner-lab
    assert_shares $IMG_GOLDEN alice bob carol partner-lab
}

@test "a pin on the allow-list may look like anything that a file can be called" {
    "$IMGSHARE" import "$REGISTRY" - <<<'{"imageId": "img-1", "name": "one", "status": "ready",
        "ownerPin": "jcloud-demo", "pins": [".dot", "a b", "core", "alice~"]}'
    mount_with_list .dot 'a b' core
    creates OK .dot 'a b' core
    assert_shares $IMG_GOLDEN .dot 'a b' core
    creates EINVAL alice~ sedAb12Cd # not on the list: the rule for names holds
}

@test "the allow-list is no list of accounts: who is on it must exist, and not be the owner" {
    mount_with_list nobody-here jcloud-demo 13800138000
    creates ENXIO nobody-here
    creates EINVAL jcloud-demo 13800138000
    assert_shares $IMG_GOLDEN
}

@test "an empty allow-list lets nothing be shared" {
    mount_with_list '# nobody, for now'
    creates EPERM alice bob
}

@test "on SIGHUP the allow-list is read again" {
    mount_with_list alice
    creates EPERM bob
    echo bob >"$LIST"
    reload
    assert_event action=reload outcome=done
    creates OK bob
    creates EPERM alice
    assert_shares $IMG_GOLDEN bob
}

@test "a bad allow-list changes nothing, and an event says what is wrong" {
    mount_with_list alice
    printf 'bob\na/b\n' >"$LIST"
    reload
    assert_event action=reload outcome=refused errno=EINVAL
    run tail -n 1 "$MNT/events"
    assert_output --partial "$LIST:2: not a pin: "
    creates EPERM bob
    creates OK alice

    rm "$LIST"
    reload
    assert_event action=reload outcome=refused errno=ENOENT
    creates EPERM bob
    assert_shares $IMG_GOLDEN alice
}

@test "without its allow-list there is no mount" {
    run mount_registry -o "allow=$BATS_TEST_TMPDIR/none" "$BATS_TEST_TMPDIR/mnt"
    assert_failure
    assert_output --partial "imgsharefs: $BATS_TEST_TMPDIR/none: No such file or directory"
    run is_mounted "$BATS_TEST_TMPDIR/mnt"
    assert_failure
}
