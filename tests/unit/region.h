/*
 * A region of JD Cloud whose answers are a script's, mounted without a kernel: for the tests of the
 * JD Cloud source.
 *
 * A suite takes directory_setup() and directory_teardown() for its tests. The account's pin is
 * "owner". The lists are asked for once, when the mount begins, and then when a test says so.
 */
#ifndef TESTS_UNIT_REGION_H
#define TESTS_UNIT_REGION_H

#include "tests/unit/cloud_server.h"
#include "tests/unit/support.h"

/* First lines of requests: see cloud_server.h. */
#define TO_PRIVATE "imageSource=private"
#define TO_SHARED "imageSource=shared"
#define TO_MEMBERS "/members"
#define TO_SHARE ":share"
#define TO_UNSHARE ":unshare"
#define TO_QUOTA "/quotas"

/* Bodies of answers: two images of one's own, none of others; members; a change that was made; one
 * of which nobody knows; what is refused at once, and not asked again; what is an answer to no
 * question. */
#define REGION_PRIVATE                                                                             \
    "{\"requestId\":\"req-1\",\"result\":{\"images\":["                                            \
    "{\"imageId\":\"img-1\",\"name\":\"golden\",\"status\":\"ready\"},"                            \
    "{\"imageId\":\"img-2\",\"name\":\"web\",\"status\":\"ready\"}],\"totalCount\":2}}"
#define REGION_SHARED "{\"requestId\":\"req-2\",\"result\":{\"images\":[],\"totalCount\":0}}"
#define REGION_MEMBERS(pins) "{\"requestId\":\"req-3\",\"result\":{\"pins\":[" pins "]}}"
#define REGION_DONE "{\"requestId\":\"req-4\"}"
#define REGION_FAILED                                                                              \
    "{\"requestId\":\"req-5\",\"error\":{\"code\":500,\"status\":\"INTERNAL\","                    \
    "\"message\":\"it fell over\"}}"
#define REGION_FORBIDDEN                                                                           \
    "{\"requestId\":\"req-7\",\"error\":{\"code\":403,\"status\":\"HTTP_FORBIDDEN\","              \
    "\"message\":\"not with this key\"}}"
#define REGION_NONSENSE "{\"requestId\":\"req-6\",\"result\":[]}"

/* The answers to the two lists that most tests have. */
#define REGION_LISTS                                                                               \
    {.body = REGION_PRIVATE, .to = TO_PRIVATE},                                                    \
    {                                                                                              \
        .body = REGION_SHARED, .to = TO_SHARED                                                     \
    }

struct region {
    const struct registry *registry; /* its directory has the replica */
    struct cloud_server *server;
    struct jdcloud_options options;
    const char *account; /* NULL: the cloud is asked */
    struct mount *mount; /* NULL while it is not mounted */
};

/* Mounts a region that answers by the script; a change may take TIMEOUT_S, or 0 for one that no test
 * runs into. */
void region_open(void **state, struct region *region, const struct cloud_answer *script,
                 size_t count, int64_t timeout_s);
void region_close(struct region *region);

/* The end of the mount; the same replica mounted, as the fields of REGION say by now; both. */
void region_unmount(struct region *region);
void region_mount(struct region *region);
void region_mount_again(struct region *region);
/* It cannot be mounted: gives the errno, and why in ERROR. */
int region_refuse(struct region *region, struct buffer *error);

/* The row of the image ID of this account, or of the others. The lists must have been heard. */
int64_t region_image(struct region *region, const char *id);
int64_t region_received(struct region *region, const char *id);

/* A wish to hear the news: handed to the mount as touch does, or as a directory's opening (which
 * waits where its list was never heard); its end; both. */
struct wish {
    struct refresh refresh;
    sem_t ended;
    int result;
    int times_done;
};
void wish_refresh(struct region *region, struct wish *wish, struct refresh refresh);
void wish_visit(struct region *region, struct wish *wish, struct refresh refresh);
int wish_end(struct wish *wish);
int region_refresh(struct region *region, struct refresh refresh);
int region_visit(struct region *region, struct refresh refresh);

/* The file status. Valid until the next call. */
const char *region_status(struct region *region);

#endif
