import CoreMetrics
import FoundationEssentials
import TestSupport
import Testing

@testable import Admin

/// What is counted, and the text that Prometheus reads.
@Suite struct MetricsTests {
    private let metrics = PrometheusMetrics()

    private var text: String { MetricsText.render(metrics.snapshot()) }

    @Test func countersAndGauges() {
        let counter = Counter(label: "unstale_records_total", dimensions: [("target", "a")], factory: metrics)
        counter.increment(by: 3)
        Counter(label: "unstale_records_total", dimensions: [("target", "a")], factory: metrics).increment()
        Counter(label: "unstale_records_total", dimensions: [("target", "A")], factory: metrics).increment(by: -1)
        FloatingPointCounter(label: "seconds_total", factory: metrics).increment(by: 0.25)
        let gauge = Gauge(label: "level", factory: metrics)
        gauge.record(2.5)
        let meter = Meter(label: "depth", factory: metrics)
        meter.set(5)
        meter.decrement(by: 7)
        #expect(
            text == """
                # TYPE depth gauge
                depth -2
                # TYPE level gauge
                level 2.5
                # TYPE seconds_total counter
                seconds_total 0.25
                # HELP unstale_records_total Records read from the outbox
                # TYPE unstale_records_total counter
                unstale_records_total{target="A"} 0
                unstale_records_total{target="a"} 4

                """)
    }

    @Test func timersAreHistogramsInSeconds() {
        let timer = Timer(label: "unstale_delivery_lag_seconds", dimensions: [("target", "t")], factory: metrics)
        for milliseconds in [1, 2, 2, 70_000] { timer.recordMilliseconds(milliseconds) }
        let lines = text.split(separator: "\n").map(String.init)
        #expect(lines[1] == "# TYPE unstale_delivery_lag_seconds histogram")
        // A bound belongs to its bucket.
        #expect(lines[2] == #"unstale_delivery_lag_seconds_bucket{target="t",le="0.001"} 1"#)
        #expect(lines[3] == #"unstale_delivery_lag_seconds_bucket{target="t",le="0.0025"} 3"#)
        #expect(lines[16] == #"unstale_delivery_lag_seconds_bucket{target="t",le="60"} 3"#)
        #expect(lines[17] == #"unstale_delivery_lag_seconds_bucket{target="t",le="+Inf"} 4"#)
        #expect(lines[18] == #"unstale_delivery_lag_seconds_sum{target="t"} 70.005"#)
        #expect(lines[19] == #"unstale_delivery_lag_seconds_count{target="t"} 4"#)
        #expect(lines.count == 20)
    }

    @Test func roundTripsHaveFinerBuckets() {
        Timer(label: "unstale_redis_round_trip_seconds", factory: metrics).recordMicroseconds(60)
        #expect(text.contains("_bucket{le=\"5e-05\"} 0\nunstale_redis_round_trip_seconds_bucket{le=\"0.0001\"} 1\n"))
    }

    /// One line that can't be read would cost all the others.
    @Test func whatNobodyMayWriteIsMended() {
        Counter(
            label: "a-b.c", dimensions: [("x y", "1"), ("x_y", "2"), ("le", "3"), ("__name__", "4"), ("5", "6")],
            factory: metrics
        ).increment()
        Counter(label: "c", dimensions: [("v", "a\\b\"c\nd\u{1f600}")], factory: metrics).increment()
        Gauge(label: "n", factory: metrics).record(Double.nan)
        Gauge(label: "i", factory: metrics).record(-Double.infinity)
        #expect(text.contains(#"a_b_c{_5="6",label___name__="4",label_le="3",x_y="1"} 1"#))
        #expect(text.contains(#"c{v="a\\b\"c\nd😀"} 1"#))
        #expect(text.contains("\nn NaN\n") && text.contains("\ni -Inf\n"))
    }

    @Test func oneNameHasOneKind() {
        Counter(label: "twice", factory: metrics).increment()
        Gauge(label: "twice", factory: metrics).record(7)
        #expect(text == "# TYPE twice counter\ntwice 1\n")
    }

    @Test func whatIsDestroyedIsShownNoMore() {
        let one = Counter(label: "c", dimensions: [("n", "1")], factory: metrics)
        let two = Counter(label: "c", dimensions: [("n", "2")], factory: metrics)
        let timer = Timer(label: "t", factory: metrics)
        one.increment()
        one.destroy()
        timer.destroy()
        #expect(text == "# TYPE c counter\nc{n=\"2\"} 0\n")
        two.destroy()
        #expect(text == "")
    }

    /// Many threads count at once, and one reads meanwhile.
    @Test func nothingIsLost() async {
        let (tasks, rounds) = (8, 20_000)
        await withDiscardingTaskGroup { group in
            for number in 0..<tasks {
                group.addTask { [metrics] in
                    let counter = Counter(label: "c", factory: metrics)
                    let fraction = FloatingPointCounter(label: "f", factory: metrics)
                    let timer = Timer(label: "h", factory: metrics)
                    for round in 0..<rounds {
                        counter.increment()
                        fraction.increment(by: 0.5)
                        timer.recordSeconds((round + number) % 2)
                    }
                }
            }
            group.addTask { [metrics] in
                for _ in 0..<200 {
                    let text = MetricsText.render(metrics.snapshot())
                    func value(_ name: String) -> Substring? {
                        text.split(separator: "\n").first { $0.hasPrefix(name) }?.split(separator: " ").last
                    }
                    #expect(value("h_bucket{le=\"+Inf\"}") == value("h_count"))
                }
            }
        }
        let all = tasks * rounds
        #expect(text.contains("\nc \(all)\n") || text.hasPrefix("# TYPE c counter\nc \(all)\n"))
        #expect(text.contains("\nf \(all / 2)\n"))
        #expect(text.contains("\nh_sum \(all / 2)\nh_count \(all)\n"))
        #expect(text.contains("h_bucket{le=\"0.001\"} \(all / 2)\n"))
    }

    /// Prometheus' own program finds nothing to complain about, whatever is counted.
    @Test(.enabled(if: Promtool.isInstalled)) func promtool() async throws {
        for definition in MetricCatalogue.all {
            let dimensions = definition.labels.map { ($0, "a \"quoted\" \\ value\n") }
            switch definition.kind {
            case .counter: Counter(label: definition.name, dimensions: dimensions, factory: metrics).increment()
            case .gauge: Gauge(label: definition.name, dimensions: dimensions, factory: metrics).record(1)
            case .histogram:
                Timer(label: definition.name, dimensions: dimensions, factory: metrics).recordMilliseconds(3)
            }
        }
        try await Promtool.check(text)
        await #expect(throws: TestError.self) { try await Promtool.check("# TYPE a counter\na{b=\"\n") }
    }

    @Test func process() throws {
        let text = MetricsText.render(ProcessMetrics.read())
        func value(_ name: String) throws -> Double {
            let line = text.split(separator: "\n").first { $0.hasPrefix(name + " ") }
            return try #require(line?.split(separator: " ").last.flatMap { Double($0) }, "\(name)")
        }
        let page = 4096.0
        #expect(try value("process_resident_memory_bytes") > 100 * page)
        #expect(try value("process_virtual_memory_bytes") > value("process_resident_memory_bytes"))
        #expect(try value("process_cpu_seconds_total") > 0)
        #expect(try (3...10_000).contains(value("process_open_fds")))
        #expect(try value("process_max_fds") >= value("process_open_fds"))
        let age = Date.now.timeIntervalSince1970 - (try value("process_start_time_seconds"))
        #expect((-2...7_200).contains(age))
        #expect(text.contains("# TYPE process_cpu_seconds_total counter\n"))
    }
}
