/*
 * Reading of JSON from its text: who needs a few members of a record need not have all of it
 * decoded.
 *
 * The text is one that a decoder has accepted and that holds no NUL, or json_is_plain().
 */
#ifndef CORE_STORE_JSON_TEXT_H
#define CORE_STORE_JSON_TEXT_H

#include "core/base/buffer.h"

#include <stdbool.h>
#include <stddef.h>

static inline bool json_is_space(char byte)
{
    return byte == ' ' || byte == '\n' || byte == '\r' || byte == '\t';
}

/* A member of an object's text, or an element of an array's. */
struct json_item {
    const char *key; /* raw, between its quotes; NULL of an element */
    size_t key_length;
    const char *value; /* raw, without white space around it; its first byte tells what it is */
    size_t value_length;
    size_t at; /* offset of the key's quote, or of the element */
};

/* Walks through the members or elements of TEXT, an object or array. *POSITION is 0 before the
 * first. Returns false behind the last. */
bool json_item_next(const char *text, size_t length, size_t *position, struct json_item *out);

/* Whether the key of ITEM means NAME, however it is escaped. */
bool json_item_is(const struct json_item *item, const char *name);

/* Member NAME of TEXT. False, with *OUT empty, where TEXT is no object or has none. */
bool json_find(const char *text, size_t length, const char *name, struct json_item *out);

/* What the value of ITEM, a string, means; to be freed. NULL without memory. */
char *json_item_string(const struct json_item *item) MUST_CHECK;

/* Appends TEXT without the white space between its tokens. */
void json_compact(struct buffer *out, const char *text, size_t length);

#endif
