/* Import: an image's record into the stage. See import_reader.h. */
#include "core/store/import_reader.h"

#include "core/base/text.h"
#include "core/source/image_json.h"

#include <errno.h>
#include <string.h>

/* Finds the owner of an image. */
static int stage_owner(struct reader *reader, const char *pin, int64_t *account)
{
    int64_t listed = 0;

    if (reader->owner_account == 0 || strcmp(pin, reader->owner) != 0) {
        int result = reader_account(reader, pin, &reader->spots[STAGE_PLACE_OWNER],
                                    &reader->owner_account, &listed);
        if (result < 0)
            return result;
        (void)snprintf(reader->owner, sizeof(reader->owner), "%s", pin);
    }
    *account = reader->owner_account;
    return 0;
}

static int compare_pins(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

/* Whether one pin is there twice; all are strings. Sets *INDEX to the second one's. */
static int find_twice(const json_t *pins, bool *twice, size_t *index)
{
    size_t count = json_array_size(pins);
    CLEANUP_FREE const char **sorted = count > 1 ? calloc(count, sizeof(*sorted)) : NULL;
    const char *pin = NULL;

    *twice = false;
    if (count < 2)
        return 0;
    if (!sorted)
        return -ENOMEM;
    for (size_t i = 0; i < count; i++)
        sorted[i] = json_string_value(json_array_get(pins, i));
    qsort(sorted, count, sizeof(*sorted), compare_pins);
    for (size_t i = 1; i < count && !pin; i++)
        if (strcmp(sorted[i - 1], sorted[i]) == 0)
            pin = sorted[i];
    for (size_t i = 0, seen = 0; pin && i < count && !*twice; i++) {
        seen += strcmp(json_string_value(json_array_get(pins, i)), pin) == 0;
        *twice = seen == 2;
        *index = i;
    }
    return 0;
}

static int check_pins(struct reader *reader, const json_t *pins, const char *owner,
                      const struct image_json *image)
{
    bool twice = false;
    size_t index = 0;

    if (!pins)
        return 0;
    if (!json_is_array(pins))
        return reader_fault_member(reader, "pins", "pins must be an array of strings");
    if (json_array_size(pins) > 0 && image->released)
        return reader_fault_member(
            reader, "pins", "an image that is released to everyone is not shared with accounts");
    for (size_t i = 0; i < json_array_size(pins); i++) {
        const char *pin = json_string_value(json_array_get(pins, i));
        if (!pin)
            return reader_fault_element(reader, "pins", i, NULL,
                                        "pins must be an array of strings");
        if (!text_is_file_name(pin))
            return reader_fault_element(
                reader, "pins", i, pin,
                "cannot be a pin: 1 to 255 bytes without a slash, not . or ..");
        if (strcmp(pin, owner) == 0)
            return reader_fault_element(reader, "pins", i, pin, "is the image's owner");
    }
    int result = find_twice(pins, &twice, &index);
    if (result < 0)
        return import_stage_failed(reader->import, result);
    if (twice)
        return reader_fault_element(reader, "pins", index,
                                    json_string_value(json_array_get(pins, index)),
                                    "is there twice");
    return 0;
}

/* A time a minute ahead may come from another clock; more is a mistake. */
#define FUTURE_NS (60 * 1000000000LL)

static int check_times(struct reader *reader, const json_t *times, const json_t *pins)
{
    int64_t at_ns = 0;

    if (!times)
        return 0;
    if (!json_is_array(times) || json_array_size(times) != json_array_size(pins))
        return reader_fault_member(reader, "pinTimes",
                                   "pinTimes must be an array with a time for each pin");
    for (size_t i = 0; i < json_array_size(times); i++) {
        const char *time = json_string_value(json_array_get(times, i));
        if (!time || text_time_parse(time, &at_ns) < 0 || at_ns < 0)
            return reader_fault_element(
                reader, "pinTimes", i, NULL,
                "pinTimes must hold times like 2026-11-24T08:00:00.123456789Z");
        if (at_ns > text_now() + FUTURE_NS)
            return reader_fault_element(reader, "pinTimes", i, time, "is in the future");
    }
    return 0;
}

static int stage_shares(struct reader *reader, const json_t *pins, const json_t *times)
{
    struct import *import = reader->import;

    for (size_t i = 0; i < json_array_size(pins); i++) {
        CLEANUP_STATEMENT sqlite3_stmt *add = reader->statements[READER_ADD_SHARE];
        const char *time = json_string_value(json_array_get(times, i));
        int64_t account = 0;
        int64_t listed = 0;
        int64_t created_ns = 0;
        int result = reader_account(reader, json_string_value(json_array_get(pins, i)),
                                    &reader->spots[STAGE_PLACE_PINS], &account, &listed);
        if (result < 0)
            return result;
        if (time)
            result = text_time_parse(time, &created_ns);
        if (result == 0)
            result = statement_bind(add, time ? "iiii" : "iii", import->images, (int64_t)i, account,
                                    created_ns);
        if (result == 0)
            result = reader_run(reader, add);
        if (result < 0)
            return import_stage_failed(import, result);
        import->shares++;
    }
    return 0;
}

/* Decodes the value of ITEM; NULL where it is null. 0 or -ENOMEM. */
static int decode(const struct json_item *item, json_t **out)
{
    if (item->value[0] == 'n')
        return 0;
    *out = json_loadb(item->value, item->value_length, JSON_DECODE_ANY, NULL);
    return *out ? 0 : -ENOMEM;
}

static void add_member(struct buffer *record, const struct json_item *item)
{
    if (record->length > 1)
        buffer_puts(record, ",");
    buffer_add(record, item->key - 1, item->key_length + 2);
    buffer_puts(record, ":");
    json_compact(record, item->value, item->value_length);
}

/* Writes the record as it is kept: compact, in the order of the file, without pins and pinTimes,
 * which are decoded; and notes the places of what the checks will speak of. */
static int take_record(struct reader *reader, json_t **pins, json_t **times)
{
    const struct json_span *span = &reader->span;
    struct buffer *record = &reader->record;
    size_t offsets[STAGE_PLACES] = {0};
    struct json_item item;
    size_t position = 0;
    int result = 0;

    buffer_clear(record);
    buffer_puts(record, "{");
    while (result == 0 && json_item_next(span->text, span->length, &position, &item)) {
        if (json_item_is(&item, "pins")) {
            offsets[STAGE_PLACE_PINS] = item.at;
            result = decode(&item, pins);
            continue;
        }
        if (json_item_is(&item, "pinTimes")) {
            result = decode(&item, times);
            continue;
        }
        if (json_item_is(&item, "imageId"))
            offsets[STAGE_PLACE_ID] = item.at;
        else if (json_item_is(&item, "ownerPin"))
            offsets[STAGE_PLACE_OWNER] = item.at;
        add_member(record, &item);
    }
    buffer_puts(record, "}");
    for (size_t i = 0; i < STAGE_PLACES; i++) {
        struct json_place place;
        json_span_place(span, offsets[i], &place);
        reader->spots[i] = import_spot(&place);
    }
    if (buffer_failed(record))
        result = -ENOMEM;
    return result < 0 ? import_stage_failed(reader->import, result) : 0;
}

/* Puts an image that was checked into the stage. */
static int stage_image(struct reader *reader, const struct image_json *image, const char *owner,
                       const json_t *pins)
{
    struct import *import = reader->import;
    CLEANUP_STATEMENT sqlite3_stmt *add = reader->statements[READER_ADD_IMAGE];
    int64_t shares = (int64_t)json_array_size(pins);
    int64_t account = 0;
    int result = stage_owner(reader, owner, &account);

    if (result < 0)
        return result;
    import->images++;
    import->weight += STAGE_WEIGHT_IMAGE + shares * STAGE_WEIGHT_SHARE +
                      (int64_t)reader->record.length / STAGE_WEIGHT_BYTES;
    result = statement_bind(add, "iiiiiiii", import->images, import->weight, (int64_t)reader->file,
                            account, (int64_t)image->status, (int64_t)image->released,
                            (int64_t)image->snapshots, shares);
    if (result == 0 &&
        (sqlite3_bind_blob(add, 9, reader->spots, (int)sizeof(reader->spots), SQLITE_STATIC) ||
         sqlite3_bind_text(add, 10, image->id, -1, SQLITE_STATIC) ||
         sqlite3_bind_text(add, 11, image->name, -1, SQLITE_STATIC) ||
         sqlite3_bind_text(add, 12, buffer_text(&reader->record), (int)reader->record.length,
                           SQLITE_STATIC)))
        result = -ENOMEM;
    if (result == 0)
        result = reader_run(reader, add);
    return result < 0 ? import_stage_failed(import, result) : 0;
}

int reader_take_image(struct reader *reader)
{
    CLEANUP_IMAGE_JSON struct image_json image = {0};
    CLEANUP_JSON json_t *pins = NULL;
    CLEANUP_JSON json_t *times = NULL;
    struct image_json_fault fault = {0};
    int result = image_json_read(reader->span.text, reader->span.length, &image, &fault);

    if (result == -EINVAL)
        return reader_fault_member(reader, fault.member, fault.why);
    if (result < 0)
        return import_stage_failed(reader->import, result);
    const char *owner = image.owner ? image.owner : reader->import->options->owner;
    if (!owner)
        return reader_fault_member(reader, NULL,
                                   "ownerPin is missing; name the owner with --owner PIN");
    if (!text_is_file_name(owner))
        return reader_fault_member(reader, "ownerPin",
                                   "ownerPin must be 1 to 255 bytes without a slash, not . or ..");
    result = take_record(reader, &pins, &times);
    if (result == 0)
        result = check_pins(reader, pins, owner, &image);
    if (result == 0)
        result = check_times(reader, times, pins);
    if (result == 0)
        result = stage_image(reader, &image, owner, pins);
    if (result == 0)
        result = stage_shares(reader, pins, times);
    return result;
}
