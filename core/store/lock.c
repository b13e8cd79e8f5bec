/* The lock that writers queue on: see the header. */
#include "core/store/lock.h"

#include "core/base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>

/* flock() cannot wait for a limited time, so a timer interrupts the waiting thread with this
 * signal. Seldom: who is interrupted goes to the end of the queue. */
#define WAKE_SIGNAL (SIGRTMIN + 4)
#define WAKE_MS 800

/* What the lock of a store of MODE may be: whoever may write the store may queue, and nobody else,
 * for who can open the lock can hold it. */
static mode_t lock_mode(mode_t mode)
{
    return 0600 | (mode & 0222) | (mode & 0222) << 1;
}

/* Makes the lock SIDE of a store that looks like STORE, whatever the umask. Returns a descriptor,
 * -EEXIST, or another negative errno. */
static int make(const char *side, const struct stat *store)
{
    int fd = open(side, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0)
        return -errno;
    if ((fchown(fd, store->st_uid, store->st_gid) < 0 && errno != EPERM) ||
        fchmod(fd, lock_mode(store->st_mode)) < 0) {
        int result = -errno;
        (void)close(fd);
        return result;
    }
    return fd;
}

/* The lock that is there. One that was made when more could open it is taken from them. */
static int take(const char *side, const struct stat *store)
{
    struct stat status;
    int fd = open(side, O_RDWR | O_CLOEXEC | O_NOFOLLOW);

    if (fd < 0)
        return -errno;
    if (fstat(fd, &status) == 0 && status.st_uid == geteuid() &&
        (status.st_mode & 0777 & ~lock_mode(store->st_mode)) != 0)
        (void)fchmod(fd, status.st_mode & lock_mode(store->st_mode));
    return fd;
}

int lock_open(const char *path, struct buffer *error)
{
    CLEANUP_BUFFER struct buffer side = BUFFER_INIT(1 << 16);
    struct stat status;

    buffer_printf(&side, "%s-lock", path);
    if (buffer_failed(&side))
        return -ENOMEM;
    if (stat(path, &status) < 0) {
        int result = -errno;
        buffer_printf(error, "%s: %s", path, strerror(-result));
        return result;
    }
    int fd = take(buffer_text(&side), &status);
    if (fd == -ENOENT)
        fd = make(buffer_text(&side), &status);
    if (fd == -EEXIST) /* somebody was faster */
        fd = take(buffer_text(&side), &status);
    if (fd < 0)
        buffer_printf(error, "%s: %s", buffer_text(&side), strerror(-fd));
    return fd;
}

static void on_wake(int signal_number)
{
    (void)signal_number;
}

/* Waits in the queue, woken now and then to look at the time. */
static int wait_in_queue(int fd, int wait_ms, bool (*give_up)(void *context), void *context)
{
    int64_t deadline = clock_now_ms() + wait_ms;

    while (flock(fd, LOCK_EX) < 0) {
        if (errno != EINTR)
            return -errno;
        if (give_up && give_up(context))
            return -EINTR;
        if (clock_now_ms() >= deadline)
            return -ETIMEDOUT;
    }
    return 0;
}

int lock_acquire(int fd, int wait_ms, bool (*give_up)(void *context), void *context)
{
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        return 0;
    if (errno != EWOULDBLOCK && errno != EINTR)
        return -errno;
    if (wait_ms <= 0) /* a timer of 0 would never ring */
        return -ETIMEDOUT;

    struct sigaction action = {.sa_handler = on_wake};
    struct sigevent event = {.sigev_notify = SIGEV_THREAD_ID, .sigev_signo = WAKE_SIGNAL};
    int first_ms = wait_ms < WAKE_MS ? wait_ms : WAKE_MS;
    struct itimerspec period = {
        .it_value = {.tv_nsec = (long)first_ms * 1000000L},
        .it_interval = {.tv_nsec = WAKE_MS * 1000000L},
    };
    timer_t timer;

    event._sigev_un._tid = gettid();
    if (sigaction(WAKE_SIGNAL, &action, NULL) < 0 || timer_create(CLOCK_MONOTONIC, &event, &timer))
        return -errno;
    int result = timer_settime(timer, 0, &period, NULL) < 0
                     ? -errno
                     : wait_in_queue(fd, wait_ms, give_up, context);
    (void)timer_delete(timer);
    return result;
}

void lock_release(int fd)
{
    (void)flock(fd, LOCK_UN);
}

bool lock_is_awaited(int fd)
{
    CLEANUP_FCLOSE FILE *file = fopen("/proc/locks", "re");
    char line[256];
    struct stat status;

    if (!file || fstat(fd, &status) < 0)
        return true;
    /* "1: -> FLOCK  ADVISORY  WRITE 4711 fd:00:131 0 EOF" is one who waits. */
    while (fgets(line, sizeof(line), file)) {
        unsigned device_major = 0;
        unsigned device_minor = 0;
        unsigned long inode = 0;
        if (sscanf(line, "%*s -> FLOCK %*s %*s %*s %x:%x:%lu", &device_major, &device_minor,
                   &inode) == 3 &&
            inode == status.st_ino && makedev(device_major, device_minor) == status.st_dev)
            return true;
    }
    return false;
}

/* Open-file-description locks are apart from the flock of the same file, and go with the
 * descriptor, so that a killed daemon leaves no mark. */
static int byte_lock(int fd, int command, short type, int64_t account, struct flock *lock)
{
    *lock =
        (struct flock){.l_type = type, .l_whence = SEEK_SET, .l_start = (off_t)account, .l_len = 1};
    return fcntl(fd, command, lock) < 0 ? -errno : 0;
}

int lock_mark_mounted(int fd, int64_t account)
{
    struct flock lock;

    return byte_lock(fd, F_OFD_SETLK, F_RDLCK, account, &lock);
}

int lock_mark_alone(int fd)
{
    struct flock lock;
    int result = byte_lock(fd, F_OFD_SETLK, F_WRLCK, 0, &lock); /* no account has row 0 */

    return result == -EACCES ? -EAGAIN : result;
}

bool lock_is_mounted_elsewhere(int fd, int64_t account)
{
    struct flock lock;

    /* Asks whether we could have it alone; our own mark does not stand in the way. */
    return byte_lock(fd, F_OFD_GETLK, F_WRLCK, account, &lock) < 0 || lock.l_type != F_UNLCK;
}
