/*
 * Finding the mount of imgsharefs that a path is in.
 */
#ifndef CORE_IMGSHARE_MOUNT_FIND_H
#define CORE_IMGSHARE_MOUNT_FIND_H

#include "core/base/buffer.h"

#include <stdbool.h>

struct mount {
    char *point;    /* where it is mounted; absolute, no slash at the end */
    char *source;   /* path of the registry, or what else was mounted */
    char *inside;   /* the path relative to the mount point, "" for that itself */
    bool read_only; /* of the mount point or the file system */
};

/* Finds out where PATH leads: through symbolic links, and also where its last part does not exist.
 * Returns 0 with *OUT to be disposed of where that is inside a mount of imgsharefs; otherwise a
 * negative errno with ERROR set, -ENODEV where it is outside of any. */
int mount_find(const char *path, struct mount *out, struct buffer *error) MUST_CHECK;

void mount_dispose(struct mount *mount);

#define CLEANUP_MOUNT __attribute__((cleanup(mount_dispose)))

#endif
