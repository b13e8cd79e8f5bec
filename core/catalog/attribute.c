/* The attribute files of an image: see the header. */
#include "core/catalog/attribute.h"

#include "core/catalog/decide.h"
#include "core/rules/refusal.h"
#include "core/source/image_json.h"
#include "core/store/json_plain.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

static const char notice_text[] =
    "This image was made by another account and is shared with you. Nobody guarantees its\n"
    "integrity or its security: use images only from sources that you trust (the file owner says\n"
    "whose it is, the file trusted whether this mount's trust-list names that account).\n"
    "To use it: create instances from it in the same region, or copy it to a private image of\n"
    "your own. It leaves this list when its owner cancels the share;\n"
    "what was made from it stays.\n";

typedef int (*formatter)(struct attribute_image *image, const char *member, struct buffer *out);

static int format_id(struct attribute_image *image, const char *member, struct buffer *out)
{
    (void)member;
    text_escape(out, image->record.id);
    return 0;
}

static int format_name(struct attribute_image *image, const char *member, struct buffer *out)
{
    (void)member;
    text_escape(out, image->record.name);
    return 0;
}

static int format_status(struct attribute_image *image, const char *member, struct buffer *out)
{
    (void)member;
    buffer_puts(out, rules_status_name(image->record.status));
    return 0;
}

static int format_owner(struct attribute_image *image, const char *member, struct buffer *out)
{
    (void)member;
    text_escape(out, image->record.owner);
    return 0;
}

/* Whether the record is JSON that can be read; asked once for all attributes of the image. */
static bool is_sound(struct attribute_image *image)
{
    const char *record = image->record.record;

    if (image->sound)
        return true;
    image->sound = json_is_plain(record, strlen(record));
    if (!image->sound) {
        json_t *json = json_loads(record, 0, NULL);
        image->sound = json != NULL;
        json_decref(json);
    }
    return image->sound;
}

static int format_member(struct attribute_image *image, const char *member, struct buffer *out)
{
    const char *record = image->record.record;

    if (!is_sound(image))
        return -REFUSAL_STORE_DAMAGED;
    image_json_text(record, strlen(record), member, out);
    return 0;
}

static int format_snapshot(struct attribute_image *image, const char *member, struct buffer *out)
{
    const char *record = image->record.record;

    (void)member;
    if (!is_sound(image))
        return -REFUSAL_STORE_DAMAGED;
    image_json_snapshot(record, strlen(record), out);
    return 0;
}

/* Whether it is known with whom the image is shared: a cloud was not asked yet. */
static bool is_unconfirmed(const struct attribute_image *image)
{
    const struct source *source = &image->catalog->source;

    return source->remote && image->record.owned && image->record.confirmed_ns == 0;
}

static int format_exposure(struct attribute_image *image, const char *member, struct buffer *out)
{
    int64_t shares = image->record.shares;

    (void)member;
    /* With how many others an image is shared is not the recipient's business. */
    if (image->record.released)
        buffer_puts(out, "everyone");
    else if (is_unconfirmed(image))
        return 0;
    else if (image->record.owned && shares == 0)
        buffer_puts(out, "owner");
    else if (image->record.owned)
        buffer_printf(out, "%lld account%s", (long long)shares, shares == 1 ? "" : "s");
    return 0;
}

static int format_shareable(struct attribute_image *image, const char *member, struct buffer *out)
{
    int result = decide_image(image->catalog, image->view, &image->record);
    const struct refusal_row *row = refusal_of(result);

    (void)member;
    if (result == 0)
        buffer_puts(out, "yes");
    else if (row && !refusal_is_fault(row->refusal)) /* then nobody knows */
        buffer_printf(out, "no: %s: %s", row->error_name, row->sentence);
    else
        return result;
    return 0;
}

static int format_quota(struct attribute_image *image, const char *member, struct buffer *out)
{
    struct source *source = &image->catalog->source;
    enum snapshot_policy policy = SNAPSHOTS_ANY;
    int64_t limit = 0;

    (void)member;
    if (!image->record.owned || is_unconfirmed(image))
        return 0;
    int result = source->ops->quota(source, image->view, &image->record, &limit, &policy);
    if (result == 0 && limit > 0)
        buffer_printf(out, "%lld/%lld", (long long)image->record.shares, (long long)limit);
    else if (result == 0)
        buffer_printf(out, "%lld/?", (long long)image->record.shares);
    return result;
}

static int format_confirmed(struct attribute_image *image, const char *member, struct buffer *out)
{
    struct source *source = &image->catalog->source;
    int64_t at_ns = source->ops->confirmed(source, &image->record);
    char time[TEXT_TIME_SIZE];

    (void)member;
    if (at_ns > 0) {
        text_time(at_ns, 0, time);
        buffer_puts(out, time);
    }
    return 0;
}

static int format_refusal(struct attribute_image *image, const char *member, struct buffer *out)
{
    CLEANUP_REFUSAL struct view_refusal refusal = {0};
    int result = view_refusal(image->view, image->record.row, &refusal);
    char time[TEXT_TIME_SIZE];

    (void)member;
    if (result < 0)
        return result == -ENOENT ? 0 : result;
    const struct refusal_row *row = refusal_find_code(refusal.code);
    text_time(refusal.at_ns, 0, time);
    buffer_printf(out, "%s %s ", time, refusal.action);
    text_escape(out, refusal.name);
    if (row)
        buffer_printf(out, ": %s: %s. What to do: %s.", row->error_name, row->sentence,
                      row->remedy);
    return 0;
}

static int format_json(struct attribute_image *image, const char *member, struct buffer *out)
{
    (void)member;
    text_escape_json(out, image->record.record);
    return 0;
}

static int format_trusted(struct attribute_image *image, const char *member, struct buffer *out)
{
    (void)member;
    buffer_puts(out, catalog_trusts(image->catalog, image->record.owner) ? "yes" : "no");
    return 0;
}

static int format_notice(struct attribute_image *image, const char *member, struct buffer *out)
{
    (void)image;
    (void)member;
    buffer_add(out, notice_text, sizeof(notice_text) - 2); /* the newline comes with every file */
    return 0;
}

static const struct {
    struct attribute attribute;
    formatter format;
    const char *member; /* of the record, for format_member */
} table[] = {
    {{"id", 0, false, false}, format_id, NULL},
    {{"name", 1, false, false}, format_name, NULL},
    {{"status", 2, true, false}, format_status, NULL},
    {{"description", 3, false, false}, format_member, "desc"},
    {{"platform", 4, false, false}, format_member, "platform"},
    {{"os_type", 5, false, false}, format_member, "osType"},
    {{"os_version", 6, false, false}, format_member, "osVersion"},
    {{"architecture", 7, false, false}, format_member, "architecture"},
    {{"size_mb", 8, false, false}, format_member, "sizeMB"},
    {{"system_disk_gb", 9, false, false}, format_member, "systemDiskSizeGB"},
    {{"root_device", 10, false, false}, format_member, "rootDeviceType"},
    {{"snapshot", 11, false, false}, format_snapshot, NULL},
    {{"created", 12, false, false}, format_member, "createTime"},
    {{"owner", 13, false, false}, format_owner, NULL},
    {{"exposure", 14, true, false}, format_exposure, NULL},
    {{"shareable", 15, true, false}, format_shareable, NULL},
    {{"quota", 16, true, false}, format_quota, NULL},
    {{"confirmed", 17, true, false}, format_confirmed, NULL},
    {{"last_refusal", 18, true, false}, format_refusal, NULL},
    {{"image.json", 19, true, false}, format_json, NULL},
    {{"trusted", 20, true, true}, format_trusted, NULL},
    {{"notice", 21, false, true}, format_notice, NULL},
};

#define ATTRIBUTES (sizeof(table) / sizeof(table[0]))

const struct attribute *attribute_at(size_t index)
{
    return index < ATTRIBUTES ? &table[index].attribute : NULL;
}

const struct attribute *attribute_find(const char *name)
{
    for (size_t i = 0; i < ATTRIBUTES; i++)
        if (strcmp(table[i].attribute.name, name) == 0)
            return &table[i].attribute;
    return NULL;
}

const struct attribute *attribute_by_number(unsigned number)
{
    for (size_t i = 0; i < ATTRIBUTES; i++)
        if (table[i].attribute.number == number)
            return &table[i].attribute;
    return NULL;
}

int attribute_open(struct catalog *catalog, struct view *view, int64_t row,
                   struct attribute_image *out)
{
    *out = (struct attribute_image){.catalog = catalog, .view = view};
    return view_record(view, row, &out->record);
}

void attribute_close(struct attribute_image *image)
{
    view_record_dispose(&image->record);
}

int attribute_format(struct attribute_image *image, const struct attribute *attribute,
                     struct buffer *out)
{
    size_t begin = out->length;

    for (size_t i = 0; i < ATTRIBUTES; i++) {
        if (&table[i].attribute != attribute)
            continue;
        int result = table[i].format(image, table[i].member, out);
        if (result < 0)
            return result;
        if (out->length > begin)
            buffer_puts(out, "\n");
        return buffer_failed(out) ? -ENOMEM : 0;
    }
    return -ENOENT;
}
