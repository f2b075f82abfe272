import Redis
import TestSupport
import Testing

@testable import Delivery

@Suite struct IndexedKeysTests {
    /// However a server's messages and its replies on the other connection interleave, a lookup meets every key that is
    /// there, and in the end there is nothing else.
    @Test func missesNothingHoweverItIsTold() {
        var random = SeededGenerator()
        for _ in 0..<2000 {
            var world = World(limit: 1 << 20)
            world.write(using: &random)
            world.begin()
            for _ in 0..<Int.random(in: 10...150, using: &random) { world.step(using: &random) }
            world.settle(using: &random)
            #expect(world.met() == world.server)
        }
    }

    @Test func knowsNothingBeforeItHasReadAllAndAfterADoubt() throws {
        var keys = IndexedKeys(memoryLimit: 1 << 20)
        #expect(keys.completeEpoch == nil)
        keys.hear(.strings(RedisStrings([[1]])), in: 0)
        #expect(keys.pages.count == 0)
        let session = keys.begin()
        keys.hear(.strings(RedisStrings([[1]])), in: session)
        #expect(keys.completeEpoch == nil && keys.pages.count == 1)
        let goesOn = keys.fill(RedisStrings([[2]]), in: keys.epoch)
        #expect(goesOn)
        keys.filled(in: keys.epoch)
        guard let epoch = keys.completeEpoch else { throw TestError("not complete") }
        #expect(keys.keys(beginningWith: [], from: [], limit: 9, in: epoch)?.count == 2)
        keys.hear(.null, in: session)
        #expect(keys.completeEpoch == nil && keys.pages.count == 0)
        #expect(keys.keys(beginningWith: [], from: [], limit: 9, in: epoch) == nil)
        let counts = keys.fill(RedisStrings([[2]]), in: epoch)
        #expect(!counts, "it was found before everything was forgotten")
        keys.filled(in: epoch)
        #expect(keys.completeEpoch == nil)
        let next = keys.begin()
        keys.hear(.strings(RedisStrings([[1]])), in: session)
        #expect(keys.pages.count == 0, "whoever told that is not listened to any more")
        keys.hear(.strings(RedisStrings([[1]])), in: next)
        #expect(keys.pages.count == 1)
        keys.end()
        #expect(keys.pages.count == 0 && keys.phase == .off)
    }

    @Test func givesUpWhereTheKeysTakeTooMuch() {
        var keys = IndexedKeys(memoryLimit: 10_000)
        _ = keys.begin()
        let hasRoom = keys.fill(RedisStrings([[UInt8](repeating: 1, count: 100)]), in: keys.epoch)
        #expect(hasRoom && !keys.isFull)
        let many = RedisStrings((0..<200).map { [UInt8](repeating: UInt8($0), count: 100) })
        let hadRoom = keys.fill(many, in: keys.epoch)
        #expect(!hadRoom && keys.phase == .off && keys.isFull && keys.pages.memory < 10_000)
        let session = keys.begin()
        #expect(!keys.isFull)
        keys.hear(.strings(many), in: session)
        #expect(keys.phase == .off && keys.isFull)
    }

    @Test func takesOutWhatIsGone() throws {
        var keys = IndexedKeys(memoryLimit: 1 << 20)
        let session = keys.begin()
        keys.filled(in: keys.epoch)
        let told = RedisStrings((1...6).map { [$0] })
        keys.hear(.strings(told), in: session)
        #expect(keys.takeHeard(from: [], limit: 9) == told)
        #expect(keys.takeHeard(from: [], limit: 9) == nil)
        keys.hear(.strings(RedisStrings([[3]])), in: session)
        keys.settle(
            told,
            [
                .integer(1), .integer(0), .integer(0), .error(RedisErrorReply("MOVED 1 127.0.0.1:1")),
                .error(RedisErrorReply("ASK 1 127.0.0.1:1")), .error(RedisErrorReply("LOADING")),
            ], in: keys.epoch)
        let left = keys.keys(beginningWith: [], from: [], limit: 9, in: keys.epoch)
        #expect(left == RedisStrings([[1], [3], [6]]), "those that are there, told again, and not answered for")
        #expect(keys.takeHeard(from: [], limit: 9) == RedisStrings([[3], [6]]))
        keys.settle(RedisStrings([[1]]), [.integer(0)], in: keys.epoch - 1)
        #expect(keys.pages.count == 3)
    }
}

/// A server with a few keys, what it has told that is still under way, and an index.
private struct World {
    private enum Reply {
        case page(RedisStrings, isLast: Bool)
        case exists(RedisStrings, [RedisReply])
    }

    private(set) var server: Set<[UInt8]> = []
    private var index: IndexedKeys
    private var session = 0
    /// Messages under way on the subscribed connection.
    private var messages: [RedisReply] = []
    /// The reply under way on the other one, and the epoch in which it was asked for.
    private var reply: (Reply, epoch: Int)?
    /// What is left of a SCAN, and the epoch in which it began.
    private var scan: ([[UInt8]], epoch: Int)?

    init(limit: Int) { index = IndexedKeys(memoryLimit: limit) }

    mutating func begin() { session = index.begin() }

    mutating func write(using random: inout SeededGenerator) {
        for _ in 0..<20 { server.insert(random.bytes("abc", upTo: 2)) }
    }

    mutating func step(using random: inout SeededGenerator) {
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<20: change(random.bytes("abc", upTo: 2), to: true)
        case 20..<40: change(random.bytes("abc", upTo: 2), to: false)
        case 40..<41: forget(using: &random)
        case 41..<65: hear()
        case 65..<70: lookUp()
        default: keep()
        }
    }

    /// Everything arrives, and nothing changes any more.
    mutating func settle(using random: inout SeededGenerator) {
        for _ in 0..<500 {
            hear()
            keep()
        }
    }

    /// What a lookup meets now.
    func met() -> Set<[UInt8]> {
        guard let epoch = index.completeEpoch else { return [[255]] }
        return Set(index.keys(beginningWith: [], from: [], limit: .max, in: epoch)?.map { Array($0) } ?? [])
    }

    private mutating func change(_ key: [UInt8], to isThere: Bool) {
        if isThere { server.insert(key) } else if server.remove(key) == nil { return }
        messages.append(.strings(RedisStrings([key])))
    }

    /// FLUSHALL, or other data.
    private mutating func forget(using random: inout SeededGenerator) {
        server = []
        messages.append(.null)
        if Bool.random(using: &random) { write(using: &random) }
    }

    private mutating func hear() {
        if !messages.isEmpty { index.hear(messages.removeFirst(), in: session) }
    }

    /// A lookup catches up first.
    private mutating func lookUp() {
        guard let epoch = index.completeEpoch else { return }
        while !messages.isEmpty { hear() }
        guard let met = index.keys(beginningWith: [], from: [], limit: .max, in: epoch) else { return }
        #expect(server.isSubset(of: met.map { Array($0) }))
    }

    /// The one who fills and verifies takes a step: asks, takes an answer, or takes out.
    private mutating func keep() {
        if let (reply, epoch) = reply {
            self.reply = nil
            switch reply {
            case .page(let keys, let isLast):
                if !index.fill(keys, in: epoch) { scan = nil } else if isLast { index.filled(in: epoch) }
            case .exists(let keys, let replies): index.settle(keys, replies, in: epoch)
            }
        } else if index.phase == .filling {
            ask()
        } else if let keys = index.takeHeard(from: [], limit: 3) {
            reply = (.exists(keys, keys.map { .integer(server.contains(Array($0)) ? 1 : 0) }), index.epoch)
        }
    }

    private mutating func ask() {
        if scan == nil || scan?.epoch != index.epoch {
            scan = (server.sorted { $0.lexicographicallyPrecedes($1) }, index.epoch)
        }
        guard let (rest, epoch) = scan else { return }
        let page = rest.prefix(4).filter(server.contains)
        scan = (Array(rest.dropFirst(4)), epoch)
        let isLast = rest.count <= 4
        if isLast { scan = nil }
        reply = (.page(RedisStrings(page), isLast: isLast), epoch)
    }
}
