import CoreMetrics
import Synchronization

/// A counter, of whole numbers or others. It never goes down.
final class CounterSeries: MetricSeries, CounterHandler, FloatingPointCounterHandler {
    private let whole = Atomic<Int64>(0)
    private let fraction = AtomicDouble()

    func increment(by amount: Int64) {
        guard amount > 0 else { return }
        whole.wrappingAdd(amount, ordering: .relaxed)
    }

    func increment(by amount: Double) {
        guard amount > 0, amount.isFinite else { return }
        fraction.add(amount)
    }

    func reset() {
        whole.store(0, ordering: .relaxed)
        fraction.set(0)
    }

    func samples(_ labels: MetricLabels) -> [MetricFamily.Sample] {
        [.init(labels: labels.text, value: Double(whole.load(ordering: .relaxed)) + fraction.value)]
    }
}
