import FoundationEssentials
import Glibc
import TestSupport
import Testing

/// How a command ended.
struct Outcome {
    var code: Int32
    /// stdout.
    var output: String
    /// The lines of stderr.
    var errors: [String]

    /// The lines of stdout.
    var lines: [String] { output.split(separator: "\n").map(String.init) }
}

/// Runs `unstale` to its end.
func unstale(
    _ arguments: String..., environment: [String: String] = [:], in directory: String = "/"
) async throws -> Outcome {
    let program = try Program(arguments, environment: environment, in: directory)
    let code = try await program.end()
    return Outcome(code: code, output: program.output, errors: program.lines)
}

/// Lends an empty folder.
func withFolder<Result>(
    isolation: isolated (any Actor)? = #isolation, _ body: (String) async throws -> Result
) async throws -> Result {
    let path = try TestEnvironment.directory + "/folder-" + String(UInt64.random(in: 0 ... .max), radix: 36)
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    let result = try await body(path)
    try FileManager.default.removeItem(atPath: path)
    return result
}

/// Lends a folder with rules in it, and the environment that names them.
func withRules<Result>(
    _ text: String = Shop.rules, isolation: isolated (any Actor)? = #isolation,
    _ body: (_ folder: String, _ environment: [String: String]) async throws -> Result
) async throws -> Result {
    try await withFolder { folder in
        try write(text, to: folder + "/rules.yaml")
        return try await body(folder, ["UNSTALE_RULES": folder + "/rules.yaml"])
    }
}

/// Writes a file.
func write(_ text: String, to path: String) throws {
    try text.write(toFile: path, atomically: false, encoding: .utf8)
}

/// A database of a small shop with its rules beside it.
struct Shop {
    let folder: String
    let database: TestDatabase
    var redis: String?

    static let schema = """
        CREATE TABLE users (id int PRIMARY KEY, name text, email text);
        CREATE TABLE orders (id int PRIMARY KEY, number text, customer int);
        CREATE TABLE lines (id int PRIMARY KEY, order_id int);
        INSERT INTO users SELECT n, 'name ' || n, 'E' || n || '@x.org' FROM generate_series(1, 10) AS n;
        INSERT INTO orders VALUES (1, 'A-1', 1), (2, 'A-2', 2);
        INSERT INTO lines VALUES (1, 1), (2, 2);
        """

    static let rules = """
        version: 1
        rules:
          - name: user
            table: users
            columns: [name, email]
            where: old.name is distinct from 'nobody'
            delete:
              keys: ["user:{id}", "by-email:{email|lower}"]
              patterns: ["users:{id}:*"]
          - name: line
            table: lines
            lookup: select o.number from orders o where o.id = :order_id
            delete: {keys: ["order:{number}"]}
        tests:
          - name: a new name
            table: users
            update:
              old: {id: 1, name: a, email: A}
              new: {id: 1, name: b, email: A}
            expect:
              keys: ["user:1", "by-email:a"]
              patterns: ["users:1:*"]
        """

    /// Lends one; its capture is not installed.
    static func with<Result>(
        isolation: isolated (any Actor)? = #isolation, _ body: (Shop) async throws -> Result
    ) async throws -> Result {
        try await withFolder { folder in
            try await TestDatabase.with { database in
                let shop = Shop(folder: folder, database: database)
                try write(rules, to: shop.rules)
                try await database.psql(schema)
                return try await body(shop)
            }
        }
    }

    var rules: String { folder + "/rules.yaml" }

    var environment: [String: String] {
        let all = ["UNSTALE_DATABASE_URL": database.url, "UNSTALE_RULES": rules, "UNSTALE_REDIS_URL": redis]
        return all.compactMapValues { $0 }
    }

    /// Starts a worker.
    func startWorker(_ arguments: [String] = []) throws -> Program {
        try Program(["run"] + arguments, environment: environment)
    }

    /// Runs a command on it.
    func unstale(_ arguments: String..., environment: [String: String] = [:]) async throws -> Outcome {
        try await run(arguments, environment: environment)
    }

    /// The same, of words.
    func run(_ arguments: [String], environment: [String: String] = [:]) async throws -> Outcome {
        let program = try Program(arguments, environment: self.environment.merging(environment) { $1 })
        let code = try await program.end()
        return Outcome(code: code, output: program.output, errors: program.lines)
    }

    /// Runs a command that has to end well, and gives its stdout.
    @discardableResult
    func succeed(
        _ arguments: String..., environment: [String: String] = [:],
        sourceLocation: SourceLocation = #_sourceLocation
    ) async throws -> String {
        let program = try Program(arguments, environment: self.environment.merging(environment) { $1 })
        let code = try await program.end()
        #expect(code == 0, "\(program.lines)", sourceLocation: sourceLocation)
        #expect(program.lines == [], sourceLocation: sourceLocation)
        return program.output
    }
}
