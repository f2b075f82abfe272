import Rules
import TestSupport
import Testing

@testable import Capture

/// What notifications mean, without a database.
@Suite struct PayloadReaderTests {
    private static let users = TableName(name: "users")
    private static let accounts = TableName(schema: "Crm", name: "Account")

    /// Rules need `id` and `name` of users, `price` only where it changed; `where` looks at `id` and `name`.
    private func reader(
        _ rules: String = "- {name: u, table: users, columns: [price], delete: {keys: ['u:{id}:{name}']}}",
        channel: ListenChannel = ListenChannel(name: "c"), tables: [TableName] = [users, accounts],
        isCaptured: Bool = true
    ) throws -> PayloadReader {
        let shape = TableShape.example("users", oid: 1, descendants: ["users_2026"])
        let manifest = Manifest(table: Self.users, rules: try RuleSet.items(rules).rules)
        let capture = InstalledCapture(id: 7, manifest: manifest, isRetired: false)
        let table = ListenedTable(shape, capture, ring: true)
        return PayloadReader(channel, tables: tables, captured: isCaptured ? [Self.users: table] : [:])
    }

    private func heard(_ payload: String, by reader: PayloadReader) -> String {
        func text(_ json: JSONText?) -> String { json.map { String(decoding: $0.bytes, as: UTF8.self) } ?? "-" }
        let meanings = reader.read(Array(payload.utf8)).map { heard in
            switch heard {
            case .row(let row): "\(row.kind) \(row.table) \(text(row.old)) \(text(row.new))"
            case .anyRow(let table, let lacking): "any \(table)" + (lacking.map { ", lacks \($0.name)" } ?? "")
            case .ignored: "ignored"
            case .unreadable(let table): "unreadable" + (table.map { ", any \($0)" } ?? "")
            }
        }
        return meanings.sorted().joined(separator: "; ")
    }

    @Test(arguments: [
        // Rows.
        (#"{"table":"users","op":"INSERT","new":{"id":1,"name":"a"}}"#, #"insert public.users - {"id":1,"name":"a"}"#),
        (
            #"{"table":"public.users","op":"d","old":{"name":null,"id":1}}"#,
            #"delete public.users {"name":null,"id":1} -"#
        ),
        (
            #"{"op":"Update","table":"users","new":{"id":1,"name":"b","price":1},"old":{"id":1,"name":"a","price":1}}"#,
            #"update public.users {"id":1,"name":"a","price":1} {"id":1,"name":"b","price":1}"#
        ),
        (#"{"table":"users_2026","op":"i","new":{"id":1,"name":"a"}}"#, #"insert public.users - {"id":1,"name":"a"}"#),
        (
            #"{"table":"users","op":"i","old":null,"new":{"id":1,"name":"a"}}"#,
            #"insert public.users - {"id":1,"name":"a"}"#
        ),
        // Of an insert nobody asks for the old row, whatever it is.
        (
            #"{"table":"users","op":"i","old":{},"new":{"id":1,"name":"a"}}"#,
            #"insert public.users - {"id":1,"name":"a"}"#
        ),
        // Without an operation.
        (#"{"table":"users","old":{"id":1,"name":"a"}}"#, #"delete public.users {"id":1,"name":"a"} -"#),
        (
            #"{"table":"users","old":{"id":1,"name":"a","price":1},"new":{"id":1,"name":"a","price":2}}"#,
            #"update public.users {"id":1,"name":"a","price":1} {"id":1,"name":"a","price":2}"#
        ),
        (#"{"table":"users","new":{"id":1,"name":"a"}}"#, "any public.users"),
        // Any row.
        ("users", "any public.users"), (" public.users\n", "any public.users"), (#""users""#, "any public.users"),
        (#""public"."users""#, "any public.users"), (#""Crm"."Account""#, "any Crm.Account"),
        ("Crm.Account", "any Crm.Account"), (#""Crm.Account""#, "any Crm.Account"), ("Account", "any Crm.Account"),
        (#"{"table":"users"}"#, "any public.users"), (#"{"table":"users","op":"UPDATE"}"#, "any public.users"),
        (#"{"table":"users","op":"truncate"}"#, "any public.users"),
        (#"{"table":"users","op":"T","old":{"id":1,"name":"a"}}"#, "any public.users"),
        (#"{"table":"users","op":"delete","new":{"id":1,"name":"a"}}"#, "any public.users"),
        (#"{"table":"\"users\"","op":"insert"}"#, "any public.users"),
        // What is lacking would make a wrong key, or none.
        (#"{"table":"users","op":"i","new":{"id":1}}"#, "any public.users, lacks name"),
        (#"{"table":"users","op":"i","new":{}}"#, "any public.users, lacks id"),
        (
            #"{"table":"users","op":"u","old":{"id":1,"name":"a"},"new":{"id":1,"name":"b","price":1}}"#,
            "any public.users, lacks price"
        ),
        (#"{"table":"users","op":"u","new":{"id":1,"name":"b","price":1}}"#, "any public.users"),
        // Others'.
        ("orders", "ignored"), ("crm.users", "ignored"), ("Users", "ignored"), ("public.Account", "ignored"),
        (#"{"table":"orders","op":"nonsense"}"#, "ignored"), (#"{"table":"crm.account"}"#, "ignored"),
        // Nothing to be made of.
        ("", "unreadable"), ("{", "unreadable"), ("[1]", "unreadable"), ("{}", "unreadable"), ("a b", "unreadable"),
        (#"{"table":1}"#, "unreadable"), (#"{"table":"users","#, "unreadable"), ("a.b.c", "unreadable"),
        (#"{"table":"users","op":"merge"}"#, "unreadable, any public.users"),
        (#"{"table":"users","op":1}"#, "unreadable, any public.users"),
        (#"{"table":"users","op":"i","new":[1]}"#, "unreadable, any public.users"),
        (#"{"table":"users","op":"i","new":"x"}"#, "unreadable, any public.users"),
        (#"{"table":"users","op":"i","new":{"id"}}"#, "unreadable, any public.users"),
    ]) func payloads(payload: String, meaning: String) throws {
        #expect(heard(payload, by: try reader()) == meaning)
    }

    @Test func bytesThatAreNoText() throws {
        #expect(try reader().read([0xFF, 0xFE]) == [.unreadable(anyRowOf: nil)])
    }

    /// An update without its old row is a row only where keys are of the primary key, and no condition asks.
    @Test func updatesWithoutTheOldRow() throws {
        let update = #"{"table":"users","op":"u","new":{"id":1,"name":"b","price":1}}"#
        let row = #"updateWithoutOld public.users - {"id":1,"name":"b","price":1}"#
        func outcome(_ rule: String) throws -> String {
            heard(update, by: try reader("- {name: u, table: users, \(rule)}"))
        }
        #expect(try outcome("delete: {keys: ['u:{id}']}") == row)
        #expect(try outcome("columns: [price], delete: {keys: ['u:{id}']}") == row)
        #expect(try outcome("where: new.price > 1, delete: {keys: ['u:{id}']}") == row)
        #expect(try outcome("where: old.price > 1, delete: {keys: ['u:{id}']}") == "any public.users")
        #expect(try outcome("delete: {keys: ['u:{id}', 'n:{name}']}") == "any public.users")
        #expect(try outcome("'on': [delete], delete: {keys: ['u:{id}']}") == "ignored")
    }

    /// A `where` needs what it looks at, and all where it takes a row as a whole.
    @Test func columnsOfConditions() throws {
        let insert = #"{"table":"users","op":"i","new":{"id":1,"name":"a"}}"#
        func outcome(_ predicate: String) throws -> String {
            heard(
                insert, by: try reader("- {name: u, table: users, where: \"\(predicate)\", delete: {keys: ['u:{id}']}}")
            )
        }
        #expect(try outcome("new.name = 'price'").hasPrefix("insert"))
        #expect(try outcome("new.price > 1") == "any public.users, lacks price")
        #expect(try outcome("new is not null") == "any public.users, lacks price")
    }

    @Test func otherPaths() throws {
        let channel = ListenChannel(
            name: "c", table: try #require(JSONPath("$.meta.relation")), operation: try #require(JSONPath("$.kind")),
            old: try #require(JSONPath("$.before")), new: try #require(JSONPath("$")))
        let payload = #"{"meta":{"relation":"users"},"kind":"I","id":1,"name":"a"}"#
        #expect(heard(payload, by: try reader(channel: channel)) == "insert public.users - \(payload)")
    }

    /// A name without its schema may be each table's that has it: which, nobody can tell.
    @Test func aNameOfSeveralTables() throws {
        let reader = try reader(tables: [Self.users, TableName(schema: "crm", name: "users")])
        #expect(heard("users", by: reader) == "any crm.users; any public.users")
        #expect(heard("crm.users", by: reader) == "any crm.users")
        #expect(
            heard(#"{"table":"users","op":"i","new":{"id":1,"name":"a"}}"#, by: reader)
                == #"any crm.users; insert public.users - {"id":1,"name":"a"}"#)
    }

    /// Where the channel has but one table, nobody needs to say which.
    @Test func aChannelOfOneTable() throws {
        let reader = try reader(channel: ListenChannel(name: "c", tables: [Self.users]), tables: [Self.users])
        #expect(heard("", by: reader) == "any public.users")
        #expect(heard(#"{"op":"i","new":{"id":1,"name":"a"}}"#, by: reader).hasPrefix("insert public.users"))
        #expect(heard("{", by: reader) == "unreadable, any public.users")
        #expect(heard("orders", by: reader) == "ignored")
    }

    /// It waits for its capture as any row.
    @Test func aTableThatIsNotCapturedYet() throws {
        let insert = #"{"table":"users","op":"i","new":{"id":1,"name":"a"}}"#
        #expect(heard(insert, by: try reader(isCaptured: false)) == "any public.users")
    }

    /// Whatever comes has some meaning.
    @Test func randomPayloads() throws {
        var random = SeededGenerator()
        let reader = try reader()
        let words = [
            "\"table\"", "\"users\"", "\"op\"", "\"i\"", "\"new\"", "{", "}", ":", ",", "{\"id\":1,\"name\":2}", "null",
            "[", "]",
        ]
        for _ in 1...20_000 {
            let payload = (0..<Int.random(in: 0...14, using: &random))
                .compactMap { _ in words.randomElement(using: &random) }.joined()
            let meanings = reader.read(Array(payload.utf8))
            #expect(meanings.count == 1)
            if case .row(let row) = meanings.first {
                #expect(row.table == Self.users && (row.old ?? row.new)?.object != nil)
            }
        }
    }
}
