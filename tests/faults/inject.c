/*
 * inject.so, for LD_PRELOAD: lets one call of a program fail. inject.h has how it is told which.
 *
 * Allocations, threads and SQLite's calls are interposed. System calls are not: half of them are made
 * inside libc, by stdio and the resolver. From main() on a seccomp filter raises SIGSYS at each one that
 * can be made to fail, and the handler makes it, from the only place that the filter lets pass, or does
 * not. So it is the process under test alone, every thread of it, and no call before main().
 *
 *   INJECT_CONTROL  the file that holds the page
 *   INJECT_PROGRAM  in which program; in any other the library does nothing
 */
#include "path.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <linux/filter.h>
#include <linux/fuse.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <ucontext.h>
#include <unistd.h>

#ifndef __x86_64__
#error "the numbers and registers are those of x86_64"
#endif

/* Nothing to do with the program's own names: it is in the same process. */
static struct inject_control *control;

/* --- places --- */

/* Counts a call at its place. */
static void count(enum inject_group group)
{
    struct path path;

    path_find(&path, control->near);
    for (size_t probe = 0; probe < INJECT_PLACES; probe++) {
        struct inject_place *place =
            &control->places[(path.hash + (uint64_t)group + probe) % INJECT_PLACES];
        uint64_t free = 0;
        unsigned no_group = INJECT_NONE;
        if (atomic_compare_exchange_strong(&place->path, &free, path.hash))
            free = path.hash;
        /* Another group's call may have the same path, as a thread that sees a free slot has. */
        if (free == path.hash && (atomic_compare_exchange_strong(&place->group, &no_group, group) ||
                                  no_group == group)) {
            atomic_fetch_add(&place->calls, 1);
            return;
        }
    }
    atomic_store(&control->overflow, 1);
}

/* What sweep says of a finding. */
static void tell(const struct path *path)
{
    for (unsigned i = 0; i < path->length; i++) {
        const char *module = path->frames[i].module->l_name;
        control->frames[i].offset = path->frames[i].offset;
        strncpy(control->frames[i].module, module, sizeof(control->frames[i].module) - 1);
    }
    control->length = path->length;
}

/* Counts a call of GROUP, and says whether it is the one to fail. */
static bool strikes(enum inject_group group)
{
    struct path path;

    if (!control || !atomic_load(&control->armed))
        return false;
    if (control->group == INJECT_NONE) {
        count(group);
        return false;
    }
    if (control->group != group || atomic_load(&control->fired))
        return false;
    path_find(&path, control->near);
    if (control->path && control->path != path.hash)
        return false;
    if (atomic_fetch_add(&control->met, 1) + 1 != control->nth)
        return false;
    tell(&path);
    atomic_fetch_add(&control->fired, 1);
    return true;
}

/* --- system calls --- */

/* The one place that the filter lets pass. Answers as the kernel does: a negative errno. */
long inject_syscall(long number, long a, long b, long c, long d, long e, long f);
extern const char inject_syscall_end[];
__asm__(".text\n.balign 64\n"
        ".globl inject_syscall\n.hidden inject_syscall\n.type inject_syscall, @function\n"
        "inject_syscall:\n"
        "mov %rdi, %rax\nmov %rsi, %rdi\nmov %rdx, %rsi\nmov %rcx, %rdx\n"
        "mov %r8, %r10\nmov %r9, %r8\nmov 8(%rsp), %r9\n"
        "syscall\n"
        ".globl inject_syscall_end\n.hidden inject_syscall_end\n"
        "inject_syscall_end:\n"
        "ret\n"
        ".size inject_syscall, .-inject_syscall\n");

static const struct {
    short number;
    enum inject_group group;
} calls[] = {
    {SYS_open, INJECT_OPEN},
    {SYS_openat, INJECT_OPEN},
    {SYS_creat, INJECT_OPEN},
    {SYS_read, INJECT_READ},
    {SYS_pread64, INJECT_READ},
    {SYS_readv, INJECT_READ},
    {SYS_write, INJECT_WRITE},
    {SYS_pwrite64, INJECT_WRITE},
    {SYS_writev, INJECT_WRITE},
    {SYS_fsync, INJECT_SYNC},
    {SYS_fdatasync, INJECT_SYNC},
    {SYS_ftruncate, INJECT_TRUNCATE},
    {SYS_fallocate, INJECT_TRUNCATE},
    {SYS_stat, INJECT_STAT},
    {SYS_lstat, INJECT_STAT},
    {SYS_fstat, INJECT_STAT},
    {SYS_newfstatat, INJECT_STAT},
    {SYS_statx, INJECT_STAT},
    {SYS_mmap, INJECT_MMAP},
    {SYS_flock, INJECT_LOCK},
    {SYS_fcntl, INJECT_LOCK},
    {SYS_unlink, INJECT_UNLINK},
    {SYS_unlinkat, INJECT_UNLINK},
    {SYS_rename, INJECT_RENAME},
    {SYS_renameat2, INJECT_RENAME},
    {SYS_access, INJECT_ACCESS},
    {SYS_faccessat, INJECT_ACCESS},
    {SYS_faccessat2, INJECT_ACCESS},
    {SYS_close, INJECT_CLOSE},
    {SYS_close_range, INJECT_DESCRIPTOR},
    {SYS_pipe2, INJECT_DESCRIPTOR},
    {SYS_eventfd2, INJECT_DESCRIPTOR},
    {SYS_signalfd4, INJECT_DESCRIPTOR},
    {SYS_epoll_create1, INJECT_DESCRIPTOR},
    {SYS_dup2, INJECT_DESCRIPTOR},
    {SYS_timer_create, INJECT_DESCRIPTOR},
    {SYS_timer_settime, INJECT_DESCRIPTOR},
    {SYS_setsid, INJECT_DESCRIPTOR},
    {SYS_prctl, INJECT_DESCRIPTOR},
    {SYS_fchmod, INJECT_FILE},
    {SYS_fchown, INJECT_FILE},
    {SYS_mkdir, INJECT_FILE},
    {SYS_rmdir, INJECT_FILE},
    {SYS_chdir, INJECT_FILE},
    {SYS_getcwd, INJECT_FILE},
    {SYS_readlink, INJECT_FILE},
    {SYS_link, INJECT_FILE},
    {SYS_linkat, INJECT_FILE},
    {SYS_symlinkat, INJECT_FILE},
    {SYS_getdents64, INJECT_FILE},
    {SYS_statfs, INJECT_FILE},
    {SYS_fstatfs, INJECT_FILE},
    {SYS_lseek, INJECT_FILE},
    {SYS_getrandom, INJECT_FILE},
    {SYS_socket, INJECT_CONNECT},
    {SYS_socketpair, INJECT_CONNECT},
    {SYS_connect, INJECT_CONNECT},
    {SYS_setsockopt, INJECT_CONNECT},
    {SYS_getsockopt, INJECT_CONNECT},
    {SYS_getsockname, INJECT_CONNECT},
    {SYS_getpeername, INJECT_CONNECT},
    {SYS_sendto, INJECT_SEND},
    {SYS_sendmsg, INJECT_SEND},
    {SYS_recvfrom, INJECT_RECEIVE},
    {SYS_recvmsg, INJECT_RECEIVE},
    {SYS_poll, INJECT_POLL},
    {SYS_ppoll, INJECT_POLL},
    {SYS_epoll_wait, INJECT_POLL},
    {SYS_epoll_ctl, INJECT_POLL},
    {SYS_mount, INJECT_MOUNT},
    {SYS_umount2, INJECT_MOUNT},
};

#define CALLS (sizeof(calls) / sizeof(calls[0]))

static bool is_fuse(long fd)
{
    struct stat status;

    return inject_syscall(SYS_fstat, fd, (long)&status, 0, 0, 0, 0) == 0 &&
           S_ISCHR(status.st_mode) && status.st_rdev == makedev(10, 229);
}

/* Of calls that share a number with others that never fail: giving a lock back, say. */
static bool can_fail(long number, const greg_t *registers)
{
    long command = registers[REG_RSI];

    if (number == SYS_flock)
        return command != LOCK_UN;
    if (number != SYS_fcntl)
        return true;
    if (command == F_SETLK && ((const struct flock *)registers[REG_RDX])->l_type == F_UNLCK)
        return false;
    return command == F_SETLK || command == F_SETLKW || command == F_GETLK ||
           command == F_OFD_SETLK || command == F_OFD_SETLKW || command == F_OFD_GETLK;
}

static long call_as_asked(const greg_t *registers, long number)
{
    return inject_syscall(number, registers[REG_RDI], registers[REG_RSI], registers[REG_RDX],
                          registers[REG_R10], registers[REG_R8], registers[REG_R9]);
}

/* Reads or writes half of it. What has no half is made as it was asked for. */
static long call_short(const greg_t *registers, long number)
{
    long length = registers[REG_RDX];
    struct iovec first;

    switch (number) {
    case SYS_read:
    case SYS_pread64:
    case SYS_write:
    case SYS_pwrite64:
    case SYS_sendto:
    case SYS_recvfrom:
        if (length < 2)
            break;
        return inject_syscall(number, registers[REG_RDI], registers[REG_RSI], length / 2,
                              registers[REG_R10], registers[REG_R8], registers[REG_R9]);
    case SYS_readv:
    case SYS_writev:
        first = *(const struct iovec *)registers[REG_RSI];
        first.iov_len -= first.iov_len / 2;
        return inject_syscall(number, registers[REG_RDI], (long)&first, 1, 0, 0, 0);
    default:
        break;
    }
    return call_as_asked(registers, number);
}

/* What the kernel does where a request or a reply cannot be copied: it answers the caller with EIO. */
static void answer_eio(long fd, uint64_t unique)
{
    struct fuse_out_header out = {.len = sizeof(out), .error = -EIO, .unique = unique};

    if (unique)
        (void)inject_syscall(SYS_write, fd, (long)&out, sizeof(out), 0, 0, 0);
}

/* Counted when it comes back with a request: it may wait for long. */
static long read_fuse(const greg_t *registers, long number)
{
    long got = call_as_asked(registers, number);
    struct fuse_in_header in;

    if (got < (long)sizeof(in) || !strikes(INJECT_FUSE_READ))
        return got;
    control->call = (uint32_t)number;
    memcpy(&in, (const void *)registers[REG_RSI], sizeof(in));
    if (in.opcode == FUSE_INIT) /* the kernel itself would give up the mount */
        return got;
    if (in.opcode != FUSE_FORGET && in.opcode != FUSE_BATCH_FORGET && in.opcode != FUSE_INTERRUPT)
        answer_eio(registers[REG_RDI], in.unique);
    return -control->fault;
}

static long fail_fuse_write(const greg_t *registers, long number)
{
    const struct iovec *parts = (const struct iovec *)registers[REG_RSI];
    struct fuse_out_header out = {0};

    if (number == SYS_writev && parts[0].iov_len >= sizeof(out))
        memcpy(&out, parts[0].iov_base, sizeof(out));
    if (out.unique == 2) /* the answer to INIT, without which there is no mount to speak of */
        return call_as_asked(registers, number);
    answer_eio(registers[REG_RDI], out.unique);
    return -control->fault;
}

static long handle(const greg_t *registers, long number)
{
    enum inject_group group = INJECT_NONE;

    for (size_t i = 0; i < CALLS; i++)
        if (calls[i].number == number)
            group = calls[i].group;
    if (!can_fail(number, registers))
        group = INJECT_NONE;
    /* The descriptor is asked for only where that matters. */
    if ((group == INJECT_READ || group == INJECT_WRITE) && atomic_load(&control->armed) &&
        is_fuse(registers[REG_RDI]))
        group = group == INJECT_READ ? INJECT_FUSE_READ : INJECT_FUSE_WRITE;
    if (group == INJECT_FUSE_READ && control->fault != EINTR)
        return read_fuse(registers, number);
    if (group == INJECT_NONE || !strikes(group))
        return call_as_asked(registers, number);
    control->call = (uint32_t)number;
    if (control->fault == INJECT_SHORT)
        return call_short(registers, number);
    if (group == INJECT_FUSE_WRITE)
        return fail_fuse_write(registers, number);
    if (group == INJECT_CLOSE)
        (void)call_as_asked(registers, number);
    return -control->fault;
}

static void on_sigsys(int signal_number, siginfo_t *info, void *context)
{
    ucontext_t *where = context;

    (void)signal_number;
    where->uc_mcontext.gregs[REG_RAX] =
        handle(where->uc_mcontext.gregs, (long)(unsigned)info->si_syscall);
}

/* Raises SIGSYS at each of calls[] that is made from elsewhere than inject_syscall(). */
static bool filter_calls(void)
{
    const uint64_t end = (uint64_t)(uintptr_t)inject_syscall_end;
    struct sock_filter filter[CALLS + 8];
    struct sigaction action = {.sa_sigaction = on_sigsys, .sa_flags = SA_SIGINFO | SA_NODEFER};
    unsigned short length = 0;

    filter[length++] = (struct sock_filter)BPF_STMT(
        BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, instruction_pointer));
    filter[length++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)end, 0, 3);
    filter[length++] = (struct sock_filter)BPF_STMT(
        BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, instruction_pointer) + 4);
    filter[length++] =
        (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)(end >> 32), 0, 1);
    filter[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    filter[length++] =
        (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (size_t i = 0; i < CALLS; i++)
        filter[length++] = (struct sock_filter)BPF_JUMP(
            BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)calls[i].number, (uint8_t)(CALLS - i), 0);
    filter[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    filter[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP);

    struct sock_fprog program = {.len = length, .filter = filter};
    return sigaction(SIGSYS, &action, NULL) == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) == 0;
}

/* --- the beginning --- */

/* The program's own code, from main_watched() on. */
static uintptr_t program_begin, program_end;

static int find_program(struct dl_phdr_info *info, size_t size, void *context)
{
    (void)size;
    (void)context;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        if (part->p_type == PT_LOAD && part->p_flags & PF_X) {
            program_begin = info->dlpi_addr + part->p_vaddr;
            program_end = program_begin + part->p_memsz;
        }
    }
    return 1; /* the program is the first; no other is looked at */
}

/* Where this is the program that is meant, and its page can be had. */
static struct inject_control *find_control(void)
{
    const char *path = getenv("INJECT_CONTROL");
    const char *program = getenv("INJECT_PROGRAM");
    char self[4096];
    ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);

    if (!path || !program || length < 0)
        return NULL;
    self[length] = '\0';
    if (strcmp(self, program) != 0)
        return NULL;
    int fd = open(path, O_RDWR | O_CLOEXEC);
    void *page =
        mmap(NULL, sizeof(struct inject_control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    (void)close(fd);
    if (fd < 0 || page == MAP_FAILED)
        _exit(99);
    return page;
}

typedef int main_function(int argc, char **argv, char **environment);
static main_function *real_main;

static int main_watched(int argc, char **argv, char **environment)
{
    struct inject_control *page = find_control();
    struct path path;

    (void)unsetenv("LD_PRELOAD");
    (void)dl_iterate_phdr(find_program, NULL);
    path_find(&path, INJECT_FRAMES); /* what there is to be done the first time is done */
    control = page;
    if (control && !filter_calls())
        _exit(99);
    return real_main(argc, argv, environment);
}

int __libc_start_main(main_function *main, int argc, char **argv, void (*init)(void),
                      void (*fini)(void), void (*rtld_fini)(void), void *stack_end);

int __libc_start_main(main_function *main, int argc, char **argv, void (*init)(void),
                      void (*fini)(void), void (*rtld_fini)(void), void *stack_end)
{
    typeof(&__libc_start_main) next = dlsym(RTLD_NEXT, "__libc_start_main");

    real_main = main;
    return next(main_watched, argc, argv, init, fini, rtld_fini, stack_end);
}

/* --- allocations --- */

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *pointer, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

static bool allocation_fails(void)
{
    if (!strikes(INJECT_ALLOC))
        return false;
    errno = ENOMEM;
    return true;
}

void *malloc(size_t size)
{
    return allocation_fails() ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    return allocation_fails() ? NULL : __libc_calloc(count, size);
}

void *realloc(void *pointer, size_t size)
{
    return allocation_fails() ? NULL : __libc_realloc(pointer, size);
}

int posix_memalign(void **out, size_t alignment, size_t size)
{
    if (allocation_fails())
        return ENOMEM;
    *out = __libc_memalign(alignment, size);
    return *out ? 0 : ENOMEM;
}

/* --- threads and processes --- */

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                   void *argument)
{
    typeof(&pthread_create) next = dlsym(RTLD_NEXT, "pthread_create");

    return strikes(INJECT_THREAD) ? EAGAIN : next(thread, attributes, run, argument);
}

pid_t fork(void)
{
    typeof(&fork) next = dlsym(RTLD_NEXT, "fork");

    if (!strikes(INJECT_THREAD))
        return next();
    errno = EAGAIN;
    return -1;
}

/* --- SQLite --- */

/* SQLite calls itself by the same names, and does not expect to be lied to: where a step of its own
 * seems to fail it takes a schema of no tables for the whole. What fails inside it is the calls below. */
static bool program_strikes(enum inject_group group, const void *place)
{
    uintptr_t at = (uintptr_t)place;

    return at >= program_begin && at < program_end && strikes(group);
}

#define SQLITE_CALL(name, group, parameters, arguments)                                            \
    int name parameters                                                                            \
    {                                                                                              \
        typeof(&name) next = dlsym(RTLD_NEXT, #name);                                              \
        return program_strikes(group, __builtin_return_address(0)) ? control->fault                \
                                                                   : next arguments;               \
    }

SQLITE_CALL(sqlite3_step, INJECT_STEP, (sqlite3_stmt * statement), (statement))
SQLITE_CALL(sqlite3_exec, INJECT_EXEC,
            (sqlite3 * db, const char *sql, int (*row)(void *, int, char **, char **),
             void *context, char **message),
            (db, sql, row, context, message))
SQLITE_CALL(sqlite3_prepare_v2, INJECT_PREPARE,
            (sqlite3 * db, const char *sql, int length, sqlite3_stmt **out, const char **tail),
            (db, sql, length, out, tail))
SQLITE_CALL(sqlite3_prepare_v3, INJECT_PREPARE,
            (sqlite3 * db, const char *sql, int length, unsigned flags, sqlite3_stmt **out,
             const char **tail),
            (db, sql, length, flags, out, tail))
SQLITE_CALL(sqlite3_backup_step, INJECT_STEP, (sqlite3_backup * backup, int pages), (backup, pages))
SQLITE_CALL(sqlite3_bind_int64, INJECT_BIND,
            (sqlite3_stmt * statement, int index, sqlite3_int64 value), (statement, index, value))
SQLITE_CALL(sqlite3_bind_blob, INJECT_BIND,
            (sqlite3_stmt * statement, int index, const void *bytes, int length,
             void (*dispose)(void *)),
            (statement, index, bytes, length, dispose))
SQLITE_CALL(sqlite3_bind_text, INJECT_BIND,
            (sqlite3_stmt * statement, int index, const char *text, int length,
             void (*dispose)(void *)),
            (statement, index, text, length, dispose))
