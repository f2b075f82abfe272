import Redis

/// Keys in the order of their bytes, in pages that have some room for more: no object per key, and the keys that begin
/// alike side by side. A value without I/O.
///
/// A key costs its bytes, four for its length and mark, and its share of the room: with keys of 30 bytes that come in no
/// order some 20 bytes on top of them, at any number of keys.
///
/// A key is marked when it was heard of and nobody has looked since whether it is still there.
struct KeyPages {
    /// Large enough that what a page costs itself is little, small enough that looking through one is quick.
    private static let pageSize = 2048

    private var pages: [KeyPage] = []
    /// How many keys there are.
    private(set) var count = 0
    /// How many of them have the mark.
    private(set) var heardCount = 0
    /// What the pages take, in bytes.
    private var pageMemory = 0

    /// What all of it takes, in bytes.
    var memory: Int { pageMemory + pages.capacity * MemoryLayout<KeyPage>.stride }

    /// Adds a key where it is not there yet, and marks it if it was heard of. A mark that it has stays.
    mutating func insert(_ key: Span<UInt8>, isHeard: Bool) {
        if pages.isEmpty { put(KeyPage(capacity: Self.pageSize), at: 0) }
        while true {
            let index = page(for: key)
            let place = pages[index].place(of: key)
            if place.isThere {
                if isHeard { mark(true, at: place.offset, of: index) }
                return
            }
            if pages[index].count == 0 || pages[index].bytes.count + KeyPage.size(of: key) <= Self.pageSize {
                return insert(key, isHeard: isHeard, at: place.offset, of: index)
            }
            makeRoom(in: index, at: place.offset)
        }
    }

    /// Whether the key is there.
    func contains(_ key: Span<UInt8>) -> Bool { !pages.isEmpty && pages[page(for: key)].place(of: key).isThere }

    /// Takes a key out that is gone, unless it has the mark: then it was heard of since somebody looked.
    mutating func removeUnlessHeard(_ key: Span<UInt8>) {
        guard !pages.isEmpty else { return }
        let index = page(for: key)
        let place = pages[index].place(of: key)
        guard place.isThere, !pages[index].entry(at: place.offset).isHeard else { return }
        pageMemory -= pages[index].memory
        pages[index].remove(at: place.offset)
        pageMemory += pages[index].memory
        count -= 1
        tidy(index)
    }

    /// The next keys with the mark, from a key on, no more than `limit`. Takes their marks.
    mutating func takeHeard(from start: Span<UInt8>, limit: Int) -> RedisStrings {
        var taken = RedisStrings()
        guard heardCount > 0, !pages.isEmpty else { return taken }
        let first = page(for: start)
        for index in first..<pages.count where pages[index].heardCount > 0 {
            var offset = index == first ? pages[index].place(of: start).offset : 0
            while offset < pages[index].bytes.count {
                let entry = pages[index].entry(at: offset)
                if entry.isHeard {
                    pages[index].bytes.withUnsafeBytes {
                        taken.append(UnsafeRawBufferPointer(rebasing: $0[entry.key]))
                    }
                    mark(false, at: offset, of: index)
                    if taken.count == limit { return taken }
                }
                offset = entry.end
            }
        }
        return taken
    }

    /// The next keys that begin with a prefix, from a key on that does, no more than `limit`.
    func keys(beginningWith prefix: Span<UInt8>, from start: Span<UInt8>, limit: Int) -> RedisStrings {
        var found = RedisStrings()
        guard !pages.isEmpty else { return found }
        let first = page(for: start)
        for index in first..<pages.count {
            var offset = index == first ? pages[index].place(of: start).offset : 0
            let isAtEnd = pages[index].bytes.withUnsafeBytes { bytes in
                while offset < bytes.count {
                    let entry = pages[index].entry(at: offset)
                    let key = UnsafeRawBufferPointer(rebasing: bytes[entry.key])
                    let isMeant = prefix.withUnsafeBytes { prefix in
                        key.count >= prefix.count
                            && Ordering(UnsafeRawBufferPointer(rebasing: key.prefix(prefix.count)), prefix) == .same
                    }
                    guard isMeant, found.count < limit else { return true }
                    found.append(key)
                    offset = entry.end
                }
                return false
            }
            if isAtEnd { break }
        }
        return found
    }

    /// The page that has the key, if any has.
    private func page(for key: Span<UInt8>) -> Int {
        var (low, high) = (0, pages.count)
        // The pages before `low` begin with a key that is not behind this one, those from `high` on don't.
        while low < high {
            let middle = (low + high) / 2
            if pages[middle].count == 0 || pages[middle].orderOfFirst(against: key) != .behind {
                low = middle + 1
            } else {
                high = middle
            }
        }
        return max(0, low - 1)
    }

    private mutating func mark(_ isHeard: Bool, at offset: Int, of index: Int) {
        heardCount -= Int(pages[index].heardCount)
        pages[index].mark(isHeard, at: offset)
        heardCount += Int(pages[index].heardCount)
    }

    private mutating func insert(_ key: Span<UInt8>, isHeard: Bool, at offset: Int, of index: Int) {
        pageMemory -= pages[index].memory
        pages[index].insert(key, isHeard: isHeard, at: offset)
        pageMemory += pages[index].memory
        count += 1
        if isHeard { heardCount += 1 }
    }

    /// Makes two pages of one that is full, of which one has room. A key that comes behind the last gets a page to
    /// itself: keys that come in their order leave full pages behind.
    private mutating func makeRoom(in index: Int, at offset: Int) {
        let page = pages[index]
        if offset == page.bytes.count {
            put(KeyPage(capacity: Self.pageSize), at: index + 1)
        } else if let middle = page.middle {
            replace(index, with: page.copied(to: middle, capacity: Self.pageSize))
            put(page.copied(from: middle, capacity: Self.pageSize), at: index + 1)
        } else {
            put(KeyPage(capacity: Self.pageSize), at: index)
        }
    }

    /// Takes an empty page out, and puts one that has little beside another that has room.
    private mutating func tidy(_ index: Int) {
        let size = pages[index].bytes.count
        if size == 0 {
            pageMemory -= pages[index].memory
            pages.remove(at: index)
        } else if size < Self.pageSize / 4 {
            let neighbours = [index, index - 1].filter { $0 >= 0 && $0 + 1 < pages.count }
            let left = neighbours.first { pages[$0].bytes.count + pages[$0 + 1].bytes.count <= Self.pageSize * 3 / 4 }
            guard let left else { return }
            replace(left, with: pages[left].copied(with: pages[left + 1], capacity: Self.pageSize))
            pageMemory -= pages[left + 1].memory
            pages.remove(at: left + 1)
        }
    }

    private mutating func put(_ page: KeyPage, at index: Int) {
        pages.insert(page, at: index)
        pageMemory += page.memory
    }

    private mutating func replace(_ index: Int, with page: KeyPage) {
        pageMemory += page.memory - pages[index].memory
        pages[index] = page
    }
}
