/*
 * What the end of a try means: its answer, or why there is none.
 */
#include "core/cloud/secret.h"
#include "core/cloud/transfer.h"
#include "core/rules/refusal.h"

#include <errno.h>
#include <string.h>

static int refusal_of_errno(int error)
{
    switch (error) {
    case ECONNREFUSED:
        return REFUSAL_SERVICE_CLOSED;
    case ENETUNREACH:
    case ENETDOWN:
        return REFUSAL_SERVICE_NO_NETWORK;
    case ETIMEDOUT:
        return REFUSAL_SERVICE_TIMEOUT;
    case ECONNRESET: /* as soon as it was there: somebody is */
    case ECONNABORTED:
    case EPIPE:
        return REFUSAL_SERVICE_FAILED;
    default:
        return REFUSAL_SERVICE_NO_HOST;
    }
}

/* The refusal for CODE. The codes that are not named are failures on the way (a reset, a protocol
 * that was broken off). */
static int refusal_of_code(const struct transfer *transfer, CURLcode code)
{
    long error = 0;

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wswitch-enum"
    switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
        return REFUSAL_SERVICE_NO_HOST;
    case CURLE_COULDNT_CONNECT:
        (void)curl_easy_getinfo(transfer->easy, CURLINFO_OS_ERRNO, &error);
        return refusal_of_errno((int)error);
    case CURLE_OPERATION_TIMEDOUT:
        return REFUSAL_SERVICE_TIMEOUT;
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CRL_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS:
    case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
    case CURLE_SSL_CLIENTCERT:
    case CURLE_SSL_ENGINE_NOTFOUND:
    case CURLE_SSL_ENGINE_SETFAILED:
    case CURLE_SSL_ENGINE_INITFAILED:
    case CURLE_USE_SSL_FAILED:
        return REFUSAL_SERVICE_TLS;
    case CURLE_ABORTED_BY_CALLBACK: /* plain http, and the address is not of this machine */
        return transfer->sent_anew ? REFUSAL_SERVICE_FAILED : REFUSAL_SERVICE_TLS;
    case CURLE_UNSUPPORTED_PROTOCOL: /* an answer that is no HTTP */
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_PARTIAL_FILE:
    case CURLE_WRITE_ERROR:
    case CURLE_FILESIZE_EXCEEDED:
    case CURLE_BAD_CONTENT_ENCODING:
        return REFUSAL_SERVICE_ANSWER;
    default:
        return REFUSAL_SERVICE_FAILED;
    }
#pragma GCC diagnostic pop
}

/* libcurl's words, unless they might tell a password of the proxy's address. */
static void take_words(struct transfer *transfer, CURLcode code)
{
    const char *words = transfer->words;

    if (transfer->sent_anew)
        words = "the connection was closed before an answer came";
    else if (code == CURLE_ABORTED_BY_CALLBACK)
        words = "plain http, and the address is not of this machine";
    else if (transfer->too_large)
        words = "the answer is too large";
    else if (!*words || strchr(words, '@') || strstr(words, "://"))
        words = curl_easy_strerror(code);
    api_printable(words, transfer->answer.message, sizeof(transfer->answer.message));
}

/* An answer may quote the request, as some gateways do where a signature is wrong; its words go into
 * the log and events. */
static void hide_secrets(const struct client_options *options, struct api_answer *answer)
{
    const struct credentials *credentials = options->credentials;
    CLEANUP_BUFFER struct buffer sent = BUFFER_INIT(1 << 15);

    if (credentials->token)
        try_add_token(options, &sent);
    const char *const secrets[] = {credentials->secret_key, credentials->token,
                                   sent.length > 0 ? buffer_text(&sent) : NULL};
    for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++) {
        secret_hide(answer->message, secrets[i]);
        secret_hide(answer->request_id, secrets[i]);
    }
    if (sent.text)
        explicit_bzero(sent.text, sent.size);
}

/* No answer, or a broken one. */
static enum try_next understand_failure(struct transfer *transfer, CURLcode code)
{
    int refusal = refusal_of_code(transfer, code);
    bool final = refusal == REFUSAL_SERVICE_TIMEOUT || transfer->too_large ||
                 code == CURLE_FILESIZE_EXCEEDED ||
                 (refusal == REFUSAL_SERVICE_TLS && code != CURLE_SSL_CONNECT_ERROR);

    transfer->result = code == CURLE_OUT_OF_MEMORY ? -ENOMEM : -refusal;
    transfer->unknown = transfer->call->changes && transfer->sent;
    transfer->status = 0;
    take_words(transfer, code);
    if (final || transfer->unknown)
        return TRY_NO_MORE;
    return transfer->sent ? TRY_LATER : TRY_SOON;
}

static enum try_next understand_answer(struct transfer *transfer)
{
    struct api_answer *answer = &transfer->answer;
    const struct call *call = transfer->call;
    long status = 0;

    (void)curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    transfer->status = (int)status;
    api_understand(call->operation, call->pin, transfer->status, buffer_text(&transfer->body),
                   transfer->body.length, answer);
    if (!answer->request_id[0] && transfer->request_id[0]) {
        (void)snprintf(answer->request_id, sizeof(answer->request_id), "%s", transfer->request_id);
        answer->spoke = true;
    }
    if (answer->result < 0 && !answer->message[0])
        (void)snprintf(answer->message, sizeof(answer->message), "HTTP status %d",
                       transfer->status);
    if (answer->message[0] || answer->request_id[0])
        hide_secrets(&transfer->client->options, answer);
    transfer->result = answer->result;
    transfer->unknown = call->changes && answer->verdict == API_UNKNOWN;
    switch (answer->verdict) {
    case API_AGAIN:
        return TRY_LATER;
    case API_RATE:
        return TRY_RATE;
    case API_UNKNOWN:
        return call->changes ? TRY_NO_MORE : TRY_LATER;
    case API_DONE:
    case API_REFUSED:
        break;
    }
    return TRY_NO_MORE;
}

enum try_next try_understand(struct transfer *transfer, CURLcode code)
{
    return code == CURLE_OK ? understand_answer(transfer) : understand_failure(transfer, code);
}
