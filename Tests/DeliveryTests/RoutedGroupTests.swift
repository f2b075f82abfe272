import Rules
import TestSupport
import Testing

@testable import Delivery
@testable import Redis

@Suite struct RoutedGroupTests {
    private let group = CommandGroup(
        key: Key("{k}"),
        commands: [
            RedisCommand("SET", "fence{k}1", "t"), RedisCommand("SET", "fence{k}2", "t"),
            RedisCommand("UNLINK", "{k}1"),
        ])

    @Test func everyCommandIsExecutedInOrderWhateverMoves() {
        var random = SeededGenerator()
        for _ in 0..<5000 {
            var cluster = ModelCluster(["{k}1", "fence{k}2"].map { Array($0.utf8) })
            var map = cluster.map(.random(in: 0..<3, using: &random))
            var routed = RoutedGroup(group, isCluster: true)
            var attempts = 0
            while true {
                guard let step = routed.step(map) else {
                    if case .done(let replies) = routed.outcome, !replies.contains(where: { $0.trouble != nil }) {
                        break
                    }
                    attempts += 1
                    routed = RoutedGroup(group, isCluster: true)
                    continue
                }
                let answers = cluster.answer(step, using: &random)
                if case .moved(let slot, let address)? = routed.take(answers, from: step.address) {
                    map = cluster.map(cluster.servers.firstIndex(of: address)!)
                    map.move(slot, to: address)
                }
            }
            #expect(attempts < 100 && !cluster.hasDoubles)
            #expect(cluster.keys.allSatisfy { !$0.contains(Array("{k}1".utf8)) }, "it is deleted wherever it went")
            // The last execution of each comes after the last of the one before.
            let last = group.commands.map { command in
                cluster.executed.lastIndex { $0.words == command.words }
            }
            #expect(last.allSatisfy { $0 != nil } && last[0]! < last[2]! && last[1]! < last[2]!)
        }
    }

    @Test func doesNotRunInCircles() {
        let servers = (0..<2).map { RedisURL.Address.tcp(host: "server", port: 7000 + $0) }
        var routed = RoutedGroup(group, isCluster: true)
        let map = ModelCluster([]).map(0)
        var steps = 0
        while let step = routed.step(map) {
            let other = step.address == servers[0] ? 7001 : 7000
            let reply = RedisReply.error(RedisErrorReply("ASK 0 server:\(other)"))
            _ = routed.take(step.commands.map { $0.name == "ASKING" ? .simpleString("OK") : reply }, from: step.address)
            steps += 1
        }
        let last = RedisReply.error(RedisErrorReply("ASK 0 server:7001, says server:7000"))
        #expect(routed.outcome == .done([last]) && routed.doubtsMap && steps == RoutedGroup.hopLimit + 1)
    }

    /// What stands before a redirected command may be done again each time, which is no progress.
    @Test func doesNotRunInCirclesWhereSomeIsDone() {
        var routed = RoutedGroup(group, isCluster: true)
        let map = ModelCluster([]).map(0)
        var steps = 0
        while steps < 100, let step = routed.step(map) {
            // Its keys are on their way to a server that doesn't know of it.
            let isAsked = step.commands[0].name == "ASKING"
            let word = isAsked ? "MOVED 0 server:7000" : "ASK 0 server:7001"
            let answers = step.commands.map { command in
                command.name == "UNLINK" ? RedisReply.error(RedisErrorReply(word)) : .simpleString("OK")
            }
            _ = routed.take(answers, from: step.address)
            steps += 1
        }
        #expect(routed.doubtsMap && steps == RoutedGroup.hopLimit + 1)
    }

    @Test func endsWithTheFirstTroubleOfAServer() {
        var routed = RoutedGroup(group, isCluster: true)
        _ = routed.step(ModelCluster([]).map(0))
        let loading = RedisReply.error(RedisErrorReply("LOADING wait"))
        let address = RedisURL.Address.tcp(host: "server", port: 7000)
        #expect(routed.take([.simpleString("OK"), loading, .integer(1)], from: address) == nil)
        #expect(routed.outcome == .done([.simpleString("OK"), loading]))
        var lost = RoutedGroup(group, isCluster: true)
        #expect(lost.take(nil, from: address) == nil)
        #expect(lost.outcome == .failed)
    }

    @Test func aServerAloneIsNotLeftForAnother() {
        var routed = RoutedGroup(group, isCluster: false)
        let address = RedisURL.Address.tcp(host: "server", port: 7000)
        #expect(routed.step(SlotMap(only: address))?.commands.count == 3)
        let moved = RedisReply.error(RedisErrorReply("MOVED 0 server:7001"))
        #expect(routed.take([moved, moved, moved], from: address) == nil)
        #expect(routed.outcome == .done([moved]))
    }

    @Test func nobodyHasTheSlot() {
        var routed = RoutedGroup(group, isCluster: true)
        let empty = SlotMap(.array([]), askedAt: .tcp(host: "server", port: 7000))!
        #expect(routed.step(empty) == nil && routed.doubtsMap)
    }
}
