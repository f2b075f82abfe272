import CoreMetrics
import Synchronization

/// A histogram. A timer's nanoseconds are seconds in it.
final class HistogramSeries: MetricSeries, RecorderHandler, TimerHandler {
    private let bounds: [Double]
    private let sum = AtomicDouble()
    /// One for each bound, and one for what is above all of them. An array can't hold atomics, for they can't be
    /// copied. Unsafe for the compiler, safe in fact: the pointer is set in `init` and never again, `deinit`, which
    /// frees the memory, runs when nobody has the series any more, each index is within `bounds`, and what is there is
    /// atomic.
    private nonisolated(unsafe) let counts: UnsafeMutablePointer<Atomic<Int64>>

    /// - Parameter bounds: The buckets' upper bounds, ascending.
    init(bounds: [Double]) {
        self.bounds = bounds
        counts = .allocate(capacity: bounds.count + 1)
        for index in 0...bounds.count { (counts + index).initialize(to: Atomic(0)) }
    }

    deinit {
        counts.deinitialize(count: bounds.count + 1)
        counts.deallocate()
    }

    func recordNanoseconds(_ duration: Int64) { record(Double(duration) / 1e9) }

    func record(_ value: Int64) { record(Double(value)) }

    func record(_ value: Double) {
        guard value.isFinite else { return }
        sum.add(value)
        counts[bucket(of: value)].wrappingAdd(1, ordering: .relaxed)
    }

    /// The first whose bound is not below the value.
    private func bucket(of value: Double) -> Int {
        var (low, high) = (0, bounds.count)
        while low < high {
            let middle = (low + high) / 2
            if bounds[middle] < value { low = middle + 1 } else { high = middle }
        }
        return low
    }

    /// The count is the sum of the buckets that were read, so that the two never contradict each other.
    func samples(_ labels: MetricLabels) -> [MetricFamily.Sample] {
        var samples: [MetricFamily.Sample] = []
        var count: Int64 = 0
        for index in 0...bounds.count {
            count += counts[index].load(ordering: .relaxed)
            let bound = index < bounds.count ? MetricsText.number(bounds[index]) : "+Inf"
            samples.append(.init(suffix: "_bucket", labels: labels.text(upTo: bound), value: Double(count)))
        }
        samples.append(.init(suffix: "_sum", labels: labels.text, value: sum.value))
        samples.append(.init(suffix: "_count", labels: labels.text, value: Double(count)))
        return samples
    }
}
