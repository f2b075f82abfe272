import Redis
import Rules
import Testing

@testable import Delivery

@Suite struct UnlinkingTests {
    private let wrongType = RedisReply.error(RedisErrorReply("WRONGTYPE no"))
    private let loading = RedisReply.error(RedisErrorReply("LOADING wait"))

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
}
