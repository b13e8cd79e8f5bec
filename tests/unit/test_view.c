/*
 * What one account sees of a registry.
 *
 * The cast: "me" owns golden, mysql and quiet, and has shared golden with alice and bob, mysql with
 * alice. "lab" owns theirs, which it shares with me and alice, and secret, which it shares with
 * nobody. "stranger" has nothing to do with any of it.
 */
#include "core/store/view.h"

#include "core/store/write.h"
#include "tests/unit/support.h"

#include <errno.h>
#include <string.h>

static int64_t golden, mysql, quiet, theirs, secret;
static int64_t golden_alice, golden_bob, mysql_alice, theirs_me, theirs_alice;
static struct mount *me, *alice, *lab, *stranger;

static int cast_setup(void **state)
{
    (void)registry_setup(state);
    const struct registry *registry = *state;
    static const char *const pins[] = {"me", "alice", "bob", "lab", "stranger"};

    for (size_t i = 0; i < COUNT_OF(pins); i++)
        (void)registry_account(registry, pins[i], NULL);
    golden = REGISTRY_IMAGE(registry, .id = "img-golden", .owner = "me", .name = "golden");
    theirs = REGISTRY_IMAGE(registry, .id = "img-theirs", .owner = "lab", .name = "golden");
    mysql = REGISTRY_IMAGE(registry, .id = "img-mysql", .owner = "me", .name = "mysql");
    secret = REGISTRY_IMAGE(registry, .id = "img-secret", .owner = "lab", .name = "secret");
    quiet = REGISTRY_IMAGE(registry, .id = "img-quiet", .owner = "me", .name = "quiet",
                           .status = IMAGE_ERROR, .snapshots = IMAGE_HAS_SNAPSHOT);
    golden_alice = registry_share(registry, golden, "alice");
    theirs_me = registry_share(registry, theirs, "me");
    golden_bob = registry_share(registry, golden, "bob");
    theirs_alice = registry_share(registry, theirs, "alice");
    mysql_alice = registry_share(registry, mysql, "alice");
    me = mount_open(registry, "me");
    alice = mount_open(registry, "alice");
    lab = mount_open(registry, "lab");
    stranger = mount_open(registry, "stranger");
    return 0;
}

static int cast_teardown(void **state)
{
    mount_close(me);
    mount_close(alice);
    mount_close(lab);
    mount_close(stranger);
    return registry_teardown(state);
}

/* --- images --- */

static void an_image_is_seen_by_its_owner_and_by_whom_it_is_shared_with(void **state)
{
    struct view_image image;

    (void)state;
    assert_done(view_image(&me->view, golden, &image));
    assert_true(image.owned);
    assert_int_equal(image.row, golden);
    assert_string_equal(image.id, "img-golden");
    assert_int_equal(image.shares, 2);
    assert_done(view_image(&alice->view, golden, &image));
    assert_false(image.owned);
    assert_refused(view_image(&stranger->view, golden, &image), "ENOENT");
    assert_refused(view_image(&me->view, secret, &image), "ENOENT");
    assert_done(view_image(&lab->view, secret, &image));
    assert_refused(view_image(&me->view, 999, &image), "ENOENT");
}

static void private_and_shared_never_show_each_others_images(void **state)
{
    struct view_image image;

    (void)state;
    assert_done(view_image_by_id(&me->view, VIEW_PRIVATE, "img-golden", &image));
    assert_int_equal(image.row, golden);
    assert_refused(view_image_by_id(&me->view, VIEW_SHARED, "img-golden", &image), "ENOENT");
    assert_done(view_image_by_id(&me->view, VIEW_SHARED, "img-theirs", &image));
    assert_int_equal(image.row, theirs);
    assert_refused(view_image_by_id(&me->view, VIEW_PRIVATE, "img-theirs", &image), "ENOENT");
    assert_refused(view_image_by_id(&me->view, VIEW_SHARED, "img-secret", &image), "ENOENT");
    assert_refused(view_image_by_id(&me->view, VIEW_PRIVATE, "img-GOLDEN", &image), "ENOENT");
    assert_refused(view_image_by_id(&me->view, VIEW_PRIVATE, "", &image), "ENOENT");
}

static void an_image_leaves_the_shared_list_with_its_share(void **state)
{
    struct view_image image;

    (void)state;
    assert_done(mount_cancel(me, golden, "alice"));
    assert_refused(view_image(&alice->view, golden, &image), "ENOENT");
    assert_refused(view_image_by_id(&alice->view, VIEW_SHARED, "img-golden", &image), "ENOENT");
    assert_done(mount_share(me, golden, "alice"));
    assert_done(view_image_by_id(&alice->view, VIEW_SHARED, "img-golden", &image));
}

static void a_record_holds_what_the_attribute_files_show(void **state)
{
    struct view_record record;

    (void)state;
    assert_done(view_record(&me->view, quiet, &record));
    assert_true(record.owned);
    assert_string_equal(record.owner, "me");
    assert_string_equal(record.id, "img-quiet");
    assert_string_equal(record.name, "quiet");
    assert_int_equal(record.status, IMAGE_ERROR);
    assert_int_equal(record.snapshots, IMAGE_HAS_SNAPSHOT);
    assert_false(record.released);
    assert_int_equal(record.shares, 0);
    assert_string_equal(record.record, "{\"imageId\":\"img-quiet\"}");
    view_record_dispose(&record);

    assert_done(view_record(&me->view, theirs, &record));
    assert_false(record.owned);
    assert_string_equal(record.owner, "lab");
    view_record_dispose(&record);
    assert_refused(view_record(&me->view, secret, &record), "ENOENT");
    assert_null(record.name);
}

/* --- shares --- */

static void the_owner_sees_all_shares_and_a_recipient_its_own(void **state)
{
    struct view_share share;

    (void)state;
    assert_done(view_share(&me->view, golden_bob, &share));
    assert_string_equal(share.pin, "bob");
    assert_int_equal(share.image, golden);
    assert_int_equal(share.row, golden_bob);
    assert_true(share.created_ns > 1);
    assert_done(view_share(&alice->view, golden_alice, &share));
    assert_string_equal(share.pin, "alice");
    assert_refused(view_share(&alice->view, golden_bob, &share), "ENOENT");
    assert_refused(view_share(&stranger->view, golden_bob, &share), "ENOENT");
    assert_refused(view_share(&me->view, theirs_alice, &share), "ENOENT");
    assert_done(view_share(&me->view, theirs_me, &share));

    assert_done(view_share_by_pin(&me->view, golden, "bob", &share));
    assert_int_equal(share.row, golden_bob);
    assert_refused(view_share_by_pin(&me->view, golden, "Bob", &share), "ENOENT");
    assert_refused(view_share_by_pin(&alice->view, golden, "bob", &share), "ENOENT");
    assert_done(view_share_by_pin(&alice->view, golden, "alice", &share));
    assert_refused(view_share_by_pin(&stranger->view, golden, "bob", &share), "ENOENT");
}

static void shares_are_listed_in_the_order_of_sharing(void **state)
{
    (void)state;
    assert_string_equal(mount_pins(me, golden), "alice bob");
    assert_done(mount_cancel(me, golden, "alice"));
    assert_done(mount_share(me, golden, "alice"));
    assert_string_equal(mount_pins(me, golden), "bob alice");
    assert_string_equal(mount_pins(me, quiet), "");
}

/* --- by account --- */

static void the_owner_sees_who_can_use_what(void **state)
{
    CLEANUP_LISTING struct listing accounts = LISTING_INIT;
    CLEANUP_LISTING struct listing images = LISTING_INIT;
    struct view_recipient recipient;
    struct view_recipient same;

    (void)state;
    assert_done(view_recipients(&me->view, 0, listing_add, &accounts));
    assert_string_equal(buffer_text(&accounts.text), "alice bob");
    assert_done(view_recipient_images(&me->view, "alice", 0, listing_add, &images));
    assert_string_equal(buffer_text(&images.text), "img-golden img-mysql");
    assert_done(view_recipient_by_pin(&me->view, "alice", &recipient));
    assert_string_equal(recipient.pin, "alice");
    assert_string_equal(recipient.owner, "me");
    assert_done(view_recipient(&me->view, recipient.row, &same));
    assert_string_equal(same.pin, "alice");
    assert_int_equal(same.changed_ns, recipient.changed_ns);
    assert_refused(view_recipient_by_pin(&me->view, "lab", &recipient), "ENOENT");
}

static void images_of_others_are_not_in_by_account(void **state)
{
    CLEANUP_LISTING struct listing images = LISTING_INIT;
    CLEANUP_LISTING struct listing none = LISTING_INIT;

    (void)state;
    assert_done(view_recipient_images(&lab->view, "alice", 0, listing_add, &images));
    assert_string_equal(buffer_text(&images.text), "img-theirs");
    assert_done(view_recipient_images(&stranger->view, "alice", 0, listing_add, &none));
    assert_int_equal(none.count, 0);
}

static int take_share_row(const struct view_entry *entry, void *context)
{
    *(int64_t *)context = entry->share;
    return 1;
}

static void each_image_of_an_account_is_told_with_the_share_that_brings_it(void **state)
{
    int64_t share = 0;

    (void)state;
    assert_done(view_recipient_images(&me->view, "alice", 0, take_share_row, &share));
    assert_int_equal(share, golden_alice);
    assert_done(view_recipient_images(&me->view, "alice", golden, take_share_row, &share));
    assert_int_equal(share, mysql_alice);
}

static void the_recipient_sees_who_shares_with_it(void **state)
{
    CLEANUP_LISTING struct listing owners = LISTING_INIT;
    struct view_recipient owner;
    struct view_recipient same;

    (void)state;
    assert_done(view_owners(&alice->view, 0, listing_add, &owners));
    assert_string_equal(buffer_text(&owners.text), "me lab");
    assert_done(view_owner_by_pin(&alice->view, "lab", &owner));
    assert_string_equal(owner.owner, "lab");
    assert_string_equal(owner.pin, "alice");
    assert_done(view_recipient(&alice->view, owner.row, &same));
    assert_refused(view_recipient(&stranger->view, owner.row, &same), "ENOENT");
    assert_refused(view_recipient(&me->view, owner.row, &same), "ENOENT");
    assert_refused(view_owner_by_pin(&alice->view, "bob", &owner), "ENOENT");
}

static void an_account_that_lost_its_last_share_is_not_listed_and_comes_back_as_itself(void **state)
{
    CLEANUP_LISTING struct listing accounts = LISTING_INIT;
    CLEANUP_LISTING struct listing owners = LISTING_INIT;
    struct view_recipient before;
    struct view_recipient after;

    (void)state;
    assert_done(view_recipient_by_pin(&me->view, "bob", &before));
    assert_done(mount_cancel(me, golden, "bob"));
    assert_refused(view_recipient_by_pin(&me->view, "bob", &after), "ENOENT");
    assert_refused(view_recipient(&me->view, before.row, &after), "ENOENT");
    assert_done(view_recipients(&me->view, 0, listing_add, &accounts));
    assert_string_equal(buffer_text(&accounts.text), "alice");

    assert_done(mount_share(me, mysql, "bob"));
    assert_done(view_recipient_by_pin(&me->view, "bob", &after));
    assert_int_equal(after.row, before.row); /* its inode number was this, and is again */
    assert_true(after.changed_ns > before.changed_ns);
    assert_done(view_owners(&stranger->view, 0, listing_add, &owners));
    assert_int_equal(owners.count, 0);
}

/* --- the account --- */

static void an_account_counts_its_images_and_those_it_was_given(void **state)
{
    struct view_account account;

    (void)state;
    assert_done(view_account(&me->view, &account));
    assert_int_equal(account.images, 3);
    assert_int_equal(account.received, 1);
    assert_done(view_account(&alice->view, &account));
    assert_int_equal(account.images, 0);
    assert_int_equal(account.received, 3);
    assert_int_equal(account.events_end, 0);
}

static void settings_are_the_registrys_or_the_defaults(void **state)
{
    const struct registry *registry = *state;
    int64_t limit = 0;
    enum snapshot_policy policy = SNAPSHOTS_NONE;

    assert_done(view_settings(&me->view, &limit, &policy));
    assert_int_equal(limit, 20);
    assert_int_equal(policy, SNAPSHOTS_ANY);
    registry_sql(registry, "UPDATE setting SET value = '3' WHERE name = 'limit'");
    registry_sql(registry, "UPDATE setting SET value = 'none' WHERE name = 'snapshots'");
    assert_done(view_settings(&me->view, &limit, &policy));
    assert_int_equal(limit, 3);
    assert_int_equal(policy, SNAPSHOTS_NONE);
    registry_sql(registry, "DELETE FROM setting");
    assert_done(view_settings(&me->view, &limit, &policy));
    assert_int_equal(limit, RULES_DEFAULT_LIMIT);
    assert_int_equal(policy, SNAPSHOTS_ANY);
    registry_sql(registry, "INSERT INTO setting VALUES ('snapshots', 'perhaps')");
    assert_refused(view_settings(&me->view, &limit, &policy), "store-damaged");
}

/* --- listings in steps, as readdir has them --- */

enum which { IMAGES_PRIVATE, IMAGES_SHARED, SHARES, RECIPIENTS, OWNERS, RECIPIENT_IMAGES, NAMES };

static int list(enum which which, struct view *view, int64_t after, struct listing *listing)
{
    switch (which) {
    case IMAGES_PRIVATE:
        return view_images(view, VIEW_PRIVATE, after, listing_add, listing);
    case IMAGES_SHARED:
        return view_images(view, VIEW_SHARED, after, listing_add, listing);
    case SHARES:
        return view_shares(view, golden, after, listing_add, listing);
    case RECIPIENTS:
        return view_recipients(view, after, listing_add, listing);
    case OWNERS:
        return view_owners(view, after, listing_add, listing);
    case RECIPIENT_IMAGES:
        return view_recipient_images(view, "alice", after, listing_add, listing);
    case NAMES:
    default:
        return view_names(view, "me", after, listing_add, listing);
    }
}

static void every_listing_read_in_small_steps_has_each_entry_once(void **state)
{
    static const struct {
        enum which which;
        struct mount **mount;
        int count;
    } rows[] = {
        {IMAGES_PRIVATE, &me, 43}, {IMAGES_SHARED, &alice, 23}, {SHARES, &me, 32},
        {RECIPIENTS, &me, 32},     {OWNERS, &alice, 2},         {RECIPIENT_IMAGES, &me, 22},
        {NAMES, &me, 43},
    };
    const struct registry *registry = *state;

    registry_share_many(registry, golden, "team", 30);
    for (int i = 0; i < 40; i++) {
        char id[32];
        (void)snprintf(id, sizeof(id), "img-more%02d", i);
        int64_t image = REGISTRY_IMAGE(registry, .id = id, .owner = "me");
        if (i % 2)
            (void)registry_share(registry, image, "alice");
    }
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        CLEANUP_LISTING struct listing whole = LISTING_INIT;
        struct view *view = &(*rows[i].mount)->view;
        assert_done(list(rows[i].which, view, 0, &whole));
        assert_int_equal(whole.count, rows[i].count);
        for (int step = 1; step <= 7; step += 2) {
            CLEANUP_LISTING struct listing parts = LISTING_INIT;
            int before = -1;
            while (parts.count > before) {
                before = parts.count;
                parts.most = before + step;
                assert_done(list(rows[i].which, view, parts.last, &parts));
            }
            assert_string_equal(buffer_text(&parts.text), buffer_text(&whole.text));
        }
    }
}

static void an_entry_that_stays_is_listed_once_while_others_come_and_go(void **state)
{
    const struct registry *registry = *state;
    CLEANUP_LISTING struct listing parts = LISTING_INIT;

    registry_share_many(registry, golden, "team", 5);
    parts.most = 3;
    assert_done(view_shares(&me->view, golden, 0, listing_add, &parts));
    assert_string_equal(buffer_text(&parts.text), "alice bob team01");
    assert_done(mount_cancel(me, golden, "alice"));  /* listed already */
    assert_done(mount_cancel(me, golden, "team01")); /* the one where the listing stopped */
    assert_done(mount_cancel(me, golden, "team03")); /* not listed yet */
    assert_done(mount_share(me, golden, "alice"));   /* again, behind */
    parts.most = 0;
    assert_done(view_shares(&me->view, golden, parts.last, listing_add, &parts));
    assert_string_equal(buffer_text(&parts.text), "alice bob team01 team02 team04 team05 alice");
}

static void a_listing_that_was_stopped_holds_nothing_open(void **state)
{
    CLEANUP_LISTING struct listing listing = LISTING_INIT;
    const struct registry *registry = *state;

    listing.most = 1;
    assert_done(view_shares(&me->view, golden, 0, listing_add, &listing));
    assert_done(view_images(&me->view, VIEW_PRIVATE, 0, listing_add, &listing));
    /* A read transaction that stayed open would hold this up. */
    assert_int_equal(
        sqlite3_wal_checkpoint_v2(registry->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL),
        SQLITE_OK);
}

/* --- pins that no file name can be --- */

static int add_label(const struct view_entry *entry, void *context)
{
    struct listing *listing = context;

    listing_add_name(listing, 0, entry->name);
    listing_add_name(listing, 0, entry->label);
    return 0;
}

static void shares_that_cannot_be_listed_are_found_for_the_status(void **state)
{
    CLEANUP_LISTING struct listing mine = LISTING_INIT;
    CLEANUP_LISTING struct listing other = LISTING_INIT;
    const struct registry *registry = *state;

    (void)registry_account(registry, "a/b", NULL);
    (void)registry_account(registry, "..", NULL);
    (void)registry_share(registry, golden, "a/b");
    (void)registry_share(registry, mysql, "..");
    assert_done(view_unlistable(&me->view, add_label, &mine));
    assert_string_equal(buffer_text(&mine.text), "img-golden a/b img-mysql ..");
    assert_done(view_unlistable(&lab->view, add_label, &other));
    assert_int_equal(other.count, 0);
}

/* --- refusals and events --- */

static void the_last_refusal_is_the_accounts_own(void **state)
{
    struct view_refusal refusal;

    (void)state;
    assert_refused(view_refusal(&me->view, golden, &refusal), "ENOENT");
    assert_refused(mount_share(me, golden, "nobody"), "no-account");
    assert_refused(mount_share(alice, golden, "bob2"), "not-owner");
    assert_done(view_refusal(&me->view, golden, &refusal));
    assert_string_equal(refusal.action, "share");
    assert_string_equal(refusal.name, "nobody");
    assert_string_equal(refusal.code, "no-account");
    assert_true(refusal.at_ns > 0);
    view_refusal_dispose(&refusal);
    assert_done(view_refusal(&alice->view, golden, &refusal));
    assert_string_equal(refusal.name, "bob2");
    view_refusal_dispose(&refusal);
    assert_refused(view_refusal(&stranger->view, golden, &refusal), "ENOENT");
}

static void a_name_of_every_length_is_kept_whole_in_a_refusal(void **state)
{
    struct view_refusal refusal;
    char longest[VIEW_NAME_SIZE];

    (void)state;
    memset(longest, 'x', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    assert_refused(mount_share(me, golden, longest), "no-account");
    assert_done(view_refusal(&me->view, golden, &refusal));
    assert_string_equal(refusal.name, longest);
    view_refusal_dispose(&refusal);
}

struct lines {
    int count;
    int most;
    int64_t first, next;
};

static int count_line(int64_t start, const char *line, size_t length, void *context)
{
    struct lines *lines = context;

    if (lines->count++ == 0)
        lines->first = start;
    else
        assert_int_equal(start, lines->next);
    assert_int_equal(strlen(line), length);
    assert_int_equal(line[length - 1], '\n');
    lines->next = start + (int64_t)length;
    return lines->count == lines->most;
}

static void the_event_log_is_read_from_the_line_that_holds_an_offset(void **state)
{
    struct view_account account;
    struct lines all = {0};
    int64_t begin = -1;
    int64_t at_ns = -1;

    (void)state;
    assert_done(view_events_begin(&me->view, &begin));
    assert_int_equal(begin, 0);
    assert_done(view_events_time(&me->view, &at_ns));
    assert_int_equal(at_ns, 0);
    for (int i = 0; i < 5; i++) {
        assert_done(mount_share(me, mysql, "bob"));
        assert_done(mount_cancel(me, mysql, "bob"));
    }
    assert_done(view_events(&me->view, 0, count_line, &all));
    assert_int_equal(all.count, 10);
    assert_done(view_account(&me->view, &account));
    assert_int_equal(account.events_end, all.next);

    for (int64_t offset = 0; offset < all.next; offset++) {
        struct lines from = {.most = 1};
        assert_done(view_events(&me->view, offset, count_line, &from));
        assert_true(from.first <= offset && offset < from.next);
    }
    assert_done(view_events_time(&me->view, &at_ns));
    assert_true(at_ns > 0);
}

static void each_account_has_its_own_log(void **state)
{
    struct lines none = {0};

    (void)state;
    assert_done(mount_share(me, mysql, "bob"));
    assert_done(view_events(&lab->view, 0, count_line, &none));
    assert_int_equal(none.count, 0);
}

static void a_log_without_lines_begins_where_the_next_one_will(void **state)
{
    int64_t begin = -1;

    registry_sql(*state, "UPDATE account SET events_end = 500");
    assert_done(view_events_begin(&me->view, &begin));
    assert_int_equal(begin, 500);
}

static void of_a_log_that_was_cut_the_first_line_that_is_left_is_the_begin(void **state)
{
    const struct registry *registry = *state;
    struct connection connection = {.db = registry->db};
    struct lines before = {.most = 4};
    struct lines after = {0};
    int64_t begin = -1;

    for (int i = 0; i < 3; i++) {
        assert_done(mount_share(me, mysql, "bob"));
        assert_done(mount_cancel(me, mysql, "bob"));
    }
    assert_done(view_events(&me->view, 0, count_line, &before));
    assert_done(write_trim_events(&connection, me->view.account, 2));
    for (size_t i = 0; i < STATEMENT_COUNT; i++)
        (void)sqlite3_finalize(connection.statements[i]);
    assert_done(view_events_begin(&me->view, &begin));
    assert_int_equal(begin, before.next);
    assert_done(view_events(&me->view, begin, count_line, &after));
    assert_int_equal(after.count, 2);
}

#define VIEW_TEST(name) cmocka_unit_test_setup_teardown(name, cast_setup, cast_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        VIEW_TEST(an_image_is_seen_by_its_owner_and_by_whom_it_is_shared_with),
        VIEW_TEST(private_and_shared_never_show_each_others_images),
        VIEW_TEST(an_image_leaves_the_shared_list_with_its_share),
        VIEW_TEST(a_record_holds_what_the_attribute_files_show),
        VIEW_TEST(the_owner_sees_all_shares_and_a_recipient_its_own),
        VIEW_TEST(shares_are_listed_in_the_order_of_sharing),
        VIEW_TEST(the_owner_sees_who_can_use_what),
        VIEW_TEST(images_of_others_are_not_in_by_account),
        VIEW_TEST(each_image_of_an_account_is_told_with_the_share_that_brings_it),
        VIEW_TEST(the_recipient_sees_who_shares_with_it),
        VIEW_TEST(an_account_that_lost_its_last_share_is_not_listed_and_comes_back_as_itself),
        VIEW_TEST(an_account_counts_its_images_and_those_it_was_given),
        VIEW_TEST(settings_are_the_registrys_or_the_defaults),
        VIEW_TEST(every_listing_read_in_small_steps_has_each_entry_once),
        VIEW_TEST(an_entry_that_stays_is_listed_once_while_others_come_and_go),
        VIEW_TEST(a_listing_that_was_stopped_holds_nothing_open),
        VIEW_TEST(shares_that_cannot_be_listed_are_found_for_the_status),
        VIEW_TEST(the_last_refusal_is_the_accounts_own),
        VIEW_TEST(a_name_of_every_length_is_kept_whole_in_a_refusal),
        VIEW_TEST(the_event_log_is_read_from_the_line_that_holds_an_offset),
        VIEW_TEST(each_account_has_its_own_log),
        VIEW_TEST(a_log_without_lines_begins_where_the_next_one_will),
        VIEW_TEST(of_a_log_that_was_cut_the_first_line_that_is_left_is_the_begin),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
