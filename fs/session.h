/*
 * A session: mounting, serving with a few threads, and ending.
 */
#ifndef FS_SESSION_H
#define FS_SESSION_H

#include "fs/options.h"

/* Opens the source, mounts it, and serves until it is unmounted or told to end by SIGTERM or
 * SIGINT; SIGHUP reads the lists anew and refreshes, SIGUSR1 and SIGUSR2 change what is logged. In
 * the foreground systemd, where it listens, is told of it all. Calls READY (with CONTEXT) once the mount can
 * be used: if that fails (negative), it unmounts and ends. Blocks those signals in the calling
 * thread and all that it starts.
 *
 * Returns 0 when it was unmounted or told to end; a negative errno with ERROR set when it could not
 * begin, and then nothing is left behind. *BUSY says that a thread could not be ended in time (it
 * waits for another process): then the caller must leave with _exit(). */
int session_run(const struct options *options, int (*ready)(void *context), void *context,
                struct buffer *error, bool *busy) MUST_CHECK;

#endif
