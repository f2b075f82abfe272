public import CoreMetrics
import Synchronization

/// swift-metrics' backend for `/metrics`: names are labels' texts, dimensions are labels.
///
/// A lock is taken where a series is made, destroyed or read, and never where it is counted.
public final class PrometheusMetrics: MetricsFactory {
    private struct Family {
        var kind: MetricKind
        var series: [MetricLabels: any MetricSeries] = [:]
    }

    private let families = Mutex<[String: Family]>([:])

    /// A backend without any series.
    public init() {}

    /// From now on all that is counted in this process is counted here. Once only, and before the first counter.
    public func bootstrap() { MetricsSystem.bootstrap(self) }

    /// All series at this moment.
    func snapshot() -> [MetricFamily] {
        let families = families.withLock { $0 }
        return families.map { name, family in
            let samples = family.series.sorted { $0.key.inner < $1.key.inner }
                .flatMap { $0.value.samples($0.key) }
            return MetricFamily(name: name, kind: family.kind, samples: samples)
        }
    }

    /// The series of this name and these labels. One name has one kind: what is asked for as another is counted where
    /// nobody sees it.
    private func series<Series: MetricSeries>(
        _ label: String, _ dimensions: [(String, String)], _ kind: MetricKind, _ make: () -> Series
    ) -> Series {
        let name = MetricLabels.identifier(label, allowing: "_:")
        let labels = MetricLabels(dimensions)
        return families.withLock { families in
            var family = families[name] ?? Family(kind: kind)
            guard family.kind == kind else { return make() }
            if let series = family.series[labels] as? Series { return series }
            let series = make()
            family.series[labels] = series
            families[name] = family
            return series
        }
    }

    private func destroy(_ handler: AnyObject) {
        families.withLock { families in
            families = families.mapValues { family in
                Family(kind: family.kind, series: family.series.filter { $0.value !== handler })
            }.filter { !$0.value.series.isEmpty }
        }
    }

    private func histogram(_ label: String, _ dimensions: [(String, String)]) -> HistogramSeries {
        let bounds = MetricCatalogue.byName[label]?.buckets ?? []
        return series(label, dimensions, .histogram) {
            HistogramSeries(bounds: bounds.isEmpty ? MetricCatalogue.lags : bounds)
        }
    }
}

extension PrometheusMetrics {
    /// A counter.
    public func makeCounter(label: String, dimensions: [(String, String)]) -> any CounterHandler {
        series(label, dimensions, .counter) { CounterSeries() }
    }

    /// A counter that takes fractions.
    public func makeFloatingPointCounter(
        label: String, dimensions: [(String, String)]
    ) -> any FloatingPointCounterHandler {
        series(label, dimensions, .counter) { CounterSeries() }
    }

    /// A gauge.
    public func makeMeter(label: String, dimensions: [(String, String)]) -> any MeterHandler {
        series(label, dimensions, .gauge) { GaugeSeries() }
    }

    /// A histogram if it aggregates, a gauge if not.
    public func makeRecorder(
        label: String, dimensions: [(String, String)], aggregate: Bool
    ) -> any RecorderHandler {
        if aggregate { return histogram(label, dimensions) }
        return series(label, dimensions, .gauge) { GaugeSeries() }
    }

    /// A histogram in seconds.
    public func makeTimer(label: String, dimensions: [(String, String)]) -> any TimerHandler {
        histogram(label, dimensions)
    }

    /// The series is shown no more.
    public func destroyCounter(_ handler: any CounterHandler) { destroy(handler) }
    /// The series is shown no more.
    public func destroyFloatingPointCounter(_ handler: any FloatingPointCounterHandler) { destroy(handler) }
    /// The series is shown no more.
    public func destroyMeter(_ handler: any MeterHandler) { destroy(handler) }
    /// The series is shown no more.
    public func destroyRecorder(_ handler: any RecorderHandler) { destroy(handler) }
    /// The series is shown no more.
    public func destroyTimer(_ handler: any TimerHandler) { destroy(handler) }
}
