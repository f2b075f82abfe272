import Rules
import Testing

@testable import Capture

/// What triggers can't see, without a database.
@Suite struct ObstacleTests {
    /// There are such columns since PostgreSQL 18.
    private var shape: TableShape {
        var shape = TableShape.example("items", oid: 100)
        shape.columns.append(
            TableShape.Column(
                name: "slug", type: "text", settings: [], hasBuiltinEquality: true, hasTextCast: false,
                hasExactEquality: true, isVirtual: true))
        return shape
    }

    private static let reason =
        "'slug' of 'public.items' is a virtual generated column, which triggers don't see: make it STORED, or use the "
        + "columns that it is made of"

    @Test(arguments: [
        "delete: {keys: ['i:{slug}']}", "columns: [slug], delete: {keys: ['i:{id}']}",
        "columns: [name], delete: {keys: ['i:{old.slug}']}", "where: new.slug <> '', delete: {keys: ['i:{id}']}",
        "lookup: 'select number from t where slug = :slug', delete: {keys: ['i:{number}']}",
        "rewarm: [{key: 'i:{id}', sql: 'select count(*) from t where slug = :slug', ttl: 1h}]",
    ])
    func virtualColumns(rule: String) throws {
        let rules = try RuleSet.items("- {name: r, table: items, \(rule)}").rules
        #expect(rules.flatMap { shape.obstacles(to: $0) }.map(\.message) == [Self.reason])
        #expect(shape.obstacles(to: Manifest(table: shape.name, rules: rules)) == [Self.reason])
    }

    @Test(arguments: [
        "columns: [name], delete: {keys: ['i:{id}']}", "where: new.name <> 'slug', delete: {keys: ['i:{id}']}",
        "where: old is distinct from new, delete: {keys: ['i:{id}']}",
        "lookup: 'select slug from t where id = :id', delete: {keys: ['i:{slug}']}",
    ])
    func otherColumns(rule: String) throws {
        let rules = try RuleSet.items("- {name: r, table: items, \(rule)}").rules
        #expect(rules.flatMap { shape.obstacles(to: $0) }.isEmpty)
        #expect(shape.obstacles(to: Manifest(table: shape.name, rules: rules)).isEmpty)
    }
}
