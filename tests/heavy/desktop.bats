# File managers as people use them: Thunar and PCManFM on a display, Midnight Commander in a terminal. What they
# do by themselves asks the cloud nothing and cancels nothing. docs/desktop.md tells it, with two pictures from here:
# they are made where IMGSHARE_PICTURES says.

# shellcheck disable=SC2012,SC2086  # ls is compared with; ids of images need no quotes

load ../helpers
load ../cloud_helpers
load ../desktop

setup_file()
{
    desktop_start
}

teardown_file()
{
    desktop_stop
}

setup()
{
    case $BATS_TEST_DESCRIPTION in
    Thunar:*) MANAGER=thunar ;;
    PCManFM:*) MANAGER=pcmanfm ;;
    esac
}

teardown()
{
    manager_ends
    mc_ends
    find "$PLACE/home" -mindepth 1 -maxdepth 1 ! -name '.*' -exec rm -rf --one-file-system {} +
    stop_all
}

# mount_seen: the sample, where the desktop sees it.
mount_seen()
{
    new_registry
    mount_registry "$PLACE/images"
}

# --- looking ---

# browses: looks around and reads an attribute.
browses()
{
    drive open "$SEEN/images"
    run -0 drive names
    assert_output $'account\nby-account\nby-name\nprivate\nshared\nevents\nREADME\nstatus'
    drive enter private
    assert_equal "$(drive names | sort)" "$(ls "$MNT/private")"
    drive enter $IMG_MYSQL
    run -0 drive names
    assert_line shares
    assert_line last_refusal
    [ "$MANAGER" != thunar ] || { drive icons && picture thunar.png && drive list; }
    assert_equal "$(drive read name)" mysql-8.0
    drive enter shares
    assert_equal "$(drive names)" $'alice\nbob'
    drive close

    drive open "$SEEN/images/by-name/private"
    assert_equal "$(drive names | sort)" "$(LC_ALL=C ls "$MNT/by-name/private" | sort)"
    drive enter golden
    assert_equal "$(drive read id)" $IMG_GOLDEN
}

@test "Thunar: browse private/ and by-name/, open an image, read an attribute" {
    mount_seen
    browses
    run -1 grep -v action=import "$MNT/events"
}

@test "PCManFM: browse private/ and by-name/, open an image, read an attribute" {
    mount_seen
    browses
    run -1 grep -v action=import "$MNT/events"
}

# cloud_seen: the fake cloud, where the desktop sees it, with its lists, and the shares and the limit of web. Nothing
# is refreshed while a test looks. Sets BEFORE to what was asked until then.
cloud_seen()
{
    start_cloud
    mount_cloud -o refresh=3600,maxage=0 "$PLACE/images"
    ls "$MNT/private/$CLOUD_WEB/shares" >/dev/null
    wait_for 10 quota_is $CLOUD_WEB 2/20
    wait_for 5 asks_nothing
}

# asks_nothing: for half a second. Sets BEFORE.
asks_nothing()
{
    BEFORE=$(requests_count)
    sleep 0.5
    [ "$(requests_count)" -eq "$BEFORE" ]
}

# browses_cloud: in the file manager. What it asks shows in half a second.
browses_cloud()
{
    drive open "$SEEN/images"
    drive enter private
    assert_equal "$(drive names | sort)" "$(ls "$MNT/private")"
    drive enter $CLOUD_WEB
    drive icons
    drive list
    drive read name
    drive enter shares
    assert_equal "$(drive names)" $'alice\nbob'
    drive close
    drive open "$SEEN/images/by-name/private"
    drive enter web
    drive close
    sleep 0.5
    assert_equal "$(asked_since "$BEFORE")" ''
}

@test "Thunar: to open and browse asks the cloud nothing" {
    cloud_seen
    browses_cloud
}

@test "PCManFM: to open and browse asks the cloud nothing" {
    cloud_seen
    browses_cloud
}

# --- sharing and cancelling ---

# moves_out: a share that is cut and pasted at home is cancelled.
moves_out()
{
    drive new bob
    wait_for 5 assert_shares $IMG_GOLDEN bob
    drive cut bob
    drive home
    drive paste
    wait_for 5 assert_shares $IMG_GOLDEN
    assert_exists "$PLACE/home/bob"
}

@test "Thunar: an empty file is a share, to delete it a cancel, to trash it a question" {
    mount_seen
    drive open "$SEEN/images/private/$IMG_GOLDEN/shares"
    drive new alice
    wait_for 5 assert_shares $IMG_GOLDEN alice
    # This desktop has no trash, and Thunar asks whether to delete instead.
    drive trash alice
    drive says 'permanently delete "alice"?' Cancel
    drive answer Cancel
    assert_shares $IMG_GOLDEN alice
    drive delete alice
    drive says 'permanently delete "alice"?'
    assert_shares $IMG_GOLDEN alice
    drive answer Delete
    wait_for 5 assert_shares $IMG_GOLDEN
    assert_event action=cancel pin=alice outcome=done
    moves_out
}

@test "PCManFM: an empty file is a share, to delete it a cancel, to trash it two questions" {
    mount_seen
    drive open "$SEEN/images/private/$IMG_GOLDEN/shares"
    drive new alice
    wait_for 5 assert_shares $IMG_GOLDEN alice
    drive trash alice
    drive says "move the file 'alice' to trash can?"
    drive answer Yes
    drive says 'cannot be moved to trash can' 'Do you want to delete them instead?'
    assert_shares $IMG_GOLDEN alice
    drive answer No
    assert_shares $IMG_GOLDEN alice
    drive delete alice
    drive says "delete the file 'alice'?"
    assert_shares $IMG_GOLDEN alice
    drive answer Yes
    wait_for 5 assert_shares $IMG_GOLDEN
    assert_event action=cancel pin=alice outcome=done
    moves_out
}

# refused: the dialog shows the text of the errno, last_refusal the sentence.
refused()
{
    drive open "$SEEN/images/private/$IMG_PENDING/shares"
    drive new alice
    drive says 'shares/alice”: Device or resource busy'
    [ "$MANAGER" != pcmanfm ] || picture pcmanfm.png
    run -0 cat "$MNT/private/$IMG_PENDING/last_refusal"
    assert_output --partial 'share alice: EBUSY: the image is pending; only an available image can be shared.'
    assert_shares $IMG_PENDING
    drive answer "$1"
    # GLib has words of its own for EINVAL.
    drive new 'a b'
    drive says 'Invalid filename'
    run -0 cat "$MNT/private/$IMG_PENDING/last_refusal"
    assert_output --partial 'share a b: EINVAL: the name cannot be a User Pin'
    drive answer "$1"
}

@test "Thunar: a share that is refused is a dialog with the errno's text" {
    mount_seen
    refused Cancel
}

@test "PCManFM: a share that is refused is a dialog with the errno's text" {
    mount_seen
    refused OK
}

# --- slips ---

@test "Thunar: an image that is cut and pasted at home, deleted or trashed keeps its shares" {
    mount_seen
    before=$(all_shares)
    drive open "$SEEN/images/private"
    drive cut $IMG_FULL
    drive home
    drive paste
    drive says "/images/private/$IMG_FULL/id" 'Operation not permitted'
    drive answer 'Skip All'
    # It goes on until the directory itself is refused.
    wait_for 10 grep -q "action=rmdir name=$IMG_FULL outcome=refused" "$MNT/events"
    assert_equal "$(all_shares)" "$before"
    assert_exists "$PLACE/home/$IMG_FULL/shares/alice"
    drive close

    drive open "$SEEN/images/private"
    drive delete $IMG_MYSQL
    drive says "permanently delete \"$IMG_MYSQL\"?"
    drive answer Delete
    drive says 'Operation not permitted'
    drive answer 'Skip All'
    wait_for 10 grep -q "action=rmdir name=$IMG_MYSQL outcome=refused" "$MNT/events"
    assert_equal "$(all_shares)" "$before"
    drive trash $IMG_MYSQL
    drive says "permanently delete \"$IMG_MYSQL\"?"
    drive answer Cancel
    assert_equal "$(all_shares)" "$before"
}

@test "PCManFM: an image that is cut and pasted at home, deleted or trashed keeps its shares" {
    mount_seen
    before=$(all_shares)
    drive open "$SEEN/images/private"
    drive cut $IMG_FULL
    drive home
    drive paste
    drive says 'completed with errors'
    drive answer Close
    assert_equal "$(all_shares)" "$before"
    assert_exists "$PLACE/home/$IMG_FULL/shares/alice"
    run -0 grep -c "action=cancel image=$IMG_FULL pin=.* errno=EPERM code=cancel-recursive" "$MNT/events"
    assert_output 20
    drive close

    drive open "$SEEN/images/private"
    drive delete $IMG_MYSQL
    drive says "delete the file '$IMG_MYSQL'?"
    drive answer Yes
    drive says 'completed with errors'
    drive answer Close
    assert_equal "$(all_shares)" "$before"
    drive trash $IMG_MYSQL
    drive answer Yes
    drive says 'cannot be moved to trash can'
    drive answer Yes
    drive says 'completed with errors'
    drive answer Close
    assert_equal "$(all_shares)" "$before"
}

# --- Midnight Commander ---

# mc_start LEFT RIGHT: with these directories, the left one active.
mc_start()
{
    # Another one each time: one that ends still takes connections.
    MC=$(mktemp -u "$PLACE/tmux.XXXXXX")
    # shellcheck disable=SC2016
    tmux -S "$MC" -f /dev/null new-session -d -x 110 -y 30 \
        -e HOME="$PLACE/home/.mc" -e TERM=screen -e LC_ALL=C -e LEFT="$1" -e RIGHT="$2" \
        'unset ${!XDG_*}; exec mc --nosubshell --stickchars "$LEFT" "$RIGHT"' 3>&-
    wait_for 10 mc_shows 10Quit
}

mc_keys()
{
    tmux -S "$MC" send-keys "$@"
}

# mc_at NAME: goes there in the panel. What comes after names it.
mc_at()
{
    mc_keys C-s
    mc_keys -l "$1"
    mc_keys Left
}

mc_screen()
{
    tmux -S "$MC" capture-pane -p
}

# mc_shows TEXT...: each is on the screen.
mc_shows()
{
    local text screen

    screen=$(mc_screen)
    for text; do
        [[ $screen == *"$text"* ]] || return
    done
}

# mc_says TEXT...: sooner or later.
mc_says()
{
    wait_for 5 mc_shows "$@" || fail "not on the screen: $*: $(mc_screen)"
}

# mc_rests: it asks nothing and does nothing.
mc_rests()
{
    mc_shows 10Quit && ! mc_shows Abort
}

mc_ends()
{
    [ -z "${MC-}" ] || tmux -S "$MC" kill-server 2>/dev/null || true
}

@test "Midnight Commander: browse, share, cancel; what is refused is said with the errno's text" {
    mount_seen
    mkdir "$PLACE/home/wanted"
    touch "$PLACE/home/wanted/alice"
    mc_start "$PLACE/home/wanted" "$MNT/private/$IMG_GOLDEN"
    mc_keys Tab
    mc_at name
    mc_keys F3
    mc_says golden 10Quit
    mc_keys F10
    mc_says 5Copy
    mc_at shares
    mc_keys Enter
    mc_says "$IMG_GOLDEN/shares"
    # F5 copies the empty file into shares/.
    mc_keys Tab
    mc_at alice
    mc_keys F5
    mc_says 'Copy file "alice"'
    assert_shares $IMG_GOLDEN
    mc_keys Enter
    wait_for 5 assert_shares $IMG_GOLDEN alice
    mc_keys Tab
    mc_at alice
    mc_keys F8
    mc_says 'Delete file' '"alice"'
    assert_shares $IMG_GOLDEN alice
    mc_keys Enter
    wait_for 5 assert_shares $IMG_GOLDEN
    mc_ends

    mc_start "$PLACE/home/wanted" "$MNT/private/$IMG_PENDING/shares"
    mc_at alice
    mc_keys F5
    mc_says 'Copy file "alice"'
    mc_keys Enter
    mc_says 'Cannot create target file' 'Device or resource busy (16)'
    run -0 cat "$MNT/private/$IMG_PENDING/last_refusal"
    assert_output --partial 'share alice: EBUSY: the image is pending; only an available image can be shared.'
    mc_ends
}

@test "Midnight Commander: to open and browse asks the cloud nothing" {
    cloud_seen
    mc_start "$MNT" "$MNT/private/$CLOUD_WEB"
    mc_at private
    mc_keys Enter
    mc_says "|/$CLOUD_GOLDEN"
    mc_keys Tab
    mc_at name
    mc_keys F3
    mc_says web 1Help
    mc_keys F10
    mc_says 5Copy
    mc_at shares
    mc_keys Enter
    mc_says '| alice' '| bob'
    sleep 0.5
    assert_equal "$(asked_since "$BEFORE")" ''
}

@test "Midnight Commander: an image that is moved away or deleted keeps its shares" {
    mount_seen
    before=$(all_shares)
    mc_start "$MNT/private" "$PLACE/home"
    mc_at $IMG_FULL
    mc_keys F6
    mc_says "Move directory \"$IMG_FULL\""
    mc_keys Enter
    mc_says 'Operation not permitted' 'Skip all'
    mc_keys a
    wait_for 10 mc_rests
    assert_exists "$PLACE/home/$IMG_FULL/shares/alice"
    assert_equal "$(all_shares)" "$before"
    mc_ends
    mc_start "$MNT/private" "$PLACE/home"
    mc_at $IMG_MYSQL
    mc_keys F8
    mc_says "Delete directory" $IMG_MYSQL
    mc_keys Enter
    mc_says 'not empty' 'Delete it recursively'
    mc_keys y
    mc_says 'Operation not permitted' 'Skip all'
    mc_keys a
    wait_for 10 mc_rests
    assert_equal "$(all_shares)" "$before"
    mc_ends
}
