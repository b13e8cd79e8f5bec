/* The schema: what a fresh store holds, how an older file is brought up to date, and what is no
 * store. */
#include "core/store/schema.h"

#include "core/store/connection.h"
#include "tests/unit/support.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>

static sqlite3 *open_raw(const struct registry *registry, int flags)
{
    sqlite3 *db = NULL;

    assert_int_equal(sqlite3_open_v2(registry->path, &db, flags, NULL), SQLITE_OK);
    return db;
}

/* Runs SQL on the file, as somebody without this program would. */
static void run_raw(const struct registry *registry, const char *sql)
{
    sqlite3 *db = open_raw(registry, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);

    if (sqlite3_exec(db, sql, NULL, NULL, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* The number that SQL gives. */
static int number_raw(const struct registry *registry, const char *sql)
{
    sqlite3 *db = open_raw(registry, SQLITE_OPEN_READONLY);
    sqlite3_stmt *statement = NULL;

    if (sqlite3_prepare_v2(db, sql, -1, &statement, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    int number = sqlite3_column_int(statement, 0);
    assert_int_equal(sqlite3_finalize(statement), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    return number;
}

/* A file that has seen no step yet. */
static void make_older(const struct registry *registry)
{
    char sql[128];

    (void)snprintf(sql, sizeof(sql), "PRAGMA application_id = %d; PRAGMA user_version = 0",
                   SCHEMA_APPLICATION_ID);
    run_raw(registry, sql);
}

/* What schema_check() says of the file; ERROR holds PART where it refuses. */
static int check(const struct registry *registry, bool writable, const char *part)
{
    CLEANUP_BUFFER struct buffer error = BUFFER_INIT(2 * PATH_MAX);
    sqlite3 *db = open_raw(registry, writable ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY);
    int result = schema_check(db, registry->path, writable, &error);

    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    if (result < 0) {
        assert_holds(buffer_text(&error), registry->path);
        assert_holds(buffer_text(&error), part);
    } else {
        assert_string_equal(buffer_text(&error), "");
    }
    return result;
}

static void make(const struct registry *registry)
{
    CLEANUP_BUFFER struct buffer error = BUFFER_INIT(1024);
    sqlite3 *db = open_raw(registry, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);

    assert_done(schema_create(db, registry->path, &error));
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void a_fresh_store_is_one_of_ours_and_up_to_date(void **state)
{
    const struct registry *registry = *state;

    make(registry);
    assert_done(check(registry, true, NULL));
    assert_done(check(registry, false, NULL));
    assert_int_equal(number_raw(registry, "PRAGMA application_id"), 0x696d7368);
    assert_int_equal(number_raw(registry, "PRAGMA user_version"), schema_version());
}

static void every_statement_can_be_prepared_on_it(void **state)
{
    const struct registry *registry = *state;
    struct connection connection = {0};

    make(registry);
    connection.db = open_raw(registry, SQLITE_OPEN_READWRITE);
    for (int i = 0; i < STATEMENT_COUNT; i++)
        if (!statement_use(&connection, (enum statement)i))
            fail_msg("%s: %s", statement_sql((enum statement)i), sqlite3_errmsg(connection.db));
    connection_close(&connection);
}

/* The steps in which SQLite carries out STATEMENT, a line each. */
static void plan_of(struct connection *connection, enum statement statement, struct buffer *out)
{
    char *explain = sqlite3_mprintf("EXPLAIN QUERY PLAN %s", statement_sql(statement));
    sqlite3_stmt *plan = NULL;

    assert_int_equal(sqlite3_prepare_v2(connection->db, explain, -1, &plan, NULL), SQLITE_OK);
    while (sqlite3_step(plan) == SQLITE_ROW)
        buffer_printf(out, "%s\n", (const char *)sqlite3_column_text(plan, 3));
    assert_int_equal(sqlite3_finalize(plan), SQLITE_OK);
    sqlite3_free(explain);
}

/* A registry of a million images must not be read from end to end, or sorted. */
static void no_statement_reads_a_whole_table_or_sorts(void **state)
{
    const struct registry *registry = *state;
    struct connection connection = {0};

    make(registry);
    connection.db = open_raw(registry, SQLITE_OPEN_READWRITE);
    for (int i = 0; i < STATEMENT_COUNT; i++) {
        CLEANUP_BUFFER struct buffer plan = BUFFER_INIT(4096);
        /* Two rows, and an index of what is seldom there. */
        if (i == STATEMENT_ACCOUNT_FIRST_TWO || i == STATEMENT_SHARES_UNLISTABLE)
            continue;
        plan_of(&connection, (enum statement)i, &plan);
        for (const char *step = buffer_text(&plan); *step; step = strchr(step, '\n') + 1)
            if ((strncmp(step, "SCAN ", 5) == 0 && strncmp(step, "SCAN CONSTANT", 13) != 0) ||
                strstr(step, "TEMP B-TREE"))
                fail_msg("%s:\n%s", statement_sql((enum statement)i), buffer_text(&plan));
    }
    connection_close(&connection);
}

static void listings_go_on_in_an_index_where_they_stopped(void **state)
{
    static const struct {
        enum statement statement;
        const char *step;
    } rows[] = {
        {STATEMENT_IMAGES_PRIVATE, "image_by_owner (owner=? AND id>?)"},
        {STATEMENT_IMAGES_SHARED, "share_by_pin (pin=? AND image>?)"},
        {STATEMENT_SHARES, "share_by_image (image=? AND rowid>?)"},
        {STATEMENT_RECIPIENTS, "recipient_by_owner (owner=? AND rowid>?)"},
        {STATEMENT_OWNERS, "recipient_by_pin (pin=? AND rowid>?)"},
        {STATEMENT_RECIPIENT_IMAGES, "share_by_pin (pin=? AND image>?)"},
        {STATEMENT_NAMES, "image_by_owner (owner=? AND id>?)"},
        {STATEMENT_NAMES_SHARED, "share_by_pin (pin=? AND image>?)"},
        {STATEMENT_NAMED, "image_by_name (owner=? AND name=?)"},
        {STATEMENT_NAMED_SHARED, "image_by_name (owner=? AND name=?)"},
        {STATEMENT_EVENTS, "(account=? AND start>?)"},
        /* From the few shares that cannot be listed, not from the many images. */
        {STATEMENT_SHARES_UNLISTABLE, "SCAN s USING INDEX share_unlistable\n"},
    };
    const struct registry *registry = *state;
    struct connection connection = {0};

    make(registry);
    connection.db = open_raw(registry, SQLITE_OPEN_READWRITE);
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        CLEANUP_BUFFER struct buffer plan = BUFFER_INIT(4096);
        plan_of(&connection, rows[i].statement, &plan);
        assert_holds(buffer_text(&plan), rows[i].step);
    }
    connection_close(&connection);
}

static void an_older_store_is_brought_up_to_date(void **state)
{
    const struct registry *registry = *state;

    make_older(registry);
    assert_refused(check(registry, false, "cannot be written"), "EROFS");
    assert_done(check(registry, true, NULL));
    assert_done(check(registry, false, NULL));
    assert_int_equal(number_raw(registry, "PRAGMA user_version"), schema_version());
    run_raw(registry, "INSERT INTO setting (name, value) VALUES ('limit', '5')");
}

static void bringing_it_up_to_date_twice_changes_nothing(void **state)
{
    const struct registry *registry = *state;

    make(registry);
    run_raw(registry, "INSERT INTO setting (name, value) VALUES ('limit', '5')");
    assert_done(check(registry, true, NULL));
    assert_int_equal(number_raw(registry, "SELECT value FROM setting WHERE name = 'limit'"), 5);
}

/* Mounts that fstab starts at once all meet the old file after an update of the program. */
static void several_programs_bring_a_store_up_to_date_at_once(void **state)
{
    enum { PROGRAMS = 8 };
    const struct registry *registry = *state;
    int gate[2];
    int status = 0;

    for (int round = 0; round < 10; round++) {
        (void)remove(registry->path);
        make_older(registry);
        assert_int_equal(pipe(gate), 0);
        for (int i = 0; i < PROGRAMS; i++) {
            pid_t child = fork();
            assert_true(child >= 0);
            if (child == 0) {
                CLEANUP_BUFFER struct buffer error = BUFFER_INIT(4096);
                struct connection connection = {0};
                char byte = 0;
                (void)close(gate[1]);
                if (read(gate[0], &byte, 1) != 0 ||
                    connection_open(&connection, registry->path, CONNECTION_READ_WRITE, 64,
                                    &error) < 0)
                    _exit(2);
                _exit(schema_check(connection.db, registry->path, true, &error) == 0 ? 0 : 1);
            }
        }
        (void)close(gate[0]);
        (void)close(gate[1]);
        for (int i = 0; i < PROGRAMS; i++) {
            assert_true(wait(&status) > 0);
            assert_int_equal(status, 0);
        }
    }
}

static void a_store_of_a_newer_program_is_left_alone(void **state)
{
    const struct registry *registry = *state;
    char sql[128];

    make(registry);
    (void)snprintf(sql, sizeof(sql), "PRAGMA user_version = %d", schema_version() + 1);
    run_raw(registry, sql);
    assert_refused(check(registry, true, "written by a newer imgshare"), "EINVAL");
}

static void a_database_of_another_program_is_left_alone(void **state)
{
    const struct registry *registry = *state;

    run_raw(registry, "CREATE TABLE bookmarks (url TEXT); PRAGMA user_version = 1");
    assert_refused(check(registry, true, "another program"), "EINVAL");
    run_raw(registry, "SELECT url FROM bookmarks");
}

static void a_store_that_lacks_a_table_is_damaged(void **state)
{
    static const struct {
        const char *sql;
        const char *part;
    } rows[] = {
        {"DROP TABLE feed", "no such table: feed"},
        {"DROP TABLE refusal", "no such table: refusal"},
    };
    const struct registry *registry = *state;

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        (void)remove(registry->path);
        make(registry);
        run_raw(registry, rows[i].sql);
        assert_refused(check(registry, true, rows[i].part), "EIO");
    }
}

static void a_store_that_holds_something_else_is_refused(void **state)
{
    static const struct {
        const char *sql;
        const char *part;
    } rows[] = {
        {"ALTER TABLE account DROP COLUMN events_end", "another table account"},
        {"ALTER TABLE image RENAME COLUMN record TO recorded", "another table image"},
        {"CREATE TRIGGER t AFTER INSERT ON share BEGIN SELECT 1; END", "another trigger t"},
        {"CREATE VIEW v AS SELECT 1; CREATE TRIGGER t INSTEAD OF INSERT ON v BEGIN SELECT 1; END",
         "another trigger t"},
        {"CREATE INDEX i ON share (hex(pin))", "another index i"},
        {"DROP TABLE feed; CREATE VIEW FEED AS SELECT 1 AS id", "another view FEED"},
    };
    const struct registry *registry = *state;

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        (void)remove(registry->path);
        make(registry);
        run_raw(registry, rows[i].sql);
        assert_refused(check(registry, true, rows[i].part), "EINVAL");
    }
    (void)remove(registry->path);
    make(registry);
    run_raw(registry, "CREATE TABLE other (x); CREATE VIEW v AS SELECT x FROM other; ANALYZE");
    assert_done(check(registry, true, ""));
}

static void a_version_below_none_is_refused(void **state)
{
    const struct registry *registry = *state;

    make(registry);
    run_raw(registry, "PRAGMA user_version = -1");
    assert_refused(check(registry, true, "its schema is -1"), "EINVAL");
}

static void what_is_no_database_is_said_to_be_none(void **state)
{
    const struct registry *registry = *state;
    char text[8192];

    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    (void)registry_file(registry, "registry", text);
    assert_refused(check(registry, true, "no SQLite file"), "EINVAL");
}

static void tables_cannot_be_made_where_there_are_some(void **state)
{
    CLEANUP_BUFFER struct buffer error = BUFFER_INIT(2 * PATH_MAX);
    const struct registry *registry = *state;

    run_raw(registry, "CREATE TABLE share (mine TEXT)");
    sqlite3 *db = open_raw(registry, SQLITE_OPEN_READWRITE);
    assert_refused(schema_create(db, registry->path, &error), "EIO");
    assert_holds(buffer_text(&error), "table share already exists");
    assert_true(sqlite3_get_autocommit(db));
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    assert_int_equal(number_raw(registry, "SELECT count(*) FROM sqlite_schema"), 1);
}

static void row_ids_that_inode_numbers_are_made_of_are_never_used_again(void **state)
{
    const struct registry *registry = *state;

    make(registry);
    assert_int_equal(
        number_raw(registry,
                   "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name IN "
                   "('account', 'image', 'share', 'recipient') AND sql LIKE '%AUTOINCREMENT%'"),
        4);
}

#define SCHEMA_TEST(name) cmocka_unit_test_setup_teardown(name, directory_setup, directory_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCHEMA_TEST(a_fresh_store_is_one_of_ours_and_up_to_date),
        SCHEMA_TEST(every_statement_can_be_prepared_on_it),
        SCHEMA_TEST(no_statement_reads_a_whole_table_or_sorts),
        SCHEMA_TEST(listings_go_on_in_an_index_where_they_stopped),
        SCHEMA_TEST(an_older_store_is_brought_up_to_date),
        SCHEMA_TEST(bringing_it_up_to_date_twice_changes_nothing),
        SCHEMA_TEST(several_programs_bring_a_store_up_to_date_at_once),
        SCHEMA_TEST(a_store_of_a_newer_program_is_left_alone),
        SCHEMA_TEST(a_database_of_another_program_is_left_alone),
        SCHEMA_TEST(a_store_that_lacks_a_table_is_damaged),
        SCHEMA_TEST(a_store_that_holds_something_else_is_refused),
        SCHEMA_TEST(a_version_below_none_is_refused),
        SCHEMA_TEST(what_is_no_database_is_said_to_be_none),
        SCHEMA_TEST(tables_cannot_be_made_where_there_are_some),
        SCHEMA_TEST(row_ids_that_inode_numbers_are_made_of_are_never_used_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
