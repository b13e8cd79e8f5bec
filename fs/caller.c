/* Who made a request: see the header. */
#include "fs/caller.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>

/* What audit writes where no login session is known. */
#define LOGIN_UNSET 4294967295UL

/* Reads a short file of /proc/THREAD. Returns its length, 0 where it cannot be read. */
static size_t read_proc(pid_t thread, const char *name, char *out, size_t size)
{
    char path[64];

    (void)snprintf(path, sizeof(path), "/proc/%d/%s", thread, name);
    CLEANUP_CLOSE int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd < 0 ? -1 : read(fd, out, size - 1);
    if (length < 0)
        length = 0;
    out[length] = '\0';
    return (size_t)length;
}

/* The kernel names the thread; what people know as a process is its thread group. */
static pid_t thread_group(pid_t thread)
{
    char status[1024];

    /* Nothing is sent. Most threads that ask are their group's first, which has its number; the
     * kernel takes ten times as long to write the file that tells of the others. */
    if (tgkill(thread, thread, 0) == 0 || errno != ESRCH)
        return thread;
    if (read_proc(thread, "status", status, sizeof(status)) == 0)
        return thread;
    const char *line = strstr(status, "\nTgid:");
    long group = line ? strtol(line + 6, NULL, 10) : 0;
    return group > 0 ? (pid_t)group : thread;
}

static void read_executable(pid_t thread, char *out, size_t size)
{
    char path[64];

    (void)snprintf(path, sizeof(path), "/proc/%d/exe", thread);
    ssize_t length = readlink(path, out, size - 1);
    if (length > 0) {
        out[length] = '\0';
        return;
    }
    out[read_proc(thread, "comm", out, size)] = '\0';
    out[strcspn(out, "\n")] = '\0';
}

void caller_read(fuse_req_t request, struct caller *out)
{
    const struct fuse_ctx *context = fuse_req_ctx(request);
    char login[32];

    memset(out, 0, sizeof(*out));
    out->uid = context->uid;
    if (context->pid <= 0) /* from outside our process namespace */
        return;
    out->process = thread_group(context->pid);
    read_executable(context->pid, out->executable, sizeof(out->executable));
    if (read_proc(context->pid, "loginuid", login, sizeof(login)) > 0) {
        errno = 0;
        unsigned long user = strtoul(login, NULL, 10);
        if (errno == 0 && user < LOGIN_UNSET) {
            out->has_login = true;
            out->login = (uid_t)user;
        }
    }
}
