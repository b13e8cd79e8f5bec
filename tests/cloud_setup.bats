#!/usr/bin/env bats
# shellcheck disable=SC2012,SC2030,SC2031,SC2034,SC2086,SC2153  # ls is tested here; ids of images need no quotes
# Where a mount of a cloud takes its keys, its region and its way from, and where its replica may lie.

load helpers
load cloud_helpers

setup()
{
    export LC_ALL=C.UTF-8 HOME=$BATS_TEST_TMPDIR/home
    mkdir -p "$HOME/.jdc"
    KEY='' SECRET='' # not in the environment
}

teardown()
{
    stop_all
    [ ! -e "$BATS_TEST_TMPDIR/small" ] || umount "$BATS_TEST_TMPDIR/small" 2>/dev/null || true
}

# profile NAME [LINE]...: a section as the official command line writes it.
profile()
{
    printf '[%s]\n' "$1"
    shift
    printf '%s\n' "$@" 'endpoint = www.jdcloud-api.com' 'scheme = https' 'timeout = 20' ''
}

mount_log()
{
    cat "$BATS_TEST_TMPDIR/mount.log"
}

# --- keys ---

@test "the official command line's profile gives keys and region; that others can read it is told, and how to mend it" {
    start_cloud
    {
        profile other 'access_key = AKother' 'secret_key = SKother' 'region_id = cn-east-2'
        profile mine "access_key = $OWNER_KEY" "secret_key = $OWNER_SECRET" "region_id = $REGION"
    } >"$HOME/.jdc/config"
    printf mine >"$HOME/.jdc/current"
    chmod 644 "$HOME/.jdc/config"
    REGION='' mount_cloud
    assert_equal "$(status_of region)" cn-north-1
    assert_equal "$(cat "$MNT/account/pin")" owner
    run mount_log
    assert_output --partial "$HOME/.jdc/config: mode 0644: others can read the secret key; run: chmod 600 $HOME/.jdc/config"
    refute_output --partial "$OWNER_SECRET"
    unmount "$MNT"

    # A region that is named goes before, and without a warning there is none.
    chmod 600 "$HOME/.jdc/config"
    mount_cloud
    assert_equal "$(mount_log)" ''
    unmount "$MNT"

    # -o profile= goes before the environment.
    KEY=AKwrong SECRET=SKwrong mount_cloud -o profile=mine
    unmount "$MNT"
    run mount_cloud_only -o profile=none
    assert_failure
    assert_output --partial none
    assert_output --partial "$HOME/.jdc/config"
}

@test "a percent sign in a profile is written twice, as the official command line does" {
    tell_account='{"do":"add-account","account":{"pin":"percent","keys":[{"access_key":"AKpercent","secret_key":"SK%100%%s"}]}}'
    start_cloud
    tell post "$tell_account"
    profile default 'access_key = AKpercent' 'secret_key = SK%%100%%%%s' 'region_id = cn-north-1' >"$HOME/.jdc/config"
    chmod 600 "$HOME/.jdc/config"
    REGION='' mount_cloud
    assert_equal "$(cat "$MNT/account/pin")" percent
}

@test "no key at all, no region at all: said, with what to do" {
    start_cloud
    run mount_cloud_only
    assert_failure
    assert_output --partial JDCLOUD_ACCESS_KEY
    assert_output --partial "$HOME/.jdc/config"
    profile default "access_key = $OWNER_KEY" "secret_key = $OWNER_SECRET" >"$HOME/.jdc/config"
    chmod 600 "$HOME/.jdc/config"
    REGION='' run mount_cloud_only
    assert_failure
    assert_output --partial region_id
}

@test "systemd credentials are taken; a file of them that others can read is refused, with its mode" {
    start_cloud
    export CREDENTIALS_DIRECTORY=$BATS_TEST_TMPDIR/credentials
    mkdir "$CREDENTIALS_DIRECTORY"
    (
        umask 077
        printf '%s\n' "$OWNER_KEY" >"$CREDENTIALS_DIRECTORY/jdcloud-access-key"
        printf '%s' "$OWNER_SECRET" >"$CREDENTIALS_DIRECTORY/jdcloud-secret-key"
    )
    mount_cloud
    assert_equal "$(cat "$MNT/account/pin")" owner
    unmount "$MNT"
    chmod 644 "$CREDENTIALS_DIRECTORY/jdcloud-secret-key"
    run mount_cloud_only
    assert_failure
    assert_output --partial 'jdcloud-secret-key: mode 0644'
    refute_output --partial "$OWNER_SECRET"
    refute is_mounted "$BATS_TEST_TMPDIR/mnt2"
}

@test "no option takes a key" {
    start_cloud
    for option in secret access_key secret_key token; do
        run mount_cloud_only -o "$option=$OWNER_SECRET"
        assert_failure
        assert_output --partial "$option"
        refute_output --partial "$OWNER_SECRET"
    done
}

@test "signature= and tokenform= say how requests are signed, and a token is sent" {
    KEY=$OWNER_KEY SECRET=$OWNER_SECRET TOKEN=Token/of+a=visit
    start_cloud
    for how in jdcloud2,base64 jdcloud3,plain; do
        before=$(requests_count)
        mount_cloud -o "signature=${how%,*},tokenform=${how#*,}"
        touch "$MNT/private/$CLOUD_GOLDEN/shares/alice"
        rm "$MNT/private/$CLOUD_GOLDEN/shares/alice"
        unmount "$MNT"
        control requests --after $before >"$BATS_TEST_TMPDIR/${how%,*}"
    done
    assert_equal "$(sed -n 's/^ *"algorithm": "\(.*\)",$/\1/p' "$BATS_TEST_TMPDIR/jdcloud2" | sort -u)" JDCLOUD2
    assert_equal "$(sed -n 's/^ *"algorithm": "\(.*\)",$/\1/p' "$BATS_TEST_TMPDIR/jdcloud3" | sort -u)" JDCLOUD3
    assert_equal "$(sed -n 's/^ *"token": "\(.*\)",$/\1/p' "$BATS_TEST_TMPDIR/jdcloud2" | sort -u)" \
        "$(printf %s "$TOKEN" | base64)"
    assert_equal "$(sed -n 's/^ *"token": "\(.*\)",$/\1/p' "$BATS_TEST_TMPDIR/jdcloud3" | sort -u)" "$TOKEN"
    # Whoever means the token itself does not see it again in a log.
    run mount_cloud_only -o "tokenform=$TOKEN"
    assert_failure
    assert_output --partial 'tokenform=: must be base64 or plain'
    refute_output --partial "$TOKEN"
}

# --- the way ---

# start_tunnel: a proxy; sets PROXY (host:port) and PROXY_LOG.
start_tunnel()
{
    PROXY_LOG=$BATS_TEST_TMPDIR/tunnels
    rm -f "$BATS_TEST_TMPDIR/tunnel"
    "$TESTS/cloud/proxy" "$BATS_TEST_TMPDIR/tunnel" "$PROXY_LOG" </dev/null 3>&- 2>/dev/null &
    wait_for 5 [ -e "$BATS_TEST_TMPDIR/tunnel" ]
    PROXY=$(cat "$BATS_TEST_TMPDIR/tunnel")
}

@test "proxy= leads through a proxy, noproxy= past it, and both go before the environment" {
    KEY=$OWNER_KEY SECRET=$OWNER_SECRET
    start_cloud --tls
    start_tunnel
    options=cacert=$CLOUD_CA
    mount_cloud -o "$options,proxy=http://user:pass-word@$PROXY"
    touch "$MNT/private/$CLOUD_GOLDEN/shares/alice"
    assert_cloud_shares $CLOUD_GOLDEN alice
    tunnels=$(wc -l <"$PROXY_LOG")
    [ $tunnels -gt 0 ]
    assert_equal "$(sort -u "$PROXY_LOG")" "${CLOUD_URL#https://} Basic $(printf user:pass-word | base64)"
    run cat "$MNT/status" "$MNT/events" /proc/self/mountinfo "$BATS_TEST_TMPDIR/mount.log"
    refute_output --partial pass-word
    unmount "$MNT"

    mount_cloud -o "$options,proxy=http://$PROXY,noproxy=127.0.0.1"
    assert_equal "$(wc -l <"$PROXY_LOG")" $tunnels
    unmount "$MNT"

    # The environment's proxy is used; an option is used instead of it.
    https_proxy=http://$PROXY mount_cloud -o "$options"
    [ "$(wc -l <"$PROXY_LOG")" -gt $tunnels ]
    unmount "$MNT"
    tunnels=$(wc -l <"$PROXY_LOG")
    https_proxy=http://127.0.0.1:1 mount_cloud -o "$options,proxy=http://$PROXY"
    [ "$(wc -l <"$PROXY_LOG")" -gt $tunnels ]
    unmount "$MNT"
    https_proxy=http://127.0.0.1:1 mount_cloud -o "$options,noproxy=127.0.0.1"
    unmount "$MNT"
}

@test "a proxy that is not there fails the mount with the reason, and does not tell its password" {
    KEY=$OWNER_KEY SECRET=$OWNER_SECRET
    start_cloud --tls
    run mount_cloud_only -o "cacert=$CLOUD_CA,proxy=http://user:pass-word@127.0.0.1:1"
    assert_failure
    assert_output --partial "takes no connections"
    refute_output --partial pass-word
}

@test "only https is spoken, but to this machine; redirections lead nowhere" {
    KEY=$OWNER_KEY SECRET=$OWNER_SECRET
    start_cloud
    for endpoint in http://192.0.2.1 http://example.com "http://127.0.0.1.example.com" ftp://127.0.0.1; do
        run mount_cloud_only -o "endpoint=$endpoint"
        assert_failure
        assert_output --partial "endpoint $endpoint"
    done
    mount_cloud
    before=$(requests_count)
    tell fault shareImage answer http=302 "headers={\"Location\": \"$CLOUD_URL/v1/regions/cn-north-1/images/$CLOUD_WEB:share\"}"
    assert_equal "$(errno_of creat "$MNT/private/$CLOUD_GOLDEN/shares/carol")" EBADMSG
    refute grep -q $CLOUD_WEB <<<"$(control requests --after $before)"
    tell clear
    assert_cloud_shares $CLOUD_WEB alice bob
    assert_cloud_shares $CLOUD_GOLDEN
}

# --- the replica's place ---

# mount_any_with_keys ARGS: mount_any, with the owner's keys in the environment.
mount_any_with_keys()
{
    JDCLOUD_ACCESS_KEY=$OWNER_KEY JDCLOUD_SECRET_KEY=$OWNER_SECRET mount_any "$@"
}

@test "the replica is in state=, else where systemd or the user keeps state; its directory is made for the user alone" {
    start_cloud
    for place in STATE_DIRECTORY XDG_STATE_HOME HOME; do
        (
            unset STATE_DIRECTORY XDG_STATE_HOME
            export $place=$BATS_TEST_TMPDIR/$place
            case $place in
            STATE_DIRECTORY) expected=$STATE_DIRECTORY ;;
            XDG_STATE_HOME) expected=$XDG_STATE_HOME/imgsharefs ;;
            HOME) expected=$HOME/.local/state/imgsharefs ;;
            esac
            mount_any_with_keys mount_cloud "endpoint=$CLOUD_URL" jdcloud:$REGION
            [[ $(status_of replica) == "$expected"/jdcloud-cn-north-1-*.replica ]]
            assert_equal "$(stat -c %a "$expected")" 700
            unmount "$MNT"
        )
    done
}

@test "a replica on FUSE is refused, with what to do" {
    KEY=$OWNER_KEY SECRET=$OWNER_SECRET
    start_cloud
    mount_cloud
    run mount_cloud_only -o "state=$MNT"
    assert_failure
    assert_output --partial 'is on FUSE'
    assert_output --partial 'state=DIR'
}

@test "a full disk: lists are shown, a change is ENOSPC and not sent, and all goes on when there is room" {
    need_root
    skip_if_sanitized 'its disk is small'
    KEY=$OWNER_KEY SECRET=$OWNER_SECRET
    start_cloud
    mkdir "$BATS_TEST_TMPDIR/small"
    mount -t tmpfs -o size=4m,mode=0700 none "$BATS_TEST_TMPDIR/small"
    mount_read -o "state=$BATS_TEST_TMPDIR/small"
    head -c 16M /dev/zero >"$BATS_TEST_TMPDIR/small/filler" 2>/dev/null || true
    before=$(requests_count shareImage)
    # What is left of the last page of the log takes a change or two.
    for pin in p{1..40}; do
        tell add-account $pin
        errno=$(errno_of creat "$GOLDEN/$pin")
        [ "$errno" = OK ] || break
    done
    assert_equal "$errno" ENOSPC
    assert_equal "$(requests_count shareImage)" $((before + ${pin#p} - 1))
    assert_equal "$(ls "$MNT/private" | wc -l)" 5
    assert_equal "$(ls "$WEB")" $'alice\nbob'
    rm "$BATS_TEST_TMPDIR/small/filler"
    touch "$GOLDEN/$pin"
    control members $CLOUD_GOLDEN | grep -qx "$pin"
}
