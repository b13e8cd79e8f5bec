/* The mount point: see the header. */
#include "fs/mountpoint.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/vfs.h>

/* The type in the kernel's table: "fuse." and the subtype that session.c gives. */
#define MOUNT_TYPE "fuse.imgsharefs"

/* Whether the topmost mount on PATH is ours; its source is then in SOURCE. */
static bool is_ours(const char *path, struct buffer *source)
{
    FILE *table = setmntent("/proc/self/mounts", "re");
    struct mntent entry = {0};
    char text[8192];
    bool ours = false;

    if (!table)
        return false;
    while (getmntent_r(table, &entry, text, sizeof(text))) {
        if (strcmp(entry.mnt_dir, path) != 0)
            continue;
        ours = strcmp(entry.mnt_type, MOUNT_TYPE) == 0;
        buffer_clear(source);
        buffer_puts(source, entry.mnt_fsname);
    }
    (void)endmntent(table);
    return ours;
}

static int check_empty(const char *path, struct buffer *error)
{
    DIR *directory = opendir(path);
    const struct dirent *entry = NULL;
    int result = 0;

    if (!directory) {
        result = -errno;
        buffer_printf(error, "%s: %s", path, strerror(-result));
        return result;
    }
    while ((entry = readdir(directory)) && result == 0) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            buffer_printf(error, "%s: not empty; mount on an empty directory", path);
            result = -ENOTEMPTY;
        }
    }
    (void)closedir(directory);
    return result;
}

static void dead(const char *path, struct buffer *error)
{
    buffer_printf(error,
                  "%s: a dead mount: its daemon has ended without unmounting; clear it with: "
                  "umount -l %s (as a user: fusermount3 -u -z %s)",
                  path, path, path);
}

bool mountpoint_is_dead(const char *path, struct buffer *error)
{
    struct statfs status;

    /* Of a plain stat() the kernel may still know the answer. */
    if (statfs(path, &status) == 0 || errno != ENOTCONN)
        return false;
    dead(path, error);
    return true;
}

int mountpoint_check(const char *path, struct buffer *error)
{
    CLEANUP_BUFFER struct buffer source = BUFFER_INIT(8192);
    struct stat status;

    if (stat(path, &status) < 0) {
        int result = -errno;
        if (result == -ENOENT)
            buffer_printf(error, "%s: no such directory; make it with: mkdir %s", path, path);
        else if (result == -ENOTCONN)
            dead(path, error);
        else
            buffer_printf(error, "%s: %s", path, strerror(-result));
        return result;
    }
    if (!S_ISDIR(status.st_mode)) {
        buffer_printf(error, "%s: not a directory; mount on an empty directory", path);
        return -ENOTDIR;
    }
    bool ours = is_ours(path, &source);
    if (ours && mountpoint_is_dead(path, error))
        return -ENOTCONN;
    if (ours) {
        buffer_printf(error, "%s: already mounted, from %s; unmount it with: umount %s", path,
                      buffer_text(&source), path);
        return -EBUSY;
    }
    return check_empty(path, error);
}

int mountpoint_claim(const char *path, struct buffer *error)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0) {
        int result = -errno;
        buffer_printf(error, "%s: %s", path, strerror(-result));
        return result;
    }
    /* A file system that knows no such lock leaves the check as it is. */
    while (flock(fd, LOCK_EX) < 0 && errno == EINTR)
        ;
    int result = mountpoint_check(path, error);
    if (result == 0)
        return fd;
    (void)close(fd);
    return result;
}
