#!/usr/bin/env bats
# shellcheck disable=SC2012,SC2016,SC2086,SC2153  # ls is tested here; ids of images need no quotes
# The connections to the cloud: over HTTP and HTTPS, kept, ended by the service, and what that costs.

load helpers
load cloud_helpers

setup()
{
    export LC_ALL=C.UTF-8
    PROXY_PID=
}

teardown()
{
    unmount_all
    [ -z "$PROXY_PID" ] || kill -KILL "$PROXY_PID"
    stop_all
}

# connections OPTION...: starts a cloud with these options and mounts it, with web's shares read.
connections()
{
    start_cloud "$@"
    mount_read ${CLOUD_CA:+-o "cacert=$CLOUD_CA"}
}

# asked_but_limits NUMBER: as asked_since. The limits of images in use are asked for in the background.
asked_but_limits()
{
    asked_since "$1" | grep -vx describeQuotas
}

opened()
{
    control get counts | sed -n 's/^ *"connections accepted": \([0-9]*\),*$/\1/p'
}

# one_request_each: a share and a cancel, and a question, after the cloud has closed all idle
# connections, are one request each.
one_request_each()
{
    local before how

    for how in --idle '--idle --reset'; do
        before=$(requests_count)
        # shellcheck disable=SC2086
        tell drop-connections $how
        touch "$GOLDEN/alice"
        assert_equal "$how: $(asked_but_limits $before)" "$how: shareImage"
        # shellcheck disable=SC2086
        tell drop-connections $how
        rm "$GOLDEN/alice"
        assert_equal "$how: $(asked_but_limits $before)" "$how: "$'shareImage\nunShareImage'
        # shellcheck disable=SC2086
        tell drop-connections $how
        touch "$WEB"
        assert_equal "$how: $(asked_but_limits $before | tail -n +3)" "$how: describeImageMembers"
        assert_equal "$how: $(status_of unsettled)" "$how: 0 changes"
    done
    assert_cloud_shares $CLOUD_GOLDEN
}

@test "HTTP: a share, a cancel and a question are one request each after the cloud has closed what was idle" {
    connections
    one_request_each
}

@test "HTTPS: a share, a cancel and a question are one request each after the cloud has closed what was idle" {
    connections --tls
    one_request_each
}

@test "HTTPS: connections that the cloud closes by itself cost no request and no failure" {
    connections --tls --set idle_close_ms=50
    before=$(requests_count)
    for pin in alice bob carol; do
        sleep 0.2
        touch "$GOLDEN/$pin"
    done
    assert_equal "$(asked_but_limits $before | uniq -c)" '      3 shareImage'
    assert_cloud_shares $CLOUD_GOLDEN alice bob carol
}

@test "HTTPS: what is asked one after the other goes over one connection, and no more than 16 are ever made" {
    start_cloud --tls
    tell add-images 40 owner=owner status=ready name=many 'pins=["carol"]'
    mount_read -o "cacert=$CLOUD_CA"
    before=$(opened)
    for pin in alice bob carol; do
        touch "$GOLDEN/$pin"
        rm "$GOLDEN/$pin"
    done
    assert_equal "$(opened)" "$before"
    tell set latency_ms=50
    ls "$MNT/by-account" >/dev/null
    [ "$(opened)" -le 16 ] || fail "$(opened) connections"
}

# --- HTTP/2 ---

# start_proxy: nghttpx before the cloud, which speaks HTTP/2 over TLS; sets CLOUD_URL and CLOUD_CA, and
# PROXY_LOG to where it writes a line for each request: the client's port, the protocol, the request.
start_proxy()
{
    local backend=${CLOUD_URL#*://} port

    "$TESTS/cloud/fake" --make-ca "$BATS_TEST_TMPDIR/ca" >/dev/null
    port=$("$PYTHON" -IS -c '
import socket
with socket.create_server(("127.0.0.1", 0)) as server:
    print(server.getsockname()[1])')
    PROXY_LOG=$BATS_TEST_TMPDIR/proxy.log
    PATH=$PATH:/usr/sbin nghttpx --conf=/dev/null --single-process --workers=1 "--backend=${backend/:/,};;proto=http/1.1" \
        "--frontend=127.0.0.1,$port" --no-ocsp "--accesslog-file=$PROXY_LOG" \
        '--accesslog-format=$remote_port $alpn $request' "--errorlog-file=$BATS_TEST_TMPDIR/proxy.err" \
        "$@" "$BATS_TEST_TMPDIR/ca/server.key" "$BATS_TEST_TMPDIR/ca/good.pem" </dev/null 3>&- &
    PROXY_PID=$!
    wait_for 5 takes_connections "$port"
    CLOUD_URL=https://127.0.0.1:$port
    CLOUD_CA=$BATS_TEST_TMPDIR/ca/ca.pem
}

takes_connections()
{
    : <>"/dev/tcp/127.0.0.1/$1"
}

# proxied: PROTOCOL and how many connections it came over, of the requests that are in the log of the
# proxy behind line FIRST.
proxied()
{
    tail -n "+$(($1 + 1))" "$PROXY_LOG" | awk '
        { protocol[$2] = 1; if (!($1 in port)) { port[$1] = 1; ports++ } }
        END { for (each in protocol) print each, ports }'
}

@test "HTTP/2 is spoken where the service does, over connections that are kept" {
    start_cloud
    tell add-images 40 owner=owner status=ready name=many 'pins=["carol"]'
    start_proxy
    mount_read -o "cacert=$CLOUD_CA"
    before=$(wc -l <"$PROXY_LOG")
    for pin in alice bob carol; do
        touch "$GOLDEN/$pin"
        rm "$GOLDEN/$pin"
    done
    assert_equal "$(proxied $before)" 'h2 1'
    assert_equal "$(tail -n "+$((before + 1))" "$PROXY_LOG" | grep -c 'hare HTTP/2')" 6
    ls "$MNT/by-account" >/dev/null
    assert_equal "$(ls "$MNT/by-account/carol" | wc -l)" 40
    [[ $(proxied $before) =~ ^h2\ ([0-9]+)$ ]] || fail "protocols: $(proxied $before)"
    [ "${BASH_REMATCH[1]}" -le 16 ] || fail "${BASH_REMATCH[1]} connections"
    assert_equal "$(status_of last_error)" none
}

@test "HTTP/2: a share is one request after the service has said goodbye to an idle connection" {
    start_cloud
    start_proxy --frontend-http2-read-timeout=300ms
    mount_read -o "cacert=$CLOUD_CA"
    before=$(requests_count)
    for pin in alice bob; do
        sleep 0.6
        touch "$GOLDEN/$pin"
    done
    assert_equal "$(asked_but_limits $before)" $'shareImage\nshareImage'
    assert_cloud_shares $CLOUD_GOLDEN alice bob
}
