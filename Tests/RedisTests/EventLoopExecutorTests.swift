import Redis
import TestSupport
import Testing

@Suite struct EventLoopExecutorTests {
    private let executor = EventLoopExecutor()

    /// Who waits for a reply goes on where it is read.
    @Test func staysOnItsThread() async throws {
        let (executor, loop) = (executor, executor.eventLoop)
        let connection = try await RedisConnection.connect(
            to: TestEnvironment.redisURL, options: .init(executor: executor))
        #expect(!loop.inEventLoop)
        let wheres = try await withTaskExecutorPreference(executor) {
            var wheres = [loop.inEventLoop]
            for _ in 0..<100 {
                _ = try await connection.send(RedisCommand("PING"), deadline: .seconds(5))
                wheres.append(loop.inEventLoop)
                try await connection.rest(until: .now)
                wheres.append(loop.inEventLoop)
            }
            return wheres
        }
        #expect(wheres.count == 201 && wheres.allSatisfy { $0 })
        #expect(!loop.inEventLoop)
    }

    @Test func restsUntilThen() async throws {
        let connection = try await RedisConnection.connect(to: TestEnvironment.redisURL)
        for milliseconds in [-1, 0, 1, 20] {
            let end = ContinuousClock.now + .milliseconds(milliseconds)
            try await connection.rest(until: end)
            #expect(ContinuousClock.now >= end)
        }
    }

    @Test func aRestEndsOnCancellation() async throws {
        let connection = try await RedisConnection.connect(to: TestEnvironment.redisURL)
        let start = ContinuousClock.now
        let rest = Task { try await connection.rest(until: start + .seconds(60)) }
        rest.cancel()
        await #expect(throws: CancellationError.self) { try await rest.value }
        #expect(ContinuousClock.now - start < .seconds(30))
    }
}
