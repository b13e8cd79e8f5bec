/* The mount point: see the header. */
#include "fs/mountpoint.h"

#include <dirent.h>
#include <errno.h>
#include <mntent.h>
#include <string.h>
#include <sys/stat.h>

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

int mountpoint_check(const char *path, struct buffer *error)
{
    CLEANUP_BUFFER struct buffer source = BUFFER_INIT(8192);
    struct stat status;

    if (stat(path, &status) < 0) {
        int result = -errno;
        if (result == -ENOENT)
            buffer_printf(error, "%s: no such directory; make it with: mkdir %s", path, path);
        else if (result == -ENOTCONN)
            buffer_printf(error,
                          "%s: a dead mount: its daemon has ended without unmounting; clear it "
                          "with: umount -l %s (as a user: fusermount3 -u -z %s)",
                          path, path, path);
        else
            buffer_printf(error, "%s: %s", path, strerror(-result));
        return result;
    }
    if (!S_ISDIR(status.st_mode)) {
        buffer_printf(error, "%s: not a directory; mount on an empty directory", path);
        return -ENOTDIR;
    }
    if (is_ours(path, &source)) {
        buffer_printf(error, "%s: already mounted, from %s; unmount it with: umount %s", path,
                      buffer_text(&source), path);
        return -EBUSY;
    }
    return check_empty(path, error);
}
