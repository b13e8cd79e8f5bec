/* A bounded, growing buffer of text: see the header. */
#include "core/base/buffer.h"

#include <stdarg.h>
#include <stdint.h>
#include <string.h>

/* Most files of the tree are shorter than this, so that one allocation serves them. */
#define FIRST_SIZE 256

void buffer_dispose(struct buffer *buffer)
{
    free(buffer->text);
    buffer->text = NULL;
    buffer->length = 0;
    buffer->size = 0;
    buffer->failed = false;
}

void buffer_clear(struct buffer *buffer)
{
    buffer->length = 0;
    buffer->failed = false;
    if (buffer->text)
        buffer->text[0] = '\0';
}

/* Makes room for LENGTH more bytes and the NUL; false marks the buffer failed. */
static bool buffer_reserve(struct buffer *buffer, size_t length)
{
    if (buffer->failed)
        return false;
    if (length > buffer->maximum - buffer->length) {
        buffer->failed = true;
        return false;
    }
    size_t needed = buffer->length + length + 1;
    if (needed <= buffer->size)
        return true;
    size_t size = buffer->size ? buffer->size : FIRST_SIZE;
    while (size < needed)
        size = size > SIZE_MAX / 2 ? needed : size * 2;
    char *text = realloc(buffer->text, size);
    if (!text) {
        buffer->failed = true;
        return false;
    }
    buffer->text = text;
    buffer->size = size;
    return true;
}

void buffer_add(struct buffer *buffer, const char *text, size_t length)
{
    if (!buffer_reserve(buffer, length))
        return;
    memcpy(buffer->text + buffer->length, text, length);
    buffer->length += length;
    buffer->text[buffer->length] = '\0';
}

void buffer_append(struct buffer *buffer, const struct buffer *other)
{
    buffer_add(buffer, buffer_text(other), other->length);
    buffer->failed = buffer->failed || other->failed;
}

void buffer_puts(struct buffer *buffer, const char *text)
{
    buffer_add(buffer, text, strlen(text));
}

void buffer_printf(struct buffer *buffer, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length < 0) {
        buffer->failed = true;
        return;
    }
    if (!buffer_reserve(buffer, (size_t)length))
        return;
    va_start(arguments, format);
    (void)vsnprintf(buffer->text + buffer->length, (size_t)length + 1, format, arguments);
    va_end(arguments);
    buffer->length += (size_t)length;
}

const char *buffer_text(const struct buffer *buffer)
{
    return buffer->text ? buffer->text : "";
}

bool buffer_failed(const struct buffer *buffer)
{
    return buffer->failed;
}
