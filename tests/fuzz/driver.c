/*
 * Stands for libFuzzer where the compiler has none: runs each FILE, and each file of each
 * DIRECTORY, through the target once.
 *
 * usage: corpus_NAME FILE|DIRECTORY...
 */
#include "tests/fuzz/fuzz.h"

#include <dirent.h>
#include <sys/stat.h>

/* One that needs longer is no test. */
#define INPUT_MAX ((size_t)1 << 20)

static void run_file(const char *path, int *count)
{
    CLEANUP_FCLOSE FILE *file = fopen(path, "re");
    CLEANUP_FREE uint8_t *data = malloc(INPUT_MAX);

    /* Said before: who reads this wants to know which input a crash is of. */
    (void)printf("# %s\n", path);
    (void)fflush(stdout);
    REQUIRE(file && data);
    size_t size = fread(data, 1, INPUT_MAX, file);
    REQUIRE(!ferror(file) && size < INPUT_MAX);
    /* A block that ends where the input does, as libFuzzer has it. */
    CLEANUP_FREE uint8_t *exact = realloc(STEAL(data), size > 0 ? size : 1);
    REQUIRE(exact);
    (void)LLVMFuzzerTestOneInput(exact, size);
    (*count)++;
}

static int is_input(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static void run_path(const char *path, int *count)
{
    struct stat status = {0};
    struct dirent **entries = NULL;

    REQUIRE(stat(path, &status) == 0);
    if (!S_ISDIR(status.st_mode)) {
        run_file(path, count);
        return;
    }
    int found = scandir(path, &entries, is_input, alphasort);
    REQUIRE(found >= 0);
    for (int i = 0; i < found; i++) {
        CLEANUP_BUFFER struct buffer name = BUFFER_INIT(1 << 16);
        buffer_printf(&name, "%s/%s", path, entries[i]->d_name);
        run_file(buffer_text(&name), count);
        free(entries[i]);
    }
    free(entries);
}

int main(int argc, char **argv)
{
    int count = 0;

    for (int i = 1; i < argc; i++)
        run_path(argv[i], &count);
    (void)printf("# %d inputs\n", count);
    return count > 0 ? 0 : 1; /* nothing proves nothing */
}
