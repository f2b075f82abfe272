import FoundationEssentials
public import Postgres
public import Rules

/// The actions that failed on their own account, in Postgres: parked there at once, so that a batch is finished
/// and nothing waits behind them, tried again with backoff, and dead after the last attempt.
public struct DeadLetters: Sendable {
    private let connection: PostgresConnection
    /// When and how often parked actions are tried.
    private let policy: RetryPolicy

    /// The table behind a connection.
    public init(connection: PostgresConnection, policy: RetryPolicy = RetryPolicy()) {
        self.connection = connection
        self.policy = policy
    }

    /// An action that is parked or dead.
    public struct Letter: Sendable {
        /// Its number.
        public var id: Int
        /// The target's name.
        public var target: String
        /// The rule's name.
        public var rule: String
        /// What is to be done, as JSON.
        public var action: String
        /// What was answered the last time.
        public var error: String
        /// How often it was tried.
        public var attempts: Int
        /// When it failed first, as Postgres writes it.
        public var createdAt: String
        /// When it is tried next; nil: it is dead.
        public var nextAttemptAt: String?
    }

    /// Parks actions that were tried once.
    public func park(_ failures: [FailedAction], target: String) async throws(PostgresError) {
        guard !failures.isEmpty else { return }
        let parameters: [Parameter] = [
            .text(target), .texts(failures.map { Array($0.rule.utf8) }),
            .texts(failures.map { Self.encode($0.action) }),
            .texts(failures.map { Array(Self.storable($0.reason).utf8) }),
            .texts(failures.map { _ in Array("\(policy.delay(afterAttempts: 1) / .seconds(1))".utf8) }),
            .text(policy.attempts <= 1 ? "t" : "f"),
        ]
        _ = try await connection.query(
            """
            INSERT INTO unstale.dead_letters (target, rule, action, error, attempts, next_attempt_at, dead_at)
            SELECT $1, f.rule, f.action::jsonb, f.error, 1, now() + make_interval(secs => f.delay::float8),
                CASE WHEN $6::boolean THEN now() END
            FROM unnest($2::text[], $3::text[], $4::text[], $5::text[]) AS f(rule, action, error, delay)
            -- What will be tried anyway, from now on, or is as dead, is not parked once more.
            WHERE NOT EXISTS (
                SELECT FROM unstale.dead_letters AS d
                WHERE (d.target, d.rule, d.action) = ($1, f.rule, f.action::jsonb)
                    AND CASE WHEN d.dead_at IS NULL THEN d.next_attempt_at > now() ELSE $6::boolean END)
            """, parameters, doing: "parking failed actions")
    }

    /// The parked actions of a target that are due, at most 100, without those that have these numbers.
    public func due(target: String, besides ids: Set<Int>) async throws(PostgresError) -> [Letter] {
        try await letters(
            """
            WHERE target = $1 AND dead_at IS NULL AND next_attempt_at <= now() AND id <> ALL ($2::text[]::bigint[])
            ORDER BY next_attempt_at LIMIT 100
            """,
            [.text(target), Self.array(ids)])
    }

    /// Everything that is parked or dead, oldest first; at most so many.
    public func all(limit: Int? = nil) async throws(PostgresError) -> [Letter] {
        try await letters("ORDER BY id LIMIT $1::bigint", [limit.map { .integer($0) } ?? .null])
    }

    /// How many of a target's are tried again, and how many no more.
    public func counts(target: String) async throws(PostgresError) -> (retrying: Int, dead: Int) {
        let rows = try await connection.query(
            """
            SELECT count(*) FILTER (WHERE dead_at IS NULL), count(dead_at) FROM unstale.dead_letters
            WHERE target = $1
            """, [.text(target)], doing: "counting dead letters")
        return (rows.first?.int(0) ?? 0, rows.first?.int(1) ?? 0)
    }

    /// One of them.
    public func letter(_ id: Int) async throws(PostgresError) -> Letter? {
        try await letters("WHERE id = $1::bigint", [.integer(id)]).first
    }

    /// Makes letters due at once, with all attempts before them; nil: all dead ones. Returns how many.
    public func redrive(_ ids: [Int]?) async throws(PostgresError) -> Int {
        try await change(
            "UPDATE unstale.dead_letters SET attempts = 0, next_attempt_at = now(), dead_at = NULL", ids,
            doing: "redriving dead letters")
    }

    /// Throws letters away; nil: all dead ones. Returns how many.
    public func discard(_ ids: [Int]?) async throws(PostgresError) -> Int {
        try await change("DELETE FROM unstale.dead_letters", ids, doing: "discarding dead letters")
    }

    /// An attempt has been acknowledged.
    public func settle(_ letter: Letter) async throws(PostgresError) {
        _ = try await discard([letter.id])
    }

    /// An attempt has failed; returns whether it was the last.
    public func failedAgain(_ letter: Letter, reason: String) async throws(PostgresError) -> Bool {
        let attempts = letter.attempts + 1
        let isDead = attempts >= policy.attempts
        _ = try await connection.query(
            """
            WITH failed AS (
                UPDATE unstale.dead_letters SET attempts = $2::int, error = $3,
                    next_attempt_at = now() + make_interval(secs => $4::float8),
                    dead_at = CASE WHEN $5::boolean THEN now() END
                WHERE id = $1::bigint RETURNING *)
            -- Of dead letters that ask for the same, the newest is enough.
            DELETE FROM unstale.dead_letters AS d USING failed AS f
            WHERE (d.target, d.rule, d.action) = (f.target, f.rule, f.action)
                AND d.dead_at IS NOT NULL AND f.dead_at IS NOT NULL AND d.id <> f.id
            """,
            [
                .integer(letter.id), .integer(attempts), .text(Self.storable(reason)),
                .text("\(policy.delay(afterAttempts: attempts) / .seconds(1))"), .text(isDead ? "t" : "f"),
            ], doing: "parking failed actions")
        return isDead
    }

    private func change(_ sql: String, _ ids: [Int]?, doing: String) async throws(PostgresError) -> Int {
        guard let ids else {
            return try await connection.query(sql + " WHERE dead_at IS NOT NULL", doing: doing).affected
        }
        return try await connection.query(
            sql + " WHERE id = ANY ($1::text[]::bigint[])", [Self.array(ids)], doing: doing
        ).affected
    }

    private static func array(_ ids: some Sequence<Int>) -> Parameter {
        .texts(ids.map { Array(String($0).utf8) })
    }

    private func letters(
        _ clause: String, _ parameters: [Parameter]
    ) async throws(PostgresError) -> [Letter] {
        let rows = try await connection.query(
            """
            SELECT id, target, rule, action, error, attempts, created_at,
                CASE WHEN dead_at IS NULL THEN next_attempt_at END FROM unstale.dead_letters \(clause)
            """, parameters, doing: "reading dead letters")
        return rows.map { row in
            Letter(
                id: row.int(0) ?? 0, target: row.text(1) ?? "", rule: row.text(2) ?? "",
                action: row.text(3) ?? "", error: row.text(4) ?? "", attempts: row.int(5) ?? 0,
                createdAt: row.text(6) ?? "",
                nextAttemptAt: row.text(7))
        }
    }

    /// Postgres' text has no NUL, which Redis may quote from a key.
    private static func storable(_ reason: String) -> String { reason.replacing("\0", with: "\u{2400}") }

    private static func encode(_ action: Action) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        // Strings and arrays of them: there is nothing that JSON could not hold.
        return Array((try? encoder.encode(action)) ?? Data())
    }
}

extension DeadLetters {
    /// A letter that can't be tried: its rule is gone, or it is not one of ours.
    public struct UnreadableLetter: Error, CustomStringConvertible {
        /// What is wrong and what to do, on one line.
        public let description: String
    }
}

extension DeadLetters.Letter {
    /// Whether it is a lookup that failed.
    public var isLookup: Bool { if case .lookup = decoded { true } else { false } }

    private var decoded: Action? { try? JSONDecoder().decode(Action.self, from: Data(action.utf8)) }

    /// What the letter asks for now: its rule may have another number than when it was parked.
    public func plan(_ planner: Planner) throws(DeadLetters.UnreadableLetter) -> Plan {
        guard let rule = planner.rules.firstIndex(where: { $0.name.value == self.rule }) else {
            throw DeadLetters.UnreadableLetter(
                description: "there is no rule '\(self.rule)' any more: discard the letter")
        }
        var plan = Plan()
        switch decoded {
        case .delete(let key): plan.merge(planner.plan(deleting: key, rule: rule))
        case .tag(let key): plan.merge(planner.plan(.emptyTag, key, rule: rule))
        case .expire(let key, let milliseconds):
            plan.merge(planner.plan(.expire(.milliseconds(milliseconds)), key, rule: rule))
        case .bump(let key): plan.merge(planner.plan(.bump, key, rule: rule))
        case .publish(let message): plan.merge(planner.plan(publishing: message.bytes, rule: rule))
        case .rewarm(let record):
            // Where its loader is gone, so is the entry.
            if let call = planner.call(record, ofRule: rule) { plan.merge(planner.plan(retrying: call)) }
        case .lookup(let record):
            guard planner.rules[rule].lookup != nil else {
                throw DeadLetters.UnreadableLetter(
                    description: "the rule '\(self.rule)' has no lookup any more: discard the letter")
            }
            if let call = planner.call(record, ofRule: rule) {
                plan.insert(call)
            } else {
                // The rule takes other columns by now, and what the row had in them is not known any more.
                plan.merge(planner.plan(anyRowOfRule: rule))
            }
        case nil:
            throw DeadLetters.UnreadableLetter(description: "the action can't be read: discard the letter")
        }
        return plan
    }
}
