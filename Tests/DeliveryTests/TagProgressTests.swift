import Rules
import TestSupport
import Testing

@testable import Delivery
@testable import Redis

/// Workers that empty one tag at the same time, in every order that a seed brings, some of them stopped half-way: on a
/// model of what the scripts do, so that the order is ours.
@Suite struct TagProgressTests {
    /// What the scripts and commands do to a tag, its taken set and the token.
    private struct Model {
        var tag: Set<String>?
        var taken: Set<String>?
        var token: [UInt8]?

        mutating func answer(_ command: RedisCommand) -> RedisReply {
            let words = zip([0] + command.ends, command.ends).map { command.bytes[$0..<$1] }
            let arguments = words.dropFirst().map { String(decoding: $0, as: UTF8.self) }
            switch (command.name, arguments.first) {
            case ("SSCAN", _): return page(from: Int(arguments[1]) ?? 0, count: 2)
            case (_, TagScript.take): return take(Array((arguments.last ?? "").utf8))
            default:
                guard token == Array((arguments.last ?? "").utf8) else { return .integer(0) }
                (taken, token) = (nil, nil)
                return .integer(1)
            }
        }

        private mutating func take(_ own: [UInt8]) -> RedisReply {
            if taken != nil {
                if let token { return .bulk(token) }
                token = [TagScript.renewed] + own
            } else {
                guard let tag else { return .null }
                (taken, self.tag, token) = (tag, nil, own)
            }
            return token.map { .bulk($0) } ?? .null
        }

        private func page(from start: Int, count: Int) -> RedisReply {
            let all = (taken ?? []).sorted()
            let some = all.dropFirst(start).prefix(count)
            let next = start + count < all.count ? start + count : 0
            return .array([.bulk(Array("\(next)".utf8)), .array(some.map { .bulk(Array($0.utf8)) })])
        }
    }

    /// One that empties the tag, a step at a time.
    private struct Worker {
        var progress: TagProgress
        var cursor: [UInt8]?
        var isReading = false
        /// What it has read and not deleted yet.
        var found: [String] = []
        /// What has to be gone since it began.
        var owed: Set<String>

        init(_ number: Int, owing keys: Set<String>) {
            progress = TagProgress(
                Key("t"), ownToken: Array("token\(number)".utf8), companions: CompanionName(sharesSlot: false))
            owed = keys
        }

        /// Does steps until it has removed a set, or has found that it can't.
        mutating func round(_ model: inout Model) {
            repeat { _ = step(&model) } while isReading
        }

        /// Gives the keys that it deletes.
        mutating func step(_ model: inout Model) -> [String] {
            if !found.isEmpty {
                defer { found = [] }
                return found
            }
            var page: ScanPage?
            if let cursor, cursor != ScanPage.edge {
                page = progress.read(model.answer(progress.read(from: cursor, count: 2).commands[0]))
            } else if isReading {
                (isReading, cursor) = (false, nil)
                _ = model.answer(progress.finish.commands[0])
                progress.finished()
                return []
            } else {
                page = progress.took(progress.take.commands.map { model.answer($0) })
                isReading = page != nil
            }
            cursor = page?.cursor
            found = page?.keys.map { String(decoding: $0, as: UTF8.self) } ?? []
            return []
        }
    }

    @Test func whatWasFiledBeforeIsGoneAfterwards() {
        for seed in 0..<1_000 as Range<UInt64> {
            var random = SeededGenerator(seed: seed)
            var model = Model()
            var stored: Set<String> = []
            var workers: [Worker] = []
            var started = 0
            for step in 0..<400 {
                switch Int.random(in: 0..<20, using: &random) {
                case 0..<4:
                    // A reader files a key and stores its entry at once.
                    let key = "k\(Int.random(in: 0..<12, using: &random))"
                    model.tag = (model.tag ?? []).union([key])
                    stored.insert(key)
                case 4 where workers.count < 4 && step < 300:
                    started += 1
                    workers.append(Worker(started, owing: stored))
                case 5 where Int.random(in: 0..<8, using: &random) == 0:
                    // A crash: whoever comes next asks for the same.
                    if let index = workers.indices.randomElement(using: &random) {
                        started += 1
                        workers[index] = Worker(started, owing: stored)
                    }
                case 6 where Int.random(in: 0..<10, using: &random) == 0:
                    model.token = nil
                default:
                    guard let index = workers.indices.randomElement(using: &random) else { continue }
                    for key in workers[index].step(&model) {
                        stored.remove(key)
                        for other in workers.indices { workers[other].owed.remove(key) }
                    }
                    if workers[index].progress.isDone {
                        #expect(workers[index].owed.isEmpty, "seed \(seed), step \(step): \(workers[index].owed)")
                        workers.remove(at: index)
                    }
                }
            }
            // What is filed and what is stored are the same, so that the next change finds it.
            #expect(stored.isSubset(of: (model.tag ?? []).union(model.taken ?? [])), "seed \(seed)")
        }
    }

    /// However often others take the tag away, two rounds are enough.
    @Test func aBusyTagTakesTwoRounds() {
        var model = Model()
        var worker = Worker(0, owing: [])
        (model.taken, model.token, model.tag) = (["a"], Array("other1".utf8), ["b"])
        worker.round(&model)
        #expect(!worker.progress.isDone)
        (model.taken, model.token, model.tag) = (["b"], Array("other2".utf8), ["c"])
        worker.round(&model)
        #expect(worker.progress.isDone && model.tag == ["c"])
    }

    @Test func aTokenThatWasLostTellsNothing() {
        var model = Model()
        var worker = Worker(0, owing: [])
        (model.taken, model.token, model.tag) = (["a"], Array("other".utf8), ["b"])
        _ = worker.step(&model)
        model.token = nil
        worker.round(&model)
        #expect(model.taken == ["a"])
        worker.round(&model)
        #expect(!worker.progress.isDone, "the set was the same one, with another token")
        worker.round(&model)
        #expect(worker.progress.isDone && model.tag == nil && model.taken == nil)
    }

    @Test func inAClusterATagNeedsANameThatHasASlot() {
        let companions = CompanionName(sharesSlot: true)
        let names = ["t", "a{t}b", "t}", "{}"].map { name in
            TagProgress(Key(name), ownToken: [1], companions: companions).failure
        }
        #expect(names == [nil, nil, TagProgress.badName, TagProgress.badName])
    }
}
