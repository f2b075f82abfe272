import Redis
import Synchronization
import TestSupport
import Testing

@Suite struct SentinelTests {
    private func message(_ url: String, timeout: Duration = .seconds(10)) async throws -> String? {
        let url = try RedisURL(url)
        let error = await #expect(throws: RedisError.self) {
            _ = try await RedisConnection.connect(to: url, options: .init(connectTimeout: timeout))
        }
        #expect(error?.doing == "connecting to \(url)")
        return error?.message
    }

    @Test func findsTheMaster() async throws {
        try await SentinelSite.with { site in
            let connection = try await RedisConnection.connect(to: RedisURL(site.url(parameters: "/3")))
            #expect(connection.url == (try site.servers[0].url(database: 3)))
            #expect(try await connection.send(RedisCommand("SET", "key", "1"), deadline: .seconds(5)).text == "OK")
            #expect(try await site.servers[0].cli("-n", "3", "GET", "key") == "1\n")
            // One that is gone and one that says nothing don't matter.
            try await site.sentinels[0].kill9()
            try site.sentinels[1].pause()
            let start = ContinuousClock.now
            _ = try await RedisConnection.connect(
                to: RedisURL(site.url()), options: .init(connectTimeout: .seconds(60)))
            #expect(ContinuousClock.now - start < .seconds(30))
            try site.sentinels[1].resume()
        }
    }

    @Test func nobodyKnowsIt() async throws {
        try await RedisServer.with { server in
            try await SentinelServer.with(master: server.port) { sentinel in
                let hosts = "127.0.0.1:\(sentinel.port)"
                #expect(
                    try await message("redis+sentinel://\(hosts)/other")
                        == "no Sentinel names the master: \(hosts): it knows no master 'other'")
                #expect(
                    try await message("redis+sentinel://127.0.0.1:\(server.port)/shop")
                        == "no Sentinel names the master: 127.0.0.1:\(server.port): it is no Sentinel")
                try sentinel.pause()
                #expect(
                    try await message("redis+sentinel://\(hosts)/shop", timeout: .milliseconds(300))
                        == "no Sentinel names the master: \(hosts): no answer within 0.3 seconds")
                try sentinel.resume()
                try await sentinel.kill9()
                let other = "127.0.0.1:\(server.port)"
                let reasons = ["\(hosts): connection refused", "\(other): it is no Sentinel"].sorted()
                #expect(
                    try await message("redis+sentinel://\(hosts),\(other)/shop")
                        == "no Sentinel names the master: " + reasons.joined(separator: "; "))
            }
        }
    }

    /// What Sentinels take for a master says of itself that it is none, or isn't there.
    @Test func namedIsNoMaster() async throws {
        try await RedisServer.with { master in
            try await RedisServer.with(["--replicaof", "127.0.0.1", "\(master.port)"]) { replica in
                try await SentinelServer.with(master: replica.port) { sentinel in
                    let url = "redis+sentinel://127.0.0.1:\(sentinel.port)/shop"
                    #expect(try await message(url) == "the master 127.0.0.1:\(replica.port): it is a replica")
                    try await replica.kill9()
                    #expect(try await message(url) == "the master 127.0.0.1:\(replica.port): connection refused")
                }
            }
        }
    }

    @Test func sentinelsWithAPassword() async throws {
        try await RedisServer.with(["--requirepass", "s3cret"]) { server in
            let lines = ["requirepass other", "sentinel auth-pass shop s3cret"]
            try await SentinelServer.with(master: server.port, lines: lines) { sentinel in
                let url = "redis+sentinel://:s3cret@127.0.0.1:\(sentinel.port)/shop"
                _ = try await RedisConnection.connect(to: RedisURL(url + "?sentinel_password=other"))
                let place = "no Sentinel names the master: 127.0.0.1:\(sentinel.port):"
                #expect(try await message(url) == "\(place) NOAUTH Authentication required.")
                #expect(
                    try await message(url + "?sentinel_password=wrong")
                        == "\(place) WRONGPASS invalid username-password pair or user is disabled.")
                #expect(
                    try await message(url + "?sentinel_password_file=/nowhere")
                        == "\(place) the password file /nowhere can't be read: no such file or directory")
            }
        }
    }

    /// By TLS, Sentinels and servers alike.
    @Test func byTLS() async throws {
        let authority = try await TestAuthority()
        let certificate = try await authority.certificate()
        let port = try TLSPort(certificate)
        try await RedisServer.with(port.arguments) { server in
            let sentinelPort = try TLSPort(certificate)
            let lines = sentinelPort.lines + ["tls-replication yes"]
            try await SentinelServer.with(master: port.number, lines: lines) { _ in
                let url = "rediss+sentinel://localhost:\(sentinelPort.number)/shop?ca=\(authority.file)"
                let connection = try await RedisConnection.connect(to: RedisURL(url))
                #expect(connection.url.deployment == .standalone(.tcp(host: "127.0.0.1", port: port.number)))
                #expect(try await connection.send(RedisCommand("PING"), deadline: .seconds(5)).text == "PONG")
            }
        }
    }

    /// One that was cut off from the others answers at once, and those take long: what it names was the master once.
    @Test func theNewestCountsHoweverSlow() async throws {
        try await RedisServer.with { old in
            try await RedisServer.with { new in
                try await SentinelServer.with(master: old.port) { fast in
                    let epoch = ["sentinel config-epoch \(SentinelSite.name) 5"]
                    try await SentinelServer.with(master: new.port, lines: epoch) { slow in
                        try await FaultProxy.with(to: slow.port) { one in
                            try await FaultProxy.with(to: slow.port) { two in
                                for proxy in [one, two] { proxy.fault = .delay(.milliseconds(200)) }
                                func url(_ ports: Int...) -> String {
                                    let hosts = ports.map { "127.0.0.1:\($0)" }.joined(separator: ",")
                                    return "redis+sentinel://\(hosts)/\(SentinelSite.name)"
                                }
                                let all = url(fast.port, one.port, two.port)
                                let connection = try await RedisConnection.connect(to: RedisURL(all))
                                #expect(connection.url == (try new.url()))
                                // With one of each nobody is in the majority; it is told as soon as it answers.
                                let both = try RedisURL(url(fast.port, one.port))
                                let stale = try await RedisConnection.connect(to: both)
                                #expect(stale.url == (try old.url()))
                                let watch = try #require(SentinelWatch(both, interval: .seconds(60)))
                                let watching = Watching(watch, stale)
                                try await eventually("the news") { watching.hasHeard }
                                // What is gone is waited for, and nothing older put in its place.
                                try await new.kill9()
                                let fault = "the master 127.0.0.1:\(new.port): connection refused"
                                #expect(try await message(all) == fault)
                            }
                        }
                    }
                }
            }
        }
    }

    @Test func hearsOfASwitch() async throws {
        try await SentinelSite.with { site in
            let url = try RedisURL(site.url())
            let connection = try await RedisConnection.connect(to: url)
            let watch = try #require(SentinelWatch(url, interval: .milliseconds(200)))
            let early = Watching(watch, connection)
            // One of them is lost and comes back; none of that is a switch.
            try await site.sentinels[2].kill9()
            try await site.sentinels[2].start()
            try await eventually("a failover") {
                try await site.sentinels[0].cli("sentinel", "failover", SentinelSite.name) == "OK\n"
            }
            try await eventually(within: .seconds(60), "the news") { early.hasHeard }
            try await site.wait(forMaster: site.servers[1])
            let next = try await RedisConnection.connect(to: url)
            #expect(next.url == (try site.servers[1].url()))
            // It has happened before anybody listens.
            let late = Watching(watch, connection)
            try await eventually("what has happened") { late.hasHeard }
            let idle = Watching(watch, next)
            idle.cancel()
            try await eventually("its end") { idle.hasHeard }
            let plain = SentinelWatch(try site.servers[0].url(), interval: .seconds(1))
            #expect(plain == nil)
        }
    }
}

/// Somebody who waits for a switch.
private final class Watching: Sendable {
    private let isOver = Mutex(false)
    private let task = Mutex<Task<Void, Never>?>(nil)

    init(_ watch: SentinelWatch, _ connection: RedisConnection) {
        let task = Task {
            await watch.switched(from: connection)
            isOver.withLock { $0 = true }
        }
        self.task.withLock { $0 = task }
    }

    var hasHeard: Bool { isOver.withLock { $0 } }

    func cancel() { task.withLock { $0 }?.cancel() }
}
