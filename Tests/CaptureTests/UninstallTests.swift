import Postgres
import TestSupport
import Testing

@testable import Capture

/// Uninstall leaves nothing behind.
@Suite struct UninstallTests {
    private static let tables = """
        CREATE TABLE items (id int PRIMARY KEY, name text);
        CREATE TABLE parts (id int, r int) PARTITION BY LIST (r);
        CREATE TABLE parts_1 PARTITION OF parts FOR VALUES IN (1);
        CREATE SCHEMA app;
        CREATE TABLE app.orders (id int, item_id int);
        """
    private static let rules = """
        - name: l
          table: items
          lookup: select o.id as order from app.orders o where o.item_id = :id
          delete: {keys: ['o:{order}']}
        - {name: p, table: parts, delete: {keys: ['p:{id}']}}
        """

    /// Everything that the catalog has, with the rights as they work, not as they are written down.
    private static let catalog = """
        SELECT 'relation ' || oid::regclass || relkind::text || ' ' || coalesce(relacl, acldefault('r', relowner))::text
        FROM pg_class WHERE relkind <> 't' AND relkind <> 'i'
        UNION ALL SELECT 'function ' || oid::regprocedure FROM pg_proc
        UNION ALL SELECT 'trigger ' || tgname || ' ' || tgrelid::regclass FROM pg_trigger
        UNION ALL SELECT 'schema ' || nspname || coalesce(nspacl, acldefault('n', nspowner))::text FROM pg_namespace
            WHERE nspname !~ '^pg_(toast_)?temp_'
        UNION ALL SELECT 'type ' || typname || typnamespace::regnamespace FROM pg_type
        UNION ALL SELECT 'default ' || oid FROM pg_default_acl UNION ALL SELECT 'cast ' || oid FROM pg_cast
        UNION ALL SELECT 'setting ' || setconfig::text FROM pg_db_role_setting ORDER BY 1
        """

    @Test func everythingIsAsBefore() async throws {
        try await TestRole.with { role in
            try await TestDatabase.with { database in
                let captured = try await Captured(database, rules: Self.rules)
                try await captured.owner.run(Self.tables)
                let before = try await captured.owner.lines(Self.catalog)
                for settings in [CaptureSettings(), CaptureSettings(wake: .poll, always: true)] {
                    try await captured.install(settings: settings, workerRole: role)
                    try await captured.owner.run(
                        "INSERT INTO items VALUES (1, 'a'); INSERT INTO parts VALUES (1, 1); TRUNCATE items, parts"
                    )
                    let steps = try await Installer(connection: captured.owner).uninstall()
                    #expect(steps.last == "drop the schema unstale")
                    let after = try await captured.owner.lines(Self.catalog)
                    #expect(after.difference(from: before).isEmpty, "\(after.difference(from: before))")
                    #expect(try await Installer(connection: captured.owner).uninstall() == [])
                }
            }
        }
    }

    /// A right that the role had before is none of ours to take.
    @Test func whatTheRoleHadStays() async throws {
        try await TestRole.with { role in
            try await Captured.with(
                Self.tables + "GRANT USAGE ON SCHEMA app TO \(role); GRANT SELECT ON app.orders TO \(role)",
                rules: Self.rules
            ) { (captured) async throws in
                try await captured.install(workerRole: role)
                try await Installer(connection: captured.owner).uninstall()
                let other = try await captured.database.connect(as: role)
                try await other.run("TABLE app.orders")
            }
        }
    }

    @Test func afterTablesAndRolesWereDropped() async throws {
        try await TestRole.with { role in
            try await Captured.with(Self.tables, rules: Self.rules) { (captured) async throws in
                try await captured.install(workerRole: role)
                try await captured.owner.run(
                    "DROP TABLE parts, app.orders; DROP OWNED BY \(role); DROP ROLE \(role)")
                try await Installer(connection: captured.owner).uninstall()
                let left = try await captured.owner.lines(
                    "SELECT tgname FROM pg_trigger UNION SELECT nspname FROM pg_namespace WHERE nspname = 'unstale'"
                )
                #expect(left == [])
            }
        }
    }

    @Test func itWaitsForNobody() async throws {
        try await Captured.with(Self.tables, rules: Self.rules) { (captured) async throws in
            let writer = try await captured.database.connect()
            try await writer.run("BEGIN; INSERT INTO items VALUES (1, 'a')")
            let installer = Installer(connection: captured.owner, lockTimeout: .milliseconds(50))
            let error = try await failure { try await installer.uninstall() }
            #expect("\(error)".contains("another session holds a lock"), "\(error)")
            try await writer.run("COMMIT")
            try await captured.expect(
                "INSERT INTO items VALUES (2, 'b')", ["insert items 1", "insert items 2"])
            try await installer.uninstall()
        }
    }
}
