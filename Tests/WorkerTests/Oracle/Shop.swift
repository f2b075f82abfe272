import Postgres
import Rules
import TestSupport

/// Tables, rules of every kind that is executed, and a view that says what may be cached.
///
/// Whatever a rule watches is given a value that never was before (the column `stamp`), and the stamps are part of
/// the cached values. So a value in the cache is what the tables say exactly if nothing that it is made of has
/// changed since it was cached: what the worker has to delete, and what it must leave alone, follows from the
/// tables alone.
enum Shop {
    static let schema = """
        CREATE SEQUENCE stamps CACHE 1;
        CREATE TABLE people (id text PRIMARY KEY, email text UNIQUE, note text, stamp bigint);
        CREATE TABLE members (team text, person text, role text, stamp bigint, PRIMARY KEY (team, person));
        CREATE TABLE posts (id int PRIMARY KEY, author int NOT NULL, state text NOT NULL, stamp bigint);
        CREATE TABLE items (id text PRIMARY KEY, category text NOT NULL, stock int, stamp bigint);
        CREATE TABLE orders (id int PRIMARY KEY, number text NOT NULL UNIQUE, customer int, note text, stamp bigint);
        CREATE TABLE lines (
            id int PRIMARY KEY, order_id int NOT NULL REFERENCES orders ON DELETE CASCADE, stamp bigint);
        CREATE INDEX ON lines (order_id);

        CREATE FUNCTION urlencode(value text) RETURNS text IMMUTABLE LANGUAGE sql AS $$
            SELECT string_agg(
                CASE WHEN byte BETWEEN 48 AND 57 OR byte BETWEEN 65 AND 90 OR byte BETWEEN 97 AND 122
                        OR byte IN (45, 46, 95, 126)
                    THEN chr(byte) ELSE '%' || upper(lpad(to_hex(byte), 2, '0')) END, '' ORDER BY place)
            FROM (SELECT place, get_byte(convert_to(value, 'UTF8'), place) AS byte
                FROM generate_series(0, octet_length(value) - 1) AS place) AS bytes $$;

        -- Who has left a group: what came and went again has changed it too.
        CREATE TABLE departures (from_group text, stamp bigint);
        CREATE INDEX ON departures (from_group, stamp);
        CREATE FUNCTION depart() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            INSERT INTO departures
            VALUES (TG_ARGV[0] || coalesce(to_jsonb(OLD) ->> TG_ARGV[1], 'none'), nextval('stamps'));
            RETURN NULL;
        END $$;
        CREATE TRIGGER depart AFTER DELETE OR UPDATE OF team ON members
            FOR EACH ROW EXECUTE FUNCTION depart('team:', 'team');
        CREATE TRIGGER depart AFTER DELETE OR UPDATE ON posts
            FOR EACH ROW WHEN (OLD.state = 'public') EXECUTE FUNCTION depart('author:', 'author');
        CREATE TRIGGER depart AFTER DELETE OR UPDATE OF category ON items
            FOR EACH ROW EXECUTE FUNCTION depart('category:', 'category');
        CREATE TRIGGER depart AFTER DELETE OR UPDATE OF customer ON orders
            FOR EACH ROW EXECUTE FUNCTION depart('customer:', 'customer');
        CREATE TRIGGER depart AFTER DELETE OR UPDATE OF order_id ON lines
            FOR EACH ROW EXECUTE FUNCTION depart('order:', 'order_id');
        CREATE FUNCTION departed(text) RETURNS bigint STABLE LANGUAGE sql
            AS 'SELECT max(stamp) FROM departures WHERE from_group = $1';

        CREATE VIEW cacheable(key, value) AS
        SELECT 'person:' || id, concat_ws('/', email, stamp) FROM people
        UNION ALL
        SELECT 'by-email:' || lower(email), concat_ws('/', id, stamp) FROM people WHERE email IS NOT NULL
        UNION ALL
        SELECT 'member:' || urlencode(team) || ':' || md5(person), concat_ws('/', role, stamp) FROM members
        UNION ALL
        SELECT 'team:' || team,
            concat_ws('/', departed('team:' || team), string_agg(concat_ws('/', person, role, stamp), ',' ORDER BY person))
        FROM members GROUP BY team
        UNION ALL
        SELECT 'author:' || author || ':posts',
            concat_ws('/', departed('author:' || author), string_agg(concat_ws('/', id, stamp), ',' ORDER BY id))
        FROM posts WHERE state = 'public' GROUP BY author
        UNION ALL
        SELECT 'item:' || id, concat_ws('/', category, stamp) FROM items
        UNION ALL
        SELECT unnest(
                ARRAY['shelf:' || encode(sha256(convert_to(category, 'UTF8')), 'hex')]
                || ARRAY(SELECT 'resp:/catalog/' || category || '?page=' || page FROM generate_series(1, 3) AS page)),
            concat_ws('/', departed('category:' || category), string_agg(concat_ws('/', id, stamp), ',' ORDER BY id))
        FROM items GROUP BY category
        UNION ALL
        SELECT 'order:' || number,
            concat_ws('/', departed('order:' || id), customer, stamp,
                (SELECT string_agg(concat_ws('/', id, l.stamp), ',' ORDER BY id) FROM lines AS l WHERE order_id = o.id))
        FROM orders AS o
        UNION ALL
        SELECT 'customer:' || customer || ':orders',
            concat_ws('/', departed('customer:' || customer), string_agg(concat_ws('/', number, stamp), ',' ORDER BY number))
        FROM (SELECT coalesce(customer::text, 'none') AS customer, number, stamp FROM orders) AS o GROUP BY customer;
        """

    static let rules = """
        version: 1
        rules:
          - name: person
            table: people
            columns: [email, stamp]
            delete: {keys: ["person:{id}", "by-email:{email|lower}"]}
          - name: member
            table: members
            delete: {keys: ["member:{team|urlencode}:{person|md5}", "team:{team}"]}
          - name: published
            table: posts
            where: (old.id is not null and old.state = 'public') or (new.id is not null and new.state = 'public')
            delete: {keys: ["author:{author}:posts"]}
          - name: catalogue
            table: items
            columns: [category, stamp]
            delete:
              keys: ["item:{id}", "shelf:{category|sha256}"]
              patterns: ['resp:/catalog/{category}\\?*']
            repeat_after: [200ms]
          - name: order
            table: orders
            columns: [number, customer, stamp]
            delete: {keys: ["order:{number}", "customer:{customer|default:none}:orders"]}
          - name: line
            table: lines
            lookup: select o.number from orders o where o.id = :order_id
            delete: {keys: ["order:{number}"]}
        """

    /// A statement that changes more rows than this counts as a change of any row.
    static let rowLimit = 100

    // MARK: What rows are called

    /// Names that a glob, a shell, a line or an eye could take for others.
    static let oddNames = [
        "*", "?", "**", "[a-z]", "[^a]", "[", "]", "\\", "\\*", "a\\", "a b", " a", "a ", "a\nb", "\t", "é",
        "e\u{301}",
        "日本語", "🦊", "%2A", "{id}", "''", "\"", "$1", "a?b", "a*b", "ab", "A", "null", "0", "-1", "*?[\\",
        String(repeating: "*", count: 500), String(repeating: "x", count: 500),
        String(repeating: "ü", count: 250),
    ]
    static let people = oddNames + (1...150).map { "p\($0)" }
    static let teams = oddNames.prefix(20) + (1...10).map { "t\($0)" }
    /// Without the one that begins with another's name and a question mark: the pages of both match one pattern.
    static let categories = oddNames.filter { $0 != "*?[\\" } + (1...10).map { "c\($0)" }
    static let members = oddNames.suffix(10) + (1...15).map { "m\($0)" }
    static let items = oddNames + (1...300).map { "i\($0)" }
    static let authors = 1...30
    static let posts = 1...400
    static let customers = 1...40
    static let orders = 1...150
    static let lines = 1...600

    /// Which rows are written to, and groups of rows: a part of both is left alone for the whole test.
    static func isHot(_ index: Int) -> Bool { index % 5 < 3 }

    /// Those that are written to.
    static func hot<Name>(_ names: some Sequence<Name>) -> [Name] {
        names.enumerated().filter { isHot($0.offset) }.map(\.element)
    }

    /// The rows at the beginning.
    static func fill(_ connection: PostgresConnection) async throws {
        func array(_ names: some Sequence<String>) -> String {
            "ARRAY[\(names.map { SQL.literal($0) }.joined(separator: ", "))]"
        }
        // A row belongs to a group that is as hot as itself.
        func group(_ names: [String], of place: String) -> String {
            let cold = names.enumerated().filter { !isHot($0.offset) }.map(\.element)
            let (hot, coldCount) = (hot(names), cold.count)
            return """
                CASE WHEN \(place) % 5 < 3 THEN (\(array(hot)))[1 + (\(place) / 5)::int % \(hot.count)]
                    ELSE (\(array(cold)))[1 + (\(place) / 5)::int % \(coldCount)] END
                """
        }
        func number(_ range: ClosedRange<Int>, of place: String) -> String {
            "(\(group(range.map { "\($0)" }, of: place)))::int"
        }
        try await connection.sql(
            """
            INSERT INTO people SELECT id, 'E' || n || '@X.org', '', nextval('stamps')
                FROM unnest(\(array(people))) WITH ORDINALITY AS p(id, n);
            INSERT INTO members SELECT team, person, 'r', nextval('stamps')
                FROM unnest(\(array(teams))) AS t(team), unnest(\(array(members))) AS m(person);
            INSERT INTO posts SELECT n + 1, \(number(authors, of: "n")), (ARRAY['public', 'draft'])[1 + n % 2],
                nextval('stamps') FROM generate_series(0, \(posts.count - 1)) AS n;
            INSERT INTO items SELECT id, \(group(categories, of: "(n - 1)")), 9, nextval('stamps')
                FROM unnest(\(array(items))) WITH ORDINALITY AS i(id, n);
            INSERT INTO orders SELECT n + 1, 'N-' || nextval('stamps'), \(number(customers, of: "n")), '',
                nextval('stamps') FROM generate_series(0, \(orders.count - 1)) AS n;
            INSERT INTO lines SELECT n + 1, n % \(orders.count) + 1, nextval('stamps')
                FROM generate_series(0, \(lines.count - 1)) AS n;
            """)
    }
}
