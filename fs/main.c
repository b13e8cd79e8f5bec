/*
 * imgsharefs: mounts a registry of VM images.
 *
 * In the background the work is done by a child that is forked before anything is opened: threads,
 * the store and the mount are all its own. The parent waits until the mount can be used, and says
 * by its exit status whether it can.
 */
#include "core/rules/refusal.h"
#include "fs/log.h"
#include "fs/mountpoint.h"
#include "fs/options.h"
#include "fs/session.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <syslog.h>

/* It fails only where a signal comes or another thread opens a file just then. */
#define DUP_TRIES 10

/* The child's way to tell its parent: one byte once the mount can be used. */
struct readiness {
    int fd; /* -1 in the foreground */
    const char *mountpoint;
};

/* Leaves the terminal, apart from NULL_FD in the place of stderr: what fails up to the word to the
 * parent can still be said there. */
static int detach(int null_fd)
{
    if (dup2(null_fd, STDIN_FILENO) < 0 || dup2(null_fd, STDOUT_FILENO) < 0)
        return -errno;
    /* Not before it is mounted: a mount point of automount(8) or of a .automount unit lets the
     * process group of who mounts pass, and makes all others wait until something is mounted. */
    return setsid() < 0 ? -errno : 0;
}

/* A parent that was interrupted is gone: then nobody wants the mount. */
static int tell_parent(int fd)
{
    ssize_t length = 0;

    do
        length = write(fd, "R", 1);
    while (length < 0 && errno == EINTR);
    return length == 1 ? 0 : -errno;
}

static int tell_ready(void *context)
{
    struct readiness *readiness = context;

    if (readiness->fd < 0)
        return 0;
    CLEANUP_CLOSE int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    int result = null_fd < 0 ? -errno : detach(null_fd);
    if (result == 0)
        result = tell_parent(readiness->fd);
    (void)close(readiness->fd);
    readiness->fd = -1;
    if (result < 0)
        return result;
    /* Errors after this go to syslog. The mount is promised by now, and stands without this. */
    log_to_syslog(readiness->mountpoint);
    for (int tries = 0; tries < DUP_TRIES && dup2(null_fd, STDERR_FILENO) < 0; tries++)
        log_write(LOG_WARNING, "standard error stays open: %s", strerror(errno));
    return 0;
}

static int run(const struct options *options, struct readiness *readiness)
{
    CLEANUP_BUFFER struct buffer error = BUFFER_INIT(8192);
    bool busy = false;
    int result = mountpoint_check(options->mountpoint, &error);

    if (result == 0)
        result = session_run(options, tell_ready, readiness, &error, &busy);
    if (result < 0)
        log_write(LOG_ERR, "%s", error.length ? buffer_text(&error) : refusal_sentence(result));
    if (busy)
        _exit(result < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
    return result < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* Waits for the child's word, or its end. */
static int wait_for_child(pid_t child, int fd)
{
    char word = 0;
    int status = 0;
    ssize_t length = 0;

    do
        length = read(fd, &word, 1);
    while (length < 0 && errno == EINTR);
    if (length == 1)
        return EXIT_SUCCESS;
    if (length < 0) { /* whether it can be used will never be known */
        log_write(LOG_ERR, "pipe: %s", strerror(errno));
        (void)kill(child, SIGTERM);
    }
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return EXIT_FAILURE;
    if (WIFSIGNALED(status))
        log_write(LOG_ERR, "the daemon was ended by signal %d before the mount could be used",
                  WTERMSIG(status));
    /* A child that ended well without a word has served nothing: that is no success. */
    return WIFEXITED(status) && WEXITSTATUS(status) ? WEXITSTATUS(status) : EXIT_FAILURE;
}

static int run_in_background(const struct options *options)
{
    int fds[2] = {-1, -1};

    /* A pipe of whoever called us would stay open as long as the mount, and its reader wait. */
    if (close_range(STDERR_FILENO + 1, UINT_MAX, 0) < 0 || pipe2(fds, O_CLOEXEC) < 0) {
        log_write(LOG_ERR, "pipe: %s", strerror(errno));
        return EXIT_FAILURE;
    }
    pid_t child = fork();
    if (child < 0) {
        log_write(LOG_ERR, "fork: %s", strerror(errno));
        return EXIT_FAILURE;
    }
    if (child > 0) {
        (void)close(fds[1]);
        return wait_for_child(child, fds[0]);
    }
    struct readiness readiness = {.fd = fds[1], .mountpoint = options->mountpoint};
    (void)close(fds[0]);
    if (chdir("/") < 0) {
        log_write(LOG_ERR, "/: %s", strerror(errno));
        return EXIT_FAILURE;
    }
    return run(options, &readiness);
}

/* What can be known without opening the source, which may be a network away. */
static int check(const struct options *options)
{
    CLEANUP_BUFFER struct buffer error = BUFFER_INIT(8192);
    int result = mountpoint_check(options->mountpoint, &error);

    if (result == 0 && !options->is_cloud && access(options->source, R_OK) < 0) {
        result = -errno;
        buffer_printf(&error, "%s: %s", options->source, strerror(-result));
    }
    if (result < 0)
        log_write(LOG_ERR, "%s", buffer_text(&error));
    return result < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* No core file, and no look into the memory by another process of this user: a token goes through
 * memory of libcurl's. Before the fork, since the parent waits with keys in its environment. */
static int keep_private(const struct options *options)
{
    if (!options->is_cloud || prctl(PR_SET_DUMPABLE, 0L, 0L, 0L, 0L) == 0)
        return 0;
    log_write(LOG_ERR, "prctl: %s", strerror(errno));
    return -errno;
}

static int print(const char *text)
{
    if (fputs(text, stdout) >= 0 && fflush(stdout) == 0)
        return EXIT_SUCCESS;
    log_write(LOG_ERR, "standard output: %s", strerror(errno));
    return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    CLEANUP_BUFFER struct buffer error = BUFFER_INIT(4096);
    struct options options = {0};
    int status = EXIT_SUCCESS;

    log_open();
    if (options_read(argc, argv, &options, &error) < 0) {
        log_write(LOG_ERR, "%s", error.length ? buffer_text(&error) : "out of memory");
        return 2;
    }
    log_set_level(options.log_level);
    struct readiness readiness = {.fd = -1};
    if (options.help)
        status = print(options_help());
    else if (options.version)
        status = print("imgsharefs " IMGSHAREFS_VERSION "\n");
    else if (options.check)
        status = check(&options);
    else if (keep_private(&options) < 0)
        status = EXIT_FAILURE;
    else if (options.foreground)
        status = run(&options, &readiness);
    else
        status = run_in_background(&options);
    options_dispose(&options);
    return status;
}
