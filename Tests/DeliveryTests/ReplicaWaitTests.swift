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
            try await withTarget(master.url(), options: options) { (target, story) async throws in
                #expect(try await target.delete([Key("a")]).isEmpty)
                #expect(try await replica.cli("exists", "a") == "0\n", "at once, and not some time later")
                #expect(story.pauses == 0)
            }
        }
    }

    @Test func aReplicaThatHangsIsWaitedForAndNamed() async throws {
        try await withReplica { master, replica in
            try await withTarget(master.url(), options: options) { (target, story) async throws in
                try await eventually("a connection") { target.state == .connected }
                try replica.pause()
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
