/* Making a store: see the header. */
#include "core/store/create.h"

#include "core/base/disk.h"
#include "core/base/text.h"
#include "core/rules/refusal.h"
#include "core/store/connection.h"
#include "core/store/schema.h"
#include "core/store/side_files.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <string.h>

/* Bytes of the header of an SQLite file: how it may be written and read, and their value where that
 * is with a log (PRAGMA journal_mode = WAL, which memory cannot have). */
#define HEADER_WRITE_VERSION 18
#define HEADER_READ_VERSION 19
#define VERSION_WAL 2

static int set(struct connection *connection, const char *name, const char *value)
{
    return statement_run(connection, STATEMENT_SETTING_SET, "tt", name, value);
}

static int fill(struct connection *connection, const struct create_options *options)
{
    CLEANUP_BUFFER struct buffer limit = BUFFER_INIT(32);
    int64_t now = text_now();

    buffer_printf(&limit, "%lld", (long long)options->limit);
    int result = buffer_failed(&limit) ? -ENOMEM : set(connection, "limit", buffer_text(&limit));
    if (result == 0)
        result = set(connection, "snapshots", rules_policy_name(options->policy));
    if (result == 0 && options->source)
        result = set(connection, "source", options->source);
    for (size_t i = 0; i < options->account_count && result == 0; i++)
        result = statement_run(connection, STATEMENT_ACCOUNT_ADD, "tti", options->accounts[i],
                               (const char *)NULL, now);
    return result;
}

/* Makes the store in memory; *BYTES is its file, for sqlite3_free(). */
static int compose(const char *path, const struct create_options *options, unsigned char **bytes,
                   size_t *size, struct buffer *error)
{
    struct connection memory = {0};
    sqlite3_int64 length = 0;
    int flags =
        SQLITE_OPEN_READWRITE | SQLITE_OPEN_MEMORY | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    int result = sqlite3_open_v2(":memory:", &memory.db, flags, NULL) == SQLITE_OK ? 0 : -ENOMEM;

    if (result == 0)
        result = schema_create(memory.db, path, error);
    if (result == 0)
        result = fill(&memory, options);
    if (result == 0) {
        *bytes = sqlite3_serialize(memory.db, "main", &length, 0);
        *size = (size_t)length;
        result = *bytes && *size > HEADER_READ_VERSION ? 0 : -ENOMEM;
    }
    if (result == 0) {
        (*bytes)[HEADER_WRITE_VERSION] = VERSION_WAL;
        (*bytes)[HEADER_READ_VERSION] = VERSION_WAL;
    } else if (error->length == 0) {
        buffer_printf(error, "%s: %s", path, connection_message(&memory, result));
    }
    connection_close(&memory);
    return -refusal_errno(result);
}

static int write_all(int fd, const unsigned char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t count = write(fd, bytes, size);
        if (count < 0 && errno != EINTR)
            return -errno;
        if (count > 0) {
            bytes += count;
            size -= (size_t)count;
        }
    }
    return fsync(fd) < 0 ? -errno : 0;
}

/* Gives the file FD, which has no name, the name PATH. */
static int give_name(int fd, const char *path)
{
    CLEANUP_BUFFER struct buffer link = BUFFER_INIT(64);

    buffer_printf(&link, "/proc/self/fd/%d", fd);
    if (buffer_failed(&link))
        return -ENOMEM;
    return linkat(AT_FDCWD, buffer_text(&link), AT_FDCWD, path, AT_SYMLINK_FOLLOW) < 0 ? -errno : 0;
}

/* Writes a file without a name into DIRECTORY, and gives it PATH. -EOPNOTSUPP where files of this
 * file system have one from the beginning. */
static int make_unnamed(const char *directory, const char *path, const unsigned char *bytes,
                        size_t size)
{
    CLEANUP_CLOSE int fd = open(directory, O_WRONLY | O_TMPFILE | O_CLOEXEC, 0600);

    /* Old kernels take the flag for an attempt to write to the directory. */
    if (fd < 0)
        return errno == EISDIR ? -EOPNOTSUPP : -errno;
    int result = write_all(fd, bytes, size);
    if (result < 0)
        return result;
    result = give_name(fd, path);
    return result == -ENOENT ? -EOPNOTSUPP : result; /* there is no /proc */
}

static int make_named(const char *path, const unsigned char *bytes, size_t size)
{
    CLEANUP_CLOSE int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0)
        return -errno;
    int result = write_all(fd, bytes, size);
    if (result < 0)
        (void)unlink(path);
    return result;
}

static int make(const char *path, const unsigned char *bytes, size_t size)
{
    CLEANUP_FREE char *copy = strdup(path);

    if (!copy)
        return -ENOMEM;
    int result = make_unnamed(dirname(copy), path, bytes, size);
    if (result == -EOPNOTSUPP)
        result = make_named(path, bytes, size);
    if (result == 0)
        disk_sync_name(path);
    return result;
}

int store_create(const char *path, const struct create_options *options, struct buffer *error)
{
    unsigned char *bytes = NULL;
    size_t size = 0;
    int result = side_files_check(path, error);

    if (result == 0)
        result = compose(path, options, &bytes, &size, error);
    if (result == 0) {
        result = make(path, bytes, size);
        if (result < 0)
            buffer_printf(error, "%s: %s%s", path, strerror(-result),
                          result == -EEXIST   ? "; import adds to a registry that is there"
                          : result == -ENOSPC ? "; make room there"
                                              : "");
    }
    sqlite3_free(bytes);
    return result;
}
