/* The texts at the root of a mount: README, status, and the window into events. */
#include "core/catalog/report.h"

#include "tests/unit/support.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

static int64_t golden;
static struct mount *me;

static int cast_setup(void **state)
{
    (void)registry_setup(state);
    const struct registry *registry = *state;

    (void)registry_account(registry, "me", NULL);
    (void)registry_account(registry, "alice", NULL);
    golden = REGISTRY_IMAGE(registry, .id = "img-golden", .owner = "me", .name = "golden");
    me = mount_open(registry, "me");
    return 0;
}

static int cast_teardown(void **state)
{
    mount_close(me);
    return registry_teardown(state);
}

/* The file status. Valid until the next call. */
static const char *status_of(struct mount *mount)
{
    static char status[1 << 16];
    CLEANUP_BUFFER struct buffer out = BUFFER_INIT(sizeof(status) - 1);

    assert_done(report_status(mount->catalog, &mount->view, &out));
    (void)snprintf(status, sizeof(status), "%s", buffer_text(&out));
    return status;
}

/* --- README --- */

static void the_readme_is_one_screen_that_tells_how_to_share_and_cancel(void **state)
{
    const char *readme = report_readme();
    int lines = 0;
    size_t longest = 0;

    (void)state;
    for (const char *line = readme; *line; lines++) {
        size_t length = strcspn(line, "\n");
        longest = length > longest ? length : longest;
        assert_int_equal(line[length], '\n');
        line += length + 1;
    }
    assert_in_range(lines, 10, 24);
    assert_in_range(longest, 40, 100);
    assert_holds(readme, "touch private/IMAGE/shares/PIN");
    assert_holds(readme, "rm private/IMAGE/shares/PIN");
    assert_holds(readme, "last_refusal");
    assert_holds(readme, "use trusted sources only");
    assert_holds(readme, "who can write it can act as any account");
}

/* --- status --- */

static void the_status_of_a_plain_mount(void **state)
{
    const struct registry *registry = *state;
    CLEANUP_BUFFER struct buffer expected = BUFFER_INIT(2 * PATH_MAX);
    char mounted[TEXT_TIME_SIZE];

    text_time(me->catalog->opened_ns, 0, mounted);
    buffer_printf(&expected,
                  "source: registry %s\n"
                  "online: yes, the registry is a local file\n"
                  "account: me\n"
                  "access: read-write\n"
                  "private: 1 images\n"
                  "shared: 0 images\n"
                  "limit: 20 accounts an image\n"
                  "snapshots: any forbids sharing\n"
                  "cancel: on\n"
                  "unsettled: 0 changes\n"
                  "mounted: %s\n"
                  "last_error: none\n",
                  registry->path, mounted);
    assert_string_equal(status_of(me), buffer_text(&expected));
}

static void every_line_of_the_status_is_a_key_and_a_value(void **state)
{
    (void)state;
    for (const char *line = status_of(me); *line;) {
        size_t key = strspn(line, "abcdefghijklmnopqrstuvwxyz_");
        size_t length = strcspn(line, "\n");
        assert_true(key > 0 && strncmp(line + key, ": ", 2) == 0 && length > key + 2);
        line += length + 1;
    }
}

static void the_status_shows_what_the_mount_was_asked_for(void **state)
{
    char allow[PATH_MAX];
    char trust[PATH_MAX];

    (void)snprintf(allow, sizeof(allow), "%s", registry_file(*state, "allow", "alice\nbob\n"));
    (void)snprintf(trust, sizeof(trust), "%s", registry_file(*state, "trust", "lab\n"));
    struct mount *mount = mount_open_as(
        *state,
        (struct catalog_options){
            .account = "me", .allow = allow, .trust = trust, .no_cancel = true, .max_cancel = 3});
    const char *status = status_of(mount);
    assert_holds(status, "\ncancel: off\n");
    assert_holds(status, "\nmaxcancel: 3\n");
    assert_holds(status, "\nallow_list: 2 pins\n");
    assert_holds(status, "\ntrust_list: 1 pins\n");
    mount_close(mount);
}

static void the_status_follows_the_registry(void **state)
{
    const struct registry *registry = *state;

    (void)registry_share(registry, golden, "alice");
    registry_sql(registry, "UPDATE setting SET value = '5' WHERE name = 'limit'");
    registry_sql(registry, "UPDATE setting SET value = 'encrypted' WHERE name = 'snapshots'");
    struct mount *alice = mount_open(registry, "alice");
    const char *status = status_of(alice);
    assert_holds(status, "\nprivate: 0 images\nshared: 1 images\n");
    assert_holds(status, "\nlimit: 5 accounts an image\n");
    assert_holds(status, "\nsnapshots: encrypted ones forbid sharing\n");
    registry_sql(registry, "UPDATE setting SET value = 'none' WHERE name = 'snapshots'");
    assert_holds(status_of(alice), "\nsnapshots: none forbids sharing\n");
    mount_close(alice);
}

static void a_read_only_store_shows_in_the_status(void **state)
{
    const struct registry *registry = *state;

    assert_int_equal(chmod(registry->path, 0444), 0);
    struct mount *mount = mount_open(registry, "me");
    assert_holds(status_of(mount), "\naccess: read-only\n");
    mount_close(mount);
}

static void pins_that_no_file_name_can_be_are_named_in_the_status(void **state)
{
    const struct registry *registry = *state;

    (void)registry_account(registry, "a/\x1b[2J", NULL);
    (void)registry_share(registry, golden, "a/\x1b[2J");
    assert_holds(status_of(me), "\nunlistable: img-golden a/\\x1b[2J\n");
}

static void the_last_error_of_the_store_is_told(void **state)
{
    (void)state;
    catalog_note_error(me->catalog, -REFUSAL_STORE_FULL);
    assert_holds(status_of(me), "Z ENOSPC: the disk of the store is full\n");
    catalog_note_error(me->catalog, -ENOMEM);
    assert_holds(status_of(me), "Z ENOMEM: Cannot allocate memory\n");
    assert_lacks(status_of(me), "ENOSPC");
}

/* --- events --- */

static void make_events(int count)
{
    for (int i = 0; i < count; i++)
        assert_done(i % 2 ? mount_cancel(me, golden, "alice") : mount_share(me, golden, "alice"));
}

static int64_t size_of(struct mount *mount)
{
    int64_t size = -1;
    int64_t mtime = -1;

    assert_done(report_events_size(mount->catalog, &mount->view, &size, &mtime));
    return size;
}

static void an_empty_log_is_as_old_as_the_mount(void **state)
{
    int64_t size = -1;
    int64_t mtime = -1;

    (void)state;
    assert_done(report_events_size(me->catalog, &me->view, &size, &mtime));
    assert_int_equal(size, 0);
    assert_int_equal(mtime, me->catalog->opened_ns);
    assert_string_equal(mount_events(me), "");
}

static void the_log_grows_by_each_line_and_is_as_old_as_the_last(void **state)
{
    int64_t size = -1;
    int64_t mtime = -1;
    int64_t before = text_now();

    (void)state;
    make_events(3);
    assert_done(report_events_size(me->catalog, &me->view, &size, &mtime));
    assert_int_equal(size, strlen(mount_events(me)));
    assert_true(mtime >= before && mtime <= text_now());
}

static void any_window_shows_the_bytes_that_are_there_in_the_whole(void **state)
{
    CLEANUP_BUFFER struct buffer whole = BUFFER_INIT(1 << 16);

    (void)state;
    make_events(7);
    buffer_puts(&whole, mount_events(me));
    int64_t size = size_of(me);
    assert_int_equal(size, whole.length);
    for (int64_t offset = 0; offset < size + 15; offset += 7) {
        for (size_t length = 0; length < 400; length += 13) {
            CLEANUP_BUFFER struct buffer part = BUFFER_INIT(1 << 16);
            size_t left = offset < size ? (size_t)(size - offset) : 0;
            size_t wanted = length < left ? length : left;
            assert_done(report_events_read(me->catalog, &me->view, offset, length, &part));
            assert_int_equal(part.length, wanted);
            assert_memory_equal(buffer_text(&part), buffer_text(&whole) + (left ? offset : 0),
                                wanted);
        }
    }
}

static void a_read_appends_to_what_is_in_the_buffer(void **state)
{
    CLEANUP_BUFFER struct buffer out = BUFFER_INIT(1 << 16);

    (void)state;
    make_events(2);
    for (int64_t offset = 0; offset < size_of(me); offset += 10)
        assert_done(report_events_read(me->catalog, &me->view, offset, 10, &out));
    assert_string_equal(buffer_text(&out), mount_events(me));
}

static void a_mount_shows_the_log_from_the_first_line_that_is_kept(void **state)
{
    const struct registry *registry = *state;

    make_events(4);
    CLEANUP_FREE char *before = strdup(mount_events(me));
    assert_non_null(before);
    const char *second = strchr(before, '\n') + 1;
    registry_sql(registry, "DELETE FROM event WHERE start = 0");
    mount_close(me);
    me = mount_open(registry, "me");
    assert_int_equal(size_of(me), strlen(second));
    assert_string_equal(mount_events(me), second);
    make_events(1);
    CLEANUP_FREE char *whole = strdup(mount_events(me));
    assert_non_null(whole);
    assert_memory_equal(whole, second, strlen(second));
    assert_int_equal(size_of(me), strlen(whole));
    for (int64_t offset = 0; offset < size_of(me); offset += 50) {
        CLEANUP_BUFFER struct buffer part = BUFFER_INIT(1 << 16);
        assert_done(report_events_read(me->catalog, &me->view, offset, 50, &part));
        assert_memory_equal(buffer_text(&part), whole + offset, part.length);
        assert_true(part.length > 0);
    }
}

#define REPORT_TEST(name) cmocka_unit_test_setup_teardown(name, cast_setup, cast_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_readme_is_one_screen_that_tells_how_to_share_and_cancel),
        REPORT_TEST(the_status_of_a_plain_mount),
        REPORT_TEST(every_line_of_the_status_is_a_key_and_a_value),
        REPORT_TEST(the_status_shows_what_the_mount_was_asked_for),
        REPORT_TEST(the_status_follows_the_registry),
        REPORT_TEST(a_read_only_store_shows_in_the_status),
        REPORT_TEST(pins_that_no_file_name_can_be_are_named_in_the_status),
        REPORT_TEST(the_last_error_of_the_store_is_told),
        REPORT_TEST(an_empty_log_is_as_old_as_the_mount),
        REPORT_TEST(the_log_grows_by_each_line_and_is_as_old_as_the_last),
        REPORT_TEST(any_window_shows_the_bytes_that_are_there_in_the_whole),
        REPORT_TEST(a_read_appends_to_what_is_in_the_buffer),
        REPORT_TEST(a_mount_shows_the_log_from_the_first_line_that_is_kept),
    };

    obey_file_modes();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
