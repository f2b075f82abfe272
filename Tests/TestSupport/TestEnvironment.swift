import FoundationEssentials
import Redis

/// What `Tests/with-servers` started for all tests.
public enum TestEnvironment {
    /// The shared Postgres, as a superuser: `postgres://postgres@127.0.0.1:PORT/postgres`.
    public static var databaseURL: String { get throws { try variable("UNSTALE_TEST_DATABASE_URL") } }

    /// The shared Postgres' port on 127.0.0.1.
    public static var databasePort: Int {
        get throws {
            let words = try databaseURL.split { ":/".contains($0) }
            guard let port = words.dropLast().last.flatMap({ Int($0) }) else { throw TestError("no port in \(words)") }
            return port
        }
    }

    /// The shared Redis. Each test has a key prefix of its own; a test that scans or flushes has a ``RedisServer``.
    public static var redisURL: RedisURL { get throws { try RedisURL(variable("UNSTALE_TEST_REDIS_URL")) } }

    /// A folder that is removed after the tests.
    public static var directory: String { get throws { try variable("UNSTALE_TEST_DIR") } }

    /// The `unstale` that `Tests/run` has built as it is shipped; nil where nobody did.
    public static var program: String? { ProcessInfo.processInfo.environment["UNSTALE_TEST_PROGRAM"] }

    private static func variable(_ name: String) throws -> String {
        guard let value = ProcessInfo.processInfo.environment[name] else {
            throw TestError("\(name) is not set: run `Tests/with-servers swift test`")
        }
        return value
    }
}
