#!/usr/bin/env bats
# imgshare init, account, check, backup, explain and export: what they do, what they refuse, and how.

load helpers

setup()
{
    new_registry
    PLACE=$(cd "$BATS_TEST_TMPDIR" && pwd -P)
    REGISTRY=$PLACE/registry
    cd "$PLACE" || return
}

teardown()
{
    cd /
    unmount_all
    if [ -d "$BATS_TEST_TMPDIR/disk" ] && mountpoint -q "$BATS_TEST_TMPDIR/disk"; then
        wait_for 5 umount "$BATS_TEST_TMPDIR/disk"
    fi
}

# refuse STATUS WORDS WORD...: imgshare WORD... exits with STATUS, says WORDS on one line of stderr and
# nothing on stdout.
refuse()
{
    local expected=$1 words=$2

    shift 2
    status=0
    "$IMGSHARE" "$@" </dev/null >"$PLACE/.out" 2>"$PLACE/.err" || status=$?
    [ "$status" -eq "$expected" ] || fail "exit status $status of: imgshare $*: $(cat "$PLACE/.err")"
    [[ $(cat "$PLACE/.err") == "imgshare: "*"$words"* ]] ||
        fail "no \"$words\" of: imgshare $*: $(cat "$PLACE/.err")"
    assert_equal "$(wc -l <"$PLACE/.err")" 1
    [ ! -s "$PLACE/.out" ] || fail "on stdout: $(cat "$PLACE/.out")"
}

# small_disk SIZE: an empty file system of that size in PLACE/disk.
small_disk()
{
    need_root
    mkdir "$PLACE/disk"
    mount -t tmpfs -o "size=$1" none "$PLACE/disk"
}

# --- calling it ---

@test "each command tells its use on standard output" {
    run "$IMGSHARE" --help
    assert_success
    for command in init 'account add' 'account list' import export check backup explain; do
        assert_line --regexp "^  $command "
        # shellcheck disable=SC2086
        "$IMGSHARE" $command --help >help 2>err
        [ ! -s err ]
        grep "^usage: imgshare $command" help
    done
    assert_equal "$("$IMGSHARE" account --help | grep -c ^usage)" 2
    run "$IMGSHARE" --version
    assert_output --regexp '^imgshare [0-9]+\.[0-9]+\.[0-9]+$'
}

@test "a wrong call is refused by the word that is wrong" {
    refuse 2 'no command'
    refuse 2 'mount' mount
    refuse 2 '--verbose' --verbose
    refuse 2 'add or list' account
    refuse 2 'remove' account remove x
    for command in init 'account add' 'account list' import export check backup; do
        # shellcheck disable=SC2086
        refuse 2 'REGISTRY is missing' $command
        # shellcheck disable=SC2086
        refuse 2 '--bogus' $command --bogus registry
    done
    refuse 2 'PIN is missing' account add registry
    refuse 2 'FILE is missing' import registry
    refuse 2 'FILE is missing' backup registry
    refuse 2 'surplus' check registry surplus
    refuse 2 'surplus' init new surplus
    assert_not_exists new
    refuse 2 '--limit' init new --limit
    refuse 2 '--owner cannot be a pin' import --owner a/b registry images.json
    refuse 2 '--svg takes no value' graph --svg=1 registry
    refuse 2 'is missing' graph
    for command in apply audit graph; do
        refuse 2 '--bogus' $command --bogus
        refuse 2 'one word too many' $command a b c
    done
    # Of these, 2 says that there is something to do.
    for command in plan undo; do
        refuse 1 'is missing' $command
        refuse 1 '--bogus' $command --bogus
        refuse 1 'one word too many' $command a b c
    done
}

@test "a registry that is none is said by every command that reads one" {
    echo text >text
    for command in 'account list' export check; do
        # shellcheck disable=SC2086
        refuse 1 'text: not a registry' $command text
        # shellcheck disable=SC2086
        refuse 1 'none: No such file' $command none
    done
    refuse 1 'text: not a registry' account add text zeno
    refuse 1 'text: not a registry' backup text copy
    refuse 1 'text: not a registry' import text "$SAMPLE/images.json"
    assert_not_exists copy
    assert_equal "$(cat text)" text
}

@test "an output that cannot be written is status 1" {
    for words in --help --version 'account list registry' 'export registry' 'check registry' explain \
        'init --help' "import registry $SAMPLE/images.json"; do
        status=0
        # shellcheck disable=SC2086
        "$IMGSHARE" $words >/dev/full 2>err || status=$?
        [ "$status" -eq 1 ] || fail "exit status $status of: imgshare $words"
        grep '^imgshare: standard output: ' err
    done
}

@test "a reader that goes away ends it" {
    "$IMGSHARE" export registry 2>err | head -n 1 >first
    grep '"registry":1' first
    refute grep -v 'standard output' err
}

# --- init ---

@test "init makes a registry that is its owner's alone" {
    (umask 0 && "$IMGSHARE" init new) >out 2>&1
    [ ! -s out ]
    assert_equal "$(stat -c %a new)" 600
    "$IMGSHARE" check new | grep 'ok: 0 accounts, 0 images, 0 shares'
    assert_equal "$("$IMGSHARE" export new)" '{"registry":1,"limit":20,"snapshots":"any"}'
}

@test "its options are accounts and settings" {
    "$IMGSHARE" init new --account zeno --limit 3 --snapshots none --account 'ann@example.com'
    assert_equal "$("$IMGSHARE" export new)" '{"registry":1,"limit":3,"snapshots":"none"}
{"account":"zeno"}
{"account":"ann@example.com"}'
    for limit in 0 -1 x 1000001 ''; do refuse 2 '--limit' init other --limit "$limit"; done
    refuse 2 '--snapshots some' init other --snapshots some
    refuse 2 'twice' init other --account a --account a
    for pin in '' .hidden 'a b' '*' a/b -dash sed12Ab3c file.tmp; do
        refuse 2 '--account' init other "--account=$pin"
    done
    assert_not_exists other
}

@test "the limit and the snapshots of init rule the mount" {
    "$IMGSHARE" init new --limit 1 --snapshots encrypted --account jcloud-demo --account alice --account bob
    "$PYTHON" -IS -c '
import json, sys
for image in json.load(open(sys.argv[1]))["result"]["images"]:
    image.pop("pins", None)
    print(json.dumps(image))' "$SAMPLE/images.json" | "$IMGSHARE" import new -
    REGISTRY=new
    mount_registry
    cd "$MNT/private"
    assert_equal "$(errno_of creat "$IMG_SNAPSHOT/shares/alice")" OK
    assert_equal "$(errno_of creat "$IMG_SNAPSHOT/shares/bob")" EDQUOT
    assert_equal "$(cat "$IMG_SNAPSHOT/quota")" 1/1
    assert_equal "$(errno_of creat "$IMG_ENCRYPTED/shares/alice")" EOPNOTSUPP
}

@test "init leaves alone what is there" {
    before=$(sha256sum registry)
    refuse 1 'registry: File exists' init registry
    assert_equal "$(sha256sum registry)" "$before"
    ln -s nowhere link
    refuse 1 'link: File exists' init link
    assert_not_exists nowhere
    refuse 1 "$PLACE: File exists" init "$PLACE"
    refuse 1 'none/new: No such file' init none/new
}

@test "an init that fails leaves nothing" {
    small_disk 16k
    refuse 1 disk/new init disk/new --account zeno
    assert_equal "$(ls -A disk)" ''
}

# --- account ---

@test "accounts are added and listed, with their numbers of images" {
    "$IMGSHARE" account add registry zeno >out 2>&1
    "$IMGSHARE" account add registry yves --mobile 13700137000 >>out 2>&1
    [ ! -s out ]
    run "$IMGSHARE" account list registry
    assert_success
    assert_line --index 0 $'jcloud-demo\t-\t19\t3'
    assert_line --index 1 $'partner-lab\t-\t5\t0'
    assert_line $'carol\t13800138000\t0\t1'
    assert_line $'zeno\t-\t0\t0'
    assert_line --index 23 $'yves\t13700137000\t0\t0'
    "$IMGSHARE" check registry
}

@test "an account that is there, or cannot be, is refused" {
    before=$("$IMGSHARE" export registry)
    refuse 1 '"alice" is there already' account add registry alice
    refuse 1 'mobile number 13800138000 is another account' account add registry zeno --mobile 13800138000
    for pin in '' . .. .hidden 'a b' 'a;b' a/b nohup.out "$(printf 'x%.0s' {1..256})" $'a\xff' $'a\e[m'; do
        refuse 2 'account add: "' account add registry "$pin"
    done
    refute grep $'\e' .err
    for mobile in 1234 abc '' 123456789012345678901; do
        refuse 2 --mobile account add registry zeno --mobile "$mobile"
    done
    assert_equal "$("$IMGSHARE" export registry)" "$before"
}

@test "a mount knows a new account, and its number, at once" {
    mount_registry
    share=$MNT/private/$IMG_GOLDEN/shares
    assert_equal "$(errno_of creat "$share/zeno")" ENXIO
    assert_equal "$(errno_of creat "$share/13700137000")" ENXIO
    "$IMGSHARE" account add registry zeno --mobile 13700137000
    assert_equal "$(errno_of creat "$share/13700137000")" EINVAL
    assert_equal "$(errno_of creat "$share/zeno")" OK
}

@test "who may not write the registry is told so" {
    need_root
    # shellcheck disable=SC2016
    run as_nobody '
        chmod 0444 registry; chmod 0555 .
        imgshare account list registry | wc -l
        imgshare check registry
        imgshare export registry | wc -l
        imgshare account add registry zeno; status=$?
        chmod 0755 .; ls; exit $status'
    assert_failure 1
    assert_line --index 0 22
    assert_line --index 1 'registry: ok: 22 accounts, 24 images, 27 shares'
    assert_line --index 2 47
    assert_line --index 3 --partial 'imgshare: registry: cannot be written by this user'
    assert_line --index 4 registry
    [ "${#lines[@]}" -eq 5 ]
}

# --- check ---

@test "check says that a whole registry is whole, also while it is mounted" {
    mount_registry
    touch "$MNT/private/$IMG_GOLDEN/shares/alice"
    touch "$MNT/private/$IMG_PENDING/shares/alice" || true
    run "$IMGSHARE" check registry
    assert_success
    assert_output 'registry: ok: 22 accounts, 24 images, 28 shares'
}

# breach WORDS SQL: after SQL check fails with a line of WORDS (a regular expression).
breach()
{
    cp registry broken
    sqlite3 broken "$2"
    run "$IMGSHARE" check broken
    [ "$status" -eq 1 ] || fail "exit status $status after: $2: $output"
    assert_line --regexp "^broken: .*$1"
    refute_line --partial 'ok:'
    rm -f broken*
}

@test "check finds counters that do not count" {
    breach "$IMG_MYSQL: counter shares is 9, but 2" \
        "UPDATE image SET shares = 9 WHERE image_id = '$IMG_MYSQL'"
    breach 'jcloud-demo: counter images is 1, but it owns 19' \
        "UPDATE account SET images = 1 WHERE pin = 'jcloud-demo'"
    breach 'alice: counter received is 0, but 3' "UPDATE account SET received = 0 WHERE pin = 'alice'"
    breach 'alice of jcloud-demo: counter images is 3, but 2' \
        "UPDATE recipient SET images = 3 WHERE pin = 'alice' AND owner = 1"
    breach 'bob of jcloud-demo: counter images is 0, but' "DELETE FROM recipient WHERE pin = 'bob'"
    breach "$IMG_MYSQL: counter shares is 2, but 1" "DELETE FROM share WHERE pin = 'bob'"
}

@test "check finds shares that no rule allows" {
    breach "$IMG_GOLDEN.* shared with its owner jcloud-demo" "INSERT INTO share (image, pin, created_ns)
        SELECT id, 'jcloud-demo', 1 FROM image WHERE image_id = '$IMG_GOLDEN'"
    breach "$IMG_EVERYONE: released to everyone, but shared with alice" \
        "INSERT INTO share (image, pin, created_ns)
        SELECT id, 'alice', 1 FROM image WHERE image_id = '$IMG_EVERYONE'"
    breach "$IMG_FULL: shared with 20 accounts, more than the limit" \
        "UPDATE setting SET value = '19' WHERE name = 'limit'"
    breach 'setting limit is "many"' "UPDATE setting SET value = 'many' WHERE name = 'limit'"
    breach 'setting snapshots is "some"' "UPDATE setting SET value = 'some' WHERE name = 'snapshots'"
    breach 'share, row [0-9]+: refers to a row of account' "DELETE FROM account WHERE pin = 'bob'"
}

@test "check finds records that are not what their columns say" {
    local where="WHERE image_id = '$IMG_GOLDEN'"

    breach "$IMG_GOLDEN: the record is broken JSON" "UPDATE image SET record = '{' $where"
    breach "$IMG_GOLDEN: the record is wrong: status" "UPDATE image SET record = '{\"imageId\":\"x\"}' $where"
    breach "$IMG_GOLDEN: column name" "UPDATE image SET name = 'x' $where"
    breach "$IMG_GOLDEN: column status" "UPDATE image SET status = 1 $where"
    breach "$IMG_GOLDEN: column released" "UPDATE image SET released = 1 $where"
    breach "$IMG_GOLDEN: column snapshots" "UPDATE image SET snapshots = 1 $where"
    breach 'img-other: the record is of image' "UPDATE image SET image_id = 'img-other' $where"
    breach "$IMG_GOLDEN: the record says owner" "UPDATE image SET owner = 2 $where"
}

@test "check finds events, times and row ids that cannot be" {
    breach 'jcloud-demo: the event at 0 ends at' 'UPDATE account SET events_end = events_end + 1'
    breach 'the event at 0 is not one line' \
        "UPDATE event SET line = 'a' || char(10) || substr(line, 3)"
    breach "$IMG_GOLDEN: a time is in the future" \
        "UPDATE image SET shares_ns = shares_ns + 3600000000000 WHERE image_id = '$IMG_GOLDEN'"
    breach 'share with alice is of the future' 'UPDATE share SET created_ns = 9000000000000000000'
    breach 'table image: row 24 is above the last one given, 3' \
        "UPDATE sqlite_sequence SET seq = 3 WHERE name = 'image'"
    breach 'feed row' 'UPDATE feed SET kind = 9'
}

@test "check finds an index that was dropped, and pages that cannot be read" {
    breach 'schema: index share_by_image' 'DROP INDEX share_by_image'
    page=$(sqlite3 registry "SELECT pageno - 1 FROM dbstat WHERE name = 'share_by_pin'")
    dd if=/dev/urandom of=registry bs=4096 seek="$page" count=1 conv=notrunc status=none
    run "$IMGSHARE" check registry
    assert_failure 1
    assert_output --partial registry:
}

@test "check prints a line for each breach" {
    sqlite3 registry 'UPDATE image SET shares = shares + 1'
    run "$IMGSHARE" check registry
    assert_failure 1
    assert_equal "$(grep -c 'counter shares is' <<<"$output")" 24
}

# --- backup ---

@test "a backup of a registry that is mounted and written to is whole" {
    mount_registry
    for _ in {1..1000}; do
        touch "$MNT"/private/{"$IMG_GOLDEN","$IMG_BARE"}/shares/{alice,bob,carol}
        rm "$MNT"/private/{"$IMG_GOLDEN","$IMG_BARE"}/shares/{alice,bob,carol}
        [ ! -e "$PLACE/enough" ] || break
    done 3>&- &
    writer=$!
    wait_for 5 test -e "$MNT/private/$IMG_GOLDEN/shares/alice"
    for number in 1 2 3; do
        (umask 0 && "$IMGSHARE" backup registry "copy $number")
    done
    : >enough
    wait "$writer"
    for number in 1 2 3; do
        "$IMGSHARE" check "copy $number"
        assert_equal "$(stat -c %a "copy $number")" 600
    done
    assert_equal "$(find . -name '*.partial*')" ''
    # It is a registry of its own.
    # shellcheck disable=SC2034
    REGISTRY=$PLACE/"copy 1"
    mount_registry
    touch "$MNT/private/$IMG_CHINESE/shares/alice"
    assert_equal "$(shares_of "$IMG_CHINESE")" alice
}

@test "a backup holds everything, the log too" {
    mount_registry
    touch "$MNT/private/$IMG_GOLDEN/shares/alice"
    "$IMGSHARE" backup registry copy
    diff <(sqlite3 registry .dump) <(sqlite3 copy .dump)
}

@test "a backup overwrites nothing, and one that fails leaves nothing" {
    echo kept >there
    refuse 1 'there: File exists' backup registry there
    assert_equal "$(cat there)" kept
    refuse 1 'registry: File exists' backup registry registry
    refuse 1 'none/copy' backup registry none/copy
    echo kept >copy.partial
    refuse 1 'copy.partial: File exists; left by a backup that was killed?' backup registry copy
    assert_equal "$(cat copy.partial)" kept
    assert_not_exists copy
    "$IMGSHARE" check registry

    small_disk 64k
    refuse 1 'No space left' backup registry disk/copy
    assert_equal "$(ls -A disk)" ''
}

# --- explain ---

@test "explain prints the table, a row of it, or the rows of an errno" {
    "$IMGSHARE" explain >table
    rows=$(grep -cE '^E[A-Z]+ +[a-z-]+ ' table)
    [ "$rows" -ge 30 ]
    assert_equal "$(grep -c '^    What to do: ' table)" "$rows"
    [ "$(wc -L <table)" -le 100 ]
    # Each code is a row, by itself.
    while read -r name code _; do
        "$IMGSHARE" explain "$code" >row
        grep -qE "^$name +$code " row || fail "$code"
        assert_equal "$(grep -c '^E' row)" 1
    done < <(grep ^E table)
    "$IMGSHARE" explain EBUSY >row
    "$IMGSHARE" explain ebusy | diff row -
    "$IMGSHARE" explain 16 | diff row -
    grep image-pending row
    [ "$("$IMGSHARE" explain EPERM | grep -c ^EPERM)" -gt 4 ]
}

@test "explain says what is no refusal, and what is no errno" {
    refuse 1 'ENOTBLK (Block device required) is no refusal' explain ENOTBLK
    refuse 2 'EWHATEVER is no errno' explain EWHATEVER
    refuse 2 '4711 is no errno' explain 4711
    refuse 2 surplus explain EBUSY surplus
}

# explain PATH: must succeed; output is what it says, in one line.
explain()
{
    run "$IMGSHARE" explain "$1"
    assert_success
    output=${output//$'\n'/ }
}

@test "explain PATH says before what touch will do, for each image of the sample" {
    mount_registry
    for image in "$MNT"/private/* "$MNT"/shared/*; do
        explain "$image/shares/partner-lab"
        done=$(errno_of creat "$image/shares/partner-lab")
        case $done in
        OK) [[ $output == *"would share ${image##*/} with partner-lab"* ]] ;;
        *) [[ $output == *"would be refused: $done "* ]] ;;
        esac || fail "$image: $done, but explain said: $output"
    done
}

@test "explain PATH knows each name that cannot be a share" {
    mount_registry
    while read -r name said; do
        explain "$MNT/private/$IMG_GOLDEN/shares/$name"
        assert_output --partial "$said"
        assert_equal "$(errno_of creat "$MNT/private/$IMG_GOLDEN/shares/$name")" "${said%% *}"
    done <<END
13800138000 EINVAL (mobile-number)
jcloud-demo EINVAL (own-pin)
nobody-here ENXIO (no-account)
.hidden EINVAL (pin-invalid)
file.tmp EINVAL (pin-leftover)
END
}

@test "explain PATH tells of a share that is there, of rm, and of the last refusal" {
    mount_registry
    share=$MNT/private/$IMG_MYSQL/shares
    explain "$share/alice"
    assert_output --regexp '^alice has it since [0-9TZ:-]+: touch changes nothing, rm cancels it$'
    touch "$share/nobody-here" || true
    explain "$MNT/private/$IMG_MYSQL"
    assert_output --partial 'an image of jcloud-demo that can be shared'
    assert_output --regexp 'last refusal: .* share nobody-here: ENXIO \(no-account\)'
    cd "$share"
    explain ./bob
    assert_output --regexp '^bob has it since'
    assert_output --partial 'ENXIO (no-account)'
    explain "$MNT/shared/$IMG_PARTNER_ML/shares/jcloud-demo"
    assert_output --partial 'would be refused: EACCES (not-owner)'
}

@test "explain PATH knows how the mount is mounted" {
    echo carol >allow
    mount_registry -o "nocancel,allow=$PLACE/allow"
    explain "$MNT/private/$IMG_MYSQL/shares/alice"
    assert_output --partial 'would be refused: EPERM (cancel-off)'
    explain "$MNT/private/$IMG_MYSQL/shares/dept-01"
    assert_output --partial 'allow-list of 1 pin'
    unmount "$MNT"
    mount_registry -o ro
    explain "$MNT/private/$IMG_MYSQL/shares/carol"
    assert_output --partial 'would be refused: EROFS (read-only)'
}

@test "explain names everything else in a mount, and refuses a path outside" {
    mount_registry
    for path in . README account account/pin status events by-name by-name/private by-name/shared \
        by-account by-account/alice private shared; do
        explain "$MNT/$path"
        refute_output --partial 'no share and no image'
        assert_output --partial 'nothing can be made or removed here'
    done
    refuse 1 'no image img-none in private/' explain "$MNT/private/img-none"
    refuse 1 'No such file or directory' explain "$MNT/private/img-none/shares/alice"
    refuse 1 'not inside a mount of imgsharefs' explain /etc/passwd
    refuse 1 'No such file or directory' explain "$PLACE/none/none"
}
