import Testing

@testable import Redis

@Suite struct PipelineQueueTests {
    @Test func givesEachPipelineItsReplies() {
        var queue = PipelineQueue<String>()
        queue.append("a", expecting: 2)
        queue.append("b", expecting: 1)
        #expect(queue.receive(.integer(1)) == nil)
        let a = queue.receive(.integer(2))
        #expect(a?.waiter == "a" && a?.replies == [.integer(1), .integer(2)])
        queue.append("c", expecting: 1)
        let b = queue.receive(.null)
        #expect(b?.waiter == "b" && b?.replies == [.null])
        #expect(queue.drain() == ["c"])
        #expect(queue.isEmpty)
    }
}
