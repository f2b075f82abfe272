import TestSupport
import Testing

@testable import Delivery

@Suite struct SweepPaceTests {
    private func pace(share: Double = 0.2) -> SweepPace {
        SweepPace(share: share, callLimit: .milliseconds(2), latency: .milliseconds(1))
    }

    @Test func restsFourTimesWhatAFifthTook() {
        var fifth = pace()
        #expect(fifth.scanned(in: .milliseconds(3)) == .milliseconds(8))
        #expect(fifth.deleted(10, in: .milliseconds(2)) == .milliseconds(4))
        #expect(fifth.visited(in: .milliseconds(2)) == .milliseconds(4))
        #expect(fifth.visited(in: .microseconds(1)) == .zero, "no round trip at all")
        #expect(fifth.visited(in: .milliseconds(2)) == .milliseconds(4), "which says nothing about those")
        #expect(fifth.visited(in: .seconds(30)) == .milliseconds(100), "Redis stood still")
        var whole = pace(share: 1)
        #expect(whole.scanned(in: .milliseconds(3)) == .zero)
    }

    @Test func adaptsTheCount() {
        var pace = pace()
        #expect(pace.count == 100)
        func scan(_ keyCost: Duration) {
            for _ in 0..<20 { _ = pace.scanned(in: .milliseconds(1) + keyCost * Double(pace.count)) }
        }
        scan(.microseconds(4))
        #expect((250...500).contains(pace.count), "between half of the limit and the limit")
        scan(.microseconds(16))
        #expect((100...125).contains(pace.count))
        scan(.zero)
        #expect(pace.count == 10_000)
        scan(.milliseconds(1))
        #expect(pace.count == 100)
    }

    /// Where every other round trip takes ten times as long as Redis needs, keys take what they take, and so do rests.
    @Test func isNotFooledByNoise() {
        let (rests, counts) = noisy(latency: .microseconds(50))
        // 375 keys take 150 µs.
        #expect(rests > 0.9 && rests < 1.5, "\(rests)")
        #expect(counts.allSatisfy { (180...400).contains($0) }, "\(counts.min()!)…\(counts.max()!)")
    }

    /// What the first round trips took says little where the machine was busy then.
    @Test func learnsHowQuickARoundTripIs() {
        let (rests, counts) = noisy(latency: .milliseconds(20))
        #expect(rests > 0.3 && rests < 1.5, "\(rests)")
        #expect(counts.allSatisfy { (180...600).contains($0) }, "\(counts.min()!)…\(counts.max()!)")
    }

    /// How long was rested, as a part of what was needed, and the counts but for the first.
    private func noisy(latency: Duration) -> (rests: Double, counts: ArraySlice<Int>) {
        var random = SeededGenerator()
        var (needed, rested) = (Duration.zero, Duration.zero)
        var pace = SweepPace(share: 0.2, callLimit: .microseconds(150), latency: latency)
        var counts: [Int] = []
        for call in 0..<1000 {
            let cost = Duration.nanoseconds(400) * Double(pace.count)
            let noise = call % 2 == 0 ? Duration.microseconds(Int.random(in: 100...1500, using: &random)) : .zero
            needed += cost * 4
            rested += pace.scanned(in: .microseconds(50) + cost + noise)
            counts.append(pace.count)
        }
        return (rested / needed, counts.dropFirst(20))
    }
}
