// swift-tools-version: 6.1

import PackageDescription

// A package of its own, so that nobody who builds the worker builds this.
let package = Package(
    name: "benchmarks",
    dependencies: [
        .package(name: "unstale", path: ".."),
        // Without its traits it needs nothing but Swift; they count allocations, which is not what we measure.
        .package(url: "https://github.com/ordo-one/benchmark", from: "1.38.1", traits: []),
    ],
    targets: [
        .target(name: "Workload", dependencies: [.product(name: "Rules", package: "unstale")], path: "workload"),
        // The plugin wants a benchmark to be in a folder of a folder named Benchmarks: this one, then.
        .executableTarget(
            name: "planner",
            dependencies: ["Workload", .product(name: "Benchmark", package: "benchmark")],
            path: "planner",
            plugins: [.plugin(name: "BenchmarkPlugin", package: "benchmark")]),
        .executableTarget(name: "instructions", dependencies: ["Workload"], path: "instructions"),
    ]
)
