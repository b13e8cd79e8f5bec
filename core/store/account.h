/*
 * The accounts of a registry: adding and listing them. An account is never removed.
 */
#ifndef CORE_STORE_ACCOUNT_H
#define CORE_STORE_ACCOUNT_H

#include "core/store/store.h"

/* What a mobile number must be: this many digits. */
#define ACCOUNT_MOBILE_MIN 5
#define ACCOUNT_MOBILE_MAX 20

/* Whether MOBILE can be a mobile number: digits only, of the length above. */
bool account_is_mobile(const char *mobile);

/* Whether PIN may be the pin of a new account: what a user could share with by touch (pin.h), since
 * nobody else could. (Import takes more: what another source lists is shown.) Returns 0, or -EINVAL
 * with ERROR saying why not. */
int account_check_pin(const char *pin, struct buffer *error) MUST_CHECK;

/* Adds the account PIN, and its MOBILE number unless that is NULL; both were checked. Returns 0, or
 * a negative errno with ERROR set: -EEXIST for a pin or a number that an account has. */
int account_add(struct store *store, const char *pin, const char *mobile,
                struct buffer *error) MUST_CHECK;

/* An account in a listing; the texts are valid during the visit only. */
struct account_entry {
    int64_t row;
    const char *pin;
    const char *mobile; /* "" where there is none */
    int64_t images;     /* that it owns */
    int64_t received;   /* shared with it */
};

/* Visits all accounts in the order of their rows. The visitor returns 0 to go on, or a negative
 * errno, which is then returned. 0 or a negative errno with ERROR set, unless it is the visitor's.
 */
typedef int (*account_visit)(const struct account_entry *entry, void *context);
int account_list(struct store *store, account_visit visit, void *context,
                 struct buffer *error) MUST_CHECK;

#endif
