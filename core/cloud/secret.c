/* Memory for keys: see the header. */
#include "core/cloud/secret.h"

#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

/* Before the caller's bytes: how much is mapped. As wide as any alignment asks. */
#define HEAD 64

/* So much of a secret is recognised, and is not there by chance. */
#define BEGINNING 8

void *secret_new(size_t size)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);

    if (size > SIZE_MAX - HEAD - page)
        return NULL;
    size_t mapped = (size + HEAD + page - 1) / page * page;
    char *memory = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return NULL;
    if (madvise(memory, mapped, MADV_DONTDUMP) < 0) {
        (void)munmap(memory, mapped);
        return NULL;
    }
    /* The limit of locked memory is small for everybody but root; the rest is done without it. */
    (void)mlock(memory, mapped);
    memcpy(memory, &mapped, sizeof(mapped));
    return memory + HEAD;
}

char *secret_copy(const char *text)
{
    size_t size = strlen(text) + 1;
    char *copy = secret_new(size);

    if (copy)
        memcpy(copy, text, size);
    return copy;
}

void secret_free(void *memory)
{
    size_t mapped = 0;

    if (!memory)
        return;
    char *start = (char *)memory - HEAD;
    memcpy(&mapped, start, sizeof(mapped));
    explicit_bzero(start, mapped);
    (void)munmap(start, mapped);
}

void secret_hide(char *text, const char *word)
{
    size_t length = word ? strlen(word) : 0;
    char *at = length > 0
                   ? memmem(text, strlen(text), word, length < BEGINNING ? length : BEGINNING)
                   : NULL;

    if (at)
        *at = '\0';
}
