/*
 * A cloud that answers anything: whatever it says, the replica stays whole, every call ends, and
 * what is shown of it may be shown.
 *
 * Each line of the input is an answer: a letter says to which question (the list of images
 * (p)rivate or (s)hared, an (i)mage, its (m)embers, s(h)are, (u)nshare, (q)uota), a character its
 * status of HTTP, the rest is the body. A question gets the answers of its letter in their order,
 * and the last one again and again; without any, none comes. There is no thread: this file is the
 * client that core/cloud/client.c is otherwise, and the keeper of core/source/jdcloud_keeper.c.
 */
#include "core/base/container.h"
#include "core/catalog/attribute.h"
#include "core/catalog/by_name.h"
#include "core/catalog/report.h"
#include "core/rules/refusal.h"
#include "core/source/jdcloud_state.h"
#include "core/store/check.h"
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <string.h>

#define TEXT_MAX ((size_t)1 << 24)

/* A list may say that it has thousands of pages: after so many calls no answer comes any more. */
#define CALLS_MAX 300

/* --- the client --- */

static const char letters[] = "psimhuq";

struct script {
    const char *data;
    size_t size;
    size_t next[sizeof(letters)]; /* where the search for the next answer of a letter begins */
    size_t last[sizeof(letters)]; /* the line of the one that was given last; SIZE_MAX = none */
};

struct client {
    struct call *first, **end; /* submitted, and not yet answered */
    struct script *script;
    int calls;
    bool stopped;
};

/* The script of the client that is made next. */
static struct script *the_script(void)
{
    static struct script script;

    return &script;
}

int client_check_endpoint(const char *endpoint, struct buffer *error)
{
    (void)endpoint;
    (void)error;
    return 0;
}

int client_new(const struct client_options *options, struct buffer *error, struct client **out)
{
    struct client *client = calloc(1, sizeof(*client));

    (void)options;
    (void)error;
    REQUIRE(client);
    client->end = &client->first;
    client->script = the_script();
    *out = client;
    return 0;
}

static void end_call(struct call *call, int result)
{
    const struct reply reply = {
        .result = result,
        .unknown = call->changes && result != -REFUSAL_SERVICE_CLOSED,
        .request_id = "",
        .message = "",
    };

    call->done(call, &reply);
}

void client_submit(struct client *client, struct call *call)
{
    REQUIRE(call->path && call->path[0] == '/' && call->done);
    if (client->stopped) {
        end_call(call, -REFUSAL_INTERRUPTED);
        return;
    }
    call->next = NULL;
    call->cancelled = false;
    *client->end = call;
    client->end = &call->next;
}

void client_cancel(struct client *client, struct call *call)
{
    (void)client;
    call->cancelled = true;
}

/* What was submitted was sent. */
void client_recall(struct client *client, struct call *call)
{
    (void)client;
    (void)call;
}

void client_raise(struct client *client, struct call *call, enum call_priority priority)
{
    (void)client;
    (void)call;
    (void)priority;
}

void client_read_state(struct client *client, struct client_state *out)
{
    *out = (struct client_state){.requests = client->calls};
}

void client_free(struct client *client)
{
    REQUIRE(!client || !client->first);
    free(client);
}

static char letter_of(const struct call *call)
{
    switch (call->operation) {
    case CALL_LIST_IMAGES:
        return strstr(call->query, "imageSource=private") ? 'p' : 's';
    case CALL_IMAGE:
        return 'i';
    case CALL_MEMBERS:
        return 'm';
    case CALL_SHARE:
        return 'h';
    case CALL_UNSHARE:
        return 'u';
    case CALL_QUOTA:
        return 'q';
    case CALL_PIN:
    case CALL_USER:
    default:
        return '?';
    }
}

/* Where the next line for LETTER begins, else the last one that was; SIZE_MAX where there is none. */
static size_t find_answer(struct script *script, char letter)
{
    const char *found = strchr(letters, letter);
    size_t kind = found ? (size_t)(found - letters) : 0;

    for (size_t at = script->next[kind]; found && at < script->size;) {
        const char *newline = memchr(script->data + at, '\n', script->size - at);
        size_t end = newline ? (size_t)(newline - script->data) : script->size;
        if (end - at >= 2 && script->data[at] == letter) {
            script->last[kind] = at;
            script->next[kind] = end + 1;
            break;
        }
        at = end + 1;
        if (at >= script->size)
            script->next[kind] = script->size;
    }
    return found ? script->last[kind] : SIZE_MAX;
}

/* Answers CALL as the client does that understands the last of its tries. */
static void answer_call(struct client *client, struct call *call)
{
    static const int statuses[] = {200, 202, 301, 400, 401, 403, 404, 409, 429, 500, 503};
    const struct script *script = client->script;
    size_t at = find_answer(client->script, letter_of(call));
    struct api_answer answer = {0};

    if (call->cancelled || client->stopped || ++client->calls > CALLS_MAX) {
        end_call(call, -REFUSAL_INTERRUPTED);
        return;
    }
    if (at == SIZE_MAX) {
        end_call(call, -REFUSAL_SERVICE_CLOSED);
        return;
    }
    const char *newline = memchr(script->data + at, '\n', script->size - at);
    size_t end = newline ? (size_t)(newline - script->data) : script->size;
    int status = statuses[(unsigned char)script->data[at + 1] % 16 % 11];
    api_understand(call->operation, call->pin, status, script->data + at + 2, end - at - 2,
                   &answer);
    const struct reply reply = {
        .result = answer.result,
        .unknown = call->changes && answer.verdict == API_UNKNOWN,
        .answered = answer.spoke,
        .body = answer.body,
        .status = status,
        .request_id = answer.request_id,
        .message = answer.message,
    };
    call->done(call, &reply);
    api_answer_dispose(&answer);
}

/* Answers all calls that were submitted so far. Returns whether there were any. */
static bool answer_calls(struct client *client)
{
    struct call *call = client->first;
    bool any = call != NULL;

    client->first = NULL;
    client->end = &client->first;
    while (call) {
        struct call *next = call->next;
        answer_call(client, call);
        call = next;
    }
    return any;
}

void client_stop(struct client *client)
{
    client->stopped = true;
    while (answer_calls(client))
        ;
}

/* --- the keeper --- */

static struct jdcloud *cloud_of(struct catalog *catalog)
{
    return jdcloud_of(&catalog->source);
}

/* Lets everything go on that can. */
static void settle(struct catalog *catalog)
{
    struct jdcloud *cloud = cloud_of(catalog);
    bool more = true;

    while (more) {
        more = answer_calls(cloud->client);
        more = jdcloud_commit(cloud) || more;
    }
    (void)jdcloud_tend_changes(cloud);
    REQUIRE(!cloud->lists[0].fetching && !cloud->lists[1].fetching);
}

/* --- what a mount asks --- */

struct ask {
    struct refresh refresh;
    int ended;
};

static void ask_done(struct refresh *refresh, int result)
{
    struct ask *ask = CONTAINER_OF(refresh, struct ask, refresh);

    REQUIRE(result <= 0);
    ask->ended++;
}

static void refresh(struct catalog *catalog, struct view *view, struct refresh wanted)
{
    struct ask ask = {.refresh = wanted};
    struct ask visit = {.refresh = wanted};

    ask.refresh.done = ask_done;
    catalog_refresh(catalog, &ask.refresh);
    settle(catalog);
    REQUIRE(ask.ended == 1);
    visit.refresh.done = ask_done;
    catalog->source.ops->visit(&catalog->source, view, &visit.refresh);
    settle(catalog);
    REQUIRE(visit.ended == 1);
}

struct wish {
    struct change change;
    bool interrupted;
    int ended;
};

static bool is_interrupted(struct change *change)
{
    return CONTAINER_OF(change, struct wish, change)->interrupted;
}

static void wish_done(struct change *change, int result)
{
    struct wish *wish = CONTAINER_OF(change, struct wish, change);

    REQUIRE(result <= 0);
    wish->ended++;
}

/* With INTERRUPTED its caller does not wait for the answer. */
static void change(struct catalog *catalog, struct wish *wish, enum change_action action,
                   int64_t image, const char *pin, bool interrupted)
{
    *wish = (struct wish){.change = {.action = action,
                                     .image = image,
                                     .caller = {.uid = 1000, .process = 1, .executable = "/x"},
                                     .interrupted = is_interrupted,
                                     .done = wish_done}};
    (void)snprintf(wish->change.name, sizeof(wish->change.name), "%s", pin);
    catalog_change(catalog, &wish->change);
    wish->interrupted = interrupted;
    (void)jdcloud_tend_changes(cloud_of(catalog));
    REQUIRE(wish->ended == 1 || !interrupted);
    settle(catalog);
}

/* --- what a mount shows --- */

/* Rows of the first images of a listing. */
struct rows {
    int64_t row[4];
    int count;
};

static int add_row(const struct view_entry *entry, void *context)
{
    struct rows *rows = context;

    rows->row[rows->count++] = entry->row;
    return rows->count == 4;
}

static int look_at_entry(const struct view_entry *entry, void *context)
{
    REQUIRE(entry->row > *(int64_t *)context);
    REQUIRE(strlen(entry->name) < VIEW_NAME_SIZE);
    *(int64_t *)context = entry->row;
    return 0;
}

static int look_at_name(const struct by_name_entry *entry, void *context)
{
    (void)context;
    REQUIRE(text_is_file_name(entry->name) && text_is_file_name(entry->id));
    return 0;
}

static int look_at_owner(const struct view_entry *entry, void *context)
{
    REQUIRE(by_name_list(context, entry->name, 0, look_at_name, NULL) == 0);
    return 0;
}

static void look_at_image(struct catalog *catalog, struct view *view, int64_t row)
{
    struct attribute_image image = {0};
    const struct attribute *attribute = NULL;

    REQUIRE(attribute_open(catalog, view, row, &image) == 0);
    REQUIRE(text_is_file_name(image.record.id) && text_is_file_name(image.record.owner));
    for (size_t i = 0; (attribute = attribute_at(i)); i++) {
        CLEANUP_BUFFER struct buffer text = BUFFER_INIT(TEXT_MAX);
        REQUIRE(attribute_format(&image, attribute, &text) == 0);
        fuzz_require_lines(buffer_text(&text));
        if (strcmp(attribute->name, "image.json") != 0)
            continue;
        json_t *json = json_loadb(text.text, text.length, JSON_REJECT_DUPLICATES, NULL);
        REQUIRE(json_is_object(json));
        json_decref(json);
    }
    attribute_close(&image);
}

static void look_at_all(struct catalog *catalog, struct view *view)
{
    CLEANUP_BUFFER struct buffer status = BUFFER_INIT(TEXT_MAX);
    CLEANUP_BUFFER struct buffer events = BUFFER_INIT(TEXT_MAX);
    int64_t last = 0;

    REQUIRE(report_status(catalog, view, &status) == 0);
    fuzz_require_lines(buffer_text(&status));
    REQUIRE(report_events_read(catalog, view, 0, TEXT_MAX, &events) == 0);
    fuzz_require_lines(buffer_text(&events));
    for (int scope = VIEW_PRIVATE; scope <= VIEW_SHARED; scope++) {
        struct rows rows = {0};
        REQUIRE(view_images(view, (enum view_scope)scope, 0, add_row, &rows) >= 0);
        for (int i = 0; i < rows.count; i++) {
            look_at_image(catalog, view, rows.row[i]);
            last = 0;
            REQUIRE(scope == VIEW_SHARED ||
                    view_shares(view, rows.row[i], 0, look_at_entry, &last) == 0);
        }
    }
    last = 0;
    REQUIRE(view_recipients(view, 0, look_at_entry, &last) == 0);
    REQUIRE(by_name_list(view, "me", 0, look_at_name, NULL) == 0);
    REQUIRE(view_owners(view, 0, look_at_owner, view) == 0);
}

static void report_breach(const char *breach, void *context)
{
    (void)context;
    (void)fprintf(stderr, "%s\n", breach);
}

static void require_whole(const char *path)
{
    CLEANUP_BUFFER struct buffer error = BUFFER_INIT(4096);
    struct check_result result = {0};
    struct store store = {0};

    REQUIRE(store_open_any(path, &store, &error) == 0);
    REQUIRE(check_run(&store, report_breach, NULL, &result, &error) == 0);
    REQUIRE(result.breaches == 0);
    store_close(&store);
}

/* --- a mount --- */

/* The keeper's thread is not started: see settle(). */
static int open_alone(struct catalog *catalog, struct buffer *error)
{
    static struct source_ops ops;
    int result = jdcloud_open(catalog, error);

    ops = *jdcloud_table();
    ops.start = NULL;
    if (result == 0)
        catalog->source.ops = &ops;
    return result;
}

static struct catalog *open_catalog(const struct jdcloud_options *cloud)
{
    CLEANUP_BUFFER struct buffer error = BUFFER_INIT(4096);
    const struct catalog_options options = {
        .path = "jdcloud:cn-north-1",
        .open = open_alone,
        .cloud = cloud,
        .account = "me",
    };
    struct catalog *catalog = NULL;

    /* They are gone from the environment once they are read. */
    REQUIRE(setenv("JDCLOUD_ACCESS_KEY", "AK", 1) == 0 &&
            setenv("JDCLOUD_SECRET_KEY", "SK", 1) == 0);
    if (catalog_open(&options, &error, &catalog) < 0)
        fuzz_fail(__FILE__, __LINE__, buffer_text(&error));
    return catalog;
}

static void run(struct catalog *catalog, struct view *view)
{
    struct wish wishes[3];
    struct rows rows = {0};

    refresh(catalog, view, (struct refresh){0});
    REQUIRE(view_images(view, VIEW_PRIVATE, 0, add_row, &rows) >= 0);
    for (int i = 0; i < rows.count; i++) {
        refresh(catalog, view, (struct refresh){.image = rows.row[i], .shares = true});
        refresh(catalog, view, (struct refresh){.image = rows.row[i]});
        jdcloud_fetch_quota(cloud_of(catalog), rows.row[i], "id", true);
    }
    look_at_all(catalog, view);
    int64_t image = rows.count > 0 ? rows.row[0] : 1;
    bool interrupted = cloud_of(catalog)->client->script->size % 2 == 1;
    change(catalog, &wishes[0], CHANGE_SHARE, image, "alice", interrupted);
    change(catalog, &wishes[1], CHANGE_SHARE, image, "13800138000", false);
    change(catalog, &wishes[2], CHANGE_CANCEL, image, "alice", interrupted);
    refresh(catalog, view, (struct refresh){.image = image, .shares = true});
    refresh(catalog, view, (struct refresh){.received = true});
    look_at_all(catalog, view);
    catalog_stop(catalog);
    while (jdcloud_tend_changes(cloud_of(catalog)))
        (void)jdcloud_commit(cloud_of(catalog));
    while (jdcloud_commit(cloud_of(catalog)))
        ;
    for (size_t i = 0; i < 3; i++)
        REQUIRE(wishes[i].ended == 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP_BUFFER struct buffer error = BUFFER_INIT(4096);
    CLEANUP_FREE char *state = strdup(fuzz_path("state"));
    const struct jdcloud_options options = {
        .region = "cn-north-1",
        .state = state,
        .refresh_s = 60,
        .maxage_s = 300,
        .timeout_s = 15,
    };
    struct script *script = the_script();
    struct view view = {0};

    REQUIRE(state);
    *script = (struct script){.data = (const char *)data, .size = size};
    memset(script->last, 0xff, sizeof(script->last));
    struct catalog *catalog = open_catalog(&options);
    CLEANUP_FREE char *replica = strdup(catalog->store.path);
    REQUIRE(replica && catalog_view(catalog, &view, &error) == 0);
    run(catalog, &view);
    view_close(&view);
    catalog_close(catalog);
    require_whole(replica);
    store_remove(replica);
    return 0;
}
