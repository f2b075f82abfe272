import Postgres
import Rules

/// Writes the plpgsql of one table's trigger functions.
///
/// Nearly all statements change one row, so that case has a short path of its own: one SELECT, one INSERT.
/// `INTO STRICT` finds out about it for nothing, as it raises `too_many_rows` otherwise, and the costs of
/// catching that vanish beside those of many rows.
///
/// What can fail, because a column is gone or a `where` raises an error, is computed inside an exception block
/// that writes nothing, so that no subtransaction id is taken. The INSERT stands outside: where the record
/// can't be written, the application's change must not commit either.
struct RecordWriter {
    let capture: Int32
    let shape: TableShape
    let columns: [String]
    let conditions: ConditionCompiler
    let rowLimit: Int
    /// Whether a sleeping worker is woken by NOTIFY.
    let ring: Bool

    /// For UPDATE.
    var updateSource: String {
        function(
            .update, oneRow: "old_rows AS old CROSS JOIN new_rows AS new",
            images: "\(image("old")), \(image("new"))", into: "old_image, new_image", manyRows: manyUpdates)
    }

    /// For INSERT and DELETE, which have rows on one side only.
    func oneSidedSource(_ operation: Operation) -> String {
        let side = operation == .insert ? RowImage.new : .old
        let rows = "\(side)_rows AS \(side)"
        let kind = operation == .insert ? "i" : "d"
        let images = """
            SELECT '\(kind)'::"char" AS op,
                        \(conditions.mask(operation)) AS fired,
                        \(operation == .insert ? "NULL::text[]" : image("old")) AS old_image,
                        \(operation == .insert ? image("new") : "NULL::text[]") AS new_image
                    FROM \(rows)
            """
        return function(
            operation, oneRow: rows, images: image(side.rawValue), into: "\(side)_image",
            manyRows: distinct(images))
    }

    /// For TRUNCATE.
    var truncateSource: String {
        """

        BEGIN
            INSERT INTO unstale.outbox (capture, op, rules) VALUES (\(capture), 't', -1);\(ringing)
            RETURN NULL;
        END

        """
    }

    private func function(
        _ operation: Operation, oneRow: String, images: String, into: String, manyRows: String
    ) -> String {
        let kind = operation.rawValue.prefix(1)
        let rows = operation == .insert ? "new_rows" : "old_rows"
        return """

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
                    SELECT \(conditions.mask(operation)),
                        \(images)
                    INTO STRICT fired, \(into)
                    FROM \(oneRow);
                EXCEPTION
                    WHEN too_many_rows THEN NULL;
                    WHEN assert_failure OR OTHERS THEN
                        IF NOT EXISTS (SELECT FROM \(rows)) THEN
                            RETURN NULL;
                        ELSIF SQLSTATE <> 'P0002' THEN
                            failure := SQLERRM;
                        -- no_data_found: a row that moves to another partition may vanish on its way there.
                        END IF;
                END;
                IF fired <> 0 THEN
                    INSERT INTO unstale.outbox (capture, op, rules, old, new)
                    VALUES (\(capture), '\(kind)', fired, old_image, new_image);
                ELSIF fired = 0 THEN
                    RETURN NULL;
                ELSE
                    -- 2. Many rows, in chunks.\(counting(manyRows, of: rows))
                    IF failure IS NULL THEN
                        BEGIN
                            SELECT array_agg(chunk), CASE WHEN sum(size) > \(rowLimit) THEN '' END
                            INTO chunks, failure
                            FROM (
                                SELECT ROW(op, fired, array_agg(old_image) FILTER (WHERE old_image IS NOT NULL),
                                    array_agg(new_image) FILTER (WHERE new_image IS NOT NULL))::unstale.chunk AS chunk,
                                    count(*) AS size
                                FROM (
                                    SELECT op, fired, old_image, new_image,
                                        (row_number() OVER (PARTITION BY op, fired, old_image IS NULL) - 1) / \(CaptureSettings.chunk) AS part
                                    FROM (\(manyRows)
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
                        VALUES (\(capture), 'a', -1, nullif(failure, ''));
                    ELSIF chunks IS NULL THEN
                        RETURN NULL;
                    ELSE
                        INSERT INTO unstale.outbox (capture, op, rules, old, new)
                        SELECT \(capture), c.op, c.rules, c.old, c.new FROM unnest(chunks) AS c;
                    END IF;
                END IF;\(ringing)
                RETURN NULL;
            END

            """
    }

    /// A statement with more rows than the limit: images cost more than all else, so they are not made before it is known
    /// that they will be recorded. Where rows may look the same to the rules, only images tell how many differ.
    private func counting(_ manyRows: String, of rows: String) -> String {
        guard isUnique else { return "" }
        return """

                    -- Of very many, first how many fired.
                    IF failure IS NULL AND EXISTS (SELECT FROM \(rows) OFFSET \(rowLimit)) THEN
                        DECLARE
                            amount bigint;
                        BEGIN
                            SELECT count(*) INTO amount FROM (\(manyRows)
                            ) AS fired_rows;
                            IF amount = 0 THEN
                                RETURN NULL;
                            ELSIF amount > \(rowLimit) THEN
                                failure := '';
                            END IF;
                        EXCEPTION
                            WHEN assert_failure OR OTHERS THEN failure := SQLERRM;
                        END;
                    END IF;
            """
    }

    /// Old and new rows are paired by primary key; a changed key, or a table without one, is a delete and an
    /// insert. A FULL JOIN, because a plan made for few rows and kept for many must never be a nested loop.
    private var manyUpdates: String {
        guard !shape.primaryKey.isEmpty else {
            return distinct(
                unpaired(.old) + "\n                    UNION ALL\n                    " + unpaired(.new))
        }
        let (oldExists, newExists) = (exists(.old), exists(.new))
        let pairs = """
            SELECT CASE WHEN \(oldExists) THEN CASE WHEN \(newExists) THEN 'u' ELSE 'd' END ELSE 'i' END::"char" AS op,
                        \(conditions.mask(.update, pairing: pairing)) AS fired,
                        CASE WHEN \(oldExists) THEN \(image("old")) END AS old_row,
                        CASE WHEN \(newExists) THEN \(image("new")) END AS new_row
                    \(Self.pairing)\(keysAreEqual)
            """
        // Images that are equal are stored once.
        return distinct(
            """
            SELECT op, fired, CASE WHEN op <> 'u' OR old_row <> new_row THEN old_row END AS old_image,
                        new_row AS new_image
                    FROM (
                    \(pairs)
                    ) AS pairs
            """)
    }

    private static let pairing = "FROM old_rows AS old FULL JOIN new_rows AS new ON "

    private var keysAreEqual: String {
        shape.primaryKey.map { name in
            let cast = shape.column(name)?.hasBuiltinEquality ?? false ? "" : "::text"
            let column = SQL.identifier(name)
            return "old.\(column)\(cast) = new.\(column)\(cast)"
        }.joined(separator: " AND ")
    }

    /// Whether a function with this source holds many rows against the conditions as this one does.
    func judgesMany(as source: String) -> Bool {
        let pairings = source.holds(Self.pairing) ? [pairing] : [.never(.old), .never(.new)]
        return pairings.allSatisfy { source.holds("\(conditions.mask(.update, pairing: $0)) AS fired") }
    }

    private var pairing: Pairing { .where(old: exists(.old), new: exists(.new)) }

    /// A composite value IS NULL when all in it is, so that would not do for a key.
    private func exists(_ image: RowImage) -> String {
        "\(image).\(SQL.identifier(shape.primaryKey.first ?? "")) IS DISTINCT FROM NULL"
    }

    /// Whether a function with this source pairs rows by what is the primary key now. What was one may be null by now, which
    /// is taken for a row that is not there; to pair no rows is right whatever the key is.
    func pairsRows(as source: String) -> Bool {
        guard source.holds(Self.pairing) else { return true }
        return !shape.primaryKey.isEmpty && source.holds("\(Self.pairing)\(keysAreEqual)\n")
    }

    private func unpaired(_ side: RowImage) -> String {
        """
        SELECT '\(side == .old ? "d" : "i")'::"char" AS op,
                    \(conditions.mask(.update, pairing: .never(side))) AS fired,
                    \(side == .old ? image("old") : "NULL::text[]") AS old_image,
                    \(side == .old ? "NULL::text[]" : image("new")) AS new_image
                FROM \(side)_rows AS \(side)
        """
    }

    /// Rows that project to the same images are recorded once. One row more than the limit tells that there
    /// are too many.
    private func distinct(_ images: String) -> String {
        """

                SELECT \(isUnique ? "" : "DISTINCT ")op, fired, old_image, new_image FROM (
                \(images)
                ) AS images
                WHERE fired <> 0
                LIMIT \(rowLimit + 1)
        """
    }

    /// Whether images hold the primary key, so that no two rows have the same.
    private var isUnique: Bool {
        !shape.primaryKey.isEmpty && Set(shape.primaryKey).isSubset(of: columns)
    }

    /// The columns as an array of text; images are compared byte by byte, whatever collations the columns have.
    /// Rules without a column still need a row to count: an empty array can't be aggregated.
    func image(_ alias: String) -> String {
        guard !columns.isEmpty else { return "ARRAY[NULL::text]" }
        let values = columns.map { name in
            let value = "\(alias).\(SQL.identifier(name))"
            let text =
                shape.column(name)?.hasTextCast ?? false
                ? "CASE WHEN \(value) IS DISTINCT FROM NULL THEN concat(\(value)) END" : "\(value)::text"
            return "\(text) COLLATE \"C\""
        }
        return "ARRAY[\(values.joined(separator: ", "))]"
    }

    var ringing: String {
        guard ring else { return "" }
        return """

                IF NOT pg_try_advisory_xact_lock_shared(\(AdvisoryLock.doorbell.arguments)) THEN
                    PERFORM pg_notify('unstale', '');
                END IF;
            """
    }
}
