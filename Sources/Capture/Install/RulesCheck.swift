public import Postgres
public import Rules

/// Holds rules against a database: tables, columns, `where` and lookups.
public struct RulesCheck: Sendable {
    /// The shapes of the tables that rules name, by table.
    public let shapes: [TableName: TableShape]

    /// Reads the tables' shapes and reports every mistake at once; what is wrong with the rules is thrown as
    /// `RulesError`, what is wrong with the server as `PostgresError`.
    ///
    /// - Parameter listen: The channels that tell of changes in the place of our triggers.
    public static func run(
        _ rules: RuleSet, listen: [ListenChannel] = [], _ connection: PostgresConnection
    ) async throws -> RulesCheck {
        let catalog = Catalog(connection: connection)
        let tables = try await catalog.columns()
        let unknown = rules.validate(against: tables)
        guard unknown.isEmpty else { throw RulesError(diagnostics: unknown) }
        var shapes: [TableName: TableShape] = [:]
        for table in Set(rules.rules.map(\.table.value)) {
            shapes[table] = try await catalog.shape(of: table)
        }
        var diagnostics = uncapturable(rules, shapes, listen)
        diagnostics += try await predicateMistakes(rules, shapes, connection)
        var lookupColumns: [String: [String]] = [:]
        for rule in rules.rules {
            guard let shape = shapes[rule.table.value] else { continue }
            if let lookup = LookupStatement(rule: rule, types: shape.types),
                let location = rule.lookup?.location
            {
                diagnostics += try await mistake(at: location, "'lookup'") {
                    lookupColumns[rule.name.value] = try await columns(of: lookup, connection)
                }
            }
            diagnostics += try await loaderMistakes(rule, shape, connection)
        }
        diagnostics += rules.validate(against: tables, lookupColumns: lookupColumns)
        guard diagnostics.isEmpty else { throw RulesError(diagnostics: diagnostics) }
        return RulesCheck(shapes: shapes)
    }

    /// What triggers could not see of the tables that rules want captured.
    private static func uncapturable(
        _ rules: RuleSet, _ shapes: [TableName: TableShape], _ listen: [ListenChannel]
    ) -> [RulesDiagnostic] {
        rules.rules.filter { !listen.tell(of: $0.table.value) }.flatMap { rule in
            shapes[rule.table.value]?.obstacles(to: rule) ?? []
        }
    }

    /// What the server has against each `where`, asked with the names that a trigger function finds.
    private static func predicateMistakes(
        _ rules: RuleSet, _ shapes: [TableName: TableShape], _ connection: PostgresConnection
    ) async throws -> [RulesDiagnostic] {
        let doing = "'where'"
        var diagnostics: [RulesDiagnostic] = []
        for rule in rules.rules {
            guard let predicate = rule.predicate, let shape = shapes[rule.table.value] else { continue }
            let table = shape.sqlName
            diagnostics += try await mistake(at: predicate.location, doing) {
                let path = "SET LOCAL search_path = \(TriggerFunction.searchPath)"
                _ = try await connection.readOnly(
                    "SELECT (\n\(predicate.sql)\n)::bool FROM \(table) AS old, \(table) AS new LIMIT 0",
                    settings: path, doing: doing)
            }
        }
        return diagnostics
    }

    /// What the server has against each loader's query. A column that a lookup doesn't return is told elsewhere.
    private static func loaderMistakes(
        _ rule: Rule, _ shape: TableShape, _ connection: PostgresConnection
    ) async throws -> [RulesDiagnostic] {
        let lookup = LookupStatement(rule: rule, types: shape.types)
        guard
            let loaders = try? await Catalog(connection: connection).loaders(
                of: rule, on: shape, lookup: lookup)
        else { return [] }
        var diagnostics: [RulesDiagnostic] = []
        for (number, loader) in loaders.sorted(by: { $0.key < $1.key }) {
            guard let location = rule.rewarm[number].sql?.location else { continue }
            let empty = [Parameter](repeating: .texts([]), count: loader.arrayCount)
            diagnostics += try await mistake(at: location, "'sql'") {
                _ = try await connection.readOnly(loader.sql, empty, doing: "'sql'")
            }
        }
        return diagnostics
    }

    /// The diagnostic for SQL that the server refuses; everything else goes on.
    private static func mistake(
        at location: FilePosition, _ what: String, _ body: () async throws -> Void
    ) async throws -> [RulesDiagnostic] {
        do {
            try await body()
            return []
        } catch let error as PostgresError
            where error.sqlState != nil && error.sqlState != "42501"
            && (!error.isServerTrouble || error.sqlState == "25006")
        {
            // That a right is missing (42501) is no mistake in the rules; that it writes (25006) is one.
            return [RulesDiagnostic(location, "\(what): \(error.message)")]
        }
    }

    /// The columns that a lookup returns, asked of the server without a row.
    private static func columns(
        of lookup: LookupStatement, _ connection: PostgresConnection
    ) async throws(PostgresError) -> [String] {
        let empty = [Parameter](repeating: .texts([]), count: lookup.arrayCount)
        let rows = try await connection.readOnly(lookup.sql + "\nLIMIT 0", empty, doing: "'lookup'")
        return Array(rows.columns.dropFirst())
    }

    /// The design of each table's capture, in the order of the tables' names.
    func designs(_ rules: RuleSet, _ settings: CaptureSettings) -> [CaptureDesign] {
        shapes.values.sorted { $0.name.description < $1.name.description }.map { shape in
            CaptureDesign(
                shape: shape, rules: rules.rules.filter { $0.table.value == shape.name }, settings: settings)
        }
    }
}

extension TableShape {
    /// The columns' types by name.
    var types: [String: String] { Dictionary(columns.map { ($0.name, $0.type) }) { $1 } }

    var sqlName: String { SQL.identifier(name.schema, name.name) }
}
