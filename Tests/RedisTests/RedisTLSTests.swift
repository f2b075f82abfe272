import FoundationEssentials
import Redis
import TestSupport
import Testing

@Suite struct RedisTLSTests {
    private let ping = RedisCommand("PING")
    /// For a machine that has much to do.
    private let patient = RedisConnectionOptions(connectTimeout: .seconds(60))

    /// What connecting to the port of this host comes to.
    private func fault(
        _ port: Int, host: String = "127.0.0.1", _ parameters: String, within timeout: Duration = .seconds(60)
    ) async -> String? {
        let error = await #expect(throws: RedisError.self) {
            _ = try await RedisConnection.connect(
                to: RedisURL("rediss://\(host):\(port)\(parameters)"), options: .init(connectTimeout: timeout))
        }
        return error?.message
    }

    @Test func trustedServer() async throws {
        let authority = try await TestAuthority()
        let port = try await TLSPort(authority.certificate())
        try await RedisServer.with(port.arguments + ["--requirepass", "s3cret"]) { _ in
            for host in ["127.0.0.1", "localhost"] {
                let url = try RedisURL("rediss://:s3cret@\(host):\(port.number)?ca=\(authority.file)")
                let connection = try await RedisConnection.connect(to: url, options: patient)
                #expect(try await connection.send(ping, deadline: .seconds(5)).text == "PONG")
                let replies = try await connection.pipeline(
                    (0..<10_000).map { RedisCommand("ECHO", "\($0)") }, deadline: .seconds(30))
                #expect(replies.enumerated().allSatisfy { $1.text == "\($0)" })
                connection.close()
                await connection.closed()
            }
        }
    }

    @Test func clientCertificate() async throws {
        let (authority, other) = (try await TestAuthority(), try await TestAuthority())
        let port = try await TLSPort(authority.certificate(), clients: authority)
        let own = try await authority.certificate(for: ["DNS:unstale"])
        let foreign = try await other.certificate(for: ["DNS:unstale"])
        try await RedisServer.with(port.arguments) { _ in
            func parameters(_ certificate: TestAuthority.Certificate) -> String {
                "?ca=\(authority.file)&cert=\(certificate.file)&key=\(certificate.keyFile)"
            }
            let url = try RedisURL("rediss://localhost:\(port.number)\(parameters(own))")
            let connection = try await RedisConnection.connect(to: url, options: patient)
            #expect(try await connection.send(ping, deadline: .seconds(5)).text == "PONG")
            // How the server says it, or just hangs up, is its affair.
            let none = try #require(await fault(port.number, "?ca=\(authority.file)"))
            #expect(none.hasSuffix("a certificate of ours: see the parameters cert and key"), "\(none)")
            let refused = try #require(await fault(port.number, parameters(foreign)))
            #expect(refused.contains("the server doesn't accept our certificate"), "\(refused)")
            let mixed = "?ca=\(authority.file)&cert=\(own.file)&key=\(foreign.keyFile)"
            #expect(await fault(port.number, mixed)?.hasSuffix("do they belong together?") == true)
        }
    }

    /// What is wrong with a server's certificate is found out without showing ours.
    @Test func nothingIsShownToWhoeverIsNotTrusted() async throws {
        let (authority, other) = (try await TestAuthority(), try await TestAuthority())
        let own = try await authority.certificate(for: ["DNS:unstale"])
        let port = try TLSPort(try await other.certificate(), clients: authority)
        try await RedisServer.with(port.arguments) { server in
            let parameters = "?ca=\(authority.file)&cert=\(own.file)&key=\(own.keyFile)"
            try await server.cli("CONFIG", "RESETSTAT")
            #expect(
                await fault(port.number, parameters)
                    == "no CA in \(authority.file) has signed the server's certificate")
            #expect(try await server.cli("info", "commandstats").contains("cmdstat_ping") == false)
        }
    }

    @Test func certificateThatIsNotAccepted() async throws {
        let (authority, other) = (try await TestAuthority(), try await TestAuthority())
        let trust = "?ca=\(authority.file)"
        let port = try await TLSPort(authority.certificate())
        try await RedisServer.with(port.arguments) { server in
            #expect(
                await fault(port.number, "?ca=\(other.file)")
                    == "no CA in \(other.file) has signed the server's certificate")
            #expect(await fault(port.number, "") == "no CA in the system's list has signed the server's certificate")
            try await server.show(authority.certificate(hasExpired: true))
            #expect(await fault(port.number, trust) == "the server's certificate expired on 2020-02-01T00:00:00Z")
            try await server.show(authority.certificate(for: ["DNS:cache.example", "IP:10.0.0.1", "IP:::1"]))
            let names = "the server's certificate is for cache.example, 10.0.0.1, ::1, and not for"
            #expect(await fault(port.number, trust) == "\(names) 127.0.0.1")
            #expect(await fault(port.number, host: "localhost", trust) == "\(names) localhost")
            let insecure = try RedisURL("rediss://localhost:\(port.number)?tls=insecure")
            let blind = try await RedisConnection.connect(to: insecure, options: patient)
            #expect(try await blind.send(ping, deadline: .seconds(5)).text == "PONG")
            try await server.show(authority.certificate())
            let trusting = try RedisURL("rediss://localhost:\(port.number)\(trust)")
            _ = try await RedisConnection.connect(to: trusting, options: patient)
        }
    }

    /// A server of several names shows the certificate of the one that is asked for.
    @Test func theNameIsAskedFor() async throws {
        let authority = try await TestAuthority()
        let (named, other) = (try await authority.certificate(), try await authority.certificate(for: ["DNS:other"]))
        let port = try TLSPort(other).number
        let arguments = [
            "s_server", "-www", "-accept", "127.0.0.1:\(port)", "-cert", other.file, "-key", other.keyFile,
            "-servername", "localhost", "-cert2", named.file, "-key2", named.keyFile,
        ]
        // It ends when this does.
        async let _ = command("openssl", arguments)
        let trust = "?ca=\(authority.file)"
        try await eventually("the other certificate, where no name can be given") {
            await fault(port, trust, within: .seconds(2))
                == "the server's certificate is for other, and not for 127.0.0.1"
        }
        let words = try #require(await fault(port, host: "localhost", trust, within: .seconds(2)))
        #expect(!words.contains("certificate"), "it is no Redis, but its certificate is right: \(words)")
    }

    @Test func oneSideWithoutTLS() async throws {
        let port = try await TLSPort(TestAuthority().certificate())
        try await RedisServer.with(port.arguments) { server in
            let plain = await #expect(throws: RedisError.self) {
                _ = try await RedisConnection.connect(to: RedisURL("redis://127.0.0.1:\(port.number)"))
            }
            let guess = "perhaps the server requires TLS, which is rediss://"
            #expect(plain?.message.hasSuffix(guess) == true, "\(plain?.message ?? "")")
            let start = ContinuousClock.now
            let error = await #expect(throws: RedisError.self) {
                _ = try await RedisConnection.connect(
                    to: RedisURL("rediss://127.0.0.1:\(server.port)"), options: .init(connectTimeout: .seconds(1)))
            }
            let words = ["speaks no TLS", "no TLS handshake within 1.0 seconds: perhaps there is no TLS on this port"]
            #expect(words.contains { error?.message.hasSuffix($0) == true }, "\(error?.message ?? "")")
            #expect(ContinuousClock.now - start < .seconds(5))
        }
    }

    @Test func filesAreReadAtEveryConnect() async throws {
        let authority = try await TestAuthority()
        let port = try await TLSPort(authority.certificate())
        let file = try TestEnvironment.directory + "/ca-\(port.number).pem"
        try await RedisServer.with(port.arguments) { _ in
            #expect(
                await fault(port.number, "?ca=\(file)")
                    == "the CA file \(file) can't be read: no such file or directory")
            try "nonsense".write(toFile: file, atomically: true, encoding: .utf8)
            #expect(await fault(port.number, "?ca=\(file)") == "the CA file \(file) holds no certificate in PEM")
            try FileManager.default.removeItem(atPath: file)
            try FileManager.default.copyItem(atPath: authority.file, toPath: file)
            let trusting = try RedisURL("rediss://localhost:\(port.number)?ca=\(file)")
            _ = try await RedisConnection.connect(to: trusting, options: patient)
            let own = try await authority.certificate()
            #expect(
                await fault(port.number, "?ca=\(file)&cert=\(own.file)&key=\(file)")
                    == "the key file \(file) holds no key in PEM without a passphrase")
        }
    }
}
