import Glibc

/// How one byte string stands to another, in the order of their bytes.
enum Ordering {
    case before, same, behind

    init(_ bytes: UnsafeRawBufferPointer, _ others: UnsafeRawBufferPointer) {
        var order = 0
        if let first = bytes.baseAddress, let second = others.baseAddress {
            order = Int(memcmp(first, second, min(bytes.count, others.count)))
        }
        if order == 0 { order = bytes.count - others.count }
        self = order == 0 ? .same : order < 0 ? .before : .behind
    }
}
