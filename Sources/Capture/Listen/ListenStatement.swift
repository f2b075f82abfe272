import Postgres
import Rules

/// Writes the SQL that records the rows of one table that notifications tell of: the same conditions as in its triggers,
/// had it some, the same text, the same form in the outbox.
///
/// $1 are the kinds of the changes, in the letters of `HeardRow.Kind`, $2 and $3 the rows before and after as JSON.
struct ListenStatement {
    private let shape: TableShape
    private let capture: InstalledCapture
    private let conditions: ConditionCompiler
    private let writer: RecordWriter
    private let ring: Bool

    /// - Parameter ring: Whether a sleeping worker is woken by NOTIFY.
    init(shape: TableShape, capture: InstalledCapture, ring: Bool) {
        self.shape = shape
        self.capture = capture
        self.ring = ring
        let exactColumns = shape.columns.filter(\.hasExactEquality).map(\.name)
        conditions = ConditionCompiler(
            conditions: capture.manifest.conditions, exactColumns: Set(exactColumns))
        writer = RecordWriter(
            capture: capture.id, shape: shape, columns: capture.manifest.columns, conditions: conditions,
            rowLimit: 0, ring: ring)
    }

    /// Tells whether the capture still is the table's. Where it is not, nothing is written.
    var sql: String {
        """
        -- 1. What the payloads say, as rows of the table, and which conditions each fulfils.
        WITH heard AS (
            SELECT * FROM unnest($1::text[], $2::text[], $3::text[]) AS heard(kind, old_row, new_row)),
        fired_rows AS (
            SELECT DISTINCT op, fired, old_image, new_image FROM (
                \(kinds.joined(separator: "\n                UNION ALL\n                "))
            ) AS images WHERE fired <> 0),
        -- 2. Is somebody told of it who knows this capture?
        current AS (SELECT FROM unstale.captures WHERE id = \(capture.id) AND retired_at IS NULL),
        -- 3. In chunks, as the triggers do.
        written AS (
            INSERT INTO unstale.outbox (capture, op, rules, old, new)
            SELECT \(capture.id), op, fired, array_agg(old_image) FILTER (WHERE old_image IS NOT NULL),
                array_agg(new_image) FILTER (WHERE new_image IS NOT NULL)
            FROM (
                SELECT op, fired, old_image, new_image,
                    (row_number() OVER (PARTITION BY op, fired, old_image IS NULL) - 1) / \(CaptureSettings.chunk) AS part
                FROM fired_rows
            ) AS numbered
            WHERE EXISTS (SELECT FROM current)
            GROUP BY op, fired, old_image IS NULL, part
            RETURNING 1)
        SELECT EXISTS (SELECT FROM current), (SELECT count(*) FROM written), \(Self.ringing(ring))
        """
    }

    /// Records that any row of tables may have changed. $1 are the numbers of their captures, $2 for each why that is not
    /// known better, or null.
    static func anyRow(ring: Bool) -> String {
        """
        WITH written AS (
            INSERT INTO unstale.outbox (capture, op, rules, detail)
            SELECT capture::int, 'a', -1, detail FROM unnest($1::text[], $2::text[]) AS heard(capture, detail)
            RETURNING 1)
        SELECT (SELECT count(*) FROM written), \(ringing(ring))
        """
    }

    /// What a session needs so that names are found, and values written, as in the trigger functions. That a record may
    /// not outlive a crash of Postgres is nothing new: such a crash ends the session that listens, too.
    static let sessionSettings =
        "SET search_path = \(TriggerFunction.searchPath); SET synchronous_commit = off; SET jit = off; "
        + TextSetting.pinAll

    private static func ringing(_ ring: Bool) -> String {
        guard ring else { return "NULL" }
        return """
            CASE WHEN (SELECT count(*) FROM written) > 0
                    AND NOT pg_try_advisory_xact_lock_shared(\(AdvisoryLock.doorbell.arguments))
                THEN pg_notify('unstale', '')::text END
            """
    }

    /// A SELECT for each kind of change that a condition is about.
    private var kinds: [String] {
        var kinds: [String] = []
        if conditions.concerns(.insert) {
            kinds.append(select(.insert, "i", old: "NULL::text[]", new: writer.image("new"), conditions.mask(.insert)))
        }
        if conditions.concerns(.delete) {
            kinds.append(select(.delete, "d", old: writer.image("old"), new: "NULL::text[]", conditions.mask(.delete)))
        }
        if conditions.concerns(.update) {
            let (old, new) = (writer.image("old"), writer.image("new"))
            kinds.append(
                select(
                    .update, "u", old: "CASE WHEN \(old) <> \(new) THEN \(old) END", new: new,
                    conditions.mask(.update)))
            kinds.append(
                select(
                    .updateWithoutOld, "u", old: "NULL::text[]", new: new,
                    conditions.mask(.update, pairing: .never(.new))))
        }
        return kinds
    }

    private func select(_ kind: HeardRow.Kind, _ op: String, old: String, new: String, _ mask: String) -> String {
        """
        SELECT '\(op)'::"char" AS op, \(mask) AS fired, \(old) AS old_image, \(new) AS new_image
                FROM heard CROSS JOIN LATERAL \(row(.old, isThere: kind != .insert && kind != .updateWithoutOld))
                    CROSS JOIN LATERAL \(row(.new, isThere: kind != .delete))
                WHERE heard.kind = '\(kind.rawValue)'
        """
    }

    /// By way of `json`, and not `jsonb`: a column of that type reads as it was written.
    private func row(_ image: RowImage, isThere: Bool) -> String {
        isThere
            ? "json_populate_record(NULL::\(shape.sqlName), heard.\(image)_row::json) AS \(image)"
            : "(SELECT (NULL::\(shape.sqlName)).*) AS \(image)"
    }
}
