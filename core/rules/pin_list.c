/* Lists of pins in a file: see the header. */
#include "core/rules/pin_list.h"

#include "core/base/names.h"
#include "core/base/text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* More than any account could use, few enough to bound what a wrong file costs. */
#define PIN_LIST_MAX 1000000

struct pin_list {
    struct names pins;
};

void pin_list_free(struct pin_list *list)
{
    if (!list)
        return;
    names_dispose(&list->pins);
    free(list);
}

static void cleanup_list(struct pin_list **list)
{
    pin_list_free(*list);
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

/* One line of PATH, LENGTH bytes, with its newline. */
static int read_line(const char *path, char *line, size_t length, unsigned long number,
                     pin_list_visit visit, void *context, struct buffer *error)
{
    bool whole = memchr(line, '\0', length) == NULL;
    const char *pin = pin_of_line(line + (number == 1 ? byte_order_mark(line) : 0));

    if (whole && *pin == '\0')
        return 0;
    if (!whole || !text_is_file_name(pin)) {
        buffer_printf(error, "%s:%lu: not a pin: \"", path, number);
        text_escape(error, pin);
        buffer_puts(error, "\"; a pin is UTF-8, at most 255 bytes, without a slash");
        return -EINVAL;
    }
    int result = number <= PIN_LIST_MAX ? visit(pin, number, context, error) : -EFBIG;
    if (result < 0 && error->length == 0)
        buffer_printf(error, "%s:%lu: %s", path, number, strerror(-result));
    return result;
}

int pin_list_scan(const char *path, pin_list_visit visit, void *context, struct buffer *error)
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
    while ((length = getline(&line, &size, file)) >= 0) {
        int result = read_line(path, line, (size_t)length, ++number, visit, context, error);
        if (result < 0)
            return result;
    }
    if (!feof(file)) { /* where memory runs out ferror() knows of nothing */
        int failed = errno;
        buffer_printf(error, "%s: %s", path, strerror(failed));
        return failed == ENOMEM ? -ENOMEM : -EIO;
    }
    return 0;
}

static int take_pin(const char *pin, unsigned long line, void *context, struct buffer *error)
{
    struct pin_list *list = context;

    (void)line;
    (void)error;
    return names_add(&list->pins, pin);
}

int pin_list_read(const char *path, struct buffer *error, struct pin_list **out)
{
    __attribute__((cleanup(cleanup_list))) struct pin_list *list = calloc(1, sizeof(*list));

    if (!list)
        return -ENOMEM;
    int result = pin_list_scan(path, take_pin, list, error);
    if (result < 0)
        return result;
    /* Doubles stay out: the count is of pins. */
    names_sort(&list->pins);
    *out = STEAL(list);
    return 0;
}

bool pin_list_has(const struct pin_list *list, const char *pin)
{
    return names_has(&list->pins, pin);
}

size_t pin_list_count(const struct pin_list *list)
{
    return list->pins.count;
}
