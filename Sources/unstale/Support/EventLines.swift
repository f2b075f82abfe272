/// Reads server-sent events from bytes as they come. A value.
struct EventLines {
    /// An event with its data.
    struct Event: Equatable {
        var name = "message"
        var data = ""
    }

    /// No event of ours is anywhere near as long.
    private static let limit = 4 << 20

    private var line: [UInt8] = []
    private var event = Event()

    /// The events that are complete now; nil: this is no stream of events.
    mutating func read(_ bytes: some Sequence<UInt8>) -> [Event]? {
        var events: [Event] = []
        for byte in bytes {
            guard byte == UInt8(ascii: "\n") else {
                line.append(byte)
                continue
            }
            if line.last == UInt8(ascii: "\r") { line.removeLast() }
            if let complete = end(of: String(decoding: line, as: UTF8.self)) { events.append(complete) }
            line.removeAll(keepingCapacity: true)
        }
        return line.count + event.data.utf8.count > Self.limit ? nil : events
    }

    private mutating func end(of line: String) -> Event? {
        guard !line.isEmpty else {
            defer { event = Event() }
            return event.data.isEmpty ? nil : event
        }
        // What begins with a colon is a comment.
        let parts = line.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
        let value = parts.count < 2 ? "" : parts[1].hasPrefix(" ") ? parts[1].dropFirst() : parts[1]
        switch parts[0] {
        case "event": event.name = String(value)
        case "data": event.data += (event.data.isEmpty ? "" : "\n") + value
        default: break
        }
        return nil
    }
}
