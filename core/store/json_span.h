/*
 * Framing of JSON: cuts a stream of bytes into values, one at a time, so that a file of any length
 * is read in the memory of its largest value.
 *
 * It finds where values begin and end, and where they are; what is inside one is for a decoder to
 * judge. The stream may hold, in any order and with any white space between:
 *
 *   values one after the other     {...} {...}
 *   lists of them                  [{...}, {...}]
 *   answers of describeImages      {"requestId": "...", "result": {"images": [{...}, {...}]}}
 *                                  {"images": [{...}, {...}]}
 *
 * Of an answer, the elements of "images" come first; then comes the frame: the object around them,
 * with the list cut down to [].
 */
#ifndef CORE_STORE_JSON_SPAN_H
#define CORE_STORE_JSON_SPAN_H

#include "core/base/buffer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A place in a file, from 1; columns count characters. */
struct json_place {
    int64_t line, column;
};

/* What is wrong with a stream, and where. */
struct json_fault {
    struct json_place place;
    char why[200];
};

enum json_span_kind {
    JSON_SPAN_VALUE,
    JSON_SPAN_FRAME,
};

/* One value. TEXT is the scanner's, and valid until the next one is asked for. */
struct json_span {
    enum json_span_kind kind;
    const char *text;
    size_t length;
    struct json_place begin;
    size_t hole;             /* of a frame: offset behind the ] of the list */
    struct json_place after; /* of a frame: the place of that offset */
};

/* Reads up to SIZE bytes. Returns their number, 0 at the end, or a negative errno. */
typedef ssize_t (*json_read)(void *context, char *bytes, size_t size);

struct json_scanner; /* of one thread at a time */

/* A scanner of what READ gives; no value may be longer than MAXIMUM bytes. NULL without memory; to
 * be freed by json_scanner_free(). */
struct json_scanner *json_scanner_new(json_read read, void *context, size_t maximum);
void json_scanner_free(struct json_scanner *scanner);

/* The next value. Returns 1 with *OUT set, 0 at the end of the stream, -EINVAL with *FAULT set, or
 * another negative errno where reading failed. After a failure there is no next value. */
int json_scanner_next(struct json_scanner *scanner, struct json_span *out,
                      struct json_fault *fault) MUST_CHECK;

/* The place of byte OFFSET of SPAN (at most its length). */
void json_span_place(const struct json_span *span, size_t offset, struct json_place *out);

#endif
