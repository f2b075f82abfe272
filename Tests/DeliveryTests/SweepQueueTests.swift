import Rules
import Testing

@testable import Delivery

@Suite struct SweepQueueTests {
    @Test func servesAllWhoWaitAndNoLatecomer() {
        var queue = SweepQueue<String>(patternsPerPass: 100)
        _ = queue.add([Pattern("a*"), Pattern("b*")], waiter: "first")
        _ = queue.add([Pattern("b*")], waiter: "second")
        #expect(Set(queue.begin()) == [Pattern("a*"), Pattern("b*")])
        _ = queue.add([Pattern("a*")], waiter: "late")
        #expect(queue.finish().map(\.waiter) == ["first", "second"])
        #expect(queue.begin() == [Pattern("a*")])
        #expect(queue.finish().map(\.waiter) == ["late"])
        #expect(queue.isEmpty && queue.begin().isEmpty)
    }

    @Test func anAbandonedPassIsMadeAnewWithAllWhoCameMeanwhile() {
        var queue = SweepQueue<String>(patternsPerPass: 100)
        _ = queue.add([Pattern("a*")], waiter: "first")
        _ = queue.begin()
        _ = queue.add([Pattern("b*")], waiter: "late")
        queue.abandon()
        #expect(Set(queue.begin()) == [Pattern("a*"), Pattern("b*")])
        #expect(queue.finish().map(\.waiter) == ["first", "late"])
    }

    @Test func aPassHasALimitThatOneCallerMayExceed() {
        var queue = SweepQueue<Int>(patternsPerPass: 2)
        _ = queue.add((0..<5).map { Pattern("\($0)*") }, waiter: 0)
        _ = queue.add([Pattern("a*")], waiter: 1)
        _ = queue.add([Pattern("b*")], waiter: 2)
        _ = queue.add([Pattern("c*")], waiter: 3)
        var passes: [[Int]] = []
        while !queue.isEmpty {
            _ = queue.begin()
            passes.append(queue.finish().map(\.waiter))
        }
        #expect(passes == [[0], [1, 2], [3]])
    }

    @Test func forgetsWhoGaveUp() {
        var queue = SweepQueue<String>(patternsPerPass: 100)
        let waiting = queue.add([Pattern("a*")], waiter: "waiting")
        queue.remove(waiting)
        #expect(queue.isEmpty)
        let served = queue.add([Pattern("b*")], waiter: "served")
        _ = queue.add([Pattern("c*")], waiter: "other")
        _ = queue.begin()
        queue.remove(served)
        _ = queue.add([Pattern("d*")], waiter: "late")
        #expect(queue.drain().map(\.waiter) == ["other", "late"])
        #expect(queue.isEmpty && queue.finish().isEmpty)
    }

    @Test func whatAnybodyWantsFencedIsFenced() {
        var queue = SweepQueue<Int>(patternsPerPass: 4)
        _ = queue.add([Pattern("a*"), Pattern("b*")], waiter: 0)
        let fenced = queue.add([Pattern("a*")], fenced: [Pattern("a*"), Pattern("x*")], waiter: 1)
        _ = queue.add([Pattern("a*")], waiter: 2)
        _ = queue.add([Pattern("c*")], fenced: [Pattern("c*")], waiter: 3)
        #expect(queue.fenced == [])
        #expect(Set(queue.begin()) == [Pattern("a*"), Pattern("b*"), Pattern("c*")])
        #expect(queue.fenced == [Pattern("a*"), Pattern("c*")])
        queue.abandon()
        queue.remove(fenced)
        _ = queue.begin()
        #expect(queue.fenced == [Pattern("c*")])
    }
}
