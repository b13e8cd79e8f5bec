/*
 * What tests/faults/sweep and the library inject.so share: a page in a file that both map. The layout is
 * known to control.py, too.
 *
 * Two calls of a group that are made by the same path are made at the same place. A path is the nearest
 * `near` frames of the stack, and all others of the program itself, each taken once. While `armed` is set and `group` is INJECT_NONE calls are counted by place; else
 * the one that is the `nth` of `group` and `path` fails with `fault`, and no other does.
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

/* The longest path, and the most places: a power of two, well above what there are. */
#define INJECT_FRAMES 96
#define INJECT_PLACES (1u << 16)

struct inject_place {
    _Atomic uint64_t path; /* 0: free */
    atomic_uint group;
    atomic_uint calls;
};

struct inject_frame {
    uint64_t offset;
    char module[88]; /* its path; that of the program is empty */
};

struct inject_control {
    atomic_uint armed;
    uint32_t group;
    uint64_t path; /* 0: any */
    uint32_t near;
    uint32_t nth;
    int32_t fault;
    atomic_uint met; /* calls of the group and path so far */
    atomic_uint fired;
    uint32_t call;   /* the number of the system call that failed, or 0 */
    uint32_t length; /* of the path of the call that failed */
    struct inject_frame frames[INJECT_FRAMES];
    atomic_uint overflow; /* there are more places than have room */
    struct inject_place places[INJECT_PLACES];
};
