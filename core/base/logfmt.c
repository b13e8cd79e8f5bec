/* Reading logfmt: see the header. */
#include "core/base/logfmt.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

static int digit_of(char character)
{
    static const char digits[] = "0123456789abcdef";
    const char *found = character ? strchr(digits, character) : NULL;

    return found ? (int)(found - digits) : -1;
}

/* Reads the escape at *AT, a backslash, into VALUE and moves past it: \xHH anywhere (but of a NUL,
 * which no text holds), and inside quotes the quote and the backslash. */
static bool read_escape(const char **at, bool quoted, struct buffer *value)
{
    const char *text = *at;

    if (text[1] == 'x') {
        int high = digit_of(text[2]);
        int low = high < 0 ? -1 : digit_of(text[3]);
        char byte = (char)(high * 16 + low);
        if (low < 0 || byte == '\0')
            return false;
        buffer_add(value, &byte, 1);
        *at = text + 4;
        return true;
    }
    if (!quoted || (text[1] != '"' && text[1] != '\\'))
        return false;
    buffer_add(value, text + 1, 1);
    *at = text + 2;
    return true;
}

/* Reads the value at *AT into VALUE and moves past it. */
static bool read_value(const char **at, struct buffer *value)
{
    bool quoted = **at == '"';
    const char *ends = quoted ? "\\\"\n" : "\\\"= \n";

    *at += quoted;
    for (;;) {
        size_t plain = strcspn(*at, ends);
        buffer_add(value, *at, plain);
        *at += plain;
        if (**at != '\\')
            break;
        if (!read_escape(at, quoted, value))
            return false;
    }
    if (quoted)
        return *(*at)++ == '"';
    return **at == ' ' || **at == '\n' || **at == '\0';
}

int logfmt_value(const char *line, const char *key, struct buffer *value)
{
    size_t length = strlen(key);
    bool found = false;

    while (*line && *line != '\n') {
        CLEANUP_BUFFER struct buffer other = BUFFER_INIT(value->maximum);
        size_t word = strcspn(line, "= \"\\\n");
        if (word == 0 || line[word] != '=')
            return -EINVAL;
        bool wanted = !found && word == length && memcmp(line, key, length) == 0;
        found = found || wanted;
        line += word + 1;
        if (!read_value(&line, wanted ? value : &other))
            return -EINVAL;
        if (*line == ' ')
            line++;
        else if (*line && *line != '\n')
            return -EINVAL;
    }
    if (found && buffer_failed(value))
        return -ENOMEM;
    return found ? 0 : -ENOENT;
}
