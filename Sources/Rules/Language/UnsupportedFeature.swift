/// What the language has and the worker does not do yet.
enum UnsupportedFeature {
    /// The keys of a rule, those of its parts with a dot. Whoever builds one takes its name away.
    static let names: Set<String> = ["delete.tags", "expire", "bump", "publish"]
}
