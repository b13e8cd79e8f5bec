/*
 * One try of a call: the request, signed and handed to libcurl.
 *
 * What has been sent is known from a callback that libcurl makes just before it sends. It makes it
 * again if it is about to send the same bytes a second time (a kept connection was closed without
 * an answer, after client_socket.c has looked): then the try ends. The nonce must not be used twice,
 * and the first may have been obeyed.
 */
#include "core/base/clock.h"
#include "core/cloud/transfer.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

/* Bytes of an answer, decoded. A million pins fit into the larger one. */
#define BODY_MAX (16UL << 20)
#define BODY_MEMBERS_MAX (64UL << 20)
#define HEADERS_MAX (256UL << 10)
/* Of all answers that are coming in at one time: a few are large, not all that there can be. */
#define BODIES_MAX (64UL << 20)

#define CONNECT_MS 5000L
/* A peer that acknowledges nothing for so long is gone: the connection was kept, its network was
 * not. */
#define UNACKNOWLEDGED_MS 5000U
/* Connections that were idle for longer are not used again: gateways close them after a minute, and
 * a change that meets such an end has an unknown outcome. */
#define IDLE_SECONDS 45L

/* As long as an answer may ask to be left alone: longer than any deadline. */
#define WAIT_MAX_S 86400LL

#define NONCE_SIZE 37
#define DATE_SIZE 17

/* --- the request --- */

/* A random UUID (version 4). */
static bool make_nonce(char out[NONCE_SIZE])
{
    unsigned char b[16];

    if (RAND_bytes(b, sizeof(b)) != 1)
        return false;
    b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
    b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
    (void)snprintf(out, NONCE_SIZE,
                   "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0],
                   b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13],
                   b[14], b[15]);
    return true;
}

static bool make_date(char out[DATE_SIZE])
{
    time_t now = time(NULL);
    struct tm calendar = {0};

    return gmtime_r(&now, &calendar) &&
           strftime(out, DATE_SIZE, "%Y%m%dT%H%M%SZ", &calendar) == DATE_SIZE - 1;
}

/* Appends the token as it is sent. */
void try_add_token(const struct client_options *options, struct buffer *out)
{
    const char *token = options->credentials->token;
    size_t length = strlen(token);

    if (!options->encode_token) {
        buffer_puts(out, token);
        return;
    }
    size_t size = 4 * ((length + 2) / 3) + 1;
    CLEANUP_FREE char *text = length < INT_MAX / 2 ? malloc(size) : NULL;
    if (!text) {
        out->failed = true;
        return;
    }
    (void)EVP_EncodeBlock((unsigned char *)text, (const unsigned char *)token, (int)length);
    buffer_puts(out, text);
    explicit_bzero(text, size);
}

static bool add_header(struct curl_slist **list, const char *name, const char *value)
{
    CLEANUP_BUFFER struct buffer line = BUFFER_INIT(1 << 16);

    buffer_printf(&line, "%s: %s", name, value);
    struct curl_slist *longer =
        buffer_failed(&line) ? NULL : curl_slist_append(*list, buffer_text(&line));
    if (line.text)
        explicit_bzero(line.text, line.size);
    if (longer)
        *list = longer;
    return longer != NULL;
}

/* The region of a call whose path has none is a word of its own. */
static const char *signing_region(const struct client *client, const struct call *call)
{
    return call->operation == CALL_USER ? "jdcloud-api" : client->options.region;
}

#define HEADERS 5 /* at most */

/* Signs HEADERS of the call, and makes the list of what is sent. */
static int sign_headers(struct transfer *transfer, const struct sign_header *headers, size_t count,
                        const char *date)
{
    CLEANUP_BUFFER struct buffer authorization = BUFFER_INIT(1 << 14);
    const struct client *client = transfer->client;
    const struct call *call = transfer->call;
    const struct sign_request request = {
        .algorithm = client->options.algorithm,
        .method = call->method,
        .path = call->path,
        .query = call->query ? call->query : "",
        .payload = call->body,
        .payload_length = call->body ? strlen(call->body) : 0,
        .headers = headers,
        .header_count = count,
        .date = date,
        .region = signing_region(client, call),
        .service = call->service,
        .access_key = client->options.credentials->access_key,
        .secret_key = client->options.credentials->secret_key,
    };
    int result = sign_authorization(&request, &authorization);
    bool added = result == 0;

    for (size_t i = 0; added && i < count; i++)
        added = add_header(&transfer->headers, headers[i].name, headers[i].value);
    /* No hundred-continue: bodies are small. */
    added = added && add_header(&transfer->headers, "Expect", "") &&
            add_header(&transfer->headers, "Authorization", buffer_text(&authorization));
    return result < 0 ? result : added ? 0 : -ENOMEM;
}

static int make_headers(struct transfer *transfer, const char *host)
{
    CLEANUP_BUFFER struct buffer token = BUFFER_INIT(1 << 15);
    const struct client_options *options = &transfer->client->options;
    char nonce[NONCE_SIZE];
    char date[DATE_SIZE];
    size_t count = 4;

    if (!make_nonce(nonce) || !make_date(date))
        return -EIO;
    struct sign_header headers[HEADERS] = {
        {"Host", host},
        {"Content-Type", "application/json"},
        {"x-jdcloud-date", date},
        {"x-jdcloud-nonce", nonce},
    };
    if (options->credentials->token) {
        try_add_token(options, &token);
        headers[count++] = (struct sign_header){"x-jdcloud-security-token", buffer_text(&token)};
    }
    int result = buffer_failed(&token) ? -ENOMEM : sign_headers(transfer, headers, count, date);
    if (token.text)
        explicit_bzero(token.text, token.size);
    return result;
}

/* --- what libcurl calls --- */

static bool is_loopback(const char *address)
{
    return strncmp(address, "127.", 4) == 0 || strcmp(address, "::1") == 0 ||
           strncmp(address, "::ffff:127.", 11) == 0;
}

static int on_request(void *context, char *address, char *local_address, int port, int local_port)
{
    struct transfer *transfer = context;
    struct client *client = transfer->client;

    (void)local_address;
    if (client->plain && !is_loopback(address))
        return CURL_PREREQFUNC_ABORT;
    transfer->sent_anew = transfer->sent;
    if (transfer->sent_anew)
        return CURL_PREREQFUNC_ABORT;
    transfer->sent = true;
    sockets_use(transfer, address, port, local_port);
    LOCK_SCOPE(&client->lock);
    client->requests++;
    return CURL_PREREQFUNC_OK;
}

static size_t on_body(char *data, size_t one, size_t length, void *context)
{
    struct transfer *transfer = context;

    (void)one;
    size_t before = transfer->body.length;
    buffer_add(&transfer->body, data, length);
    transfer->client->held += transfer->body.length - before;
    transfer->too_large = buffer_failed(&transfer->body) || transfer->client->held > BODIES_MAX;
    return transfer->too_large ? 0 : length;
}

/* The value of the header NAME in LINE (LENGTH bytes with their line's end) in OUT, or false. */
static bool header_value(const char *line, size_t length, const char *name, char *out, size_t size)
{
    size_t start = strlen(name);

    if (length <= start || strncasecmp(line, name, start) != 0 || line[start] != ':')
        return false;
    start++;
    while (start < length && (line[start] == ' ' || line[start] == '\t'))
        start++;
    while (length > start && strchr(" \t\r\n", line[length - 1]))
        length--;
    (void)snprintf(out, size, "%.*s", (int)(length - start), line + start);
    return true;
}

/* The whole number TEXT, -1 where it is none. */
static int64_t number_of(const char *text)
{
    char *end = NULL;
    long long number = strtoll(text, &end, 10);

    return end == text || *end != '\0' || number < 0 ? -1 : number;
}

/* How long the header Retry-After asks to wait: a number of seconds, or a time. */
static int64_t wait_of(const char *value)
{
    int64_t seconds = number_of(value);
    time_t when = seconds < 0 ? curl_getdate(value, NULL) : 0;

    if (seconds < 0 && when > 0)
        seconds = (int64_t)(when - time(NULL));
    return seconds <= 0 ? 0 : seconds > WAIT_MAX_S ? WAIT_MAX_S * 1000 : seconds * 1000;
}

static void forget_headers(struct transfer *transfer)
{
    transfer->wait_ms = 0;
    transfer->limit = -1;
    transfer->remaining = -1;
    transfer->second = -1;
    transfer->request_id[0] = '\0';
}

static size_t on_header(char *line, size_t one, size_t length, void *context)
{
    struct transfer *transfer = context;
    char value[128];

    (void)one;
    transfer->header_bytes += length;
    if (transfer->header_bytes > HEADERS_MAX) {
        transfer->too_large = true;
        return 0;
    }
    if (length > 5 && strncmp(line, "HTTP/", 5) == 0) /* another answer begins */
        forget_headers(transfer);
    else if (header_value(line, length, "x-jdcloud-limit-minute", value, sizeof(value)))
        transfer->limit = number_of(value);
    else if (header_value(line, length, "x-jdcloud-remaining-minute", value, sizeof(value)))
        transfer->remaining = number_of(value);
    else if (header_value(line, length, "x-jdcloud-request-id", value, sizeof(value)))
        api_printable(value, transfer->request_id, sizeof(transfer->request_id));
    else if (header_value(line, length, "retry-after", value, sizeof(value)))
        transfer->wait_ms = wait_of(value);
    else if (header_value(line, length, "date", value, sizeof(value))) {
        time_t seconds = curl_getdate(value, NULL);
        transfer->second = seconds < 0 ? -1 : (int)(seconds % 60);
    }
    return length;
}

static int on_socket(void *context, curl_socket_t fd, curlsocktype purpose)
{
    unsigned int milliseconds = UNACKNOWLEDGED_MS;

    (void)context;
    (void)purpose;
    /* What cannot be had is done without: the deadline of the call is there in any case. */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &milliseconds, sizeof(milliseconds));
    return CURL_SOCKOPT_OK;
}

/* --- the start --- */

#define SET(easy, code, option, value)                                                             \
    do {                                                                                           \
        if ((code) == CURLE_OK)                                                                    \
            (code) = curl_easy_setopt((easy), (option), (value));                                  \
    } while (0)

static CURLcode set_security(const struct client *client, CURL *easy)
{
    const struct client_options *options = &client->options;
    CURLcode code = CURLE_OK;

    SET(easy, code, CURLOPT_PROTOCOLS_STR, client->plain ? "http" : "https");
    SET(easy, code, CURLOPT_FOLLOWLOCATION, 0L);
    SET(easy, code, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    SET(easy, code, CURLOPT_SSL_VERIFYPEER, 1L);
    SET(easy, code, CURLOPT_SSL_VERIFYHOST, 2L);
    if (options->ca_file)
        SET(easy, code, CURLOPT_CAINFO, options->ca_file);
    /* What is not encrypted leaves this machine on no way. */
    if (client->plain) {
        SET(easy, code, CURLOPT_PROXY, "");
    } else {
        if (options->proxy)
            SET(easy, code, CURLOPT_PROXY, options->proxy);
        if (options->no_proxy)
            SET(easy, code, CURLOPT_NOPROXY, options->no_proxy);
    }
    SET(easy, code, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    return code;
}

static CURLcode set_transport(struct client *client, CURL *easy, long rest_ms)
{
    CURLcode code = CURLE_OK;

    SET(easy, code, CURLOPT_NOSIGNAL, 1L);
    SET(easy, code, CURLOPT_SHARE, client->share);
    SET(easy, code, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
    SET(easy, code, CURLOPT_TIMEOUT_MS, rest_ms);
    SET(easy, code, CURLOPT_CONNECTTIMEOUT_MS, rest_ms < CONNECT_MS ? rest_ms : CONNECT_MS);
    SET(easy, code, CURLOPT_MAXAGE_CONN, IDLE_SECONDS);
    SET(easy, code, CURLOPT_TCP_KEEPALIVE, 1L);
    SET(easy, code, CURLOPT_TCP_NODELAY, 1L);
    SET(easy, code, CURLOPT_OPENSOCKETFUNCTION, sockets_open);
    SET(easy, code, CURLOPT_OPENSOCKETDATA, (void *)client);
    SET(easy, code, CURLOPT_CLOSESOCKETFUNCTION, sockets_close);
    SET(easy, code, CURLOPT_CLOSESOCKETDATA, (void *)client);
    SET(easy, code, CURLOPT_SOCKOPTFUNCTION, on_socket);
    /* A look-up that does not end must hold up neither the other calls nor the end of this one. */
    SET(easy, code, CURLOPT_QUICK_EXIT, 1L);
    return code;
}

static CURLcode set_request(struct transfer *transfer, const char *url)
{
    const struct call *call = transfer->call;
    CURL *easy = transfer->easy;
    CURLcode code = CURLE_OK;

    SET(easy, code, CURLOPT_URL, url);
    SET(easy, code, CURLOPT_PATH_AS_IS, 1L);
    if (call->body) {
        SET(easy, code, CURLOPT_POSTFIELDS, call->body);
        SET(easy, code, CURLOPT_POSTFIELDSIZE, (long)strlen(call->body));
    }
    SET(easy, code, CURLOPT_HTTPHEADER, transfer->headers);
    SET(easy, code, CURLOPT_USERAGENT, "imgsharefs/" IMGSHAREFS_VERSION);
    SET(easy, code, CURLOPT_ACCEPT_ENCODING, "gzip, deflate");
    SET(easy, code, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)transfer->body.maximum);
    SET(easy, code, CURLOPT_ERRORBUFFER, transfer->words);
    SET(easy, code, CURLOPT_PRIVATE, (void *)transfer);
    SET(easy, code, CURLOPT_PREREQFUNCTION, on_request);
    SET(easy, code, CURLOPT_PREREQDATA, (void *)transfer);
    SET(easy, code, CURLOPT_WRITEFUNCTION, on_body);
    SET(easy, code, CURLOPT_WRITEDATA, (void *)transfer);
    SET(easy, code, CURLOPT_HEADERFUNCTION, on_header);
    SET(easy, code, CURLOPT_HEADERDATA, (void *)transfer);
    return code;
}

static int start(struct transfer *transfer, const char *url, const char *host)
{
    struct client *client = transfer->client;
    int64_t rest_ms = transfer->call->deadline_ms - clock_now_ms();

    int result = make_headers(transfer, host);
    if (result < 0)
        return result;
    transfer->easy = curl_easy_init();
    if (!transfer->easy)
        return -ENOMEM;
    sockets_spoil_ended(client);
    /* 0 would be no limit. */
    long limit_ms = rest_ms < 1 ? 1 : rest_ms > INT_MAX ? INT_MAX : (long)rest_ms;
    if (set_security(client, transfer->easy) != CURLE_OK ||
        set_transport(client, transfer->easy, limit_ms) != CURLE_OK ||
        set_request(transfer, url) != CURLE_OK ||
        curl_multi_add_handle(client->multi, transfer->easy) != CURLM_OK) {
        curl_easy_cleanup(STEAL(transfer->easy));
        return -ENOMEM;
    }
    return 0;
}

int try_start(struct transfer *transfer)
{
    CLEANUP_BUFFER struct buffer url = BUFFER_INIT(1 << 15);
    CLEANUP_BUFFER struct buffer host = BUFFER_INIT(1 << 10);
    const struct client *client = transfer->client;
    const struct call *call = transfer->call;

    if (client->base) {
        buffer_puts(&host, client->host);
        buffer_puts(&url, client->base);
    } else {
        buffer_printf(&host, "%s.jdcloud-api.com", call->service);
        buffer_printf(&url, "https://%s", buffer_text(&host));
    }
    buffer_printf(&url, "%s%s%s", call->path, call->query ? "?" : "",
                  call->query ? call->query : "");
    if (buffer_failed(&url) || buffer_failed(&host))
        return -ENOMEM;
    api_answer_dispose(&transfer->answer);
    memset(&transfer->answer, 0, sizeof(transfer->answer));
    transfer->body =
        (struct buffer)BUFFER_INIT(call->operation == CALL_MEMBERS ? BODY_MEMBERS_MAX : BODY_MAX);
    transfer->sent = false;
    transfer->sent_anew = false;
    transfer->too_large = false;
    transfer->header_bytes = 0;
    transfer->words[0] = '\0';
    forget_headers(transfer);
    int result = start(transfer, buffer_text(&url), buffer_text(&host));
    if (result < 0)
        try_end(transfer);
    return result;
}

void try_end(struct transfer *transfer)
{
    if (transfer->easy) {
        (void)curl_multi_remove_handle(transfer->client->multi, transfer->easy);
        curl_easy_cleanup(STEAL(transfer->easy));
    }
    sockets_leave(transfer);
    for (struct curl_slist *header = transfer->headers; header; header = header->next)
        explicit_bzero(header->data, strlen(header->data)); /* the token among them */
    curl_slist_free_all(STEAL(transfer->headers));
    transfer->client->held -= transfer->body.length;
    buffer_dispose(&transfer->body);
}
