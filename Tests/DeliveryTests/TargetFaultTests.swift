import Redis
import Rules
import TestSupport
import Testing

@testable import Delivery

@Suite struct TargetFaultTests {
    private let key = Key("key")
    private let quick = TargetOptions(deadline: .milliseconds(200), checkInterval: .milliseconds(50))

    private func reason(_ target: Target) -> String? {
        if case .paused(_, let reason) = target.state { reason } else { nil }
    }

    /// Deletes a key while `trouble` is there, sees the target pause for that reason, and the key go when `relief`
    /// has come.
    private func expectPause(
        _ target: Target, because expected: String,
        trouble: () async throws -> Void, relief: () async throws -> Void
    ) async throws {
        try await trouble()
        let deletion = Task { try await target.delete([key]) }
        try await eventually("a pause because of \(expected)") { reason(target)?.contains(expected) == true }
        try await relief()
        #expect(try await deletion.value.isEmpty)
        try await eventually("recovery") { target.state == .connected }
    }

    private func delete(
        _ keys: Int, times: Int, by tasks: Int, _ target: Target, counting done: Counter
    ) async throws {
        try await withThrowingTaskGroup { group in
            for task in 0..<tasks {
                group.addTask {
                    for round in 0..<times {
                        let failures = try await target.delete(
                            (0..<keys).map { Key("\(task):\(round):\($0)") })
                        #expect(failures.isEmpty)
                        done.increment()
                    }
                }
            }
            try await group.waitForAll()
        }
    }

    @Test func killedAndRestartedUnderLoad() async throws {
        try await RedisServer.with { server in
            try await withTarget(server.url()) { (target, story) async throws in
                let done = Counter()
                let load = Task { try await delete(50, times: 200, by: 20, target, counting: done) }
                for kill in 1...5 {
                    try await eventually("progress") { done.value >= kill * 500 }
                    try await server.kill9()
                    try await server.start()
                }
                try await load.value
                #expect(done.value == 4000)
                // The load may be done before the last kill is noticed.
                try await eventually("recovery") { story.identities.count >= 6 }
                #expect(story.pauses == 5)
                let runs = story.identities.map(\.runID)
                #expect(
                    Set(runs).count == 6 && Set(runs).count == runs.count, "a new server after every kill")
            }
        }
    }

    @Test func tellsIdentityBeforeAnythingIsDeleted() async throws {
        try await RedisServer.with { server in
            let client = try await Client(server.url())
            try await client.set([key])
            let untouched = Counter()
            try await withTarget(server.url()) { _ in
                if (try? await client.existing([Key("key")]))?.isEmpty == false { untouched.increment() }
            } _: { (target, _) async throws in
                #expect(try await target.delete([key]).isEmpty)
                #expect(untouched.value == 1)
                #expect(try await client.existing([key]).isEmpty)
            }
        }
    }

    @Test func manyCallersShareOneAttempt() async throws {
        try await RedisServer.with { server in
            try await FaultProxy.with(to: server.port) { proxy in
                try await withTarget(proxy.url) { (target, story) async throws in
                    #expect(try await target.delete([key]).isEmpty)
                    proxy.fault = .refuse
                    proxy.cut()
                    let callers = (0..<500).map { number in
                        Task { try await target.delete([Key("\(number)")]) }
                    }
                    let before = proxy.accepted
                    try await eventually("five attempts") { proxy.accepted >= before + 5 }
                    proxy.fault = .none
                    for caller in callers { #expect(try await caller.value.isEmpty) }
                    #expect(proxy.accepted < 50, "not one connection a caller")
                    #expect(story.pauses == 1)
                }
            }
        }
    }

    @Test func stoppedServerIsLeftAndFoundAgain() async throws {
        try await RedisServer.with { server in
            try await withTarget(server.url(), options: quick) { (target, story) async throws in
                try await eventually("a connection") { target.state == .connected }
                try await expectPause(target, because: "no answer within 0.2 seconds") {
                    try server.pause()
                } relief: {
                    try server.resume()
                }
                try server.pause()
                try await eventually("a pause although there is nothing to delete") { reason(target) != nil }
                try server.resume()
                try await eventually("a connection") { target.state == .connected }
            }
        }
    }

    @Test func waitsForAReplicaToBeAMaster() async throws {
        try await RedisServer.with { server in
            try await withTarget(server.url()) { (target, story) async throws in
                try await eventually("a connection") { target.state == .connected }
                try await expectPause(target, because: "READONLY") {
                    try await server.cli("REPLICAOF", "127.0.0.1", "1")
                } relief: {
                    try await server.cli("REPLICAOF", "NO", "ONE")
                }
                #expect(story.pauses == 1, "however often it was tried")
                #expect(story.identities.last?.role == .master)
                #expect(
                    Set(story.identities.map(\.replicationID)).count == 2, "a new history since the promotion"
                )
            }
        }
    }

    @Test func noticesAChangeOfRoleWithoutDeleting() async throws {
        try await RedisServer.with { server in
            try await withTarget(server.url(), options: quick) { (target, story) async throws in
                try await eventually("a connection") { target.state == .connected }
                try await server.cli("REPLICAOF", "127.0.0.1", "1")
                try await eventually("the replica") { story.identities.last?.role == .replica }
            }
        }
    }

    @Test func waitsForLoading() async throws {
        // 10,000 commands take five seconds to load: the delay is in microseconds a command.
        try await RedisServer.with(["--appendonly", "yes", "--key-load-delay", "500"]) { server in
            let client = try await Client(server.url())
            _ = try await client.connection.pipeline(
                (0..<10_000).map { RedisCommand("SET", "\($0)", "") }, deadline: .seconds(30))
            try await withTarget(server.url()) { (target, story) async throws in
                try await eventually("a connection") { target.state == .connected }
                try await expectPause(target, because: "LOADING") {
                    try await server.kill9()
                    try await server.start()
                } relief: {
                    try await server.cli("CONFIG", "SET", "key-load-delay", "0")
                }
            }
        }
    }

    @Test func waitsForPermission() async throws {
        let user = ["--user", "app", "on", ">secret", "~*", "+@all", "-unlink"]
        try await RedisServer.with(user) { server in
            try await withTarget(server.url(login: "app:secret@")) { (target, story) async throws in
                try await eventually("a connection") { target.state == .connected }
                try await expectPause(target, because: "NOPERM") {
                } relief: {
                    try await server.cli("ACL", "SETUSER", "app", "+unlink")
                }
                try await expectPause(target, because: "WRONGPASS") {
                    try await server.cli("ACL", "SETUSER", "app", "resetpass", ">other")
                    try await server.cli("CLIENT", "KILL", "TYPE", "normal")
                } relief: {
                    try await server.cli("ACL", "SETUSER", "app", ">secret")
                }
            }
        }
    }

    @Test func fullMemoryDoesNotKeepFromDeleting() async throws {
        try await RedisServer.with { server in
            let client = try await Client(server.url())
            try await client.set([key])
            try await server.cli("CONFIG", "SET", "maxmemory", "1", "maxmemory-policy", "noeviction")
            guard case .error(let error) = try await client.send(RedisCommand("SET", "other", "1")) else {
                Issue.record("memory is not full")
                return
            }
            #expect(error.code == "OOM")
            try await withTarget(server.url()) { (target, story) async throws in
                #expect(try await target.delete([key]).isEmpty)
                #expect(story.pauses == 0)
            }
            #expect(try await client.existing([key]).isEmpty)
        }
    }

    @Test func lostRepliesAreAskedForAgain() async throws {
        try await RedisServer.with { server in
            try await FaultProxy.with(to: server.port) { proxy in
                try await withTarget(proxy.url, options: quick) { (target, story) async throws in
                    try await eventually("a connection") { target.state == .connected }
                    try await expectPause(target, because: "no answer") {
                        proxy.fault = .swallowReplies
                    } relief: {
                        proxy.fault = .none
                    }
                }
            }
        }
    }
}
