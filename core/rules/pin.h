/*
 * The User Pin as a name that somebody typed.
 *
 * A pin is an opaque, case-sensitive UTF-8 string; no document says which characters it may hold.
 * These rules bind creation only, and are there for the user's protection: what a shell, an editor
 * or a copying program leaves in a directory must not become a share with a stranger. Pins that the
 * source lists are shown and can be cancelled whatever they look like.
 */
#ifndef CORE_RULES_PIN_H
#define CORE_RULES_PIN_H

#include "core/base/cleanup.h"

/* Pure. Returns 0 if NAME may be shared with, or -REFUSAL_PIN_INVALID, -REFUSAL_PIN_LEFTOVER,
 * -REFUSAL_PIN_TOO_LONG. */
int pin_check(const char *name) MUST_CHECK;

#endif
