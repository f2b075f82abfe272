import TestSupport
import Testing

@testable import Capture

/// The trigger functions run with their owner's rights in a session that is somebody else's.
@Suite struct HostileSessionTests {
    private static func tables(_ role: String) -> String {
        """
        CREATE TABLE items (id int PRIMARY KEY, name text, price numeric);
        GRANT ALL ON items TO \(role);
        CREATE SCHEMA evil AUTHORIZATION \(role);
        """
    }
    private static let rules = """
        - name: r
          table: items
          columns: [name]
          where: "new.price > 1 AND lower(new.name) <> 'x' AND new.name = ANY (ARRAY['a', 'b', 'c', 'd'])"
          delete: {keys: ['k:{id}:{name}']}
        """

    /// Functions, operators, tables and types that are found first, were they looked for in the writer's path.
    @Test func namesOfTheWritersAreNotFound() async throws {
        try await TestRole.with { role in
            try await Captured.with(Self.tables(role), rules: Self.rules) { captured in
                try await attack(captured, as: role)
            }
        }
    }

    private func attack(_ captured: Captured, as role: String) async throws {
        let mallory = try await captured.database.connect(as: role)
        try await mallory.run(
            """
            DO $do$ DECLARE type text; operator text;
            BEGIN
                FOREACH type IN ARRAY ARRAY['int', 'bigint', 'numeric', 'text', 'text[]'] LOOP
                    EXECUTE format('CREATE FUNCTION evil.trap(%1$s, %1$s) RETURNS bool LANGUAGE plpgsql AS
                        $$ BEGIN RAISE ''caught as %%'', current_user; END $$', type);
                    FOREACH operator IN ARRAY ARRAY['=', '<>', '>', '<'] LOOP
                        EXECUTE format('CREATE OPERATOR evil.%1$s (leftarg = %2$s, rightarg = %2$s,
                            function = evil.trap)', operator, type);
                    END LOOP;
                END LOOP;
            END $do$;
            CREATE FUNCTION evil.lower(text) RETURNS text LANGUAGE sql AS $$ SELECT 'x' $$;
            CREATE FUNCTION evil.concat(VARIADIC text[]) RETURNS text LANGUAGE sql AS $$ SELECT 'x' $$;
            CREATE FUNCTION evil.pg_try_advisory_xact_lock_shared(int, int) RETURNS bool LANGUAGE plpgsql AS $$
                BEGIN RAISE 'caught as %', current_user; END $$;
            CREATE TYPE evil.text AS ENUM ();
            CREATE TYPE evil.bigint AS ENUM ();
            CREATE TEMPORARY TABLE outbox (slot smallint);
            CREATE TEMPORARY TABLE old_rows (id int, name text);
            CREATE TEMPORARY TABLE new_rows (id int, name text);
            SET search_path = evil, pg_temp, public, pg_catalog;
            """)
        try await mallory.run("INSERT INTO public.items VALUES (1, 'a', 2), (2, 'b', 2), (3, 'x', 2)")
        #expect(try await captured.changes() == ["insert items 1, a", "insert items 2, b"])
        try await mallory.run("UPDATE public.items SET name = 'c'::pg_catalog.text")
        #expect(
            try await captured.changes()
                == [
                    "update items 1, a -> 1, c", "update items 2, b -> 2, c", "update items 3, x -> 3, c",
                ])
        try await mallory.run(
            "UPDATE public.items SET name = 'd'::pg_catalog.text WHERE id OPERATOR(pg_catalog.=) 1")
        #expect(try await captured.changes() == ["update items 1, c -> 1, d"])
        #expect(try await captured.read().failures.isEmpty)
    }
}
