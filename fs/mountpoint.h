/*
 * The mount point: whether something can be mounted there, said before it is tried.
 */
#ifndef FS_MOUNTPOINT_H
#define FS_MOUNTPOINT_H

#include "core/base/buffer.h"

/* Checks that PATH (absolute) is an empty directory on which none of our mounts is. 0, or a
 * negative errno with ERROR saying what it is instead, and the remedy. */
int mountpoint_check(const char *path, struct buffer *error) MUST_CHECK;

/* Checks the same, and makes all others who claim PATH wait until the descriptor that is returned
 * is closed: two that mount at once would both find the place free. A negative errno as above. */
int mountpoint_claim(const char *path, struct buffer *error) MUST_CHECK;

/* Whether a mount is on PATH that nobody serves any more. ERROR then says how to clear it. */
bool mountpoint_is_dead(const char *path, struct buffer *error);

#endif
