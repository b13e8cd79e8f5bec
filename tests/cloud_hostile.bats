#!/usr/bin/env bats
# shellcheck disable=SC2012,SC2030,SC2031,SC2086,SC2153  # ids of images need no quotes
# A cloud that is hostile, or in somebody else's hands: whatever it answers, memory and time are bounded, what is known stays and
# can be read, nothing leaves the tree, and no terminal is told anything.
#
# IMGSHARE_HOSTILE_PINS  pins in one answer (default: 20000; long form: 1000000)

load helpers
load cloud_helpers

MEMORY_KB=$((256 * 1024)) # at most, with all that is in one answer

setup()
{
    export LC_ALL=C.UTF-8
    start_cloud
}

# body JSON: as the parameter of a fault. A blank in front leaves it as it is.
body()
{
    printf 'body= {"requestId":"{requestId}","result":%s}' "$1"
}

# peak: sets PEAK to what the mount has needed at most since forget_peak, KB with the programs' own pages.
forget_peak()
{
    echo 5 >"/proc/$PID/clear_refs"
}

peak()
{
    PEAK=$(sed -n 's/^VmHWM:[[:space:]]*\([0-9]*\) kB$/\1/p' "/proc/$PID/status")
}

assert_memory()
{
    peak
    [ -n "${IMGSHARE_SANITIZE-}" ] || [ "$PEAK" -le $MEMORY_KB ] || fail "$1: $PEAK KB"
}

# known: what everybody knows before anything happens.
known()
{
    timeout 5 ls -A "$MNT/private" "$MNT/shared" "$WEB" &&
        timeout 5 stat -c '%i %n' "$WEB/alice" "$MNT/private/$CLOUD_GOLDEN/name"
}

mount_known()
{
    mount_read "$@"
    PID=$(daemon_pid "$MNT")
    BEFORE=$(known)
    forget_peak
}

# assert_unharmed WHAT: the program runs, what is known is as it was, and nothing speaks to a terminal.
assert_unharmed()
{
    kill -0 "$PID" || fail "$1: the program has ended"
    assert_equal "$1: $(known)" "$1: $BEFORE"
    assert_mute "$1"
    assert_memory "$1"
}

# assert_mute WHAT: no control character, nor half of one, in what is there to be read, or in a name.
assert_mute()
{
    ! { cat "$MNT/status" "$MNT/events" "$MNT"/private/*/{last_refusal,name,description,image.json} "$MNT"/shared/*/name
        find "$MNT" -printf '%p\n%l\n'; } |
        grep -anP '[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80[\x8e\x8f\xa8-\xae]|\xe2\x81[\xa6-\xa9]' || fail "$1"
}

# refuses ERRNO OPERATION ACTION [NAME=VALUE]...: a refresh that meets the fault fails so, and does no harm. Of the list of
# images, or of the shares of web.
refuses()
{
    local errno=$1 operation=$2 path=$WEB

    shift 2
    [ $operation = describeImageMembers ] || path=$MNT/private
    tell fault $operation "$@"
    assert_equal "$operation $*: $(timeout 20 "$PYTHON" -IS "$TESTS/errno_of.py" utime "$path" now)" \
        "$operation $*: $errno"
    [[ $* == *times=1* ]] || tell clear
    assert_unharmed "$operation $*"
}

# --- names ---

@test "ids that no file name can be are in no directory; status counts them, and names them escaped" {
    mount_known
    long=$(printf 'x%.0s' {1..300})
    tell fault describeImages answer source=private "$(body '{"totalCount":11,"images":[{"imageId":"../../../etc"},{"imageId":".."},{"imageId":"."},
        {"imageId":""},{"imageId":"a/b"},{"imageId":"\u001b[2J"},{"imageId":"x\u009b2J"},{"imageId":"x\u202ey"},
        {"imageId":"x\ny"},{"imageId":7},{"imageId":"'$long'"},{"imageId":"img-new","name":"new"}]}')"
    touch "$MNT/private"
    # Those that are in no such list have not gone: it could not be read whole.
    run ls -A "$MNT/private"
    assert_line img-new
    assert_equal "${#lines[@]}" 6
    assert_equal "$(status_of images_unlistable)" 11
    run status_of image_unlistable
    # One has no text for an id.
    assert_output "$(printf '%s\n' ../../../etc .. . '' a/b '\x1b[2J' 'x\xc2\x9b2J' 'x\xe2\x80\xaey' 'x\x0ay' '' "${long:0:255}... (300 bytes)")"
    assert_mute ids
    tell clear
    touch "$MNT/private"
    assert_equal "$(status_of images_unlistable)" ''
    assert_unharmed ids
}

@test "names of images lead nowhere but to the image" {
    mount_known
    list=
    number=0
    for name in ../../../etc /etc/passwd .. . '' / 'a/../../b' '\u001b]0;x\u0007' 'a\nb' 'x\u202ey' "$(printf 'n%.0s' {1..300})" \
        'private/../..' '@img-1' "x@$CLOUD_GOLDEN" "$CLOUD_GOLDEN"; do
        list+=",{\"imageId\":\"img-$((number += 1))\",\"status\":\"ready\",\"name\":\"$name\",\"desc\":\"$name\"}"
    done
    tell fault describeImages answer source=private "$(body "{\"totalCount\":$number,\"images\":[${list#,}]}")"
    touch "$MNT/private"
    count=0
    while IFS= read -r -d '' link; do
        [[ $(realpath "$link") == "$MNT"/private/img-* ]] || fail "$link leads to $(realpath "$link")"
        [ "$(realpath "$link")" -ef "$MNT/private/$(cat "$link/id")" ]
        ((count += 1))
    done < <(find "$MNT/by-name/private" -type l -print0)
    assert_equal $count $number
    assert_mute names
    assert_exists "$MNT/by-name/private/@img-1@img-13"
}

@test "an image with a name of ten megabytes is told of and not shown, and the others are" {
    mount_known
    piece='\u001b[2Jx'
    for _ in {1..10}; do piece+=$piece; done
    tell fault describeImages stream source=private pieces=1000 "piece=$piece" 'end="},{"imageId":"img-next"}]}}' \
        'start={"requestId":"r","result":{"totalCount":2,"images":[{"imageId":"img-long","status":"ready","name":"'
    touch "$MNT/private"
    assert_equal "$(status_of image_unlistable)" img-long
    assert_exists "$MNT/private/img-next"
    assert_not_exists "$MNT/private/img-long"
    assert_mute long
    tell clear
    touch "$MNT/private"
    assert_unharmed long
}

@test "ids that differ in case, or in Unicode's form, are different images; one that comes twice is one" {
    mount_known
    tell fault describeImages answer source=private "$(body '{"totalCount":4,"images":[{"imageId":"IMG-a"},{"imageId":"img-a"},
        {"imageId":"img-\u00e9"},{"imageId":"img-e\u0301"},{"imageId":"img-a","name":"twice"}]}')"
    touch "$MNT/private"
    assert_equal "$(ls -A "$MNT/private")" $'IMG-a\nimg-a\nimg-e\xcc\x81\nimg-\xc3\xa9'
    assert_equal "$(stat -c %i "$MNT"/private/* | sort -u | wc -l)" 4
    tell clear
}

@test "an own image that the other list claims as somebody's stays, with its shares" {
    mount_known
    for owner in mallory owner; do
        tell fault describeImages answer source=shared "$(body '{"totalCount":2,"images":[{"imageId":"'$CLOUD_RECEIVED'","ownerPin":"alice","status":"ready"},
            {"imageId":"'$CLOUD_WEB'","ownerPin":"'$owner'"}]}')"
        touch "$MNT/shared"
        tell clear
        assert_unharmed $owner
    done
}

# --- shares ---

@test "pins that no file name can be are counted and told of; a control character can be cancelled, and all go with the image" {
    mount_known
    long=$(printf 'x%.0s' {1..300})
    tell fault describeImageMembers answer image=$CLOUD_GOLDEN \
        "$(body '{"pins":["a/b","..",".","","ok","\u001b[2J","x\u009b2J","'$long'","'${long}y'","x\ny","ok"]}')"
    tell post '[{"do":"add-account","account":{"pin":"\u001b[2J"}},{"do":"share","image":"'$CLOUD_GOLDEN'","pin":"\u001b[2J"}]'
    GOLDEN=$MNT/private/$CLOUD_GOLDEN
    touch "$GOLDEN/shares"
    assert_equal "$(ls -A "$GOLDEN/shares")" ok
    assert_equal "$(cut -d / -f 1 "$GOLDEN/quota")" 10
    run status_of unlistable
    assert_equal "$(wc -l <<<"$output")" 9
    for pin in a/b .. . '' '\x1b[2J' 'x\xc2\x9b2J' "${long:0:255}... (300 bytes)" "${long:0:255}... (301 bytes)" 'x\x0ay'; do
        assert_line "$CLOUD_GOLDEN $pin"
    done
    assert_mute pins
    rm "$GOLDEN/shares/"$'\e[2J'
    assert_event action=cancel 'pin=\x1b[2J' outcome=done
    assert_equal "$(cut -d / -f 1 "$GOLDEN/quota")" 9
    tell remove-image $CLOUD_GOLDEN
    touch "$MNT/private"
    assert_not_exists "$GOLDEN"
    tell clear
    unmount "$MNT"
    # Each counter counts what is there.
    run "$IMGSHARE" check "$BATS_TEST_TMPDIR"/state/*.replica
    refute_output --partial counter
}

@test "so many pins in one answer are as many shares, and what is known can be read meanwhile" {
    pins=${IMGSHARE_HOSTILE_PINS:-20000}
    mount_known -o timeout=$((30 + pins / 3000))
    MEMORY_KB=$((MEMORY_KB * 2))
    tell fault describeImageMembers stream image=$CLOUD_GOLDEN pieces=$pins 'piece="pin-{n}",' \
        'start={"requestId":"r","result":{"pins":[' 'end="last"]}}'
    touch "$GOLDEN" 3>&- &
    touch=$!
    reads=0
    while kill -0 $touch 2>/dev/null; do
        timeout 5 ls "$WEB" "$MNT/private" >/dev/null
        timeout 5 stat "$WEB/alice" >/dev/null
        ((reads += 1))
    done
    wait $touch
    printf '# %d pins: read %d times meanwhile, ' $pins $reads >&3
    assert_memory 'many pins'
    printf 'at most %d KB\n' $PEAK >&3
    assert_equal "$(ls -f "$GOLDEN" | wc -l)" $((pins + 3))
    tell clear
}

@test "a pin that is a text, or no text, fails the question, and takes no share away" {
    mount_known
    refuses EBADMSG describeImageMembers stream pieces=10000 "piece=$(printf 'x%.0s' {1..1000})" 'start={"requestId":"r","result":{"pins":["' 'end="]}}'
    for pins in '"alice"' '{}' '["a",7]' '["a",null]' '[["a"]]' 'true'; do
        refuses EBADMSG describeImageMembers answer times=1 "$(body "{\"pins\":$pins}")"
    done
}

@test "an answer to another question fails, and changes nothing" {
    mount_known
    for other in '{"images":[],"totalCount":0}' '{"image":{"imageId":"'$CLOUD_WEB'"}}' '{"quotas":[]}' '{"pin":"owner"}'; do
        refuses EBADMSG describeImageMembers answer times=1 "$(body "$other")"
    done
    for other in '{"pins":[]}' '{"image":{"imageId":"'$CLOUD_WEB'"}}' '{"quotas":[]}' '{}'; do
        refuses EBADMSG describeImages answer times=2 source=private "$(body "$other")"
    done
    for id in $CLOUD_GOLDEN $CLOUD_RECEIVED img-unheard; do
        tell fault describeImage answer "$(body '{"image":{"imageId":"'$id'","name":"another","status":"error"}}')"
        assert_equal "$id $(errno_of utime "$MNT/private/$CLOUD_WEB" now)" "$id EBADMSG"
        tell clear
        assert_unharmed "$id for $CLOUD_WEB"
    done
}

# --- numbers ---

@test "numbers out of range are no numbers" {
    mount_known -o timeout=1
    for total in -1 9223372036854775807 9223372036854775808 1e308 1.5 '"5"' '[]'; do
        refuses EBADMSG describeImages answer source=private 'headers={"content-type":"text/plain"}' \
            'body= {"requestId":"r","result":{"images":[],"totalCount":'"$total"'}}'
    done
    for number in -5 9223372036854775807 '"5"'; do
        tell fault describeQuotas answer "$(body '{"quotas":[{"resourceType":"imageShare","limit":'"$number"',"used":'"$number"'}]}') "
        assert_equal "$(errno_of creat "$GOLDEN/carol") $(errno_of unlink "$GOLDEN/carol")" 'OK OK'
        tell clear
    done
    tell fault describeImages answer source=private "$(body '{"totalCount":1,"images":[{"imageId":"img-numbers","sizeMB":-9223372036854775808,
        "systemDiskSizeGB":1e308,"status":7,"name":[],"desc":{},"createTime":-1,"dataDisks":[7,[],{"cloudDisk":3}]}]}')"
    touch "$MNT/private"
    run cat "$MNT"/private/img-numbers/{size_mb,system_disk_gb,status,name,description,created,snapshot}
    assert_success
    assert_output $'-9223372036854775808\npending\n-1'
    tell clear
}

@test "what an answer's headers say is believed within reason" {
    mount_known
    for header in x-jdcloud-limit-minute x-jdcloud-remaining-minute retry-after date; do
        for value in -1 99999999999999999999 1e308 x "$(printf '9%.0s' {1..4000})"; do
            list+=",{\"do\":\"fault\",\"fault\":{\"do\":\"answer\",\"operation\":\"describeImageMembers\",\"times\":1,
                \"headers\":{\"$header\":\"$value\"},\"body\":{\"requestId\":\"r\",\"result\":{\"pins\":[\"alice\",\"bob\"]}}}}"
        done
    done
    tell post "[${list#,}]"
    for _ in {1..20}; do
        touch "$WEB"
    done
    assert_unharmed headers
}

# --- sizes, forms and times ---

@test "answers that are too large, have no end, or are of another form fail within the deadline, in bounded memory" {
    rows=(
        'huge mb=1024'
        'stream start={"requestId":"r","result":{"padding":" piece=xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx'
        'stream start={"requestId":"r","result":{"pins":[ piece=[[[[[[[['
        'stream start={"requestId":"r","result":{"pins":[ piece={},{},{},'
        'deep levels=100000'
        'stream head=HEAD piece=HEADER'
        'stream head=HEAD piece=CHUNK'
        'stream head=CHUNKED piece=CHUNK'
        'stream head=CHUNKED piece=ffffffffffffffff'
        'stream head=CONTINUE piece=CONTINUE'
        'raw text={"requestId":"r","result":{"pins":[]}}'
        'raw text=HTTP/9.9~999~x'
        'garbage bytes=65536'
        'answer headers={"content-encoding":"gzip"} base64=true body=BOMB'
        'answer headers={"content-encoding":"gzip"} body=no-gzip'
        'answer base64=true body=eyJyZXF1ZXN0SWQiOiJyIiwicmVzdWx0Ijp7InBpbnMiOlsi/yJdfX0='
        'answer body=~{"requestId":"r","result":{"pins":["a\u0000b"]}}'
        'answer body=~{"requestId":"r","result":{"pins":["\ud800"]}}'
        'answer body=~{"requestId":"r","result":{"pins":[]},"result":{"pins":[]}}'
        'drip bytes_per_s=1'
    )
    images=
    for number in "${!rows[@]}"; do
        images+=",{\"do\":\"add-image\",\"image\":{\"imageId\":\"img-h$number\",\"owner\":\"owner\",\"status\":\"ready\",\"pins\":[\"alice\"]}}"
    done
    tell post "[${images#,}]"
    mount_known -o timeout=1
    ls "$MNT"/private/img-h*/shares >/dev/null
    forget_peak
    bomb=$("$PYTHON" -IS -c 'import base64, gzip; print(base64.b64encode(gzip.compress(b"[" * (80 << 20), 9)).decode())')
    for number in "${!rows[@]}"; do
        row=${rows[number]}
        read -ra words <<<"$row"
        for word in "${!words[@]}"; do
            value=${words[word]//'~'/ }
            value=${value//BOMB/$bomb}
            value=${value//CONTINUE/$'HTTP/1.1 100 Continue\r\n\r\n'}
            value=${value//CHUNKED/$'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n'}
            value=${value//CHUNK/$'8\r\nxxxxxxxx\r\n'}
            value=${value//HEADER/$'x-header: xxxxxxxxxxxxxxxx\r\n'}
            words[word]=${value//HEAD/$'HTTP/1.1 200 OK\r\n'}
        done
        tell fault describeImageMembers "${words[@]}" image=img-h$number
    done
    for number in "${!rows[@]}"; do
        errno_of utime "$MNT/private/img-h$number/shares" now >"$BATS_TEST_TMPDIR/refresh$number" 3>&- &
    done
    wait_for 30 all_answered
    for number in "${!rows[@]}"; do
        [[ $(<"$BATS_TEST_TMPDIR/refresh$number") == @(EBADMSG|ETIMEDOUT|EREMOTEIO) ]] ||
            fail "${rows[number]}: $(<"$BATS_TEST_TMPDIR/refresh$number")"
        printf '# %s: %s\n' "${rows[number]}" "$(<"$BATS_TEST_TMPDIR/refresh$number")"
        assert_equal "${rows[number]}: $(ls "$MNT/private/img-h$number/shares")" "${rows[number]}: alice"
    done
    tell clear
    assert_unharmed 'all at once'
    printf '# %d hostile answers at once: at most %d KB\n' ${#rows[@]} $PEAK >&3
}

all_answered()
{
    local number

    for number in "${!rows[@]}"; do
        [ -s "$BATS_TEST_TMPDIR/refresh$number" ] || return
    done
}

@test "a list whose pages go round in circles, are too many, or too large fails; memory is bounded" {
    tell add-images 150 owner=owner status=ready name=many
    mount_known -o timeout=1
    # The same page again and again.
    page=$("$PYTHON" -IS -c '
import json
print(json.dumps([{"imageId": "img-page-%d" % n, "status": "ready"} for n in range(100)]))')
    tell fault describeImages answer source=private "$(body "{\"totalCount\":300,\"images\":$page}")"
    assert_equal "$(errno_of utime "$MNT/private" now)" EBADMSG
    assert_equal "$(find "$MNT/private" -maxdepth 1 -name 'img-*' | wc -l)" $((155 + 100))
    tell clear
    touch "$MNT/private"
    assert_unharmed 'pages in circles'
    forget_peak
    # More in a page than was asked for.
    refuses EBADMSG describeImages stream source=private pieces=101 'piece={"imageId":"img-more-{n}"},' 'end={"imageId":"img-more"}]}}' \
        'start={"requestId":"r","result":{"totalCount":102,"images":['
    # Pages of 15 MB, a thousand of them.
    [[ $(large_pages) == @(EBADMSG|ETIMEDOUT) ]]
    tell clear
    assert_unharmed 'large pages'
    printf '# pages of 15 MB: at most %d KB\n' $PEAK >&3
}

large_pages()
{
    tell fault describeImages stream source=private pieces=15000 "piece=$(printf 'x%.0s' {1..1000})" 'end="}]}}' \
        'start={"requestId":"r","result":{"totalCount":100000,"images":[{"imageId":"img-large","name":"'
    errno_of utime "$MNT/private" now
}

# --- ways and words ---

@test "a redirection is not followed, to nowhere: no signature leaves for another host" {
    mount_known
    "$PYTHON" -IS -c '
import socket, sys
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
while True:
    peer = listener.accept()[0]
    print("asked:", peer.recv(4096), flush=True)
    peer.close()' >"$BATS_TEST_TMPDIR/other" 3>&- &
    other=$!
    wait_for 5 test -s "$BATS_TEST_TMPDIR/other"
    port=$(<"$BATS_TEST_TMPDIR/other")
    list=
    for way in "301 http://127.0.0.1:$port/" "302 //127.0.0.1:$port/" "303 http://127.0.0.1:$port/" "307 http://127.0.0.1:$port/" \
        "308 http://127.0.0.1:$port/" '301 file:///etc/passwd'; do
        list+=",{\"do\":\"fault\",\"fault\":{\"do\":\"answer\",\"operation\":\"describeImageMembers\",\"times\":1,\"http\":${way% *},
            \"headers\":{\"location\":\"${way#* }\",\"refresh\":\"0; url=${way#* }\"},\"body\":{\"result\":7}}}"
    done
    tell post "[${list#,}]"
    for _ in {1..6}; do
        assert_equal "$(errno_of utime "$WEB" now)" EBADMSG
    done
    assert_unharmed redirections
    kill $other
    assert_equal "$(<"$BATS_TEST_TMPDIR/other")" $port
}

@test "words of the cloud reach no terminal: status, events, last_refusal, the log" {
    MNT=$BATS_TEST_TMPDIR/mnt
    mkdir "$MNT"
    clear_later "$MNT"
    JDCLOUD_ACCESS_KEY=$OWNER_KEY JDCLOUD_SECRET_KEY=$OWNER_SECRET "$IMGSHAREFS" -f -d \
        -o "endpoint=$CLOUD_URL,state=$BATS_TEST_TMPDIR/state,timeout=2" \
        jdcloud:$REGION "$MNT" </dev/null >"$BATS_TEST_TMPDIR/log" 2>&1 3>&- &
    wait_for 10 is_mounted "$MNT"
    wait_for 10 lists_known "$MNT"
    evil='\u001b]0;x\u0007\u001b[2J\u009b2J\u202e\r\ntime=now outcome=done'
    tell fault shareImage answer http=400 'headers={"x-jdcloud-request-id":"\u009b2J"}' \
        "body={\"requestId\":\"$evil\",\"error\":{\"code\":400,\"status\":\"$evil\",\"message\":\"$evil\"}}"
    for pin in alice carol; do
        refute touch "$MNT/private/$CLOUD_GOLDEN/shares/$pin"
    done
    tell fault describeImageMembers answer http=403 \
        "body={\"requestId\":\"$evil\",\"error\":\"$evil\"}"
    refute touch "$MNT/private/$CLOUD_GOLDEN/shares"
    assert_event_has action=share pin=carol outcome=refused
    assert_mute words
    refute grep '^[^"]* outcome=done' "$MNT/events"
    refute grep -anP '[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80\xae' "$BATS_TEST_TMPDIR/log"
}

@test "an account that the cloud names with what no name can be is no account: the mount fails, and says so" {
    for pin in 'a/../b' '\u001b[2J' "$(printf 'x%.0s' {1..300})"; do
        tell fault describeUserPin answer "$(body "{\"pin\":\"$pin\"}")"
        tell fault describeUser answer "$(body "{\"pin\":\"$pin\"}")"
        tell fault describeImages answer "$(body "{\"totalCount\":1,\"images\":[{\"imageId\":\"i\",\"ownerPin\":\"$pin\"}]}")"
        run mount_cloud_only
        assert_failure
        assert_output --partial "does not tell this key's User Pin"
        refute_output --partial $'\e'
        tell clear
    done
}
