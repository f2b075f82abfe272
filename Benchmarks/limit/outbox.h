#include <libpq-fe.h>
#include <stdbool.h>
#include <stdint.h>

#define PAGE 10000

// A pg_snapshot without its xmin: what is visible, and what had not finished by then.
struct snapshot {
    uint64_t xmax;
    uint64_t in_progress[1024];
    int count;
};

// How far the outbox was read: all that the snapshot sees, and of one transaction the records up to an id.
struct cursor {
    struct snapshot snapshot;
    uint64_t xid;
    int64_t id;
};

// One page: call `each` with the text of every key's id.
struct page {
    int records;
    bool is_full;
    // Transactions under way, as far as the read could see.
    int writers;
};

void parse_snapshot(const char *text, struct snapshot *snapshot);
void prepare_reads(PGconn *connection);
void send_read(PGconn *connection, const struct cursor *cursor);
struct page receive_page(PGconn *connection, struct cursor *cursor, void (*each)(const char *id, int length));
void fail(const char *what, const char *why);
