/* Jobs for the tests of the writer: see the header. */
#include "tests/unit/task.h"

#include "core/base/container.h"

#include <string.h>

struct store task_store;
struct writer *task_writer;
atomic_int task_commits;

static int count_commit(void *context)
{
    (void)context;
    atomic_fetch_add(&task_commits, 1);
    return 0;
}

void task_open(const char *path)
{
    CLEANUP_BUFFER struct buffer error = BUFFER_INIT(2 * PATH_MAX);

    if (store_open(path, &task_store, &error) < 0)
        fail_msg("%s", buffer_text(&error));
    assert_done(writer_new(&task_store.connection, task_store.lock_fd, &task_writer));
    (void)sqlite3_commit_hook(task_store.connection.db, count_commit, NULL);
    atomic_store(&task_commits, 0);
}

void task_writer_free(void)
{
    writer_free(STEAL(task_writer));
}

void task_close(void)
{
    task_writer_free();
    store_close(&task_store);
}

int task_setup(void **state)
{
    (void)registry_setup(state);
    const struct registry *registry = *state;

    registry_sql(registry, "CREATE TABLE scratch (name TEXT PRIMARY KEY)");
    task_open(registry->path);
    return 0;
}

int task_teardown(void **state)
{
    task_close();
    return registry_teardown(state);
}

struct task *task_of(struct job *job)
{
    return CONTAINER_OF(job, struct task, job);
}

int task_insert(struct connection *connection, const char *prefix, const char *name)
{
    char sql[128];

    (void)snprintf(sql, sizeof(sql), "INSERT INTO scratch VALUES ('%s%s')", prefix, name);
    return connection_exec(connection, sql);
}

int task_synchronous(struct connection *connection)
{
    sqlite3_stmt *statement = NULL;
    int value = -1;

    if (sqlite3_prepare_v2(connection->db, "PRAGMA synchronous", -1, &statement, NULL) ==
            SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW)
        value = sqlite3_column_int(statement, 0);
    (void)sqlite3_finalize(statement);
    return value;
}

static bool task_given_up(struct job *job)
{
    return task_of(job)->nobody;
}

static int task_run(struct job *job, struct connection *connection, int64_t now)
{
    struct task *task = task_of(job);

    (void)now;
    atomic_fetch_add(&task->runs, 1);
    task->synchronous = task_synchronous(connection);
    for (int i = 0; i < task->follower_count; i++)
        writer_submit(task_writer, &task->followers[i].job);
    if (task->sleep)
        (void)usleep(task->sleep);
    int result = task->wanted == 1 ? 0 : task_insert(connection, "", task->name);
    return result < 0 ? result : task->wanted;
}

static void task_record(struct job *job, struct connection *connection, int64_t now)
{
    struct task *task = task_of(job);

    (void)now;
    task->synchronous = task_synchronous(connection);
    if (task->records)
        (void)task_insert(connection, "refused ", task->name);
}

void task_done(struct job *job, int result)
{
    struct task *task = task_of(job);

    task->result = result;
    atomic_fetch_add(&task->dones, 1);
}

void task_init(struct task *task, const char *name, int wanted)
{
    memset(task, 0, sizeof(*task));
    (void)snprintf(task->name, sizeof(task->name), "%s", name);
    task->wanted = wanted;
    task->job = (struct job){
        .given_up = task_given_up, .run = task_run, .record = task_record, .done = task_done};
}

int task_run_alone(struct task *task)
{
    writer_submit(task_writer, &task->job);
    assert_int_equal(task->dones, 1);
    return task->result;
}

static void starter_done(struct job *job, int result)
{
    task_done(job, result);
    atomic_store(&task_commits, 0);
}

void task_run_together(struct task *tasks, int count)
{
    struct task starter;

    task_init(&starter, "starter", 1);
    starter.job.done = starter_done;
    starter.followers = tasks;
    starter.follower_count = count;
    assert_int_equal(task_run_alone(&starter), 1);
    for (int i = 0; i < count; i++)
        assert_int_equal(tasks[i].dones, 1);
}

int64_t task_rows(void **state, const char *pattern)
{
    return registry_number(*state, "SELECT count(*) FROM scratch WHERE name GLOB '%s'", pattern);
}
