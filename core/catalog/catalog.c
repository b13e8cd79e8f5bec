/* The catalog: see the header. */
#include "core/catalog/catalog.h"

#include "core/base/container.h"
#include "core/base/text.h"
#include "core/rules/pin.h"
#include "core/rules/refusal.h"
#include "core/source/registry.h"
#include "core/store/lock.h"
#include "core/store/replica.h"
#include "core/store/write.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/random.h>
#include <syslog.h>

/* How long a mount waits for another program's lock, only to cut the log. */
#define TRIM_WAIT_MS 200

static int read_list(const char *path, struct buffer *error, struct pin_list **out)
{
    return path ? pin_list_read(path, error, out) : 0;
}

/* The log is cut where nobody else can be reading it. What fails here fails no mount. */
static void trim_events(struct catalog *catalog)
{
    int fd = catalog->store.lock_fd;
    int result = 0;

    if (fd < 0)
        return;
    if (!lock_is_mounted_elsewhere(fd, catalog->account)) {
        result = lock_acquire(fd, TRIM_WAIT_MS, NULL, NULL);
        if (result == 0) {
            result = write_trim_events(&catalog->store.connection, catalog->account,
                                       CATALOG_EVENT_LINES);
            lock_release(fd);
        }
        if (result == -ETIMEDOUT) /* the next mount will do it */
            result = 0;
    }
    if (result == 0)
        result = lock_mark_mounted(fd, catalog->account);
    if (result < 0)
        catalog_note_error(catalog, result);
}

/* Where the file events begins for this mount. */
static int find_events_base(struct catalog *catalog, struct buffer *error)
{
    struct view view = {0};
    int result = catalog_view(catalog, &view, error);

    if (result < 0)
        return result;
    result = view_events_begin(&view, &catalog->events_base);
    if (result < 0)
        buffer_printf(error, "%s: %s", catalog->store.path,
                      connection_message(&view.connection, result));
    view_close(&view);
    return -refusal_errno(result);
}

/* The store, whose it is, and the source that keeps it. */
static int open_source(struct catalog *catalog, struct buffer *error)
{
    const struct catalog_options *options = &catalog->options;

    if (options->open)
        return options->open(catalog, error);
    int result = store_open(options->path, &catalog->store, error);
    if (result == 0)
        result = store_account(&catalog->store, options->account, &catalog->account, catalog->pin,
                               error);
    if (result == 0)
        registry_source(catalog, &catalog->source);
    return result;
}

static int open_parts(struct catalog *catalog, struct buffer *error)
{
    int result = open_source(catalog, error);

    if (result == 0)
        result = read_list(catalog->options.allow, error, &catalog->allow);
    if (result == 0)
        result = read_list(catalog->options.trust, error, &catalog->trust);
    if (result < 0)
        return result;
    trim_events(catalog);
    if (catalog->store.mode == CONNECTION_READ_WRITE) {
        result = writer_new(&catalog->store.connection, catalog->store.lock_fd, &catalog->writer);
        if (result < 0)
            return result;
    }
    result = find_events_base(catalog, error);
    if (result == 0 && catalog->source.ops->start && catalog->writer) {
        result = catalog->source.ops->start(&catalog->source);
        if (result < 0)
            buffer_printf(error, "threads: %s", strerror(-result));
    }
    return result;
}

int catalog_open(const struct catalog_options *options, struct buffer *error, struct catalog **out)
{
    struct catalog *catalog = calloc(1, sizeof(*catalog));

    if (!catalog)
        return -ENOMEM;
    catalog->options = *options;
    catalog->store.lock_fd = -1;
    catalog->opened_ns = text_now();
    guard_init(&catalog->guard);
    fold_init(&catalog->fold);
    (void)pthread_mutex_init(&catalog->mutex, NULL);
    while (catalog->mount_id == 0)
        if (getrandom(&catalog->mount_id, sizeof(catalog->mount_id), 0) < 0)
            catalog->mount_id = catalog->opened_ns;

    int result = open_parts(catalog, error);
    if (result < 0) {
        if (error->length == 0)
            buffer_printf(error, "%s: %s", options->path, strerror(-result));
        if (catalog->source.ops)
            catalog_stop(catalog);
        catalog_close(catalog);
        return result;
    }
    *out = catalog;
    return 0;
}

void catalog_stop(struct catalog *catalog)
{
    catalog->source.ops->close(&catalog->source);
}

void catalog_close(struct catalog *catalog)
{
    if (!catalog)
        return;
    writer_free(catalog->writer);
    if (catalog->source.ops && catalog->source.ops->free)
        catalog->source.ops->free(&catalog->source);
    store_close(&catalog->store);
    pin_list_free(catalog->allow);
    pin_list_free(catalog->trust);
    guard_dispose(&catalog->guard);
    fold_dispose(&catalog->fold);
    (void)pthread_mutex_destroy(&catalog->mutex);
    free(catalog);
}

bool catalog_is_writable(const struct catalog *catalog)
{
    return catalog->writer && !catalog->options.read_only;
}

int catalog_view(struct catalog *catalog, struct view *view, struct buffer *error)
{
    return view_open(view, catalog->store.path, catalog->store.mode, catalog->account, catalog->pin,
                     error);
}

static struct change *change_of_job(struct job *job)
{
    return CONTAINER_OF(job, struct change, job);
}

/* Whether the caller who would hear of the refusal has gone. */
static bool other_given_up(struct job *job)
{
    return change_is_interrupted(change_of_job(job));
}

static int other_run(struct job *job, struct connection *connection, int64_t now)
{
    (void)connection;
    (void)now;
    return change_of_job(job)->refusal;
}

static void other_record(struct job *job, struct connection *connection, int64_t now)
{
    struct change *change = change_of_job(job);
    bool replaced = job->result == -REFUSAL_STORE_REPLACED;

    catalog_record_refused(change->catalog, connection, change,
                           replaced ? job->result : change->refusal, now, NULL);
}

/* However the record went: the caller hears why the call was refused. */
static void other_done(struct job *job, int result)
{
    struct change *change = change_of_job(job);

    (void)result;
    change->done(change, change->refusal);
}

void catalog_change(struct catalog *catalog, struct change *change)
{
    change->catalog = catalog;
    if (!catalog->writer) {
        change->done(change, change->action == CHANGE_OTHER ? change->refusal : -REFUSAL_READ_ONLY);
        return;
    }
    switch (change->action) {
    case CHANGE_SHARE:
        change->verb = "share";
        catalog->source.ops->share(&catalog->source, change);
        break;
    case CHANGE_CANCEL:
        change->verb = "cancel";
        catalog->source.ops->cancel(&catalog->source, change);
        break;
    case CHANGE_OTHER:
    default:
        change->job = (struct job){.given_up = other_given_up,
                                   .run = other_run,
                                   .record = other_record,
                                   .done = other_done};
        writer_submit(catalog->writer, &change->job);
        break;
    }
}

void catalog_refresh(struct catalog *catalog, struct refresh *refresh)
{
    catalog->source.ops->refresh(&catalog->source, refresh);
}

int catalog_doubt(struct catalog *catalog, struct view *view, int64_t row, const char *pin,
                  int64_t *valid_ns)
{
    int result = catalog->source.ops->doubt(&catalog->source, view, row, pin, valid_ns);

    return result > 0 ? -REFUSAL_SERVICE_TIMEOUT : result;
}

/* Whether that list of images was never heard. */
static bool is_unlisted(struct view *view, bool received)
{
    char value[VIEW_NAME_SIZE] = "";

    return replica_setting(&view->connection, replica_list_setting(received), value) == 0 &&
           strtoll(value, NULL, 10) == 0;
}

bool catalog_must_ask(struct catalog *catalog, struct view *view, const struct refresh *where,
                      const char *pin)
{
    struct source *source = &catalog->source;
    struct write_image image = {0};
    struct replica_found found = {0};

    if (!source->remote)
        return false;
    if (where->pin && source->ops->doubt(source, view, where->image, where->pin, NULL) > 0)
        return true;
    if (pin && pin_check(pin) < 0)
        return false;
    if (where->image != 0)
        return write_image(&view->connection, where->image, &image) == 0 &&
               image.owner == catalog->account && image.confirmed_ns == 0;
    if (is_unlisted(view, where->received))
        return true;
    return where->every &&
           replica_stale(&view->connection, catalog->account, "", 1, 1, &found) == 1;
}

enum allow_verdict catalog_allow(struct catalog *catalog, const char *pin)
{
    LOCK_SCOPE(&catalog->mutex);

    if (!catalog->allow)
        return ALLOW_NO_LIST;
    return pin_list_has(catalog->allow, pin) ? ALLOW_LISTED : ALLOW_UNLISTED;
}

bool catalog_trusts(struct catalog *catalog, const char *pin)
{
    LOCK_SCOPE(&catalog->mutex);

    return catalog->trust && pin_list_has(catalog->trust, pin);
}

void catalog_remember_error(struct catalog *catalog, int result)
{
    char time[TEXT_TIME_SIZE];

    text_time(text_now(), 0, time);
    LOCK_SCOPE(&catalog->mutex);
    (void)snprintf(catalog->last_error, sizeof(catalog->last_error), "%s %s: %s", time,
                   strerrorname_np(refusal_errno(result)), refusal_sentence(result));
}

void catalog_note_error(struct catalog *catalog, int result)
{
    catalog_remember_error(catalog, result);
    catalog_log(catalog, LOG_ERR, "%s: %s", strerrorname_np(refusal_errno(result)),
                refusal_sentence(result));
}

void catalog_log(struct catalog *catalog, int level, const char *format, ...)
{
    va_list arguments;
    char text[2048];

    if (!catalog->options.log)
        return;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    catalog->options.log(level, text);
}

int catalog_record(struct catalog *catalog, struct connection *connection,
                   const struct event *event)
{
    CLEANUP_BUFFER struct buffer line = BUFFER_INIT(EVENT_LINE_MAX);

    event_format(&line, event);
    if (buffer_failed(&line))
        return -ENOMEM;
    return write_event(connection, catalog->account, event->at_ns, buffer_text(&line));
}

int catalog_record_change(struct catalog *catalog, struct connection *connection,
                          const struct change *change, const char *image_id, int64_t now,
                          const char *extra)
{
    struct event event = {
        .at_ns = now,
        .action = change->verb,
        .image = image_id,
        .key = "pin",
        .name = change->name,
        .extra = extra,
        .caller = &change->caller,
    };

    fold_reset(&catalog->fold);
    return catalog_record(catalog, connection, &event);
}

void catalog_record_refused(struct catalog *catalog, struct connection *connection,
                            const struct change *change, int result, int64_t now, const char *extra)
{
    const struct refusal_row *row = refusal_of(result);
    struct write_image image = {0};
    bool has_image = change->image > 0 && write_image(connection, change->image, &image) == 0;
    struct event event = {
        .at_ns = now,
        .action = change->verb,
        .image = has_image ? image.id : NULL,
        .key = change->action == CHANGE_OTHER ? "name" : "pin",
        .name = change->name[0] ? change->name : NULL,
        .result = result,
        .extra = extra,
        .caller = &change->caller,
    };
    uint64_t key = fold_key(change->verb, change->image, change->name, result, change->caller.uid);

    if (row && (row->refusal == REFUSAL_STORE_FULL || row->refusal == REFUSAL_STORE_DAMAGED ||
                row->refusal == REFUSAL_STORE_REPLACED))
        catalog_note_error(catalog, result);
    /* Its log lies where the file was, and belongs to the file that has come there. */
    if (row && row->refusal == REFUSAL_STORE_REPLACED)
        return;
    /* It may share a transaction with what others were granted, of which nothing must be lost. */
    int written = write_part_begin(connection);
    if (written == 0) {
        if (fold_admit(&catalog->fold, key, now, &event.repeated))
            written = catalog_record(catalog, connection, &event);
        if (written == 0 && has_image && row)
            written = write_refusal(connection, catalog->account, image.row, now, change->verb,
                                    change->name, row->code);
        written = write_part_end(connection, written);
    }
    if (written < 0)
        catalog_note_error(catalog, written);
}

/* A reload is an event, too. It frees itself: another thread may commit it later. */
struct reload {
    struct job job;
    struct catalog *catalog;
    int result;
    struct buffer detail; /* why, where result is negative */
};

static struct reload *reload_of_job(struct job *job)
{
    return CONTAINER_OF(job, struct reload, job);
}

static int reload_run(struct job *job, struct connection *connection, int64_t now)
{
    const struct reload *reload = reload_of_job(job);
    struct event event = {
        .at_ns = now,
        .action = "reload",
        .result = reload->result,
        .detail = buffer_text(&reload->detail),
    };

    return catalog_record(reload->catalog, connection, &event);
}

static void reload_done(struct job *job, int result)
{
    struct reload *reload = reload_of_job(job);

    (void)result; /* the lists are what they are, written down or not */
    buffer_dispose(&reload->detail);
    free(reload);
}

static void reload_list(struct catalog *catalog, const char *path, struct pin_list **slot)
{
    struct pin_list *list = NULL;
    struct reload *reload = path ? calloc(1, sizeof(*reload)) : NULL;

    if (!reload)
        return;
    *reload = (struct reload){
        .job = {.run = reload_run, .done = reload_done},
        .catalog = catalog,
        .detail = BUFFER_INIT(1024),
    };
    reload->result = pin_list_read(path, &reload->detail, &list);
    if (reload->result == 0) {
        LOCK_SCOPE(&catalog->mutex);
        pin_list_free(*slot);
        *slot = list;
    }
    if (reload->result == 0)
        catalog_log(catalog, LOG_INFO, "%s: read anew", path);
    else
        catalog_log(catalog, LOG_ERR, "the list of before stays in force: %s",
                    buffer_text(&reload->detail));
    if (catalog->writer)
        writer_submit(catalog->writer, &reload->job);
    else
        reload_done(&reload->job, 0);
}

void catalog_reload(struct catalog *catalog)
{
    reload_list(catalog, catalog->options.allow, &catalog->allow);
    reload_list(catalog, catalog->options.trust, &catalog->trust);
}
