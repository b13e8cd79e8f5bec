/* Reading of JSON from its text: see the header. */
#include "core/store/json_text.h"

#include <jansson.h>
#include <string.h>

static size_t skip_space(const char *text, size_t length, size_t at)
{
    while (at < length && json_is_space(text[at]))
        at++;
    return at;
}

/* The offset behind the string whose opening quote is at AT. */
static size_t skip_string(const char *text, size_t length, size_t at)
{
    for (at++; at < length && text[at] != '"'; at++)
        if (text[at] == '\\')
            at++;
    return at < length ? at + 1 : length;
}

/* The offset behind the value that begins at AT. */
static size_t skip_value(const char *text, size_t length, size_t at)
{
    size_t depth = 0;

    while (at < length) {
        char byte = text[at];
        if (byte == '"') {
            at = skip_string(text, length, at);
            if (depth == 0)
                return at;
            continue;
        }
        if (depth == 0 && (byte == ',' || byte == '}' || byte == ']' || json_is_space(byte)))
            return at;
        at++;
        if (byte == '{' || byte == '[')
            depth++;
        else if ((byte == '}' || byte == ']') && --depth == 0)
            return at;
    }
    return length;
}

bool json_item_next(const char *text, size_t length, size_t *position, struct json_item *out)
{
    size_t at = *position;

    if (at == 0)
        at = skip_space(text, length, 0);
    if (at >= length)
        return false;
    bool object = text[skip_space(text, length, 0)] == '{';
    /* AT is the bracket, or the comma before the next, or the closing bracket. */
    if (text[at] == '}' || text[at] == ']')
        return false;
    at = skip_space(text, length, at + 1);
    if (at >= length || text[at] == '}' || text[at] == ']')
        return false;

    *out = (struct json_item){.at = at};
    if (object) {
        size_t end = skip_string(text, length, at);
        out->key = text + at + 1;
        out->key_length = end - at - 2;
        at = skip_space(text, length, end);
        at = skip_space(text, length, at + 1); /* the colon */
        if (at >= length)
            return false;
    }
    size_t end = skip_value(text, length, at);
    out->value = text + at;
    out->value_length = end - at;
    *position = skip_space(text, length, end);
    return true;
}

bool json_item_is(const struct json_item *item, const char *name)
{
    size_t length = strlen(name);

    if (!item->key)
        return false;
    if (item->key_length == length)
        return memcmp(item->key, name, length) == 0;
    /* An escape is longer than what it means. */
    if (item->key_length < length || !memchr(item->key, '\\', item->key_length))
        return false;
    json_t *key = json_loadb(item->key - 1, item->key_length + 2, JSON_DECODE_ANY, NULL);
    const char *text = json_string_value(key);
    bool same = text && strcmp(text, name) == 0;
    json_decref(key);
    return same;
}

bool json_find(const char *text, size_t length, const char *name, struct json_item *out)
{
    size_t position = 0;

    if (length > 0 && text[0] == '{')
        while (json_item_next(text, length, &position, out))
            if (json_item_is(out, name))
                return true;
    *out = (struct json_item){0};
    return false;
}

char *json_item_string(const struct json_item *item)
{
    if (!memchr(item->value, '\\', item->value_length))
        return strndup(item->value + 1, item->value_length - 2);
    json_t *json = json_loadb(item->value, item->value_length, JSON_DECODE_ANY, NULL);
    const char *text = json_string_value(json);
    char *copy = text ? strdup(text) : NULL;
    json_decref(json);
    return copy;
}

void json_compact(struct buffer *out, const char *text, size_t length)
{
    size_t run = 0; /* where the bytes that are not yet copied begin */
    size_t at = 0;

    while (at < length) {
        if (text[at] == '"') {
            at = skip_string(text, length, at);
        } else if (json_is_space(text[at])) {
            buffer_add(out, text + run, at - run);
            at = skip_space(text, length, at);
            run = at;
        } else {
            at++;
        }
    }
    buffer_add(out, text + run, length - run);
}
