import Workload

// Plans so many batches, for valgrind to count instructions: instructions RULES BATCHES
let arguments = CommandLine.arguments.dropFirst().compactMap { Int($0) }
guard arguments.count == 2 else { fatalError("instructions RULES BATCHES") }
let workload = try Workload(rules: arguments[0])
for _ in 0..<arguments[1] where workload.plan() != Workload.batch {
    fatalError("a plan has other keys than the changes asked for")
}
