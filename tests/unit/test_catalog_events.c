/*
 * What a mount writes down: every change and every refusal is a line of the log, the last refusal
 * of an image is kept with it, and a loop that asks the same again and again is folded. And how a
 * mount begins.
 */
#include "core/catalog/catalog.h"

#include "core/store/lock.h"
#include "tests/unit/support.h"

#include <dirent.h>
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

/* Cuts the time off the front of each line, and asserts that it was one. */
static const char *events_without_times(struct mount *mount)
{
    static char events[1 << 20];
    size_t length = 0;

    for (const char *line = mount_events(mount); *line;) {
        const char *end = strchr(line, '\n');
        char time[TEXT_TIME_SIZE] = "";
        int64_t ns = 0;
        assert_non_null(end);
        assert_int_equal(sscanf(line, "time=%39s", time), 1);
        assert_done(text_time_parse(time, &ns));
        line += strlen("time=") + strlen(time) + 1;
        size_t rest = (size_t)(end + 1 - line);
        memcpy(events + length, line, rest);
        length += rest;
        line = end + 1;
    }
    events[length] = '\0';
    return events;
}

#define BY_TOUCH " uid=1000 pid=4711 exe=/usr/bin/touch\n"

static void what_was_done_and_what_was_refused_is_a_line_each(void **state)
{
    (void)state;
    assert_done(mount_share(me, golden, "alice"));
    assert_done(mount_share(me, golden, "alice")); /* nothing was done */
    assert_refused(mount_share(me, golden, "dave"), "no-account");
    assert_done(mount_cancel(me, golden, "alice"));
    assert_refused(mount_cancel(me, golden, "alice"), "not-shared");
    assert_refused(mount_refuse(me, "mkdir", 0, "New Folder", REFUSAL_TREE_CREATE), "tree-create");
    assert_refused(mount_refuse(me, "unlink", golden, "status", REFUSAL_TREE_REMOVE),
                   "tree-remove");
    assert_string_equal(
        events_without_times(me),
        "action=share image=img-golden pin=alice outcome=done" BY_TOUCH
        "action=share image=img-golden pin=dave outcome=refused errno=ENXIO code=no-account "
        "message=\"JD Cloud account does not exist\"" BY_TOUCH
        "action=cancel image=img-golden pin=alice outcome=done" BY_TOUCH
        "action=cancel image=img-golden pin=alice outcome=refused errno=ENOENT code=not-shared "
        "message=\"the image is not shared with this account\"" BY_TOUCH
        "action=mkdir name=\"New Folder\" outcome=refused errno=EPERM code=tree-create "
        "message=\"only shares can be made here, as empty files in an image's shares/\"" BY_TOUCH
        "action=unlink image=img-golden name=status outcome=refused errno=EPERM code=tree-remove "
        "message=\"only shares can be removed here; images and their files are the "
        "registry's\"" BY_TOUCH);
}

static void a_refusal_about_an_image_that_is_gone_names_none(void **state)
{
    (void)state;
    assert_refused(mount_share(me, 999, "alice"), "image-gone");
    assert_string_equal(events_without_times(me),
                        "action=share pin=alice outcome=refused errno=ENOENT code=image-gone "
                        "message=\"the image does not exist any more\"" BY_TOUCH);
}

static void the_last_refusal_stays_with_the_image(void **state)
{
    struct view_refusal refusal;

    (void)state;
    assert_refused(mount_share(me, golden, "dave"), "no-account");
    assert_refused(mount_refuse(me, "rename", golden, "alice", REFUSAL_TREE_RENAME), "tree-rename");
    assert_done(mount_share(me, golden, "alice")); /* what is done does not make it forgotten */
    assert_done(view_refusal(&me->view, golden, &refusal));
    assert_string_equal(refusal.action, "rename");
    assert_string_equal(refusal.name, "alice");
    assert_string_equal(refusal.code, "tree-rename");
    view_refusal_dispose(&refusal);
}

static void equal_refusals_in_a_row_are_one_line(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++)
        assert_refused(mount_share(me, golden, "dave"), "no-account");
    assert_refused(mount_share(me, golden, "erin"), "no-account");
    assert_int_equal(registry_number(*state, "SELECT count(*) FROM event"), 2);

    /* Ten seconds later. */
    for (size_t i = 0; i < FOLD_ENTRIES; i++)
        if (me->catalog->fold.entries[i].written_ns > 0)
            me->catalog->fold.entries[i].written_ns -= FOLD_NS;
    assert_refused(mount_share(me, golden, "dave"), "no-account");
    assert_int_equal(registry_number(*state, "SELECT count(*) FROM event"), 3);
    assert_holds(mount_events(me), "message=\"JD Cloud account does not exist\" repeated=49 uid=");
}

static void after_something_was_done_the_same_refusal_is_news(void **state)
{
    assert_refused(mount_share(me, golden, "dave"), "no-account");
    assert_refused(mount_share(me, golden, "dave"), "no-account");
    assert_done(mount_share(me, golden, "alice"));
    assert_refused(mount_share(me, golden, "dave"), "no-account");
    assert_int_equal(registry_number(*state, "SELECT count(*) FROM event"), 3);
}

static void the_same_refusal_of_another_user_is_not_folded(void **state)
{
    struct request request = request_of(CHANGE_SHARE, golden, "dave");

    request.change.caller.uid = 1001;
    assert_refused(mount_share(me, golden, "dave"), "no-account");
    assert_refused(request_run(me, &request), "no-account");
    assert_int_equal(registry_number(*state, "SELECT count(*) FROM event"), 2);
}

static void each_account_has_a_log_of_its_own(void **state)
{
    struct mount *alice = mount_open(*state, "alice");

    assert_done(mount_share(me, golden, "alice"));
    assert_string_equal(mount_events(alice), "");
    assert_refused(mount_cancel(alice, golden, "alice"), "not-owner");
    assert_holds(mount_events(alice), "action=cancel image=img-golden pin=alice outcome=refused");
    assert_lacks(mount_events(me), "action=cancel");
    mount_close(alice);
}

/* --- lists that are read anew --- */

static struct mount *mount_with_lists(void **state, const char *allow, const char *trust)
{
    return mount_open_as(*state,
                         (struct catalog_options){.account = "me", .allow = allow, .trust = trust});
}

static void a_list_that_was_changed_is_in_force_after_a_reload(void **state)
{
    char allow[PATH_MAX];
    char trust[PATH_MAX];

    (void)snprintf(allow, sizeof(allow), "%s", registry_file(*state, "allow", "bob\n"));
    (void)snprintf(trust, sizeof(trust), "%s", registry_file(*state, "trust", "lab\n"));
    struct mount *mount = mount_with_lists(state, allow, trust);
    assert_refused(mount_share(mount, golden, "alice"), "pin-unlisted");
    assert_true(catalog_trusts(mount->catalog, "lab"));
    (void)registry_file(*state, "allow", "bob\nalice\n");
    (void)registry_file(*state, "trust", "# nobody\n");
    assert_refused(mount_share(mount, golden, "alice"), "pin-unlisted");
    catalog_reload(mount->catalog);
    assert_done(mount_share(mount, golden, "alice"));
    assert_false(catalog_trusts(mount->catalog, "lab"));
    assert_holds(events_without_times(mount), "action=reload outcome=done\n"
                                              "action=reload outcome=done\n");
    mount_close(mount);
}

static void a_list_that_became_bad_leaves_the_old_one_in_force(void **state)
{
    char allow[PATH_MAX];

    (void)snprintf(allow, sizeof(allow), "%s", registry_file(*state, "allow", "alice\n"));
    struct mount *mount = mount_with_lists(state, allow, NULL);
    (void)registry_file(*state, "allow", "bob\na/b\n");
    catalog_reload(mount->catalog);
    assert_done(mount_share(mount, golden, "alice"));
    assert_refused(mount_share(mount, golden, "bob"), "pin-unlisted");
    assert_holds(events_without_times(mount),
                 "action=reload outcome=refused errno=EINVAL message=");
    assert_holds(mount_events(mount), "allow:2: not a pin: \\\"a/b\\\"");
    assert_int_equal(remove(allow), 0);
    catalog_reload(mount->catalog);
    assert_refused(mount_share(mount, golden, "bob"), "pin-unlisted");
    assert_holds(mount_events(mount), "outcome=refused errno=ENOENT");
    mount_close(mount);
}

static void a_mount_that_cannot_write_reads_its_lists_anew_as_well(void **state)
{
    const struct registry *registry = *state;
    char trust[PATH_MAX];

    (void)snprintf(trust, sizeof(trust), "%s", registry_file(registry, "trust", "# nobody\n"));
    assert_int_equal(chmod(registry->path, 0444), 0);
    struct mount *mount = mount_with_lists(state, NULL, trust);
    assert_false(catalog_is_writable(mount->catalog));
    assert_false(catalog_trusts(mount->catalog, "lab"));
    (void)registry_file(registry, "trust", "lab\n");
    catalog_reload(mount->catalog);
    assert_true(catalog_trusts(mount->catalog, "lab"));
    (void)registry_file(registry, "trust", "a/b\n");
    catalog_reload(mount->catalog);
    assert_true(catalog_trusts(mount->catalog, "lab"));
    assert_string_equal(mount_events(mount), ""); /* which it cannot write either */
    mount_close(mount);
}

static void without_a_list_nothing_is_reloaded_and_nobody_trusted(void **state)
{
    (void)state;
    catalog_reload(me->catalog);
    assert_string_equal(mount_events(me), "");
    assert_int_equal(catalog_allow(me->catalog, "alice"), ALLOW_NO_LIST);
    assert_false(catalog_trusts(me->catalog, "alice"));
}

/* --- the length of the log --- */

static void fill_log(void **state, const char *pin, int lines)
{
    registry_sql(*state,
                 "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < %d) "
                 "INSERT INTO event SELECT account.id, i * 10, 1, printf('line %%04d', i %% 10000) "
                 "|| char(10) FROM n, account WHERE pin = '%s'",
                 lines - 1, pin);
    registry_sql(*state, "UPDATE account SET events_end = %d WHERE pin = '%s'", lines * 10, pin);
}

static int64_t lines_of(void **state, const char *pin)
{
    return registry_number(
        *state, "SELECT count(*) FROM event, account WHERE account = id AND pin = '%s'", pin);
}

static void a_mount_cuts_its_own_log_to_the_last_lines(void **state)
{
    fill_log(state, "me", CATALOG_EVENT_LINES + 50);
    fill_log(state, "alice", CATALOG_EVENT_LINES + 50);
    struct mount *alice = mount_open(*state, "alice");
    assert_int_equal(lines_of(state, "alice"), CATALOG_EVENT_LINES);
    assert_int_equal(alice->catalog->events_base, 500);
    assert_memory_equal(mount_events(alice), "line 0050\nline 0051\n", 20);
    mount_close(alice);
}

static void a_log_that_another_mount_shows_is_not_cut_under_it(void **state)
{
    fill_log(state, "me", CATALOG_EVENT_LINES + 50);
    struct mount *second = mount_open(*state, "me"); /* the first one is still there */
    assert_int_equal(lines_of(state, "me"), CATALOG_EVENT_LINES + 50);
    mount_close(second);
    mount_close(me);
    me = mount_open(*state, "me");
    assert_int_equal(lines_of(state, "me"), CATALOG_EVENT_LINES);
}

static void a_log_that_is_short_enough_stays(void **state)
{
    fill_log(state, "alice", CATALOG_EVENT_LINES);
    struct mount *alice = mount_open(*state, "alice");
    assert_int_equal(lines_of(state, "alice"), CATALOG_EVENT_LINES);
    assert_int_equal(alice->catalog->events_base, 0);
    mount_close(alice);
}

/* --- how a mount begins --- */

static int open_files(void)
{
    DIR *directory = opendir("/proc/self/fd");
    int count = 0;

    assert_non_null(directory);
    while (readdir(directory))
        count++;
    assert_int_equal(closedir(directory), 0);
    return count;
}

static void a_mount_that_cannot_be_says_why_and_leaves_nothing_open(void **state)
{
    const struct registry *registry = *state;
    const struct {
        struct catalog_options options;
        const char *error_name;
        const char *part;
    } rows[] = {
        {{.path = "/nonexistent/registry"}, "ENOENT", "/nonexistent/registry"},
        {{.path = registry->path}, "EINVAL", "several accounts"},
        {{.path = registry->path, .account = "dave"}, "ENOENT", "no account \"dave\""},
        {{.path = registry->path, .account = "me", .allow = "/nonexistent/allow"},
         "ENOENT",
         "/nonexistent/allow"},
        {{.path = registry->path, .account = "me", .trust = "/nonexistent/trust"},
         "ENOENT",
         "/nonexistent/trust"},
        {{.path = registry->path, .account = "me", .trust = registry->directory},
         "EIO",
         registry->directory},
    };
    int after_first = 0;

    for (int round = 0; round < 5; round++) {
        for (size_t i = 0; i < COUNT_OF(rows); i++) {
            CLEANUP_BUFFER struct buffer error = BUFFER_INIT(2 * PATH_MAX);
            struct catalog *catalog = NULL;
            assert_refused(catalog_open(&rows[i].options, &error, &catalog), rows[i].error_name);
            assert_null(catalog);
            assert_holds(buffer_text(&error), rows[i].part);
        }
        /* SQLite keeps a descriptor for later while another connection has the file open. */
        if (round == 0)
            after_first = open_files();
    }
    assert_int_equal(open_files(), after_first);
}

static void a_mount_marks_its_account_while_it_is_there(void **state)
{
    CLEANUP_BUFFER struct buffer error = BUFFER_INIT(1024);
    const struct registry *registry = *state;
    int fd = lock_open(registry->path, &error);

    assert_true(fd >= 0);
    struct mount *alice = mount_open(registry, "alice");
    int64_t row = alice->catalog->account;
    assert_true(lock_is_mounted_elsewhere(fd, row));
    mount_close(alice);
    assert_false(lock_is_mounted_elsewhere(fd, row));
    assert_int_equal(close(fd), 0);
}

static void note_result(struct refresh *refresh, int result)
{
    (void)refresh;
    assert_done(result);
    check_expected(result);
}

static void a_registry_is_always_fresh(void **state)
{
    struct refresh refresh = {.image = golden, .shares = true, .done = note_result};

    (void)state;
    expect_value(note_result, result, 0);
    catalog_refresh(me->catalog, &refresh);
}

#define EVENT_TEST(name) cmocka_unit_test_setup_teardown(name, cast_setup, cast_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EVENT_TEST(what_was_done_and_what_was_refused_is_a_line_each),
        EVENT_TEST(a_refusal_about_an_image_that_is_gone_names_none),
        EVENT_TEST(the_last_refusal_stays_with_the_image),
        EVENT_TEST(equal_refusals_in_a_row_are_one_line),
        EVENT_TEST(after_something_was_done_the_same_refusal_is_news),
        EVENT_TEST(the_same_refusal_of_another_user_is_not_folded),
        EVENT_TEST(each_account_has_a_log_of_its_own),
        EVENT_TEST(a_list_that_was_changed_is_in_force_after_a_reload),
        EVENT_TEST(a_list_that_became_bad_leaves_the_old_one_in_force),
        EVENT_TEST(a_mount_that_cannot_write_reads_its_lists_anew_as_well),
        EVENT_TEST(without_a_list_nothing_is_reloaded_and_nobody_trusted),
        EVENT_TEST(a_mount_cuts_its_own_log_to_the_last_lines),
        EVENT_TEST(a_log_that_another_mount_shows_is_not_cut_under_it),
        EVENT_TEST(a_log_that_is_short_enough_stays),
        EVENT_TEST(a_mount_that_cannot_be_says_why_and_leaves_nothing_open),
        EVENT_TEST(a_mount_marks_its_account_while_it_is_there),
        EVENT_TEST(a_registry_is_always_fresh),
    };

    obey_file_modes();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
