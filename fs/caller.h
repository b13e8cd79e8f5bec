/*
 * Who made a request, as far as the kernel tells.
 */
#ifndef FS_CALLER_H
#define FS_CALLER_H

#include "core/catalog/event.h"
#include "fs/mount.h"

/* Fills OUT from the request and from /proc: the thread group behind the thread that asked, its
 * executable (its command name where that may not be read), and its login session's user. The
 * caller waits in the kernel for our answer, so that its /proc entry is its own. What cannot be
 * read is left empty. */
void caller_read(fuse_req_t request, struct caller *out);

#endif
