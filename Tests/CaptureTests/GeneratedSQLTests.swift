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
                    old_image pg_catalog.text[];
                    new_image pg_catalog.text[];
                    chunks unstale.chunk[];
                    failure pg_catalog.text;
                BEGIN
                    -- 1. One row.
                    BEGIN
                        SELECT CASE WHEN ((old."id" OPERATOR(pg_catalog.=) new."id") IS NOT TRUE AND coalesce(old."id", new."id") IS NOT NULL OR (old."name" OPERATOR(pg_catalog.=) new."name") IS NOT TRUE AND coalesce(old."name", new."name") IS NOT NULL) THEN 1::bigint ELSE 0 END
                            OPERATOR(pg_catalog.|) CASE WHEN ((old."id" OPERATOR(pg_catalog.=) new."id") IS NOT TRUE AND coalesce(old."id", new."id") IS NOT NULL OR ROW(old."price")::pg_catalog.record OPERATOR(pg_catalog.*<>) ROW(new."price")::pg_catalog.record) AND (new.price > 9) THEN 2::bigint ELSE 0 END,
                            ARRAY[old."id"::pg_catalog.text COLLATE pg_catalog."C", old."name"::pg_catalog.text COLLATE pg_catalog."C"], ARRAY[new."id"::pg_catalog.text COLLATE pg_catalog."C", new."name"::pg_catalog.text COLLATE pg_catalog."C"]
                        INTO STRICT fired, old_image, new_image
                        FROM old_rows AS old CROSS JOIN new_rows AS new;
                    EXCEPTION
                        WHEN too_many_rows THEN NULL;
                        WHEN assert_failure OR OTHERS THEN
                            IF NOT EXISTS (SELECT FROM old_rows) THEN
                                RETURN NULL;
                            ELSIF SQLSTATE OPERATOR(pg_catalog.<>) 'P0002' THEN
                                failure := SQLERRM;
                            -- no_data_found: a row that moves to another partition may vanish on its way there.
                            END IF;
                    END;
                    IF fired OPERATOR(pg_catalog.<>) 0 THEN
                        INSERT INTO unstale.outbox (capture, op, rules, old, new)
                        VALUES (7, 'u', fired, old_image, new_image);
                    ELSIF fired OPERATOR(pg_catalog.=) 0 THEN
                        RETURN NULL;
                    ELSE
                        -- 2. Many rows, in chunks.
                        IF failure IS NULL THEN
                            BEGIN
                                SELECT pg_catalog.array_agg(chunk),
                                    CASE WHEN pg_catalog.sum(size) OPERATOR(pg_catalog.>) 50000 THEN '' END
                                INTO chunks, failure
                                FROM (
                                    SELECT ROW(op, fired,
                                        pg_catalog.array_agg(old_image) FILTER (WHERE old_image IS NOT NULL),
                                        pg_catalog.array_agg(new_image) FILTER (WHERE new_image IS NOT NULL)
                                        )::unstale.chunk AS chunk,
                                        pg_catalog.count(*) AS size
                                    FROM (
                                        SELECT op, fired, old_image, new_image,
                                            (pg_catalog.row_number() OVER (PARTITION BY op, fired, old_image IS NULL)
                                                OPERATOR(pg_catalog.-) 1) OPERATOR(pg_catalog./) 256 AS part
                                        FROM (
                        SELECT op, fired, old_image, new_image FROM (
                        SELECT op, fired, new_row AS new_image, CASE
                            WHEN op OPERATOR(pg_catalog.<>) 'u' OR old_row OPERATOR(pg_catalog.<>) new_row THEN old_row
                            END AS old_image
                        FROM (
                        SELECT CASE WHEN old."id" IS DISTINCT FROM NULL THEN CASE WHEN new."id" IS DISTINCT FROM NULL THEN 'u' ELSE 'd' END ELSE 'i' END
                                ::pg_catalog."char" AS op,
                            CASE WHEN (NOT (old."id" IS DISTINCT FROM NULL AND new."id" IS DISTINCT FROM NULL) OR ((old."id" OPERATOR(pg_catalog.=) new."id") IS NOT TRUE AND coalesce(old."id", new."id") IS NOT NULL OR (old."name" OPERATOR(pg_catalog.=) new."name") IS NOT TRUE AND coalesce(old."name", new."name") IS NOT NULL)) THEN 1::bigint ELSE 0 END
                            OPERATOR(pg_catalog.|) CASE WHEN (NOT (old."id" IS DISTINCT FROM NULL AND new."id" IS DISTINCT FROM NULL) OR ((old."id" OPERATOR(pg_catalog.=) new."id") IS NOT TRUE AND coalesce(old."id", new."id") IS NOT NULL OR ROW(old."price")::pg_catalog.record OPERATOR(pg_catalog.*<>) ROW(new."price")::pg_catalog.record)) AND (CASE WHEN old."id" IS DISTINCT FROM NULL AND new."id" IS DISTINCT FROM NULL THEN (new.price > 9) ELSE ((new.price > 9) IS NOT FALSE) END) THEN 2::bigint ELSE 0 END AS fired,
                            CASE WHEN old."id" IS DISTINCT FROM NULL THEN ARRAY[old."id"::pg_catalog.text COLLATE pg_catalog."C", old."name"::pg_catalog.text COLLATE pg_catalog."C"] END AS old_row,
                            CASE WHEN new."id" IS DISTINCT FROM NULL THEN ARRAY[new."id"::pg_catalog.text COLLATE pg_catalog."C", new."name"::pg_catalog.text COLLATE pg_catalog."C"] END AS new_row
                        FROM old_rows AS old FULL JOIN new_rows AS new ON old."id" OPERATOR(pg_catalog.=) new."id"
                        ) AS pairs
                        ) AS images
                        WHERE fired OPERATOR(pg_catalog.<>) 0
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
                            VALUES (7, 'a', -1, CASE WHEN failure OPERATOR(pg_catalog.<>) '' THEN failure END);
                        ELSIF chunks IS NULL THEN
                            RETURN NULL;
                        ELSE
                            INSERT INTO unstale.outbox (capture, op, rules, old, new)
                            SELECT 7, c.op, c.rules, c.old, c.new FROM pg_catalog.unnest(chunks) AS c;
                        END IF;
                    END IF;
                    IF NOT pg_catalog.pg_try_advisory_xact_lock_shared(1970172788, 1) THEN
                        PERFORM pg_catalog.pg_notify('unstale', '');
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
                    old_image pg_catalog.text[];
                    new_image pg_catalog.text[];
                    chunks unstale.chunk[];
                    failure pg_catalog.text;
                BEGIN
                    -- 1. One row.
                    BEGIN
                        SELECT 5::bigint
                            OPERATOR(pg_catalog.|) CASE WHEN (new.price > 9) THEN 2::bigint ELSE 0 END,
                            ARRAY[new."id"::pg_catalog.text COLLATE pg_catalog."C", new."name"::pg_catalog.text COLLATE pg_catalog."C"]
                        INTO STRICT fired, new_image
                        FROM new_rows AS new;
                    EXCEPTION
                        WHEN too_many_rows THEN NULL;
                        WHEN assert_failure OR OTHERS THEN
                            IF NOT EXISTS (SELECT FROM new_rows) THEN
                                RETURN NULL;
                            ELSIF SQLSTATE OPERATOR(pg_catalog.<>) 'P0002' THEN
                                failure := SQLERRM;
                            -- no_data_found: a row that moves to another partition may vanish on its way there.
                            END IF;
                    END;
                    IF fired OPERATOR(pg_catalog.<>) 0 THEN
                        INSERT INTO unstale.outbox (capture, op, rules, old, new)
                        VALUES (7, 'i', fired, old_image, new_image);
                    ELSIF fired OPERATOR(pg_catalog.=) 0 THEN
                        RETURN NULL;
                    ELSE
                        -- 2. Many rows, in chunks.
                        IF failure IS NULL THEN
                            BEGIN
                                SELECT pg_catalog.array_agg(chunk),
                                    CASE WHEN pg_catalog.sum(size) OPERATOR(pg_catalog.>) 50000 THEN '' END
                                INTO chunks, failure
                                FROM (
                                    SELECT ROW(op, fired,
                                        pg_catalog.array_agg(old_image) FILTER (WHERE old_image IS NOT NULL),
                                        pg_catalog.array_agg(new_image) FILTER (WHERE new_image IS NOT NULL)
                                        )::unstale.chunk AS chunk,
                                        pg_catalog.count(*) AS size
                                    FROM (
                                        SELECT op, fired, old_image, new_image,
                                            (pg_catalog.row_number() OVER (PARTITION BY op, fired, old_image IS NULL)
                                                OPERATOR(pg_catalog.-) 1) OPERATOR(pg_catalog./) 256 AS part
                                        FROM (
                        SELECT op, fired, old_image, new_image FROM (
                        SELECT 'i'::pg_catalog."char" AS op,
                            5::bigint
                            OPERATOR(pg_catalog.|) CASE WHEN (new.price > 9) THEN 2::bigint ELSE 0 END AS fired,
                            NULL::pg_catalog.text[] AS old_image,
                            ARRAY[new."id"::pg_catalog.text COLLATE pg_catalog."C", new."name"::pg_catalog.text COLLATE pg_catalog."C"] AS new_image
                        FROM new_rows AS new
                        ) AS images
                        WHERE fired OPERATOR(pg_catalog.<>) 0
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
                            VALUES (7, 'a', -1, CASE WHEN failure OPERATOR(pg_catalog.<>) '' THEN failure END);
                        ELSIF chunks IS NULL THEN
                            RETURN NULL;
                        ELSE
                            INSERT INTO unstale.outbox (capture, op, rules, old, new)
                            SELECT 7, c.op, c.rules, c.old, c.new FROM pg_catalog.unnest(chunks) AS c;
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
                AS $unstale$
                BEGIN
                    INSERT INTO unstale.outbox (capture, op, rules) VALUES (7, 't', -1);
                    IF NOT pg_catalog.pg_try_advisory_xact_lock_shared(1970172788, 1) THEN
                        PERFORM pg_catalog.pg_notify('unstale', '');
                    END IF;
                    RETURN NULL;
                END
                $unstale$;
                REVOKE ALL ON FUNCTION unstale."capture_100_truncate"() FROM PUBLIC;
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
    }
}
