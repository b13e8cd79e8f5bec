/*
 * The lock that the writers of all processes queue on, and the marks of mounted accounts in the
 * same file. A holder here is another process, as it is in life.
 */
#include "core/store/lock.h"

#include "tests/unit/support.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

/* Later than any answer that is in time, sooner than a test that hangs. */
#define SOON_MS 8000

static int lock_file(void **state)
{
    CLEANUP_BUFFER struct buffer error = BUFFER_INIT(2 * PATH_MAX);
    const struct registry *registry = *state;
    struct stat status;

    if (stat(registry->path, &status) < 0)
        (void)registry_file(registry, "registry", "any file");
    int fd = lock_open(registry->path, &error);
    if (fd < 0)
        fail_msg("%s", buffer_text(&error));
    return fd;
}

/* A process of its own, which ends with the test at the latest. */
static pid_t fork_helper(void)
{
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0)
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    return child;
}

/* Another process that holds the lock for HOLD_MS, or until it is ended where that is negative. */
static pid_t start_holder(void **state, int hold_ms)
{
    int ready[2];
    char byte = 0;

    assert_int_equal(pipe(ready), 0);
    pid_t child = fork_helper();
    if (child == 0) {
        int fd = lock_file(state);
        if (lock_acquire(fd, SOON_MS, NULL, NULL) < 0 || write(ready[1], "x", 1) != 1)
            _exit(1);
        while (hold_ms < 0)
            (void)pause();
        (void)usleep((useconds_t)hold_ms * 1000);
        lock_release(fd);
        _exit(0);
    }
    (void)close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    (void)close(ready[0]);
    return child;
}

static void end_holder(pid_t holder)
{
    assert_int_equal(kill(holder, SIGKILL), 0);
    assert_int_equal(waitpid(holder, NULL, 0), holder);
}

static void a_free_lock_is_taken_at_once_and_again_after_its_release(void **state)
{
    int first = lock_file(state);
    int second = lock_file(state);

    for (int i = 0; i < 100; i++) {
        assert_done(lock_acquire(first, 0, NULL, NULL));
        assert_refused(lock_acquire(second, 0, NULL, NULL), "ETIMEDOUT");
        lock_release(first);
        assert_done(lock_acquire(second, 0, NULL, NULL));
        lock_release(second);
    }
    (void)close(first);
    (void)close(second);
}

static void who_waits_gets_the_lock_when_it_is_released(void **state)
{
    int fd = lock_file(state);
    int64_t begin = clock_ms();
    pid_t holder = start_holder(state, 300);

    assert_done(lock_acquire(fd, 2 * SOON_MS, NULL, NULL));
    assert_in_range(clock_ms() - begin, 300, SOON_MS);
    lock_release(fd);
    assert_int_equal(waitpid(holder, NULL, 0), holder);
    (void)close(fd);
}

static void a_wait_ends_when_its_time_is_up(void **state)
{
    static const int waits[] = {1, 300, 1200};
    int fd = lock_file(state);
    pid_t holder = start_holder(state, -1);

    for (size_t i = 0; i < COUNT_OF(waits); i++) {
        int64_t begin = clock_ms();
        assert_refused(lock_acquire(fd, waits[i], NULL, NULL), "ETIMEDOUT");
        assert_in_range(clock_ms() - begin, waits[i] - 1, SOON_MS);
    }
    end_holder(holder);
    assert_done(lock_acquire(fd, SOON_MS, NULL, NULL));
    (void)close(fd);
}

static void no_time_to_wait_is_an_answer_at_once(void **state)
{
    int fd = lock_file(state);
    pid_t holder = start_holder(state, -1);
    int64_t begin = clock_ms();

    (void)alarm(20); /* rather than hang */
    assert_refused(lock_acquire(fd, 0, NULL, NULL), "ETIMEDOUT");
    (void)alarm(0);
    assert_true(clock_ms() - begin < SOON_MS);
    end_holder(holder);
    (void)close(fd);
}

static bool given_up(void *context)
{
    return atomic_load((atomic_bool *)context);
}

static void *give_up_later(void *context)
{
    (void)usleep(300 * 1000);
    atomic_store((atomic_bool *)context, true);
    return NULL;
}

static void a_wait_that_nobody_wants_any_more_is_given_up(void **state)
{
    int fd = lock_file(state);
    pid_t holder = start_holder(state, -1);
    atomic_bool flag = false;
    pthread_t thread;
    int64_t begin = clock_ms();

    assert_int_equal(pthread_create(&thread, NULL, give_up_later, &flag), 0);
    assert_refused(lock_acquire(fd, 15000, given_up, &flag), "EINTR");
    assert_in_range(clock_ms() - begin, 250, SOON_MS);
    assert_int_equal(pthread_join(thread, NULL), 0);
    end_holder(holder);
    (void)close(fd);
}

static void who_is_killed_holds_the_lock_no_more(void **state)
{
    int fd = lock_file(state);

    end_holder(start_holder(state, -1));
    assert_done(lock_acquire(fd, SOON_MS, NULL, NULL));
    (void)close(fd);
}

/* Adds one to a number in a file, so slowly that two at once would lose a step. */
static void step_slowly(const char *path)
{
    char text[16] = "";
    FILE *file = fopen(path, "r+e");

    if (!file || !fgets(text, sizeof(text), file))
        _exit(1);
    (void)usleep(2000);
    rewind(file);
    if (fprintf(file, "%d\n", atoi(text) + 1) < 0 || fclose(file) != 0)
        _exit(1);
}

static void many_processes_that_queue_all_get_it_one_at_a_time(void **state)
{
    enum { PROCESSES = 6, STEPS = 20 };
    char path[PATH_MAX];
    char text[16] = "";
    int status = 0;

    (void)snprintf(path, sizeof(path), "%s", registry_file(*state, "number", "0\n"));
    (void)close(lock_file(state));
    for (int i = 0; i < PROCESSES; i++) {
        pid_t child = fork_helper();
        if (child == 0) {
            int fd = lock_file(state);
            for (int j = 0; j < STEPS; j++) {
                if (lock_acquire(fd, LOCK_WAIT_MS, NULL, NULL) < 0)
                    _exit(1);
                step_slowly(path);
                lock_release(fd);
            }
            _exit(0);
        }
    }
    for (int i = 0; i < PROCESSES; i++) {
        assert_true(wait(&status) > 0);
        assert_int_equal(status, 0);
    }
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    assert_non_null(fgets(text, sizeof(text), file));
    assert_int_equal(fclose(file), 0);
    assert_int_equal(atoi(text), PROCESSES * STEPS);
}

static void the_lock_of_a_registry_that_is_missing_is_not_made(void **state)
{
    CLEANUP_BUFFER struct buffer error = BUFFER_INIT(2 * PATH_MAX);
    const struct registry *registry = *state;
    char side[PATH_MAX + 8];
    struct stat status;

    assert_refused(lock_open(registry->path, &error), "ENOENT");
    assert_holds(buffer_text(&error), registry->path);
    (void)snprintf(side, sizeof(side), "%s-lock", registry->path);
    assert_int_equal(stat(side, &status), -1);
}

/* Who may write in the directory could otherwise have any file opened for writing. */
static void a_link_in_the_place_of_the_lock_is_not_followed(void **state)
{
    CLEANUP_BUFFER struct buffer error = BUFFER_INIT(2 * PATH_MAX);
    const struct registry *registry = *state;
    char side[PATH_MAX + 8];

    (void)registry_file(registry, "registry", "any file");
    (void)registry_file(registry, "precious", "");
    (void)snprintf(side, sizeof(side), "%s-lock", registry->path);
    assert_int_equal(symlink("precious", side), 0);
    assert_refused(lock_open(registry->path, &error), "ELOOP");
    assert_holds(buffer_text(&error), side);
}

static void the_lock_file_is_one_and_stays(void **state)
{
    struct stat first;
    struct stat second;
    int fd = lock_file(state);

    assert_int_equal(fstat(fd, &first), 0);
    (void)close(fd);
    fd = lock_file(state);
    assert_int_equal(fstat(fd, &second), 0);
    assert_true(first.st_ino == second.st_ino); /* another file would be another queue */
    (void)close(fd);
}

static void a_mark_is_seen_by_others_and_not_by_its_maker(void **state)
{
    int mine = lock_file(state);
    int other = lock_file(state);

    assert_false(lock_is_mounted_elsewhere(mine, 1));
    assert_done(lock_mark_mounted(mine, 1));
    assert_false(lock_is_mounted_elsewhere(mine, 1));
    assert_true(lock_is_mounted_elsewhere(other, 1));
    assert_false(lock_is_mounted_elsewhere(other, 2));
    assert_done(lock_mark_mounted(other, 1)); /* an account can be mounted twice */
    assert_true(lock_is_mounted_elsewhere(mine, 1));
    (void)close(mine);
    assert_false(lock_is_mounted_elsewhere(other, 1));
    (void)close(other);
}

static void a_mark_goes_with_its_process(void **state)
{
    int fd = lock_file(state);
    int ready[2];
    char byte = 0;

    assert_int_equal(pipe(ready), 0);
    pid_t child = fork_helper();
    if (child == 0) {
        int own = lock_file(state);
        if (lock_mark_mounted(own, 1) < 0 || write(ready[1], "x", 1) != 1)
            _exit(1);
        for (;;)
            (void)pause();
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_true(lock_is_mounted_elsewhere(fd, 1));
    end_holder(child);
    assert_false(lock_is_mounted_elsewhere(fd, 1));
    (void)close(ready[0]);
    (void)close(ready[1]);
    (void)close(fd);
}

static void a_mark_keeps_nobody_from_writing(void **state)
{
    int mine = lock_file(state);
    int other = lock_file(state);

    assert_done(lock_mark_mounted(mine, 1));
    assert_done(lock_acquire(other, 1, NULL, NULL));
    assert_true(lock_is_mounted_elsewhere(other, 1));
    (void)close(mine);
    (void)close(other);
}

#define LOCK_TEST(name) cmocka_unit_test_setup_teardown(name, directory_setup, directory_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LOCK_TEST(a_free_lock_is_taken_at_once_and_again_after_its_release),
        LOCK_TEST(who_waits_gets_the_lock_when_it_is_released),
        LOCK_TEST(a_wait_ends_when_its_time_is_up),
        LOCK_TEST(no_time_to_wait_is_an_answer_at_once),
        LOCK_TEST(a_wait_that_nobody_wants_any_more_is_given_up),
        LOCK_TEST(who_is_killed_holds_the_lock_no_more),
        LOCK_TEST(many_processes_that_queue_all_get_it_one_at_a_time),
        LOCK_TEST(the_lock_of_a_registry_that_is_missing_is_not_made),
        LOCK_TEST(a_link_in_the_place_of_the_lock_is_not_followed),
        LOCK_TEST(the_lock_file_is_one_and_stays),
        LOCK_TEST(a_mark_is_seen_by_others_and_not_by_its_maker),
        LOCK_TEST(a_mark_goes_with_its_process),
        LOCK_TEST(a_mark_keeps_nobody_from_writing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
