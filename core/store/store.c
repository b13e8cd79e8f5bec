/* A store's file: see the header. */
#include "core/store/store.h"

#include "core/rules/refusal.h"
#include "core/store/lock.h"
#include "core/store/schema.h"
#include "core/store/side_files.h"

#include <errno.h>
#include <libgen.h>
#include <string.h>
#include <sys/stat.h>

/* One connection per process has it: writes of a share touch a few dozen pages. */
#define WRITE_CACHE_KIB 1024

static int fail(struct buffer *error, int result, const char *path, const char *remedy)
{
    buffer_printf(error, "%s: %s%s", path, strerror(-result), remedy);
    return result;
}

void store_remove(const char *path)
{
    static const char *const suffixes[] = {"", "-journal", "-wal", "-shm", "-lock"};

    for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
        CLEANUP_BUFFER struct buffer name = BUFFER_INIT(1 << 16);
        buffer_printf(&name, "%s%s", path, suffixes[i]);
        if (!buffer_failed(&name))
            (void)unlink(buffer_text(&name));
    }
}

bool store_has_log(const char *path)
{
    CLEANUP_BUFFER struct buffer log = BUFFER_INIT(1 << 16);
    struct stat status;

    buffer_printf(&log, "%s-wal", path);
    return buffer_failed(&log) || (stat(buffer_text(&log), &status) == 0 && status.st_size > 0);
}

/* Whether the file and its directory can be written by this process: 0, or a negative errno. */
static int check_writable(const char *path)
{
    CLEANUP_FREE char *copy = strdup(path);

    if (!copy)
        return -ENOMEM;
    return access(path, W_OK) == 0 && access(dirname(copy), W_OK | X_OK) == 0 ? 0 : -errno;
}

/* Whether RESULT passes: a mount that fails can be made again, one that is read-only for a moment's
 * shortage stays so. */
static bool passes(int result)
{
    return result == -ENOMEM || result == -EMFILE || result == -ENFILE || result == -EINTR ||
           result == -ETIMEDOUT;
}

static int check_file(const char *path, struct buffer *error)
{
    struct stat status;

    if (stat(path, &status) < 0)
        return fail(error, -errno, path,
                    errno == ENOENT ? "; make a registry with: imgshare init REGISTRY" : "");
    if (S_ISDIR(status.st_mode))
        return fail(error, -EISDIR, path, "; a registry is one file");
    if (!S_ISREG(status.st_mode)) {
        buffer_printf(error, "%s: not a regular file", path);
        return -EINVAL;
    }
    if (access(path, R_OK) < 0)
        return fail(error, -errno, path, "; this user may not read it");
    if (status.st_size == 0) {
        buffer_printf(error, "%s: empty; make a registry with: imgshare init REGISTRY", path);
        return -EINVAL;
    }
    return side_files_check(path, error);
}

/* Opens in MODE and checks what is there. */
static int open_mode(struct store *store, enum connection_mode mode, struct buffer *error)
{
    int result = connection_open(&store->connection, store->path, mode, WRITE_CACHE_KIB, error);

    if (result < 0)
        return result;
    result = schema_check(store->connection.db, store->path, mode == CONNECTION_READ_WRITE, error);
    if (result == 0 && mode == CONNECTION_READ_WRITE) {
        /* A log that a burst made long is cut when it was copied back. */
        result = connection_exec(&store->connection, "PRAGMA journal_size_limit = 16777216");
        (void)connection_has_moved(&store->connection); /* from now on its log is this one */
        if (result == 0)
            result = store->lock_fd = lock_open(store->path, error);
    }
    if (result < 0) {
        connection_close(&store->connection);
        return -refusal_errno(result);
    }
    store->mode = mode;
    return 0;
}

/* Opens the file in the best mode there is. */
static int open_best(struct store *store, struct buffer *error)
{
    CLEANUP_BUFFER struct buffer second = BUFFER_INIT(4096);
    int result = check_writable(store->path);

    if (passes(result))
        return fail(error, result, store->path, "");
    if (result == 0) {
        result = open_mode(store, CONNECTION_READ_WRITE, error);
        /* No other way of opening mends a file that is of another kind. */
        if (result == 0 || result == -EINVAL || passes(result))
            return result;
    }
    /* A reader makes side files and cannot remove them: not where it would read damage, too. */
    if (result != -EIO)
        result = open_mode(store, CONNECTION_READ_ONLY, &second);
    if (result < 0 && result != -EINVAL && !store_has_log(store->path)) {
        buffer_clear(&second);
        result = open_mode(store, CONNECTION_IMMUTABLE, &second);
    }
    if (result == 0)
        buffer_clear(error);
    else if (error->length == 0)
        buffer_puts(error, buffer_text(&second));
    return result;
}

int store_open_any(const char *path, struct store *store, struct buffer *error)
{
    memset(store, 0, sizeof(*store));
    store->lock_fd = -1;
    /* SQLite counts what it allocates unless told before its first use, under one lock for all
     * threads. Nobody asks for the count. */
    (void)sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    int result = check_file(path, error);
    if (result < 0)
        return result;
    store->path = strdup(path);
    if (!store->path)
        return -ENOMEM;

    result = open_best(store, error);
    if (result == 0) /* by now they are in use: nobody has put one there in between */
        result = side_files_check(path, error);
    if (result < 0)
        store_close(store);
    return result;
}

int store_open(const char *path, struct store *store, struct buffer *error)
{
    int64_t unused = 0;
    int result = store_open_any(path, store, error);

    if (result < 0)
        return result;
    result = statement_value(&store->connection, STATEMENT_SETTING, &unused, "t", "source");
    if (result == 0)
        return 0;
    buffer_printf(error, "%s: %s", path,
                  result < 0 ? connection_message(&store->connection, result)
                             : "the replica of a cloud, and no registry: mount its source instead");
    store_close(store);
    return result < 0 ? -refusal_errno(result) : -EINVAL;
}

void store_close(struct store *store)
{
    if (store->connection.db)
        connection_close(&store->connection);
    if (store->lock_fd >= 0)
        (void)close(store->lock_fd);
    store->lock_fd = -1;
    free(STEAL(store->path));
}

static int storage_error(struct store *store, int result, struct buffer *error)
{
    buffer_printf(error, "%s: %s", store->path, connection_message(&store->connection, result));
    return -refusal_errno(result);
}

int store_account(struct store *store, const char *pin, int64_t *row, char out_pin[VIEW_NAME_SIZE],
                  struct buffer *error)
{
    if (pin) {
        int result = statement_value(&store->connection, STATEMENT_ACCOUNT_ID, row, "t", pin);
        if (result < 0)
            return storage_error(store, result, error);
        if (result == 0) {
            buffer_printf(error, "%s: no account \"", store->path);
            text_escape(error, pin);
            buffer_printf(error, "\"; see: imgshare account list %s", store->path);
            return -ENOENT;
        }
        (void)snprintf(out_pin, VIEW_NAME_SIZE, "%s", pin);
        return 0;
    }

    CLEANUP_STATEMENT sqlite3_stmt *use =
        statement_use(&store->connection, STATEMENT_ACCOUNT_FIRST_TWO);
    if (!use)
        return storage_error(store, statement_error(&store->connection), error);
    int result = statement_step(&store->connection, use);
    if (result == 1) {
        *row = sqlite3_column_int64(use, 0);
        (void)snprintf(out_pin, VIEW_NAME_SIZE, "%s", statement_text(use, 1));
        result = statement_step(&store->connection, use);
        if (result == 0)
            return 0;
    } else if (result == 0) {
        buffer_printf(error, "%s: no account yet; add one: imgshare account add %s PIN",
                      store->path, store->path);
        return -EINVAL;
    }
    if (result < 0)
        return storage_error(store, result, error);
    buffer_printf(error,
                  "%s: several accounts; name the one to act for with -o account=PIN "
                  "(see: imgshare account list %s)",
                  store->path, store->path);
    return -EINVAL;
}
