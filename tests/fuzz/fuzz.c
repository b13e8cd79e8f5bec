/* What the fuzz targets share: see the header. */
#include "tests/fuzz/fuzz.h"

#include <ftw.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

void fuzz_fail(const char *file, int line, const char *what)
{
    (void)fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
    abort();
}

char *fuzz_text(const uint8_t *data, size_t size)
{
    const uint8_t *end = size > 0 ? memchr(data, '\0', size) : NULL;
    size_t length = end ? (size_t)(end - data) : size;
    char *text = malloc(length + 1);

    REQUIRE(text);
    if (length > 0)
        memcpy(text, data, length);
    text[length] = '\0';
    return text;
}

/* --- what may be shown --- */

/* Decodes the character at TEXT, LENGTH bytes long, by the table of RFC 3629. 0 bytes where it is
 * ill-formed. Written apart from core/base/text.c, which it is to judge. */
static size_t decode(const unsigned char *text, size_t length, unsigned *character)
{
    static const struct {
        unsigned char first, last; /* of the first byte */
        size_t bytes;
        unsigned least; /* below: overlong */
    } rows[] = {
        {0x01, 0x7f, 1, 0x01},
        {0xc0, 0xdf, 2, 0x80},
        {0xe0, 0xef, 3, 0x800},
        {0xf0, 0xf7, 4, 0x10000},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (text[0] < rows[i].first || text[0] > rows[i].last || length < rows[i].bytes)
            continue;
        *character = text[0] & (i == 0 ? 0x7fU : 0x7fU >> rows[i].bytes);
        for (size_t j = 1; j < rows[i].bytes; j++) {
            if (text[j] >> 6 != 2)
                return 0;
            *character = *character << 6 | (text[j] & 0x3fU);
        }
        bool surrogate = *character >= 0xd800 && *character <= 0xdfff;
        return *character < rows[i].least || *character > 0x10ffff || surrogate ? 0 : rows[i].bytes;
    }
    return 0;
}

/* Controls, and what Unicode's bidirectional algorithm or a line breaker obeys. */
static bool is_obeyed(unsigned character)
{
    return character < 0x20 || (character >= 0x7f && character < 0xa0) || character == 0x61c ||
           character == 0x200e || character == 0x200f ||
           (character >= 0x2028 && character <= 0x202e) ||
           (character >= 0x2066 && character <= 0x2069);
}

/* Looks at all of TEXT, and returns its number of newlines. */
static size_t look_at(const char *text, bool lines)
{
    const unsigned char *at = (const unsigned char *)text;
    size_t length = strlen(text);
    size_t found = 0;

    while (length > 0) {
        unsigned character = 0;
        size_t bytes = decode(at, length, &character);
        REQUIRE(bytes > 0);
        REQUIRE(!is_obeyed(character) || (lines && character == '\n'));
        found += character == '\n';
        at += bytes;
        length -= bytes;
    }
    return found;
}

void fuzz_require_printable(const char *text)
{
    (void)look_at(text, false);
}

void fuzz_require_lines(const char *text)
{
    size_t length = strlen(text);
    size_t found = look_at(text, true);

    REQUIRE(length == 0 || (found > 0 && text[length - 1] == '\n'));
}

/* --- files --- */

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *where)
{
    (void)status;
    (void)kind;
    (void)where;
    return remove(path);
}

/* The directory, "" before it is made. */
static char *directory(void)
{
    static char path[PATH_MAX / 2];

    return path;
}

static void remove_directory(void)
{
    (void)nftw(directory(), remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

const char *fuzz_path(const char *name)
{
    static char path[PATH_MAX];
    char *place = directory();
    const char *temporary = getenv("TMPDIR");

    if (!*place) {
        (void)snprintf(place, PATH_MAX / 2, "%s/imgshare-fuzz.XXXXXX",
                       temporary && *temporary ? temporary : "/dev/shm");
        REQUIRE(mkdtemp(place));
        REQUIRE(atexit(remove_directory) == 0);
    }
    (void)snprintf(path, sizeof(path), "%s/%s", place, name);
    return path;
}

const char *fuzz_file(const char *name, const void *data, size_t size)
{
    const char *path = fuzz_path(name);
    FILE *file = fopen(path, "we");

    REQUIRE(file);
    REQUIRE(fwrite(data, 1, size, file) == size);
    REQUIRE(fclose(file) == 0);
    return path;
}
