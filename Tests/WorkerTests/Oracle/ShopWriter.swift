import Postgres
import TestSupport

/// Makes up what an application writes: random transactions on the tables of ``Shop``.
struct ShopWriter {
    /// A transaction, as one script.
    struct Transaction {
        var sql: String
        /// How many statements in it change rows and are not rolled back.
        var changes: Int
    }

    private var random: SeededGenerator

    init(seed: UInt64) { random = SeededGenerator(seed: seed) }

    private static let stamp = "nextval('stamps')"

    /// One to six statements; some are rolled back, alone or together.
    mutating func transaction() -> Transaction {
        guard chance(1, of: 400) == false else {
            // Any row: a TRUNCATE, and more rows than are told one by one.
            let sql =
                chance(1, of: 2)
                ? "UPDATE posts SET stamp = \(Self.stamp)" : "TRUNCATE posts; \(insertPosts())"
            return Transaction(sql: "BEGIN; \(sql); COMMIT", changes: Shop.posts.count)
        }
        if chance(1, of: 2) { return Transaction(sql: statement(), changes: 1) }
        var statements: [String] = []
        var changes = 0
        for _ in 0..<Int.random(in: 1...6, using: &random) {
            switch Int.random(in: 0..<10, using: &random) {
            case 0: statements.append("SAVEPOINT s; \(statement()); ROLLBACK TO s")
            case 1:
                statements.append("SAVEPOINT s; \(statement()); RELEASE s")
                changes += 1
            case 2:
                statements.append(
                    "DO $do$ BEGIN \(statement()); RAISE 'no'; EXCEPTION WHEN others THEN NULL; END $do$")
            default:
                statements.append(statement())
                changes += 1
            }
        }
        let isRolledBack = chance(1, of: 7)
        let end = isRolledBack ? "ROLLBACK" : "COMMIT"
        return Transaction(
            sql: "BEGIN; \(statements.joined(separator: "; ")); \(end)", changes: isRolledBack ? 0 : changes)
    }

    private mutating func statement() -> String {
        switch Int.random(in: 0..<12, using: &random) {
        case 0...2: person()
        case 3, 4: member()
        case 5, 6: post()
        case 7, 8: item()
        case 9: order()
        default: line()
        }
    }

    // MARK: One statement

    private mutating func person() -> String {
        let (id, other) = (text(Shop.people), text(Shop.people))
        switch Int.random(in: 0..<10, using: &random) {
        case 0, 1: return "UPDATE people SET stamp = \(Self.stamp) WHERE id = \(id)"
        case 2: return "UPDATE people SET email = \(email), stamp = \(Self.stamp) WHERE id = \(id)"
        case 3: return "UPDATE people SET email = NULL, stamp = \(Self.stamp) WHERE id = \(id)"
        case 4: return "UPDATE people SET note = md5(random()::text) WHERE id = \(id)"
        case 5: return "DELETE FROM people WHERE id = \(id)"
        case 6:
            return """
                UPDATE people SET id = \(other), stamp = \(Self.stamp)
                WHERE id = \(id) AND NOT EXISTS (SELECT FROM people WHERE id = \(other))
                """
        case 7:
            return
                "UPDATE people SET note = 'all', stamp = \(Self.stamp) WHERE id IN (\(texts(Shop.people, 30)))"
        case 8:
            return """
                MERGE INTO people USING (VALUES (\(id)), (\(other))) AS v(id) ON people.id = v.id
                WHEN MATCHED THEN UPDATE SET stamp = \(Self.stamp)
                WHEN NOT MATCHED THEN INSERT VALUES (v.id, \(email), '', \(Self.stamp))
                """
        default:
            return """
                INSERT INTO people VALUES (\(id), \(email), '', \(Self.stamp))
                ON CONFLICT (id) DO UPDATE SET email = excluded.email, stamp = \(Self.stamp)
                """
        }
    }

    private mutating func member() -> String {
        let (team, person) = (text(Shop.teams), text(Shop.members, isAny: true))
        let (otherTeam, otherPerson) = (text(Shop.teams), text(Shop.members, isAny: true))
        switch Int.random(in: 0..<8, using: &random) {
        case 0, 1:
            return
                "UPDATE members SET role = 'x', stamp = \(Self.stamp) WHERE (team, person) = (\(team), \(person))"
        case 2:
            return """
                UPDATE members SET team = \(otherTeam), person = \(otherPerson), stamp = \(Self.stamp)
                WHERE (team, person) = (\(team), \(person))
                    AND NOT EXISTS (SELECT FROM members WHERE (team, person) = (\(otherTeam), \(otherPerson)))
                """
        case 3: return "UPDATE members SET stamp = \(Self.stamp) WHERE team = \(team)"
        case 4: return "DELETE FROM members WHERE team = \(team) AND person < \(person)"
        case 5: return "DELETE FROM members WHERE (team, person) = (\(team), \(person))"
        default:
            return """
                INSERT INTO members VALUES (\(team), \(person), 'new', \(Self.stamp)), (\(team), \(otherPerson), 'n', \(Self.stamp))
                ON CONFLICT DO NOTHING
                """
        }
    }

    private mutating func post() -> String {
        let (id, author) = (number(Shop.posts), number(Shop.authors))
        let state = chance(1, of: 2) ? "public" : "draft"
        switch Int.random(in: 0..<7, using: &random) {
        case 0, 1: return "UPDATE posts SET stamp = \(Self.stamp) WHERE id = \(id)"
        case 2: return "UPDATE posts SET state = '\(state)', stamp = \(Self.stamp) WHERE id = \(id)"
        case 3: return "UPDATE posts SET author = \(author), stamp = \(Self.stamp) WHERE id = \(id)"
        case 4: return "DELETE FROM posts WHERE id = \(id)"
        case 5: return "UPDATE posts SET state = '\(state)', stamp = \(Self.stamp) WHERE author = \(author)"
        default:
            return """
                INSERT INTO posts VALUES (\(id), \(author), '\(state)', \(Self.stamp))
                ON CONFLICT (id) DO UPDATE SET author = excluded.author, state = excluded.state, stamp = excluded.stamp
                """
        }
    }

    private mutating func item() -> String {
        let (id, category) = (text(Shop.items), text(Shop.categories))
        switch Int.random(in: 0..<8, using: &random) {
        case 0: return "UPDATE items SET stamp = \(Self.stamp) WHERE id = \(id)"
        case 1: return "UPDATE items SET category = \(category), stamp = \(Self.stamp) WHERE id = \(id)"
        case 2...4: return "UPDATE items SET stock = stock - 1 WHERE category = \(category)"
        case 5: return "DELETE FROM items WHERE id = \(id)"
        case 6:
            return """
                WITH moved AS (DELETE FROM items WHERE id = \(id) RETURNING stock)
                INSERT INTO items SELECT \(text(Shop.items)), \(category), stock, \(Self.stamp) FROM moved
                ON CONFLICT DO NOTHING
                """
        default:
            return "INSERT INTO items VALUES (\(id), \(category), 5, \(Self.stamp)) ON CONFLICT DO NOTHING"
        }
    }

    private mutating func order() -> String {
        let (id, customer) = (number(Shop.orders), chance(1, of: 9) ? "NULL" : number(Shop.customers))
        switch Int.random(in: 0..<7, using: &random) {
        case 0: return "UPDATE orders SET stamp = \(Self.stamp) WHERE id = \(id)"
        case 1: return "UPDATE orders SET customer = \(customer), stamp = \(Self.stamp) WHERE id = \(id)"
        case 2:
            return "UPDATE orders SET number = 'N-' || \(Self.stamp), stamp = \(Self.stamp) WHERE id = \(id)"
        case 3: return "UPDATE orders SET note = note || '.' WHERE id = \(id)"
        case 4: return "DELETE FROM orders WHERE id = \(id)"
        default:
            return """
                INSERT INTO orders VALUES (\(id), 'N-' || \(Self.stamp), \(customer), '', \(Self.stamp)) ON CONFLICT DO NOTHING
                """
        }
    }

    private mutating func line() -> String {
        let (id, order) = (number(Shop.lines), number(Shop.orders))
        switch Int.random(in: 0..<5, using: &random) {
        case 0: return "UPDATE lines SET stamp = \(Self.stamp) WHERE id = \(id)"
        case 1: return "UPDATE lines SET stamp = \(Self.stamp) WHERE order_id = \(order)"
        case 2: return "DELETE FROM lines WHERE id = \(id)"
        case 3:
            return """
                UPDATE lines SET order_id = o.id, stamp = \(Self.stamp) FROM orders AS o WHERE lines.id = \(id) AND o.id = \(order)
                """
        default:
            return """
                INSERT INTO lines SELECT \(id), id, \(Self.stamp) FROM orders WHERE id = \(order) ON CONFLICT DO NOTHING
                """
        }
    }

    private mutating func insertPosts() -> String {
        """
        INSERT INTO posts SELECT n, 1 + n % \(Shop.authors.count), (ARRAY['public', 'draft'])[1 + n % 2], \(Self.stamp)
        FROM generate_series(1, \(Shop.posts.count)) AS n
        """
    }

    // MARK: One value

    private let email = "'E' || nextval('stamps') || '@X.org'"

    private mutating func chance(_ count: Int, of all: Int) -> Bool {
        Int.random(in: 0..<all, using: &random) < count
    }

    private mutating func text(_ names: some Sequence<String>, isAny: Bool = false) -> String {
        let names = isAny ? Array(names) : Shop.hot(names)
        return SQL.literal(names[Int.random(in: names.indices, using: &random)])
    }

    private mutating func texts(_ names: some Sequence<String>, _ count: Int) -> String {
        (0..<count).map { _ in text(names) }.joined(separator: ", ")
    }

    private mutating func number(_ range: ClosedRange<Int>) -> String {
        let numbers = Shop.hot(range)
        return "\(numbers[Int.random(in: numbers.indices, using: &random)])"
    }
}
