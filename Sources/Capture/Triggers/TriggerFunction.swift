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
    /// schema, and finds no names but the server's own.
    var definition: String {
        let pins = settings.map { "\n    SET \($0.rawValue) = \($0.value)" }.joined()
        return """
            CREATE OR REPLACE FUNCTION unstale.\(SQL.identifier(name))() RETURNS trigger
                LANGUAGE plpgsql SECURITY DEFINER
                SET search_path = pg_catalog, pg_temp\(pins)
            AS $unstale$\(source)$unstale$
            """
    }
}
