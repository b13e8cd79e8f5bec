/*
 * An image's record, as text: what is read from it member by member is what a decoder has, and what
 * is taken to be well-formed at sight is what a decoder takes.
 */
#include "core/source/image_json.h"

#include "core/base/text.h"
#include "core/store/json_plain.h"
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

#define TEXT_MAX ((size_t)1 << 20)

/* --- the same, by the decoder --- */

static const char *text_of(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

static const char *disk_snapshot(const json_t *disk)
{
    const char *snapshot = text_of(json_object_get(disk, "cloudDisk"), "snapshotId");

    return snapshot && *snapshot ? snapshot : NULL;
}

static bool is_encrypted(const json_t *disk)
{
    const json_t *cloud = json_object_get(disk, "cloudDisk");

    return json_is_true(json_object_get(cloud, "encrypted")) ||
           json_is_true(json_object_get(cloud, "encrypt"));
}

/* The first snapshot of RECORD, "" if there is none, and its bits. */
static const char *snapshot_of(const json_t *record, unsigned *bits)
{
    const json_t *disks = json_object_get(record, "dataDisks");
    const json_t *disk = json_object_get(record, "systemDisk");
    const char *first = text_of(record, "snapshotId");

    *bits = 0;
    first = first && *first ? first : NULL;
    for (size_t i = 0; i <= json_array_size(disks); i++) {
        const char *snapshot = disk_snapshot(disk);
        if (snapshot || (i == 0 && first))
            *bits |= IMAGE_HAS_SNAPSHOT | (is_encrypted(disk) ? IMAGE_HAS_ENCRYPTED : 0U);
        if (!first)
            first = snapshot;
        disk = json_array_get(disks, i);
    }
    return first ? first : "";
}

static void require_same(const char *left, const char *right)
{
    REQUIRE(!left == !right);
    REQUIRE(!left || strcmp(left, right) == 0);
}

/* --- what there is of it --- */

static void look_at_members(const char *text, size_t length, const json_t *record)
{
    const char *name = NULL;
    json_t *value = NULL;

    json_object_foreach ((json_t *)(uintptr_t)record, name, value) {
        CLEANUP_BUFFER struct buffer shown = BUFFER_INIT(TEXT_MAX);
        CLEANUP_BUFFER struct buffer wanted = BUFFER_INIT(TEXT_MAX);
        image_json_text(text, length, name, &shown);
        fuzz_require_printable(buffer_text(&shown));
        if (json_is_string(value))
            text_escape(&wanted, json_string_value(value));
        /* As it is written: -0 stays so. */
        if (json_is_integer(value))
            REQUIRE(strtoll(buffer_text(&shown), NULL, 10) == json_integer_value(value));
        else
            REQUIRE(strcmp(buffer_text(&shown), buffer_text(&wanted)) == 0);
    }
}

static void look_at(const char *text, size_t length, const json_t *record)
{
    CLEANUP_IMAGE_JSON struct image_json taken = {0};
    CLEANUP_IMAGE_JSON struct image_json read = {0};
    CLEANUP_BUFFER struct buffer shown = BUFFER_INIT(TEXT_MAX);
    CLEANUP_BUFFER struct buffer wanted = BUFFER_INIT(TEXT_MAX);
    struct image_json_fault fault = {0};
    enum image_status status = IMAGE_PENDING;
    unsigned bits = 0;
    const char *id = text_of(record, "imageId");
    const char *name = text_of(record, "name");
    const char *permission = text_of(record, "launchPermission");
    const char *word = text_of(record, "status");
    int result = image_json_take(text, length, &taken);

    REQUIRE(result == (id && text_is_file_name(id) ? 0 : -EINVAL));
    require_same(taken.id, id);
    require_same(taken.name, name ? name : "");
    require_same(taken.owner, text_of(record, "ownerPin"));
    text_escape(&wanted, snapshot_of(record, &bits));
    REQUIRE(taken.snapshots == bits);
    REQUIRE(taken.released == (permission && strcmp(permission, "all") == 0));
    bool known = word && rules_status_parse(word, &status) == 0;
    REQUIRE(taken.status == (known ? status : IMAGE_PENDING));
    image_json_snapshot(text, length, &shown);
    REQUIRE(strcmp(buffer_text(&shown), buffer_text(&wanted)) == 0);

    /* Who wants all of it to be right takes the same, or says what is wrong. */
    if (image_json_read(text, length, &read, &fault) < 0) {
        fuzz_require_printable(fault.why);
        REQUIRE(fault.why[0]);
        return;
    }
    REQUIRE(result == 0 && known && read.status == status);
    require_same(read.id, id);
    require_same(read.name, taken.name);
    require_same(read.owner, taken.owner);
    REQUIRE(read.released == taken.released && read.snapshots == taken.snapshots);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    bool plain = json_is_plain(text, size);
    json_t *record = json_loadb(text, size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);

    REQUIRE(record || !plain);
    /* The scanner gives a value without the white space before it, and who reads a file refuses a
     * NUL, which the decoder passes over behind a number. */
    if (json_is_object(record) && text[0] == '{' && !memchr(text, '\0', size)) {
        look_at(text, size, record);
        look_at_members(text, size, record);
    }
    json_decref(record);
    return 0;
}
