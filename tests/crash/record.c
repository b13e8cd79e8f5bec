/*
 * Records what a program does to the files of one directory, in the order in which it does it: a
 * library for LD_PRELOAD. From the record power.py builds what a disk may hold after a loss of power.
 *
 * CRASH_RECORD_DIR  the directory, absolute and without links; files are named as below it
 * CRASH_RECORD_LOG  where the record is appended; several processes share one
 *
 * A call is recorded when it has returned, before the program hears of it: so what the program does
 * next, and what anybody does whom it answers, comes later in the record. An fsync is recorded twice,
 * when it begins and when it has ended: what was recorded before it began is on the disk once it has
 * ended. What is written through a mapping (SQLite's -shm) is not recorded.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

/* What was done: the first byte of a record. */
enum kind {
    KIND_DIRECTORY = 'D', /* FILE is the directory of this name */
    KIND_NEW = 'N',       /* FILE is a new file without a name */
    KIND_CREATE = 'C',    /* FILE has this name; if it is not known by it, it is new */
    KIND_LINK = 'L',      /* FILE gets this name besides */
    KIND_RENAME = 'R',    /* the old name, a NUL, the new one */
    KIND_UNLINK = 'U',    /* the name goes */
    KIND_WRITE = 'W',     /* these bytes, at OFFSET */
    KIND_TRUNCATE = 'T',  /* the size is OFFSET */
    KIND_SYNC = 'S',      /* an fsync of FILE begins; OFFSET tells it from others */
    KIND_SYNCED = 'F',    /* that fsync has ended well */
};

struct record {
    uint8_t kind;
    uint8_t unused[3];
    uint32_t size; /* of what follows */
    uint64_t file; /* its inode */
    int64_t offset;
};

#define FILES_MAX 4096

static int log_fd = -1;
static const char *directory;
static size_t directory_length;
static atomic_ullong
    files[FILES_MAX]; /* by descriptor: the inode, 0 for what does not concern us */
static atomic_uint syncs;

/* The next definition of a function, which is the C library's. ISO C has no way from an object
 * pointer to a function pointer but through memory. */
#define NEXT(function)                                                                             \
    static __typeof__(&(function)) next;                                                           \
    if (!next) {                                                                                   \
        void *found = dlsym(RTLD_NEXT, #function);                                                 \
        memcpy(&next, &found, sizeof(next));                                                       \
    }

/* A record that is not whole would make all that follows unreadable, and the test wrong. */
static void give_up(const char *why)
{
    (void)fprintf(stderr, "record: %s: %s\n", why, strerror(errno));
    abort();
}

static void put(enum kind kind, uint64_t file, int64_t offset, const void *data, size_t size)
{
    struct record record = {
        .kind = (uint8_t)kind, .size = (uint32_t)size, .file = file, .offset = offset};
    union {
        const void *read;
        void *any;
    } bytes = {.read = data};
    struct iovec parts[] = {{&record, sizeof(record)}, {bytes.any, size}};
    int before = errno;

    if (writev(log_fd, parts, 2) != (ssize_t)(sizeof(record) + size))
        give_up("the record");
    errno = before;
}

static void put_name(enum kind kind, uint64_t file, const char *name)
{
    put(kind, file, 0, name, strlen(name));
}

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("CRASH_RECORD_LOG");

    directory = getenv("CRASH_RECORD_DIR");
    if (!path || !directory)
        return;
    directory_length = strlen(directory);
    int fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
    if (fd < 0)
        give_up(path);
    log_fd = fd;
}

/* What PATH is called below the directory ("" for itself), or NULL where it is elsewhere. */
static const char *name_of(const char *path)
{
    if (log_fd < 0 || strncmp(path, directory, directory_length) != 0)
        return NULL;
    path += directory_length;
    return *path == '/' ? path + 1 : *path == '\0' ? path : NULL;
}

static uint64_t file_of(int fd)
{
    return fd >= 0 && fd < FILES_MAX ? atomic_load(&files[fd]) : 0;
}

/* FD was opened with FLAGS. */
static int opened(int fd, int flags)
{
    char link[64];
    char path[PATH_MAX];
    struct stat status;

    if (log_fd < 0 || fd < 0 || fd >= FILES_MAX)
        return fd;
    atomic_store(&files[fd], 0);
    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof(path) - 1);
    if (length < 0 || fstat(fd, &status) < 0)
        return fd;
    path[length] = '\0';
    const char *name = name_of(path);
    if (!name)
        return fd;
    if (S_ISDIR(status.st_mode))
        put_name(KIND_DIRECTORY, status.st_ino, name);
    else if ((flags & O_TMPFILE) == O_TMPFILE)
        put_name(KIND_NEW, status.st_ino, "");
    else if (flags & O_CREAT)
        put_name(KIND_CREATE, status.st_ino, name);
    else if (!S_ISREG(status.st_mode))
        return fd;
    if (flags & O_TRUNC)
        put(KIND_TRUNCATE, status.st_ino, 0, "", 0);
    atomic_store(&files[fd], status.st_ino);
    return fd;
}

/* The mode that open(2) takes after FLAGS, if it does. */
#define TAKE_MODE(flags, mode)                                                                     \
    do {                                                                                           \
        if ((flags) & (O_CREAT | O_TMPFILE)) {                                                     \
            va_list arguments;                                                                     \
            va_start(arguments, flags);                                                            \
            (mode) = va_arg(arguments, mode_t);                                                    \
            va_end(arguments);                                                                     \
        }                                                                                          \
    } while (0)

int open(const char *path, int flags, ...)
{
    mode_t mode = 0;

    NEXT(open)
    TAKE_MODE(flags, mode);
    return opened(next(path, flags, mode), flags);
}

int open64(const char *path, int flags, ...)
{
    mode_t mode = 0;

    NEXT(open64)
    TAKE_MODE(flags, mode);
    return opened(next(path, flags, mode), flags);
}

/* What _FORTIFY_SOURCE makes of an open without a mode. */
int __open_2(const char *path, int flags);
int __open_2(const char *path, int flags)
{
    return open(path, flags);
}

int __open64_2(const char *path, int flags);
int __open64_2(const char *path, int flags)
{
    return open(path, flags);
}

int close(int fd)
{
    NEXT(close)
    if (fd >= 0 && fd < FILES_MAX)
        atomic_store(&files[fd], 0);
    return next(fd);
}

static void wrote(int fd, const void *data, ssize_t size, off_t offset)
{
    uint64_t file = file_of(fd);

    if (file && size > 0)
        put(KIND_WRITE, file, offset, data, (size_t)size);
}

ssize_t write(int fd, const void *data, size_t size)
{
    off_t at = file_of(fd) ? lseek(fd, 0, SEEK_CUR) : 0;

    NEXT(write)
    ssize_t count = next(fd, data, size);
    wrote(fd, data, count, at);
    return count;
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset)
{
    NEXT(pwrite)
    ssize_t count = next(fd, data, size, offset);
    wrote(fd, data, count, offset);
    return count;
}

ssize_t pwrite64(int fd, const void *data, size_t size, off64_t offset)
{
    return pwrite(fd, data, size, offset);
}

int ftruncate(int fd, off_t size)
{
    NEXT(ftruncate)
    int result = next(fd, size);
    if (result == 0 && file_of(fd))
        put(KIND_TRUNCATE, file_of(fd), size, "", 0);
    return result;
}

int ftruncate64(int fd, off64_t size)
{
    return ftruncate(fd, size);
}

static int64_t sync_begins(int fd)
{
    int64_t number = ((int64_t)getpid() << 32) + (int64_t)atomic_fetch_add(&syncs, 1);

    if (file_of(fd))
        put(KIND_SYNC, file_of(fd), number, "", 0);
    return number;
}

static int sync_ends(int fd, int64_t number, int result)
{
    if (file_of(fd) && result == 0)
        put(KIND_SYNCED, file_of(fd), number, "", 0);
    return result;
}

int fsync(int fd)
{
    int64_t number = sync_begins(fd);

    NEXT(fsync)
    return sync_ends(fd, number, next(fd));
}

int fdatasync(int fd)
{
    int64_t number = sync_begins(fd);

    NEXT(fdatasync)
    return sync_ends(fd, number, next(fd));
}

static void renamed(const char *from, const char *to)
{
    char names[2 * PATH_MAX];
    const char *from_name = name_of(from);
    const char *to_name = name_of(to);

    if (!from_name || !to_name)
        return;
    int length = snprintf(names, sizeof(names), "%s%c%s", from_name, '\0', to_name);
    put(KIND_RENAME, 0, 0, names, (size_t)length);
}

int rename(const char *from, const char *to)
{
    NEXT(rename)
    int result = next(from, to);
    if (result == 0)
        renamed(from, to);
    return result;
}

int renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned flags)
{
    NEXT(renameat2)
    int result = next(from_fd, from, to_fd, to, flags);
    if (result == 0)
        renamed(from, to);
    return result;
}

int linkat(int from_fd, const char *from, int to_fd, const char *to, int flags)
{
    struct stat status;

    NEXT(linkat)
    int result = next(from_fd, from, to_fd, to, flags);
    if (result == 0 && name_of(to) && lstat(to, &status) == 0)
        put_name(KIND_LINK, status.st_ino, name_of(to));
    return result;
}

int unlink(const char *path)
{
    NEXT(unlink)
    int result = next(path);
    if (result == 0 && name_of(path))
        put_name(KIND_UNLINK, 0, name_of(path));
    return result;
}

int mkdir(const char *path, mode_t mode)
{
    struct stat status;

    NEXT(mkdir)
    int result = next(path, mode);
    if (result == 0 && name_of(path) && lstat(path, &status) == 0)
        put_name(KIND_DIRECTORY, status.st_ino, name_of(path));
    return result;
}
