/* The files beside a store: see the header. */
#include "core/store/side_files.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Whether UID may have made a file beside a store that looks like STORE. */
static bool may_write(uid_t uid, const struct stat *store)
{
    return uid == store->st_uid || uid == geteuid() || uid == 0 || (store->st_mode & 022) != 0;
}

static int check_one(const char *path, const struct stat *store, struct buffer *error)
{
    struct stat status;

    if (lstat(path, &status) < 0)
        return 0; /* SQLite will say what is the matter, if it matters */
    if (!S_ISREG(status.st_mode) || status.st_nlink > 1)
        buffer_printf(error, "%s: %s where the store's own file belongs; remove it", path,
                      S_ISLNK(status.st_mode)   ? "a symbolic link"
                      : S_ISREG(status.st_mode) ? "another name of some file"
                                                : "no regular file");
    else if (!may_write(status.st_uid, store))
        buffer_printf(error, "%s: made by user %u, who may not write the store; remove it", path,
                      (unsigned)status.st_uid);
    else
        return 0;
    return -EPERM;
}

int side_files_check(const char *path, struct buffer *error)
{
    static const char *const suffixes[] = {"-wal", "-shm", "-journal", "-lock"};
    struct stat store = {.st_uid = geteuid()};
    int result = 0;

    if (stat(path, &store) < 0 && errno != ENOENT)
        return 0;
    for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]) && result == 0; i++) {
        CLEANUP_BUFFER struct buffer name = BUFFER_INIT(1 << 16);
        buffer_printf(&name, "%s%s", path, suffixes[i]);
        result = buffer_failed(&name) ? -ENOMEM : check_one(buffer_text(&name), &store, error);
    }
    return result;
}
