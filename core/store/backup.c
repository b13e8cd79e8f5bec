/* Backup: see the header. */
#include "core/store/backup.h"

#include "core/base/disk.h"
#include "core/base/text.h"
#include "core/rules/refusal.h"
#include "core/store/transaction.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* Pages between two looks at whether to stop. */
#define STEP_PAGES 2048

static int fail(struct buffer *error, const char *path, int result)
{
    text_escape(error, path);
    buffer_printf(error, ": %s", strerrordesc_np(-result));
    return result;
}

/* Copies from a read transaction, which keeps the source as it is between steps. */
static int copy_pages(struct store *store, struct connection *target,
                      const struct backup_options *options)
{
    struct connection *source = &store->connection;
    sqlite3_backup *backup = sqlite3_backup_init(target->db, "main", source->db, "main");
    int rc = SQLITE_OK;
    bool stopped = false;

    if (!backup)
        return connection_error(target, sqlite3_extended_errcode(target->db));
    while (rc == SQLITE_OK && !stopped) {
        rc = sqlite3_backup_step(backup, STEP_PAGES);
        stopped = options->stop && options->stop(options->context);
    }
    int final = sqlite3_backup_finish(backup);
    if (rc == SQLITE_DONE && final == SQLITE_OK)
        return 0;
    if (stopped && rc == SQLITE_OK)
        return -EINTR;
    return connection_error(target, rc == SQLITE_DONE ? final : rc);
}

static int write_copy(struct store *store, const char *partial,
                      const struct backup_options *options, struct buffer *error)
{
    struct connection *source = &store->connection;
    struct connection target = {0};
    int result = connection_open(&target, partial, CONNECTION_READ_WRITE, 1024, error);

    if (result < 0)
        return result;
    /* A copy that fails is removed, and made safe as a whole: it needs no journal beside it. There is
     * none to hold in memory, as nothing was in the copy before. */
    result = connection_exec(&target, "PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF");
    if (result == 0)
        result = snapshot_begin(source);
    if (result == 0)
        result = connection_exec(source, "SELECT count(*) FROM setting"); /* now it has begun */
    if (result == 0)
        result = copy_pages(store, &target, options);
    snapshot_end(source);
    const struct refusal_row *row = refusal_of(result);
    if (result == -EINTR)
        buffer_puts(error, "stopped by a signal");
    else if (row && row->refusal == REFUSAL_STORE_FULL) {
        text_escape(error, partial);
        buffer_printf(error, ": %s; make room there, or back up to another place",
                      strerrordesc_np(ENOSPC));
    } else if (result < 0)
        (void)store_explain(store, source, result, error);
    connection_close(&target);
    return -refusal_errno(result);
}

/* Makes the content of FD and then its new name safe. */
static int publish(int fd, const char *partial, const char *path)
{
    if (fsync(fd) < 0)
        return -errno;
    if (renameat2(AT_FDCWD, partial, AT_FDCWD, path, RENAME_NOREPLACE) < 0) {
        /* A file system that cannot say "no replacing" was asked by lstat() before. */
        if ((errno != EINVAL && errno != ENOSYS) || rename(partial, path) < 0)
            return -errno;
    }
    disk_sync_name(path);
    return 0;
}

int backup_run(struct store *store, const char *path, const struct backup_options *options,
               struct buffer *error)
{
    CLEANUP_BUFFER struct buffer partial = BUFFER_INIT(1 << 16);
    struct stat status;

    buffer_printf(&partial, "%s.partial", path);
    if (buffer_failed(&partial))
        return fail(error, path, -ENAMETOOLONG);
    if (lstat(path, &status) == 0)
        return fail(error, path, -EEXIST);
    const char *name = buffer_text(&partial);
    CLEANUP_CLOSE int fd = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) {
        int result = fail(error, name, -errno);
        if (result == -EEXIST)
            buffer_puts(error, "; left by a backup that was killed? Remove it, and back up again");
        return result;
    }
    int result = write_copy(store, name, options, error);
    if (result == 0) {
        result = publish(fd, name, path);
        if (result < 0)
            (void)fail(error, path, result);
    }
    if (result < 0)
        store_remove(name);
    return result;
}
