/// The schema `unstale`: everything in it that does not depend on the rules.
enum Schema {
    /// What this program expects to find; a different number means another program's schema.
    static let version = 2

    /// From one version to the next, by the one that it begins with: what is there stays.
    static let migrations = [
        1: "ALTER TABLE unstale.targets ADD COLUMN resync text;\nUPDATE unstale.installation SET version = 2;"
    ]

    /// Creates it.
    static func creation(_ settings: CaptureSettings) -> String {
        """
        CREATE SCHEMA unstale;

        -- How the schema was installed: one row.
        CREATE TABLE unstale.installation (
            version int NOT NULL,
            wake text NOT NULL,
            slot_seconds bigint NOT NULL
        );

        -- The manifests of all captures that records may still name, newest last.
        CREATE TABLE unstale.captures (
            id int PRIMARY KEY,
            relation oid NOT NULL,
            manifest jsonb NOT NULL,
            installed_at timestamptz NOT NULL DEFAULT now(),
            retired_at timestamptz
        );

        -- Rights that install gave to the worker's role, for uninstall to take back.
        CREATE TABLE unstale.grants (
            role name NOT NULL,
            object text NOT NULL,
            PRIMARY KEY (role, object)
        );

        -- What the triggers append. The time slots are emptied by TRUNCATE, never row by row; vacuum has nothing
        -- to do here. Ids are handed out in blocks, so they only order the records of one transaction.
        CREATE TABLE unstale.outbox (
            slot smallint NOT NULL DEFAULT \(slotExpression(settings)),
            id bigint GENERATED ALWAYS AS IDENTITY (CACHE 1000),
            xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
            at timestamptz NOT NULL DEFAULT clock_timestamp(),
            capture int NOT NULL,
            op "char" NOT NULL,
            rules bigint NOT NULL,
            old text[],
            new text[],
            detail text
        ) PARTITION BY LIST (slot);
        CREATE INDEX ON unstale.outbox (xid, id);
        \(slots)

        -- Records of a bulk statement on their way into the outbox.
        CREATE TYPE unstale.chunk AS (op "char", rules bigint, old text[], new text[]);

        -- How far each target has been served, on which cluster, and what the worker last knew of it.
        CREATE TABLE unstale.targets (
            name text PRIMARY KEY,
            cursor pg_snapshot NOT NULL,
            cluster text NOT NULL,
            server text,
            state jsonb NOT NULL DEFAULT '{}',
            updated_at timestamptz NOT NULL DEFAULT now(),
            -- Null, or why the cursor means nothing: 'needed', 'ordered', or 'running'.
            resync text
        );

        -- Actions that failed on their own account: tried again until dead_at is set.
        CREATE TABLE unstale.dead_letters (
            id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
            target text NOT NULL,
            rule text NOT NULL,
            action jsonb NOT NULL,
            error text NOT NULL,
            attempts int NOT NULL,
            created_at timestamptz NOT NULL DEFAULT now(),
            next_attempt_at timestamptz NOT NULL,
            dead_at timestamptz
        );
        CREATE INDEX ON unstale.dead_letters (next_attempt_at) WHERE dead_at IS NULL;

        INSERT INTO unstale.installation VALUES (\(version), '\(settings.wake.rawValue)', \(settings.slotSeconds));
        """
    }

    /// Which slot is written to at this moment.
    static func slotExpression(_ settings: CaptureSettings) -> String {
        "(date_part('epoch', clock_timestamp())::bigint / \(settings.slotSeconds) % \(CaptureSettings.slots))::smallint"
    }

    private static var slots: String {
        (0..<CaptureSettings.slots).map { slot in
            """
            CREATE TABLE unstale.outbox_\(slot) PARTITION OF unstale.outbox FOR VALUES IN (\(slot))
                WITH (autovacuum_enabled = false, toast.autovacuum_enabled = false);
            """
        }.joined(separator: "\n")
    }

    /// What the worker's role needs, and no more.
    static func grants(to role: String) -> String {
        let slots = (0..<CaptureSettings.slots).map { "unstale.outbox_\($0)" }.joined(separator: ", ")
        return """
            GRANT USAGE ON SCHEMA unstale TO \(role);
            GRANT SELECT ON unstale.installation, unstale.captures TO \(role);
            -- INSERT is for replaying; which transaction wrote a record, and when, nobody may make up.
            GRANT SELECT, INSERT (capture, op, rules, old, new, detail) ON unstale.outbox TO \(role);
            GRANT SELECT, TRUNCATE ON \(slots) TO \(role);
            GRANT SELECT, INSERT, UPDATE ON unstale.targets TO \(role);
            GRANT SELECT, INSERT, UPDATE, DELETE ON unstale.dead_letters TO \(role);
            """
    }
}
