/*
 * Jobs for the tests of the writer.
 *
 * A task writes a row of its own into a scratch table, so that what was committed can be counted
 * from outside. The suites take task_setup() and task_teardown(), and find a struct registry in
 * *state.
 */
#ifndef TESTS_UNIT_TASK_H
#define TESTS_UNIT_TASK_H

#include "core/store/store.h"
#include "core/store/writer.h"
#include "tests/unit/support.h"

#include <stdatomic.h>

/* Later than any answer that is in time, sooner than a test that hangs. Milliseconds. */
#define SOON_MS 8000

/* What the tests of this process write with. */
extern struct store task_store;
extern struct writer *task_writer; /* NULL after task_writer_free() */
extern atomic_int task_commits;    /* of this process */

int task_setup(void **state);
int task_teardown(void **state);

/* The store and its writer: task_setup() opens them. */
void task_open(const char *path);
void task_close(void);
/* Waits for the commit under way. */
void task_writer_free(void);

struct task {
    struct job job;
    char name[64];          /* of the row that it writes */
    int wanted;             /* what run() gives */
    bool nobody;            /* nobody waits for it */
    bool records;           /* a refusal of it is written down, as the row "refused NAME" */
    useconds_t sleep;       /* in run() */
    struct task *followers; /* to be submitted while this one runs */
    int follower_count;

    atomic_int runs, dones;
    int result;
    int synchronous; /* the pragma while it ran, or was recorded */
};

/* A task called NAME whose run() gives WANTED. */
void task_init(struct task *task, const char *name, int wanted);

struct task *task_of(struct job *job);

/* The done() of a task, for those that have one of their own. */
void task_done(struct job *job, int result);

/* Submits TASK alone: it is done when this returns. Gives its result. */
int task_run_alone(struct task *task);

/* Has TASKS queue during a commit, so that they make the next batch, of which task_commits then
 * counts the commits. They are done when this returns. */
void task_run_together(struct task *tasks, int count);

/* Writes the row "PREFIX NAME". */
int task_insert(struct connection *connection, const char *prefix, const char *name);

/* PRAGMA synchronous: 1 is NORMAL, 2 FULL. */
int task_synchronous(struct connection *connection);

/* How many rows there are that match PATTERN. */
int64_t task_rows(void **state, const char *pattern);

#endif
