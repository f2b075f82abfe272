import Rules
import Testing

@testable import Capture

/// The steps from what is installed to what the rules need, without a database.
@Suite struct InstallPlanTests {
    private static let items = TableShape.example("items", oid: 100, descendants: ["items_1"])
    private static let orders = TableShape.example("orders", oid: 200)

    private func plan(
        _ state: InstalledState, _ rules: String, _ settings: CaptureSettings = .init(),
        shapes: [TableShape] = [items, orders]
    ) throws -> [String] {
        let rules = try RuleSet.items(rules)
        let designs = shapes.compactMap { shape in
            let own = rules.rules(for: shape.name)
            return own.isEmpty ? nil : CaptureDesign(shape: shape, rules: own, settings: settings)
        }
        return InstallPlan(state: state, designs: designs, settings: settings).steps.map(\.summary)
    }

    /// What is installed once the steps for these rules have been taken.
    private func installed(
        _ rules: String, _ settings: CaptureSettings = .init(), shapes: [TableShape] = [items, orders]
    ) throws -> InstalledState {
        let rules = try RuleSet.items(rules)
        var state = InstalledState()
        state.version = Schema.version
        state.wake = settings.wake
        state.slotSeconds = settings.slotSeconds
        for (number, shape) in shapes.enumerated()
        where !rules.rules(for: shape.name).isEmpty {
            let id = Int32(number + 1)
            let design = CaptureDesign(shape: shape, rules: rules.rules(for: shape.name), settings: settings)
            state.captures.append(InstalledCapture(id: id, manifest: design.manifest, isRetired: false))
            for function in design.functions(capture: id) { state.functions[function.name] = function }
            for table in [shape.name] + shape.descendants {
                for event in design.events(on: table) {
                    state.triggers.append(
                        InstalledState.Trigger(
                            table: table, name: event.triggerName, function: design.functionName(event),
                            mode: design.mode(event), version: ""))
                }
            }
        }
        return state
    }

    private static let i = "- {name: i, table: items, on: [insert], delete: {keys: ['i:{id}']}}"
    private static let o = "- {name: o, table: orders, on: [delete], delete: {keys: ['o:{id}']}}"

    /// Functions that hold rows against the conditions in another way than ours may have missed some.
    @Test func otherConditions() throws {
        let rules = "- {name: r, table: items, where: new.name is not null, delete: {keys: ['k:{id}']}}"
        let asked = "((new.name is not null) IS NOT FALSE)"
        for (event, new, old) in [
            // Of a row that is not there, it was asked all the same.
            ("delete", "1::bigint", "CASE WHEN \(asked) THEN 1::bigint ELSE 0 END"),
            ("update", "ELSE true END", "ELSE \(asked) END"),
        ] {
            var state = try installed(rules)
            let name = "capture_100_\(event)"
            let function = try #require(state.functions[name])
            let source = function.source.replacing(new, with: old)
            #expect(source != function.source)
            state.functions[name] = TriggerFunction(name: name, source: source, settings: function.settings)
            let steps = try plan(state, rules)
            #expect(steps.contains("replace function unstale.\(name) for public.items"))
            #expect(steps.contains { $0.contains("count") }, "\(steps)")
        }
    }

    @Test func fromNothing() throws {
        #expect(
            try plan(InstalledState(), Self.i) == [
                "create the schema unstale", "record capture 1 of public.items",
                "create function unstale.capture_100_insert for public.items",
                "create function unstale.capture_100_truncate for public.items",
                "create trigger unstale_insert on public.items",
                "create trigger unstale_truncate on public.items",
                "create trigger unstale_insert on public.items_1",
                "create trigger unstale_truncate on public.items_1",
            ])
    }

    @Test func nothingToDo() throws {
        for settings in [CaptureSettings(), CaptureSettings(wake: .poll, always: true)] {
            #expect(
                try plan(installed(Self.i + "\n" + Self.o, settings), Self.i + "\n" + Self.o, settings) == [])
        }
    }

    @Test func aNewTable() throws {
        #expect(
            try plan(installed(Self.i), Self.i + "\n" + Self.o) == [
                "record capture 2 of public.orders",
                "create function unstale.capture_200_delete for public.orders",
                "create function unstale.capture_200_truncate for public.orders",
                "create trigger unstale_delete on public.orders",
                "create trigger unstale_truncate on public.orders",
            ])
    }

    @Test func aTableLess() throws {
        #expect(
            try plan(installed(Self.i + "\n" + Self.o), Self.i) == [
                "drop trigger unstale_delete on public.orders",
                "drop trigger unstale_truncate on public.orders",
                "drop function unstale.capture_200_delete", "drop function unstale.capture_200_truncate",
                "retire capture 2 of public.orders",
            ])
    }

    @Test func anotherOperation() throws {
        #expect(
            try plan(installed(Self.o), Self.o.replacing("[delete]", with: "[insert]")) == [
                "record capture 3 of public.orders",
                "create function unstale.capture_200_insert for public.orders",
                "replace function unstale.capture_200_truncate for public.orders",
                "create trigger unstale_insert on public.orders",
                // Nobody promised what inserted rows would do before now: a sweep is more than enough.
                "count every row of public.orders as changed, for it was not fully captured",
                "drop trigger unstale_delete on public.orders", "drop function unstale.capture_200_delete",
                "retire capture 2 of public.orders",
            ])
    }

    @Test func otherRules() throws {
        #expect(
            try plan(installed(Self.o), Self.o.replacing("o:{id}", with: "o:{name}")) == [
                "record capture 3 of public.orders", "replace function unstale.capture_200_delete for public.orders",
                "replace function unstale.capture_200_truncate for public.orders",
                "wait for the writers of public.orders who began by the old functions",
                "retire capture 2 of public.orders",
            ])
    }

    @Test func aPartitionMore() throws {
        var more = Self.items
        more.descendants.append(TableName(name: "items_2"))
        #expect(
            try plan(installed(Self.i), Self.i, shapes: [more]) == [
                "create trigger unstale_insert on public.items_2",
                "create trigger unstale_truncate on public.items_2",
                "count every row of public.items as changed, for it was not fully captured",
            ])
    }

    /// Many rows are paired by primary key. Not to pair them, where there was none, was right all the same.
    @Test(arguments: [
        (["id"], [], 2), (["id"], ["id", "name"], 2), (["id", "name"], ["id"], 2), ([], ["id"], 1), (["id"], ["id"], 0),
    ])
    func anotherPrimaryKey(before: [String], now: [String], steps: Int) throws {
        let rules = "- {name: u, table: orders, on: [update], delete: {keys: ['u:{id}']}}"
        var (old, new) = (Self.orders, Self.orders)
        (old.primaryKey, new.primaryKey) = (before, now)
        let all = [
            "replace function unstale.capture_200_update for public.orders",
            "count every row of public.orders as changed, for it was not fully captured",
        ]
        #expect(
            try plan(installed(rules, shapes: [Self.items, old]), rules, shapes: [new]) == Array(all.prefix(steps)))
    }

    /// The triggers of a restored database call functions of other names; to make one anew resets when it fires.
    @Test(arguments: [TriggerMode.always, .origin, .disabled]) func triggersThatAreMadeAnew(mode: TriggerMode) throws {
        var state = try installed(Self.o)
        for index in state.triggers.indices {
            state.triggers[index].function += "_restored"
            state.triggers[index].mode = mode
        }
        #expect(
            try plan(state, Self.o, CaptureSettings(always: true)) == [
                "create function unstale.capture_200_delete_row for public.orders",
                "create trigger unstale_delete on public.orders",
                "create trigger unstale_truncate on public.orders",
                "enable always trigger unstale_truncate on public.orders",
                "create trigger unstale_delete_row on public.orders",
                "enable replica trigger unstale_delete_row on public.orders",
                "count every row of public.orders as changed, for it was not fully captured",
            ])
        #expect(
            try plan(state, Self.o) == [
                "create trigger unstale_delete on public.orders", "create trigger unstale_truncate on public.orders",
                "count every row of public.orders as changed, for it was not fully captured",
            ])
    }

    /// What is partitioned has no rows of its own, so no triggers for them.
    @Test func rowsOfPartitions() throws {
        var shape = Self.items
        shape.partitioned = [shape.name]
        #expect(
            try plan(InstalledState(), Self.i, CaptureSettings(always: true), shapes: [shape]) == [
                "create the schema unstale", "record capture 1 of public.items",
                "create function unstale.capture_100_insert for public.items",
                "create function unstale.capture_100_truncate for public.items",
                "create function unstale.capture_100_insert_row for public.items",
                "create trigger unstale_insert on public.items",
                "create trigger unstale_truncate on public.items",
                "enable always trigger unstale_truncate on public.items",
                "create trigger unstale_insert on public.items_1",
                "create trigger unstale_truncate on public.items_1",
                "enable always trigger unstale_truncate on public.items_1",
                "create trigger unstale_insert_row on public.items_1",
                "enable replica trigger unstale_insert_row on public.items_1",
            ])
    }

    /// Those for statements were made to fire always, which missed nearly all that is replicated.
    @Test func fromBeforeThereWereTriggersForRows() throws {
        var state = try installed(Self.o)
        for index in state.triggers.indices { state.triggers[index].mode = .always }
        #expect(
            try plan(state, Self.o, CaptureSettings(always: true)) == [
                "create function unstale.capture_200_delete_row for public.orders",
                "enable trigger unstale_delete on public.orders",
                "create trigger unstale_delete_row on public.orders",
                "enable replica trigger unstale_delete_row on public.orders",
                "count every row of public.orders as changed, for it was not fully captured",
            ])
    }

    @Test func noLongerAlways() throws {
        #expect(
            try plan(installed(Self.o, CaptureSettings(always: true)), Self.o) == [
                "enable trigger unstale_truncate on public.orders",
                "drop trigger unstale_delete_row on public.orders", "drop function unstale.capture_200_delete_row",
            ])
    }

    /// One that fires wherever it is needed loses nothing by firing elsewhere too.
    @Test(arguments: [(TriggerMode.always, false), (TriggerMode.origin, true), (TriggerMode.disabled, true)])
    func rowsThatWereMissed(mode: TriggerMode, isGap: Bool) throws {
        let settings = CaptureSettings(always: true)
        var state = try installed(Self.o, settings)
        let index = try #require(state.triggers.firstIndex { $0.name == "unstale_delete_row" })
        state.triggers[index].mode = mode
        let steps = [
            "enable replica trigger unstale_delete_row on public.orders",
            "count every row of public.orders as changed, for it was not fully captured",
        ]
        #expect(try plan(state, Self.o, settings) == Array(steps.prefix(isGap ? 2 : 1)))
    }

    /// As where the table has taken another's name, and is captured as that one.
    @Test func functionsOfAnotherCapture() throws {
        var state = try installed(Self.o)
        state.captures[0].id = 9
        #expect(
            try plan(state, Self.o) == [
                "replace function unstale.capture_200_delete for public.orders",
                "replace function unstale.capture_200_truncate for public.orders",
                "count every row of public.orders as changed, for it was not fully captured",
            ])
        state.captures = []
        #expect(
            try plan(state, Self.o).contains(
                "count every row of public.orders as changed, for it was not fully captured"))
    }

    @Test func aFunctionThatSomebodyChanged() throws {
        var state = try installed(Self.o)
        state.functions["capture_200_delete"]?.settings = [.dateStyle]
        #expect(try plan(state, Self.o) == ["replace function unstale.capture_200_delete for public.orders"])
    }

    /// Nothing is ever taken to be part of the SQL that is a name.
    @Test func oddNamesAreQuoted() throws {
        let shape = TableShape.example("a\"b; DROP", oid: 300)
        let rules = try RuleSet.items("- {name: r, table: 'a\"b; DROP', delete: {keys: ['k:{id}']}}")
        let design = CaptureDesign(shape: shape, rules: rules.rules, settings: .init())
        let sql = InstallPlan(state: InstalledState(), designs: [design], settings: .init()).steps.map(\.sql)
            .joined()
        #expect(sql.contains("ON \"public\".\"a\"\"b; DROP\"") && !sql.contains("\"a\"b"))
    }
}

extension TableShape {
    /// A table with the columns `id int`, `name text` and `price numeric`.
    static func example(_ name: String, oid: UInt32, descendants: [String] = []) -> TableShape {
        func column(_ name: String, _ type: String, exact: Bool) -> Column {
            Column(
                name: name, type: type, settings: [], hasBuiltinEquality: true, hasTextCast: false,
                hasExactEquality: exact)
        }
        return TableShape(
            oid: oid, name: TableName(name: name),
            columns: [
                column("id", "integer", exact: true), column("name", "text", exact: true),
                column("price", "numeric", exact: false),
            ], primaryKey: ["id"], descendants: descendants.map { TableName(name: $0) })
    }
}
