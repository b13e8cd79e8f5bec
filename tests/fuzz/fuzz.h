/*
 * What the fuzz targets share.
 *
 * A target is one file, fuzz_NAME.c, that defines LLVMFuzzerTestOneInput(): it gives the bytes to
 * the code it is about, and says with REQUIRE() what must hold whatever they are. NAME stands in
 * the list of meson.build here, and its inputs are in corpus/NAME/. With clang it is linked with
 * libFuzzer (see ./run); with any compiler it runs what is in the corpus, as a unit test.
 *
 * A target keeps nothing from one input to the next but what it could make anew: an input that
 * fails must fail alone.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include "core/base/buffer.h"

#include <stddef.h>
#include <stdint.h>

/* Runs the SIZE bytes DATA. Returns 0, or -1 for an input that no corpus is to keep. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Ends the process, as a crash does, with the place and CONDITION unless that holds. */
#define REQUIRE(condition)                                                                         \
    do {                                                                                           \
        if (!(condition))                                                                          \
            fuzz_fail(__FILE__, __LINE__, #condition);                                             \
    } while (0)
_Noreturn void fuzz_fail(const char *file, int line, const char *what);

/* The bytes as a C string, which ends at their first NUL; to be freed. It has a block of its own, so
 * that the address sanitizer sees whoever reads past it. */
char *fuzz_text(const uint8_t *data, size_t size);

/* TEXT does nothing to a terminal, or to a log of lines, but show: it is UTF-8, and holds no control
 * character and nothing that turns the direction of text. */
void fuzz_require_printable(const char *text);
/* The same of each of its lines, which all end with a newline; "" has none. */
void fuzz_require_lines(const char *text);

/* The path of NAME in a directory of this process, which is removed at its end. In TMPDIR, or
 * /dev/shm where that is not set. Valid until the next call. */
const char *fuzz_path(const char *name);

/* Writes the bytes to NAME there, and gives its path. */
const char *fuzz_file(const char *name, const void *data, size_t size);

#endif
