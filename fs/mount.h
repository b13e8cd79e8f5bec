/*
 * A mount: the context that every operation gets (fuse_req_userdata).
 *
 * Threads: the main thread waits for signals; workers serve requests; the notifier has two threads
 * (notify.h). Each worker and the notifier read through a view of their own. Shared between workers
 * are the catalog (which has its own locks), and the two small tables here.
 */
#ifndef FS_MOUNT_H
#define FS_MOUNT_H

#define FUSE_USE_VERSION 314

#include "core/catalog/catalog.h"

#include <fuse_lowlevel.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

/* How long the kernel may keep what it knows: the bound of any notification that was missed.
 * Seconds. After a gap in the feed the short one holds for a minute. */
#define MOUNT_TIMEOUT 60.0
#define MOUNT_TIMEOUT_SHORT 1.0
#define MOUNT_SHORT_NS (60 * 1000000000LL)

/* Counts by number: open shares by inode, unanswered changes by image. Few at a time. */
struct tally_entry {
    uint64_t key;
    int64_t count;
    int64_t time_ns; /* of an open share its mtime, should its row go; of a change when it began */
};

struct tally {
    pthread_mutex_t mutex;
    struct tally_entry *entries; /* under mutex */
    size_t count, size;          /* under mutex */
};

int tally_init(struct tally *tally) MUST_CHECK;
void tally_dispose(struct tally *tally);
/* One more of KEY. 0 or -ENOMEM. */
int tally_add(struct tally *tally, uint64_t key, int64_t time_ns) MUST_CHECK;
/* One less of KEY. */
void tally_remove(struct tally *tally, uint64_t key);
/* Whether there is any of KEY; then *TIME_NS (may be NULL) is the one of the first. */
bool tally_has(struct tally *tally, uint64_t key, int64_t *time_ns);
/* How many there are of all keys. */
int64_t tally_total(struct tally *tally);

struct notifier;

struct mount {
    struct catalog *catalog;
    struct fuse_session *session;
    struct notifier *notifier;
    atomic_bool agreed; /* the kernel's first request was understood: it lets callers in */
    uid_t uid;          /* of everything in the tree */
    gid_t gid;
    mode_t umask;
    pthread_key_t view_key;         /* the thread's struct view *, opened when first needed */
    struct tally opens;             /* shares open in this mount, by inode number */
    struct tally changes;           /* changes without an answer yet, by image row */
    atomic_int contents;            /* texts that open files show */
    _Atomic int64_t short_until_ns; /* until then timeouts are short */
};

/* Prepares everything but the session. CATALOG is borrowed. 0 or a negative errno. */
int mount_init(struct mount *mount, struct catalog *catalog) MUST_CHECK;
/* Closes the views of the calling thread, and frees the tables. The other threads have ended. */
void mount_dispose(struct mount *mount);

/* The calling thread's view. 0 with *OUT set, or a negative refusal/errno. */
int mount_view(struct mount *mount, struct view **out) MUST_CHECK;

/* Opens the calling thread's view before it is needed: all threads then read the same file, should
 * another take its place later. What fails here is told by mount_view(). */
void mount_open_view(struct mount *mount);

/* The time for which the kernel may keep an entry or attributes, in seconds. */
double mount_timeout(const struct mount *mount);

#endif
