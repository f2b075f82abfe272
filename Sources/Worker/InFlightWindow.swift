import Capture
import DequeModule

/// The batches that were read and are not finished, and how far everything before them is done. A value.
struct InFlightWindow: Sendable {
    /// Stands for a batch. One from before a reset means nothing any more.
    struct Ticket: Hashable, Sendable {
        fileprivate let epoch: Int
        fileprivate let number: Int
    }

    private struct Entry {
        var position: ReadPosition
        var weight: Int
        var isFinished = false
    }

    /// Everything up to here is done: the low-water mark, which the cursor stores.
    private(set) var acknowledged: ReadPosition
    /// Grows with every batch that is acknowledged, and when the window begins anew; not with what a read without
    /// records passes, for behind that there is nothing to serve.
    private(set) var progress = 0
    private let limit: Int
    private var entries: Deque<Entry> = []
    private var firstNumber = 0
    private var epoch = 0
    private var weight = 0

    /// A window that begins at a position and has room for work of this weight.
    init(at position: ReadPosition, limit: Int) {
        acknowledged = position
        self.limit = limit
    }

    /// Whether reading has to wait. A single batch always has room, however heavy.
    var isFull: Bool { weight >= limit }

    /// Whether nothing is in flight.
    var isEmpty: Bool { entries.isEmpty }

    /// A batch was read; behind it the reader stands at `position`.
    mutating func begin(_ position: ReadPosition, weight: Int) -> Ticket {
        entries.append(Entry(position: position, weight: weight))
        self.weight += weight
        return Ticket(epoch: epoch, number: firstNumber + entries.count - 1)
    }

    /// A read brought nothing to do.
    mutating func pass(_ position: ReadPosition) {
        if entries.isEmpty {
            acknowledged = position
        } else {
            entries[entries.count - 1].position = position
        }
    }

    /// It is known better what a batch weighs, or part of it is done.
    mutating func weigh(_ ticket: Ticket, _ weight: Int) {
        guard let index = index(of: ticket) else { return }
        self.weight += weight - entries[index].weight
        entries[index].weight = weight
    }

    /// A batch is done.
    mutating func finish(_ ticket: Ticket) {
        weigh(ticket, 0)
        guard let index = index(of: ticket) else { return }
        entries[index].isFinished = true
        while let first = entries.first, first.isFinished {
            acknowledged = first.position
            progress += 1
            entries.removeFirst()
            firstNumber += 1
        }
    }

    /// Begins anew elsewhere; what is in flight counts no more.
    mutating func reset(to position: ReadPosition) {
        let (epoch, progress) = (epoch + 1, progress + 1)
        self = InFlightWindow(at: position, limit: limit)
        (self.epoch, self.progress) = (epoch, progress)
    }

    private func index(of ticket: Ticket) -> Int? {
        ticket.epoch == epoch ? ticket.number - firstNumber : nil
    }
}
