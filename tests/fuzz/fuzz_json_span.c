/*
 * The framing of JSON: a stream is cut into the same values wherever its reads end, and what a
 * decoder takes is walked through as the decoder has it.
 */
#include "core/store/json_span.h"

#include "core/store/json_plain.h"
#include "core/store/json_text.h"
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

/* A value may be no longer than this, so that the bound is met. */
#define VALUE_MAX 1024

struct stream {
    const uint8_t *data;
    size_t size, at;
    size_t most; /* bytes a read */
};

static ssize_t read_some(void *context, char *bytes, size_t size)
{
    struct stream *stream = context;
    size_t count = stream->size - stream->at;

    count = count < stream->most ? count : stream->most;
    count = count < size ? count : size;
    if (count > 0)
        memcpy(bytes, stream->data + stream->at, count);
    stream->at += count;
    return (ssize_t)count;
}

/* The place of byte AT of the stream. A byte order mark is no character. */
static bool is_place(const struct stream *stream, const struct json_place *place)
{
    struct json_place at = {.line = 1, .column = 1};
    size_t i = stream->size >= 3 && memcmp(stream->data, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;

    for (; i < stream->size; i++) {
        if (at.line == place->line && at.column == place->column)
            return true;
        if (stream->data[i] == '\n')
            at = (struct json_place){.line = at.line + 1, .column = 1};
        else if ((stream->data[i] & 0xc0) != 0x80)
            at.column++;
    }
    return at.line == place->line && at.column == place->column;
}

static void walk(const char *text, size_t length, const json_t *json)
{
    struct json_item item = {0};
    size_t position = 0;
    size_t count = 0;

    while (json_item_next(text, length, &position, &item)) {
        REQUIRE(item.value >= text && item.value_length > 0 &&
                item.value + item.value_length <= text + length);
        REQUIRE(item.at < length);
        json_t *value = json_loadb(item.value, item.value_length, JSON_DECODE_ANY, NULL);
        REQUIRE(value);
        if (json_is_array(json)) {
            REQUIRE(!item.key);
            REQUIRE(json_equal(value, json_array_get(json, count)));
        } else {
            REQUIRE(item.key && text[item.at] == '"' && item.key == text + item.at + 1);
            json_t *key = json_loadb(item.key - 1, item.key_length + 2, JSON_DECODE_ANY, NULL);
            REQUIRE(json_is_string(key) && json_item_is(&item, json_string_value(key)));
            REQUIRE(!json_item_is(&item, "no such member"));
            REQUIRE(json_equal(value, json_object_get(json, json_string_value(key))));
            json_decref(key);
        }
        json_decref(value);
        count++;
    }
    REQUIRE(count == (json_is_array(json) ? json_array_size(json) : json_object_size(json)));
}

/* What a decoder says of a value, and what it says of it in its compact form, is the same. */
static void look_inside(const struct json_span *span)
{
    CLEANUP_BUFFER struct buffer compact = BUFFER_INIT(VALUE_MAX);
    json_t *json =
        json_loadb(span->text, span->length, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);

    REQUIRE(json || !json_is_plain(span->text, span->length));
    if (!json)
        return;
    if (memchr(span->text, '\0', span->length)) { /* see fuzz_record.c */
        json_decref(json);
        return;
    }
    if (json_is_array(json) || json_is_object(json))
        walk(span->text, span->length, json);
    json_compact(&compact, span->text, span->length);
    REQUIRE(!buffer_failed(&compact) && compact.length <= span->length);
    json_t *same = json_loadb(buffer_text(&compact), compact.length, JSON_DECODE_ANY, NULL);
    REQUIRE(same && json_equal(json, same));
    json_decref(same);
    json_decref(json);
}

/* What came of a stream. */
struct outcome {
    struct buffer values; /* a line each */
    struct json_fault fault;
    int result;
};

/* Scans DATA, read MOST bytes at a time. */
static void scan(const uint8_t *data, size_t size, size_t most, struct outcome *out)
{
    struct stream stream = {.data = data, .size = size, .most = most};
    struct json_scanner *scanner = json_scanner_new(read_some, &stream, VALUE_MAX);
    struct json_span span = {0};

    *out = (struct outcome){.values = BUFFER_INIT((size_t)1 << 22)};
    REQUIRE(scanner);
    while ((out->result = json_scanner_next(scanner, &span, &out->fault)) == 1) {
        struct json_place place = {0};
        REQUIRE(span.length > 0 && span.length <= VALUE_MAX);
        REQUIRE(span.kind == JSON_SPAN_VALUE || span.hole <= span.length);
        REQUIRE(is_place(&stream, &span.begin));
        json_span_place(&span, span.length, &place);
        REQUIRE(is_place(&stream, &place));
        json_span_place(&span, 0, &place);
        REQUIRE(place.line == span.begin.line && place.column == span.begin.column);
        look_inside(&span);
        buffer_printf(&out->values, "%d %lld:%lld ", (int)span.kind, (long long)span.begin.line,
                      (long long)span.begin.column);
        buffer_add(&out->values, span.text, span.length);
        buffer_puts(&out->values, "\n");
    }
    REQUIRE(out->result == 0 || out->result == -EINVAL);
    if (out->result < 0) {
        fuzz_require_printable(out->fault.why);
        REQUIRE(out->fault.why[0] && is_place(&stream, &out->fault.place));
    }
    json_scanner_free(scanner);
}

static bool is_too_long(const struct outcome *outcome)
{
    return strstr(outcome->fault.why, "longer than") != NULL;
}

static void compare(const struct outcome *whole, const struct outcome *part)
{
    REQUIRE(part->result == whole->result);
    REQUIRE(part->values.length == whole->values.length &&
            memcmp(buffer_text(&part->values), buffer_text(&whole->values), whole->values.length) ==
                0);
    /* Of a value that is too long, and wrong besides, either may be said. */
    if (whole->result == 0 || is_too_long(whole) || is_too_long(part))
        return;
    REQUIRE(strcmp(part->fault.why, whole->fault.why) == 0);
    REQUIRE(part->fault.place.line == whole->fault.place.line &&
            part->fault.place.column == whole->fault.place.column);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const size_t most[] = {1, 3, 7};
    struct outcome whole;

    scan(data, size, SIZE_MAX, &whole);
    for (size_t i = 0; i < sizeof(most) / sizeof(most[0]); i++) {
        struct outcome part;
        scan(data, size, most[i], &part);
        compare(&whole, &part);
        buffer_dispose(&part.values);
    }
    buffer_dispose(&whole.values);
    return 0;
}
