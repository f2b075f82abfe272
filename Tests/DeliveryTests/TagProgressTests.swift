import Rules
import TestSupport
import Testing

@testable import Delivery
@testable import Redis

/// Workers that empty one tag at the same time, in every order that a seed brings, some of them stopped half-way, while
/// Redis starts again with all that it had, or less: on a model of what the scripts do, so that the order is ours.
@Suite struct TagProgressTests {
    /// What the scripts and commands do to a tag, its taken set and the token.
    private struct Model {
        var tag: Set<String>?
        var taken: Set<String>?
        var token: [UInt8]?
        /// The number of its process, each of which has an order of its own.
        var process = 0

        private var place: Place { Place(address: .unix(path: ""), era: process) }

        /// Nil where the group's place is gone.
        mutating func answer(_ group: CommandGroup) -> Answer? {
            guard group.place == nil || group.place == place else { return nil }
            return Answer(replies: group.commands.map { answer($0) }, place: place)
        }

        private mutating func answer(_ command: RedisCommand) -> RedisReply {
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
            let all = (taken ?? []).sorted { process.isMultiple(of: 2) ? $0 < $1 : $0 > $1 }
            let some = all.dropFirst(start).prefix(count)
            let next = start + count < all.count ? start + count : 0
            return .array([.bulk(Array("\(next)".utf8)), .array(some.map { .bulk(Array($0.utf8)) })])
        }
    }

    /// One that empties the tag, a step at a time.
    private struct Worker {
        let number: Int
        var progress: TagProgress
        var cursor: [UInt8]?
        var isReading = false
        /// What it has read and not deleted yet.
        var found: [String] = []
        /// What has to be gone since it began.
        var owed: Set<String>

        init(_ number: Int, owing keys: Set<String>) {
            self.number = number
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
                let answer = model.answer(progress.read(from: cursor, count: 2))
                if let answer { page = progress.read(answer.replies[0]) }
            } else if isReading {
                (isReading, cursor) = (false, nil)
                if model.answer(progress.finish) != nil { progress.finished() }
                return []
            } else if let answer = model.answer(progress.take()) {
                page = progress.took(answer)
            }
            isReading = page != nil
            cursor = page?.cursor
            found = page?.keys.map { String(decoding: $0, as: UTF8.self) } ?? []
            return []
        }
    }

    /// Redis, the entries in it, and who is at work.
    private struct World {
        var model = Model()
        var stored: Set<String> = []
        var workers: [Worker] = []
        var started = 0

        mutating func start() {
            started += 1
            workers.append(Worker(started, owing: stored))
        }

        /// Redis starts again with what it had back then, and all that was served since is served once more.
        mutating func restart(from saved: World) {
            let process = model.process + 1
            (model, stored) = (saved.model, saved.stored)
            model.process = process
            for index in workers.indices {
                let then = saved.workers.first { $0.number == workers[index].number }
                workers[index].owed = then?.owed ?? stored
            }
            start()
        }

        /// One worker takes a step. Gives what it still owed if it believes itself done.
        mutating func step(_ index: Int) -> Set<String> {
            for key in workers[index].step(&model) {
                stored.remove(key)
                for other in workers.indices { workers[other].owed.remove(key) }
            }
            return workers[index].progress.isDone ? workers.remove(at: index).owed : []
        }
    }

    @Test func whatWasFiledBeforeIsGoneAfterwards() {
        for seed in 0..<1_000 as Range<UInt64> {
            var random = SeededGenerator(seed: seed)
            var world = World()
            var saved = world
            for step in 0..<400 {
                let index = world.workers.indices.randomElement(using: &random)
                switch Int.random(in: 0..<24, using: &random) {
                case 0..<4:
                    // A reader files a key and stores its entry at once.
                    let key = "k\(Int.random(in: 0..<12, using: &random))"
                    world.model.tag = (world.model.tag ?? []).union([key])
                    world.stored.insert(key)
                case 4 where world.workers.count < 4 && step < 300: world.start()
                case 5 where Int.random(in: 0..<8, using: &random) == 0:
                    // A crash: whoever comes next asks for the same.
                    if let index {
                        world.workers.remove(at: index)
                        world.start()
                    }
                case 6 where Int.random(in: 0..<10, using: &random) == 0: world.model.token = nil
                case 7 where Int.random(in: 0..<4, using: &random) == 0:
                    world.restart(from: Bool.random(using: &random) ? world : saved)
                case 8: saved = world
                case 9:
                    // It is taken, and the answer is lost.
                    if let index { _ = world.model.answer(world.workers[index].progress.take()) }
                default:
                    guard let index else { continue }
                    let owed = world.step(index)
                    #expect(owed.isEmpty, "seed \(seed), step \(step): \(owed)")
                }
            }
            // What is filed and what is stored are the same, so that the next change finds it.
            let filed = (world.model.tag ?? []).union(world.model.taken ?? [])
            #expect(world.stored.isSubset(of: filed), "seed \(seed)")
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

    /// A cursor means nothing to another process, and it may lack what the last one had deleted.
    @Test func aReadingThatSpansTwoProcessesRemovesNothing() {
        let keys: Set = ["a", "b", "c", "d"]
        for stepsBefore in 1...4 {
            var model = Model(tag: keys)
            var worker = Worker(0, owing: keys)
            for _ in 0..<stepsBefore { _ = worker.step(&model) }
            model.process += 1
            worker.round(&model)
            #expect(!worker.progress.isDone && model.taken == keys)
            var deleted: Set<String> = []
            while !worker.progress.isDone { deleted.formUnion(worker.step(&model)) }
            #expect(model.taken == nil && deleted == keys)
        }
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
