import Rules
import TestSupport
import Testing

@testable import Delivery
@testable import Redis

@Suite struct UnlinkingTests {
    private let wrongType = RedisReply.error(RedisErrorReply("WRONGTYPE no"))
    private let loading = RedisReply.error(RedisErrorReply("LOADING wait"))

    private let ok = RedisReply.simpleString("OK")

    private func keys(_ range: Range<Int>) -> [Key] { range.map { Key("key:\($0)") } }

    @Test func takesManyKeysInOneCommand() {
        var work = Unlinking(keys(0..<600), keysPerCommand: 256, bytesPerPipeline: 1 << 20)
        #expect(work.commands().count == 3)
        work.settle([.integer(88), .integer(256), .integer(3)])
        #expect(work.isDone && work.failures.isEmpty)
        #expect(Unlinking([], keysPerCommand: 1, bytesPerPipeline: 1).isDone)
    }

    @Test func boundsAPipelinesBytes() {
        var work = Unlinking(keys(0..<1000), keysPerCommand: 10, bytesPerPipeline: 100)
        var pipelines = 0
        while !work.isDone {
            #expect((1...2).contains(work.commands().count))
            work.settle(work.commands().map { _ in .integer(10) })
            pipelines += 1
        }
        #expect(pipelines >= 50)
    }

    @Test func keepsWhatTheTargetWasNotFitFor() {
        var work = Unlinking(keys(0..<30), keysPerCommand: 10, bytesPerPipeline: 1 << 20)
        work.settle([.integer(10), loading, .integer(10)])
        #expect(!work.isDone)
        #expect(work.commands().count == 1)
        work.settle([.integer(10)])
        #expect(work.isDone && work.failures.isEmpty)
    }

    @Test func narrowsAFailureDownToItsKey() {
        var work = Unlinking(keys(0..<4), keysPerCommand: 4, bytesPerPipeline: 1 << 20)
        work.settle([wrongType])
        #expect(work.commands().count == 4)
        work.settle([.integer(1), wrongType, loading, .integer(0)])
        #expect(work.failures == [Failure(key: Key("key:1"), reason: "WRONGTYPE no")])
        work.settle([.integer(1)])
        #expect(work.isDone && work.failures.count == 1)
    }

    @Test func neverSendsAKeyThatRedisHangsUpOn() {
        let long = Key(bytes: [UInt8](repeating: 97, count: Unlinking.maximumKeyLength + 1))
        var work = Unlinking([Key("a"), long], keysPerCommand: 10, bytesPerPipeline: 1 << 20)
        #expect(work.failures.map(\.reason) == ["the key is longer than Redis allows"])
        work.settle([.integer(1)])
        #expect(work.isDone)
    }

    @Test func aChunksTokensGoBeforeItsDeletion() {
        let fenced = Fencing.these(Set(keys(0..<3)))
        var work = Unlinking(keys(0..<8), fencing: fenced, keysPerCommand: 2, bytesPerPipeline: 1 << 20)
        #expect(
            work.commands().map(\.name)
                == ["UNLINK", "UNLINK", "UNLINK", "SET", "SET", "UNLINK", "SET", "UNLINK"])
        work.settle(work.commands().map { _ in .integer(1) })
        #expect(work.isDone && work.failures.isEmpty)
    }

    @Test func aTokenThatFailsIsAFailureOfItsKeyAlone() {
        var work = Unlinking(keys(0..<3), fencing: .all, keysPerCommand: 3, bytesPerPipeline: 1 << 20)
        work.settle([ok, wrongType, ok, .integer(3)])
        #expect(work.isDone)
        #expect(work.failures == [Failure(key: Key("key:1"), reason: "WRONGTYPE no")])
    }

    @Test func troubleWithATokenMeansTheWholeChunkAgain() {
        var work = Unlinking(keys(0..<4), fencing: .all, keysPerCommand: 2, bytesPerPipeline: 1 << 20)
        work.settle([ok, ok, .integer(2), wrongType, loading, .integer(2)])
        #expect(work.commands().map(\.name) == ["SET", "SET", "UNLINK"] && work.failures.isEmpty)
        work.settle([ok, ok, .integer(0)])
        #expect(work.isDone && work.failures.isEmpty)
    }

    @Test func aKeyWhoseFenceWouldBeTooLongIsDeletedAlone() {
        let long = Key(bytes: [UInt8](repeating: 97, count: Unlinking.maximumKeyLength - 13))
        var work = Unlinking([Key("a"), long], fencing: .all, keysPerCommand: 10, bytesPerPipeline: 1 << 30)
        work.settle([ok, .integer(1), loading])
        #expect(!work.isDone && work.failures.isEmpty)
        var failing = work
        work.settle([.integer(1)])
        #expect(
            work.isDone && work.failures.map(\.reason) == ["the name of the key's fence is longer than Redis allows"])
        failing.settle([wrongType])
        #expect(failing.isDone && failing.failures.map(\.reason) == ["WRONGTYPE no"])
    }

    @Test func noKeyIsForgottenWhateverFails() {
        var random = SeededGenerator()
        for _ in 0..<3000 {
            var server = UnlinkingServer(using: &random)
            var work = Unlinking(
                server.keys, fencing: server.fencing, keysPerCommand: .random(in: 1...8, using: &random),
                bytesPerPipeline: .random(in: 1...600, using: &random))
            while !work.isDone {
                let groups = work.groups(using: &random)
                work.settle(groups, server.replies(to: groups.flatMap(\.commands), &random))
            }
            let failed = work.failures.map(\.key)
            #expect(Set(failed) == server.expectedFailures && Set(failed).count == failed.count)
            #expect(server.deleted == Set(server.keys).subtracting(server.undeletable))
            #expect(server.deletedWithoutToken.isSubset(of: server.unfenceable))
            #expect(server.tokensSeenBefore == 0)
        }
    }
}

@Suite struct ClusterUnlinkingTests {
    /// Keys with and without hash tags, some of which nobody can fence.
    private func keys(_ random: inout SeededGenerator) -> [Key] {
        (0..<Int.random(in: 0...60, using: &random)).map { number in
            let tag = Int.random(in: 0...3, using: &random)
            return Key(["user:{\(tag)}:\(number)", "item:\(number)", "odd}\(number)"].randomElement(using: &random)!)
        }
    }

    @Test func eachGroupHasTheKeysOfOneSlot() {
        var random = SeededGenerator()
        let companions = CompanionName(sharesSlot: true)
        for _ in 0..<2000 {
            let keys = Array(Set(keys(&random)))
            var work = Unlinking(
                keys, fencing: [.none, .all].randomElement(using: &random)!, companions: companions,
                keysPerCommand: 4, bytesPerPipeline: .random(in: 1...600, using: &random))
            var deleted: [Key] = []
            while !work.isDone {
                let groups = work.groups(using: &random)
                for group in groups {
                    let slots = group.commands.flatMap { command in
                        command.name == "SET" ? [command.words[1]] : Array(command.words.dropFirst())
                    }.map { RedisSlot(of: $0) }
                    #expect(Set(slots).count == 1 && group.key.map { RedisSlot(of: $0.bytes) } == slots[0])
                    deleted += group.commands[group.commands.count - 1].words.dropFirst().map { Key(bytes: $0) }
                }
                _ = work.settle(groups.map { $0.commands.map { _ in .integer(1) } })
            }
            #expect(deleted.count == keys.count && Set(deleted) == Set(keys))
            #expect(work.failures.allSatisfy { $0.reason == Failure.braces && companions.fence(of: $0.key) == nil })
        }
    }

    @Test func keysOfASplitSlotGoOneByOne() {
        var random = SeededGenerator()
        var work = Unlinking(
            ["{a}1", "{a}2", "{a}3"].map { Key($0) }, companions: CompanionName(sharesSlot: true), keysPerCommand: 10,
            bytesPerPipeline: 1000)
        #expect(work.groups(using: &random).count == 1)
        let tryAgain = RedisReply.error(RedisErrorReply("TRYAGAIN Multiple keys request during rehashing of slot"))
        var hasSettled = work.settle([[tryAgain]])
        #expect(!hasSettled)
        #expect(work.groups(using: &random).map(\.commands.count) == [1, 1, 1])
        hasSettled = work.settle([[.integer(1)], nil, [tryAgain]])
        #expect(hasSettled)
        #expect(work.groups(using: &random).count == 2)
    }
}

extension Unlinking {
    fileprivate init(_ keys: [Key], fencing: Fencing = .none, keysPerCommand: Int, bytesPerPipeline: Int) {
        self.init(
            keys, fencing: fencing, companions: CompanionName(sharesSlot: false), keysPerCommand: keysPerCommand,
            bytesPerPipeline: bytesPerPipeline)
    }

    fileprivate func commands() -> [RedisCommand] {
        var random = SystemRandomNumberGenerator()
        return groups(using: &random).flatMap(\.commands)
    }

    /// The replies to all commands of ``commands()``.
    fileprivate mutating func settle(_ replies: [RedisReply]) {
        var random = SystemRandomNumberGenerator()
        settle(groups(using: &random), replies)
    }

    fileprivate mutating func settle(_ groups: [CommandGroup], _ replies: [RedisReply]) {
        var rest = replies[...]
        _ = settle(
            groups.map { group in
                defer { rest = rest.dropFirst(group.commands.count) }
                return Array(rest.prefix(group.commands.count))
            })
    }
}
