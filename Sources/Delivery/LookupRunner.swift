public import Postgres
public import Rules

/// Runs the lookups of a plan: one query for many calls of a rule.
public struct LookupRunner: Sendable {
    private let connection: PostgresConnection
    private let statements: [String: LookupStatement]
    private let transactionSettings: String?
    /// So few calls that a query which takes too long says something of them, and so many that its own cost vanishes.
    private static let callsPerQuery = 500

    /// - Parameters:
    ///   - connection: A session of its own that is set up with `settings`, or one behind a pooler.
    ///   - statements: The lookups by rule.
    ///   - transactionSettings: SQL that each query's transaction begins with, behind a pooler; nil: the session has them.
    public init(
        connection: PostgresConnection, statements: [String: LookupStatement], transactionSettings: String? = nil
    ) {
        self.connection = connection
        self.statements = statements
        self.transactionSettings = transactionSettings
    }

    /// Lookups only read, and none takes longer than its deadline.
    public static let settings =
        "SET default_transaction_read_only = on; SET statement_timeout = '5s'"

    /// What the calls' results ask for, and the calls that fail on their own account. Trouble of the server is
    /// thrown, for then nothing is known of the calls.
    public func run(
        _ calls: [LookupCall], planner: Planner
    ) async throws(PostgresError) -> (plan: Plan, failures: [FailedAction]) {
        var plan = Plan()
        var failures: [FailedAction] = []
        for (_, calls) in Dictionary(grouping: calls, by: \.rule).sorted(by: { $0.key < $1.key }) {
            var timeouts: [PostgresError] = []
            for start in stride(from: 0, to: calls.count, by: Self.callsPerQuery) {
                let some = calls[start..<min(start + Self.callsPerQuery, calls.count)]
                if timeouts.count >= 2 {
                    // Other rules' lookups have waited long enough.
                    failures += fail(some, timeouts[0], planner)
                } else if let timeout = try await run(some, planner, &plan, &failures) {
                    timeouts.append(timeout)
                }
            }
        }
        return (plan, failures)
    }

    /// Runs calls of one rule. When their query fails they are halved, until the ones at fault stand alone; but when it
    /// takes too long, all are at fault: each half might take as long again, while other rules' lookups wait. Gives the
    /// error then.
    @discardableResult
    private func run(
        _ calls: ArraySlice<LookupCall>, _ planner: Planner, _ plan: inout Plan,
        _ failures: inout [FailedAction]
    ) async throws(PostgresError) -> PostgresError? {
        do {
            plan.merge(try await attempt(calls, planner))
        } catch let error as PostgresError where !error.isOfTheQuery {
            throw error
        } catch {
            let timeout = (error as? PostgresError).flatMap { $0.tookTooLong ? $0 : nil }
            guard calls.count > 1, timeout == nil else {
                failures += fail(calls, error, planner)
                return timeout
            }
            let middle = calls.startIndex + calls.count / 2
            try await run(calls[..<middle], planner, &plan, &failures)
            try await run(calls[middle...], planner, &plan, &failures)
        }
        return nil
    }

    private func fail(
        _ calls: ArraySlice<LookupCall>, _ error: any Error, _ planner: Planner
    ) -> [FailedAction] {
        let summary = (error as? PostgresError)?.summary ?? "\(error)"
        return calls.map { call in
            FailedAction(
                rule: planner.rules[call.rule].name.value, action: .lookup(call.record(planner.rules)),
                reason: "\(error)", summary: summary)
        }
    }

    private func attempt(_ calls: ArraySlice<LookupCall>, _ planner: Planner) async throws -> Plan {
        let calls = Array(calls)
        let rule = calls[0].rule
        let name = planner.rules[rule].name.value
        guard let statement = statements[name] else { throw UnknownLookup(rule: name) }
        let parameters = (0..<statement.arrayCount).map { index in
            Parameter.texts(calls.map { index < $0.parameters.count ? $0.parameters[index] : nil })
        }
        let rows = try await query(statement.sql, parameters, doing: "looking up for the rule '\(name)'")
        let fills = try planner.fills(ofRule: rule, columns: Array(rows.columns.dropFirst()))
        var plan = Plan(isLate: planner.isLate)
        for row in rows {
            guard let number = row.int(0) else { continue }
            fills.add((1..<row.count).map { row.bytes($0).map(Array.init) }, of: calls[number - 1], to: &plan)
        }
        return plan
    }

    private func query(
        _ sql: String, _ parameters: [Parameter], doing: String
    ) async throws(PostgresError) -> Rows {
        let deadline = Duration.seconds(10)
        guard let transactionSettings else {
            return try await connection.query(sql, parameters, deadline: deadline, doing: doing)
        }
        return try await connection.readOnly(
            sql, parameters, settings: transactionSettings, isOfPrimary: true, deadline: deadline, doing: doing)
    }
}

/// A call of a lookup that the rules no longer have, or whose table is gone.
struct UnknownLookup: Error, CustomStringConvertible {
    let rule: String

    var description: String { "the lookup of the rule '\(rule)' does not fit the rules or the database any more" }
}
