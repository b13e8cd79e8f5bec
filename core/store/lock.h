/*
 * The lock that the writers of a store queue on: a side file, PATH-lock.
 *
 * SQLite lets writers poll, and two busy processes starve each other for seconds. Here a writer
 * waits in the kernel's queue for an flock, which is fair, and takes SQLite's own lock without a
 * contest. The file is never removed: a second file of the same name would be a second queue.
 */
#ifndef CORE_STORE_LOCK_H
#define CORE_STORE_LOCK_H

#include "core/base/buffer.h"

#include <stdbool.h>
#include <stdint.h>

/* How long a writer waits: beyond it somebody stopped while holding the lock. Milliseconds; the
 * default deadline of a change in the design. */
#define LOCK_WAIT_MS 15000

/* Opens (makes, for those who may write PATH) the side file of the store PATH. Returns a file
 * descriptor, or a negative errno with ERROR set. */
int lock_open(const char *path, struct buffer *error) MUST_CHECK;

/* Waits for the lock at most WAIT_MS milliseconds. The wait is broken off within a second once
 * GIVE_UP (may be NULL) says true; it is asked from the waiting thread. Returns 0, -ETIMEDOUT,
 * -EINTR when it was given up, or another negative errno. */
int lock_acquire(int fd, int wait_ms, bool (*give_up)(void *context), void *context) MUST_CHECK;

void lock_release(int fd);

/* Whether another process waits for the lock that FD holds, as far as /proc/locks shows it (not
 * from another process namespace); true where that cannot be read. */
bool lock_is_awaited(int fd);

/* Marks the account row ACCOUNT as mounted while the descriptor is open: a shared byte lock in the
 * same file. Returns 0 or a negative errno. */
int lock_mark_mounted(int fd, int64_t account) MUST_CHECK;

/* Marks the whole store as this process's alone while the descriptor is open. Returns 0, -EAGAIN
 * where another process has it, or another negative errno. */
int lock_mark_alone(int fd) MUST_CHECK;

/* Whether another process has marked ACCOUNT as mounted. */
bool lock_is_mounted_elsewhere(int fd, int64_t account);

#endif
