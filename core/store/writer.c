/* The writer: see the header. */
#include "core/store/writer.h"

#include "core/base/text.h"
#include "core/rules/refusal.h"
#include "core/store/lock.h"
#include "core/store/write.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

/* The feed is kept as long as a mount may have been asleep without losing the thread; trimmed now
 * and then. Nanoseconds. */
#define FEED_KEEP_NS (600 * 1000000000LL)
#define FEED_TRIM_NS (60 * 1000000000LL)

struct writer {
    pthread_mutex_t mutex;
    pthread_cond_t idle; /* committing became false */
    struct job *first;   /* under mutex */
    struct job **last;   /* under mutex: where the next job goes */
    bool committing;     /* under mutex: a thread is in commit_all() */
    atomic_bool stopping;

    /* The committing thread's. */
    struct connection *connection;
    int lock_fd;
    int64_t trimmed_ns;
    bool relaxed; /* commits may return before the disk has them */
};

int writer_new(struct connection *connection, int lock_fd, struct writer **out)
{
    struct writer *writer = calloc(1, sizeof(*writer));

    if (!writer)
        return -ENOMEM;
    writer->connection = connection;
    writer->lock_fd = lock_fd;
    writer->last = &writer->first;
    (void)pthread_mutex_init(&writer->mutex, NULL);
    (void)pthread_cond_init(&writer->idle, NULL);
    *out = writer;
    return 0;
}

void writer_free(struct writer *writer)
{
    if (!writer)
        return;
    (void)pthread_mutex_lock(&writer->mutex);
    while (writer->committing)
        (void)pthread_cond_wait(&writer->idle, &writer->mutex);
    (void)pthread_mutex_unlock(&writer->mutex);
    (void)pthread_cond_destroy(&writer->idle);
    (void)pthread_mutex_destroy(&writer->mutex);
    free(writer);
}

void writer_stop(struct writer *writer)
{
    atomic_store(&writer->stopping, true);
}

struct batch {
    struct writer *writer;
    struct job *jobs;
};

static void end_all(struct job *jobs)
{
    while (jobs) {
        struct job *job = jobs;
        jobs = job->next;
        job->done(job, job->result);
    }
}

/* Takes out of the list that begins at *AT those for whom nobody waits, with their result. *AT is
 * then where the list ends. */
static struct job *take_given_up(struct job ***at)
{
    struct job *taken = NULL;
    struct job **last = &taken;

    while (**at) {
        struct job *job = **at;
        if (!job->given_up || !job->given_up(job)) {
            *at = &job->next;
            continue;
        }
        **at = job->next;
        job->next = NULL;
        job->result = -REFUSAL_INTERRUPTED;
        *last = job;
        last = &job->next;
    }
    return taken;
}

/* The same for what has queued behind the batch. No lock is held while the jobs are asked: what they
 * ask may have a lock of its own. */
static struct job *take_queued(struct writer *writer)
{
    (void)pthread_mutex_lock(&writer->mutex);
    struct job *rest = STEAL(writer->first);
    struct job **end = &rest;
    writer->last = &writer->first;
    (void)pthread_mutex_unlock(&writer->mutex);
    struct job *taken = take_given_up(&end);

    if (rest) { /* goes before what has come meanwhile */
        (void)pthread_mutex_lock(&writer->mutex);
        *end = writer->first;
        if (!writer->first)
            writer->last = end;
        writer->first = rest;
        (void)pthread_mutex_unlock(&writer->mutex);
    }
    return taken;
}

/* A batch waits in vain when the daemon ends, or when nobody waits for any of it. Whoever has given
 * up meanwhile, in the batch or behind it, does not wait for the others. */
static bool batch_given_up(void *context)
{
    struct batch *batch = context;
    struct job **end = &batch->jobs;

    if (atomic_load(&batch->writer->stopping))
        return true;
    end_all(take_given_up(&end));
    end_all(take_queued(batch->writer));
    return !batch->jobs;
}

/* Runs one job in a savepoint of its own. Returns false if the whole transaction is lost. */
static bool run_job(struct connection *connection, struct job *job, int64_t now)
{
    if (job->given_up && job->given_up(job)) {
        job->result = -REFUSAL_INTERRUPTED;
        return true;
    }
    job->result = statement_run(connection, STATEMENT_SAVEPOINT, "");
    if (job->result < 0)
        return false;
    job->result = job->run(job, connection, now);
    if (job->result < 0 && statement_run(connection, STATEMENT_ROLLBACK_TO, "") < 0)
        return false;
    return statement_run(connection, STATEMENT_RELEASE, "") == 0;
}

static void record_refused(struct connection *connection, struct job *jobs, int64_t now)
{
    for (struct job *job = jobs; job; job = job->next)
        if (job->result < 0 && job->record && !sqlite3_get_autocommit(connection->db))
            job->record(job, connection, now);
}

/* Lets commits return before (NORMAL), or once (FULL), the disk has them. Outside a transaction.
 * Where going back fails, the next batch tries before it begins: without the fsync no promise could
 * be kept. */
static int set_relaxed(struct writer *writer, bool relaxed)
{
    if (writer->relaxed == relaxed)
        return 0;
    int result = connection_exec(writer->connection, relaxed ? "PRAGMA synchronous = NORMAL"
                                                             : "PRAGMA synchronous = FULL");
    writer->relaxed = relaxed || result < 0;
    return result;
}

/* Commits events of refused jobs without waiting for the disk. Whether that works does not matter
 * to the jobs: they were refused either way. */
static void commit_refused(struct writer *writer, struct job *jobs, int64_t now)
{
    struct connection *connection = writer->connection;

    if (set_relaxed(writer, true) == 0 && statement_run(connection, STATEMENT_BEGIN, "") == 0) {
        record_refused(connection, jobs, now);
        if (statement_run(connection, STATEMENT_COMMIT, "") < 0)
            connection_rollback(connection);
    }
    (void)set_relaxed(writer, false);
}

/* Nothing of the batch was made. What can still be written down, is. */
static void fail_all(struct writer *writer, struct job *jobs, int64_t now, int result)
{
    connection_rollback(writer->connection);
    for (struct job *job = jobs; job; job = job->next)
        if (job->result >= 0)
            job->result = result;
    commit_refused(writer, jobs, now);
}

/* Runs JOBS under the lock and leaves each one's result in it. */
static void commit_batch(struct writer *writer, struct job *jobs)
{
    struct connection *connection = writer->connection;
    int64_t now = text_now();
    bool changed = false;
    bool lazy = true;

    connection_rollback(connection); /* there is nothing, unless it failed the last time */
    for (struct job *job = jobs; job; job = job->next)
        lazy = lazy && job->lazy;
    int result =
        connection_has_moved(connection) ? -REFUSAL_STORE_REPLACED : set_relaxed(writer, lazy);
    if (result == 0)
        result = statement_run(connection, STATEMENT_BEGIN, "");
    if (result < 0) {
        fail_all(writer, jobs, now, result);
        return;
    }
    for (struct job *job = jobs; job; job = job->next) {
        if (!run_job(connection, job, now)) {
            result = job->result < 0 ? job->result : -REFUSAL_STORE_DAMAGED;
            fail_all(writer, jobs, now, result);
            return;
        }
        changed = changed || job->result == 0;
    }
    if (!changed) {
        connection_rollback(connection);
        commit_refused(writer, jobs, now);
        return;
    }
    record_refused(connection, jobs, now);
    if (now - writer->trimmed_ns > FEED_TRIM_NS) {
        if (feed_trim(connection, now - FEED_KEEP_NS) == 0)
            writer->trimmed_ns = now;
    }
    /* A record that failed may have taken the transaction with it. */
    result = sqlite3_get_autocommit(connection->db)
                 ? -REFUSAL_STORE_FULL
                 : statement_run(connection, STATEMENT_COMMIT, "");
    if (result < 0)
        fail_all(writer, jobs, now, result); /* ends with FULL */
    else
        (void)set_relaxed(writer, false);
}

static void run_batch(struct writer *writer, struct job *jobs)
{
    struct batch batch = {.writer = writer, .jobs = jobs};
    int result = lock_acquire(writer->lock_fd, LOCK_WAIT_MS, batch_given_up, &batch);

    for (struct job *job = batch.jobs; job; job = job->next)
        job->result = 0;
    if (result == 0) {
        commit_batch(writer, batch.jobs);
        lock_release(writer->lock_fd);
    } else {
        for (struct job *job = batch.jobs; job; job = job->next)
            job->result = result == -EINTR       ? -REFUSAL_INTERRUPTED
                          : result == -ETIMEDOUT ? -REFUSAL_STORE_LOCKED
                                                 : -REFUSAL_STORE_DAMAGED;
    }
    end_all(batch.jobs);
}

void writer_submit(struct writer *writer, struct job *job)
{
    job->next = NULL;
    writer_submit_all(writer, job);
}

void writer_submit_all(struct writer *writer, struct job *first)
{
    struct job *last = first;

    while (last->next)
        last = last->next;
    (void)pthread_mutex_lock(&writer->mutex);
    *writer->last = first;
    writer->last = &last->next;
    if (writer->committing) {
        (void)pthread_mutex_unlock(&writer->mutex);
        return;
    }
    writer->committing = true;
    while (writer->first) {
        struct job *jobs = STEAL(writer->first);
        writer->last = &writer->first;
        (void)pthread_mutex_unlock(&writer->mutex);
        run_batch(writer, jobs);
        (void)pthread_mutex_lock(&writer->mutex);
    }
    writer->committing = false;
    (void)pthread_cond_broadcast(&writer->idle);
    (void)pthread_mutex_unlock(&writer->mutex);
}
