/* Where a replica lies: see jdcloud_state.h. */
#include "core/source/jdcloud_state.h"

#include "core/base/disk.h"
#include "core/base/home.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>

/* Filesystems on which SQLite's shared memory, or its locks, cannot be trusted: their magic
 * numbers, as statfs(2) has them. */
static const struct {
    unsigned long magic;
    const char *name;
} unfit[] = {
    {0x6969, "NFS"},        {0x65735546, "FUSE"}, {0x517b, "SMB"},     {0xff534d42UL, "CIFS"},
    {0xfe534d42UL, "SMB2"}, {0x01021997, "9P"},   {0x5346414f, "AFS"},
};

/* Appends the directory that was asked for, or the first there is of the usual ones. */
static int find_directory(const char *directory, struct buffer *path, struct buffer *error)
{
    const char *systemd = getenv("STATE_DIRECTORY"); /* a list with colons */
    const char *xdg = getenv("XDG_STATE_HOME");
    int result = 0;

    if (directory) {
        buffer_puts(path, directory);
    } else if (systemd && systemd[0] == '/') {
        buffer_add(path, systemd, strcspn(systemd, ":"));
    } else if (xdg && xdg[0] == '/') {
        buffer_printf(path, "%s/imgsharefs", xdg);
    } else {
        result = home_find(path, error);
        if (result < 0)
            buffer_puts(error, ", or name a place for the replica with state=DIR");
        else
            buffer_puts(path, "/.local/state/imgsharefs");
    }
    return result;
}

/* Makes PATH and what is above it, for this user alone. */
static int make_directories(const char *path, struct buffer *error)
{
    CLEANUP_FREE char *copy = strdup(path);

    if (!copy)
        return -ENOMEM;
    for (char *at = copy + 1;; at++) {
        if (*at != '/' && *at != '\0')
            continue;
        char end = *at;
        *at = '\0';
        if (mkdir(copy, 0700) == 0) {
            disk_sync_name(copy);
        } else if (errno != EEXIST) {
            int result = -errno;
            buffer_printf(error, "%s: %s; name another place with state=DIR", copy,
                          strerror(-result));
            return result;
        }
        *at = end;
        if (end == '\0')
            return 0;
    }
}

/* Whoever can put files there can put a replica and its log there, which this program would believe;
 * the sticky bit does not help. A group is taken for the user's own, as where the umask is 002. */
static int check_owner(const char *path, struct buffer *error)
{
    struct stat status;

    if (stat(path, &status) < 0) {
        int result = -errno;
        buffer_printf(error, "%s: %s", path, strerror(-result));
        return result;
    }
    if ((status.st_uid == geteuid() || status.st_uid == 0) && !(status.st_mode & S_IWOTH))
        return 0;
    buffer_printf(error,
                  "%s: another user can put files there, and the replica would not be safe; name a "
                  "directory of your own with state=DIR",
                  path);
    return -EPERM;
}

static int check_filesystem(const char *path, struct buffer *error)
{
    struct statfs status;

    if (statfs(path, &status) < 0) {
        buffer_printf(error, "%s: %s", path, strerror(errno));
        return -errno;
    }
    for (size_t i = 0; i < sizeof(unfit) / sizeof(unfit[0]); i++) {
        if ((unsigned long)status.f_type == unfit[i].magic) {
            buffer_printf(
                error,
                "%s: is on %s, where the replica would not be safe; name a local disk with "
                "state=DIR",
                path, unfit[i].name);
            return -EINVAL;
        }
    }
    return 0;
}

/* FNV-1a, 64 bits: tells files apart; what the file is of stands in the file. */
static uint64_t add_hash(uint64_t hash, const char *text)
{
    for (; *text; text++)
        hash = (hash ^ (unsigned char)*text) * 0x100000001b3ULL;
    return (hash ^ '\n') * 0x100000001b3ULL;
}

int jdcloud_place(const char *directory, const char *region, const char *endpoint,
                  const char *access_key, struct buffer *path, struct buffer *error)
{
    uint64_t hash = 0xcbf29ce484222325ULL;
    int result = find_directory(directory, path, error);

    if (result < 0)
        return result;
    if (buffer_failed(path))
        return -ENOMEM;
    result = make_directories(buffer_text(path), error);
    if (result == 0)
        result = check_owner(buffer_text(path), error);
    if (result == 0)
        result = check_filesystem(buffer_text(path), error);
    hash = add_hash(hash, region);
    hash = add_hash(hash, endpoint ? endpoint : "");
    hash = add_hash(hash, access_key);
    buffer_printf(path, "/jdcloud-%s-%016llx.replica", region, (unsigned long long)hash);
    return result < 0 ? result : buffer_failed(path) ? -ENOMEM : 0;
}
