import Postgres
import TestSupport
import Testing

@testable import Capture

/// The trigger functions run with their owner's rights in a session that is somebody else's.
@Suite struct HostileSessionTests {
    private static func tables(_ role: String) -> String {
        """
        CREATE TABLE items (id int PRIMARY KEY, name text, price numeric, sold bool, tags text[], doc json, day date);
        GRANT ALL ON items TO \(role);
        CREATE SCHEMA evil AUTHORIZATION \(role);
        """
    }

    /// Neither those in a `where` nor those that install writes.
    @Test(arguments: [
        "where: \"new.price > 1 AND lower(new.name) <> 'x' AND new.name = ANY (ARRAY['a', 'b', 'c', 'd'])\"", "",
    ])
    func namesOfTheWritersAreNotFound(condition: String) async throws {
        let rules = """
            - name: r
              table: items
              columns: [name, price, doc]
              \(condition)
              delete: {keys: ['k:{id}:{name}:{sold}:{tags}:{day}']}
            """
        try await TestRole.with { role in
            try await Captured.with(Self.tables(role), rules: rules) { (captured) async throws in
                let mallory = try await captured.database.connect(as: role)
                try await setTraps(for: captured, mallory)
                try await attack(captured, mallory, isFiltered: !condition.isEmpty)
            }
        }
    }

    /// What is written for a key of a type that the server doesn't have, for no key and for no column.
    @Test func namesOfTheWritersAreNotFoundForOtherTables() async throws {
        let rules = """
            - {name: n, table: pets, columns: [n], delete: {keys: ['n:{name}']}}
            - {name: age, table: pets, columns: [age], delete: {keys: ['age:{name}']}}
            - {name: notes, table: notes, delete: {patterns: ['notes']}}
            """
        try await TestRole.with { role in
            let tables = """
                CREATE EXTENSION citext;
                CREATE TABLE pets (name citext PRIMARY KEY, n int, age int);
                CREATE TABLE notes (words text);
                GRANT ALL ON pets, notes TO \(role);
                CREATE SCHEMA evil AUTHORIZATION \(role);
                """
            try await Captured.with(tables, rules: rules) { (captured) async throws in
                let mallory = try await captured.database.connect(as: role)
                try await setTraps(for: captured, mallory)
                for (sql, expected) in [
                    ("INSERT INTO public.pets VALUES ('a', 1, 1), ('b', 1, 1)", ["insert pets a", "insert pets b"]),
                    ("UPDATE public.pets SET n = 2", ["update pets a", "update pets b"]),
                    ("UPDATE public.pets SET age = 2, n = 1", ["update pets a", "update pets b"]),
                    ("INSERT INTO public.notes VALUES ('a'), ('b')", ["insert notes "]),
                    ("UPDATE public.notes SET words = 'c'", ["delete notes ", "insert notes "]),
                    ("DELETE FROM public.notes", ["delete notes "]),
                ] {
                    try await mallory.run(sql)
                    let changes = try await captured.changes()
                    #expect(changes == expected, "\(sql)")
                }
                #expect(try await captured.failures().isEmpty)
            }
        }
    }

    /// Functions, operators and types that are found first, were one of them looked for in the writer's path: of every
    /// name in the trigger functions, for all types that the server has it for.
    private func setTraps(for captured: Captured, _ mallory: PostgresConnection) async throws {
        let sources = try #require(
            try await captured.owner.value(
                "SELECT string_agg(prosrc, ' ') FROM pg_proc WHERE pronamespace = 'unstale'::regnamespace"))
        _ = try await mallory.query(
            "SELECT set_config('unstale.sources', $1, false)", [.text(sources)], doing: "setting traps")
        try await mallory.run(
            """
            DO $do$ DECLARE
                words text[] := ARRAY(SELECT lower(word[1]) FROM regexp_matches(
                    current_setting('unstale.sources'), '[[:alpha:]_]\\w*', 'g') AS word);
                trap text := 'LANGUAGE plpgsql AS $$ BEGIN RAISE ''caught as %%'', current_user; END $$';
                it record;
            BEGIN
                FOR it IN SELECT DISTINCT oprname, oprleft::regtype AS l, oprright::regtype AS r, oprresult::regtype AS result
                    FROM pg_operator WHERE oprkind = 'b' AND oprname ~ '^[-=<>|/*+]+$' AND oprresult <> 0
                LOOP
                    EXECUTE format('CREATE OR REPLACE FUNCTION evil.%I(%s, %s) RETURNS %s ' || trap,
                        'trap ' || it.result, it.l, it.r, it.result);
                    EXECUTE format('CREATE OPERATOR evil.%s (leftarg = %s, rightarg = %s, function = evil.%I)',
                        it.oprname, it.l, it.r, 'trap ' || it.result);
                END LOOP;
                FOR it IN SELECT proname, pg_get_function_arguments(oid) AS arguments, pg_get_function_result(oid) AS result
                    FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace AND proname = ANY (words)
                        AND prorettype <> 'internal'::regtype AND NOT proargtypes::oid[] && ARRAY['internal'::regtype::oid, 'cstring'::regtype]
                        AND NOT EXISTS (SELECT FROM pg_aggregate WHERE aggfnoid = pg_proc.oid AND aggkind <> 'n')
                LOOP
                    EXECUTE format('CREATE OR REPLACE FUNCTION evil.%I(%s) RETURNS %s ' || trap, it.proname,
                        replace(replace(it.arguments, 'VARIADIC "any"', 'VARIADIC anyarray'), '"any"', 'anyelement'), it.result);
                END LOOP;
                FOR it IN SELECT typname FROM pg_type WHERE typnamespace = 'pg_catalog'::regnamespace AND typname = ANY (words)
                LOOP
                    EXECUTE format('CREATE TYPE evil.%I AS ENUM ()', it.typname);
                END LOOP;
                -- What a row has no column for, Postgres looks for as a function of the row.
                FOR it IN SELECT DISTINCT attname FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid
                    WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND attnum > 0
                LOOP
                    EXECUTE format('CREATE FUNCTION evil.%I(record) RETURNS text ' || trap, it.attname);
                END LOOP;
            END $do$;
            CREATE TEMPORARY TABLE outbox (slot smallint);
            CREATE TEMPORARY TABLE old_rows (id int, name text);
            CREATE TEMPORARY TABLE new_rows (id int, name text);
            """)
        // The ones that are needed above all, so that nothing was left out by mistake.
        let traps = """
            SELECT count(*) FROM unnest(ARRAY['array_agg', 'count', 'pg_try_advisory_xact_lock_shared',
                'row_number', 'sum', 'unnest']) AS name WHERE EXISTS (
                SELECT FROM pg_proc WHERE proname = name AND pronamespace = 'evil'::regnamespace)
            """
        #expect(try await captured.owner.value(traps) == "6")
        try await mallory.run("SET search_path = evil, pg_temp, public, pg_catalog")
    }

    private func attack(_ captured: Captured, _ mallory: PostgresConnection, isFiltered: Bool) async throws {
        func expect(_ sql: String, _ expected: [String]) async throws {
            try await mallory.run(sql)
            let changes = try await captured.changes()
            #expect(changes == expected.sorted(), "\(sql)")
        }
        func row(_ id: Int, _ name: String, _ tag: String = "x") -> String { "2026-01-02, \(id), \(name), t, {\(tag)}" }
        try await expect(
            """
            INSERT INTO public.items VALUES
                (1, 'a', 2, true, '{x}', '{}', '2026-01-02'), (2, 'b', 2, true, '{x}', '{}', '2026-01-02')
            """, ["insert items \(row(1, "a"))", "insert items \(row(2, "b"))"])
        try await expect(
            "INSERT INTO public.items VALUES (3, 'x', 2, true, '{x}', '{}', '2026-01-02')",
            isFiltered ? [] : ["insert items \(row(3, "x"))"])
        try await expect(
            "UPDATE public.items SET name = 'c'",
            [(1, "a"), (2, "b"), (3, "x")].map { "update items \(row($0, $1)) -> \(row($0, "c"))" })
        try await expect(
            "UPDATE public.items SET name = 'd' WHERE id OPERATOR(pg_catalog.=) 1",
            ["update items \(row(1, "c")) -> \(row(1, "d"))"])
        try await expect(
            "UPDATE public.items SET id = 4 WHERE id OPERATOR(pg_catalog.=) 1",
            ["update items \(row(1, "d")) -> \(row(4, "d"))"])
        try await expect(
            "UPDATE public.items SET tags = '{y}' WHERE id OPERATOR(pg_catalog.=) 4",
            ["update items \(row(4, "d")) -> \(row(4, "d", "y"))"])
        try await expect("UPDATE public.items SET sold = true", [])
        try await expect(
            "DELETE FROM public.items WHERE id OPERATOR(pg_catalog.=) 2",
            ["delete items \(row(2, "c"))"])
        try await expect(
            "DELETE FROM public.items",
            ["delete items \(row(3, "c"))", "delete items \(row(4, "d", "y"))"])
        try await expect("TRUNCATE public.items", ["any items"])
        let failures = try await captured.owner.lines("SELECT detail FROM unstale.outbox WHERE detail IS NOT NULL")
        #expect(failures == [])
        // And what is done where something fails, which is another function's part.
        try await captured.owner.run("ALTER TABLE items RENAME name TO title")
        for values in ["(1)", "(2), (3)"] {
            try await expect("INSERT INTO public.items (id) VALUES \(values)", ["any items"])
            let failures = try await captured.lastFailures()
            #expect(failures.count == 1 && failures.allSatisfy { $0.hasSuffix("no field \"name\"") }, "\(failures)")
        }
    }
}
