/*
 * Text as this program meets it: UTF-8, file names, escapes for people's terminals, logfmt values,
 * and times.
 */
#ifndef CORE_BASE_TEXT_H
#define CORE_BASE_TEXT_H

#include "core/base/buffer.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The longest file name that Linux file systems and their callers expect (NAME_MAX), in bytes. */
#define TEXT_NAME_MAX 255

/* True if the LENGTH bytes are well-formed UTF-8: no overlong form, no surrogate, nothing above
 * U+10FFFF, no NUL. */
bool text_is_utf8(const char *text, size_t length);

/* True if TEXT can be a name in a directory: well-formed UTF-8 of 1 to TEXT_NAME_MAX bytes, without
 * a slash and without what text_escape() escapes (not every program that lists a directory looks
 * before it prints), and neither "." nor "..". */
bool text_is_file_name(const char *text);

/* Appends TEXT so that it is safe on a terminal and in a log: control characters (C0, DEL, C1),
 * what turns the direction of text or breaks a line unseen, and ill-formed bytes become \xHH, a
 * byte each; all else stays. */
void text_escape(struct buffer *out, const char *text);

/* The same for the first MOST bytes of TEXT, and how many there are of a longer one. */
void text_escape_start(struct buffer *out, const char *text, size_t most);

/* Puts question marks in the place of such bytes in LENGTH bytes of TEXT, line's ends excepted: where
 * its length must not change. */
void text_mute(char *text, size_t length);

/* Appends JSON with what text_escape() would escape in its strings as \uHHHH: where a decoder accepts
 * it, it means the same. */
void text_escape_json(struct buffer *out, const char *json);

/* Appends " KEY=VALUE" of a logfmt line: VALUE is quoted where it is empty or holds white
 * space, a quote, an equals sign or a backslash, with \" and \\ inside the quotes, and escaped as
 * text_escape() does. */
void text_logfmt(struct buffer *out, const char *key, const char *value);

/* Bytes that text_time() needs, with the NUL. */
#define TEXT_TIME_SIZE 40

/* Writes a time (nanoseconds since the epoch) in RFC 3339, UTC, with DIGITS (0, 6 or 9) digits of
 * the second's fraction. */
void text_time(int64_t nanoseconds, int digits, char out[TEXT_TIME_SIZE]);

/* Reads what text_time() writes with any number of digits up to nine; the zone must be Z.
 * Returns 0, or -EINVAL: also for what the calendar does not have. */
int text_time_parse(const char *text, int64_t *nanoseconds) MUST_CHECK;

/* The wall clock in nanoseconds since the epoch. */
int64_t text_now(void);

#endif
