import Redis
import Rules
import TestSupport
import Testing

@testable import Delivery

@Suite struct ReplicaWaitTests {
    private let options = TargetOptions(waitReplicas: 1)

    /// Lends a master and a replica that is in step with it.
    private func withReplica(_ body: (RedisServer, RedisServer) async throws -> Void) async throws {
        try await RedisServer.with(["--repl-diskless-sync-delay", "0"]) { master in
            try await RedisServer.with(["--replicaof", "127.0.0.1 \(master.port)"]) { replica in
                try await eventually("a replica in step") {
                    try await replica.cli("info", "replication").contains("master_link_status:up")
                }
                try await body(master, replica)
            }
        }
    }

    @Test func deletesCountWhenReplicasHaveThem() async throws {
        try await withReplica { master, replica in
            try await master.cli("set", "a", "1")
            try await withTarget(master.url(), options: options) { (target, _) async throws in
                try await eventually("a connection") { target.state == .connected }
                try replica.pause()
                let done = Counter()
                async let failures = delete(target, counting: done)
                try await eventually("a wait for the replica") {
                    try await master.cli("info", "clients").contains("blocked_clients:1")
                }
                #expect(try await master.cli("exists", "a") == "0\n" && done.value == 0)
                try replica.resume()
                #expect(try await failures.isEmpty)
                #expect(try await replica.cli("exists", "a") == "0\n", "at once, and not some time later")
            }
        }
    }

    private func delete(_ target: Target, counting done: Counter) async throws -> [Failure] {
        defer { done.increment() }
        return try await target.delete([Key("a")])
    }

    /// The command that failed is tried alone then, and only what WAIT answers says something of replicas: the key is not
    /// there, so UNLINK answers 0.
    @Test(arguments: ["unlink", "wait"]) func aRightThatLacksIsWaitedFor(command: String) async throws {
        try await withReplica { master, _ in
            try await master.cli("ACL", "SETUSER", "app", "on", ">secret", "~*", "+@all", "-\(command)")
            try await withTarget(master.url(login: "app:secret@"), options: options) { (target, _) async throws in
                let done = Counter()
                async let failures = delete(target, counting: done)
                try await eventually("a pause") { if case .paused = target.state { true } else { false } }
                #expect(done.value == 0)
                try await master.cli("ACL", "SETUSER", "app", "+\(command)")
                try await eventually("the end") { done.value == 1 }
                #expect(try await failures.isEmpty)
            }
        }
    }

    @Test func nothingButANumberIsAnAcknowledgement() {
        let wait = ReplicaWait(2)
        #expect(wait.shortfall(.integer(2)) == nil && wait.shortfall(.integer(3)) == nil)
        #expect(wait.shortfall(.integer(1))?.hasPrefix("only 1 of 2 replicas") == true)
        #expect(wait.shortfall(.error(RedisErrorReply("NOPERM no"))) == "NOPERM no")
        #expect(wait.shortfall(.null) != nil && wait.shortfall(nil) != nil)
    }

    @Test func aReplicaThatHangsIsWaitedForAndNamed() async throws {
        try await withReplica { master, replica in
            try await withTarget(master.url(), options: options) { (target, story) async throws in
                try await eventually("a connection") { target.state == .connected }
                try replica.pause()
                try await master.cli("set", "a", "1")
                async let failures = target.delete([Key("a")])
                try await eventually("a pause with a reason") {
                    guard case .paused(_, let reason) = target.state else { return false }
                    return reason.contains("only 0 of 1 replicas have acknowledged")
                }
                try replica.resume()
                #expect(try await failures.isEmpty && target.state == .connected)
                #expect(story.pauses == 1)
            }
        }
    }
}
