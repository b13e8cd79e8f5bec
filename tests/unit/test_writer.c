/* The writer: many callers, one commit at a time. */
#include "core/store/writer.h"

#include "tests/unit/task.h"

#include <pthread.h>

#define THREADS 8
#define JOBS 50 /* a thread */

/* --- one commit at a time --- */

static void a_job_is_done_when_it_is_on_the_disk(void **state)
{
    struct task task;

    task_init(&task, "one", 0);
    assert_done(task_run_alone(&task));
    assert_int_equal(task.runs, 1);
    assert_int_equal(task.synchronous, 2); /* FULL: the commit waits for the disk */
    assert_int_equal(task_commits, 1);
    assert_int_equal(task_rows(state, "one"), 1);
}

static void *submit_many(void *context)
{
    struct task *tasks = context;

    for (int i = 0; i < JOBS; i++)
        writer_submit(task_writer, &tasks[i].job);
    return NULL;
}

static void jobs_of_many_threads_are_each_done_once(void **state)
{
    static struct task tasks[THREADS][JOBS];
    pthread_t threads[THREADS];
    char name[32];

    for (int i = 0; i < THREADS; i++) {
        for (int j = 0; j < JOBS; j++) {
            (void)snprintf(name, sizeof(name), "job %d %d", i, j);
            task_init(&tasks[i][j], name, j % 5 == 4 ? -REFUSAL_IMAGE_LIMIT : 0);
        }
    }
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, submit_many, tasks[i]), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    task_writer_free(); /* waits for the last commit */
    for (int i = 0; i < THREADS; i++) {
        for (int j = 0; j < JOBS; j++) {
            assert_int_equal(tasks[i][j].runs, 1);
            assert_int_equal(tasks[i][j].dones, 1);
            assert_int_equal(tasks[i][j].result, tasks[i][j].wanted);
        }
    }
    assert_int_equal(task_rows(state, "job *"), THREADS * JOBS * 4 / 5);
}

static void what_queues_during_a_commit_shares_the_next_one(void **state)
{
    struct task tasks[5];
    char name[32];

    for (int i = 0; i < 5; i++) {
        (void)snprintf(name, sizeof(name), "job %d", i);
        task_init(&tasks[i], name, 0);
    }
    task_run_together(tasks, 5);
    for (int i = 0; i < 5; i++)
        assert_done(tasks[i].result);
    assert_int_equal(task_rows(state, "job *"), 5);
    assert_int_equal(task_commits, 1);
}

static struct task *chained;

static void submit_chained(struct job *job, int result)
{
    task_done(job, result);
    writer_submit(task_writer, &chained->job);
}

static void a_job_may_be_submitted_from_the_end_of_another(void **state)
{
    struct task first;
    struct task second;

    task_init(&first, "first", 0);
    task_init(&second, "second", 0);
    first.job.done = submit_chained;
    chained = &second;
    assert_done(task_run_alone(&first));
    assert_int_equal(second.dones, 1);
    assert_int_equal(task_rows(state, "*"), 2);
}

static void free_task(struct job *job, int result)
{
    (void)result;
    free(task_of(job));
}

static void a_job_may_be_freed_at_its_end(void **state)
{
    struct task *tasks[3];

    for (int i = 0; i < 3; i++) {
        char name[32];
        (void)snprintf(name, sizeof(name), "job %d", i);
        tasks[i] = malloc(sizeof(*tasks[i]));
        assert_non_null(tasks[i]);
        task_init(tasks[i], name, i == 1 ? -REFUSAL_IMAGE_LIMIT : 0);
        tasks[i]->job.done = free_task;
        writer_submit(task_writer, &tasks[i]->job);
    }
    assert_int_equal(task_rows(state, "job *"), 2);
}

/* --- what fails --- */

static void a_job_that_fails_undoes_only_itself(void **state)
{
    struct task tasks[3];

    task_init(&tasks[0], "before", 0);
    task_init(&tasks[1], "failing", -REFUSAL_IMAGE_LIMIT);
    task_init(&tasks[2], "after", 0);
    tasks[1].records = true;
    task_run_together(tasks, 3);
    assert_done(tasks[0].result);
    assert_refused(tasks[1].result, "image-limit");
    assert_done(tasks[2].result);
    assert_int_equal(task_rows(state, "failing"), 0);
    assert_int_equal(task_rows(state, "before") + task_rows(state, "after"), 2);
    assert_int_equal(task_rows(state, "refused failing"), 1);
    assert_int_equal(task_commits, 1); /* the record goes with the others' changes */
}

static void a_refusal_is_written_down_without_waiting_for_the_disk(void **state)
{
    struct task refused;
    struct task next;

    task_init(&refused, "refused", -REFUSAL_IMAGE_LIMIT);
    refused.records = true;
    assert_refused(task_run_alone(&refused), "image-limit");
    assert_int_equal(refused.synchronous, 1); /* NORMAL */
    assert_int_equal(task_rows(state, "refused refused"), 1);
    assert_int_equal(task_rows(state, "refused"), 0);

    /* And the next change waits for it again. */
    task_init(&next, "next", 0);
    assert_done(task_run_alone(&next));
    assert_int_equal(next.synchronous, 2);
    assert_int_equal(task_synchronous(&task_store.connection), 2);
}

static void where_there_was_nothing_to_do_the_caller_is_told_so(void **state)
{
    struct task task;

    task_init(&task, "nothing", 1);
    assert_int_equal(task_run_alone(&task), 1);
    assert_int_equal(task_rows(state, "*"), 0);
    assert_int_equal(task_synchronous(&task_store.connection), 2);
}

static void what_nobody_waits_for_is_not_run(void **state)
{
    struct task tasks[3];

    for (int i = 0; i < 3; i++) {
        char name[32];
        (void)snprintf(name, sizeof(name), "job %d", i);
        task_init(&tasks[i], name, 0);
        tasks[i].nobody = i < 2;
    }
    assert_refused(task_run_alone(&tasks[0]), "interrupted");
    task_run_together(tasks + 1, 2);
    assert_int_equal(tasks[0].runs + tasks[1].runs, 0);
    assert_refused(tasks[1].result, "interrupted");
    assert_done(tasks[2].result);
    assert_int_equal(task_rows(state, "*"), 1);
}

static int refuse_commit(void *context)
{
    (void)context;
    return 1;
}

static void a_commit_that_fails_fails_all_of_its_jobs(void **state)
{
    struct task tasks[3];
    struct task next;

    task_init(&tasks[0], "first", 0);
    task_init(&tasks[1], "second", -REFUSAL_IMAGE_LIMIT);
    task_init(&tasks[2], "third", 0);
    (void)sqlite3_commit_hook(task_store.connection.db, refuse_commit, NULL);
    task_run_together(tasks, 3);
    (void)sqlite3_commit_hook(task_store.connection.db, NULL, NULL);
    assert_refused(tasks[0].result, "store-damaged");
    assert_refused(tasks[1].result, "image-limit");
    assert_refused(tasks[2].result, "store-damaged");
    assert_int_equal(task_rows(state, "*"), 0);

    task_init(&next, "next", 0);
    assert_done(task_run_alone(&next));
}

static int fill_disk(struct job *job, struct connection *connection, int64_t now)
{
    (void)now;
    atomic_fetch_add(&task_of(job)->runs, 1);
    return connection_exec(connection, "INSERT INTO scratch VALUES (hex(zeroblob(1000000)))");
}

static void a_full_disk_is_told_to_everybody_whose_change_was_lost(void **state)
{
    struct task tasks[3];
    struct task next;

    task_init(&tasks[0], "before", 0);
    task_init(&tasks[1], "large", 0);
    task_init(&tasks[2], "after", 0);
    tasks[1].job.run = fill_disk;
    assert_done(connection_exec(&task_store.connection, "PRAGMA max_page_count = 60"));
    task_run_together(tasks, 3);
    assert_int_equal(tasks[1].runs, 1);
    assert_refused(tasks[1].result, "store-full");
    /* The others have been made or not, as they were told. */
    assert_int_equal(task_rows(state, "before"), tasks[0].result == 0);
    assert_int_equal(task_rows(state, "after"), tasks[2].result == 0);
    if (tasks[0].result != 0)
        assert_refused(tasks[0].result, "store-full");
    if (tasks[2].result != 0)
        assert_refused(tasks[2].result, "store-full");

    assert_done(connection_exec(&task_store.connection, "PRAGMA max_page_count = 1000000"));
    task_init(&next, "next", 0);
    assert_done(task_run_alone(&next));
    assert_int_equal(task_rows(state, "next"), 1);
}

static void a_lock_that_cannot_be_waited_for_is_a_damaged_store(void **state)
{
    struct writer *blind = NULL;
    struct task task;

    assert_done(writer_new(&task_store.connection, -1, &blind));
    task_init(&task, "one", 0);
    writer_submit(blind, &task.job);
    assert_refused(task.result, "store-damaged");
    assert_int_equal(task.runs, 0);
    assert_int_equal(task_rows(state, "*"), 0);
    writer_free(blind);
}

static void *submit_one(void *context)
{
    struct task *task = context;

    writer_submit(task_writer, &task->job);
    return NULL;
}

static void the_end_of_a_writer_waits_for_the_commit_under_way(void **state)
{
    struct task task;
    pthread_t thread;

    task_init(&task, "slow", 0);
    task.sleep = 300 * 1000;
    assert_int_equal(pthread_create(&thread, NULL, submit_one, &task), 0);
    while (task.runs == 0)
        (void)usleep(1000);
    task_writer_free();
    assert_int_equal(task.dones, 1);
    assert_done(task.result);
    assert_int_equal(task_rows(state, "slow"), 1);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

#define WRITER_TEST(name) cmocka_unit_test_setup_teardown(name, task_setup, task_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WRITER_TEST(a_job_is_done_when_it_is_on_the_disk),
        WRITER_TEST(jobs_of_many_threads_are_each_done_once),
        WRITER_TEST(what_queues_during_a_commit_shares_the_next_one),
        WRITER_TEST(a_job_may_be_submitted_from_the_end_of_another),
        WRITER_TEST(a_job_may_be_freed_at_its_end),
        WRITER_TEST(a_job_that_fails_undoes_only_itself),
        WRITER_TEST(a_refusal_is_written_down_without_waiting_for_the_disk),
        WRITER_TEST(where_there_was_nothing_to_do_the_caller_is_told_so),
        WRITER_TEST(what_nobody_waits_for_is_not_run),
        WRITER_TEST(a_commit_that_fails_fails_all_of_its_jobs),
        WRITER_TEST(a_full_disk_is_told_to_everybody_whose_change_was_lost),
        WRITER_TEST(a_lock_that_cannot_be_waited_for_is_a_damaged_store),
        WRITER_TEST(the_end_of_a_writer_waits_for_the_commit_under_way),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
