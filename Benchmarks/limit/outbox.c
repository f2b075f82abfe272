// The outbox read by a snapshot cursor, as Unstale reads it, with the columns that a key needs and no others.
#include "outbox.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STRING(value) #value
#define NUMBER(macro) STRING(macro)

void fail(const char *what, const char *why) {
    fprintf(stderr, "limit: %s: %s\n", what, why);
    exit(1);
}

static uint64_t big_endian(const char *bytes, int count) {
    uint64_t value = 0;
    for (int i = 0; i < count; i++) value = value << 8 | (uint8_t)bytes[i];
    return value;
}

void parse_snapshot(const char *text, struct snapshot *snapshot) {
    char *rest;
    strtoull(text, &rest, 10);
    snapshot->xmax = strtoull(rest + 1, &rest, 10);
    snapshot->count = 0;
    while (*rest && rest[1]) {
        if (snapshot->count == 1024) fail("reading", "more than 1,024 transactions are in progress");
        snapshot->in_progress[snapshot->count++] = strtoull(rest + 1, &rest, 10);
    }
}

static bool sees(const struct snapshot *snapshot, uint64_t xid) {
    if (xid >= snapshot->xmax) return false;
    for (int i = 0; i < snapshot->count; i++)
        if (snapshot->in_progress[i] == xid) return false;
    return true;
}

// The snapshot, and all that `later` sees of the transactions below `xid`.
static void advance(struct snapshot *snapshot, uint64_t xid, const struct snapshot *later) {
    int count = 0;
    if (xid >= snapshot->xmax) {
        for (int i = 0; i < later->count; i++)
            if (later->in_progress[i] < xid) snapshot->in_progress[count++] = later->in_progress[i];
        snapshot->xmax = xid;
    } else {
        for (int i = 0; i < snapshot->count; i++) {
            uint64_t open = snapshot->in_progress[i];
            if (open >= xid || !sees(later, open)) snapshot->in_progress[count++] = open;
        }
    }
    snapshot->count = count;
}

#define PAGE_OF "ORDER BY xid, id LIMIT " NUMBER(PAGE)
#define RECORDS "SELECT xid, id, op, old, new FROM unstale.outbox WHERE NOT (xid = $2::xid8 AND id <= $3::bigint)"
#define NEW RECORDS " AND xid >= $1::xid8 AND xid < pg_snapshot_xmax(pg_current_snapshot()) " PAGE_OF
#define IN_PROGRESS RECORDS " AND xid = ANY ($4::xid8[]) " PAGE_OF
#define SNAPSHOT                                                                                                       \
    "SELECT pg_current_snapshot()::text, NULL::xid8, age(pg_snapshot_xmax(pg_current_snapshot())::xid)::bigint,"       \
    " NULL::\"char\", NULL::text[], NULL::text[] UNION ALL ("

static void prepare(PGconn *connection, const char *name, const char *statement) {
    PGresult *result = PQprepare(connection, name, statement, 0, NULL);
    if (PQresultStatus(result) != PGRES_COMMAND_OK) fail("preparing", PQerrorMessage(connection));
    PQclear(result);
}

void prepare_reads(PGconn *connection) {
    PQclear(PQexec(connection, "SET enable_seqscan = off; SET enable_bitmapscan = off;"
                               "SET plan_cache_mode = force_generic_plan; SET jit = off"));
    prepare(connection, "read", SNAPSHOT "SELECT NULL, o.* FROM ((" NEW ") UNION ALL (" IN_PROGRESS ")) AS o " PAGE_OF ")");
    // Where no transaction was in progress.
    prepare(connection, "read_new", SNAPSHOT "SELECT NULL, o.* FROM (" NEW ") AS o)");
}

void send_read(PGconn *connection, const struct cursor *cursor) {
    static char in_progress[1024 * 21 + 3];
    char xmax[21], xid[21], id[21];
    char *end = in_progress + sprintf(in_progress, "{");
    for (int i = 0; i < cursor->snapshot.count; i++)
        end += sprintf(end, i ? ",%lu" : "%lu", cursor->snapshot.in_progress[i]);
    strcpy(end, "}");
    sprintf(xmax, "%lu", cursor->snapshot.xmax);
    sprintf(xid, "%lu", cursor->xid);
    sprintf(id, "%ld", cursor->id);
    const char *values[] = {xmax, xid, id, in_progress};
    bool is_new = cursor->snapshot.count == 0;
    if (!PQsendQueryPrepared(connection, is_new ? "read_new" : "read", is_new ? 3 : 4, values, NULL, NULL, 1))
        fail("reading", PQerrorMessage(connection));
}

// The first column of every row of a text[][] in its binary form.
static void each_id(const char *bytes, void (*each)(const char *, int)) {
    int dimensions = big_endian(bytes, 4);
    if (dimensions == 0) return;
    int rows = big_endian(bytes + 12, 4);
    int columns = dimensions > 1 ? big_endian(bytes + 20, 4) : 1;
    const char *element = bytes + 12 + dimensions * 8;
    for (int i = 0; i < rows * columns; i++) {
        int length = (int32_t)big_endian(element, 4);
        if (i % columns == 0 && length >= 0) each(element + 4, length);
        element += 4 + (length > 0 ? length : 0);
    }
}

struct page receive_page(PGconn *connection, struct cursor *cursor, void (*each)(const char *, int)) {
    static struct snapshot current;
    PGresult *result = PQgetResult(connection);
    if (PQresultStatus(result) != PGRES_TUPLES_OK) fail("reading", PQerrorMessage(connection));
    int records = PQntuples(result) - 1;
    parse_snapshot(PQgetvalue(result, 0, 0), &current);
    struct page page = {records, records == PAGE, current.count + (int)big_endian(PQgetvalue(result, 0, 2), 8)};
    for (int row = 1; row <= records; row++) {
        // Any row of the table may have changed: that takes a SCAN, which is not what is measured here.
        if (PQgetisnull(result, row, 4) && PQgetisnull(result, row, 5))
            fail("reading", "a record without rows; raise unstale's --row-limit");
        // Where both are there, the key is the same: a changed primary key is recorded as a delete and an insert.
        each_id(PQgetvalue(result, row, PQgetisnull(result, row, 5) ? 4 : 5), each);
    }
    if (page.is_full) {
        cursor->xid = big_endian(PQgetvalue(result, records, 1), 8);
        cursor->id = big_endian(PQgetvalue(result, records, 2), 8);
        advance(&cursor->snapshot, cursor->xid, &current);
    } else {
        cursor->snapshot = current;
        cursor->xid = cursor->id = 0;
    }
    PQclear(result);
    while ((result = PQgetResult(connection))) PQclear(result);
    return page;
}
