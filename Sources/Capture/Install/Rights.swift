import Postgres
import Rules

/// Rights beyond the schema `unstale` that the worker's role needs: to read what lookups read.
enum Rights {
    /// SQL that grants one and notes it, unless the role has it already.
    static func grant(object: String, role: String) -> String {
        """
        DO $unstale$ BEGIN
            IF NOT \(test(object: object, role: role)) THEN
                GRANT \(object) TO \(SQL.identifier(role));
                INSERT INTO unstale.grants VALUES (\(SQL.literal(role)), \(SQL.literal(object))) ON CONFLICT DO NOTHING;
            END IF;
        END $unstale$;
        """
    }

    /// SQL that takes it back, if object and role are still there.
    static func revocation(object: String, role: String) -> String {
        """
        DO $unstale$ BEGIN
            REVOKE \(object) FROM \(SQL.identifier(role));
        EXCEPTION WHEN undefined_table OR undefined_object OR invalid_schema_name THEN NULL;
        END $unstale$;
        """
    }

    /// `SELECT ON TABLE "public"."orders"`, the form in which a right is granted and noted.
    static func select(_ table: TableName) -> String {
        "SELECT ON TABLE \(SQL.identifier(table.schema, table.name))"
    }

    /// The right to name what is in a schema.
    static func usage(_ schema: String) -> String { "USAGE ON SCHEMA \(SQL.identifier(schema))" }

    private static func test(object: String, role: String) -> String {
        let name = object.split(separator: " ", maxSplits: 3).last.map(String.init) ?? ""
        return object.hasPrefix("USAGE")
            ? "has_schema_privilege(\(SQL.literal(role)), (SELECT oid FROM pg_namespace WHERE quote_ident(nspname) = \(SQL.literal(name)) OR nspname = \(SQL.literal(String(name.dropFirst().dropLast())))), 'USAGE')"
            : "has_table_privilege(\(SQL.literal(role)), \(SQL.literal(name)), 'SELECT')"
    }
}
