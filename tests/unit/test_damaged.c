/*
 * A store that is damaged under a running mount: whatever is asked of it then is refused as
 * store-damaged. Never is it ENOENT, which rm -f takes for success, and never an empty list or a
 * success. That nothing crashes is seen by the way.
 */
#include "core/catalog/attribute.h"
#include "core/catalog/by_name.h"
#include "core/catalog/report.h"
#include "core/store/feed.h"
#include "core/store/replica.h"
#include "core/store/write.h"
#include "tests/unit/support.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

/* A registry in which there is something to find for every question. */
static struct mount *me;
static int64_t golden, theirs, share;

static int damaged_setup(void **state)
{
    (void)registry_setup(state);
    const struct registry *registry = *state;
    (void)registry_account(registry, "me", NULL);
    (void)registry_account(registry, "alice", NULL);
    (void)registry_account(registry, "bob", NULL);
    golden = REGISTRY_IMAGE(registry, .id = "img-golden", .owner = "me");
    theirs = REGISTRY_IMAGE(registry, .id = "img-theirs", .owner = "alice");
    share = registry_share(registry, golden, "alice");
    (void)registry_share(registry, theirs, "me");
    me = mount_open(registry, "me");
    assert_refused(mount_share(me, golden, "nobody"), "no-account");
    return 0;
}

static int damaged_teardown(void **state)
{
    mount_close(me);
    return registry_teardown(state);
}

/* --- questions --- */

static int entry_taken(const struct view_entry *entry, void *context)
{
    (void)entry;
    (void)context;
    return 0;
}

static int name_taken(const struct by_name_entry *entry, void *context)
{
    (void)entry;
    (void)context;
    return 0;
}

static int line_taken(int64_t start, const char *line, size_t length, void *context)
{
    (void)start;
    (void)line;
    (void)length;
    (void)context;
    return 0;
}

static int ask_account(struct view *view)
{
    struct view_account out;

    return view_account(view, &out);
}

static int ask_settings(struct view *view)
{
    int64_t limit = 0;
    enum snapshot_policy policy = SNAPSHOTS_ANY;

    return view_settings(view, &limit, &policy);
}

static int ask_image(struct view *view)
{
    struct view_image out;

    return view_image(view, golden, &out);
}

static int ask_private_id(struct view *view)
{
    struct view_image out;

    return view_image_by_id(view, VIEW_PRIVATE, "img-golden", &out);
}

static int ask_shared_id(struct view *view)
{
    struct view_image out;

    return view_image_by_id(view, VIEW_SHARED, "img-theirs", &out);
}

static int ask_private(struct view *view)
{
    return view_images(view, VIEW_PRIVATE, 0, entry_taken, NULL);
}

static int ask_shared(struct view *view)
{
    return view_images(view, VIEW_SHARED, 0, entry_taken, NULL);
}

static int ask_record(struct view *view)
{
    CLEANUP_RECORD struct view_record out = {0};

    return view_record(view, golden, &out);
}

static int ask_refusal(struct view *view)
{
    CLEANUP_REFUSAL struct view_refusal out = {0};

    return view_refusal(view, golden, &out);
}

static int ask_share(struct view *view)
{
    struct view_share out;

    return view_share(view, share, &out);
}

static int ask_share_by_pin(struct view *view)
{
    struct view_share out;

    return view_share_by_pin(view, golden, "alice", &out);
}

static int ask_shares(struct view *view)
{
    return view_shares(view, golden, 0, entry_taken, NULL);
}

static int ask_unlistable(struct view *view)
{
    return view_unlistable(view, entry_taken, NULL);
}

static int ask_recipient(struct view *view)
{
    struct view_recipient out;

    return view_recipient(view, 1, &out);
}

static int ask_recipient_by_pin(struct view *view)
{
    struct view_recipient out;

    return view_recipient_by_pin(view, "alice", &out);
}

static int ask_owner_by_pin(struct view *view)
{
    struct view_recipient out;

    return view_owner_by_pin(view, "alice", &out);
}

static int ask_recipients(struct view *view)
{
    return view_recipients(view, 0, entry_taken, NULL);
}

static int ask_owners(struct view *view)
{
    return view_owners(view, 0, entry_taken, NULL);
}

static int ask_recipient_images(struct view *view)
{
    return view_recipient_images(view, "alice", 0, entry_taken, NULL);
}

static int ask_own_names(struct view *view)
{
    return by_name_list(view, "me", 0, name_taken, NULL);
}

static int ask_their_names(struct view *view)
{
    return by_name_list(view, "alice", 0, name_taken, NULL);
}

static int ask_own_name(struct view *view)
{
    struct by_name_entry out;

    return by_name_find(view, "me", "img-golden", &out);
}

static int ask_their_name(struct view *view)
{
    struct by_name_entry out;

    return by_name_find(view, "alice", "img-theirs", &out);
}

static int ask_name_by_id(struct view *view)
{
    return view_name_by_id(view, "me", "img-golden", entry_taken, NULL);
}

static int ask_events(struct view *view)
{
    return view_events(view, 0, line_taken, NULL);
}

static int ask_events_begin(struct view *view)
{
    int64_t offset = 0;

    return view_events_begin(view, &offset);
}

static int ask_events_time(struct view *view)
{
    int64_t at_ns = 0;

    return view_events_time(view, &at_ns);
}

static int ask_events_size(struct view *view)
{
    int64_t size = 0;
    int64_t mtime_ns = 0;

    return report_events_size(me->catalog, view, &size, &mtime_ns);
}

static int ask_events_text(struct view *view)
{
    CLEANUP_BUFFER struct buffer out = BUFFER_INIT(4096);

    return report_events_read(me->catalog, view, 0, 4096, &out);
}

static int ask_status(struct view *view)
{
    CLEANUP_BUFFER struct buffer out = BUFFER_INIT(1 << 16);

    return report_status(me->catalog, view, &out);
}

static int ask_feed(struct view *view)
{
    struct feed_row rows[4];
    int result = feed_read(&view->connection, 0, 4, rows);

    return result < 0 ? result : 0;
}

static int ask_feed_images(struct view *view)
{
    struct feed_image images[4];
    int result = feed_images(&view->connection, 1, 2, 4, images);

    return result < 0 ? result : 0;
}

static int ask_journal(struct view *view)
{
    int64_t count = 0;

    return journal_count_unknown(&view->connection, &count);
}

typedef int (*question)(struct view *view);

static const struct {
    const char *name;
    question ask;
} questions[] = {
    {"account", ask_account},
    {"settings", ask_settings},
    {"image", ask_image},
    {"private/ID", ask_private_id},
    {"shared/ID", ask_shared_id},
    {"private/", ask_private},
    {"shared/", ask_shared},
    {"record", ask_record},
    {"last refusal", ask_refusal},
    {"share", ask_share},
    {"shares/PIN", ask_share_by_pin},
    {"shares/", ask_shares},
    {"unlistable", ask_unlistable},
    {"recipient", ask_recipient},
    {"by-account/PIN", ask_recipient_by_pin},
    {"by-name/shared/OWNER", ask_owner_by_pin},
    {"by-account/", ask_recipients},
    {"by-name/shared/", ask_owners},
    {"by-account/PIN/", ask_recipient_images},
    {"by-name/private/", ask_own_names},
    {"by-name/shared/OWNER/", ask_their_names},
    {"by-name/private/NAME", ask_own_name},
    {"by-name/shared/OWNER/NAME", ask_their_name},
    {"name by id", ask_name_by_id},
    {"events", ask_events},
    {"begin of events", ask_events_begin},
    {"time of events", ask_events_time},
    {"size of events", ask_events_size},
    {"text of events", ask_events_text},
    {"status", ask_status},
    {"feed", ask_feed},
    {"images of the feed", ask_feed_images},
    {"journal", ask_journal},
};

static void all_are_answered(void)
{
    for (size_t i = 0; i < COUNT_OF(questions); i++)
        if (questions[i].ask(&me->view) != 0)
            fail_msg("%s: no answer", questions[i].name);
}

static void all_are_refused(void)
{
    for (size_t i = 0; i < COUNT_OF(questions); i++) {
        int result = questions[i].ask(&me->view);
        if (result != -REFUSAL_STORE_DAMAGED)
            fail_msg("%s: %d", questions[i].name, result);
    }
}

/* --- damages --- */

/* Another program throws all tables away. */
static void drop_tables(const struct registry *registry)
{
    static const char *const tables[] = {"journal", "feed",  "event",   "refusal", "recipient",
                                         "share",   "image", "account", "setting"};

    registry_sql(registry, "PRAGMA foreign_keys = OFF");
    for (size_t i = 0; i < COUNT_OF(tables); i++)
        registry_sql(registry, "DROP TABLE %s", tables[i]);
}

/* The disk gives other bytes back than were written: all of the file but its first page, which says
 * how large it is. What the mount has read of it before is forgotten. */
static void spoil_pages(const struct registry *registry)
{
    char page[4096];
    int64_t pages = registry_number(registry, "PRAGMA page_count");
    int fd = open(registry->path, O_WRONLY | O_CLOEXEC);

    registry_sql(registry, "PRAGMA wal_checkpoint(TRUNCATE)");
    memset(page, 0xa5, sizeof(page));
    assert_true(fd >= 0);
    for (int64_t i = 1; i < pages; i++)
        assert_int_equal(pwrite(fd, page, sizeof(page), i * (off_t)sizeof(page)), sizeof(page));
    assert_int_equal(close(fd), 0);
    assert_int_equal(sqlite3_db_release_memory(me->view.connection.db), SQLITE_OK);
    assert_int_equal(sqlite3_db_release_memory(me->catalog->store.connection.db), SQLITE_OK);
}

static void no_change_is_made(void)
{
    assert_refused(mount_share(me, golden, "bob"), "store-damaged");
    assert_refused(mount_cancel(me, golden, "alice"), "store-damaged");
    assert_refused(mount_share(me, golden, "two words"), "store-damaged");
    /* What is refused whatever the store holds, is. */
    assert_refused(mount_refuse(me, "mkdir", golden, "x", REFUSAL_TREE_CREATE), "tree-create");
    assert_holds(me->catalog->last_error, "EIO: ");
}

static void without_its_tables_nothing_is_answered(void **state)
{
    all_are_answered();
    drop_tables(*state);
    all_are_refused();
    no_change_is_made();
}

/* The same, when the statements have never been used. */
static void without_its_tables_a_new_view_answers_nothing(void **state)
{
    drop_tables(*state);
    all_are_refused();
}

static void spoilt_pages_are_not_taken_for_content(void **state)
{
    all_are_answered();
    assert_done(mount_share(me, golden, "bob")); /* its statements are ready as well */
    assert_done(mount_cancel(me, golden, "bob"));
    spoil_pages(*state);
    all_are_refused();
    no_change_is_made();
}

/* --- a damage that the file's form does not show --- */

static void a_counter_that_lost_its_row_stops_the_change(void **state)
{
    registry_sql(*state, "DELETE FROM recipient");
    CLEANUP_FREE char *before = registry_dump(*state);

    assert_refused(mount_cancel(me, golden, "alice"), "store-damaged");
    CLEANUP_FREE char *after = registry_dump(*state);
    assert_string_equal(after, before);
}

static void a_log_of_no_account_stops_the_change(void **state)
{
    registry_sql(*state, "PRAGMA foreign_keys = OFF");
    registry_sql(*state, "DELETE FROM account WHERE pin = 'me'");
    CLEANUP_FREE char *before = registry_dump(*state);

    assert_refused(mount_share(me, golden, "bob"), "store-damaged");
    assert_refused(mount_cancel(me, golden, "alice"), "store-damaged");
    CLEANUP_FREE char *after = registry_dump(*state);
    assert_string_equal(after, before);
}

#define DAMAGED_TEST(name) cmocka_unit_test_setup_teardown(name, damaged_setup, damaged_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        DAMAGED_TEST(without_its_tables_nothing_is_answered),
        DAMAGED_TEST(without_its_tables_a_new_view_answers_nothing),
        DAMAGED_TEST(spoilt_pages_are_not_taken_for_content),
        DAMAGED_TEST(a_counter_that_lost_its_row_stops_the_change),
        DAMAGED_TEST(a_log_of_no_account_stops_the_change),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
