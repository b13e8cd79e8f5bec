/* The change feed: how a mount learns what others have committed. */
#include "core/store/feed.h"

#include "core/store/store.h"
#include "tests/unit/support.h"

#include <string.h>

static struct store store;

static int feed_setup(void **state)
{
    CLEANUP_BUFFER struct buffer error = BUFFER_INIT(2 * PATH_MAX);

    (void)registry_setup(state);
    const struct registry *registry = *state;
    assert_done(store_open(registry->path, &store, &error));
    return 0;
}

static int feed_teardown(void **state)
{
    store_close(&store);
    return registry_teardown(state);
}

static void add(int64_t now, enum feed_kind kind, int64_t image, const char *pin)
{
    assert_done(feed_add(&store.connection, now, 77, kind, image, image, pin));
}

static void a_feed_begins_empty(void **state)
{
    struct feed_row rows[4];
    int64_t id = -1;

    (void)state;
    assert_done(feed_newest(&store.connection, &id));
    assert_int_equal(id, 0);
    assert_done(feed_oldest(&store.connection, &id));
    assert_int_equal(id, 0);
    assert_int_equal(feed_read(&store.connection, 0, 4, rows), 0);
}

static void a_row_tells_what_happened_and_who_wrote_it(void **state)
{
    struct feed_row rows[4];

    (void)state;
    add(100, FEED_SHARED, 5, "alice");
    assert_done(feed_add(&store.connection, 200, 0, FEED_IMPORTED, 6, 9, NULL));
    assert_int_equal(feed_read(&store.connection, 0, 4, rows), 2);
    assert_int_equal(rows[0].id, 1);
    assert_int_equal(rows[0].writer, 77);
    assert_int_equal(rows[0].kind, FEED_SHARED);
    assert_int_equal(rows[0].first, 5);
    assert_int_equal(rows[0].last, 5);
    assert_string_equal(rows[0].pin, "alice");
    assert_int_equal(rows[1].id, 2);
    assert_int_equal(rows[1].writer, 0);
    assert_int_equal(rows[1].kind, FEED_IMPORTED);
    assert_int_equal(rows[1].first, 6);
    assert_int_equal(rows[1].last, 9);
    assert_string_equal(rows[1].pin, "");
}

static void rows_are_read_in_order_a_few_at_a_time(void **state)
{
    struct feed_row rows[3];
    int64_t after = 0;
    int count = 0;
    int total = 0;

    (void)state;
    for (int i = 0; i < 10; i++)
        add(100, FEED_CANCELLED, i, "alice");
    while ((count = feed_read(&store.connection, after, 3, rows)) > 0) {
        for (int i = 0; i < count; i++)
            assert_int_equal(rows[i].first, total + i);
        total += count;
        after = rows[count - 1].id;
    }
    assert_int_equal(count, 0);
    assert_int_equal(total, 10);
}

static void old_rows_go_and_a_reader_can_tell(void **state)
{
    int64_t id = 0;

    (void)state;
    for (int i = 0; i < 10; i++)
        add(100 + i, FEED_SHARED, i, "alice");
    assert_done(feed_trim(&store.connection, 104));
    assert_done(feed_oldest(&store.connection, &id));
    assert_int_equal(id, 5);
    assert_done(feed_newest(&store.connection, &id));
    assert_int_equal(id, 10);
}

static void the_newest_row_stays_so_that_ids_rise(void **state)
{
    struct feed_row rows[2];
    int64_t id = 0;

    (void)state;
    add(100, FEED_SHARED, 1, "alice");
    add(101, FEED_SHARED, 2, "alice");
    assert_done(feed_trim(&store.connection, 1000));
    assert_done(feed_oldest(&store.connection, &id));
    assert_int_equal(id, 2);
    add(2000, FEED_SHARED, 3, "alice");
    assert_int_equal(feed_read(&store.connection, 2, 2, rows), 1);
    assert_int_equal(rows[0].id, 3);
    assert_done(feed_trim(&store.connection, 0));
    assert_int_equal(feed_read(&store.connection, 0, 2, rows), 2);
}

static void the_version_changes_with_commits_of_others_only(void **state)
{
    int64_t before = 0;
    int64_t after = 0;

    assert_done(feed_version(&store.connection, &before));
    add(100, FEED_SHARED, 1, "alice");
    assert_done(feed_version(&store.connection, &after));
    assert_int_equal(after, before);
    registry_sql(*state, "UPDATE setting SET value = '5' WHERE name = 'limit'");
    assert_done(feed_version(&store.connection, &after));
    assert_int_not_equal(after, before);
}

static void the_images_of_a_row_are_told_apart_new_and_changed(void **state)
{
    const struct registry *registry = *state;
    struct feed_image images[4];

    int64_t owner = registry_account(registry, "me", NULL);
    int64_t first = REGISTRY_IMAGE(registry, .id = "img-1", .owner = "me");
    int64_t second = REGISTRY_IMAGE(registry, .id = "img-2", .owner = "me");
    int64_t third = REGISTRY_IMAGE(registry, .id = "img-3", .owner = "me");
    registry_sql(registry, "UPDATE image SET changed_ns = 5 WHERE image_id = 'img-2'");
    assert_int_equal(feed_images(&store.connection, first, second, 4, images), 2);
    assert_int_equal(images[0].row, first);
    assert_int_equal(images[0].owner, owner);
    assert_string_equal(images[0].id, "img-1");
    assert_true(images[0].is_new);
    assert_string_equal(images[1].id, "img-2");
    assert_false(images[1].is_new);
    assert_int_equal(feed_images(&store.connection, first, third, 2, images), 2);
    assert_int_equal(feed_images(&store.connection, third + 1, third + 9, 4, images), 0);
}

#define FEED_TEST(name) cmocka_unit_test_setup_teardown(name, feed_setup, feed_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FEED_TEST(a_feed_begins_empty),
        FEED_TEST(a_row_tells_what_happened_and_who_wrote_it),
        FEED_TEST(rows_are_read_in_order_a_few_at_a_time),
        FEED_TEST(old_rows_go_and_a_reader_can_tell),
        FEED_TEST(the_newest_row_stays_so_that_ids_rise),
        FEED_TEST(the_version_changes_with_commits_of_others_only),
        FEED_TEST(the_images_of_a_row_are_told_apart_new_and_changed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
