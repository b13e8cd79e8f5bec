/* A connection to the store: see the header. */
#include "core/store/connection.h"

#include "core/rules/refusal.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#define BUSY_TIMEOUT_MS 10000

/* The longest row: a record and a name of an image, as long as they may be. */
#define ROW_LENGTH_MAX (64 << 20)

/* What a row of a view may cost: steps of SQLite's machine, in millions (a few seconds). A row of a
 * sound file takes a few hundred steps. */
#define STEPS_MILLION 1000000
#define MILLIONS_MAX 50

/* A file may come from anybody: nothing in it is carried out, and what it holds is looked at before
 * it is used. */
static int harden(sqlite3 *db)
{
    int rc = sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);

    if (rc == SQLITE_OK)
        rc = sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
    (void)sqlite3_limit(db, SQLITE_LIMIT_LENGTH, ROW_LENGTH_MAX);
    return rc;
}

/* Text of PATH as an SQLite URI; "?" and "#" and "%" would end or change it, two slashes at its
 * beginning would name a host, and ":memory:" would be no file. */
static void uri_of_path(struct buffer *uri, const char *path, const char *query)
{
    buffer_puts(uri, *path == '/' ? "file://" : "file:./");
    for (; *path; path++) {
        if (strchr("?#%", *path))
            buffer_printf(uri, "%%%02X", (unsigned char)*path);
        else
            buffer_add(uri, path, 1);
    }
    buffer_puts(uri, query);
}

const char *connection_words(sqlite3 *db, int rc)
{
    return db && sqlite3_errcode(db) != SQLITE_OK ? sqlite3_errmsg(db) : sqlite3_errstr(rc);
}

int connection_open(struct connection *connection, const char *path, enum connection_mode mode,
                    int cache_kib, struct buffer *error)
{
    CLEANUP_BUFFER struct buffer uri = BUFFER_INIT(1 << 16);
    CLEANUP_BUFFER struct buffer pragmas = BUFFER_INIT(512);
    int flags = SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;

    memset(connection, 0, sizeof(*connection));
    flags |= mode == CONNECTION_READ_WRITE ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY;
    uri_of_path(&uri, path, mode == CONNECTION_IMMUTABLE ? "?immutable=1" : "");
    buffer_printf(
        &pragmas,
        "PRAGMA foreign_keys = ON; PRAGMA mmap_size = 0; PRAGMA cache_size = -%d;"
        "PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF;"
        "PRAGMA cell_size_check = ON;",
        cache_kib);
    if (buffer_failed(&uri) || buffer_failed(&pragmas))
        return -ENOMEM;

    int rc = sqlite3_open_v2(buffer_text(&uri), &connection->db, flags, NULL);
    if (rc == SQLITE_OK)
        rc = sqlite3_busy_timeout(connection->db, BUSY_TIMEOUT_MS);
    if (rc == SQLITE_OK)
        rc = harden(connection->db);
    if (rc == SQLITE_OK)
        rc = sqlite3_exec(connection->db, buffer_text(&pragmas), NULL, NULL, NULL);
    if (rc == SQLITE_OK &&
        (mode != CONNECTION_READ_WRITE || sqlite3_db_readonly(connection->db, "main") == 0))
        return 0;
    if (rc == SQLITE_OK) { /* SQLite goes on without writing, and does not say so */
        buffer_printf(error, "%s: cannot be opened for writing", path);
        connection_close(connection);
        return -EROFS;
    }

    int result = connection->db ? connection_error(connection, rc) : -ENOMEM;
    if (rc == SQLITE_NOTADB) {
        buffer_printf(error, "%s: not a registry: it is no SQLite file", path);
        result = -EINVAL;
    } else {
        buffer_printf(error, "%s: %s", path, connection_words(connection->db, rc));
        if ((rc & 0xff) == SQLITE_CORRUPT)
            buffer_puts(error, "; restore a backup");
    }
    connection_close(connection);
    return -refusal_errno(result);
}

static int count_steps(void *context)
{
    struct connection *connection = context;

    return ++connection->millions > MILLIONS_MAX;
}

void connection_bound(struct connection *connection)
{
    sqlite3_progress_handler(connection->db, STEPS_MILLION, count_steps, connection);
}

void connection_close(struct connection *connection)
{
    for (int i = 0; i < STATEMENT_COUNT; i++)
        (void)sqlite3_finalize(STEAL(connection->statements[i]));
    (void)sqlite3_close(STEAL(connection->db));
}

int connection_error(const struct connection *connection, int rc)
{
    int system = sqlite3_system_errno(connection->db);

    switch (rc & 0xff) {
    case SQLITE_NOMEM:
        return -ENOMEM;
    case SQLITE_FULL:
        return -REFUSAL_STORE_FULL;
    case SQLITE_READONLY:
        return -REFUSAL_READ_ONLY;
    case SQLITE_IOERR: /* a side file that could not grow is reported as an I/O error */
        return system == ENOSPC || system == EDQUOT ? -REFUSAL_STORE_FULL : -REFUSAL_STORE_DAMAGED;
    case SQLITE_BUSY:
        return -REFUSAL_STORE_LOCKED;
    default:
        return -REFUSAL_STORE_DAMAGED;
    }
}

/* SQLite keeps the log as long as anybody has a lock on the file. Those of this process are gone without a
 * word where a fresh descriptor of the file is closed because fstat() of it has failed; the next process
 * that ends then takes the log along. */
static bool has_other_log(struct connection *connection)
{
    const char *path = sqlite3_filename_wal(sqlite3_db_filename(connection->db, "main"));
    struct stat status = {0};

    if (!path || (stat(path, &status) < 0 && errno != ENOENT))
        return false;
    if (connection->log_inode == 0)
        connection->log_inode = status.st_ino;
    return status.st_ino != connection->log_inode;
}

bool connection_has_moved(struct connection *connection)
{
    int moved = 0;

    return (sqlite3_file_control(connection->db, NULL, SQLITE_FCNTL_HAS_MOVED, &moved) ==
                SQLITE_OK &&
            moved != 0) ||
           has_other_log(connection);
}

int connection_exec(struct connection *connection, const char *sql)
{
    int rc = sqlite3_exec(connection->db, sql, NULL, NULL, NULL);

    return rc == SQLITE_OK ? 0 : connection_error(connection, rc);
}

/* It allocates, and may fail for that: then the transaction, and the lock, would last. */
#define ROLLBACK_TRIES 3

void connection_rollback(struct connection *connection)
{
    for (int tries = 0; tries < ROLLBACK_TRIES && !sqlite3_get_autocommit(connection->db); tries++)
        (void)sqlite3_exec(connection->db, "ROLLBACK", NULL, NULL, NULL);
}

const char *connection_message(const struct connection *connection, int result)
{
    int rc = sqlite3_errcode(connection->db);
    bool knows = rc != SQLITE_OK && rc != SQLITE_ROW && rc != SQLITE_DONE;

    return knows ? sqlite3_errmsg(connection->db) : refusal_sentence(result);
}

sqlite3_stmt *statement_use(struct connection *connection, enum statement statement)
{
    sqlite3_stmt **slot = &connection->statements[statement];

    if (!*slot && sqlite3_prepare_v3(connection->db, statement_sql(statement), -1,
                                     SQLITE_PREPARE_PERSISTENT, slot, NULL) != SQLITE_OK)
        return NULL;
    return *slot;
}

int statement_error(const struct connection *connection)
{
    return connection_error(connection, sqlite3_extended_errcode(connection->db));
}

int statement_bind_list(sqlite3_stmt *statement, const char *types, va_list arguments)
{
    int rc = SQLITE_OK;

    for (int i = 0; types[i] && rc == SQLITE_OK; i++) {
        if (types[i] == 'i')
            rc = sqlite3_bind_int64(statement, i + 1, va_arg(arguments, int64_t));
        else
            rc = sqlite3_bind_text(statement, i + 1, va_arg(arguments, const char *), -1,
                                   SQLITE_STATIC);
    }
    return rc == SQLITE_OK ? 0 : rc == SQLITE_NOMEM ? -ENOMEM : -REFUSAL_STORE_DAMAGED;
}

int statement_bind(sqlite3_stmt *statement, const char *types, ...)
{
    va_list arguments;

    va_start(arguments, types);
    int result = statement_bind_list(statement, types, arguments);
    va_end(arguments);
    return result;
}

int statement_step(struct connection *connection, sqlite3_stmt *statement)
{
    connection->millions = 0;
    int rc = sqlite3_step(statement);

    return rc == SQLITE_ROW ? 1 : rc == SQLITE_DONE ? 0 : connection_error(connection, rc);
}

int statement_run(struct connection *connection, enum statement statement, const char *types, ...)
{
    CLEANUP_STATEMENT sqlite3_stmt *use = statement_use(connection, statement);
    va_list arguments;

    if (!use)
        return statement_error(connection);
    va_start(arguments, types);
    int result = statement_bind_list(use, types, arguments);
    va_end(arguments);
    return result < 0 ? result : statement_step(connection, use);
}

int statement_value(struct connection *connection, enum statement statement, int64_t *value,
                    const char *types, ...)
{
    CLEANUP_STATEMENT sqlite3_stmt *use = statement_use(connection, statement);
    va_list arguments;

    if (!use)
        return statement_error(connection);
    va_start(arguments, types);
    int result = statement_bind_list(use, types, arguments);
    va_end(arguments);
    if (result == 0)
        result = statement_step(connection, use);
    if (result == 1)
        *value = sqlite3_column_int64(use, 0);
    return result;
}

int connection_settings(struct connection *connection, int64_t *limit, enum snapshot_policy *policy)
{
    CLEANUP_STATEMENT sqlite3_stmt *use = statement_use(connection, STATEMENT_SETTING);

    *limit = RULES_DEFAULT_LIMIT;
    *policy = SNAPSHOTS_ANY;
    if (!use)
        return statement_error(connection);
    int result = statement_bind(use, "t", "limit");
    if (result == 0)
        result = statement_step(connection, use);
    if (result == 1)
        *limit = sqlite3_column_int64(use, 0);
    if (result < 0)
        return result;
    (void)sqlite3_reset(use);
    result = statement_bind(use, "t", "snapshots");
    if (result == 0)
        result = statement_step(connection, use);
    if (result == 1)
        result =
            rules_policy_parse(statement_text(use, 0), policy) < 0 ? -REFUSAL_STORE_DAMAGED : 0;
    return result;
}

const char *statement_text(sqlite3_stmt *statement, int column)
{
    const unsigned char *text = sqlite3_column_text(statement, column);

    return text ? (const char *)text : "";
}

void statement_release(sqlite3_stmt **statement)
{
    if (!*statement)
        return;
    /* The result of the reset repeats what the step said. Bound text may be gone after this scope.
     */
    (void)sqlite3_reset(*statement);
    (void)sqlite3_clear_bindings(*statement);
}
