/* JSON of the plain form: see the header. */
#include "core/store/json_plain.h"

#include "core/base/text.h"
#include "core/store/json_text.h"

#include <string.h>

#define DEPTH_MAX 8
#define KEYS_MAX 64
/* So many digits are never too many for an int64_t. */
#define DIGITS_MAX 18

struct plain {
    const char *at, *end;
    size_t keys; /* of the objects that are open at AT */
    struct {
        const char *text;
        size_t length;
    } key[KEYS_MAX];
};

/* Goes past BYTE, and the white space before it, if it is next. */
static bool take(struct plain *plain, char byte)
{
    while (plain->at < plain->end && json_is_space(*plain->at))
        plain->at++;
    if (plain->at == plain->end || *plain->at != byte)
        return false;
    plain->at++;
    return true;
}

static bool take_word(struct plain *plain, const char *word, size_t length)
{
    if ((size_t)(plain->end - plain->at) < length || memcmp(plain->at, word, length) != 0)
        return false;
    plain->at += length;
    return true;
}

/* The rest of a string, behind its opening quote. */
static bool take_string(struct plain *plain)
{
    const char *begin = plain->at;
    unsigned bits = 0;

    while (plain->at < plain->end) {
        unsigned char byte = (unsigned char)*plain->at++;
        if (byte == '"')
            return bits < 0x80 || text_is_utf8(begin, (size_t)(plain->at - 1 - begin));
        if (byte < 0x20 || byte == '\\')
            return false;
        bits |= byte;
    }
    return false;
}

static bool take_number(struct plain *plain)
{
    (void)take_word(plain, "-", 1);
    const char *begin = plain->at;
    while (plain->at < plain->end && *plain->at >= '0' && *plain->at <= '9')
        plain->at++;
    size_t digits = (size_t)(plain->at - begin);
    return digits > 0 && digits <= DIGITS_MAX && (digits == 1 || *begin != '0');
}

/* A key of the object whose keys begin with number FIRST. */
static bool take_key(struct plain *plain, size_t first)
{
    const char *text = plain->at;

    if (plain->keys == KEYS_MAX || !take_string(plain))
        return false;
    size_t length = (size_t)(plain->at - 1 - text);
    for (size_t i = first; i < plain->keys; i++)
        if (plain->key[i].length == length && memcmp(plain->key[i].text, text, length) == 0)
            return false;
    plain->key[plain->keys].text = text;
    plain->key[plain->keys].length = length;
    plain->keys++;
    return true;
}

static bool take_value(struct plain *plain, size_t depth);

static bool take_object(struct plain *plain, size_t depth)
{
    size_t first = plain->keys;

    if (take(plain, '}'))
        return true;
    do {
        if (!take(plain, '"') || !take_key(plain, first) || !take(plain, ':') ||
            !take_value(plain, depth))
            return false;
    } while (take(plain, ','));
    plain->keys = first;
    return take(plain, '}');
}

static bool take_array(struct plain *plain, size_t depth)
{
    if (take(plain, ']'))
        return true;
    do {
        if (!take_value(plain, depth))
            return false;
    } while (take(plain, ','));
    return take(plain, ']');
}

static bool take_value(struct plain *plain, size_t depth)
{
    if (take(plain, '"'))
        return take_string(plain);
    if (plain->at == plain->end)
        return false;
    switch (*plain->at) {
    case '{':
        plain->at++;
        return depth < DEPTH_MAX && take_object(plain, depth + 1);
    case '[':
        plain->at++;
        return depth < DEPTH_MAX && take_array(plain, depth + 1);
    case 't':
        return take_word(plain, "true", 4);
    case 'f':
        return take_word(plain, "false", 5);
    case 'n':
        return take_word(plain, "null", 4);
    default:
        return take_number(plain);
    }
}

bool json_is_plain(const char *text, size_t length)
{
    struct plain plain;

    plain.at = text;
    plain.end = text + length;
    plain.keys = 0;
    if (!take_value(&plain, 0))
        return false;
    while (plain.at < plain.end && json_is_space(*plain.at))
        plain.at++;
    return plain.at == plain.end;
}
