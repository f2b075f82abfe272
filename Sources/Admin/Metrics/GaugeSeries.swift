import CoreMetrics

/// A gauge.
final class GaugeSeries: MetricSeries, RecorderHandler, MeterHandler {
    private let number = AtomicDouble()

    func record(_ value: Int64) { number.set(Double(value)) }
    func record(_ value: Double) { number.set(value) }
    func set(_ value: Int64) { number.set(Double(value)) }
    func set(_ value: Double) { number.set(value) }
    func increment(by amount: Double) { number.add(amount) }
    func decrement(by amount: Double) { number.add(-amount) }

    func samples(_ labels: MetricLabels) -> [MetricFamily.Sample] {
        [.init(labels: labels.text, value: number.value)]
    }
}
