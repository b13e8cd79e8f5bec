/*
 * Whether JSON is well-formed, told without decoding it.
 *
 * Nearly all records are of a plain form, for which one look at each byte tells. It leaves out what
 * is rare and takes care: escapes, fractions, large numbers, deep nesting, objects of many members.
 */
#ifndef CORE_STORE_JSON_PLAIN_H
#define CORE_STORE_JSON_PLAIN_H

#include <stdbool.h>
#include <stddef.h>

/* True if TEXT is certainly one value of well-formed JSON, with white space around it or none, in
 * UTF-8, and no object in it has a member twice. False says nothing: a decoder has to be asked. */
bool json_is_plain(const char *text, size_t length);

#endif
