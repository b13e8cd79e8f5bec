/* What was cancelled: see the header. */
#include "core/imgshare/undo.h"

#include "core/base/logfmt.h"
#include "core/base/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A share that came, or went. */
struct undo_event {
    char *image;
    char *pin;
    size_t order; /* in the log */
    bool gone;
    bool chosen;
};

/* Longer than any value that is looked at. */
#define VALUE_MAX 65536

/* What an action does to a share: -1 takes it away, 1 makes it, 0 neither. What vanished was
 * cancelled elsewhere, by whom is not known: to undo that is not for this log to say. */
static int effect_of(const char *action)
{
    if (strcmp(action, "cancel") == 0)
        return -1;
    return strcmp(action, "share") == 0 || strcmp(action, "appeared") == 0 ? 1 : 0;
}

/* Reads the value of KEY, "" where there is none. */
static int read_value(const char *line, const char *key, struct buffer *out)
{
    int result = logfmt_value(line, key, out);

    return result == -ENOENT ? 0 : result;
}

static bool is_chosen(const struct undo_choice *choice, int64_t at_ns, const char *pid)
{
    if (at_ns < choice->since_ns)
        return false;
    return choice->pid == 0 || strtol(pid, NULL, 10) == choice->pid;
}

static int add(struct undo_log *log, const struct undo_event *event, const char *image,
               const char *pin)
{
    if (log->count == log->size) {
        size_t size = log->size ? log->size * 2 : 64;
        struct undo_event *events = realloc(log->events, size * sizeof(*events));
        if (!events)
            return -ENOMEM;
        log->events = events;
        log->size = size;
    }
    struct undo_event *to = &log->events[log->count];
    *to = *event;
    to->image = strdup(image);
    to->pin = strdup(pin);
    log->count++;
    return to->image && to->pin ? 0 : -ENOMEM;
}

int undo_read(struct undo_log *log, const char *line)
{
    static const char *const keys[] = {"time", "action", "outcome", "image", "pin", "pid"};
    enum { TIME, ACTION, OUTCOME, IMAGE, PIN, PID, KEYS };
    struct buffer values[KEYS] = {BUFFER_INIT(VALUE_MAX), BUFFER_INIT(VALUE_MAX),
                                  BUFFER_INIT(VALUE_MAX), BUFFER_INIT(VALUE_MAX),
                                  BUFFER_INIT(VALUE_MAX), BUFFER_INIT(VALUE_MAX)};
    int64_t at_ns = 0;
    int result = 0;

    for (int i = 0; result == 0 && i < KEYS; i++)
        result = read_value(line, keys[i], &values[i]);
    if (result == 0)
        result = text_time_parse(buffer_text(&values[TIME]), &at_ns);
    if (result == 0 && log->lines++ == 0)
        log->first_ns = at_ns;
    int effect = effect_of(buffer_text(&values[ACTION]));
    if (result == 0 && effect != 0 && strcmp(buffer_text(&values[OUTCOME]), "done") == 0 &&
        values[IMAGE].length > 0 && values[PIN].length > 0) {
        const struct undo_event event = {
            .order = log->lines,
            .gone = effect < 0,
            .chosen = is_chosen(&log->choice, at_ns, buffer_text(&values[PID]))};
        result = add(log, &event, buffer_text(&values[IMAGE]), buffer_text(&values[PIN]));
    }
    for (int i = 0; i < KEYS; i++)
        buffer_dispose(&values[i]);
    return result;
}

static int compare(const void *left, const void *right)
{
    const struct undo_event *one = left;
    const struct undo_event *other = right;
    int order = strcmp(one->image, other->image);

    if (order == 0)
        order = strcmp(one->pin, other->pin);
    return order != 0 ? order : one->order < other->order ? -1 : one->order > other->order;
}

static bool is_same(const struct undo_event *one, const struct undo_event *other)
{
    return strcmp(one->image, other->image) == 0 && strcmp(one->pin, other->pin) == 0;
}

int undo_finish(struct undo_log *log)
{
    bool lost = false;

    if (log->count == 0)
        return 0;
    qsort(log->events, log->count, sizeof(*log->events), compare);
    log->lost = calloc(log->count, sizeof(*log->lost));
    if (!log->lost)
        return -ENOMEM;
    for (size_t i = 0; i < log->count; i++) {
        const struct undo_event *event = &log->events[i];
        /* A cancel that is not meant, after one that is, has cancelled nothing: only a share between
         * them changes that. */
        lost = event->gone && (lost || event->chosen);
        if (i + 1 < log->count && is_same(event, event + 1))
            continue;
        if (lost)
            log->lost[log->lost_count++] =
                (struct undo_share){.image = event->image, .pin = event->pin};
        lost = false;
    }
    return 0;
}

void undo_dispose(struct undo_log *log)
{
    for (size_t i = 0; i < log->count; i++) {
        free(log->events[i].image);
        free(log->events[i].pin);
    }
    free(log->events);
    free(log->lost); /* its texts are the events' */
    *log = (struct undo_log){0};
}

int undo_time(const char *text, int64_t now_ns, int64_t *out)
{
    static const struct {
        char unit;
        int64_t seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
    size_t digits = strspn(text, "0123456789");
    int64_t length = 0;

    if (digits == 0 || digits > 9 || text[digits] == '\0' || text[digits + 1] != '\0')
        return text_time_parse(text, out);
    for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (units[i].unit == text[digits])
            length = units[i].seconds * 1000000000LL;
    if (length == 0)
        return -EINVAL;
    bool over = __builtin_mul_overflow(length, strtoll(text, NULL, 10), &length) ||
                __builtin_sub_overflow(now_ns, length, out);
    return over ? -EINVAL : 0;
}
