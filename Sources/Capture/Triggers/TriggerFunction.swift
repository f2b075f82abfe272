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
    /// schema, and finds no names but the server's own: `RecordWriter` qualifies them, and for those in a `where` the
    /// search path is pinned. Only then, as every SET is paid for at each call: the path alone took 11,000 of an
    /// UPDATE's 230,000 instructions, and 15 of its 120 µs (Postgres 15). Nobody else may make triggers that call it: it
    /// would write the values of their tables as text, by their types' own functions.
    var definition: String {
        let pins = settings.map { "\n    SET \($0.rawValue) = \($0.value)" }.joined()
        let function = "unstale.\(SQL.identifier(name))()"
        return """
            CREATE OR REPLACE FUNCTION \(function) RETURNS trigger
                LANGUAGE plpgsql SECURITY DEFINER\(pins)
            AS \(quote)\(source)\(quote);
            REVOKE ALL ON FUNCTION \(function) FROM PUBLIC;
            """
    }

    /// A dollar quote that the source does not contain.
    private var quote: String {
        var tag = "unstale"
        while source.contains("$\(tag)$") { tag += "_" }
        return "$\(tag)$"
    }
}
