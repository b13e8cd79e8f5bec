/*
 * Import: what is wrong with a file is said with its place, and nothing was changed; and what another
 * program did to the registry between the checks and the first change is found by the move itself.
 * tests/import.bats has what users do.
 */
#include "core/store/import.h"

#include "core/store/lock.h"
#include "tests/unit/support.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#define IMAGE(id, more)                                                                            \
    "{\"imageId\":\"" id "\",\"ownerPin\":\"me\",\"status\":\"ready\"" more "}\n"

static int import_setup(void **state)
{
    (void)registry_setup(state);
    const struct registry *registry = *state;
    (void)registry_account(registry, "me", NULL);
    (void)registry_account(registry, "alice", "13800138000");
    (void)registry_account(registry, "bob", NULL);
    int64_t golden = REGISTRY_IMAGE(registry, .id = "img-golden", .owner = "me");
    (void)registry_share(registry, golden, "alice");
    (void)registry_share(registry, golden, "bob");
    (void)REGISTRY_IMAGE(registry, .id = "img-plain", .owner = "me");
    return 0;
}

/* Imports the files with TEXT and SECOND (or NULL), as OPTIONS say. */
static int import_texts(const struct registry *registry, const char *text, const char *second,
                        struct import_options options, struct buffer *error)
{
    char paths[2][PATH_MAX];
    struct import_result result = {0};
    struct store store;

    (void)snprintf(paths[0], PATH_MAX, "%s", registry_file(registry, "a.json", text));
    if (second)
        (void)snprintf(paths[1], PATH_MAX, "%s", registry_file(registry, "b.json", second));
    const char *const files[] = {paths[0], paths[1]};
    options.files = files;
    options.file_count = second ? 2 : 1;
    if (store_open(registry->path, &store, error) < 0)
        fail_msg("%s", buffer_text(error));
    int outcome = import_run(&store, &options, &result, error);
    store_close(&store);
    return outcome;
}

/* --- what is wrong with files --- */

/* These are refused with a message that holds PLACE and PART; the registry is as it was. */
static void assert_wrong(void **state, const char *text, const char *second, const char *place,
                         const char *part)
{
    CLEANUP_BUFFER struct buffer error = BUFFER_INIT(4096);
    CLEANUP_FREE char *before = registry_dump(*state);
    int result = import_texts(*state, text, second, (struct import_options){0}, &error);

    if (result != -EINVAL)
        fail_msg("%s: %d instead of EINVAL: %s", text, result, buffer_text(&error));
    assert_holds(buffer_text(&error), place);
    assert_holds(buffer_text(&error), part);
    CLEANUP_FREE char *after = registry_dump(*state);
    assert_string_equal(after, before);
}

static void a_wrong_member_is_pointed_at(void **state)
{
    static const struct {
        const char *text, *at, *part; /* AT is what the place is of, in the last line */
    } rows[] = {
        {IMAGE("img-1", ",\"pins\":[\"alice\"],\"pinTimes\":[]"), "\"pinTimes",
         "pinTimes must be an array with a time for each pin"},
        {IMAGE("img-1", ",\"pins\":[\"alice\"],\"pinTimes\":[\"noon\"]"), "\"noon",
         "pinTimes must hold times like"},
        {"{\"imageId\":\"img-1\",\"ownerPin\":\"a/b\",\"status\":\"ready\"}", "\"ownerPin",
         "ownerPin must be 1 to 255 bytes"},
        {"{\"registry\":2,\"limit\":20,\"snapshots\":\"any\"}", "\"registry", "registry must be 1"},
        {"{\"registry\":1,\"limit\":0,\"snapshots\":\"any\"}", "\"limit",
         "limit must be a number from 1 to 1000000"},
        {"{\"registry\":1,\"limit\":20,\"snapshots\":\"some\"}", "\"snapshots",
         "snapshots must be any, encrypted or none"},
        {"{\"registry\":1,\"limit\":20,\"snapshots\":\"any\",\"more\":1}", "\"more",
         "\"more\" is no member of what \"registry\" begins"},
        {"{\"account\":\"a/b\"}", "\"account", "account must be a pin"},
        {"{\"account\":\"carol\",\"mobile\":\"1234\"}", "\"mobile",
         "mobile must be a string of 5 to 20 digits"},
        {"{\"account\":\"carol\"}\n{\"account\":\"carol\"}", "\"account",
         "has a line in this file already"},
        {"{\"account\":\"bob\",\"mobile\":\"13800138000\"}", "\"mobile",
         "mobile number 13800138000 is another account's"},
        {"{\"imageId\":\"img-1\",\"images\":[{\"imageId\":\"img-2\",\"ownerPin\":\"me\",\"status\":"
         "\"ready\"}]}",
         "\"images", "an image cannot hold a list of images"},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        const char *line = strchr(rows[i].text, '\n');
        bool second = line && line[1];
        const char *begin = second ? line + 1 : rows[i].text;
        char place[64];
        assert_non_null(strstr(begin, rows[i].at));
        (void)snprintf(place, sizeof(place), "a.json:%d:%td: ", second ? 2 : 1,
                       strstr(begin, rows[i].at) - begin + 1);
        assert_wrong(state, rows[i].text, NULL, place, rows[i].part);
    }
}

static void what_breaks_a_list_is_pointed_at(void **state)
{
    assert_wrong(state, "[" IMAGE("img-1", "") IMAGE("img-2", "") "]", NULL,
                 "a.json:2:1: ", "broken JSON: a comma or ] must follow here, not {");
    assert_wrong(state, "[" IMAGE("img-1", "") "\x7f]", NULL,
                 "a.json:2:1: ", "broken JSON: a comma or ] must follow here, not byte 0x7f");
}

static void a_limit_below_what_is_shared_is_refused(void **state)
{
    assert_wrong(state, "{\"registry\":1,\"limit\":1,\"snapshots\":\"any\"}", NULL,
                 "a.json:1:15: ", "is shared with 2 accounts");
}

static void files_that_do_not_agree_are_refused(void **state)
{
    assert_wrong(state, IMAGE("img-1", ""),
                 "{\"imageId\":\"img-1\",\"ownerPin\":\"bob\",\"status\":\"ready\"}",
                 "b.json:1:20: ", "is owned by another account, \"me\"");
    assert_wrong(state, IMAGE("img-1", ",\"pins\":[\"alice\"]"),
                 IMAGE("img-1", ",\"launchPermission\":\"all\""),
                 "b.json:1:1: ", "has pins in a file before");
}

/* --- what comes between --- */

struct between {
    const struct registry *registry;
    const char *sql;
};

/* Another program, after the checks and before the first change. */
static void come_between(void *context)
{
    const struct between *between = context;

    registry_sql(between->registry, "%s", between->sql);
}

static void what_another_program_did_meanwhile_ends_the_import(void **state)
{
    const struct registry *registry = *state;
    const struct {
        const char *text, *sql, *part;
    } rows[] = {
        {"{\"registry\":1,\"limit\":3,\"snapshots\":\"any\"}",
         "INSERT INTO share (image, pin, created_ns) SELECT image.id, account.pin, 1 FROM image "
         "CROSS JOIN account WHERE image_id = 'img-plain' AND pin <> 'me';"
         "INSERT INTO account (pin, private_ns, names_ns, received_ns, owners_ns, recipients_ns) "
         "VALUES ('c', 1, 1, 1, 1, 1), ('d', 1, 1, 1, 1, 1);"
         "INSERT INTO share (image, pin, created_ns) SELECT image.id, account.pin, 1 FROM image "
         "CROSS JOIN account WHERE image_id = 'img-plain' AND pin IN ('c', 'd')",
         "an image has more shares"},
        {"{\"account\":\"carol\",\"mobile\":\"13900139000\"}",
         "UPDATE account SET mobile = '13900139000' WHERE pin = 'bob'",
         "a mobile number is another account's"},
        {IMAGE("img-new", ""),
         "INSERT INTO image (owner, image_id, name, status, released, snapshots, shares_ns, "
         "added_ns, changed_ns, record) VALUES (1, 'img-new', '', 0, 0, 0, 1, 1, 1, '{}')",
         "another import added one of the images"},
        {IMAGE("img-plain", ",\"launchPermission\":\"all\""),
         "UPDATE image SET shares = 1 WHERE image_id = 'img-plain'",
         "an image that is to be released was shared"},
        {IMAGE("img-plain", ",\"pins\":[\"alice\"]"),
         "UPDATE image SET shares = 20 WHERE image_id = 'img-plain'",
         "an image would have more shares than it may"},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        CLEANUP_BUFFER struct buffer error = BUFFER_INIT(4096);
        struct between between = {.registry = registry, .sql = rows[i].sql};
        struct import_options options = {.moving = come_between, .context = &between};
        assert_refused(import_texts(registry, rows[i].text, NULL, options, &error), "EAGAIN");
        assert_holds(buffer_text(&error), "changed while the files were read: ");
        assert_holds(buffer_text(&error), rows[i].part);
        assert_holds(buffer_text(&error), "; nothing was imported");
        assert_int_equal(registry_number(registry, "SELECT count(*) FROM feed"), 0);
        (void)registry_teardown(state);
        (void)import_setup(state);
        registry = *state;
    }
}

static bool always(void *context)
{
    (void)context;
    return true;
}

static void who_stops_an_import_that_waits_changes_nothing(void **state)
{
    const struct registry *registry = *state;
    CLEANUP_BUFFER struct buffer error = BUFFER_INIT(4096);
    CLEANUP_FREE char *before = registry_dump(registry);
    struct store other;

    if (store_open(registry->path, &other, &error) < 0)
        fail_msg("%s", buffer_text(&error));
    assert_done(lock_acquire(other.lock_fd, 1000, NULL, NULL));
    assert_refused(import_texts(registry, IMAGE("img-new", ""), NULL,
                                (struct import_options){.stop = always}, &error),
                   "EINTR");
    assert_string_equal(buffer_text(&error), "stopped by a signal; nothing was imported");
    lock_release(other.lock_fd);
    store_close(&other);
    CLEANUP_FREE char *after = registry_dump(registry);
    assert_string_equal(after, before);
}

static void a_registry_that_cannot_be_written_takes_nothing(void **state)
{
    const struct registry *registry = *state;
    CLEANUP_BUFFER struct buffer error = BUFFER_INIT(4096);

    assert_int_equal(chmod(registry->path, 0444), 0);
    assert_refused(
        import_texts(registry, IMAGE("img-new", ""), NULL, (struct import_options){0}, &error),
        "EROFS");
    assert_holds(buffer_text(&error), "cannot be written by this user");
}

/* --- sizes --- */

/* A record with a description of SIZE bytes. */
static char *large_record(size_t size)
{
    static const char head[] =
        "{\"imageId\":\"img-l\",\"ownerPin\":\"me\",\"status\":\"ready\",\"desc\":\"";
    char *text = malloc(sizeof(head) + size + 8);

    assert_non_null(text);
    memcpy(text, head, sizeof(head) - 1);
    memset(text + sizeof(head) - 1, 'x', size);
    memcpy(text + sizeof(head) - 1 + size, "\"}", 3);
    return text;
}

static void a_record_may_be_large_and_not_larger(void **state)
{
    const struct registry *registry = *state;
    CLEANUP_BUFFER struct buffer error = BUFFER_INIT(4096);
    CLEANUP_FREE char *fits = large_record((size_t)3 << 20);
    CLEANUP_FREE char *exceeds = large_record(IMPORT_RECORD_MAX);

    assert_done(import_texts(registry, fits, NULL, (struct import_options){0}, &error));
    assert_int_equal(registry_number(registry, "SELECT length(record) FROM image WHERE image_id = "
                                               "'img-l'"),
                     strlen(fits));
    assert_wrong(state, exceeds, NULL, "a.json:1:1: ", "what begins here is longer than 16 MiB");
}

#define IMPORT_TEST(name) cmocka_unit_test_setup_teardown(name, import_setup, registry_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IMPORT_TEST(a_wrong_member_is_pointed_at),
        IMPORT_TEST(what_breaks_a_list_is_pointed_at),
        IMPORT_TEST(a_limit_below_what_is_shared_is_refused),
        IMPORT_TEST(files_that_do_not_agree_are_refused),
        IMPORT_TEST(what_another_program_did_meanwhile_ends_the_import),
        IMPORT_TEST(who_stops_an_import_that_waits_changes_nothing),
        IMPORT_TEST(a_registry_that_cannot_be_written_takes_nothing),
        IMPORT_TEST(a_record_may_be_large_and_not_larger),
    };

    obey_file_modes();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
