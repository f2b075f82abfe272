import Rules

/// The functions of the triggers for rows.
extension RecordWriter {
    /// For one row of an operation, which plpgsql has as `old` and `new`. A statement's function names its rows so too,
    /// and conditions and images are the same text in both.
    ///
    /// A SELECT that names no table stays as it was planned, whatever becomes of the columns: once one has another
    /// type, it would fail for as long as the session lasts, and those of logical replication last for months. A
    /// `regclass` in it is enough for Postgres to plan it anew when that table has changed.
    func rowSource(_ operation: Operation) -> String {
        let images = operation.images.map(\.rawValue)
        return """

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
                    SELECT \(conditions.mask(operation)),
                        \(images.map(image).joined(separator: ", "))
                    INTO fired, \(images.map { "\($0)_image" }.joined(separator: ", "))
                    WHERE '\(shape.oid)'::regclass IS NOT NULL;
                EXCEPTION
                    WHEN assert_failure OR OTHERS THEN failure := SQLERRM;
                END;
                IF failure IS NOT NULL THEN
                    INSERT INTO unstale.outbox (capture, op, rules, detail)
                    VALUES (\(capture), 'a', -1, failure);
                ELSIF fired <> 0 THEN
                    INSERT INTO unstale.outbox (capture, op, rules, old, new)
                    VALUES (\(capture), '\(operation.rawValue.prefix(1))', fired, old_image, new_image);
                ELSE
                    RETURN NULL;
                END IF;\(ringing)
                RETURN NULL;
            END

            """
    }
}
