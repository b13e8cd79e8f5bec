/* A file of pins, and the sets of names that are made of it. */
#include "core/base/names.h"
#include "core/base/text.h"
#include "core/rules/pin_list.h"
#include "tests/fuzz/fuzz.h"

#include <errno.h>
#include <string.h>

struct seen {
    struct names names; /* in the order of the file */
    unsigned long line;
};

static int see(const char *pin, unsigned long line, void *context, struct buffer *error)
{
    struct seen *seen = context;

    REQUIRE(text_is_file_name(pin));
    REQUIRE(line > seen->line);
    REQUIRE(error->length == 0);
    seen->line = line;
    return names_add(&seen->names, pin);
}

static size_t lines_of(const uint8_t *data, size_t size)
{
    size_t lines = 1;

    for (size_t i = 0; i < size; i++)
        lines += data[i] == '\n';
    return lines;
}

/* The same set, found the slow way. */
static void compare(const struct names *all, const struct pin_list *list)
{
    CLEANUP_NAMES struct names set = {0};
    CLEANUP_NAMES struct names none = {0};
    CLEANUP_NAMES struct names odd = {0};
    CLEANUP_NAMES struct names rest = {0};
    size_t distinct = 0;

    for (size_t i = 0; i < all->count; i++) {
        size_t before = 0;
        while (strcmp(all->items[before], all->items[i]) != 0)
            before++;
        distinct += before == i;
        REQUIRE(pin_list_has(list, all->items[i]));
        REQUIRE(names_add(&set, all->items[i]) == 0);
        REQUIRE(i % 2 == 0 || names_add(&odd, all->items[i]) == 0);
    }
    REQUIRE(pin_list_count(list) == distinct);
    REQUIRE(!pin_list_has(list, "") && !pin_list_has(list, "no/pin"));
    names_sort(&set);
    names_sort(&odd);
    REQUIRE(set.count == distinct);
    REQUIRE(names_minus(&set, &set, &none) == 0 && none.count == 0);
    REQUIRE(names_minus(&set, &odd, &rest) == 0 && rest.count + odd.count == distinct);
    for (size_t i = 0; i < rest.count; i++)
        REQUIRE(names_has(&set, rest.items[i]) && !names_has(&odd, rest.items[i]));
    REQUIRE(names_compare(&set, &set) == 0);
    REQUIRE(names_compare(&set, &odd) == -names_compare(&odd, &set) ||
            names_compare(&set, &odd) != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP_BUFFER struct buffer error = BUFFER_INIT(4096);
    CLEANUP_BUFFER struct buffer again = BUFFER_INIT(4096);
    const char *path = fuzz_file("pins", data, size);
    struct seen seen = {0};
    struct pin_list *list = NULL;
    int result = pin_list_scan(path, see, &seen, &error);

    REQUIRE(result == 0 || result == -EINVAL);
    REQUIRE((error.length > 0) == (result < 0));
    REQUIRE(seen.line <= lines_of(data, size));
    REQUIRE(pin_list_read(path, &again, &list) == result);
    REQUIRE(strcmp(buffer_text(&again), buffer_text(&error)) == 0);
    if (result < 0) {
        size_t length = strlen(path);
        unsigned long line = 0;
        fuzz_require_printable(buffer_text(&error));
        REQUIRE(strncmp(buffer_text(&error), path, length) == 0);
        REQUIRE(sscanf(buffer_text(&error) + length, ":%lu: ", &line) == 1);
        REQUIRE(line > seen.line && line <= lines_of(data, size));
    } else {
        compare(&seen.names, list);
        pin_list_free(list);
    }
    names_dispose(&seen.names);
    return 0;
}
