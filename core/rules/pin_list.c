/* Lists of pins in a file: see the header. */
#include "core/rules/pin_list.h"

#include "core/base/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* More than any account could use, few enough to bound what a wrong file costs. */
#define PIN_LIST_MAX 1000000

struct pin_list {
    char **pins; /* sorted, each once or more */
    size_t count;
    size_t size;
};

static int compare(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

void pin_list_free(struct pin_list *list)
{
    if (!list)
        return;
    for (size_t i = 0; i < list->count; i++)
        free(list->pins[i]);
    free(list->pins);
    free(list);
}

static void cleanup_list(struct pin_list **list)
{
    pin_list_free(*list);
}

static int add(struct pin_list *list, const char *pin)
{
    if (list->count == list->size) {
        size_t size = list->size ? list->size * 2 : 64;
        char **pins = realloc(list->pins, size * sizeof(*pins));
        if (!pins)
            return -ENOMEM;
        list->pins = pins;
        list->size = size;
    }
    list->pins[list->count] = strdup(pin);
    return list->pins[list->count] ? (list->count++, 0) : -ENOMEM;
}

/* Cuts LINE down to its pin, "" where there is none. */
static char *pin_of_line(char *line)
{
    line += strspn(line, " \t");
    if (*line == '#')
        *line = '\0';
    line[strcspn(line, "\t\r\n")] = '\0';
    char *comment = strstr(line, " #");
    if (comment)
        *comment = '\0';
    size_t end = strlen(line);
    while (end > 0 && line[end - 1] == ' ')
        line[--end] = '\0';
    return line;
}

/* What some editors put at the head of a file. */
static size_t byte_order_mark(const char *line)
{
    return strncmp(line, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
}

int pin_list_read(const char *path, struct buffer *error, struct pin_list **out)
{
    CLEANUP_FCLOSE FILE *file = fopen(path, "re");
    CLEANUP_FREE char *line = NULL;
    size_t size = 0;
    ssize_t length = 0;
    unsigned long number = 0;

    if (!file) {
        int result = -errno;
        buffer_printf(error, "%s: %s", path, strerror(-result));
        return result;
    }
    __attribute__((cleanup(cleanup_list))) struct pin_list *list = calloc(1, sizeof(*list));
    if (!list)
        return -ENOMEM;
    while ((length = getline(&line, &size, file)) >= 0) {
        number++;
        bool whole = memchr(line, '\0', (size_t)length) == NULL;
        const char *pin = pin_of_line(line + (number == 1 ? byte_order_mark(line) : 0));
        if (whole && *pin == '\0')
            continue;
        if (!whole || !text_is_file_name(pin)) {
            buffer_printf(error, "%s:%lu: not a pin: \"", path, number);
            text_escape(error, pin);
            buffer_puts(error, "\"; a pin is UTF-8, at most 255 bytes, without a slash");
            return -EINVAL;
        }
        int result = list->count < PIN_LIST_MAX ? add(list, pin) : -EFBIG;
        if (result < 0) {
            buffer_printf(error, "%s:%lu: %s", path, number, strerror(-result));
            return result;
        }
    }
    if (ferror(file)) {
        buffer_printf(error, "%s: %s", path, strerror(errno));
        return -EIO;
    }
    if (list->count > 0)
        qsort(list->pins, list->count, sizeof(*list->pins), compare);
    *out = STEAL(list);
    return 0;
}

bool pin_list_has(const struct pin_list *list, const char *pin)
{
    return list->count > 0 &&
           bsearch(&pin, list->pins, list->count, sizeof(*list->pins), compare) != NULL;
}

size_t pin_list_count(const struct pin_list *list)
{
    return list->count;
}
