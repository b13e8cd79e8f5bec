/* A session: see the header. */
#include "fs/session.h"

#include "core/base/clock.h"
#include "core/rules/refusal.h"
#include "fs/log.h"
#include "fs/mountpoint.h"
#include "fs/notify.h"
#include "fs/operations.h"
#include "fs/service.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <syslog.h>
#include <time.h>

/* Enough that a commit, a full disk cache and a notification leave some to answer; few enough that
 * their views cost little memory. */
#define WORKERS 8

/* How long the end may take: design, two seconds with calls hung. */
#define END_MS 1500

/* An eventfd takes what is written unless a signal comes; a read of the device fails for good once the
 * mount is gone. */
#define EVENT_TRIES 10
#define READ_TRIES 1000

/* libfuse wakes no thread that reads requests; this does (no handler but an empty one). */
#define WAKE_SIGNAL (SIGRTMIN + 5)

struct session {
    struct mount mount;
    struct catalog *catalog;
    const struct options *options;
    struct service service;
    pthread_t workers[WORKERS];
    int started;        /* workers */
    atomic_int serving; /* workers that have not ended */
    int first_fd;       /* eventfd: the first request was answered */
    int ended_fd;       /* eventfd: a worker saw the end of the mount */
    atomic_bool answered;
};

/* Somebody waits for it without end: a call that was interrupted is made again. */
static void signal_event(int fd)
{
    const uint64_t one = 1;

    for (int tries = 0; tries < EVENT_TRIES; tries++)
        if (write(fd, &one, sizeof(one)) == (ssize_t)sizeof(one))
            return;
    log_write(LOG_ERR, "eventfd: %s", strerror(errno));
}

/* Whether RESULT, of reading a request, is a failure that may pass: memory ran out, or a signal came.
 * FAILED counts those in a row. The kernel has told the caller of a request that was lost. */
static bool may_pass(int result, int *failed)
{
    const struct timespec moment = {.tv_nsec = 1000000L};

    if (result == -EINTR)
        return true;
    if (result >= 0 || ++*failed >= READ_TRIES)
        return false;
    (void)nanosleep(&moment, NULL);
    return true;
}

static void *worker_main(void *context)
{
    struct session *session = context;
    struct fuse_session *fuse = session->mount.session;
    struct fuse_buf buffer = {.mem = NULL};

    int failed = 0;

    mount_open_view(&session->mount);
    while (!fuse_session_exited(fuse)) {
        int received = fuse_session_receive_buf(fuse, &buffer);
        if (may_pass(received, &failed))
            continue;
        if (received <= 0)
            break;
        failed = 0;
        fuse_session_process_buf(fuse, &buffer);
        if (!atomic_exchange(&session->answered, true))
            signal_event(
                session->first_fd); /* that was INIT: the kernel lets callers in, or never */
    }
    free(buffer.mem);
    atomic_fetch_sub(&session->serving, 1);
    signal_event(session->ended_fd);
    return NULL;
}

static void on_wake(int signal_number)
{
    (void)signal_number;
}

/* The signals that the main thread reads from a descriptor. */
static int open_signals(void)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    struct sigaction wake = {.sa_handler = on_wake};
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGUSR2);
    if (sigaction(SIGPIPE, &ignore, NULL) < 0 || sigaction(WAKE_SIGNAL, &wake, NULL) < 0)
        return -errno;
    int error = pthread_sigmask(SIG_BLOCK, &set, NULL);
    if (error)
        return -error;
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return fd < 0 ? -errno : fd;
}

/* The words that libfuse mounts with. The source is the registry's path, as in fstab, so that mount
 * -a knows it again; a comma in it must be escaped. */
static int add_arguments(const struct options *options, bool read_only, struct fuse_args *arguments)
{
    char *joined = NULL;
    CLEANUP_BUFFER struct buffer source = BUFFER_INIT(1 << 16);

    buffer_printf(&source, "fsname=%s", options->source);
    int failed = buffer_failed(&source) || fuse_opt_add_arg(arguments, "imgsharefs") ||
                 fuse_opt_add_opt_escaped(&joined, buffer_text(&source)) ||
                 fuse_opt_add_opt(&joined, "subtype=imgsharefs,default_permissions,debug") ||
                 (options->allow_other && fuse_opt_add_opt(&joined, "allow_other")) ||
                 (read_only && fuse_opt_add_opt(&joined, "ro")) ||
                 (options->kernel[0] && fuse_opt_add_opt(&joined, options->kernel)) ||
                 fuse_opt_add_arg(arguments, "-o") || fuse_opt_add_arg(arguments, joined);
    free(joined);
    return failed ? -ENOMEM : 0;
}

/* Mounts. On failure libfuse or fusermount3 has said why on stderr. */
static int open_fuse(const struct options *options, struct session *session, struct buffer *error)
{
    bool read_only = !catalog_is_writable(session->catalog);
    struct fuse_args arguments = FUSE_ARGS_INIT(0, NULL);

    if (read_only && !options->read_only)
        log_write(LOG_WARNING,
                  "%s: it, its directory or its disk cannot be written: mounted read-only",
                  options->source);
    int result = add_arguments(options, read_only, &arguments);

    if (result == 0) {
        session->mount.session = fuse_session_new(
            &arguments, operations_table(), sizeof(struct fuse_lowlevel_ops), &session->mount);
        result = session->mount.session ? 0 : -EINVAL;
    }
    fuse_opt_free_args(&arguments);
    if (result == 0) {
        CLEANUP_CLOSE int claim = mountpoint_claim(options->mountpoint, error);
        result = claim;
        if (claim >= 0)
            result = fuse_session_mount(session->mount.session, options->mountpoint) ? -EIO : 0;
        if (result < 0)
            fuse_session_destroy(STEAL(session->mount.session));
    }
    if (result < 0 && error->length == 0)
        buffer_printf(error, "%s: cannot be mounted%s", options->mountpoint,
                      access("/dev/fuse", F_OK) < 0 ? ": /dev/fuse is missing (modprobe fuse)"
                                                    : "");
    return result;
}

static int start_workers(struct session *session)
{
    for (; session->started < WORKERS; session->started++) {
        atomic_fetch_add(&session->serving, 1);
        int error = pthread_create(&session->workers[session->started], NULL, worker_main, session);
        if (error) {
            atomic_fetch_sub(&session->serving, 1);
            return -error;
        }
    }
    return 0;
}

static void refresh_done(struct refresh *refresh, int result)
{
    if (result < 0)
        log_write(LOG_WARNING, "refresh: %s", strerror(refusal_errno(result)));
    free(refresh);
}

static void tell_ready(const struct session *session)
{
    service_tell(&session->service, "READY=1\nSTATUS=Serving %s on %s for %s",
                 session->options->source, session->options->mountpoint, session->catalog->pin);
}

/* The lists anew, and news from the source; those may take their time. */
static void reload(struct session *session)
{
    service_tell(&session->service, "RELOADING=1\nMONOTONIC_USEC=%lld",
                 (long long)clock_now_ms() * 1000);
    catalog_reload(session->catalog);
    tell_ready(session);
    struct refresh *refresh = calloc(1, sizeof(*refresh));
    if (refresh) {
        refresh->all = true;
        refresh->done = refresh_done;
        catalog_refresh(session->catalog, refresh);
    } else {
        log_write(LOG_WARNING, "refresh: %s", strerror(ENOMEM));
    }
    notifier_wake(session->mount.notifier);
}

/* What should be nothing where nobody has a file open and no call is unanswered: for who looks for
 * something that was not given back. */
static void tell_holdings(struct session *session)
{
    struct mount *mount = &session->mount;

    log_write(LOG_DEBUG, "holds: %d contents, %lld open shares, %lld unanswered changes, %zu names",
              atomic_load(&mount->contents), (long long)tally_total(&mount->opens),
              (long long)tally_total(&mount->changes), notifier_waiting(mount->notifier));
}

/* A signal that came; true if it asks for the end. */
static bool handle_signal(struct session *session, int signal_fd)
{
    struct signalfd_siginfo info = {0};

    if (read(signal_fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
        return false;
    switch (info.ssi_signo) {
    case SIGHUP:
        reload(session);
        return false;
    case SIGUSR1:
        log_step_level(1);
        tell_holdings(session);
        return false;
    case SIGUSR2:
        log_step_level(-1);
        return false;
    default:
        log_write(LOG_INFO, "SIG%s: ends", sigabbrev_np((int)info.ssi_signo));
        return true;
    }
}

/* Serves until the end: a signal, or the mount is gone. */
static int serve(struct session *session, int signal_fd, int (*ready)(void *context), void *context,
                 struct buffer *error)
{
    struct pollfd fds[] = {
        {.fd = signal_fd, .events = POLLIN},
        {.fd = session->ended_fd, .events = POLLIN},
        {.fd = session->first_fd, .events = POLLIN},
    };

    const struct timespec moment = {.tv_nsec = 1000000L};

    for (;;) {
        /* What can fail here is memory, and it passes: the mount does not end for it. */
        if (poll(fds, 3, -1) < 0) {
            (void)nanosleep(&moment, NULL);
            continue;
        }
        if (fds[2].revents & POLLIN) {
            fds[2].fd = -1;
            if (!atomic_load(&session->mount.agreed)) {
                buffer_printf(error,
                              "%s: cannot be mounted: memory ran out, or libfuse and the kernel do "
                              "not know each other",
                              session->options->mountpoint);
                return -EIO;
            }
            int result = ready(context);
            if (result < 0)
                return result;
            log_write(LOG_INFO, "serving %s on %s for %s", session->options->source,
                      session->options->mountpoint, session->catalog->pin);
            tell_ready(session);
        }
        if (fds[0].revents & POLLIN && handle_signal(session, signal_fd))
            return 0;
        if (fds[1].revents & POLLIN)
            return 0;
    }
}

/* Waits for the workers to end, which read requests or wait for another process's lock. */
static bool end_workers(struct session *session)
{
    const struct timespec step = {.tv_nsec = 10 * 1000000L};

    for (int waited = 0; atomic_load(&session->serving) > 0; waited += 10) {
        if (waited >= END_MS)
            return false;
        /* In mid-read() a thread does not see the end; once more for one that had not begun to. */
        for (int i = 0; i < session->started; i++)
            (void)pthread_kill(session->workers[i], WAKE_SIGNAL);
        (void)nanosleep(&step, NULL);
    }
    for (int i = 0; i < session->started; i++)
        (void)pthread_join(session->workers[i], NULL);
    return true;
}

static void close_fds(struct session *session, int signal_fd)
{
    if (session->first_fd >= 0)
        (void)close(session->first_fd);
    if (session->ended_fd >= 0)
        (void)close(session->ended_fd);
    if (signal_fd >= 0)
        (void)close(signal_fd);
}

/* Serves a mount from first to last. */
static int run_mounted(struct session *session, int signal_fd, int (*ready)(void *context),
                       void *context, struct buffer *error, bool *busy)
{
    const struct options *options = session->options;
    int result = notifier_start(&session->mount, &session->mount.notifier);

    if (result == 0)
        result = start_workers(session);
    if (result < 0)
        buffer_printf(error, "%s: cannot be served: %s", options->source, refusal_sentence(result));
    else
        result = serve(session, signal_fd, ready, context, error);

    service_tell(&session->service, "STOPPING=1");
    catalog_stop(session->catalog);
    fuse_session_exit(session->mount.session);
    /* Unmounting closes the descriptor that workers read from: they go first. */
    *busy = !end_workers(session);
    notifier_quiet(session->mount.notifier);
    fuse_session_unmount(session->mount.session);
    if (*busy)
        return result;
    if (mountpoint_is_dead(options->mountpoint, error))
        result = -EIO;
    else
        log_write(LOG_INFO, "unmounted %s", options->mountpoint);
    notifier_stop(STEAL(session->mount.notifier));
    fuse_session_destroy(STEAL(session->mount.session));
    return result;
}

int session_run(const struct options *options, int (*ready)(void *context), void *context,
                struct buffer *error, bool *busy)
{
    struct session *session = calloc(1, sizeof(*session));
    CLEANUP_BUFFER struct buffer warnings = BUFFER_INIT(4096);
    const struct jdcloud_options cloud = {
        .region = options->is_cloud ? options->source + strlen(OPTIONS_CLOUD) : "",
        .profile = options->profile,
        .state = options->state,
        .endpoint = options->endpoint,
        .ca_file = options->ca_file,
        .proxy = options->proxy,
        .no_proxy = options->no_proxy,
        .refresh_s = options->refresh,
        .maxage_s = options->maxage,
        .timeout_s = options->timeout,
        .jdcloud3 = options->jdcloud3,
        .plain_token = options->plain_token,
    };
    const struct catalog_options wanted = {
        .path = options->source,
        .open = options->is_cloud ? jdcloud_open : NULL,
        .cloud = &cloud,
        .warnings = &warnings,
        .account = options->account,
        .allow = options->allow,
        .trust = options->trust,
        .read_only = options->read_only,
        .no_cancel = options->no_cancel,
        .max_cancel = options->max_cancel,
        .log = log_text,
    };

    *busy = false;
    if (!session)
        return -ENOMEM;
    session->options = options;
    if (options->foreground)
        service_find(&session->service);
    log_take_fuse();
    session->first_fd = eventfd(0, EFD_CLOEXEC);
    session->ended_fd = session->first_fd < 0 ? -1 : eventfd(0, EFD_CLOEXEC);
    int signal_fd = session->ended_fd < 0 ? -errno : open_signals();
    int result = signal_fd < 0 ? signal_fd : 0;
    if (result < 0)
        buffer_printf(error, "events and signals: %s", strerror(-result));
    if (result == 0)
        result = catalog_open(&wanted, error, &session->catalog);
    if (warnings.length > 0)
        log_write(LOG_WARNING, "%s", buffer_text(&warnings));
    if (result == 0) {
        result = mount_init(&session->mount, session->catalog);
        session->mount.uid = options->uid;
        session->mount.gid = options->gid;
        session->mount.umask = options->umask;
        if (result == 0)
            result = open_fuse(options, session, error);
        if (result == 0)
            result = run_mounted(session, signal_fd, ready, context, error, busy);
        if (*busy)
            return result;              /* a thread still uses all of this */
        catalog_stop(session->catalog); /* where serving never began */
        mount_dispose(&session->mount);
    }
    catalog_close(session->catalog);
    close_fds(session, signal_fd);
    free(session);
    return result;
}
