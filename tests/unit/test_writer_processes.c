/* Writers in several processes: they queue, and no caller hears of it but by waiting. */
#include "core/store/writer.h"

#include "core/store/lock.h"
#include "tests/unit/task.h"

#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define JOBS 50 /* a process */

/* A process that has the lock of the store, and SQLite's too, for HOLD_MS. */
static pid_t start_holder(void **state, int hold_ms)
{
    const struct registry *registry = *state;
    int ready[2];
    char byte = 0;

    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        CLEANUP_BUFFER struct buffer error = BUFFER_INIT(2 * PATH_MAX);
        struct store own;
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (store_open(registry->path, &own, &error) < 0 ||
            lock_acquire(own.lock_fd, SOON_MS, NULL, NULL) < 0 ||
            connection_exec(&own.connection, "BEGIN IMMEDIATE") < 0 ||
            task_insert(&own.connection, "", "holder") < 0 || write(ready[1], "x", 1) != 1)
            _exit(1);
        (void)usleep((useconds_t)hold_ms * 1000);
        int result = connection_exec(&own.connection, "COMMIT");
        lock_release(own.lock_fd);
        _exit(result < 0 ? 1 : 0);
    }
    (void)close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    (void)close(ready[0]);
    return child;
}

static void assert_ended_well(pid_t child)
{
    int status = 0;

    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void another_process_that_writes_delays_a_job_and_does_not_fail_it(void **state)
{
    int64_t begin = clock_ms();
    pid_t holder = start_holder(state, 400);
    struct task task;

    task_init(&task, "one", 0);
    assert_done(task_run_alone(&task));
    assert_in_range(clock_ms() - begin, 400, SOON_MS);
    assert_int_equal(task_rows(state, "*"), 2);
    assert_ended_well(holder);
}

static int submit_alone(const char *prefix, int count)
{
    int failed = 0;

    for (int i = 0; i < count; i++) {
        struct task task;
        char name[64];
        (void)snprintf(name, sizeof(name), "%s %d", prefix, i);
        task_init(&task, name, 0);
        writer_submit(task_writer, &task.job);
        failed += task.result != 0;
    }
    return failed;
}

static void no_job_of_busy_processes_hears_that_the_store_is_busy(void **state)
{
    enum { PROCESSES = 4 };
    const struct registry *registry = *state;
    pid_t children[PROCESSES];
    char prefix[32];

    task_close();
    for (int i = 0; i < PROCESSES; i++) {
        children[i] = fork();
        assert_true(children[i] >= 0);
        if (children[i] == 0) {
            (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
            task_open(registry->path);
            (void)snprintf(prefix, sizeof(prefix), "process %d", i);
            _exit(submit_alone(prefix, JOBS) != 0 ? 1 : 0);
        }
    }
    for (int i = 0; i < PROCESSES; i++)
        assert_ended_well(children[i]);
    assert_int_equal(task_rows(state, "process *"), PROCESSES * JOBS);
}

static void *submit_one(void *context)
{
    struct task *task = context;

    writer_submit(task_writer, &task->job);
    return NULL;
}

static void a_writer_that_is_stopped_does_not_wait_for_another_process(void **state)
{
    pid_t holder = start_holder(state, 60000);
    struct task task;
    pthread_t thread;
    int64_t begin = clock_ms();

    task_init(&task, "one", 0);
    assert_int_equal(pthread_create(&thread, NULL, submit_one, &task), 0);
    (void)usleep(200 * 1000);
    assert_int_equal(task.dones, 0);
    writer_stop(task_writer);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(clock_ms() - begin < SOON_MS);
    assert_int_equal(task.dones, 1);
    assert_refused(task.result, "interrupted");
    assert_int_equal(task.runs, 0);
    task_close();
    assert_int_equal(kill(holder, SIGKILL), 0);
    assert_int_equal(waitpid(holder, NULL, 0), holder);
}

static void *submit_list(void *context)
{
    struct task *first = context;

    writer_submit_all(task_writer, &first->job);
    return NULL;
}

static atomic_bool nobody_waits;

static bool until_nobody_waits(struct job *job)
{
    (void)job;
    return atomic_load(&nobody_waits);
}

static void a_wait_ends_when_the_last_caller_has_gone(void **state)
{
    pid_t holder = start_holder(state, 60000);
    struct task task;
    pthread_t thread;
    int64_t begin = clock_ms();

    atomic_store(&nobody_waits, false);
    task_init(&task, "one", 0);
    task.job.given_up = until_nobody_waits;
    assert_int_equal(pthread_create(&thread, NULL, submit_one, &task), 0);
    (void)usleep(200 * 1000);
    assert_int_equal(task.dones, 0);
    atomic_store(&nobody_waits, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(clock_ms() - begin < SOON_MS);
    assert_refused(task.result, "interrupted");
    assert_int_equal(kill(holder, SIGKILL), 0);
    assert_int_equal(waitpid(holder, NULL, 0), holder);

    /* The lock of a killed process is free. */
    struct task next;
    task_init(&next, "next", 0);
    assert_done(task_run_alone(&next));
    assert_int_equal(task_rows(state, "*"), 1);
}

/* Whoever is asked whether he has given up may come back with another job. */
static struct task *asked_submits;

static bool until_nobody_waits_and_submit(struct job *job)
{
    bool nobody = until_nobody_waits(job);

    if (nobody && asked_submits)
        writer_submit(task_writer, &STEAL(asked_submits)->job);
    return nobody;
}

static atomic_int times_asked;

static bool never_gives_up(struct job *job)
{
    (void)job;
    atomic_fetch_add(&times_asked, 1);
    return false;
}

static void who_is_not_waited_for_any_more_is_let_go_though_others_still_wait(void **state)
{
    pid_t holder = start_holder(state, 60000);
    struct task first; /* of the batch that waits for the lock */
    struct task second;
    struct task queued; /* behind that batch */
    struct task patient;
    struct task next; /* when they have been asked */
    struct task late; /* while they are asked */
    pthread_t thread;

    atomic_store(&nobody_waits, false);
    task_init(&first, "first", 0);
    task_init(&second, "second", 0);
    task_init(&queued, "queued", 0);
    task_init(&patient, "patient", 0);
    task_init(&next, "next", 0);
    task_init(&late, "late", 0);
    atomic_store(&times_asked, 0);
    patient.job.given_up = never_gives_up;
    second.job.given_up = until_nobody_waits;
    queued.job.given_up = until_nobody_waits_and_submit;
    asked_submits = &late;
    first.job.next = &second.job;
    assert_int_equal(pthread_create(&thread, NULL, submit_list, &first), 0);
    (void)usleep(200 * 1000);
    writer_submit(task_writer, &queued.job);
    writer_submit(task_writer, &patient.job);
    for (int waited = 0; waited < SOON_MS && atomic_load(&times_asked) < 2; waited++)
        (void)usleep(1000);
    writer_submit(task_writer, &next.job);
    assert_int_equal(first.dones + second.dones + queued.dones, 0);
    atomic_store(&nobody_waits, true);
    for (int waited = 0; waited < SOON_MS && second.dones + queued.dones < 2; waited++)
        (void)usleep(1000);
    assert_int_equal(second.dones, 1);
    assert_int_equal(queued.dones, 1);
    assert_int_equal(first.dones + patient.dones + next.dones + late.dones, 0);
    assert_refused(second.result, "interrupted");
    assert_refused(queued.result, "interrupted");

    assert_int_equal(kill(holder, SIGKILL), 0);
    assert_int_equal(waitpid(holder, NULL, 0), holder);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(second.dones + queued.dones, 2);
    assert_int_equal(second.runs + queued.runs, 0);
    assert_done(first.result);
    assert_done(patient.result);
    assert_done(next.result);
    assert_done(late.result);
    assert_int_equal(task_rows(state, "*"), 4);
    /* In the order in which they came. */
    assert_int_equal(registry_number(*state,
                                     "SELECT group_concat(name, ' ') = 'first patient next late' "
                                     "FROM (SELECT name FROM scratch ORDER BY rowid)"),
                     1);
}

#define WRITER_TEST(name) cmocka_unit_test_setup_teardown(name, task_setup, task_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WRITER_TEST(another_process_that_writes_delays_a_job_and_does_not_fail_it),
        WRITER_TEST(no_job_of_busy_processes_hears_that_the_store_is_busy),
        WRITER_TEST(a_writer_that_is_stopped_does_not_wait_for_another_process),
        WRITER_TEST(a_wait_ends_when_the_last_caller_has_gone),
        WRITER_TEST(who_is_not_waited_for_any_more_is_let_go_though_others_still_wait),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
