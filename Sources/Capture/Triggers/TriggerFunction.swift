import Glibc
import Postgres
import Rules

/// One trigger function of a capture: what `CREATE FUNCTION` is told.
struct TriggerFunction: Equatable, Sendable {
    /// Its name in the schema `unstale`.
    var name: String
    /// The plpgsql source.
    var source: String
    /// The pinned settings, as `pg_proc.proconfig` shows them.
    var settings: [TextSetting]

    /// What makes the function what it is. It runs as its owner, so the application needs no right on the
    /// schema, and finds no names but the server's own. Nobody else may make triggers that call it: it would
    /// write the values of their tables as text, by their types' own functions.
    ///
    /// To pin the path takes some 15 of the 80 µs that a lone UPDATE pays. To qualify every name instead would not do: a
    /// column that is gone is then looked for as a function of the row, in the writer's path (manual, 8.16.5), and
    /// whoever changes the path has all statements planned anew.
    var definition: String {
        let pins = settings.map { "\n    SET \($0.rawValue) = \($0.value)" }.joined()
        let function = "unstale.\(SQL.identifier(name))()"
        return """
            CREATE OR REPLACE FUNCTION \(function) RETURNS trigger
                LANGUAGE plpgsql SECURITY DEFINER
                SET search_path = \(Self.searchPath)\(pins)
            AS \(quote)\(source)\(quote);
            REVOKE ALL ON FUNCTION \(function) FROM PUBLIC;
            """
    }

    /// The number of the capture that it writes records with; nil: it is none of ours. Its name does not tell: it keeps that
    /// when its table takes another's name, or comes into another database.
    var capture: Int32? {
        source.withCString { text in
            guard let insert = strstr(text, "INSERT INTO unstale.outbox (capture"),
                let values = strstr(insert, "VALUES (")
            else { return nil }
            return Int32(exactly: strtol(values.advanced(by: "VALUES (".utf8.count), nil, 10))
        }
    }

    /// Where the functions find names: the application's own must be qualified.
    static let searchPath = "pg_catalog, pg_temp"

    /// A dollar quote that the source does not contain.
    private var quote: String {
        var tag = "unstale"
        while source.holds("$\(tag)$") { tag += "_" }
        return "$\(tag)$"
    }
}
