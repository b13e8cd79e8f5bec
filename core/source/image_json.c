/* An image's record in JSON: see the header. */
#include "core/source/image_json.h"

#include <errno.h>
#include <string.h>

/* Members that must have a certain type where they are there and not null. */
static const struct {
    const char *name;
    json_type type;
    const char *type_name;
} members[] = {
    {"imageId", JSON_STRING, "a string"},
    {"name", JSON_STRING, "a string"},
    {"desc", JSON_STRING, "a string"},
    {"platform", JSON_STRING, "a string"},
    {"osType", JSON_STRING, "a string"},
    {"osVersion", JSON_STRING, "a string"},
    {"architecture", JSON_STRING, "a string"},
    {"imageSource", JSON_STRING, "a string"},
    {"status", JSON_STRING, "a string"},
    {"launchPermission", JSON_STRING, "a string"},
    {"ownerPin", JSON_STRING, "a string"},
    {"createTime", JSON_STRING, "a string"},
    {"sizeMB", JSON_INTEGER, "a whole number"},
    {"systemDiskSizeGB", JSON_INTEGER, "a whole number"},
    {"rootDeviceType", JSON_STRING, "a string"},
    {"snapshotId", JSON_STRING, "a string"},
    {"systemDisk", JSON_OBJECT, "an object"},
    {"dataDisks", JSON_ARRAY, "an array"},
};

static int fault_at(struct image_json_fault *fault, const char *member, const char *why)
{
    fault->member = member;
    (void)snprintf(fault->why, sizeof(fault->why), "%s", why);
    return -EINVAL;
}

/* Member NAME as a string, NULL where it is absent, null or none. */
static const char *text_of(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

/* The snapshot that a disk references, or NULL. */
static const char *disk_snapshot(const json_t *disk)
{
    const char *snapshot = text_of(json_object_get(disk, "cloudDisk"), "snapshotId");

    return snapshot && *snapshot ? snapshot : NULL;
}

/* Adds the disk's bits; documents write the encryption in two ways. */
static unsigned disk_bits(const json_t *disk)
{
    const json_t *cloud = json_object_get(disk, "cloudDisk");
    bool encrypted = json_is_true(json_object_get(cloud, "encrypted")) ||
                     json_is_true(json_object_get(cloud, "encrypt"));

    if (!disk_snapshot(disk))
        return 0;
    return IMAGE_HAS_SNAPSHOT | (encrypted ? IMAGE_HAS_ENCRYPTED : 0U);
}

static unsigned record_snapshots(const json_t *record)
{
    const char *snapshot = text_of(record, "snapshotId");
    const json_t *disks = json_object_get(record, "dataDisks");
    unsigned bits = disk_bits(json_object_get(record, "systemDisk"));

    if (snapshot && *snapshot) {
        const json_t *cloud = json_object_get(json_object_get(record, "systemDisk"), "cloudDisk");
        bits |= IMAGE_HAS_SNAPSHOT;
        if (json_is_true(json_object_get(cloud, "encrypted")) ||
            json_is_true(json_object_get(cloud, "encrypt")))
            bits |= IMAGE_HAS_ENCRYPTED;
    }
    for (size_t i = 0; i < json_array_size(disks); i++)
        bits |= disk_bits(json_array_get(disks, i));
    return bits;
}

const char *image_json_snapshot(const json_t *record)
{
    const char *snapshot = text_of(record, "snapshotId");
    const json_t *disks = json_object_get(record, "dataDisks");

    if (!snapshot || !*snapshot)
        snapshot = disk_snapshot(json_object_get(record, "systemDisk"));
    for (size_t i = 0; !snapshot && i < json_array_size(disks); i++)
        snapshot = disk_snapshot(json_array_get(disks, i));
    return snapshot ? snapshot : "";
}

static int check_types(const json_t *record, struct image_json_fault *fault)
{
    for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
        const json_t *value = json_object_get(record, members[i].name);
        if (value && !json_is_null(value) && json_typeof(value) != members[i].type) {
            fault->member = members[i].name;
            (void)snprintf(fault->why, sizeof(fault->why), "%s must be %s", members[i].name,
                           members[i].type_name);
            return -EINVAL;
        }
    }
    return 0;
}

int image_json_take(const json_t *record, struct image_json *out)
{
    const char *status = text_of(record, "status");
    const char *name = text_of(record, "name");
    const char *permission = text_of(record, "launchPermission");

    *out = (struct image_json){
        .id = text_of(record, "imageId"),
        .name = name ? name : "",
        .owner = text_of(record, "ownerPin"),
        .released = permission && strcmp(permission, "all") == 0,
        .snapshots = record_snapshots(record),
    };
    if (!status || rules_status_parse(status, &out->status) < 0)
        out->status = IMAGE_PENDING;
    return out->id && text_is_file_name(out->id) ? 0 : -EINVAL;
}

int image_json_read(const json_t *record, struct image_json *out, struct image_json_fault *fault)
{
    memset(out, 0, sizeof(*out));
    if (!json_is_object(record))
        return fault_at(fault, NULL, "an image must be an object");
    int result = check_types(record, fault);
    if (result < 0)
        return result;
    out->id = text_of(record, "imageId");
    if (!out->id)
        return fault_at(fault, NULL, "imageId is missing");
    if (!text_is_file_name(out->id))
        return fault_at(fault, "imageId",
                        "imageId must be 1 to 255 bytes of UTF-8 without a slash, not . or ..");
    out->name = text_of(record, "name");
    if (!out->name)
        out->name = "";
    out->owner = text_of(record, "ownerPin");
    const char *status = text_of(record, "status");
    if (!status)
        return fault_at(fault, NULL, "status is missing");
    if (rules_status_parse(status, &out->status) < 0)
        return fault_at(fault, "status", "status must be ready, pending, deleting or error");
    const char *permission = text_of(record, "launchPermission");
    out->released = permission && strcmp(permission, "all") == 0;
    out->snapshots = record_snapshots(record);
    return 0;
}

void image_json_text(const json_t *record, const char *name, struct buffer *out)
{
    const json_t *value = json_object_get(record, name);

    if (json_is_string(value))
        text_escape(out, json_string_value(value));
    else if (json_is_integer(value))
        buffer_printf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
}
