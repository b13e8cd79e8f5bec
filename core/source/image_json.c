/* An image's record in JSON: see the header. */
#include "core/source/image_json.h"

#include "core/base/text.h"
#include "core/store/json_text.h"

#include <errno.h>
#include <string.h>

/* Members that must have a certain type where they are there and not null. */
enum member {
    MEMBER_ID,
    MEMBER_NAME,
    MEMBER_DESCRIPTION,
    MEMBER_PLATFORM,
    MEMBER_OS_TYPE,
    MEMBER_OS_VERSION,
    MEMBER_ARCHITECTURE,
    MEMBER_SOURCE,
    MEMBER_STATUS,
    MEMBER_PERMISSION,
    MEMBER_OWNER,
    MEMBER_CREATED,
    MEMBER_SIZE,
    MEMBER_DISK_SIZE,
    MEMBER_ROOT_DEVICE,
    MEMBER_SNAPSHOT,
    MEMBER_SYSTEM_DISK,
    MEMBER_DATA_DISKS,

    MEMBERS
};

enum type {
    TYPE_STRING,
    TYPE_INTEGER,
    TYPE_OBJECT,
    TYPE_ARRAY,
    TYPE_OTHER,
};

static const char *const type_names[] = {
    [TYPE_STRING] = "a string",
    [TYPE_INTEGER] = "a whole number",
    [TYPE_OBJECT] = "an object",
    [TYPE_ARRAY] = "an array",
};

static const struct {
    const char *name;
    enum type type;
} members[MEMBERS] = {
    [MEMBER_ID] = {"imageId", TYPE_STRING},
    [MEMBER_NAME] = {"name", TYPE_STRING},
    [MEMBER_DESCRIPTION] = {"desc", TYPE_STRING},
    [MEMBER_PLATFORM] = {"platform", TYPE_STRING},
    [MEMBER_OS_TYPE] = {"osType", TYPE_STRING},
    [MEMBER_OS_VERSION] = {"osVersion", TYPE_STRING},
    [MEMBER_ARCHITECTURE] = {"architecture", TYPE_STRING},
    [MEMBER_SOURCE] = {"imageSource", TYPE_STRING},
    [MEMBER_STATUS] = {"status", TYPE_STRING},
    [MEMBER_PERMISSION] = {"launchPermission", TYPE_STRING},
    [MEMBER_OWNER] = {"ownerPin", TYPE_STRING},
    [MEMBER_CREATED] = {"createTime", TYPE_STRING},
    [MEMBER_SIZE] = {"sizeMB", TYPE_INTEGER},
    [MEMBER_DISK_SIZE] = {"systemDiskSizeGB", TYPE_INTEGER},
    [MEMBER_ROOT_DEVICE] = {"rootDeviceType", TYPE_STRING},
    [MEMBER_SNAPSHOT] = {"snapshotId", TYPE_STRING},
    [MEMBER_SYSTEM_DISK] = {"systemDisk", TYPE_OBJECT},
    [MEMBER_DATA_DISKS] = {"dataDisks", TYPE_ARRAY},
};

void image_json_dispose(struct image_json *image)
{
    free(STEAL(image->id));
    free(STEAL(image->name));
    free(STEAL(image->owner));
}

static int fault_at(struct image_json_fault *fault, const char *member, const char *why)
{
    fault->member = member;
    (void)snprintf(fault->why, sizeof(fault->why), "%s", why);
    return -EINVAL;
}

/* ITEM is one that is there. */
static enum type type_of(const struct json_item *item)
{
    switch (item->value[0]) {
    case '"':
        return TYPE_STRING;
    case '{':
        return TYPE_OBJECT;
    case '[':
        return TYPE_ARRAY;
    case 't':
    case 'f':
    case 'n':
        return TYPE_OTHER;
    default:
        for (size_t i = 0; i < item->value_length; i++)
            if (strchr(".eE", item->value[i]))
                return TYPE_OTHER;
        return TYPE_INTEGER;
    }
}

static bool is_string(const struct json_item *item)
{
    return item->value && type_of(item) == TYPE_STRING;
}

static bool is_true(const struct json_item *item)
{
    return item->value && item->value[0] == 't';
}

/* A string that is not empty. */
static bool is_named(const struct json_item *item)
{
    return is_string(item) && item->value_length > 2;
}

/* The members of RECORD that are known here; one that is null is none. */
static void collect(const char *record, size_t length, struct json_item items[MEMBERS])
{
    struct json_item item;
    size_t position = 0;

    memset(items, 0, MEMBERS * sizeof(items[0]));
    while (json_item_next(record, length, &position, &item)) {
        size_t i = 0;
        while (i < MEMBERS && !json_item_is(&item, members[i].name))
            i++;
        if (i < MEMBERS && item.value[0] != 'n')
            items[i] = item;
    }
}

/* Member NAME of OBJECT, empty where there is none. */
static struct json_item member_of(const struct json_item *object, const char *name)
{
    struct json_item item = {0};

    if (object->value)
        (void)json_find(object->value, object->value_length, name, &item);
    return item;
}

/* The snapshot that a disk references; no string, or an empty one, where it has none. */
static struct json_item disk_snapshot(const struct json_item *disk)
{
    struct json_item cloud = member_of(disk, "cloudDisk");

    return member_of(&cloud, "snapshotId");
}

/* Documents write it in two ways. */
static bool disk_is_encrypted(const struct json_item *disk)
{
    struct json_item cloud = member_of(disk, "cloudDisk");
    struct json_item encrypted = member_of(&cloud, "encrypted");
    struct json_item encrypt = member_of(&cloud, "encrypt");

    return is_true(&encrypted) || is_true(&encrypt);
}

/* The bits of a disk, of which SNAPSHOT is one. */
static unsigned disk_bits(const struct json_item *disk, const struct json_item *snapshot)
{
    if (!is_named(snapshot))
        return 0;
    return IMAGE_HAS_SNAPSHOT | (disk_is_encrypted(disk) ? IMAGE_HAS_ENCRYPTED : 0U);
}

/* The disk behind *POSITION of DISKS. */
static bool next_disk(const struct json_item *disks, size_t *position, struct json_item *disk)
{
    return disks->value && disks->value[0] == '[' &&
           json_item_next(disks->value, disks->value_length, position, disk);
}

static unsigned record_snapshots(const struct json_item items[MEMBERS])
{
    const struct json_item *system = &items[MEMBER_SYSTEM_DISK];
    struct json_item snapshot = disk_snapshot(system);
    struct json_item disk;
    size_t position = 0;
    unsigned bits = disk_bits(system, &snapshot) | disk_bits(system, &items[MEMBER_SNAPSHOT]);

    while (next_disk(&items[MEMBER_DATA_DISKS], &position, &disk)) {
        snapshot = disk_snapshot(&disk);
        bits |= disk_bits(&disk, &snapshot);
    }
    return bits;
}

/* The string of ITEM; NULL where it is none. 0 or -ENOMEM. */
static int take_string(const struct json_item *item, char **out)
{
    *out = is_string(item) ? json_item_string(item) : NULL;
    return *out || !is_string(item) ? 0 : -ENOMEM;
}

/* All of ITEMS but the status, which is as it is written; NULL where it is no string. */
static int take(const struct json_item items[MEMBERS], struct image_json *out, char **status)
{
    CLEANUP_FREE char *permission = NULL;

    if (take_string(&items[MEMBER_ID], &out->id) < 0 ||
        take_string(&items[MEMBER_NAME], &out->name) < 0 ||
        take_string(&items[MEMBER_OWNER], &out->owner) < 0 ||
        take_string(&items[MEMBER_STATUS], status) < 0 ||
        take_string(&items[MEMBER_PERMISSION], &permission) < 0)
        return -ENOMEM;
    if (!out->name)
        out->name = strdup("");
    out->released = permission && strcmp(permission, "all") == 0;
    out->snapshots = record_snapshots(items);
    return out->name ? 0 : -ENOMEM;
}

static int check_types(const struct json_item items[MEMBERS], struct image_json_fault *fault)
{
    for (size_t i = 0; i < MEMBERS; i++) {
        if (items[i].value && type_of(&items[i]) != members[i].type) {
            fault->member = members[i].name;
            (void)snprintf(fault->why, sizeof(fault->why), "%s must be %s", members[i].name,
                           type_names[members[i].type]);
            return -EINVAL;
        }
    }
    return 0;
}

int image_json_take(const char *record, size_t length, struct image_json *out)
{
    struct json_item items[MEMBERS];
    CLEANUP_FREE char *status = NULL;

    *out = (struct image_json){0};
    if (record[0] != '{')
        return -EINVAL;
    collect(record, length, items);
    int result = take(items, out, &status);
    if (result < 0)
        return result;
    if (!status || rules_status_parse(status, &out->status) < 0)
        out->status = IMAGE_PENDING;
    return out->id && text_is_file_name(out->id) ? 0 : -EINVAL;
}

int image_json_read(const char *record, size_t length, struct image_json *out,
                    struct image_json_fault *fault)
{
    struct json_item items[MEMBERS];
    CLEANUP_FREE char *status = NULL;

    *out = (struct image_json){0};
    if (record[0] != '{')
        return fault_at(fault, NULL, "an image must be an object");
    collect(record, length, items);
    int result = check_types(items, fault);
    if (result == 0)
        result = take(items, out, &status);
    if (result < 0)
        return result;
    if (!out->id)
        return fault_at(fault, NULL, "imageId is missing");
    if (!text_is_file_name(out->id))
        return fault_at(fault, "imageId",
                        "imageId must be 1 to 255 bytes of UTF-8 without a slash, not . or ..");
    if (!status)
        return fault_at(fault, NULL, "status is missing");
    if (rules_status_parse(status, &out->status) < 0)
        return fault_at(fault, "status", "status must be ready, pending, deleting or error");
    return 0;
}

/* Appends the string of ITEM, escaped. */
static void add_string(struct buffer *out, const struct json_item *item)
{
    CLEANUP_FREE char *text = json_item_string(item);

    if (text)
        text_escape(out, text);
    else
        out->failed = true;
}

void image_json_snapshot(const char *record, size_t length, struct buffer *out)
{
    struct json_item items[MEMBERS];
    struct json_item disk;
    size_t position = 0;

    collect(record, length, items);
    struct json_item snapshot = items[MEMBER_SNAPSHOT];
    if (!is_named(&snapshot))
        snapshot = disk_snapshot(&items[MEMBER_SYSTEM_DISK]);
    while (!is_named(&snapshot) && next_disk(&items[MEMBER_DATA_DISKS], &position, &disk))
        snapshot = disk_snapshot(&disk);
    if (is_named(&snapshot))
        add_string(out, &snapshot);
}

void image_json_text(const char *record, size_t length, const char *name, struct buffer *out)
{
    struct json_item item;

    if (!json_find(record, length, name, &item))
        return;
    if (type_of(&item) == TYPE_STRING)
        add_string(out, &item);
    else if (type_of(&item) == TYPE_INTEGER)
        buffer_add(out, item.value, item.value_length);
}
