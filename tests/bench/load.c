/*
 * The calls that the benchmark times.
 *
 * usage: load [-s] CALL PROCESSES FILE    CALL (stat, missing, mkdir, create, unlink, read, list) for each
 *                                         path that FILE has, one a line. Each process does them all,
 *                                         each beginning elsewhere; with -s each does a slice of its own
 *        load run COMMAND [ARG]...        COMMAND, with its output thrown away; prints also the most
 *                                         memory that it had, in KiB
 *        load fsync FILE COUNT            appends 4 KiB to FILE and has it on the disk, COUNT times
 *
 * The processes begin together. Prints the nanoseconds from then until the last one is done. A call
 * that did not come out as it should is an error, and no time is printed.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* One byte through this pipe, or its end, lets the processes begin. */
struct gate {
    int ready[2];
    int begin[2];
};

struct work {
    int (*call)(const char *path);
    char **paths;
    size_t count;
    size_t processes;
    bool sliced;
};

static int64_t now_ns(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static int fail(const char *what)
{
    (void)fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
    return 1;
}

static int call_stat(const char *path)
{
    struct stat status;

    return lstat(path, &status);
}

/* Success is that there is no such name. */
static int call_missing(const char *path)
{
    struct stat status;

    if (lstat(path, &status) == 0) {
        errno = EEXIST;
        return -1;
    }
    return errno == ENOENT ? 0 : -1;
}

static int call_mkdir(const char *path)
{
    return mkdir(path, 0755);
}

static int call_create(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT, 0644);

    return fd < 0 ? -1 : close(fd);
}

static int call_read(const char *path)
{
    char text[65536];
    ssize_t length = 0;
    int fd = open(path, O_RDONLY);

    if (fd < 0)
        return -1;
    while ((length = read(fd, text, sizeof(text))) > 0)
        continue;
    (void)close(fd);
    return length < 0 ? -1 : 0;
}

static int call_list(const char *path)
{
    DIR *directory = opendir(path);

    if (!directory)
        return -1;
    errno = 0;
    while (readdir(directory))
        continue;
    int failed = errno;
    (void)closedir(directory);
    errno = failed;
    return failed ? -1 : 0;
}

static const struct {
    const char *name;
    int (*call)(const char *path);
} calls[] = {
    {"stat", call_stat}, {"missing", call_missing}, {"mkdir", call_mkdir}, {"create", call_create},
    {"unlink", unlink},  {"read", call_read},       {"list", call_list},
};

/* The lines of FILE, never freed: the program ends soon. */
static int read_paths(const char *file, struct work *work)
{
    FILE *in = fopen(file, "re");
    char *line = NULL;
    size_t size = 0;
    size_t room = 0;
    ssize_t length = 0;

    if (!in)
        return fail(file);
    while ((length = getline(&line, &size, in)) > 0) {
        if (line[length - 1] == '\n')
            line[length - 1] = '\0';
        if (work->count == room) {
            room = room ? room * 2 : 1024;
            work->paths = realloc(work->paths, room * sizeof(*work->paths));
        }
        if (!work->paths || !(work->paths[work->count++] = strdup(line)))
            return fail(file);
    }
    free(line);
    (void)fclose(in);
    return 0;
}

/* What process NUMBER does, once the gate opens. */
static int do_work(const struct work *work, size_t number)
{
    size_t begin = work->count * number / work->processes;
    size_t end = work->sliced ? work->count * (number + 1) / work->processes : begin + work->count;

    for (size_t i = begin; i < end; i++) {
        const char *path = work->paths[i % work->count];
        if (work->call(path) < 0)
            return fail(path);
    }
    return 0;
}

static _Noreturn void child(const struct work *work, const struct gate *gate, size_t number,
                            int64_t *ended_ns)
{
    char byte = 0;

    (void)close(gate->begin[1]);
    if (write(gate->ready[1], &byte, 1) != 1 || read(gate->begin[0], &byte, 1) < 0)
        _exit(1);
    int status = do_work(work, number);
    ended_ns[number] = now_ns();
    _exit(status);
}

static int run_processes(const struct work *work)
{
    struct gate gate;
    char byte = 0;
    int status = 0;
    int failed = 0;
    int64_t *ended_ns = mmap(NULL, work->processes * sizeof(*ended_ns), PROT_READ | PROT_WRITE,
                             MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    if (ended_ns == MAP_FAILED || pipe(gate.ready) < 0 || pipe(gate.begin) < 0)
        return fail("pipe");
    for (size_t i = 0; i < work->processes; i++) {
        pid_t pid = fork();
        if (pid < 0)
            return fail("fork"); /* the children that there are see the pipe's end, and go */
        if (pid == 0)
            child(work, &gate, i, ended_ns);
    }
    (void)close(gate.ready[1]);
    for (size_t i = 0; i < work->processes; i++)
        if (read(gate.ready[0], &byte, 1) != 1)
            return fail("a process that did not begin");
    int64_t begun_ns = now_ns();
    (void)close(gate.begin[1]);
    while (wait(&status) > 0)
        failed |= status;
    if (failed)
        return 1;
    int64_t last_ns = begun_ns;
    for (size_t i = 0; i < work->processes; i++)
        if (ended_ns[i] > last_ns)
            last_ns = ended_ns[i];
    return printf("%lld\n", (long long)(last_ns - begun_ns)) < 0;
}

static int run_command(char **command)
{
    int64_t begun_ns = now_ns();
    struct rusage usage;
    pid_t pid = fork();
    int status = 0;

    if (pid == 0) {
        int null = open("/dev/null", O_WRONLY);
        (void)dup2(null, STDOUT_FILENO);
        (void)execvp(command[0], command);
        _exit(127);
    }
    if (pid < 0 || wait4(pid, &status, 0, &usage) < 0)
        return fail(command[0]);
    int64_t ended_ns = now_ns();
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        (void)fprintf(stderr, "load: %s: exit status %d\n", command[0], WEXITSTATUS(status));
        return 1;
    }
    return printf("%lld %ld\n", (long long)(ended_ns - begun_ns), usage.ru_maxrss) < 0;
}

static int run_fsync(const char *path, long count)
{
    static const char page[4096];
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);

    if (fd < 0)
        return fail(path);
    int64_t begun_ns = now_ns();
    for (long i = 0; i < count; i++)
        if (write(fd, page, sizeof(page)) != (ssize_t)sizeof(page) || fdatasync(fd) < 0)
            return fail(path);
    return printf("%lld\n", (long long)(now_ns() - begun_ns)) < 0;
}

int main(int argc, char **argv)
{
    struct work work = {.sliced = argc > 1 && strcmp(argv[1], "-s") == 0};
    char **words = argv + (work.sliced ? 2 : 1);
    int count = argc - (work.sliced ? 2 : 1);

    if (count >= 2 && strcmp(words[0], "run") == 0)
        return run_command(words + 1);
    if (count == 3 && strcmp(words[0], "fsync") == 0)
        return run_fsync(words[1], strtol(words[2], NULL, 10));
    for (size_t i = 0; count == 3 && i < sizeof(calls) / sizeof(calls[0]); i++) {
        work.processes = strtoul(words[1], NULL, 10);
        if (strcmp(calls[i].name, words[0]) != 0 || work.processes == 0)
            continue;
        work.call = calls[i].call;
        return read_paths(words[2], &work) || run_processes(&work);
    }
    (void)fprintf(stderr,
                  "usage: load [-s] CALL PROCESSES FILE | run COMMAND | fsync FILE COUNT\n");
    return 2;
}
