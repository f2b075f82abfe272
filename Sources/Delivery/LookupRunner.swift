public import Postgres
public import Rules

/// Runs the lookups of a plan: one query for all calls of a rule.
public struct LookupRunner: Sendable {
    private let connection: PostgresConnection
    private let statements: [String: LookupStatement]

    /// - Parameters:
    ///   - connection: A session that is set up with `sessionSettings`.
    ///   - statements: The lookups by rule.
    public init(connection: PostgresConnection, statements: [String: LookupStatement]) {
        self.connection = connection
        self.statements = statements
    }

    /// Lookups only read, and none takes longer than its deadline.
    public static let sessionSettings =
        "SET default_transaction_read_only = on; SET statement_timeout = '5s'"

    /// What the calls' results ask for, and the calls that fail on their own account. Trouble of the server is
    /// thrown, for then nothing is known of the calls.
    public func run(
        _ calls: [LookupCall], planner: Planner
    ) async throws(PostgresError) -> (plan: Plan, failures: [FailedAction]) {
        var plan = Plan()
        var failures: [FailedAction] = []
        for (_, calls) in Dictionary(grouping: calls, by: \.rule).sorted(by: { $0.key < $1.key }) {
            try await run(calls[...], planner, &plan, &failures)
        }
        return (plan, failures)
    }

    /// Runs calls of one rule. When their query fails they are halved, until the ones at fault stand alone; but when it
    /// takes too long, all are at fault: each half might take as long again, while other rules' lookups wait.
    private func run(
        _ calls: ArraySlice<LookupCall>, _ planner: Planner, _ plan: inout Plan,
        _ failures: inout [FailedAction]
    ) async throws(PostgresError) {
        do {
            plan.merge(try await attempt(calls, planner))
        } catch let error as PostgresError where error.isServerTrouble || error.code == .cancelled {
            throw error
        } catch {
            let postgresError = error as? PostgresError
            guard calls.count > 1, postgresError?.tookTooLong != true else {
                failures += calls.map { call in
                    FailedAction(
                        rule: planner.rules[call.rule].name.value, action: .lookup(call.record(planner.rules)),
                        reason: "\(error)", summary: postgresError?.summary ?? "\(error)")
                }
                return
            }
            let middle = calls.startIndex + calls.count / 2
            try await run(calls[..<middle], planner, &plan, &failures)
            try await run(calls[middle...], planner, &plan, &failures)
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
        let rows = try await connection.query(
            statement.sql, parameters, deadline: .seconds(10), doing: "looking up for the rule '\(name)'")
        let fills = try planner.fills(ofRule: rule, columns: Array(rows.columns.dropFirst()))
        var plan = Plan()
        for row in rows {
            guard let number = row.int(0) else { continue }
            fills.add((1..<row.count).map { row.bytes($0).map(Array.init) }, of: calls[number - 1], to: &plan)
        }
        return plan
    }
}

/// A call of a lookup that the rules no longer have.
struct UnknownLookup: Error, CustomStringConvertible {
    let rule: String

    var description: String { "the rule '\(rule)' has no lookup any more" }
}
