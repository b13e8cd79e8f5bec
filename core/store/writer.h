/*
 * The writer: one commit at a time, taking along what is waiting.
 *
 * Jobs are queued; the thread that finds no commit under way does it itself, and takes all that has
 * queued meanwhile into one transaction: a savepoint each, one durable commit, then done() of each.
 * So many callers share one fsync, and no thread waits for another's. Processes queue on lock.h.
 *
 * What was refused changes nothing but the event log, and nobody should wait for the disk to hear
 * no: a batch in which nothing was changed is committed without the fsync (synchronous=NORMAL), and
 * is as visible. So is what can be found out again after a loss of power (lazy jobs). Batches of
 * both kinds share the one fsync.
 */
#ifndef CORE_STORE_WRITER_H
#define CORE_STORE_WRITER_H

#include "core/store/connection.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

struct job {
    struct job *next; /* the queue's */
    int result;       /* the writer's */
    bool lazy;        /* its change need not be on the disk when done() is called */

    /* Whether nobody waits for it any more; asked just before run(), and now and then while another
     * process has the lock, in the committing thread. A job given up is not run, and ends with
     * -REFUSAL_INTERRUPTED, within a second also where others go on waiting. May be NULL. */
    bool (*given_up)(struct job *job);

    /* Makes the change inside the transaction. Returns 0 if it changed something, 1 if there was
     * nothing to do, or a negative refusal/errno, upon which what it wrote is undone. */
    int (*run)(struct job *job, struct connection *connection, int64_t now);

    /* Writes down that the job was refused with job->result. Called in the same commit as run() or
     * in one of its own; a failure is not the job's. May be NULL. */
    void (*record)(struct job *job, struct connection *connection, int64_t now);

    /* The job's end, after the commit: the writer does not touch the job again. RESULT is what
     * run() gave, or why the commit failed. Called from the committing thread, no lock held. */
    void (*done)(struct job *job, int result);
};

struct writer;

/* Takes over CONNECTION and LOCK_FD (both borrowed; they must outlive the writer). */
int writer_new(struct connection *connection, int lock_fd, struct writer **out) MUST_CHECK;

/* Waits until the running commit has ended, and frees the writer. Jobs must not be submitted any
 * more. NULL is allowed. */
void writer_free(struct writer *writer);

/* Queues JOB, and commits if no other thread does. JOB belongs to the writer until done(). Any
 * thread. */
void writer_submit(struct writer *writer, struct job *job);

/* The same for all jobs of the list that begins with FIRST: they share a commit. */
void writer_submit_all(struct writer *writer, struct job *first);

/* From now on waiting for the lock is given up, so that a daemon that ends does not wait for
 * another process. Any thread. */
void writer_stop(struct writer *writer);

#endif
