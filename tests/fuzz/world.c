/* A registry, mounts and the model beside it: see the header. */
#include "tests/fuzz/world.h"

#include "core/base/container.h"
#include "core/base/logfmt.h"
#include "core/base/text.h"
#include "core/catalog/report.h"
#include "core/rules/refusal.h"
#include "core/store/account.h"
#include "core/store/check.h"
#include "core/store/create.h"
#include "core/store/export.h"
#include "core/store/import.h"
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <string.h>

#define NOON (1795507200 * 1000000000LL)

/* --- the clock --- */

static int64_t *clock_now(void)
{
    static int64_t now = NOON;

    return &now;
}

/* Stands for text_now(): see meson.build. */
int64_t __wrap_text_now(void);
int64_t __wrap_text_now(void)
{
    return *clock_now();
}

void world_set_clock(struct world *world, int64_t now)
{
    world->now = *clock_now() = now;
    if (now > world->latest)
        world->latest = now;
}

/* --- registries --- */

static void require_done(int result, const struct buffer *error)
{
    if (result < 0)
        (void)fprintf(stderr, "%d: %s\n", result, buffer_text(error));
    REQUIRE(result >= 0);
}

static void open_store(struct store *store, const char *path)
{
    CLEANUP_BUFFER struct buffer error = BUFFER_INIT(4096);

    require_done(store_open(path, store, &error), &error);
}

/* An empty registry, made once: to make one takes as long as a hundred changes. */
static const struct buffer *empty_registry(void)
{
    static struct buffer bytes = BUFFER_INIT(1 << 20);
    const struct create_options options = {.limit = 3, .policy = SNAPSHOTS_ANY};
    CLEANUP_BUFFER struct buffer error = BUFFER_INIT(4096);
    const char *path = fuzz_path("empty");
    char part[4096];
    size_t length = 0;

    if (bytes.length > 0)
        return &bytes;
    require_done(store_create(path, &options, &error), &error);
    CLEANUP_FCLOSE FILE *file = fopen(path, "re");
    REQUIRE(file);
    while ((length = fread(part, 1, sizeof(part), file)) > 0)
        buffer_add(&bytes, part, length);
    REQUIRE(!buffer_failed(&bytes) && !ferror(file));
    return &bytes;
}

static void make_registry(const char *name)
{
    const struct buffer *bytes = empty_registry();

    store_remove(fuzz_path(name));
    (void)fuzz_file(name, bytes->text, bytes->length);
}

static int take_export(const char *bytes, size_t length, void *context)
{
    buffer_add(context, bytes, length);
    return 0;
}

static void export_all(struct store *store, struct buffer *out)
{
    CLEANUP_BUFFER struct buffer error = BUFFER_INIT(4096);

    require_done(export_run(store, take_export, out, &error), &error);
    REQUIRE(!buffer_failed(out));
}

static void show_breach(const char *breach, void *context)
{
    (void)context;
    (void)fprintf(stderr, "check: %s\n", breach);
}

static void require_whole(struct store *store, const struct model *model)
{
    CLEANUP_BUFFER struct buffer error = BUFFER_INIT(4096);
    struct check_result result = {0};
    int shares = 0;
    int images = 0;

    require_done(check_run(store, show_breach, NULL, &result, &error), &error);
    REQUIRE(result.breaches == 0);
    for (int i = 0; i < MODEL_IMAGES; i++) {
        images += model->images[i].there;
        shares += model_count(model->images[i].shares);
    }
    REQUIRE(result.images == images && result.shares == shares);
    REQUIRE(result.accounts == model_count(model->accounts));
}

/* What was exported and imported into an empty registry, is exported the same. */
static void require_comes_back(const struct world *world, struct store *store)
{
    CLEANUP_BUFFER struct buffer before = BUFFER_INIT(1 << 20);
    CLEANUP_BUFFER struct buffer after = BUFFER_INIT(1 << 20);
    CLEANUP_BUFFER struct buffer error = BUFFER_INIT(4096);
    struct import_result result = {0};
    struct store copy;

    export_all(store, &before);
    make_registry("copy");
    open_store(&copy, fuzz_path("copy"));
    const char *const files[] = {fuzz_file("export", before.text, before.length)};
    const struct import_options options = {.files = files, .file_count = 1};
    require_done(import_run(&copy, &options, &result, &error), &error);
    require_whole(&copy, &world->model);
    export_all(&copy, &after);
    REQUIRE(strcmp(buffer_text(&before), buffer_text(&after)) == 0);
    store_close(&copy);
    store_remove(fuzz_path("copy"));
}

/* --- mounts --- */

static void write_list(const char *name, uint32_t pins, char path[PATH_MAX])
{
    CLEANUP_BUFFER struct buffer text = BUFFER_INIT(4096);

    for (int pin = 0; pin < MODEL_PINS; pin++)
        if (pins >> pin & 1)
            buffer_printf(&text, "%s\tlabel\r\n", model_pin(pin));
    (void)snprintf(path, PATH_MAX, "%s", fuzz_file(name, buffer_text(&text), text.length));
}

/* The names of a mount's lists. */
static const char *const allow_names[MODEL_MOUNTS] = {"allow0", "allow1"};
static const char *const trust_names[MODEL_MOUNTS] = {"trust0", "trust1"};

static int open_mount(struct world *world, int number)
{
    CLEANUP_BUFFER struct buffer error = BUFFER_INIT(4096);
    struct world_mount *mount = &world->mounts[number];
    const struct model_mount *model = &mount->model;
    struct catalog_options options = {
        .path = world->path,
        .account = model_pin(model->pin),
        .no_cancel = model->no_cancel,
        .max_cancel = model->max_cancel,
    };

    if (model->has_allow) {
        write_list(allow_names[number], model->allow, mount->allow);
        options.allow = mount->allow;
    }
    if (model->has_trust) {
        write_list(trust_names[number], model->trust, mount->trust);
        options.trust = mount->trust;
    }
    int result = catalog_open(&options, &error, &mount->catalog);
    REQUIRE(result == 0 || error.length > 0);
    if (result == 0)
        require_done(catalog_view(mount->catalog, &mount->view, &error), &error);
    return result;
}

static void close_mount(struct world_mount *mount)
{
    view_close(&mount->view);
    catalog_stop(mount->catalog);
    catalog_close(mount->catalog);
}

void world_mount(struct world *world, int number, const struct model_mount *wanted)
{
    struct world_mount *mount = &world->mounts[number];

    close_mount(mount);
    mount->model = *wanted;
    if (!(world->model.accounts >> wanted->pin & 1)) {
        REQUIRE(open_mount(world, number) == -ENOENT);
        mount->model.pin = 0;
    }
    REQUIRE(open_mount(world, number) == 0);
}

void world_reload(struct world *world, int number, uint32_t allow, uint32_t trust, bool broken)
{
    struct world_mount *mount = &world->mounts[number];
    struct model_mount *model = &mount->model;

    if (model->has_allow)
        write_list(allow_names[number], allow, mount->allow);
    if (model->has_trust)
        write_list(trust_names[number], trust, mount->trust);
    if (broken && model->has_allow)
        (void)fuzz_file(allow_names[number], "a/b\n", 4);
    if (broken && model->has_trust)
        (void)fuzz_file(trust_names[number], "me\0\n", 4);
    catalog_reload(mount->catalog);
    if (broken)
        return;
    model->allow = allow;
    model->trust = trust;
}

/* --- beginning and end --- */

/* Three accounts and four images, so that there is something to do at once. */
static void populate(struct world *world)
{
    const struct model_file file = {
        .count = 4,
        .items = {
            {.kind = MODEL_ITEM_IMAGE, .twice = -1, .record = {.image = 0}},
            {.kind = MODEL_ITEM_IMAGE, .twice = -1, .record = {.image = 1, .title = 1}},
            {.kind = MODEL_ITEM_IMAGE, .twice = -1, .pins = 1, .record = {.image = 2, .owner = 1}},
            {.kind = MODEL_ITEM_IMAGE, .twice = -1, .record = {.image = 3, .title = 1}},
        }};

    world_add_account(world, 0, NULL);
    world_add_account(world, 1, "13800138000");
    world_add_account(world, 2, NULL);
    world_import(world, &file);
}

void world_open(struct world *world)
{
    memset(world, 0, sizeof(*world));
    world->model.limit = 3;
    world_set_clock(world, NOON);
    make_registry("registry");
    (void)snprintf(world->path, sizeof(world->path), "%s", fuzz_path("registry"));
    open_store(&world->store, world->path);
    window_open(&world->window, world->path);
    populate(world);
    for (int i = 0; i < MODEL_MOUNTS; i++) {
        world->mounts[i].model.pin = i;
        REQUIRE(open_mount(world, i) == 0);
    }
}

void world_close(struct world *world, bool comes_back)
{
    for (int i = 0; i < MODEL_MOUNTS; i++)
        close_mount(&world->mounts[i]);
    world_set_clock(world,
                    world->latest + 1000000000LL); /* or what was done would be of the future */
    require_whole(&world->store, &world->model);
    if (comes_back)
        require_comes_back(world, &world->store);
    window_close(&world->window);
    store_close(&world->store);
    store_remove(world->path);
}

/* --- changes --- */

struct request {
    struct change change;
    struct request *rest; /* asked for as soon as this one is done */
    int rest_count;
    bool interrupted;
    int result, times_done;
};

static struct request *request_of(struct change *change)
{
    return CONTAINER_OF(change, struct request, change);
}

static bool is_interrupted(struct change *change)
{
    return request_of(change)->interrupted;
}

/* The first one's commit is over, but its thread still commits: what is asked for now is queued, and
 * taken together. */
static void request_done(struct change *change, int result)
{
    struct request *request = request_of(change);

    request->result = result;
    request->times_done++;
    for (int i = 0; i < request->rest_count; i++)
        catalog_change(change->catalog, &request->rest[i].change);
}

static void prepare(const struct world *world, const struct world_change *wanted,
                    struct request *request)
{
    static const enum change_action actions[] = {
        [WORLD_SHARE] = CHANGE_SHARE,
        [WORLD_CANCEL] = CHANGE_CANCEL,
        [WORLD_OTHER] = CHANGE_OTHER,
        [WORLD_REMOVE] = CHANGE_OTHER,
    };
    bool there = wanted->image < MODEL_IMAGES && world->model.images[wanted->image].there;

    *request = (struct request){
        .interrupted = wanted->interrupted,
        .change = {
            .action = actions[wanted->kind],
            .image = there ? world->window.state.images[wanted->image].row : 1000 + wanted->image,
            .exclusive = wanted->exclusive,
            .caller = {.uid = 1000, .process = 100 + wanted->process},
            .interrupted = is_interrupted,
            .done = request_done,
        }};
    (void)snprintf(request->change.name, sizeof(request->change.name), "%s", wanted->name.text);
    if (wanted->kind == WORLD_OTHER || wanted->kind == WORLD_REMOVE) {
        bool remove = wanted->kind == WORLD_REMOVE;
        request->change.verb = remove ? "rmdir" : "mkdir";
        request->change.refusal = remove ? -REFUSAL_TREE_REMOVE : -REFUSAL_TREE_CREATE;
    }
}

/* Requires that RESULT is one of the refusals of VERDICT, with that errno. */
static void require_refusal(const struct model_verdict *verdict, int result)
{
    const struct refusal_row *row = refusal_of(result);

    REQUIRE(row);
    for (int i = 0; i < MODEL_REFUSALS; i++) {
        if (!(verdict->refusals >> i & 1) || strcmp(model_code(i), row->code) != 0)
            continue;
        REQUIRE(refusal_errno(result) == model_errno(i));
        return;
    }
    (void)fprintf(stderr, "%s, which the model does not allow (%#x)\n", row->code,
                  verdict->refusals);
    fuzz_fail(__FILE__, __LINE__, "a refusal that the model allows");
}

static struct model_verdict judge(const struct world *world, const struct world_change *wanted)
{
    const struct world_mount *mount = &world->mounts[wanted->mount];
    bool there = wanted->image < MODEL_IMAGES && world->model.images[wanted->image].there;
    int image = there ? wanted->image : -1;

    return wanted->kind == WORLD_SHARE
               ? model_share(&world->model, &mount->model, image, &wanted->name, wanted->exclusive)
               : model_cancel(&world->model, &mount->model, image, &wanted->name, wanted->process,
                              world->now);
}

/* What the end of a change means for the model. */
static void settle(struct world *world, const struct world_change *wanted,
                   const struct request *request, struct window_touched *touched,
                   struct window_news *news)
{
    const struct model before = world->model;
    struct world_mount *mount = &world->mounts[wanted->mount];
    const struct window_state *state = &world->window.state;
    bool there = wanted->image < MODEL_IMAGES && world->model.images[wanted->image].there;
    bool tree = wanted->kind == WORLD_OTHER || wanted->kind == WORLD_REMOVE;

    REQUIRE(request->times_done == 1);
    if (tree) {
        REQUIRE(request->result == request->change.refusal);
    } else if (request->interrupted) {
        REQUIRE(request->result == -REFUSAL_INTERRUPTED);
    } else {
        struct model_verdict verdict = judge(world, wanted);
        REQUIRE(request->result != 0 || verdict.done);
        if (request->result != 0)
            require_refusal(&verdict, request->result);
        else if (verdict.changes) {
            int number = news->count++;
            news->changes[number].cancel = wanted->kind == WORLD_CANCEL;
            news->changes[number].image = wanted->image;
            news->changes[number].pin = wanted->name.pin;
            news->changes[number].writer = mount->catalog->mount_id;
            world->model.images[wanted->image].shares ^= 1U << wanted->name.pin;
            if (wanted->kind == WORLD_SHARE)
                REQUIRE(request->change.share > state->last_share &&
                        request->change.created_ns == world->now);
            else
                model_note_cancel(&mount->model, wanted->process, wanted->image, world->now);
        }
    }
    if (request->result != 0 && there) {
        const struct refusal_row *row = refusal_of(request->result);
        struct world_refusal *refusal = &world->refusals[mount->model.pin][wanted->image];
        REQUIRE(row);
        refusal->at_ns = world->now;
        refusal->code = row->code;
        refusal->action = request->change.verb;
        (void)snprintf(refusal->name, sizeof(refusal->name), "%s", wanted->name.text);
    }
    window_touch(touched, &before, &world->model);
}

/* Whether the event in the line from LINE to END says that something was done. */
static bool is_done(const char *line, const char *end)
{
    CLEANUP_FREE char *event = strndup(line, (size_t)(end - line));
    CLEANUP_BUFFER struct buffer outcome = BUFFER_INIT(64);

    REQUIRE(event && logfmt_value(event, "outcome", &outcome) == 0);
    return strcmp(buffer_text(&outcome), "done") == 0;
}

/* The log has gained a line for each change that was made, and for each refusal at most one. */
static void require_events(struct world_mount *mount, int64_t from, int made, int refused)
{
    CLEANUP_BUFFER struct buffer text = BUFFER_INIT(1 << 16);
    int64_t size = 0;
    int64_t at_ns = 0;
    int lines = 0;
    int done = 0;

    REQUIRE(report_events_size(mount->catalog, &mount->view, &size, &at_ns) == 0);
    REQUIRE(report_events_read(mount->catalog, &mount->view, from, (size_t)(size - from), &text) ==
            0);
    REQUIRE((int64_t)text.length == size - from);
    const char *line = buffer_text(&text);
    for (const char *end = NULL; (end = strchr(line, '\n')); line = end + 1) {
        done += is_done(line, end);
        lines++;
    }
    REQUIRE(*line == '\0');
    REQUIRE(done == made);
    REQUIRE(lines - done <= refused);
    fuzz_require_lines(buffer_text(&text));
}

void world_change(struct world *world, const struct world_change *changes, int count)
{
    struct world_mount *mount = &world->mounts[changes[0].mount];
    struct request requests[WORLD_BATCH];
    struct window_touched touched = {0};
    struct window_news news = {0};
    int64_t end = 0;
    int64_t at_ns = 0;
    int refused = 0;

    REQUIRE(report_events_size(mount->catalog, &mount->view, &end, &at_ns) == 0);
    for (int i = 0; i < count; i++) {
        prepare(world, &changes[i], &requests[i]);
        /* As fs/ does before it answers. */
        if (changes[i].kind == WORLD_REMOVE && changes[i].image < MODEL_IMAGES &&
            world->model.images[changes[i].image].there) {
            guard_refused(&mount->catalog->guard, requests[i].change.caller.process,
                          requests[i].change.image, world->now);
            mount->model.deeds[changes[i].process][changes[i].image].refused_ns = world->now;
        }
    }
    requests[0].rest = requests + 1;
    requests[0].rest_count = count - 1;
    catalog_change(mount->catalog, &requests[0].change);
    for (int i = 0; i < count; i++) {
        settle(world, &changes[i], &requests[i], &touched, &news);
        refused += requests[i].result != 0;
    }
    window_require(&world->window, &world->model, &touched, &news, world->now);
    require_events(mount, end, news.count, refused);
}

/* --- the program imgshare --- */

static void format_image(const struct model_item *item, struct buffer *out)
{
    static const char *const words[] = {"ready", "pending", "deleting", "error"};
    const struct model_record *record = &item->record;
    bool first = true;

    buffer_printf(out,
                  "{\"imageId\":\"img-%d\",\"ownerPin\":\"%s\",\"name\":\"%s\",\"status\":\"%s\","
                  "\"desc\":\"%d\"",
                  record->image, model_pin(record->owner), model_title(record->title),
                  words[record->status], record->description);
    if (record->released)
        buffer_puts(out, ",\"launchPermission\":\"all\"");
    if (record->snapshot > 0)
        buffer_printf(
            out, ",\"systemDisk\":{\"cloudDisk\":{\"snapshotId\":\"snap-1\",\"encrypted\":%s}}",
            record->snapshot == 2 ? "true" : "false");
    buffer_puts(out, ",\"pins\":[");
    for (int pin = 0; pin < MODEL_PINS; pin++) {
        for (int i = 0; i < 1 + (item->twice == pin); i++) {
            if (!(item->pins >> pin & 1))
                continue;
            buffer_printf(out, "%s\"%s\"", first ? "" : ",", model_pin(pin));
            first = false;
        }
    }
    buffer_puts(out, "]}\n");
}

static void format_file(const struct model_file *file, struct buffer *out)
{
    static const char *const words[] = {"any", "encrypted", "none"};

    for (int i = 0; i < file->count; i++) {
        const struct model_item *item = &file->items[i];
        if (item->kind == MODEL_ITEM_IMAGE)
            format_image(item, out);
        else if (item->kind == MODEL_ITEM_SETTINGS)
            buffer_printf(out, "{\"registry\":1,\"limit\":%lld,\"snapshots\":\"%s\"}\n",
                          (long long)item->limit, words[item->policy]);
        else if (item->mobile)
            buffer_printf(out, "{\"account\":\"%s\",\"mobile\":\"%s\"}\n", model_pin(item->pin),
                          item->mobile);
        else
            buffer_printf(out, "{\"account\":\"%s\"}\n", model_pin(item->pin));
    }
    REQUIRE(!buffer_failed(out));
}

void world_import(struct world *world, const struct model_file *file)
{
    CLEANUP_BUFFER struct buffer text = BUFFER_INIT(1 << 16);
    CLEANUP_BUFFER struct buffer error = BUFFER_INIT(4096);
    const struct model before = world->model;
    struct window_touched touched = {0};
    struct import_result result = {0};
    bool fine = file->count > 0 && model_import(&world->model, file);

    format_file(file, &text);
    const char *const files[] = {fuzz_file("import", buffer_text(&text), text.length)};
    const struct import_options options = {.files = files, .file_count = 1};
    int outcome = import_run(&world->store, &options, &result, &error);
    if ((outcome == 0) != fine)
        (void)fprintf(stderr, "%s%d: %s\n", buffer_text(&text), outcome, buffer_text(&error));
    REQUIRE((outcome == 0) == fine);
    REQUIRE(outcome == 0 || (outcome == -EINVAL && error.length > 0));
    struct window_news news = {.import = true, .images = window_changed(&before, &world->model)};
    window_touch(&touched, &before, &world->model);
    window_require(&world->window, &world->model, &touched, &news, world->now);
    REQUIRE(result.accounts == model_count(world->model.accounts & ~before.accounts));
}

void world_add_account(struct world *world, int pin, const char *mobile)
{
    CLEANUP_BUFFER struct buffer error = BUFFER_INIT(4096);
    const struct window_touched touched = {0};
    const struct window_news news = {0};
    bool fine = model_add_account(&world->model, pin, mobile);
    int result = account_add(&world->store, model_pin(pin), mobile, &error);

    REQUIRE(result == (fine ? 0 : -EEXIST));
    window_require(&world->window, &world->model, &touched, &news, world->now);
}
