/* Messages: see the header. */
#include "fs/log.h"

#include "core/base/text.h"
#include "core/catalog/fold.h"

#define FUSE_USE_VERSION 314
#include <fuse_log.h>

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>

#define LINE_SIZE 8192

static const struct {
    const char *word;
    int level;
} levels[] = {
    {"error", LOG_ERR},
    {"warning", LOG_WARNING},
    {"info", LOG_INFO},
    {"debug", LOG_DEBUG},
};

#define LEVELS ((int)(sizeof(levels) / sizeof(levels[0])))

static struct {
    atomic_int level;
    atomic_bool syslog;
    bool journal;    /* stderr is the journal's */
    char name[1024]; /* syslog(3) keeps the pointer */
    struct fold fold;
} state;

/* Whether stderr is the stream that systemd says is the journal's: systemd.exec(5). */
static bool stderr_is_journal(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    unsigned long long device = 0;
    unsigned long long inode = 0;
    struct stat status;

    return stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
           fstat(STDERR_FILENO, &status) == 0 && status.st_dev == device && status.st_ino == inode;
}

void log_open(void)
{
    fold_init(&state.fold);
    atomic_store(&state.level, LOG_INFO);
    state.journal = stderr_is_journal();
}

/* A name ends, for syslog daemons, at a blank, a colon or a bracket. */
static void make_name(const char *mountpoint)
{
    CLEANUP_BUFFER struct buffer name = BUFFER_INIT(sizeof(state.name) - 1);

    buffer_puts(&name, "imgsharefs");
    for (const char *byte = mountpoint; *byte; byte++)
        if ((unsigned char)*byte <= ' ' || strchr(":[]\\\x7f", *byte))
            buffer_printf(&name, "\\x%02x", (unsigned)(unsigned char)*byte);
        else
            buffer_add(&name, byte, 1);
    (void)snprintf(state.name, sizeof(state.name), "%s", buffer_text(&name));
}

void log_to_syslog(const char *mountpoint)
{
    make_name(mountpoint);
    /* Without a syslog daemon the messages are dropped, which must not stop the mount. */
    openlog(state.name, LOG_PID | LOG_NDELAY, LOG_DAEMON);
    atomic_store(&state.syslog, true);
}

int log_level_of(const char *word)
{
    for (int i = 0; i < LEVELS; i++)
        if (strcmp(levels[i].word, word) == 0)
            return levels[i].level;
    return -EINVAL;
}

void log_set_level(int level)
{
    atomic_store(&state.level, level);
}

void log_step_level(int by)
{
    int now = 0;

    while (now < LEVELS - 1 && levels[now].level < atomic_load(&state.level))
        now++;
    if (now + by >= 0 && now + by < LEVELS)
        now += by;
    log_set_level(levels[now].level);
    /* Heard at any level, and each time: it answers somebody. */
    fold_reset(&state.fold);
    log_write(LOG_ERR, "loglevel=%s", levels[now].word);
}

/* TEXT is one line. */
static void write_line(int level, const char *text)
{
    CLEANUP_BUFFER struct buffer line = BUFFER_INIT(4UL * LINE_SIZE);
    int64_t repeated = 0;

    /* Requests are wanted one by one; and no two are equal. */
    if (level < LOG_DEBUG &&
        !fold_admit(&state.fold, fold_key("log", level, text, 0, 0), text_now(), &repeated))
        return;
    text_escape(&line, text);
    if (repeated > 0)
        buffer_printf(&line, " (and %lld times more before)", (long long)repeated);
    if (atomic_load(&state.syslog))
        syslog(level, "%s", buffer_text(&line));
    else if (state.journal)
        (void)fprintf(stderr, "<%d>%s\n", level, buffer_text(&line));
    else
        (void)fprintf(stderr, "imgsharefs: %s\n", buffer_text(&line));
}

/* Cuts TEXT into lines. */
static void write_lines(int level, char *text)
{
    char *place = NULL;

    for (char *line = strtok_r(text, "\n", &place); line; line = strtok_r(NULL, "\n", &place))
        write_line(level, line);
}

static bool is_wanted(int level)
{
    return level <= atomic_load_explicit(&state.level, memory_order_relaxed);
}

void log_write(int level, const char *format, ...)
{
    va_list arguments;
    char text[LINE_SIZE];

    if (!is_wanted(level))
        return;
    va_start(arguments, format);
    /* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): the line above is not seen */
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    write_lines(level, text);
}

void log_text(int level, const char *text)
{
    log_write(level, "%s", text);
}

static void take_fuse(enum fuse_log_level level, const char *format, va_list arguments)
{
    char text[LINE_SIZE];

    /* libfuse's levels are syslog's; its formats are its own. */
    if (!is_wanted((int)level))
        return;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
    (void)vsnprintf(text, sizeof(text), format, arguments);
#pragma GCC diagnostic pop
    write_lines((int)level, text);
}

void log_take_fuse(void)
{
    fuse_set_log_func(take_fuse);
}
