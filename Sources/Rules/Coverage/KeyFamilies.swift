/// Sorts keys into families by their shapes, in bounded memory however many keys there are. A value without I/O.
///
/// Numbers, hashes and the like are seen in a single key. Other text that varies shows by its many values in one
/// place, so keys are held as a tree of steps, and where too many names hang beside one another they become one `*`.
/// That is done at the end, and now and then before, whenever the tree has grown large.
public struct KeyFamilies: Sendable {
    private var root = KeyTree()
    private var grown = 0
    private var strictness = 0
    private let nodeLimit: Int

    /// No keys yet.
    public init() { self.init(nodeLimit: 20_000) }

    /// - Parameter nodeLimit: By so many nodes the tree may grow before it is folded.
    init(nodeLimit: Int) { self.nodeLimit = nodeLimit }

    /// Adds a key. One that comes twice counts twice.
    public mutating func add(_ key: [UInt8]) {
        grown += root.insert(KeyShape(key).steps[...], KeyTree.excerpt(of: key))
        guard grown > nodeLimit else { return }
        fold()
        grown = 0
    }

    /// The families, the largest first.
    public var families: [KeyFamily] {
        var copy = self
        copy.fold()
        return copy.root.families.sorted { ($1.count, $0.shape) < ($0.count, $1.shape) }
    }

    /// Folds what varies, and more where the tree would stay large.
    private mutating func fold() {
        root.fold(KeyTree.Limits(strictness))
        while root.leafCount > nodeLimit / 4 {
            strictness += 1
            root.fold(KeyTree.Limits(strictness))
        }
    }
}
