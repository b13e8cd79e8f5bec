/*
 * The mount point: whether something can be mounted there, said before it is tried.
 */
#ifndef FS_MOUNTPOINT_H
#define FS_MOUNTPOINT_H

#include "core/base/buffer.h"

/* Checks that PATH (absolute) is an empty directory on which none of our mounts is. 0, or a
 * negative errno with ERROR saying what it is instead, and the remedy. */
int mountpoint_check(const char *path, struct buffer *error) MUST_CHECK;

#endif
