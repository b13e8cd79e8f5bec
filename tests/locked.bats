#!/usr/bin/env bats
# While another program has the lock of the registry: who waits for it, and who need not.

load helpers

setup()
{
    new_registry
}

@test "a mount does not wait for another program's lock" {
    hold_lock
    begin=$(now_ms)
    mount_registry
    took=$(($(now_ms) - begin))
    [ "$took" -le 3000 ] || fail "mounted after $took ms"
    assert_equal "$(cat "$MNT/account/pin")" jcloud-demo
    assert_equal "$(grep ^last_error "$MNT/status")" 'last_error: none'
    release_lock
}

@test "Ctrl-C frees a touch that waits for the lock, and nothing is shared" {
    mount_registry
    hold_lock
    TOUCHES=()
    touch_later "$IMG_GOLDEN/shares/alice"
    wait_for 5 lock_awaited
    begin=$(now_ms)
    kill -INT "${TOUCHES[0]}"
    status=0
    wait "${TOUCHES[0]}" || status=$?
    took=$(($(now_ms) - begin))
    assert_equal "$status" 130
    [ "$took" -le 1200 ] || fail "freed after $took ms"
    release_lock
    touch "$MNT/private/$IMG_GOLDEN/shares/bob"
    assert_equal "$(shares_of "$IMG_GOLDEN")" bob
    assert_not_exists "$MNT/private/$IMG_GOLDEN/shares/alice"
}

@test "Ctrl-C frees a touch and a mkdir though another touch goes on waiting for the lock" {
    mount_registry
    hold_lock
    TOUCHES=()
    touch_later "$IMG_GOLDEN/shares/alice"
    wait_for 5 lock_awaited
    touch_later "$IMG_BARE/shares/alice"
    wait_for 5 touch_waits "${TOUCHES[1]}"
    env --default-signal=INT mkdir "$MNT/private/new" 2>>"$BATS_TEST_TMPDIR/touches" 3>&- &
    made=$!
    sleep 0.2
    begin=$(now_ms)
    kill -INT "${TOUCHES[1]}" $made
    wait "${TOUCHES[1]}" && fail 'a touch exited with 0'
    wait $made && fail 'mkdir exited with 0'
    took=$(($(now_ms) - begin))
    [ "$took" -le 1200 ] || fail "freed after $took ms"
    touch_waits "${TOUCHES[0]}"
    release_lock
    wait "${TOUCHES[0]}"
    assert_equal "$(shares_of "$IMG_GOLDEN")" alice
    assert_equal "$(shares_of "$IMG_BARE")" ''
}

@test "Ctrl-C frees eight touches on one image within 2 s" {
    mount_registry
    hold_lock
    TOUCHES=()
    for pin in alice bob carol dept-0{1..5}; do
        touch_later "$IMG_GOLDEN/shares/$pin"
    done
    wait_for 5 lock_awaited
    for pid in "${TOUCHES[@]}"; do wait_for 5 touch_waits "$pid"; done
    begin=$(now_ms)
    kill -INT "${TOUCHES[@]}"
    wait "${TOUCHES[@]}" || true
    took=$(($(now_ms) - begin))
    [ "$took" -le 2000 ] || fail "freed after $took ms"
    release_lock
    touch "$MNT/private/$IMG_GOLDEN/shares/partner-lab"
    assert_equal "$(shares_of "$IMG_GOLDEN")" partner-lab
}

@test "news of other images is not held up by a touch that waits in one" {
    local golden bare

    mount_registry
    golden=$MNT/private/$IMG_GOLDEN/shares/bob
    bare=$MNT/private/$IMG_BARE/shares/bob
    assert_not_exists "$golden"
    assert_not_exists "$bare"
    hold_lock
    TOUCHES=()
    touch_later "$IMG_GOLDEN/shares/alice"
    wait_for 5 lock_awaited
    # As another mount would write it, had it the lock: first of the image in which touch waits.
    for image in "$IMG_GOLDEN" "$IMG_BARE"; do
        echo "INSERT INTO share (image, pin, created_ns) SELECT id, 'bob', 1 FROM image WHERE image_id = '$image';
            INSERT INTO feed (at_ns, writer, kind, first, last, pin)
                SELECT unixepoch() * 1000000000, 0, 1, id, id, 'bob' FROM image WHERE image_id = '$image';"
    done | sqlite3 "$REGISTRY"
    wait_for 2 [ -e "$bare" ]
    touch_waits "${TOUCHES[0]}"
    release_lock
    wait "${TOUCHES[0]}"
    wait_for 2 [ -e "$golden" ]
}
