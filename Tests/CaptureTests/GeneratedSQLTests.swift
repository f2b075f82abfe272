import Rules
import Testing

@testable import Capture

/// What the triggers of a simple table are, to be read. Where a change of it is meant, it is copied here.
@Suite struct GeneratedSQLTests {
    private static let rules = """
        - {name: name, table: items, columns: [name], delete: {keys: ['i:{id}']}}
        - {name: price, table: items, columns: [price], where: new.price > 9, delete: {keys: ['p:{id}']}}
        - {name: births, table: items, on: [insert], delete: {keys: ['b:{name}']}}
        """

    private func design(_ settings: CaptureSettings = .init()) throws -> CaptureDesign {
        CaptureDesign(
            shape: .example("items", oid: 100), rules: try RuleSet.items(Self.rules).rules, settings: settings
        )
    }

    private func function(_ name: String, wake: Wake = .notify) throws -> String {
        let functions = try design(CaptureSettings(wake: wake)).functions(capture: 7)
        return try #require(functions.first { $0.name == "capture_100_\(name)" }).definition
    }

    /// What the functions are recognized by.
    @Test func theNumberOfTheCapture() throws {
        let rules = "- {name: r, table: items, where: new.id IN (VALUES (1)), delete: {keys: ['i:{id}']}}"
        let design = CaptureDesign(
            shape: .example("items", oid: 100), rules: try RuleSet.items(rules).rules, settings: .init())
        #expect(design.functions(capture: 7).map(\.capture) == [7, 7, 7, 7])
        let always = CaptureDesign(shape: design.shape, manifest: design.manifest, settings: .init(always: true))
        #expect(always.functions(capture: 7).map(\.capture) == [7, 7, 7, 7, 7, 7, 7])
        #expect(TriggerFunction(name: "f", source: "BEGIN RETURN NULL; END", settings: []).capture == nil)
    }

    @Test func update() throws {
        #expect(
            try function("update") == #"""
                CREATE OR REPLACE FUNCTION unstale."capture_100_update"() RETURNS trigger
                    LANGUAGE plpgsql SECURITY DEFINER
                    SET search_path = pg_catalog, pg_temp
                AS $unstale$
                #variable_conflict use_column
                DECLARE
                    fired bigint;
                    old_image text[];
                    new_image text[];
                    chunks unstale.chunk[];
                    failure text;
                BEGIN
                    -- 1. One row.
                    BEGIN
                        SELECT CASE WHEN (old."id" IS DISTINCT FROM new."id" OR old."name" IS DISTINCT FROM new."name") THEN 1::bigint ELSE 0 END
                            | CASE WHEN (old."id" IS DISTINCT FROM new."id" OR ROW(old."price")::record OPERATOR(pg_catalog.*<>) ROW(new."price")::record) AND (new.price > 9) THEN 2::bigint ELSE 0 END,
                            ARRAY[old."id"::text COLLATE "C", old."name"::text COLLATE "C"], ARRAY[new."id"::text COLLATE "C", new."name"::text COLLATE "C"]
                        INTO STRICT fired, old_image, new_image
                        FROM old_rows AS old CROSS JOIN new_rows AS new;
                    EXCEPTION
                        WHEN too_many_rows THEN NULL;
                        WHEN assert_failure OR OTHERS THEN
                            IF NOT EXISTS (SELECT FROM old_rows) THEN
                                RETURN NULL;
                            ELSIF SQLSTATE <> 'P0002' THEN
                                failure := SQLERRM;
                            -- no_data_found: a row that moves to another partition may vanish on its way there.
                            END IF;
                    END;
                    IF fired <> 0 THEN
                        INSERT INTO unstale.outbox (capture, op, rules, old, new)
                        VALUES (7, 'u', fired, old_image, new_image);
                    ELSIF fired = 0 THEN
                        RETURN NULL;
                    ELSE
                        -- 2. Many rows, in chunks.
                        -- Of very many, first how many fired.
                        IF failure IS NULL AND EXISTS (SELECT FROM old_rows OFFSET 50000) THEN
                            DECLARE
                                amount bigint;
                            BEGIN
                                SELECT count(*) INTO amount FROM (
                        SELECT op, fired, old_image, new_image FROM (
                        SELECT op, fired, CASE WHEN op <> 'u' OR old_row <> new_row THEN old_row END AS old_image,
                            new_row AS new_image
                        FROM (
                        SELECT CASE WHEN old."id" IS DISTINCT FROM NULL THEN CASE WHEN new."id" IS DISTINCT FROM NULL THEN 'u' ELSE 'd' END ELSE 'i' END::"char" AS op,
                            CASE WHEN (NOT (old."id" IS DISTINCT FROM NULL AND new."id" IS DISTINCT FROM NULL) OR (old."id" IS DISTINCT FROM new."id" OR old."name" IS DISTINCT FROM new."name")) THEN 1::bigint ELSE 0 END
                            | CASE WHEN (NOT (old."id" IS DISTINCT FROM NULL AND new."id" IS DISTINCT FROM NULL) OR (old."id" IS DISTINCT FROM new."id" OR ROW(old."price")::record OPERATOR(pg_catalog.*<>) ROW(new."price")::record)) AND (CASE WHEN new."id" IS DISTINCT FROM NULL THEN (new.price > 9) ELSE true END) THEN 2::bigint ELSE 0 END AS fired,
                            CASE WHEN old."id" IS DISTINCT FROM NULL THEN ARRAY[old."id"::text COLLATE "C", old."name"::text COLLATE "C"] END AS old_row,
                            CASE WHEN new."id" IS DISTINCT FROM NULL THEN ARRAY[new."id"::text COLLATE "C", new."name"::text COLLATE "C"] END AS new_row
                        FROM old_rows AS old FULL JOIN new_rows AS new ON old."id" = new."id"
                        ) AS pairs
                        ) AS images
                        WHERE fired <> 0
                        LIMIT 50001
                                ) AS fired_rows;
                                IF amount = 0 THEN
                                    RETURN NULL;
                                ELSIF amount > 50000 THEN
                                    failure := '';
                                END IF;
                            EXCEPTION
                                WHEN assert_failure OR OTHERS THEN failure := SQLERRM;
                            END;
                        END IF;
                        IF failure IS NULL THEN
                            BEGIN
                                SELECT array_agg(chunk), CASE WHEN sum(size) > 50000 THEN '' END
                                INTO chunks, failure
                                FROM (
                                    SELECT ROW(op, fired, array_agg(old_image) FILTER (WHERE old_image IS NOT NULL),
                                        array_agg(new_image) FILTER (WHERE new_image IS NOT NULL))::unstale.chunk AS chunk,
                                        count(*) AS size
                                    FROM (
                                        SELECT op, fired, old_image, new_image,
                                            (row_number() OVER (PARTITION BY op, fired, old_image IS NULL) - 1) / 256 AS part
                                        FROM (
                        SELECT op, fired, old_image, new_image FROM (
                        SELECT op, fired, CASE WHEN op <> 'u' OR old_row <> new_row THEN old_row END AS old_image,
                            new_row AS new_image
                        FROM (
                        SELECT CASE WHEN old."id" IS DISTINCT FROM NULL THEN CASE WHEN new."id" IS DISTINCT FROM NULL THEN 'u' ELSE 'd' END ELSE 'i' END::"char" AS op,
                            CASE WHEN (NOT (old."id" IS DISTINCT FROM NULL AND new."id" IS DISTINCT FROM NULL) OR (old."id" IS DISTINCT FROM new."id" OR old."name" IS DISTINCT FROM new."name")) THEN 1::bigint ELSE 0 END
                            | CASE WHEN (NOT (old."id" IS DISTINCT FROM NULL AND new."id" IS DISTINCT FROM NULL) OR (old."id" IS DISTINCT FROM new."id" OR ROW(old."price")::record OPERATOR(pg_catalog.*<>) ROW(new."price")::record)) AND (CASE WHEN new."id" IS DISTINCT FROM NULL THEN (new.price > 9) ELSE true END) THEN 2::bigint ELSE 0 END AS fired,
                            CASE WHEN old."id" IS DISTINCT FROM NULL THEN ARRAY[old."id"::text COLLATE "C", old."name"::text COLLATE "C"] END AS old_row,
                            CASE WHEN new."id" IS DISTINCT FROM NULL THEN ARRAY[new."id"::text COLLATE "C", new."name"::text COLLATE "C"] END AS new_row
                        FROM old_rows AS old FULL JOIN new_rows AS new ON old."id" = new."id"
                        ) AS pairs
                        ) AS images
                        WHERE fired <> 0
                        LIMIT 50001
                                        ) AS fired_rows
                                    ) AS numbered
                                    GROUP BY op, fired, old_image IS NULL, part
                                ) AS chunked;
                            EXCEPTION
                                WHEN assert_failure OR OTHERS THEN failure := SQLERRM;
                            END;
                        END IF;
                        -- 3. Too many rows, or a failure: any row of this table.
                        IF failure IS NOT NULL THEN
                            INSERT INTO unstale.outbox (capture, op, rules, detail)
                            VALUES (7, 'a', -1, nullif(failure, ''));
                        ELSIF chunks IS NULL THEN
                            RETURN NULL;
                        ELSE
                            INSERT INTO unstale.outbox (capture, op, rules, old, new)
                            SELECT 7, c.op, c.rules, c.old, c.new FROM unnest(chunks) AS c;
                        END IF;
                    END IF;
                    IF NOT pg_try_advisory_xact_lock_shared(1970172788, 1) THEN
                        PERFORM pg_notify('unstale', '');
                    END IF;
                    RETURN NULL;
                END
                $unstale$;
                REVOKE ALL ON FUNCTION unstale."capture_100_update"() FROM PUBLIC;
                """#)
    }

    @Test func insert() throws {
        #expect(
            try function("insert", wake: .poll) == #"""
                CREATE OR REPLACE FUNCTION unstale."capture_100_insert"() RETURNS trigger
                    LANGUAGE plpgsql SECURITY DEFINER
                    SET search_path = pg_catalog, pg_temp
                AS $unstale$
                #variable_conflict use_column
                DECLARE
                    fired bigint;
                    old_image text[];
                    new_image text[];
                    chunks unstale.chunk[];
                    failure text;
                BEGIN
                    -- 1. One row.
                    BEGIN
                        SELECT 5::bigint
                            | CASE WHEN (new.price > 9) THEN 2::bigint ELSE 0 END,
                            ARRAY[new."id"::text COLLATE "C", new."name"::text COLLATE "C"]
                        INTO STRICT fired, new_image
                        FROM new_rows AS new;
                    EXCEPTION
                        WHEN too_many_rows THEN NULL;
                        WHEN assert_failure OR OTHERS THEN
                            IF NOT EXISTS (SELECT FROM new_rows) THEN
                                RETURN NULL;
                            ELSIF SQLSTATE <> 'P0002' THEN
                                failure := SQLERRM;
                            -- no_data_found: a row that moves to another partition may vanish on its way there.
                            END IF;
                    END;
                    IF fired <> 0 THEN
                        INSERT INTO unstale.outbox (capture, op, rules, old, new)
                        VALUES (7, 'i', fired, old_image, new_image);
                    ELSIF fired = 0 THEN
                        RETURN NULL;
                    ELSE
                        -- 2. Many rows, in chunks.
                        -- Of very many, first how many fired.
                        IF failure IS NULL AND EXISTS (SELECT FROM new_rows OFFSET 50000) THEN
                            DECLARE
                                amount bigint;
                            BEGIN
                                SELECT count(*) INTO amount FROM (
                        SELECT op, fired, old_image, new_image FROM (
                        SELECT 'i'::"char" AS op,
                            5::bigint
                            | CASE WHEN (new.price > 9) THEN 2::bigint ELSE 0 END AS fired,
                            NULL::text[] AS old_image,
                            ARRAY[new."id"::text COLLATE "C", new."name"::text COLLATE "C"] AS new_image
                        FROM new_rows AS new
                        ) AS images
                        WHERE fired <> 0
                        LIMIT 50001
                                ) AS fired_rows;
                                IF amount = 0 THEN
                                    RETURN NULL;
                                ELSIF amount > 50000 THEN
                                    failure := '';
                                END IF;
                            EXCEPTION
                                WHEN assert_failure OR OTHERS THEN failure := SQLERRM;
                            END;
                        END IF;
                        IF failure IS NULL THEN
                            BEGIN
                                SELECT array_agg(chunk), CASE WHEN sum(size) > 50000 THEN '' END
                                INTO chunks, failure
                                FROM (
                                    SELECT ROW(op, fired, array_agg(old_image) FILTER (WHERE old_image IS NOT NULL),
                                        array_agg(new_image) FILTER (WHERE new_image IS NOT NULL))::unstale.chunk AS chunk,
                                        count(*) AS size
                                    FROM (
                                        SELECT op, fired, old_image, new_image,
                                            (row_number() OVER (PARTITION BY op, fired, old_image IS NULL) - 1) / 256 AS part
                                        FROM (
                        SELECT op, fired, old_image, new_image FROM (
                        SELECT 'i'::"char" AS op,
                            5::bigint
                            | CASE WHEN (new.price > 9) THEN 2::bigint ELSE 0 END AS fired,
                            NULL::text[] AS old_image,
                            ARRAY[new."id"::text COLLATE "C", new."name"::text COLLATE "C"] AS new_image
                        FROM new_rows AS new
                        ) AS images
                        WHERE fired <> 0
                        LIMIT 50001
                                        ) AS fired_rows
                                    ) AS numbered
                                    GROUP BY op, fired, old_image IS NULL, part
                                ) AS chunked;
                            EXCEPTION
                                WHEN assert_failure OR OTHERS THEN failure := SQLERRM;
                            END;
                        END IF;
                        -- 3. Too many rows, or a failure: any row of this table.
                        IF failure IS NOT NULL THEN
                            INSERT INTO unstale.outbox (capture, op, rules, detail)
                            VALUES (7, 'a', -1, nullif(failure, ''));
                        ELSIF chunks IS NULL THEN
                            RETURN NULL;
                        ELSE
                            INSERT INTO unstale.outbox (capture, op, rules, old, new)
                            SELECT 7, c.op, c.rules, c.old, c.new FROM unnest(chunks) AS c;
                        END IF;
                    END IF;
                    RETURN NULL;
                END
                $unstale$;
                REVOKE ALL ON FUNCTION unstale."capture_100_insert"() FROM PUBLIC;
                """#)
    }

    @Test func truncate() throws {
        #expect(
            try function("truncate") == #"""
                CREATE OR REPLACE FUNCTION unstale."capture_100_truncate"() RETURNS trigger
                    LANGUAGE plpgsql SECURITY DEFINER
                    SET search_path = pg_catalog, pg_temp
                AS $unstale$
                BEGIN
                    INSERT INTO unstale.outbox (capture, op, rules) VALUES (7, 't', -1);
                    IF NOT pg_try_advisory_xact_lock_shared(1970172788, 1) THEN
                        PERFORM pg_notify('unstale', '');
                    END IF;
                    RETURN NULL;
                END
                $unstale$;
                REVOKE ALL ON FUNCTION unstale."capture_100_truncate"() FROM PUBLIC;
                """#)
    }

    /// For rows that logical replication writes, and beside the functions of statements.
    @Test func row() throws {
        let design = try design(CaptureSettings(always: true))
        let statements = design.functions(capture: 7).filter { !$0.name.hasSuffix("_row") }
        #expect(try statements == self.design().functions(capture: 7))
        let function = try #require(design.functions(capture: 7).first { $0.name == "capture_100_update_row" })
        #expect(
            function.definition == #"""
                CREATE OR REPLACE FUNCTION unstale."capture_100_update_row"() RETURNS trigger
                    LANGUAGE plpgsql SECURITY DEFINER
                    SET search_path = pg_catalog, pg_temp
                AS $unstale$
                #variable_conflict use_column
                DECLARE
                    fired bigint;
                    old_image text[];
                    new_image text[];
                    failure text;
                BEGIN
                    -- ENABLE TRIGGER ALL has it fire for everybody, whose statements are recorded by another.
                    IF current_setting('session_replication_role') <> 'replica' THEN
                        RETURN NULL;
                    END IF;
                    BEGIN
                        SELECT CASE WHEN (old."id" IS DISTINCT FROM new."id" OR old."name" IS DISTINCT FROM new."name") THEN 1::bigint ELSE 0 END
                            | CASE WHEN (old."id" IS DISTINCT FROM new."id" OR ROW(old."price")::record OPERATOR(pg_catalog.*<>) ROW(new."price")::record) AND (new.price > 9) THEN 2::bigint ELSE 0 END,
                            ARRAY[old."id"::text COLLATE "C", old."name"::text COLLATE "C"], ARRAY[new."id"::text COLLATE "C", new."name"::text COLLATE "C"]
                        INTO fired, old_image, new_image
                        WHERE '100'::regclass IS NOT NULL;
                    EXCEPTION
                        WHEN assert_failure OR OTHERS THEN failure := SQLERRM;
                    END;
                    IF failure IS NOT NULL THEN
                        INSERT INTO unstale.outbox (capture, op, rules, detail)
                        VALUES (7, 'a', -1, failure);
                    ELSIF fired <> 0 THEN
                        INSERT INTO unstale.outbox (capture, op, rules, old, new)
                        VALUES (7, 'u', fired, old_image, new_image);
                    ELSE
                        RETURN NULL;
                    END IF;
                    IF NOT pg_try_advisory_xact_lock_shared(1970172788, 1) THEN
                        PERFORM pg_notify('unstale', '');
                    END IF;
                    RETURN NULL;
                END
                $unstale$;
                REVOKE ALL ON FUNCTION unstale."capture_100_update_row"() FROM PUBLIC;
                """#)
    }

    /// Without a primary key.
    @Test func unpaired() throws {
        var shape = TableShape.example("items", oid: 100)
        shape.primaryKey = []
        let design = CaptureDesign(
            shape: shape, rules: try RuleSet.items(Self.rules).rules, settings: .init())
        let source = try #require(design.functions(capture: 7).first { $0.name.hasSuffix("update") }).source
        #expect(source.contains("UNION ALL") && !source.contains("JOIN new_rows AS new ON"))
        #expect(!source.contains("OFFSET"), "rows may look the same, so to count them would make the images twice")
    }
}
