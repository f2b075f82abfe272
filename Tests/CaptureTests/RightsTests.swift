import Postgres
import TestSupport
import Testing

@testable import Capture

/// Who needs which rights, and no others.
@Suite struct RightsTests {
    private static let tables = """
        CREATE TABLE items (id int PRIMARY KEY, name text);
        CREATE SCHEMA "Private Data";
        CREATE TABLE "Private Data"."The Orders" (id int, item_id int);
        CREATE TABLE loaded (id int);
        CREATE VIEW "Private Data".recent AS SELECT * FROM "Private Data"."The Orders";
        """
    private static let rules = """
        - {name: r, table: items, where: "new.name <> 'x'", delete: {keys: ['k:{id}:{name}']}}
        - name: l
          table: items
          lookup: select o.id as order from "Private Data".recent o where o.item_id = :id
          delete: {keys: ['o:{order}']}
        - name: w
          table: items
          rewarm: [{key: 'w:{id}', sql: 'select count(*) from loaded where id = :id', ttl: 1h}]
        """

    @Test func theApplicationNeedsNone() async throws {
        try await TestRole.with { role in
            try await Captured.with(
                Self.tables + "GRANT INSERT, SELECT, UPDATE, DELETE, TRUNCATE ON items TO \(role)",
                rules: Self.rules
            ) { (captured) async throws in
                let application = try await captured.database.connect(as: role)
                try await application.run("INSERT INTO items VALUES (1, 'a'); UPDATE items SET name = 'b'")
                try await application.run("INSERT INTO items VALUES (2, 'c'), (3, 'd'); DELETE FROM items")
                try await application.run("TRUNCATE items")
                let changes = try await captured.changes()
                #expect(changes.count == 8 && changes.first == "any items", "\(changes)")
                for table in [
                    "outbox", "outbox_0", "captures", "targets", "installation", "grants", "dead_letters",
                ] {
                    #expect(try await isForbidden { try await application.run("TABLE unstale.\(table)") })
                }
                #expect(
                    try await isForbidden {
                        try await application.run("INSERT INTO unstale.outbox DEFAULT VALUES")
                    })
            }
        }
    }

    @Test func theWorkerHasWhatItIsGranted() async throws {
        try await TestRole.with { role in
            try await Captured.with(Self.tables, rules: Self.rules) { (captured) async throws in
                try await captured.install(workerRole: role)
                try await captured.owner.run(
                    "INSERT INTO items VALUES (1, 'a'); INSERT INTO \"Private Data\".\"The Orders\" VALUES (7, 1)"
                )
                let worker = try await captured.database.connect(as: role)
                try await worker.run(Outbox.sessionSettings + ";" + TextSetting.pinAll)
                let state = try await CaptureState.read(captured.rules.rules, worker)
                #expect(state.problems.isEmpty && state.manifests.count == 1)
                #expect(try await !Cluster.read(worker).description.isEmpty)
                #expect(try await Leadership(connection: worker, wake: .notify).tryAcquire())
                #expect(try await Leadership.isTaken(worker))
                let outbox = Outbox(connection: worker)
                let batch = try await outbox.read(from: ReadPosition(.empty))
                #expect(batch.changes.count == 1)
                try await ageEverything(captured)
                try await outbox.reclaim(passed: [batch.next.snapshot])
                #expect(try await worker.value("SELECT count(*) FROM unstale.outbox") == "0")
                let lookup = try #require(state.lookups["l"])
                let rows = try await worker.query(
                    lookup.sql, [.texts([Array("1".utf8)])], doing: "the lookup")
                #expect(rows.first?.text(1) == "7")
                let loader = try #require(state.loaders["w"]?[0])
                let loaded = try await worker.query(
                    loader.sql, [.texts([Array("1".utf8)])], doing: "the loader")
                #expect(loaded.first?.text(2) == "\\x30")
                let look = try await outbox.look(beyond: outbox.here())
                #expect(look.records == 0)
                #expect(try await outbox.size() > 0)
                #expect(try await !outbox.isHeldUp(by: look.snapshot))
                try await keepsItsLedger(worker)
                let doorbell = Doorbell(
                    .init(listener: worker, lock: try await captured.database.connect(as: role)))
                try await doorbell.open()
                try await doorbell.didRead(batch)
                try await doorbell.standDown()
            }
        }
    }

    private func keepsItsLedger(_ worker: PostgresConnection) async throws {
        for _ in 1...2 {
            try await worker.run(
                """
                INSERT INTO unstale.targets (name, cursor, cluster) VALUES ('t', '3:3:', 'c')
                ON CONFLICT (name) DO UPDATE SET cursor = excluded.cursor, updated_at = now();
                UPDATE unstale.targets SET resync = 'needed'
                """)
        }
        try await worker.run(
            """
            INSERT INTO unstale.dead_letters (target, rule, action, error, attempts, next_attempt_at)
            VALUES ('t', 'r', '{}', 'e', 1, now()) RETURNING id;
            UPDATE unstale.dead_letters SET dead_at = now();
            DELETE FROM unstale.dead_letters;
            """)
    }

    @Test func theWorkerHasNoMore() async throws {
        try await TestRole.with { role in
            try await Captured.with(Self.tables, rules: Self.rules) { (captured) async throws in
                try await captured.install(workerRole: role)
                let worker = try await captured.database.connect(as: role)
                for sql in [
                    "INSERT INTO unstale.outbox (capture, op, rules, xid) VALUES (1, 't', -1, '3')",
                    "INSERT INTO unstale.outbox (capture, op, rules, at) VALUES (1, 't', -1, now())",
                    "INSERT INTO unstale.outbox (slot, capture, op, rules) VALUES (0, 1, 't', -1)",
                    "INSERT INTO unstale.outbox_0 (capture, op, rules) VALUES (1, 't', -1)",
                    "DELETE FROM unstale.outbox",
                    "UPDATE unstale.outbox SET op = 'a'",
                    "TABLE items", "TABLE \"Private Data\".\"The Orders\"", "INSERT INTO items VALUES (1)",
                    "TRUNCATE unstale.captures",
                    "DELETE FROM unstale.targets", "CREATE TABLE unstale.t (i int)",
                    "DROP SCHEMA unstale CASCADE",
                ] {
                    #expect(
                        try await isForbidden { try await worker.run(sql) } || sql.hasPrefix("DROP"), "\(sql)"
                    )
                }
                #expect(try await worker.value("SELECT to_regclass('unstale.outbox') IS NOT NULL") == "t")
            }
        }
    }

    /// A trigger function runs with its owner's rights and writes its table's columns as text. With a table of
    /// their own, whose type has a cast of their own, others could have their code run by it.
    @Test func nobodyElseUsesTheFunctions() async throws {
        try await TestRole.with { role in
            try await Captured.with(Self.tables, rules: Self.rules) { (captured) async throws in
                try await captured.install(workerRole: role)
                try await captured.owner.run("CREATE SCHEMA mine AUTHORIZATION \(role)")
                let function = try await captured.owner.value(
                    "SELECT proname FROM pg_proc WHERE pronamespace = 'unstale'::regnamespace AND proname LIKE '%insert'"
                )
                let worker = try await captured.database.connect(as: role)
                try await worker.run("CREATE TABLE mine.items (id int, name text)")
                #expect(
                    try await isForbidden {
                        try await worker.run(
                            """
                            CREATE TRIGGER t AFTER INSERT ON mine.items REFERENCING NEW TABLE AS new_rows
                            FOR EACH STATEMENT EXECUTE FUNCTION unstale.\(try #require(function))()
                            """)
                    })
            }
        }
    }

    /// Without being a superuser: who owns the tables and may create a schema can install.
    @Test func anOwnerInstalls() async throws {
        try await TestRole.with { owner in
            try await TestRole.with { worker in
                try await TestDatabase.with { database in
                    let captured = try await Captured(database, rules: Self.rules)
                    try await captured.owner.run(
                        "GRANT CREATE ON DATABASE \(database.name) TO \(owner); GRANT CREATE ON SCHEMA public TO \(owner)"
                    )
                    let connection = try await database.connect(as: owner)
                    let installer = Installer(connection: connection)
                    try await connection.run(Self.tables)
                    try await installer.install(captured.rules, .init(), workerRole: worker)
                    #expect(try await installer.install(captured.rules, .init(), workerRole: worker) == [])
                    try await captured.expect("INSERT INTO items VALUES (1, 'a')", ["insert items 1, a"])
                    _ = try await CaptureState.read(captured.rules.rules, database.connect(as: worker))
                    let other = Installer(connection: try await database.connect(as: worker))
                    #expect(try await isForbidden { try await other.uninstall() })
                    try await captured.expect("INSERT INTO items VALUES (2, 'b')", ["insert items 2, b"])
                    try await installer.uninstall()
                }
            }
        }
    }

    @Test func aRoleThatIsNone() async throws {
        try await TestDatabase.with { database in
            let captured = try await Captured(database, rules: Self.rules)
            try await captured.owner.run(Self.tables)
            let error = try await failure { try await captured.install(workerRole: "no \"such\" role") }
            #expect("\(error)".contains("role \"no \"such\" role\" does not exist"), "\(error)")
            #expect(try await captured.owner.value("SELECT to_regnamespace('unstale') IS NULL") == "t")
            let unprepared = try await failure { _ = try await captured.problems() }
            #expect("\(unprepared)".contains("run 'unstale install'"))
        }
    }
}

/// Moves all records into the slot that is emptied next.
func ageEverything(_ captured: Captured) async throws {
    try await captured.owner.run(
        """
        UPDATE unstale.outbox SET slot = (SELECT (date_part('epoch', clock_timestamp())::bigint / slot_seconds + 1)
            % \(CaptureSettings.slots) FROM unstale.installation)
        """)
}
