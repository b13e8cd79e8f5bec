/*
 * What tests/faults/sweep and the library inject.so share: a page in a file that both map. The layout is
 * known to control.py, too.
 *
 * Calls are counted by group while `armed` is set. The one that brings the count of `group` to `nth`
 * fails with `fault`, and no other does.
 */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

enum inject_group {
    INJECT_NONE,
    INJECT_OPEN,
    INJECT_READ, /* files, pipes, eventfds; not /dev/fuse */
    INJECT_WRITE,
    INJECT_SYNC,
    INJECT_TRUNCATE,
    INJECT_STAT,
    INJECT_MMAP,
    INJECT_LOCK, /* flock, and fcntl as far as it locks */
    INJECT_UNLINK,
    INJECT_RENAME,
    INJECT_ACCESS,
    INJECT_CLOSE,      /* the descriptor is closed, and then the call fails */
    INJECT_DESCRIPTOR, /* pipe2, eventfd2, signalfd4, epoll_create1, dup2 and the like */
    INJECT_FILE,       /* all else about files: modes, owners, links, directories read */
    INJECT_CONNECT,    /* socket, connect, and what is set and asked of sockets */
    INJECT_SEND,
    INJECT_RECEIVE,
    INJECT_POLL,
    INJECT_FUSE_READ, /* of /dev/fuse: the kernel ends a request that it cannot hand over with EIO */
    INJECT_FUSE_WRITE, /* to /dev/fuse: it does so for a reply that it cannot take */
    INJECT_MOUNT,      /* mount, umount2 */
    INJECT_ALLOC,
    INJECT_THREAD, /* pthread_create, fork */
    INJECT_STEP,   /* sqlite3_step; the fault is a result code */
    INJECT_PREPARE,
    INJECT_BIND,
    INJECT_EXEC, /* sqlite3_exec */
    INJECT_GROUPS,
};

/* Instead of an errno: half of what was asked for is read or written. */
#define INJECT_SHORT (-1)

struct inject_control {
    atomic_uint armed;
    uint32_t group;
    uint32_t nth;
    int32_t fault;
    atomic_uint fired;
    uint32_t call;  /* the number of the system call that failed, or 0 */
    uint64_t place; /* where the failing call was made from, as far as that is cheap to know */
    atomic_uint counts[INJECT_GROUPS];
};
