/* The registry as a source: see the header. */
#include "core/source/registry.h"

#include "core/base/container.h"
#include "core/base/text.h"
#include "core/catalog/catalog.h"
#include "core/catalog/decide.h"
#include "core/rules/refusal.h"
#include "core/store/write.h"

static struct change *change_of_job(struct job *job)
{
    return CONTAINER_OF(job, struct change, job);
}

static bool change_given_up(struct job *job)
{
    return change_is_interrupted(change_of_job(job));
}

/* The whole of a change: rules, share or cancel, event and feed, in the transaction at hand. */
static int change_run(struct job *job, struct connection *connection, int64_t now)
{
    struct change *change = change_of_job(job);
    struct catalog *catalog = change->catalog;
    struct write_image image = {0};
    int result = decide_change(catalog, connection, change, now, &image);

    if (result != 0)
        return result;
    bool share = change->action == CHANGE_SHARE;
    if (share) {
        change->created_ns = now;
        result = write_share(connection, image.row, image.owner, change->name, now, &change->share);
    } else {
        result = write_cancel(connection, change->share, image.row, image.owner, change->name, now);
    }
    if (result == 0)
        result = feed_add(connection, now, catalog->mount_id, share ? FEED_SHARED : FEED_CANCELLED,
                          image.row, image.row, change->name);
    if (result == 0)
        result = catalog_record_change(catalog, connection, change, image.id, now, NULL);
    if (result == 0 && !share)
        guard_cancelled(&catalog->guard, change->caller.process, image.row, now);
    return result;
}

static void change_record(struct job *job, struct connection *connection, int64_t now)
{
    struct change *change = change_of_job(job);

    catalog_record_refused(change->catalog, connection, change, job->result, now, NULL);
}

static void change_done(struct job *job, int result)
{
    struct change *change = change_of_job(job);

    change->done(change, result > 0 ? 0 : result);
}

static void registry_change(struct source *source, struct change *change)
{
    change->job = (struct job){
        .given_up = change_given_up,
        .run = change_run,
        .record = change_record,
        .done = change_done,
    };
    writer_submit(source->catalog->writer, &change->job);
}

static void registry_describe(struct source *source, struct buffer *out)
{
    buffer_puts(out, "source: registry ");
    text_escape(out, source->catalog->store.path);
    buffer_puts(out, "\nonline: yes, the registry is a local file\n");
}

static void registry_refresh(struct source *source, struct refresh *refresh)
{
    (void)source; /* the store is the authority: it is always fresh */
    refresh->done(refresh, 0);
}

static int registry_quota(struct source *source, struct view *view,
                          const struct view_record *record, int64_t *limit,
                          enum snapshot_policy *policy)
{
    (void)source;
    (void)record;
    return view_settings(view, limit, policy);
}

static int64_t registry_confirmed(struct source *source, const struct view_record *record)
{
    (void)source;
    (void)record;
    return text_now();
}

static int registry_doubt(struct source *source, struct view *view, int64_t image, const char *pin,
                          int64_t *valid_ns)
{
    (void)source;
    (void)view;
    (void)image;
    (void)pin;
    if (valid_ns)
        *valid_ns = INT64_MAX;
    return 0;
}

static void registry_close(struct source *source)
{
    if (source->catalog->writer)
        writer_stop(source->catalog->writer);
}

static const struct source_ops registry_ops = {
    .describe = registry_describe,
    .refresh = registry_refresh,
    .doubt = registry_doubt,
    .share = registry_change,
    .cancel = registry_change,
    .quota = registry_quota,
    .confirmed = registry_confirmed,
    .close = registry_close,
};

void registry_source(struct catalog *catalog, struct source *out)
{
    *out = (struct source){.ops = &registry_ops, .catalog = catalog};
}
