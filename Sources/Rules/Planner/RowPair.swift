/// The two images of a changed row.
struct RowPair {
    /// The row before the change.
    let old: Image?
    /// The row after the change.
    let new: Image?
    /// Whether the images are known to be equal in all that matters.
    let isSame: Bool

    init(old: Image?, new: Image?) {
        self.old = old
        self.new = new
        isSame = false
    }

    init(_ change: consuming Change) {
        // An update that leaves all recorded columns as they were is recorded with one image.
        isSame = change.kind == .update && change.old == nil
        old = isSame ? change.new : change.old
        new = change.new
    }

    /// The image that a column is taken from, where `.either` means this one.
    func image(_ side: ImageColumn.Side, either: Image?) -> Image? {
        switch side {
        case .either: either
        case .old: old
        case .new: new
        }
    }

    /// Makes something of the old image and then of the new one, unless it is the same; where they are `alike`, that is
    /// known beforehand.
    func forEach<Value: Equatable>(alike: Bool = false, _ make: (Image) -> Value?, _ body: (Value) -> Void) {
        let first = old.flatMap(make)
        if let first { body(first) }
        if !isSame, !alike, let second = new.flatMap(make), second != first { body(second) }
    }
}
