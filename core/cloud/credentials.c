#include "core/cloud/credentials.h"
#include <string.h>
#include <stdlib.h>
#include <errno.h>
int credentials_read(const char *profile, struct buffer *warnings, struct buffer *error, struct credentials *out)
{
    (void)profile; (void)warnings; (void)error;
    out->access_key = strdup(getenv("JDCLOUD_ACCESS_KEY"));
    out->secret_key = strdup(getenv("JDCLOUD_SECRET_KEY"));
    return 0;
}
void credentials_dispose(struct credentials *c) { free(c->access_key); free(c->secret_key); }
