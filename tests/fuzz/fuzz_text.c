/* Names, pins, escapes, lines of logfmt and times, out of any text. */
#include "core/base/logfmt.h"
#include "core/base/text.h"
#include "core/cloud/api.h"
#include "core/rules/pin.h"
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <string.h>

#define TEXT_MAX ((size_t)1 << 20)

static void escape(const char *text)
{
    CLEANUP_BUFFER struct buffer out = BUFFER_INIT(TEXT_MAX);
    CLEANUP_BUFFER struct buffer again = BUFFER_INIT(TEXT_MAX);
    char cut[16];

    text_escape(&out, text);
    REQUIRE(!buffer_failed(&out));
    fuzz_require_printable(buffer_text(&out));
    /* What may be shown is shown as it is. */
    text_escape(&again, buffer_text(&out));
    REQUIRE(strcmp(buffer_text(&again), buffer_text(&out)) == 0);
    /* Wherever it must be cut. */
    for (size_t size = 1; size <= sizeof(cut); size++) {
        api_printable(text, cut, size);
        fuzz_require_printable(cut);
        REQUIRE(strncmp(cut, buffer_text(&out), strlen(cut)) == 0);
    }
}

/* A line of VALUE and another value is one line, and both can be read back. */
static void write_line(const char *value)
{
    CLEANUP_BUFFER struct buffer line = BUFFER_INIT(TEXT_MAX);
    CLEANUP_BUFFER struct buffer found = BUFFER_INIT(TEXT_MAX);
    CLEANUP_BUFFER struct buffer last = BUFFER_INIT(TEXT_MAX);

    buffer_puts(&line, "action=share");
    text_logfmt(&line, "pin", value);
    text_logfmt(&line, "outcome", "done");
    REQUIRE(!buffer_failed(&line));
    fuzz_require_printable(buffer_text(&line));
    REQUIRE(logfmt_value(buffer_text(&line), "pin", &found) == 0);
    REQUIRE(strcmp(buffer_text(&found), value) == 0);
    REQUIRE(logfmt_value(buffer_text(&line), "outcome", &last) == 0);
    REQUIRE(strcmp(buffer_text(&last), "done") == 0);
}

/* A line that somebody else wrote: what is found in it could have been written. */
static void read_line(const char *line)
{
    CLEANUP_BUFFER struct buffer found = BUFFER_INIT(TEXT_MAX);
    CLEANUP_BUFFER struct buffer few = BUFFER_INIT(3);
    int result = logfmt_value(line, "pin", &found);

    REQUIRE(result == 0 || result == -ENOENT || result == -EINVAL);
    REQUIRE(result != 0 || strlen(buffer_text(&found)) == found.length);
    if (result == 0)
        write_line(buffer_text(&found));
    int cut = logfmt_value(line, "pin", &few);
    REQUIRE(cut == (result == 0 && found.length > 3 ? -ENOMEM : result));
}

static void names(const char *text)
{
    size_t length = strlen(text);
    bool name = text_is_file_name(text);
    bool utf8 = text_is_utf8(text, length);

    REQUIRE(!name || (utf8 && length > 0 && length <= TEXT_NAME_MAX && !strchr(text, '/')));
    REQUIRE(!name || (strcmp(text, ".") != 0 && strcmp(text, "..") != 0));
    if (pin_check(text) == 0) {
        REQUIRE(name);
        REQUIRE(!strpbrk(text, " \t\n\r\v\f*?[]{}()$\\\"'<>|;&,~#!`") && *text != '.' &&
                *text != '-');
        fuzz_require_printable(text);
    }
}

static void times(const char *text, const uint8_t *data, size_t size)
{
    char written[TEXT_TIME_SIZE];
    int64_t at_ns = 0;
    int64_t again_ns = 0;

    if (text_time_parse(text, &at_ns) == 0) {
        /* It is the time that was written, and not another. */
        text_time(at_ns, 9, written);
        REQUIRE(strncmp(text, written, strlen("YYYY-MM-DDTHH:MM:SS")) == 0);
        REQUIRE(text_time_parse(written, &again_ns) == 0);
        REQUIRE(again_ns == at_ns);
    }
    memcpy(&at_ns, data, size < sizeof(at_ns) ? size : sizeof(at_ns));
    text_time(at_ns, 9, written);
    fuzz_require_printable(written);
    /* The second that the first nanosecond of all is in does not fit. */
    if (at_ns > INT64_MIN + 1000000000) {
        REQUIRE(text_time_parse(written, &again_ns) == 0);
        REQUIRE(again_ns == at_ns);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP_FREE char *text = fuzz_text(data, size);

    escape(text);
    write_line(text);
    read_line(text);
    names(text);
    times(text, data, size);
    return 0;
}
