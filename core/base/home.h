/*
 * Where the user is at home.
 */
#ifndef CORE_BASE_HOME_H
#define CORE_BASE_HOME_H

#include "core/base/buffer.h"

/* Appends the user's home directory: $HOME where that is an absolute path, else what the password
 * database says of the real user. 0, or a negative errno with ERROR saying that none is known. */
int home_find(struct buffer *out, struct buffer *error) MUST_CHECK;

#endif
