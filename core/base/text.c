/* UTF-8, names, escapes and times: see the header. */
#include "core/base/text.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#define NANOSECONDS 1000000000LL

/* Length in bytes of the well-formed UTF-8 sequence at TEXT, 0 if there is none. */
static size_t utf8_sequence(const unsigned char *text, size_t length)
{
    if (length == 0 || text[0] == 0)
        return 0;
    if (text[0] < 0x80)
        return 1;

    size_t need = text[0] >= 0xf0 ? 4 : text[0] >= 0xe0 ? 3 : 2;
    if (text[0] < 0xc2 || text[0] > 0xf4 || length < need)
        return 0;
    for (size_t i = 1; i < need; i++)
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    /* The second byte tells overlong forms, surrogates and numbers above U+10FFFF (RFC 3629). */
    if ((text[0] == 0xe0 && text[1] < 0xa0) || (text[0] == 0xed && text[1] > 0x9f) ||
        (text[0] == 0xf0 && text[1] < 0x90) || (text[0] == 0xf4 && text[1] > 0x8f))
        return 0;
    return need;
}

bool text_is_utf8(const char *text, size_t length)
{
    const unsigned char *bytes = (const unsigned char *)text;

    for (size_t i = 0; i < length;) {
        size_t sequence = utf8_sequence(bytes + i, length - i);
        if (sequence == 0)
            return false;
        i += sequence;
    }
    return true;
}

/* True for the SEQUENCE bytes at TEXT that a terminal would obey, or that make a line look like
 * another: C0, DEL, C1, the directional marks, embeddings, overrides and isolates of Unicode's
 * bidirectional algorithm (UAX 9), and its line and paragraph separators. */
static bool is_obeyed(const unsigned char *text, size_t sequence)
{
    if (sequence == 1)
        return text[0] < 0x20 || text[0] == 0x7f;
    if (sequence == 2)
        return (text[0] == 0xc2 && text[1] < 0xa0) || (text[0] == 0xd8 && text[1] == 0x9c);
    if (sequence != 3 || text[0] != 0xe2)
        return false;
    return (text[1] == 0x80 && (text[2] == 0x8e || text[2] == 0x8f)) || /* U+200E, U+200F */
           (text[1] == 0x80 && text[2] >= 0xa8 && text[2] <= 0xae) ||   /* U+2028 to U+202E */
           (text[1] == 0x81 && text[2] >= 0xa6 && text[2] <= 0xa9);     /* U+2066 to U+2069 */
}

bool text_is_file_name(const char *text)
{
    const unsigned char *bytes = (const unsigned char *)text;
    size_t length = strlen(text);

    if (length == 0 || length > TEXT_NAME_MAX || strchr(text, '/') || strcmp(text, ".") == 0 ||
        strcmp(text, "..") == 0)
        return false;
    for (size_t i = 0; i < length;) {
        size_t sequence = utf8_sequence(bytes + i, length - i);
        if (sequence == 0 || is_obeyed(bytes + i, sequence))
            return false;
        i += sequence;
    }
    return true;
}

/* Escapes LENGTH bytes of TEXT. */
static void escape(struct buffer *out, const char *text, size_t length)
{
    const unsigned char *bytes = (const unsigned char *)text;

    for (size_t i = 0; i < length;) {
        size_t sequence = utf8_sequence(bytes + i, length - i);
        if (sequence == 0 || is_obeyed(bytes + i, sequence)) {
            size_t escaped = sequence ? sequence : 1;
            for (size_t j = 0; j < escaped; j++)
                buffer_printf(out, "\\x%02x", bytes[i + j]);
            i += escaped;
        } else {
            buffer_add(out, text + i, sequence);
            i += sequence;
        }
    }
}

/* The number of the character that is the SEQUENCE bytes at TEXT, three at most. */
static unsigned number_of(const unsigned char *text, size_t sequence)
{
    if (sequence == 1)
        return text[0];
    if (sequence == 2)
        return (text[0] & 0x1fU) << 6 | (text[1] & 0x3fU);
    return (text[0] & 0x0fU) << 12 | (text[1] & 0x3fU) << 6 | (text[2] & 0x3fU);
}

void text_escape(struct buffer *out, const char *text)
{
    escape(out, text, strlen(text));
}

void text_mute(char *text, size_t length)
{
    const unsigned char *bytes = (const unsigned char *)text;

    for (size_t i = 0; i < length;) {
        size_t sequence = utf8_sequence(bytes + i, length - i);
        if (bytes[i] != '\n' && (sequence == 0 || is_obeyed(bytes + i, sequence)))
            memset(text + i, '?', sequence ? sequence : 1);
        i += sequence ? sequence : 1;
    }
}

void text_escape_start(struct buffer *out, const char *text, size_t most)
{
    size_t length = strlen(text);

    if (length <= most) {
        escape(out, text, length);
        return;
    }
    while (most > 0 && ((unsigned char)text[most] & 0xc0) == 0x80) /* not within a character */
        most--;
    escape(out, text, most);
    buffer_printf(out, "... (%zu bytes)", length);
}

void text_escape_json(struct buffer *out, const char *json)
{
    const unsigned char *bytes = (const unsigned char *)json;
    size_t length = strlen(json);
    size_t run = 0; /* where the bytes that are not yet copied begin */

    for (size_t i = 0; i < length;) {
        size_t sequence = utf8_sequence(bytes + i, length - i);
        size_t step = sequence ? sequence : 1;
        if (sequence == 0 || (!strchr("\t\n", bytes[i]) && is_obeyed(bytes + i, sequence))) {
            buffer_add(out, json + run, i - run);
            buffer_printf(out, "\\u%04x", sequence ? number_of(bytes + i, sequence) : 0xfffdU);
            run = i + step;
        }
        i += step;
    }
    buffer_add(out, json + run, length - run);
}

void text_logfmt(struct buffer *out, const char *key, const char *value)
{
    bool quoted = *value == '\0' || strpbrk(value, " \"=\\\t\n\r");

    buffer_printf(out, " %s=", key);
    if (!quoted) {
        text_escape(out, value);
        return;
    }
    buffer_puts(out, "\"");
    while (*value) {
        size_t plain = strcspn(value, "\"\\");
        if (plain > 0) {
            CLEANUP_FREE char *part = strndup(value, plain);
            if (!part) {
                out->failed = true;
                return;
            }
            text_escape(out, part);
            value += plain;
        } else {
            buffer_printf(out, "\\%c", *value);
            value++;
        }
    }
    buffer_puts(out, "\"");
}

void text_time(int64_t nanoseconds, int digits, char out[TEXT_TIME_SIZE])
{
    int64_t rest = nanoseconds % NANOSECONDS;
    time_t seconds = (time_t)(nanoseconds / NANOSECONDS);
    struct tm calendar = {0};

    if (rest < 0) {
        rest += NANOSECONDS;
        seconds--;
    }
    if (!gmtime_r(&seconds, &calendar)) {
        (void)snprintf(out, TEXT_TIME_SIZE, "?");
        return;
    }
    size_t length = strftime(out, TEXT_TIME_SIZE, "%Y-%m-%dT%H:%M:%S", &calendar);
    if (digits >= 9)
        (void)snprintf(out + length, TEXT_TIME_SIZE - length, ".%09dZ", (int)rest);
    else if (digits > 0)
        (void)snprintf(out + length, TEXT_TIME_SIZE - length, ".%06dZ", (int)(rest / 1000));
    else
        (void)snprintf(out + length, TEXT_TIME_SIZE - length, "Z");
}

int text_time_parse(const char *text, int64_t *nanoseconds)
{
    struct tm calendar = {0};
    const char *end = strptime(text, "%Y-%m-%dT%H:%M:%S", &calendar);
    int64_t fraction = 0;
    int64_t at = 0;
    char written[TEXT_TIME_SIZE];

    if (!end)
        return -EINVAL;
    size_t length = (size_t)(end - text);
    if (*end == '.') {
        int64_t unit = NANOSECONDS;
        for (end++; *end >= '0' && *end <= '9' && unit > 1; end++) {
            unit /= 10;
            fraction += (*end - '0') * unit;
        }
    }
    if (strcmp(end, "Z") != 0)
        return -EINVAL;
    /* Only the years 1677 to 2262 fit. */
    bool over = __builtin_mul_overflow((int64_t)timegm(&calendar), NANOSECONDS, &at) ||
                __builtin_add_overflow(at, fraction, &at);
    if (over)
        return -EINVAL;
    /* strptime() takes blanks and single digits, and the 31st of any month, which timegm() makes the
     * first of the next. */
    text_time(at, 0, written);
    if (length + 1 != strlen(written) || memcmp(text, written, length) != 0)
        return -EINVAL;
    *nanoseconds = at;
    return 0;
}

int64_t text_now(void)
{
    struct timespec now = {0};

    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * NANOSECONDS + now.tv_nsec;
}
