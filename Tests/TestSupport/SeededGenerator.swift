import FoundationEssentials

/// Randomness that can be had again: SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number
/// generators, 2014). Its seed is printed, and taken from `UNSTALE_TEST_SEED` where that is set.
public struct SeededGenerator: RandomNumberGenerator, Sendable {
    private var state: UInt64

    /// A generator for the test of this name.
    public init(_ test: String = #function) {
        let given = ProcessInfo.processInfo.environment["UNSTALE_TEST_SEED"].flatMap { UInt64($0) }
        let seed = given ?? .random(in: 0...UInt64(UInt32.max))
        print("\(test): UNSTALE_TEST_SEED=\(seed)")
        self.init(seed: seed)
    }

    /// The generator with this seed.
    public init(seed: UInt64) { state = seed }

    /// The next 64 bits.
    public mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
