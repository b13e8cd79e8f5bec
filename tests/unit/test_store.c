/* A registry's file: making it, opening it in the best way there is, and saying why it cannot be.
 */
#include "core/store/store.h"

#include "core/store/backup.h"
#include "core/store/create.h"
#include "core/store/replica.h"
#include "core/store/schema.h"
#include "core/store/transaction.h"
#include "tests/unit/support.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

/* Opens PATH, which must be refused with ERROR_NAME and a message that names it and holds PART. */
static void assert_no_store(const char *path, const char *error_name, const char *part)
{
    CLEANUP_BUFFER struct buffer error = BUFFER_INIT(2 * PATH_MAX);
    struct store store;

    assert_refused(store_open(path, &store, &error), error_name);
    assert_holds(buffer_text(&error), path);
    assert_holds(buffer_text(&error), part);
    assert_null(store.connection.db);
    assert_int_equal(store.lock_fd, -1);
}

static void open_good(const char *path, struct store *store)
{
    CLEANUP_BUFFER struct buffer error = BUFFER_INIT(2 * PATH_MAX);

    if (store_open(path, store, &error) < 0)
        fail_msg("%s", buffer_text(&error));
    assert_string_equal(buffer_text(&error), "");
}

static const struct create_options usual = {.limit = 20, .policy = SNAPSHOTS_ANY};

static void create_good(const char *path)
{
    CLEANUP_BUFFER struct buffer error = BUFFER_INIT(2 * PATH_MAX);

    if (store_create(path, &usual, &error) < 0)
        fail_msg("%s", buffer_text(&error));
}

/* How many files the directory of the test holds. */
static int files_left(const struct registry *registry)
{
    char command[PATH_MAX + 32];
    int count = -1;

    (void)snprintf(command, sizeof(command), "ls -A '%s' | wc -l", registry->directory);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    assert_int_equal(fscanf(pipe, "%d", &count), 1);
    assert_int_equal(pclose(pipe), 0);
    return count;
}

/* --- making one --- */

static void a_new_registry_has_its_settings_and_belongs_to_its_maker_alone(void **state)
{
    CLEANUP_BUFFER struct buffer error = BUFFER_INIT(1024);
    const struct registry *registry = *state;
    struct stat status;
    struct store store;
    int64_t limit = 0;
    enum snapshot_policy policy = SNAPSHOTS_ANY;
    mode_t old = umask(0);
    const struct create_options options = {.limit = 7, .policy = SNAPSHOTS_ENCRYPTED};

    assert_done(store_create(registry->path, &options, &error));
    (void)umask(old);
    assert_int_equal(stat(registry->path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    assert_int_equal(files_left(registry), 1);

    open_good(registry->path, &store);
    assert_int_equal(store.mode, CONNECTION_READ_WRITE);
    assert_done(connection_settings(&store.connection, &limit, &policy));
    assert_int_equal(limit, 7);
    assert_int_equal(policy, SNAPSHOTS_ENCRYPTED);
    store_close(&store);
}

static void what_is_there_is_never_overwritten(void **state)
{
    CLEANUP_BUFFER struct buffer error = BUFFER_INIT(2 * PATH_MAX);
    const struct registry *registry = *state;
    char back[8] = "";

    (void)registry_file(registry, "registry", "mine");
    assert_refused(store_create(registry->path, &usual, &error), "EEXIST");
    assert_holds(buffer_text(&error), registry->path);
    FILE *file = fopen(registry->path, "re");
    assert_non_null(file);
    assert_non_null(fgets(back, sizeof(back), file));
    assert_int_equal(fclose(file), 0);
    assert_string_equal(back, "mine");
}

static void a_link_is_not_followed_when_a_registry_is_made(void **state)
{
    CLEANUP_BUFFER struct buffer error = BUFFER_INIT(2 * PATH_MAX);
    const struct registry *registry = *state;

    assert_int_equal(symlink("elsewhere", registry->path), 0);
    assert_refused(store_create(registry->path, &usual, &error), "EEXIST");
    assert_int_equal(files_left(registry), 1);
}

static void where_no_file_can_be_made_the_path_is_named(void **state)
{
    CLEANUP_BUFFER struct buffer error = BUFFER_INIT(1024);

    (void)state;
    assert_refused(store_create("/nonexistent/registry", &usual, &error), "ENOENT");
    assert_string_equal(buffer_text(&error), "/nonexistent/registry: No such file or directory");
}

static void no_path_is_special_to_sqlite(void **state)
{
    static const char *const names[] = {
        "a?mode=memory", "a#b", "100%", "%41", "two words", "\xe6\xb3\xa8\xe5\x86\x8c", ":memory:",
    };
    const struct registry *registry = *state;
    char path[2 * PATH_MAX];
    char cwd[PATH_MAX];
    int files = 0;

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct store store;
        (void)snprintf(path, sizeof(path), "%s/%s", registry->directory, names[i]);
        create_good(path);
        open_good(path, &store);
        assert_string_equal(sqlite3_db_filename(store.connection.db, "main"), path);
        store_close(&store);
    }
    files = files_left(registry);

    /* From a relative path, and from one that a script has put together of "$dir/" and "/name". */
    assert_non_null(getcwd(cwd, sizeof(cwd)));
    assert_int_equal(chdir(registry->directory), 0);
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        struct store store;
        open_good(names[i], &store);
        store_close(&store);
        (void)snprintf(path, sizeof(path), "/%s//%s", registry->directory, names[i]);
        open_good(path, &store);
        store_close(&store);
    }
    assert_int_equal(chdir(cwd), 0);
    assert_int_equal(files_left(registry), files);
}

/* --- what is no registry --- */

static void a_missing_registry_says_how_to_make_one(void **state)
{
    const struct registry *registry = *state;

    assert_no_store(registry->path, "ENOENT", "imgshare init");
    assert_int_equal(files_left(registry), 0);
}

static void a_directory_is_no_registry(void **state)
{
    const struct registry *registry = *state;

    assert_no_store(registry->directory, "EISDIR", "a registry is one file");
}

static void a_device_is_no_registry(void **state)
{
    (void)state;
    assert_no_store("/dev/null", "EINVAL", "not a regular file");
}

static void an_empty_file_is_no_registry(void **state)
{
    const struct registry *registry = *state;

    (void)registry_file(registry, "registry", "");
    assert_no_store(registry->path, "EINVAL", "imgshare init");
}

static void a_text_is_no_registry(void **state)
{
    const struct registry *registry = *state;

    (void)registry_file(registry, "registry", "{\"result\": {\"images\": []}}\n");
    assert_no_store(registry->path, "EINVAL", "not a registry");
    assert_int_equal(files_left(registry), 1);
}

static void a_database_of_another_program_is_no_registry(void **state)
{
    const struct registry *registry = *state;

    create_good(registry->path);
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(registry->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "PRAGMA application_id = 42", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    assert_no_store(registry->path, "EINVAL", "another program");
}

static void a_registry_of_a_newer_program_is_not_opened(void **state)
{
    const struct registry *registry = *state;

    create_good(registry->path);
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(registry->path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "PRAGMA user_version = 999", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    assert_no_store(registry->path, "EINVAL", "newer");
}

/* Overwrites LENGTH bytes of the registry from OFFSET on. */
static void damage(const struct registry *registry, off_t offset, size_t length)
{
    char garbage[8192];
    int fd = open(registry->path, O_WRONLY | O_CLOEXEC);

    memset(garbage, 0xa5, sizeof(garbage));
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, garbage, length, offset), length);
    assert_int_equal(close(fd), 0);
}

static void a_registry_with_a_damaged_header_is_not_opened(void **state)
{
    const struct registry *registry = *state;

    create_good(registry->path);
    damage(registry, 0, 16);
    assert_no_store(registry->path, "EINVAL", "not a registry");
}

static void a_registry_with_a_damaged_schema_is_not_opened(void **state)
{
    const struct registry *registry = *state;

    create_good(registry->path);
    damage(registry, 100, 3900); /* the header stays, the tables' list goes */
    assert_no_store(registry->path, "EIO", "");
}

static void a_registry_that_was_cut_off_is_not_opened(void **state)
{
    const struct registry *registry = *state;

    create_good(registry->path);
    assert_int_equal(truncate(registry->path, 600), 0);
    assert_no_store(registry->path, "EIO", "");
}

/* --- opening it with less than all rights --- */

static void a_registry_that_cannot_be_written_is_opened_for_reading(void **state)
{
    const struct registry *registry = *state;
    struct store store;
    int64_t row = 0;

    create_good(registry->path);
    assert_int_equal(chmod(registry->path, 0444), 0);
    open_good(registry->path, &store);
    assert_int_not_equal(store.mode, CONNECTION_READ_WRITE);
    assert_int_equal(store.lock_fd, -1);
    assert_refused(statement_run(&store.connection, STATEMENT_SETTING_SET, "tt", "limit", "1"),
                   "read-only");
    assert_int_equal(statement_value(&store.connection, STATEMENT_SETTING, &row, "t", "limit"), 1);
    assert_int_equal(row, 20);
    store_close(&store);
}

static void a_registry_on_a_read_only_medium_is_opened_for_reading(void **state)
{
    const struct registry *registry = *state;
    struct store store;

    create_good(registry->path);
    assert_int_equal(chmod(registry->path, 0444), 0);
    assert_int_equal(chmod(registry->directory, 0555), 0);
    open_good(registry->path, &store);
    assert_int_equal(store.mode, CONNECTION_IMMUTABLE);
    store_close(&store);
    assert_int_equal(files_left(registry), 1);
}

/* What is in the log alone would be missed by a reader that takes the file for immutable. */
static void a_log_that_no_reader_can_see_is_not_passed_over(void **state)
{
    const struct registry *registry = *state;
    char log[PATH_MAX + 8];

    create_good(registry->path);
    (void)snprintf(log, sizeof(log), "%s-wal", registry->path);
    int fd = open(log, O_WRONLY | O_CREAT | O_CLOEXEC, 0400);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, "frames", 6), 6);
    assert_int_equal(close(fd), 0);
    assert_int_equal(chmod(registry->path, 0444), 0);
    assert_int_equal(chmod(registry->directory, 0555), 0);
    CLEANUP_BUFFER struct buffer error = BUFFER_INIT(2 * PATH_MAX);
    struct store store;
    assert_true(store_open(registry->path, &store, &error) < 0);
    assert_holds(buffer_text(&error), registry->path);
}

static void a_registry_of_somebody_else_is_not_opened(void **state)
{
    const struct registry *registry = *state;

    create_good(registry->path);
    assert_int_equal(chmod(registry->path, 0), 0);
    assert_no_store(registry->path, "EACCES", "may not read");
}

static void the_lock_file_may_be_used_by_whoever_may_write_the_registry(void **state)
{
    const struct registry *registry = *state;
    struct stat status;
    struct store store;
    char side[PATH_MAX + 8];
    mode_t old = umask(077);

    create_good(registry->path);
    assert_int_equal(chmod(registry->path, 0664), 0);
    open_good(registry->path, &store);
    store_close(&store);
    (void)umask(old);
    (void)snprintf(side, sizeof(side), "%s-lock", registry->path);
    assert_int_equal(stat(side, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0660); /* who can open it can hold it */
}

/* --- whom it is opened for --- */

static void add_account(struct store *store, const char *pin)
{
    assert_done(statement_run(&store->connection, STATEMENT_ACCOUNT_ADD, "tti", pin, (char *)NULL,
                              (int64_t)1));
}

static void a_file_that_is_not_in_its_place_is_not_written_to(void **state)
{
    const struct registry *registry = *state;
    CLEANUP_BUFFER struct buffer error = BUFFER_INIT(2 * PATH_MAX);
    char away[PATH_MAX];
    struct store store;

    (void)snprintf(away, sizeof(away), "%.*s/away", PATH_MAX - 300, registry->directory);
    assert_done(store_create(registry->path, &usual, &error));
    open_good(registry->path, &store);
    assert_int_equal(rename(registry->path, away), 0);
    assert_refused(transaction_begin(&store, &store.connection, NULL, NULL), "store-replaced");
    assert_done(store_create(registry->path, &usual, &error));
    assert_refused(transaction_begin(&store, &store.connection, NULL, NULL), "store-replaced");
    assert_int_equal(rename(away, registry->path), 0);
    assert_done(transaction_begin(&store, &store.connection, NULL, NULL));
    transaction_abort(&store, &store.connection);
    store_close(&store);
}

static void the_only_account_need_not_be_named(void **state)
{
    CLEANUP_BUFFER struct buffer error = BUFFER_INIT(2 * PATH_MAX);
    const struct registry *registry = *state;
    struct store store;
    char pin[VIEW_NAME_SIZE];
    int64_t row = 0;

    create_good(registry->path);
    open_good(registry->path, &store);
    assert_refused(store_account(&store, NULL, &row, pin, &error), "EINVAL");
    assert_holds(buffer_text(&error), "imgshare account add");
    buffer_clear(&error);

    add_account(&store, "me");
    assert_done(store_account(&store, NULL, &row, pin, &error));
    assert_string_equal(pin, "me");
    assert_true(row > 0);

    add_account(&store, "alice");
    assert_refused(store_account(&store, NULL, &row, pin, &error), "EINVAL");
    assert_holds(buffer_text(&error), "account=PIN");
    store_close(&store);
}

static void an_account_is_found_by_its_exact_pin(void **state)
{
    CLEANUP_BUFFER struct buffer error = BUFFER_INIT(2 * PATH_MAX);
    const struct registry *registry = *state;
    struct store store;
    char pin[VIEW_NAME_SIZE];
    int64_t me = 0;
    int64_t alice = 0;

    create_good(registry->path);
    open_good(registry->path, &store);
    add_account(&store, "me");
    add_account(&store, "alice");
    assert_done(store_account(&store, "alice", &alice, pin, &error));
    assert_string_equal(pin, "alice");
    assert_done(store_account(&store, "me", &me, pin, &error));
    assert_int_not_equal(me, alice);
    assert_refused(store_account(&store, "Alice", &me, pin, &error), "ENOENT");
    assert_holds(buffer_text(&error), "no account \"Alice\"");
    assert_holds(buffer_text(&error), "imgshare account list");
    store_close(&store);
}

/* --- what is made of it, and what it is of --- */

static bool always(void *context)
{
    (void)context;
    return true;
}

static void a_backup_that_is_stopped_leaves_nothing(void **state)
{
    CLEANUP_BUFFER struct buffer error = BUFFER_INIT(2 * PATH_MAX);
    const struct registry *registry = *state;
    const struct backup_options options = {.stop = always};
    char copy[PATH_MAX + 8];
    struct store store;

    create_good(registry->path);
    open_good(registry->path, &store);
    /* Several steps long. */
    assert_done(connection_exec(&store.connection,
                                "INSERT INTO setting VALUES ('large', hex(zeroblob(8000000)))"));
    int files = files_left(registry);
    (void)snprintf(copy, sizeof(copy), "%s.copy", registry->path);
    assert_refused(backup_run(&store, copy, &options, &error), "EINTR");
    assert_string_equal(buffer_text(&error), "stopped by a signal");
    assert_int_equal(files_left(registry), files);
    store_close(&store);
}

static void a_replica_is_of_one_source_and_a_registry_is_none(void **state)
{
    CLEANUP_BUFFER struct buffer error = BUFFER_INIT(2 * PATH_MAX);
    const struct registry *registry = *state;
    struct store store;
    bool created = false;

    assert_done(replica_open(registry->path, "cloud one", &store, &created, &error));
    assert_true(created);
    store_close(&store);
    assert_refused(replica_open(registry->path, "cloud two", &store, &created, &error), "EINVAL");
    assert_false(created);
    assert_holds(buffer_text(&error), "is of cloud one, not of cloud two; use another state=");
    assert_no_store(registry->path, "EINVAL", "the replica of a cloud, and no registry");
    assert_int_equal(unlink(registry->path), 0);
    create_good(registry->path);
    buffer_clear(&error);
    assert_refused(replica_open(registry->path, "cloud one", &store, &created, &error), "EINVAL");
    assert_holds(buffer_text(&error), "is of a registry, not of cloud one");
}

#define STORE_TEST(name) cmocka_unit_test_setup_teardown(name, directory_setup, directory_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STORE_TEST(a_new_registry_has_its_settings_and_belongs_to_its_maker_alone),
        STORE_TEST(what_is_there_is_never_overwritten),
        STORE_TEST(a_link_is_not_followed_when_a_registry_is_made),
        STORE_TEST(where_no_file_can_be_made_the_path_is_named),
        STORE_TEST(no_path_is_special_to_sqlite),
        STORE_TEST(a_missing_registry_says_how_to_make_one),
        STORE_TEST(a_directory_is_no_registry),
        STORE_TEST(a_device_is_no_registry),
        STORE_TEST(an_empty_file_is_no_registry),
        STORE_TEST(a_text_is_no_registry),
        STORE_TEST(a_database_of_another_program_is_no_registry),
        STORE_TEST(a_registry_of_a_newer_program_is_not_opened),
        STORE_TEST(a_registry_with_a_damaged_header_is_not_opened),
        STORE_TEST(a_registry_with_a_damaged_schema_is_not_opened),
        STORE_TEST(a_registry_that_was_cut_off_is_not_opened),
        STORE_TEST(a_registry_that_cannot_be_written_is_opened_for_reading),
        STORE_TEST(a_registry_on_a_read_only_medium_is_opened_for_reading),
        STORE_TEST(a_log_that_no_reader_can_see_is_not_passed_over),
        STORE_TEST(a_registry_of_somebody_else_is_not_opened),
        STORE_TEST(the_lock_file_may_be_used_by_whoever_may_write_the_registry),
        STORE_TEST(a_file_that_is_not_in_its_place_is_not_written_to),
        STORE_TEST(the_only_account_need_not_be_named),
        STORE_TEST(an_account_is_found_by_its_exact_pin),
        STORE_TEST(a_backup_that_is_stopped_leaves_nothing),
        STORE_TEST(a_replica_is_of_one_source_and_a_registry_is_none),
    };

    obey_file_modes();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
