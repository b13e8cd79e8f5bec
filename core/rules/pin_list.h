/*
 * Lists of pins in a file: the allow-list and the trust-list of a mount, and share lists.
 *
 * One pin a line; from a "#" at the start of a line or after white space to the end is a comment; a
 * tab and free text after the pin is a label for people; CRLF line ends are accepted. Pins are
 * compared byte by byte.
 */
#ifndef CORE_RULES_PIN_LIST_H
#define CORE_RULES_PIN_LIST_H

#include "core/base/buffer.h"

#include <stdbool.h>
#include <stddef.h>

/* A pin of a list, and the number of its line from 1. Returns 0 to go on, or a negative errno with
 * ERROR set or empty: then the file, the line and the errno's words are put there. */
typedef int (*pin_list_visit)(const char *pin, unsigned long line, void *context,
                              struct buffer *error);

/* Visits the pins of PATH in the order of the file. Returns 0 or a negative errno (-EINVAL for a bad
 * line), and ERROR says which file, which line and what to do. */
int pin_list_scan(const char *path, pin_list_visit visit, void *context,
                  struct buffer *error) MUST_CHECK;

struct pin_list; /* immutable once it is read: any number of threads may ask it */

/* Reads PATH. On success *OUT is a list to be freed by pin_list_free(). Otherwise a negative errno
 * (-EINVAL for a bad line), and ERROR says which file, which line and what to do. */
int pin_list_read(const char *path, struct buffer *error, struct pin_list **out) MUST_CHECK;

void pin_list_free(struct pin_list *list);

bool pin_list_has(const struct pin_list *list, const char *pin);

size_t pin_list_count(const struct pin_list *list);

#endif
