/* A schema against the one that this program makes: see the header. */
#include "core/store/schema_match.h"

#include "core/base/text.h"

#include <string.h>

/* ?1 type, ?2 name, ?3 table, ?4 sql: whether the model has exactly that; and whether it has
 * something of that name, or the table. SQLite's names know no case. */
static const char known_sql[] = "SELECT 1 FROM sqlite_schema WHERE type = ?1 AND name = ?2 AND "
                                "tbl_name = ?3 AND sql IS ?4";
static const char ours_sql[] = "SELECT 1 FROM sqlite_schema WHERE name COLLATE NOCASE IN (?2, ?3)";

/* Whether SQL, about a row of the schema, gives something: SQLITE_ROW, SQLITE_DONE, or an error. */
static int ask(sqlite3 *model, const char *sql, sqlite3_stmt *row)
{
    sqlite3_stmt *question = NULL;
    int rc = sqlite3_prepare_v2(model, sql, -1, &question, NULL);

    for (int i = 1; rc == SQLITE_OK && i <= sqlite3_bind_parameter_count(question); i++)
        rc = sqlite3_bind_value(question, i, sqlite3_column_value(row, i - 1));
    if (rc == SQLITE_OK)
        rc = sqlite3_step(question);
    (void)sqlite3_finalize(question);
    return rc;
}

static const char *text_of(sqlite3_stmt *row, int column)
{
    const unsigned char *text = sqlite3_column_text(row, column);

    return text ? (const char *)text : "";
}

/* SQLITE_ROW if ROW does not belong there, SQLITE_DONE if it does no harm, or an error. */
static int judge(sqlite3 *model, sqlite3_stmt *row)
{
    int rc = ask(model, known_sql, row);

    if (rc == SQLITE_ROW)
        return SQLITE_DONE;
    if (rc != SQLITE_DONE || strcmp(text_of(row, 0), "trigger") == 0)
        return rc == SQLITE_DONE ? SQLITE_ROW : rc;
    return ask(model, ours_sql, row);
}

int schema_find_stranger(sqlite3 *db, sqlite3 *model, struct buffer *what)
{
    sqlite3_stmt *row = NULL;
    int rc = sqlite3_prepare_v2(db, "SELECT type, name, tbl_name, sql FROM sqlite_schema", -1, &row,
                                NULL);

    if (rc == SQLITE_OK)
        rc = SQLITE_ROW;
    while (rc == SQLITE_ROW && (rc = sqlite3_step(row)) == SQLITE_ROW) {
        rc = judge(model, row);
        if (rc == SQLITE_ROW) {
            text_escape(what, text_of(row, 0));
            buffer_puts(what, " ");
            text_escape(what, text_of(row, 1));
            break;
        }
        if (rc == SQLITE_DONE)
            rc = SQLITE_ROW;
    }
    (void)sqlite3_finalize(row);
    return rc;
}
