/* The graph of what a mount knows: see graph_read.h. */
#include "core/imgshare/graph_read.h"

#include "core/base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

/* The files of an image that a graph takes, in the order of their names below. */
enum {
    FILE_NAME,
    FILE_STATUS,
    FILE_OWNER,
    FILE_SHAREABLE,
    FILE_EXPOSURE,
    FILE_CONFIRMED,
    FILE_REFUSAL,
    FILES
};

static const char *const files[FILES] = {"name",     "status",    "owner",       "shareable",
                                         "exposure", "confirmed", "last_refusal"};

/* Longer than any of them. */
#define VALUE_MAX ((size_t)1 << 16)

struct values {
    struct buffer of[FILES];
};

static void dispose(struct values *values)
{
    for (size_t i = 0; i < FILES; i++)
        buffer_dispose(&values->of[i]);
}

/* Reads the files of SCOPE/ID. -ENOENT where the image is gone. */
static int read_values(const struct mount_reader *reader, const char *scope, const char *id,
                       struct values *values, struct buffer *error)
{
    CLEANUP_BUFFER struct buffer path = BUFFER_INIT(MOUNT_PATH_MAX);

    for (size_t i = 0; i < FILES; i++) {
        values->of[i] = (struct buffer)BUFFER_INIT(VALUE_MAX);
        buffer_clear(&path);
        buffer_printf(&path, "%s/%s/%s", scope, id, files[i]);
        int result =
            buffer_failed(&path) ? -ENOMEM : mount_file(reader, buffer_text(&path), &values->of[i]);
        if (result == -ENOENT)
            return result;
        if (result < 0)
            return mount_explain(reader, buffer_text(&path), result, error);
    }
    return 0;
}

static bool is_stale(const struct mount_reader *reader, const char *confirmed)
{
    int64_t at_ns = 0;

    if (!reader->cloud)
        return false;
    return text_time_parse(confirmed, &at_ns) < 0 ||
           text_now() - at_ns > GRAPH_STALE_S * 1000000000LL;
}

/* The ERRNO in "no: ERRNO: sentence", in OUT; "" for yes. */
static const char *error_of(const char *shareable, struct buffer *out)
{
    if (strncmp(shareable, "no: ", 4) == 0)
        buffer_add(out, shareable + 4, strcspn(shareable + 4, ":"));
    return buffer_text(out);
}

/* Takes the pin and the errno out of "TIME share PIN: ERRNO: sentence". */
static void take_refusal(const char *text, struct buffer *pin, struct buffer *error_name)
{
    const char *action = strchr(text, ' ');

    if (!action || strncmp(action, " share ", 7) != 0)
        return;
    action += 7;
    const char *end = strstr(action, ": ");
    if (!end)
        return;
    buffer_add(pin, action, (size_t)(end - action));
    buffer_add(error_name, end + 2, strcspn(end + 2, ":"));
}

/* Adds the image SCOPE/ID, which PINS can use. */
static int add_image(struct graph *graph, const struct mount_reader *reader, const char *scope,
                     const char *id, const struct names *pins, struct buffer *error)
{
    __attribute__((cleanup(dispose))) struct values values = {0};
    CLEANUP_BUFFER struct buffer obstacle = BUFFER_INIT(64);
    CLEANUP_BUFFER struct buffer refused = BUFFER_INIT(VALUE_MAX);
    CLEANUP_BUFFER struct buffer refused_error = BUFFER_INIT(64);
    int result = read_values(reader, scope, id, &values, error);
    bool own = strcmp(scope, "private") == 0;

    if (result < 0)
        return result == -ENOENT ? 0 : result;
    if (own)
        take_refusal(buffer_text(&values.of[FILE_REFUSAL]), &refused, &refused_error);
    const struct graph_image image = {
        .owner = buffer_text(&values.of[FILE_OWNER]),
        .id = id,
        .name = buffer_text(&values.of[FILE_NAME]),
        .status = buffer_text(&values.of[FILE_STATUS]),
        .obstacle = own ? error_of(buffer_text(&values.of[FILE_SHAREABLE]), &obstacle) : "",
        .everyone = strcmp(buffer_text(&values.of[FILE_EXPOSURE]), "everyone") == 0,
        .stale = is_stale(reader, buffer_text(&values.of[FILE_CONFIRMED])),
        .pins = pins,
        .refused = buffer_text(&refused),
        .refused_error = buffer_text(&refused_error),
    };
    if (buffer_failed(&obstacle) || buffer_failed(&refused) || buffer_failed(&refused_error))
        return -ENOMEM;
    return graph_add(graph, &image);
}

/* Who can use which of the own images: "ID/PIN", sorted. */
static int read_uses(const struct mount_reader *reader, struct names *uses, struct buffer *error)
{
    CLEANUP_BUFFER struct buffer path = BUFFER_INIT(MOUNT_PATH_MAX);
    CLEANUP_BUFFER struct buffer use = BUFFER_INIT(MOUNT_PATH_MAX);
    CLEANUP_NAMES struct names pins = {0};
    int result = mount_names(reader, "by-account", &pins);

    if (result < 0)
        return mount_explain(reader, "by-account", result, error);
    for (size_t i = 0; i < pins.count; i++) {
        CLEANUP_NAMES struct names ids = {0};
        buffer_clear(&path);
        buffer_printf(&path, "by-account/%s", pins.items[i]);
        result = buffer_failed(&path) ? -ENOMEM : mount_names(reader, buffer_text(&path), &ids);
        if (result == -ENOENT) /* has none any more */
            continue;
        for (size_t j = 0; result == 0 && j < ids.count; j++) {
            buffer_clear(&use);
            buffer_printf(&use, "%s/%s", ids.items[j], pins.items[i]);
            result = buffer_failed(&use) ? -ENOMEM : names_add(uses, buffer_text(&use));
        }
        if (result < 0)
            return mount_explain(reader, buffer_text(&path), result, error);
    }
    names_sort(uses);
    return 0;
}

/* The pins of the uses "ID/PIN" of image ID. */
static int take_pins(const struct names *uses, const char *id, struct names *pins)
{
    size_t length = strlen(id);
    size_t low = 0;
    size_t high = uses->count;
    int result = 0;

    /* The first that is not before "ID/": those of one image are beside each other. */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strncmp(uses->items[middle], id, length);
        if (order == 0)
            order = (unsigned char)uses->items[middle][length] - '/'; /* as strcmp() sorts */
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (; result == 0 && low < uses->count; low++) {
        const char *use = uses->items[low];
        if (strncmp(use, id, length) != 0 || use[length] != '/')
            break;
        result = names_add(pins, use + length + 1);
    }
    return result;
}

static int read_own(struct graph *graph, const struct mount_reader *reader, struct buffer *error)
{
    CLEANUP_NAMES struct names ids = {0};
    CLEANUP_NAMES struct names uses = {0};
    int result = read_uses(reader, &uses, error);

    if (result < 0)
        return result;
    result = mount_names(reader, "private", &ids);
    if (result < 0)
        return mount_explain(reader, "private", result, error);
    for (size_t i = 0; result == 0 && i < ids.count; i++) {
        CLEANUP_NAMES struct names pins = {0};
        result = take_pins(&uses, ids.items[i], &pins);
        if (result < 0)
            return mount_explain(reader, "by-account", result, error);
        result = add_image(graph, reader, "private", ids.items[i], &pins, error);
    }
    return result;
}

static int read_received(struct graph *graph, const struct mount_reader *reader,
                         struct buffer *error)
{
    CLEANUP_NAMES struct names ids = {0};
    CLEANUP_NAMES struct names self = {0};
    int result = mount_names(reader, "shared", &ids);

    if (result < 0)
        return mount_explain(reader, "shared", result, error);
    result = names_add(&self, reader->pin);
    for (size_t i = 0; result == 0 && i < ids.count; i++)
        result = add_image(graph, reader, "shared", ids.items[i], &self, error);
    return result;
}

int graph_read_mount(struct graph *graph, const struct mount_reader *reader, struct buffer *error)
{
    graph->self = reader->pin;
    int result = graph_add_account(graph, reader->pin);

    if (result == 0)
        result = read_own(graph, reader, error);
    if (result == 0)
        result = read_received(graph, reader, error);
    if (result < 0 && error->length == 0)
        buffer_puts(error, strerrordesc_np(-result));
    return result;
}
