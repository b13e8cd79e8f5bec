/* Profiles: see the header. */
#include "core/cloud/profile.h"

#include "core/base/text.h"

#include <errno.h>
#include <ini.h>
#include <string.h>

/* A text that is read line by line, for the profile NAME; or, without OUT, to find its name. */
struct reading {
    const char *at, *end;
    int line;
    const char *name;
    struct profile *out;

    char only[PROFILE_NAME_MAX + 1]; /* the section, while there is one */
    bool several;

    bool found;
    const char *fault; /* what is wrong, in LINE */
    const char *of;    /* the name of the value that it is wrong with, or NULL */
};

static const char *const names[PROFILE_VALUES] = {"access_key", "secret_key", "session_token",
                                                  "region_id",  "endpoint",   "scheme"};

/* Stands for fgets(). A line that is too long would be read as two: it ends the reading. */
static char *next_line(char *out, int size, void *stream)
{
    struct reading *reading = stream;

    if (reading->at == reading->end || reading->fault)
        return NULL;
    const char *newline = memchr(reading->at, '\n', (size_t)(reading->end - reading->at));
    size_t length = (size_t)((newline ? newline + 1 : reading->end) - reading->at);
    reading->line++;
    if (length >= (size_t)size || length > PROFILE_LINE_MAX) {
        reading->fault = "the line is too long";
        return NULL;
    }
    memcpy(out, reading->at, length);
    out[length] = '\0';
    reading->at += length;
    return out;
}

/* Copies VALUE with %% made one. False where a percent sign stands alone, which the CLI does not
 * take. */
static bool copy_value(char out[PROFILE_LINE_MAX + 1], const char *value)
{
    size_t length = 0;

    for (; *value; value++) {
        if (*value == '%' && *++value != '%')
            return false;
        if (length == PROFILE_LINE_MAX)
            return false;
        out[length++] = *value;
    }
    out[length] = '\0';
    return true;
}

static int take_value(struct reading *reading, size_t value, const char *text)
{
    struct profile *out = reading->out;

    if (out->given[value])
        reading->fault = "comes twice, or goes on in a second line";
    else if (!copy_value(out->value[value], text))
        reading->fault = "holds a % that must be written %%";
    out->given[value] = true;
    if (reading->fault)
        reading->of = names[value];
    return reading->fault ? 0 : 1;
}

static int on_value(void *context, const char *section, const char *name, const char *value)
{
    struct reading *reading = context;

    if (!reading->out) {
        if (!reading->only[0])
            (void)snprintf(reading->only, sizeof(reading->only), "%s", section);
        reading->several |= strcmp(reading->only, section) != 0;
        return 1;
    }
    if (strcmp(section, reading->name) != 0)
        return 1;
    reading->found = true;
    (void)snprintf(reading->out->name, sizeof(reading->out->name), "%s", section);
    for (size_t i = 0; i < PROFILE_VALUES; i++)
        if (strcmp(name, names[i]) == 0)
            return take_value(reading, i, value);
    return 1;
}

/* Reads it all. Returns 0, or -EINVAL with ERROR naming the line. */
static int read_lines(struct reading *reading, const char *path, struct buffer *error)
{
    int line = ini_parse_stream(next_line, reading, on_value, reading);

    if (line == 0 && !reading->fault)
        return 0;
    text_escape(error, path);
    if (reading->fault)
        buffer_printf(error, ":%d: %s%s%s", reading->line, reading->of ? reading->of : "",
                      reading->of ? " " : "", reading->fault);
    else
        buffer_printf(error, ":%d: neither [profile] nor name = value", line);
    return -EINVAL;
}

static int choose(const char *text, size_t length, const char *path, char out[PROFILE_NAME_MAX + 1],
                  struct buffer *error)
{
    struct reading reading = {.at = text, .end = text + length};
    int result = read_lines(&reading, path, error);

    (void)snprintf(out, PROFILE_NAME_MAX + 1, "%s",
                   reading.several || !reading.only[0] ? "default" : reading.only);
    return result;
}

int profile_read(const char *text, size_t length, const char *path, const char *name,
                 struct profile *out, struct buffer *error)
{
    char chosen[PROFILE_NAME_MAX + 1] = "";
    struct reading reading = {
        .at = text, .end = text + length, .name = name ? name : chosen, .out = out};

    memset(out, 0, sizeof(*out));
    if (memchr(text, '\0', length)) {
        text_escape(error, path);
        buffer_puts(error, ": not a text: it holds a NUL");
        return -EINVAL;
    }
    int result = name ? 0 : choose(text, length, path, chosen, error);
    if (result == 0)
        result = read_lines(&reading, path, error);
    if (result == 0 && !reading.found) {
        text_escape(error, path);
        buffer_puts(error, ": there is no profile [");
        text_escape(error, reading.name);
        buffer_puts(error, "], or it is empty; look at it with: jdc configure show-all");
        result = -ENOENT;
    }
    return result;
}
