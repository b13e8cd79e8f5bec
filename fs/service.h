/*
 * What systemd is told by a service of Type=notify: the protocol of sd_notify(3), which is one
 * datagram to the socket that $NOTIFY_SOCKET names. Without it nothing is told.
 */
#ifndef FS_SERVICE_H
#define FS_SERVICE_H

#include "core/base/cleanup.h"

#include <sys/un.h>

struct service {
    struct sockaddr_un address;
    socklen_t length; /* 0: nobody listens */
};

/* Reads $NOTIFY_SOCKET and takes it out of the environment: programs that are started from here are
 * not the service. Before any thread. */
void service_find(struct service *out);

/* Tells TEXT, lines of KEY=VALUE. That nobody hears is no error: the mount is there all the same. */
void service_tell(const struct service *service, const char *format, ...) PRINTF_LIKE(2, 3);

#endif
