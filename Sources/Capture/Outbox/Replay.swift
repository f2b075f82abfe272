import FoundationEssentials
public import Postgres
public import Rules

/// Has changes served once more: their records are written anew, and take the way of every other.
public struct Replay: Sendable {
    /// For whom.
    public struct Scope: Hashable, Sendable, Codable {
        /// The only rule that is to see the changes; nil: all.
        public var rule: String?
        /// The only target that is to be served; nil: all.
        public var target: String?

        /// A scope.
        public init(rule: String? = nil, target: String? = nil) {
            self.rule = rule
            self.target = target
        }

        /// The scope of a record that was written anew; nil: it was not, or is not one that this program writes.
        init?(detail: String) {
            guard let scope = try? JSONDecoder().decode(Scope.self, from: Data(detail.utf8)) else { return nil }
            self = scope
        }

        var detail: String {
            let encoder = JSONEncoder()
            encoder.outputFormatting = .sortedKeys
            return (try? encoder.encode(self)).map { String(decoding: $0, as: UTF8.self) } ?? "{}"
        }
    }

    private let connection: PostgresConnection
    private static let doing = "replaying changes"
    /// `object_not_in_prerequisite_state`
    private static let notCaptured = "55000"

    /// Replay by a role that may write the outbox, as `install` grants it to the worker's.
    public init(connection: PostgresConnection) { self.connection = connection }

    /// What was recorded within the last so much time. Gives how many records that were.
    ///
    /// - Parameter table: The only table whose changes count; nil: all.
    public func changes(
        since window: Duration, of table: TableName? = nil, for scope: Scope = Scope(),
        deadline: Duration = .seconds(600)
    ) async throws(PostgresError) -> Int {
        let captures = try await captures(of: table).map { Array("\($0)".utf8) }
        let rows = try await connection.query(
            """
            WITH written AS (
                INSERT INTO unstale.outbox (capture, op, rules, old, new, detail)
                SELECT o.capture, CASE WHEN o.op = 'a' THEN 't' ELSE o.op END, o.rules, o.old, o.new, $1::text
                FROM unstale.outbox AS o
                WHERE o.at >= now() - make_interval(secs => $2::float8) AND o.capture = ANY ($3::text[]::int[])
                    -- What was replayed is there already.
                    AND (o.op = 'a' OR o.detail IS NULL)
                UNION ALL
                -- But for what was written for itself: all rows counted as changed, each time for the same reason. It is
                -- for whom it was then, as far as that is for whom it is now.
                SELECT DISTINCT o.capture, o.op, o.rules, NULL::text[], NULL::text[], (s.scope || $1::text::jsonb)::text
                FROM unstale.outbox AS o, LATERAL (SELECT CASE WHEN o.op = 't' THEN o.detail::jsonb END) AS s(scope)
                WHERE o.at >= now() - make_interval(secs => $2::float8) AND o.capture = ANY ($3::text[]::int[])
                    AND s.scope || $1::text::jsonb = $1::text::jsonb || s.scope
                RETURNING 1),
            rung AS (SELECT pg_notify('unstale', ''))
            SELECT (SELECT count(*) FROM written) FROM rung
            """,
            [.text(scope.detail), .text("\(window / .seconds(1))"), .texts(captures)], deadline: deadline,
            doing: Self.doing)
        return rows.first?.int(0) ?? 0
    }

    /// Records that every row of some tables has changed.
    ///
    /// $1 the tables' captures, $2 the scope.
    public static let everyRow = """
        INSERT INTO unstale.outbox (capture, op, rules, detail)
        SELECT capture::int, 't', -1, $2 FROM unnest($1::text[]) AS capture RETURNING 1
        """

    /// The parameters of ``everyRow-(_)``.
    public static func everyRow(_ captures: some Sequence<Int32>, for scope: Scope) -> [Parameter] {
        [.texts(captures.map { Array("\($0)".utf8) }), .text(scope.detail)]
    }

    /// Every row of a table. Gives the number of records: 0 where the table is not captured.
    public func everything(in table: TableName, for scope: Scope = Scope()) async throws(PostgresError) -> Int {
        guard let capture = try await CaptureState.manifests(connection).newest(of: table) else { return 0 }
        let rows = try await connection.query(
            """
            WITH written AS (\(Self.everyRow)), rung AS (SELECT pg_notify('unstale', ''))
            SELECT (SELECT count(*) FROM written) FROM rung
            """, Self.everyRow([capture], for: scope), doing: Self.doing)
        return rows.first?.int(0) ?? 0
    }

    /// Every row of these tables; and of the targets for which that is meant, those that need a resync have it. Gives
    /// the number of records.
    ///
    /// Throws where one of the tables is not captured.
    public func everything(inAll tables: [TableName], for scope: Scope = Scope()) async throws(PostgresError) -> Int {
        let manifests = try await CaptureState.manifests(connection)
        var newest: [Int32] = []
        for table in tables {
            guard let capture = manifests.newest(of: table) else {
                throw PostgresError(
                    code: .server(sqlState: Self.notCaptured),
                    message: "table \(table) is not captured: run 'unstale install'", doing: Self.doing)
            }
            newest.append(capture)
        }
        let rows = try await connection.query(
            """
            WITH ordered AS (
                UPDATE unstale.targets SET resync = 'ordered' WHERE resync = 'needed' AND name = coalesce($3, name)),
            written AS (\(Self.everyRow)), rung AS (SELECT pg_notify('unstale', ''))
            SELECT (SELECT count(*) FROM written) FROM rung
            """, Self.everyRow(newest, for: scope) + [scope.target.map { .text($0) } ?? .null], doing: Self.doing)
        return rows.first?.int(0) ?? 0
    }

    /// The captures whose records count.
    private func captures(of table: TableName?) async throws(PostgresError) -> [Int32] {
        let manifests = try await CaptureState.manifests(connection)
        return manifests.filter { table == nil || $0.value.table == table }.map(\.key)
    }
}
