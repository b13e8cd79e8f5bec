#!/usr/bin/env bats
# imgshare import: what it takes, and where it says that a file is wrong. A wrong file changes nothing.

load helpers

setup()
{
    new_registry
    PLACE=$(cd "$BATS_TEST_TMPDIR" && pwd -P)
    REGISTRY=$PLACE/registry
    cd "$PLACE" || return
}

import()
{
    "$IMGSHARE" import "$REGISTRY" "$@"
}

# What most of an image must have, beside its id.
REST='"status":"ready","ownerPin":"jcloud-demo"'

# refuse PLACE WORDS [ARG]...: the file "wrong", which is standard input, is refused at PLACE
# (LINE:COLUMN, or a pattern) in these words, and the registry stays as it is. ARGS go to import.
refuse()
{
    local place=$1 words=$2 before

    shift 2
    cat >wrong
    before=$("$IMGSHARE" export "$REGISTRY"; sqlite3 "$REGISTRY" 'SELECT count(*) FROM event')
    run import wrong "$@" </dev/null
    [ "$status" -eq 1 ] || fail "exit status $status: $output"
    # shellcheck disable=SC2053
    [[ $output == "imgshare: wrong:"$place:\ *"$words"* ]] ||
        fail "not \"wrong:$place: ... $words\": $output"
    [ "${#lines[@]}" -eq 1 ] || fail "several lines: $output"
    assert_equal "$("$IMGSHARE" export "$REGISTRY"; sqlite3 "$REGISTRY" 'SELECT count(*) FROM event')" \
        "$before"
}

# ids: the images of REGISTRY, one a line, sorted.
ids()
{
    sqlite3 "$REGISTRY" 'SELECT image_id FROM image ORDER BY image_id'
}

# value_of ID MEMBER: of the record, as SQLite shows it.
value_of()
{
    sqlite3 "$REGISTRY" "SELECT json_extract(record, '$.$2') FROM image WHERE image_id = '$1'"
}

# --- what is wrong ---

@test "broken JSON is refused where it breaks" {
    refuse 1:1 'does not end' <<<'{"imageId":"img-1"'
    refuse 2:21 "near ','" <<<"[{\"imageId\":\"img-1\",$REST},
 {\"imageId\":\"img-2\",,}]"
    refuse 1:20 "near '\"name\"'" <<<'{"imageId":"img-1" "name":"x"}'
    refuse 1:1 broken <<<'<html>503 Service Unavailable</html>'
    refuse 2:1 broken <<<"{\"imageId\":\"img-1\",$REST}
}"
    refuse 1:73 'duplicate' <<<"{\"imageId\":\"img-1\",$REST,\"name\":\"a\",\"name\":\"b\"}"
}

@test "a file that was cut off is refused, wherever the cut is" {
    size=$(stat -c %s "$SAMPLE/images.json")
    for at in 1 100 1000 $((size / 2)) $((size - 3)); do
        refuse '[1-9]*:[1-9]*' '' < <(head -c "$at" "$SAMPLE/images.json")
    done
}

@test "a list without a name behind that of the images is refused, however long what is before it" {
    local head desc

    # Longer than what is read at a time: the name that was read last is not in memory any more.
    printf -v head %0250000d 0
    printf -v desc %050000d 0
    {
        printf '{"head":"%s","images":[' "$head"
        printf '{"imageId":"i%s",'"$REST"',"desc":"'"$desc"'"},' {1..5}
        printf '{"imageId":"i6",%s}]:[2]}\n' "$REST"
    } | refuse '1:*' 'broken JSON'
}

@test "a NUL is refused where it is, also behind a number" {
    refuse 2:2 'NUL' < <(printf '{"imageId":"a",%s,"x":1\n \0}\n' "$REST")
    refuse 1:10 'NUL' < <(printf '{"imageId\0":"a",%s}\n' "$REST")
}

@test "a wrong type is refused at its member" {
    refuse 1:2 'imageId must be a string' <<<"{\"imageId\":7,$REST}"
    refuse 2:1 'sizeMB must be a whole number' <<<"{\"imageId\":\"img-1\",$REST,
\"sizeMB\":\"big\"}"
    refuse 3:3 'systemDisk must be an object' <<<"{
  \"imageId\":\"img-1\",$REST,
  \"systemDisk\":[]}"
    refuse 1:2 'must be an object' <<<'[1]'
    refuse 1:1 'must be an object' <<<'"img-1"'
    refuse 1:70 'pins must be an array of strings' <<<"{\"imageId\":\"img-1\",$REST,\"pins\":[1]}"
    refuse 1:62 'pins must be an array of strings' <<<"{\"imageId\":\"img-1\",$REST,\"pins\":\"alice\"}"
}

@test "an image without what it needs is refused where it begins" {
    refuse 1:1 'imageId is missing' <<<"{$REST}"
    refuse 2:1 'status is missing' <<<'
{"imageId":"img-1","ownerPin":"jcloud-demo"}'
    refuse 1:1 'ownerPin is missing' <<<'{"imageId":"img-1","status":"ready"}'
    refuse 1:1 'imageId is missing' <<<'{}'
}

@test "an id that no directory can have is refused" {
    refuse 1:2 imageId <<<"{\"imageId\":\"a/b\",$REST}"
    refuse 1:2 imageId <<<"{\"imageId\":\"..\",$REST}"
    refuse 1:2 imageId <<<"{\"imageId\":\".\",$REST}"
    refuse 1:2 imageId <<<"{\"imageId\":\"\",$REST}"
    refuse 1:2 '255 bytes' <<<"{\"imageId\":\"$(printf 'x%.0s' {1..300})\",$REST}"
    refuse 1:12 '0xff' < <(printf '{"imageId":"\xff\xfe",%s}' "$REST")
    refuse 1:12 'u0000' < <(printf '{"imageId":"a\\u0000b",%s}' "$REST")
}

@test "an id that is there twice in a file is refused at the second, and the first is named" {
    refuse 3:2 '"img-1" is in this file already, at 2:2' <<<"[
{\"imageId\":\"img-1\",$REST},
{\"imageId\":\"img-1\",$REST}]"
}

@test "a status that the API does not know is refused" {
    refuse 1:20 'status must be ready, pending, deleting or error' \
        <<<'{"imageId":"img-1","status":"sleeping","ownerPin":"jcloud-demo"}'
    # The console's word is not the API's.
    refuse 1:20 'status must be' <<<'{"imageId":"img-1","status":"available","ownerPin":"jcloud-demo"}'
}

@test "an unknown account is refused under --no-new-accounts, and made without" {
    refuse 2:1 'no account "zeno"' --no-new-accounts <<<"{\"imageId\":\"img-1\",$REST,
\"pins\":[\"alice\",\"zeno\"]}"
    refuse 1:1 'no account "zeno"' --no-new-accounts --owner zeno <<<'{"imageId":"img-1","status":"ready"}'
    import wrong --owner zeno
    "$IMGSHARE" account list "$REGISTRY" | grep -P '^zeno\t-\t1\t0$'
}

@test "more pins than the limit are refused at the pins" {
    pins=$(printf '"dept-%s",' {01..20})
    refuse 2:3 'img-1" would be shared with 21 accounts; the limit is 20' <<<"{\"imageId\":\"img-1\",$REST,
  \"pins\":[$pins\"alice\"]}"
    # Those that the image has count, too, but each once.
    refuse 1:71 'would be shared with 22 accounts' \
        <<<"{\"imageId\":\"$IMG_MYSQL\",$REST,\"pins\":[${pins/'"dept-20"'/'"alice"'}\"carol\"]}"
    refuse 1:71 'would be shared with 21 accounts' \
        <<<"{\"imageId\":\"$IMG_FULL\",$REST,\"pins\":[\"partner-lab\"]}"
}

@test "a share that cannot be is refused at its pin" {
    refuse 3:1 '"jcloud-demo" is the image'"'"'s owner' <<<"{\"imageId\":\"img-1\",$REST,
\"pins\":[\"alice\",
\"jcloud-demo\"]}"
    refuse 1:78 '"alice" is there twice' <<<"{\"imageId\":\"img-1\",$REST,\"pins\":[\"alice\",\"alice\"]}"
    refuse 1:70 '"a/b" cannot be a pin' <<<"{\"imageId\":\"img-1\",$REST,\"pins\":[\"a/b\"]}"
    refuse 1:87 'released to everyone' \
        <<<"{\"imageId\":\"img-1\",$REST,\"launchPermission\":\"all\",\"pins\":[\"alice\"]}"
}

@test "an image of another account's is refused" {
    refuse 1:46 'is owned by another account, "jcloud-demo"' \
        <<<"{\"imageId\":\"$IMG_GOLDEN\",\"status\":\"ready\",\"ownerPin\":\"alice\"}"
}

@test "the answer to a request that failed is refused with the service's words" {
    refuse 1:2 'request that failed: access denied' \
        <<<'{"error":{"code":403,"status":"HTTP_FORBIDDEN","message":"access denied"}}'
}

@test "the columns count characters, not bytes" {
    refuse 1:58 'sizeMB' <<<'{"imageId":"img-1","desc":"安全","ownerPin":"a","name":"é","sizeMB":""}'
}

@test "a file with nothing in it is refused: what a failed download leaves" {
    refuse 1:1 'nothing in it' </dev/null
    refuse 1:1 'nothing in it' <<<'  '
    run import - </dev/null
    assert_failure 1
    assert_output 'imgshare: -:1:1: there is nothing in it'
}

@test "a file that is missing, or a directory, is refused by name" {
    before=$("$IMGSHARE" export "$REGISTRY")
    for file in "$PLACE/none" "$PLACE"; do
        run import "$SAMPLE/images.json" "$file"
        assert_failure 1
        assert_output --partial "imgshare: $file: "
    done
    assert_equal "$("$IMGSHARE" export "$REGISTRY")" "$before"
    run "$IMGSHARE" import "$PLACE/none" "$SAMPLE/images.json"
    assert_failure 1
    assert_output --partial "$PLACE/none: No such file"
    assert_not_exists "$PLACE/none"
}

@test "a wrong file among several keeps all of them out" {
    image_of img-1 >right
    refuse 1:2 imageId right <<<"{\"imageId\":\"\",$REST}"
    run import right wrong
    assert_failure 1
    assert_output --partial 'wrong:1:2'
    run ids
    refute_line img-1
}

@test "what a terminal would obey is not printed as it is" {
    printf '{"imageId":"img-1",%s,"pins":["\\u001b[2J/"]}' "$REST" >wrong
    run import wrong
    assert_failure 1
    refute_output --partial $'\e'
    assert_output --partial '\x1b[2J/'
}

# --- what is right ---

@test "a response of describeImages is taken as it is, and so are its parts" {
    "$PYTHON" -IS - "$SAMPLE/images.json" <<'END'
import json, sys
response = json.load(open(sys.argv[1], encoding="utf-8"))
images = response["result"]["images"]
def write(name, text, newline="\n"):
    open(name, "w", encoding="utf-8", newline=newline).write(text)
write("as-it-is", json.dumps(response))
write("inner", json.dumps(response["result"]))
write("array", json.dumps(images))
write("pretty", json.dumps(images, indent=8, ensure_ascii=False))
write("lines", "".join(json.dumps(image, ensure_ascii=False) + "\n" for image in images))
write("packed", " ".join(json.dumps(image, separators=(",", ":")) for image in images))
write("crlf", json.dumps(response, indent=1), "\r\n")
write("mark", "\ufeff" + json.dumps(images))
write("arrays", json.dumps(images[:5]) + "\n" + json.dumps(images[5:]))
END
    "$IMGSHARE" export "$REGISTRY" | normal >expected
    for shape in as-it-is inner array pretty lines packed crlf mark arrays; do
        cp "$REGISTRY" "$shape.registry"
        sqlite3 "$shape.registry" 'PRAGMA foreign_keys = ON; DELETE FROM share; DELETE FROM refusal;
            DELETE FROM image; DELETE FROM recipient; UPDATE account SET images = 0, received = 0'
        "$IMGSHARE" import "$shape.registry" "$shape"
        "$IMGSHARE" export "$shape.registry" | normal | diff expected - || fail "$shape"
        "$IMGSHARE" check "$shape.registry"
    done
}

# normal: the lines of an export without the times of the shares, written in one way.
normal()
{
    "$PYTHON" -IS -c '
import json, sys
lines = [json.loads(line) for line in sys.stdin]
for line in lines:
    line.pop("pinTimes", None)
print("\n".join(sorted(json.dumps(line, sort_keys=True) for line in lines)))'
}

@test "no images are fine where the answer says so" {
    for none in '[]' '{"result":{"images":[]}}' '{"requestId":"x","result":{"images":null}}'; do
        run import - <<<"$none"
        assert_success
        assert_output --partial 'imported 0 images'
    done
}

@test "standard input and several files are one import" {
    image_of img-1 >one
    image_of img-2 >two
    run import one - two < <(image_of img-3)
    assert_success
    assert_output 'imported 3 images (3 new, 0 updated), 0 shares new, from one, -, two'
    ids | grep -cx 'img-[123]' | grep -x 3
    run import - - </dev/null
    assert_failure 2
}

@test "importing again updates, and cancels nothing" {
    run import "$SAMPLE/images.json"
    assert_success
    assert_output --partial 'imported 24 images (0 new, 24 updated), 0 shares new'
    before=$(sqlite3 "$REGISTRY" 'SELECT id, image, pin, created_ns FROM share ORDER BY id')
    # The second record has neither the pins nor the size any more.
    import - <<<"{\"imageId\":\"$IMG_MYSQL\",$REST,\"name\":\"mysql-8.4\"}"
    assert_equal "$(value_of "$IMG_MYSQL" name)" mysql-8.4
    assert_equal "$(value_of "$IMG_MYSQL" sizeMB)" ''
    assert_equal "$(sqlite3 "$REGISTRY" 'SELECT id, image, pin, created_ns FROM share ORDER BY id')" "$before"
    # One that is new is added to those.
    import - <<<"{\"imageId\":\"$IMG_MYSQL\",$REST,\"pins\":[\"carol\",\"bob\"]}"
    assert_equal "$(shares_of "$IMG_MYSQL")" $'alice\nbob\ncarol'
    "$IMGSHARE" check "$REGISTRY"
}

@test "what a mount shows keeps its inode number, and changes within a second" {
    mount_registry
    image=$MNT/private/$IMG_MYSQL
    before=$(stat -c '%n %i' "$image" "$image/name" "$image/shares/alice" "$MNT/private")
    assert_equal "$(cat "$image/name" "$image/status")" $'mysql-8.0\navailable'
    import "$SAMPLE/images.json"
    import - <<<"{\"imageId\":\"$IMG_MYSQL\",\"status\":\"error\",\"ownerPin\":\"jcloud-demo\",\"name\":\"new name\"}"
    image_of img-new | import -
    wait_for 1.5 grep -x 'new name' "$image/name"
    wait_for 1 grep -x error "$image/status"
    wait_for 1 test -d "$MNT/private/img-new"
    assert_equal "$(stat -c '%n %i' "$image" "$image/name" "$image/shares/alice" "$MNT/private")" "$before"
    grep 'action=import outcome=done' "$MNT/events"
}

@test "what was exported imports into a new registry, and exports as the same" {
    "$IMGSHARE" init settings.registry --limit 7 --snapshots encrypted --account 'only-here'
    "$IMGSHARE" account add settings.registry someone --mobile 13900139000
    import_into settings.registry "{\"imageId\":\"img-1\",$REST,\"pins\":[\"alice\"],
        \"pinTimes\":[\"2021-02-03T04:05:06.123456789Z\"],\"unknownMember\":{\"a\":[1.50,1e3,\"\\u00e9/\"]}}"
    for from in "$REGISTRY" settings.registry; do
        rm -f copy*
        "$IMGSHARE" export "$from" >first
        "$IMGSHARE" init copy
        "$IMGSHARE" import copy first
        "$IMGSHARE" export copy | diff first -
        "$IMGSHARE" check copy
    done
    grep -F '"pinTimes":["2021-02-03T04:05:06.123456789Z"]' first
    grep -F '{"registry":1,"limit":7,"snapshots":"encrypted"}' first
    grep -F '{"account":"someone","mobile":"13900139000"}' first
    grep -F '{"account":"only-here"}' first
}

import_into()
{
    "$IMGSHARE" import "$1" - <<<"$2"
}

@test "names of any script, long ones and odd ones are kept to the byte" {
    name='a/b \"q\" \\ \u001b 数据 é \ud83d\ude00'
    import - <<<"{\"imageId\":\"镜像 1\",$REST,\"name\":\"$name\",\"desc\":\"$(printf 'x%.0s' {1..5000})\"}"
    mount_registry
    assert_equal "$(cat "$MNT/private/镜像 1/name")" 'a/b "q" \ \x1b 数据 é 😀'
    "$IMGSHARE" export "$REGISTRY" | grep -F "\"name\":\"$name\""
}

# --- progress, and the end ---

# big_file NUMBER: that many images in the file "big".
big_file()
{
    "$PYTHON" -IS -c '
import json, sys
pins = ["alice", "bob", "carol"]
for i in range(int(sys.argv[1])):
    print(json.dumps({"imageId": "img-%08d" % i, "name": "image %d" % i, "status": "ready",
                      "ownerPin": "jcloud-demo", "pins": pins[:i % 4], "desc": "x" * 100}))
' "$1" >big
}

images_above()
{
    [ "$(sqlite3 -readonly "$REGISTRY" 'SELECT count(*) FROM image')" -gt "$1" ]
}

# import_part: imports big in the background, as PID; when this returns a part of it is stored, and it waits
# for the lock, which this test has.
import_part()
{
    hold_lock
    env --default-signal=INT "$IMGSHARE" import "$REGISTRY" big >out 2>err 3>&- &
    PID=$!
    wait_for 60 lock_awaited
    until images_above 100; do
        flock -u "$LOCK_FD"
        sleep 0.01
        flock "$LOCK_FD"
    done
    wait_for 60 lock_awaited
}

@test "the progress bar is for a terminal only" {
    import "$SAMPLE/images.json" >out 2>err
    [ ! -s err ]
    assert_equal "$(wc -l <out)" 1
    refute grep $'\r' out
    script -qec "'$IMGSHARE' import '$REGISTRY' '$SAMPLE/images.json'" /dev/null </dev/null >terminal
    grep $'\r' terminal | grep -E 'reading|checking|storing'
    grep 'imported 24 images' terminal
    # One that takes longer, from its first moment on; at the end the line is empty.
    big_file 20000
    script -qec "'$IMGSHARE' import '$REGISTRY' big" /dev/null </dev/null >terminal
    tr '\r' '\n' <terminal >lines
    grep -qE '^reading  \[#*-+\] +[0-9]+%  [0-9]+ images' lines
    assert_equal "$(grep -n -B 1 '^.\[Kimported 20000 images' lines | wc -l)" 2
}

@test "a large import that is killed leaves a whole registry, and importing again completes it" {
    big_file 60000
    import_part
    kill -KILL "$PID"
    wait "$PID" && fail 'it was done before it was killed'
    release_lock
    "$IMGSHARE" check "$REGISTRY"
    refute images_above 60023
    run import big
    assert_success
    assert_output --partial 'imported 60000 images'
    "$IMGSHARE" check "$REGISTRY" | grep ' 60024 images'
}

@test "Ctrl-C ends a large import between two steps, and says how far it came" {
    big_file 60000
    import_part
    kill -INT "$PID"
    status=0
    wait "$PID" || status=$?
    release_lock
    [ "$status" -ne 0 ]
    grep -E 'stopped by a signal; [0-9]+ of 60000 images were imported: import again to go on' err
    "$IMGSHARE" check "$REGISTRY"
}

@test "a touch waits for a large import less than a second" {
    skip_if_sanitized
    big_file 40000
    mount_registry
    "$IMGSHARE" import "$REGISTRY" big >out 3>&- &
    pid=$!
    longest=0
    while kill -0 "$pid" 2>/dev/null; do
        begin=$(now_ms)
        touch "$MNT/private/$IMG_GOLDEN/shares/alice"
        rm "$MNT/private/$IMG_GOLDEN/shares/alice"
        took=$(($(now_ms) - begin))
        [ "$took" -le "$longest" ] || longest=$took
    done
    wait "$pid"
    echo "# the longest: $longest ms for a touch and an rm" >&3
    [ "$longest" -lt 2000 ]
    grep 'imported 40000 images' out
}
