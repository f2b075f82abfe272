import Benchmark
import Workload

/// Planning alone, by how many rules there are; a sample is one batch. What comes before the loop is not measured.
let benchmarks: @Sendable () -> Void = {
    for rules in [1, 100, 1_000] {
        do {
            let workload = try Workload(rules: rules)
            Benchmark("rules: \(rules)", configuration: .init(metrics: [.wallClock], warmupIterations: 100)) {
                benchmark in
                for _ in benchmark.scaledIterations { blackHole(workload.plan()) }
            }
        } catch {
            fatalError("\(error)")
        }
    }
}
