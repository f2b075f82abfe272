/// Some keys in the order of their bytes, one behind the other: of each its length and its mark in four bytes, then
/// the key. Offsets are those of such entries.
struct KeyPage {
    /// One key of a page.
    struct Entry {
        let key: Range<Int>
        let isHeard: Bool

        /// Where the next entry is.
        var end: Int { key.upperBound }
    }

    /// What Swift and malloc keep beside the bytes of an array.
    private static let arrayOverhead = 40
    private static let headerSize = 4
    private static let mark: UInt32 = 1 << 31

    private(set) var bytes: [UInt8] = []
    private(set) var count: Int32 = 0
    /// How many have the mark.
    private(set) var heardCount: Int32 = 0

    /// An empty page with room for so many bytes.
    init(capacity: Int) { bytes.reserveCapacity(capacity) }

    /// What it takes, in bytes.
    var memory: Int { bytes.capacity + Self.arrayOverhead }

    /// What a key takes in it.
    static func size(of key: Span<UInt8>) -> Int { headerSize + key.count }

    /// The entry there.
    func entry(at offset: Int) -> Entry {
        let header = bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: UInt32.self) }
        let start = offset + Self.headerSize
        return Entry(key: start..<(start + Int(header & ~Self.mark)), isHeard: header & Self.mark != 0)
    }

    /// How the first key stands to another.
    func orderOfFirst(against key: Span<UInt8>) -> Ordering { order(of: entry(at: 0), against: key) }

    /// Where the key is, or belongs.
    func place(of key: Span<UInt8>) -> (offset: Int, isThere: Bool) {
        var offset = 0
        while offset < bytes.count {
            let entry = entry(at: offset)
            switch order(of: entry, against: key) {
            case .before: offset = entry.end
            case .same: return (offset, true)
            case .behind: return (offset, false)
            }
        }
        return (offset, false)
    }

    /// Puts a key where it belongs.
    mutating func insert(_ key: Span<UInt8>, isHeard: Bool, at offset: Int) {
        let size = Self.size(of: key)
        let end = bytes.count
        bytes.append(contentsOf: repeatElement(0, count: size))
        bytes.withUnsafeMutableBytes { bytes in
            let tail = UnsafeMutableRawBufferPointer(rebasing: bytes[(offset + size)...])
            tail.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[offset..<end]))
            bytes.storeBytes(
                of: UInt32(key.count) | (isHeard ? Self.mark : 0), toByteOffset: offset, as: UInt32.self)
            let body = UnsafeMutableRawBufferPointer(rebasing: bytes[(offset + Self.headerSize)...])
            key.withUnsafeBytes { body.copyMemory(from: $0) }
        }
        count += 1
        if isHeard { heardCount += 1 }
    }

    /// Takes the entry there out.
    mutating func remove(at offset: Int) {
        let entry = entry(at: offset)
        bytes.removeSubrange(offset..<entry.end)
        count -= 1
        if entry.isHeard { heardCount -= 1 }
    }

    /// Sets or takes the mark of the entry there.
    mutating func mark(_ isHeard: Bool, at offset: Int) {
        let entry = entry(at: offset)
        guard entry.isHeard != isHeard else { return }
        bytes.withUnsafeMutableBytes {
            $0.storeBytes(
                of: UInt32(entry.key.count) | (isHeard ? Self.mark : 0), toByteOffset: offset, as: UInt32.self)
        }
        heardCount += isHeard ? 1 : -1
    }

    /// Where the half of its bytes ends: at an entry that is neither the first nor behind the last; nil: there is none.
    var middle: Int? {
        var offset = 0
        var last = 0
        while offset < bytes.count / 2 {
            last = offset
            offset = entry(at: offset).end
        }
        let middle = offset < bytes.count ? offset : last
        return middle == 0 ? nil : middle
    }

    /// The keys between two offsets, and those of the next page, in a page with room for so many bytes.
    func copied(from start: Int = 0, to end: Int? = nil, with next: KeyPage? = nil, capacity: Int) -> KeyPage {
        var page = KeyPage(capacity: capacity)
        page.bytes.append(contentsOf: bytes[start..<(end ?? bytes.count)])
        if let next { page.bytes.append(contentsOf: next.bytes) }
        var offset = 0
        while offset < page.bytes.count {
            let entry = page.entry(at: offset)
            page.count += 1
            if entry.isHeard { page.heardCount += 1 }
            offset = entry.end
        }
        return page
    }

    private func order(of entry: Entry, against key: Span<UInt8>) -> Ordering {
        bytes.withUnsafeBytes { bytes in
            key.withUnsafeBytes { Ordering(UnsafeRawBufferPointer(rebasing: bytes[entry.key]), $0) }
        }
    }
}
