/*
 * The notifier: tells the kernel what others have committed.
 *
 * Two threads that hold no lock and serve no request, and no request ever waits for them. The first
 * looks for news (four times a second, and when woken), and makes the kernel drop listings and
 * attributes: that takes no directory lock in the kernel and is never late. The second makes it
 * drop names, which takes the directory's lock, and so can wait for whoever holds it: names of a
 * directory with an unanswered change of this mount are put off until that is answered.
 *
 * This mount's own changes need no telling: the kernel made them itself, and what follows from them
 * (derived files, by-account/) it does not keep.
 */
#ifndef FS_NOTIFY_H
#define FS_NOTIFY_H

#include "fs/mount.h"

/* Starts the threads for MOUNT, whose session is mounted. 0 or a negative errno. */
int notifier_start(struct mount *mount, struct notifier **out) MUST_CHECK;

/* Looks for news at once. Any thread; does not wait. NULL is allowed. */
void notifier_wake(struct notifier *notifier);

/* How many things wait for their names to be dropped. NULL is allowed: none. */
size_t notifier_waiting(struct notifier *notifier);

/* Ends the threads, as far as none is held up in the kernel, from where only unmounting frees it: a
 * moment at most. Before unmounting, which closes the descriptor that they write to. NULL is allowed. */
void notifier_quiet(struct notifier *notifier);

/* Ends the others, once the session is unmounted, and frees the notifier. NULL is allowed. */
void notifier_stop(struct notifier *notifier);

#endif
