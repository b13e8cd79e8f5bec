/*
 * A bounded, growing buffer of text.
 *
 * Appends never fail on the spot: the first one that would pass the maximum, or finds no memory,
 * marks the buffer failed, and the later ones do nothing. The writer looks once, at the end, with
 * buffer_failed(). So a formatter of twenty lines needs one check, and cannot forget nineteen.
 */
#ifndef CORE_BASE_BUFFER_H
#define CORE_BASE_BUFFER_H

#include "core/base/cleanup.h"

#include <stdbool.h>
#include <stddef.h>

struct buffer {
    char *text;     /* NUL-terminated when length > 0; NULL while nothing was appended */
    size_t length;  /* bytes, without the NUL */
    size_t size;    /* bytes allocated */
    size_t maximum; /* bytes of text at most */
    bool failed;
};

/* An empty buffer that never holds more than MAXIMUM bytes. Allocates nothing. */
#define BUFFER_INIT(maximum_bytes)                                                                 \
    {                                                                                              \
        .text = NULL, .length = 0, .size = 0, .maximum = (maximum_bytes), .failed = false          \
    }

/* Frees what the buffer holds; it is then empty and may be used again. */
void buffer_dispose(struct buffer *buffer);

/* Forgets the content and the failure, keeps the memory. */
void buffer_clear(struct buffer *buffer);

/* Appends LENGTH bytes. */
void buffer_add(struct buffer *buffer, const char *text, size_t length);

/* Appends a C string. */
void buffer_puts(struct buffer *buffer, const char *text);

/* Appends what OTHER holds. What was lost there is lost here. */
void buffer_append(struct buffer *buffer, const struct buffer *other);

/* Appends formatted text. */
void buffer_printf(struct buffer *buffer, const char *format, ...) PRINTF_LIKE(2, 3);

/* The text, never NULL: "" for an empty buffer. Owned by the buffer, valid until it changes. */
const char *buffer_text(const struct buffer *buffer);

/* True if an append was lost; the text is then what fitted before it. */
bool buffer_failed(const struct buffer *buffer) MUST_CHECK;

#define CLEANUP_BUFFER __attribute__((cleanup(buffer_dispose)))

#endif
