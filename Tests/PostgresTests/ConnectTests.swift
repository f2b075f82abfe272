import FoundationEssentials
import Glibc
import TestSupport
import Testing

@testable import Postgres

@Suite struct ConnectTests {
    private func failureToConnect(
        _ connection: some StringProtocol, timeout: Duration = .seconds(5)
    ) async throws -> PostgresError {
        let settings = PostgresSettings(connection: String(connection), connectTimeout: timeout)
        let error = try await failure { _ = try await PostgresConnection.connect(settings) }
        #expect(isOneLine(error), "\(error)")
        #expect(error.isServerTrouble)
        return error
    }

    @Test func toNothing() async throws {
        let listener = Listener()
        let port = listener.port
        listener.close()
        let error = try await failureToConnect("postgres://user:s3cret@127.0.0.1:\(port)/db")
        #expect(error.code == .connect && !error.description.contains("s3cret"))
        #expect(error.message.contains("Connection refused"), "\(error)")
        let socket = try await failureToConnect("host=/nowhere user=u password=s3cret")
        #expect(socket.code == .connect && !socket.description.contains("s3cret"))
    }

    @Test func toNoSuchDatabaseOrUser() async throws {
        let url = try TestEnvironment.databaseURL
        let error = try await failureToConnect(url.dropLast("postgres".count) + "nowhere")
        #expect(
            error.code == .connect && error.message.contains("database \"nowhere\" does not exist"),
            "\(error)")
        let user = try await failureToConnect(url.replacing("postgres@", with: "nobody:s3cret@"))
        #expect(user.message.contains("role \"nobody\" does not exist"), "\(user)")
        #expect(!user.description.contains("s3cret"))
    }

    /// A wrong password, a right one, and one whose URL is not right: nobody reads it in an error.
    @Test func withPasswords() async throws {
        let file = try TestEnvironment.directory + "/hba-\(UUID().uuidString)"
        try """
        host all postgres 127.0.0.1/32 trust
        host all all 127.0.0.1/32 scram-sha-256
        """.write(toFile: file, atomically: true, encoding: .utf8)
        chmod(file, 0o644)
        try await PostgresServer.with(settings: ["hba_file=\(file)"]) { server in
            let admin = try await PostgresConnection.connect(PostgresSettings(connection: server.url()))
            try await admin.script("CREATE ROLE ann LOGIN PASSWORD 's3cret'", doing: "test")
            let address = "127.0.0.1:\(server.port)/postgres"
            let ann = try await PostgresConnection.connect(
                PostgresSettings(connection: "postgres://ann:s3cret@\(address)"))
            #expect(try await ann.value("SELECT current_user") == "ann")
            let wrong = try await failureToConnect("postgres://ann:wr0ng@\(address)")
            #expect(wrong.message.contains("password authentication failed for user \"ann\""), "\(wrong)")
            #expect(!wrong.description.contains("wr0ng"))
            let none = try await failureToConnect("postgres://ann@\(address)")
            #expect(none.message.contains("no password supplied"), "\(none)")
        }
    }

    @Test(arguments: [
        "postgres://ann:s3cret%zz@127.0.0.1/db", "postgres://ann:s3cret@[127.0.0.1/db",
        "postgres://ann:s3cret@127.0.0.1:99999999/db", "postgresql://ann:s3cret@127.0.0.1:port/db",
        "postgres://ann:s3/cret@127.0.0.1/db", "postgres://ann:s3@cret@127.0.0.1/db",
        "postgres://ann:s3?cret@127.0.0.1/db", "postgres://ann:s3#cret@127.0.0.1/db",
        "postgres://ann:1/s3cret@127.0.0.1/db", "postgres://ann:s3cret@127.0.0.1/db?no_such=s3cret",
        "host=127.0.0.1 password=s3 cret", "host=127.0.0.1 password='s3cret",
        "password=s3cret no_such=s3cret",
        "host=127.0.0.1 port=s3cret", "mysql://ann:s3cret@127.0.0.1/db", "ann:s3cret@127.0.0.1/db",
    ])
    func aStringThatIsNone(connection: String) async throws {
        let error = try await failureToConnect(connection)
        #expect(error.code == .connect, "\(error)")
        #expect(!error.description.contains("s3") && !error.description.contains("cret"), "\(error)")
    }

    @Test(arguments: [
        "", "db", "dbname=a@b", "postgres:///db?user=a@b", "postgres://a%40b:p%2Fw@h:1,i:2/d?host=/x",
    ])
    func aStringThatIsOne(connection: String) { #expect(ConnectionString.mistake(in: connection) == nil) }

    @Test func toSomethingThatNeverAnswers() async throws {
        let listener = Listener()
        defer { listener.close() }
        let start = ContinuousClock.now
        let error = try await failureToConnect(
            "postgres://ann:s3cret@127.0.0.1:\(listener.port)/db", timeout: .milliseconds(300))
        #expect(error.code == .timeout && ContinuousClock.now - start < .seconds(2), "\(error)")
    }

    /// The kernel drops what would not fit into the listener's queue: as if the host were gone.
    @Test func toSomethingThatNeverAccepts() async throws {
        let listener = Listener()
        defer { listener.close() }
        let crowd = listener.crowd()
        defer { for descriptor in crowd { Glibc.close(descriptor) } }
        let start = ContinuousClock.now
        let error = try await failureToConnect(
            "postgres://ann:s3cret@127.0.0.1:\(listener.port)/db", timeout: .milliseconds(300))
        #expect(error.code == .timeout && ContinuousClock.now - start < .seconds(2), "\(error)")
    }

    /// Of several hosts one may be gone: each has its time.
    @Test func pastAHostThatIsGone() async throws {
        let (first, second) = (Listener(), Listener())
        defer { for listener in [first, second] { listener.close() } }
        let ports = "\(first.port),\(second.port),\(try TestEnvironment.databasePort)"
        let connection = try await PostgresConnection.connect(
            PostgresSettings(
                connection: "host=127.0.0.1,localhost,127.0.0.1 port=\(ports) user=postgres dbname=postgres",
                connectTimeout: .milliseconds(500)))
        #expect(try await connection.query("SELECT 1", doing: "testing").first?.int(0) == 1)
    }

    @Test func cancelledWhileConnecting() async throws {
        let listener = Listener()
        defer { listener.close() }
        let settings = PostgresSettings(
            connection: "postgres://127.0.0.1:\(listener.port)/db", connectTimeout: .seconds(60))
        let connecting = Task { _ = try await PostgresConnection.connect(settings) }
        try await Task.sleep(for: .milliseconds(50))
        let start = ContinuousClock.now
        connecting.cancel()
        let error = try await failure { try await connecting.value }
        #expect(ContinuousClock.now - start < .seconds(5) && isOneLine(error), "\(error)")
    }

    @Test func theSessionIsOurs() async throws {
        try await TestDatabase.with { database in
            try await database.psql(
                """
                ALTER DATABASE \(database.name) SET statement_timeout = 1;
                ALTER DATABASE \(database.name) SET default_transaction_isolation = 'serializable';
                ALTER DATABASE \(database.name) SET synchronous_commit = off;
                ALTER DATABASE \(database.name) SET client_encoding = 'LATIN1';
                ALTER DATABASE \(database.name) SET idle_session_timeout = '1min';
                ALTER DATABASE \(database.name) SET idle_in_transaction_session_timeout = '1min';
                DO $$ BEGIN
                    IF current_setting('transaction_timeout', true) IS NOT NULL THEN
                        ALTER DATABASE \(database.name) SET transaction_timeout = '1min';
                    END IF;
                END $$;
                """)
            let connection = try await PostgresConnection.connect(PostgresSettings(connection: database.url))
            for (setting, value) in [
                ("statement_timeout", "0"), ("transaction_isolation", "read committed"),
                ("synchronous_commit", "on"), ("idle_session_timeout", "0"),
                ("idle_in_transaction_session_timeout", "0"),
                ("client_encoding", "UTF8"), ("application_name", "unstale"),
            ] {
                #expect(try await connection.value("SELECT current_setting('\(setting)')") == value)
            }
            let since17 = try await connection.value("SELECT current_setting('transaction_timeout', true)")
            #expect(since17 == nil || since17 == "0")
        }
    }
}

/// A TCP listener that accepts nobody.
private struct Listener {
    let descriptor: Int32
    let port: Int

    init() {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = Self.address(port: 0)
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                _ = bind(descriptor, address, length)
                listen(descriptor, 0)
                getsockname(descriptor, address, &length)
            }
        }
        self.descriptor = descriptor
        port = Int(UInt16(bigEndian: address.sin_port))
    }

    /// Fills the queue of connections that are to be accepted.
    func crowd() -> [Int32] {
        (0..<8).map { _ in
            let client = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue), 0)
            var address = Self.address(port: port)
            _ = withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    connect(client, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
            return client
        }
    }

    func close() { Glibc.close(descriptor) }

    private static func address(port: Int) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = UInt16(port).bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return address
    }
}
