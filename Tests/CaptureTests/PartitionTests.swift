import Rules
import TestSupport
import Testing

@testable import Capture

/// A parent's statement trigger misses what is written to a partition directly, so all of them have triggers.
@Suite struct PartitionTests {
    private static let tables = """
        CREATE TABLE items (region text, id int, name text, PRIMARY KEY (region, id)) PARTITION BY LIST (region);
        CREATE TABLE "Items North" PARTITION OF items FOR VALUES IN ('north');
        CREATE TABLE items_south PARTITION OF items FOR VALUES IN ('south') PARTITION BY RANGE (id);
        CREATE TABLE items_south_low (name text, id int NOT NULL, extra int, region text NOT NULL);
        ALTER TABLE items_south_low DROP extra;
        ALTER TABLE items_south ATTACH PARTITION items_south_low FOR VALUES FROM (0) TO (100);
        CREATE TABLE items_south_high PARTITION OF items_south FOR VALUES FROM (100) TO (200);
        CREATE TABLE items_west PARTITION OF items FOR VALUES IN ('west');
        CREATE FUNCTION swallow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
        CREATE TRIGGER swallow BEFORE INSERT ON items_west FOR EACH ROW EXECUTE FUNCTION swallow();
        """
    private static let rules =
        "- {name: r, table: items, columns: [name], delete: {keys: ['k:{region}:{id}:{name}']}}"
    private static let rows = """
        INSERT INTO items VALUES ('north', 1, 'a'), ('north', 2, 'b'), ('south', 3, 'c'), ('south', 104, 'd')
        """

    /// `changes` in the order of the sorted columns: id, name, region.
    private func withItems(_ body: (Captured) async throws -> Void) async throws {
        try await Captured.with(Self.tables, rules: Self.rules) { (captured) async throws in
            try await captured.expect(
                Self.rows,
                [
                    "insert items 1, a, north", "insert items 2, b, north", "insert items 3, c, south",
                    "insert items 104, d, south",
                ])
            try await body(captured)
        }
    }

    @Test func writesToTheParent() async throws {
        try await withItems { (captured) async throws in
            try await captured.expect(
                "UPDATE items SET name = 'x' WHERE id > 1",
                [
                    "update items 2, b, north -> 2, x, north", "update items 3, c, south -> 3, x, south",
                    "update items 104, d, south -> 104, x, south",
                ])
            try await captured.expect("DELETE FROM items WHERE id = 3", ["delete items 3, x, south"])
            try await captured.expect(
                "INSERT INTO items_south VALUES ('south', 5, 'e')", ["insert items 5, e, south"])
        }
    }

    @Test func writesToTheLeaves() async throws {
        try await withItems { (captured) async throws in
            try await captured.expect(
                "INSERT INTO \"Items North\" VALUES ('north', 9, 'z')", ["insert items 9, z, north"])
            // Its columns stand in another order.
            try await captured.expect(
                "INSERT INTO items_south_low (id, region, name) VALUES (9, 'south', 'z'), (10, 'south', 'y')",
                ["insert items 10, y, south", "insert items 9, z, south"])
            try await captured.expect(
                "UPDATE items_south_low SET name = 'w' WHERE id > 8",
                ["update items 10, y, south -> 10, w, south", "update items 9, z, south -> 9, w, south"])
            try await captured.expect(
                "UPDATE items_south SET id = id + 10 WHERE id = 3",
                ["update items 3, c, south -> 13, c, south"])
            try await captured.expect("DELETE FROM items_south_high", ["delete items 104, d, south"])
            try await captured.expect("TRUNCATE items_south_low", ["any items"])
            let all = try await captured.changes(of: "TRUNCATE items")
            #expect(Set(all) == ["any items"])
        }
    }

    @Test func rowsThatMove() async throws {
        try await withItems { (captured) async throws in
            try await captured.expect(
                "UPDATE items SET region = 'south' WHERE id = 1", ["update items 1, a, north -> 1, a, south"])
            // Their keys change, so many of them are deletes and inserts.
            try await captured.expect(
                "UPDATE items SET region = 'north', name = 'm' WHERE region = 'south' AND id < 100",
                [
                    "delete items 1, a, south", "delete items 3, c, south", "insert items 1, m, north",
                    "insert items 3, m, north",
                ])
            try await captured.expect(
                "UPDATE items_south SET id = 50 WHERE id = 104",
                ["update items 104, d, south -> 50, d, south"])
        }
    }

    /// Where rows are recorded one by one, and only the tables that hold them have triggers for that.
    @Test func writesThatAreReplicated() async throws {
        try await Captured.with(Self.tables, rules: Self.rules, settings: .init(always: true)) {
            (captured) async throws in
            try await captured.owner.run("SET session_replication_role = replica")
            try await captured.expect(
                Self.rows,
                [
                    "insert items 1, a, north", "insert items 2, b, north", "insert items 3, c, south",
                    "insert items 104, d, south",
                ])
            // Its columns stand in another order.
            try await captured.expect(
                "INSERT INTO items_south_low (id, region, name) VALUES (9, 'south', 'z')",
                ["insert items 9, z, south"])
            try await captured.expect(
                "UPDATE items SET name = 'x' WHERE id IN (1, 3)",
                ["update items 1, a, north -> 1, x, north", "update items 3, c, south -> 3, x, south"])
            try await captured.expect(
                "UPDATE items SET region = 'south' WHERE id = 1",
                ["delete items 1, x, north", "insert items 1, x, south"])
            try await captured.expect("DELETE FROM items_south_high", ["delete items 104, d, south"])
            try await captured.expect("TRUNCATE items_south_low", ["any items"])
            try await captured.owner.run("CREATE TABLE items_east PARTITION OF items FOR VALUES IN ('east')")
            #expect(try await captured.problems().count == 7)
            try await captured.install()
            #expect(try await captured.problems() == [])
            try await captured.expect(
                "INSERT INTO items VALUES ('east', 5, 'e')", ["any items", "insert items 5, e, east"])
        }
    }

    /// A trigger of the target partition may drop the row on its way: it is gone, one or many.
    @Test func rowsThatVanish() async throws {
        try await withItems { (captured) async throws in
            try await captured.expect(
                "UPDATE items SET region = 'west' WHERE id = 1", ["delete items 1, a, north"])
            try await captured.expect(
                "UPDATE items SET region = 'west' WHERE id IN (2, 3)",
                ["delete items 2, b, north", "delete items 3, c, south"])
            try await captured.expect("INSERT INTO items VALUES ('west', 7, 'g')", [])
        }
        // Of the row that is not there, a condition knows nothing: that counts as yes.
        let rules = """
            - {name: n, table: items, where: new.name = 'a', delete: {keys: ['k:{id}']}}
            - {name: o, table: items, where: old.name = 'b', delete: {keys: ['o:{id}']}}
            """
        try await Captured.with(Self.tables, rules: rules) { (captured) async throws in
            _ = try await captured.changes(of: Self.rows)
            let one = try await captured.firings(of: "UPDATE items SET region = 'west' WHERE id = 1")
            #expect(one == ["delete: n"])
            let many = try await captured.firings(of: "UPDATE items SET region = 'west'")
            #expect(many == ["delete: n", "delete: n", "delete: n, o"])
        }
    }

    @Test func partitionsThatComeAndGo() async throws {
        try await withItems { (captured) async throws in
            try await captured.owner.run("CREATE TABLE items_east PARTITION OF items FOR VALUES IN ('east')")
            let problems = try await captured.problems()
            #expect(problems.count == 4)
            #expect(
                problems.first
                    == "trigger unstale_insert on public.items_east is missing: run 'unstale install'")
            #expect(try await captured.install().count == 5)
            try await captured.expect(
                "INSERT INTO items_east VALUES ('east', 1, 'n')", ["any items", "insert items 1, n, east"])
            #expect(try await captured.problems() == [])
            try await captured.owner.run("ALTER TABLE items DETACH PARTITION items_east")
            let steps = try await captured.install()
            #expect(
                steps.count == 4
                    && steps.allSatisfy {
                        $0.hasPrefix("drop trigger unstale_") && $0.hasSuffix("items_east")
                    })
            try await captured.expect("UPDATE items_east SET name = 'o'", [])
        }
    }

    @Test func aPartitionThatGoesToAnotherTable() async throws {
        let tables = """
            CREATE TABLE items (id int, region text) PARTITION BY LIST (region);
            CREATE TABLE items_north PARTITION OF items FOR VALUES IN ('north');
            CREATE TABLE spares (id int, region text) PARTITION BY LIST (region);
            """
        let rules = """
            - {name: i, table: items, delete: {keys: ['i:{id}']}}
            - {name: s, table: spares, delete: {keys: ['s:{id}']}}
            """
        try await Captured.with(tables, rules: rules) { (captured) async throws in
            try await captured.owner.run(
                """
                ALTER TABLE items DETACH PARTITION items_north;
                ALTER TABLE spares ATTACH PARTITION items_north FOR VALUES IN ('north')
                """)
            try await captured.expect("INSERT INTO items_north VALUES (1, 'north')", ["insert items 1"])
            let problems = try await captured.problems()
            #expect(problems.count == 4)
            #expect(
                problems.first == "trigger unstale_insert on public.items_north calls a function of another capture: "
                    + "run 'unstale install'")
            try await captured.install()
            try await captured.expect(
                "INSERT INTO items_north VALUES (2, 'north')", ["any spares", "insert spares 2"])
            #expect(try await captured.problems() == [])
            #expect(try await captured.install() == [])
        }
    }

    /// What is written by way of a parent fires the parent's triggers and no others, so rules have to name that.
    @Test func rulesAboutAPartition() async throws {
        try await withItems { (captured) async throws in
            for table in ["Items North", "items_south", "items_south_low"] {
                let rules = try RuleSet.items("- {name: r, table: \(table), delete: {keys: ['k:{id}']}}")
                let error = try await failure { try await captured.install(rules) }
                #expect(
                    "\(error)" == "rules.yaml:3:22: error: 'public.\(table)' is a partition of 'public.items', and its "
                        + "triggers miss what is written by way of that: name 'public.items', with a 'where' if the "
                        + "rule is only about some of its rows")
            }
        }
    }

    @Test func rulesAboutAChild() async throws {
        let tables = """
            CREATE TABLE items (id int PRIMARY KEY); CREATE TABLE others (id int);
            CREATE TABLE special () INHERITS (items); CREATE TABLE twice () INHERITS (special, others);
            """
        let rules = "- {name: s, table: special, delete: {keys: ['k:{id}']}}"
        try await TestDatabase.with { database in
            let captured = try await Captured(database, rules: rules)
            try await captured.owner.run(tables)
            let error = try await failure { try await captured.install() }
            #expect(
                "\(error)".contains("'public.special' inherits from 'public.items', and its triggers miss"), "\(error)")
            let parent = try RuleSet.items(rules.replacing("special", with: "items"))
            let second = try await failure { try await captured.install(parent) }
            #expect(
                "\(second)".contains("'public.twice' inherits from 'public.others' as well as 'public.items'"),
                "\(second)")
            try await captured.owner.run("ALTER TABLE twice NO INHERIT others")
            try await captured.install(parent)
            #expect(try await captured.problems(parent) == [])
        }
    }

    /// A table with rules of its own that becomes a partition.
    @Test func aTableThatIsAttached() async throws {
        let tables = """
            CREATE TABLE items (id int, region text) PARTITION BY LIST (region);
            CREATE TABLE items_north (id int, region text);
            """
        let rules = "- {name: r, table: items_north, delete: {keys: ['k:{id}']}}"
        try await Captured.with(tables, rules: rules) { (captured) async throws in
            try await captured.expect("INSERT INTO items_north VALUES (1, 'north')", ["insert items_north 1"])
            try await captured.owner.run("ALTER TABLE items ATTACH PARTITION items_north FOR VALUES IN ('north')")
            try await captured.expect("UPDATE items SET id = 2", [])
            let problems = try await CaptureState.read(captured.rules.rules, captured.owner).problems
            #expect(problems.map(\.losesChanges) == [true])
            let reason = "'public.items_north' is a partition of 'public.items', and its triggers miss"
            #expect(problems.first?.reason.hasPrefix(reason) == true)
            let parent = try RuleSet.items(rules.replacing("items_north", with: "items"))
            // What was missed counts.
            #expect(
                try await captured.install(parent).contains(
                    "count every row of public.items as changed, for it was not fully captured"))
            #expect(try await captured.problems(parent) == [])
            #expect(try await captured.install(parent) == [])
            try await captured.expect("UPDATE items SET id = 3", ["any items", "update items 2 -> 3"])
            try await captured.expect("UPDATE items_north SET id = 4", ["update items 3 -> 4"])
        }
    }

    /// With our triggers on its parent, the application could not write to it.
    @Test func foreignPartitions() async throws {
        let tables = "CREATE TABLE items (id int, region text) PARTITION BY LIST (region);"
        let foreign = """
            CREATE FOREIGN DATA WRAPPER elsewhere; CREATE SERVER there FOREIGN DATA WRAPPER elsewhere;
            CREATE FOREIGN TABLE items_far PARTITION OF items FOR VALUES IN ('far') SERVER there;
            """
        let reason = "'public.items_far', which is part of 'public.items', is a foreign table: with triggers on "
        let rules = "- {name: r, table: items, delete: {keys: ['k:{id}']}}"
        try await TestDatabase.with { database in
            let captured = try await Captured(database, rules: rules)
            try await captured.owner.run(tables + foreign)
            let error = try await failure { try await captured.install() }
            #expect("\(error)".hasPrefix("rules.yaml:3:22: error: \(reason)"), "\(error)")
        }
        try await Captured.with(tables, rules: rules) { (captured) async throws in
            try await captured.owner.run(foreign)
            let problems = try await CaptureState.read(captured.rules.rules, captured.owner).problems
            #expect(problems.map(\.losesChanges) == [true])
            #expect(problems.first?.reason.hasPrefix(reason) == true)
            try await captured.owner.run("DROP FOREIGN TABLE items_far")
            #expect(try await captured.problems() == [])
        }
    }
}
