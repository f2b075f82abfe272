import Delivery
import Redis
import Rules
import Worker
import Yams

/// Makes targets of the list `targets` in a `--config` file.
struct TargetSection {
    /// What holds for a target that doesn't say otherwise.
    struct Common {
        var attempts: Int
        var fences: Bool

        func target(at url: RedisURL) -> TargetSettings {
            TargetSettings(
                url: url, options: TargetOptions(fencesAll: fences), retry: RetryPolicy(attempts: attempts))
        }
    }

    let common: Common
    private var reader: SectionReader
    private var names: Set<String> = []

    private static let known = [
        "name", "url", "fence", "attempts", "wait_replicas", "index", "sweep_share", "resync",
    ]

    init(path: String, common: Common) {
        reader = SectionReader(path: path)
        self.common = common
    }

    /// All that is wrong with it, a line each.
    var mistakes: [String] { reader.mistakes }

    /// The targets of the list; what is wrong is left out.
    mutating func targets(_ node: Node) -> [TargetSettings] {
        guard case .sequence(let items) = node, !items.isEmpty else {
            reader.complain(node, "'targets' must be a list of targets, one at least")
            return []
        }
        return items.compactMap { target($0) }
    }

    private mutating func target(_ node: Node) -> TargetSettings? {
        guard let fields = reader.fields(of: node, "a target", known: Self.known) else { return nil }
        let name = reader.required("name", in: fields, of: node, "a target").flatMap { self.name($0) }
        let url = reader.required("url", in: fields, of: node, "a target").flatMap { self.url($0) }
        var options = TargetOptions(fencesAll: fields["fence"].flatMap { reader.truth($0, "fence") } ?? common.fences)
        let attempts = fields["attempts"].flatMap { reader.number($0, "attempts", from: 1) } ?? common.attempts
        if let count = fields["wait_replicas"].flatMap({ reader.number($0, "wait_replicas", from: 0) }) {
            options.waitReplicas = count
        }
        options.index = fields["index"].flatMap { index($0) }
        let sweep = fields["sweep_share"].flatMap { share($0) }.map { SweepOptions(share: $0) } ?? SweepOptions()
        let resync = fields["resync"].flatMap { reader.choice($0, "resync") } ?? TargetSettings.Resync.anyRow
        guard let name, let url else { return nil }
        return TargetSettings(
            name: name, url: url, options: options, sweep: sweep, retry: RetryPolicy(attempts: attempts),
            resync: resync)
    }

    // MARK: Values

    /// It stands in metrics, logs and commands, so it is made of what needs no quoting anywhere.
    private mutating func name(_ node: Node) -> String? {
        let isPlain = { (byte: UInt8) in
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20) || byte == UInt8(ascii: "-")
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
        }
        guard let name = node.scalar?.string, (1...63).contains(name.utf8.count), name.utf8.allSatisfy(isPlain) else {
            return reader.fail(node, "'name' must be letters, digits and dashes, at most 63")
        }
        guard names.insert(name).inserted else { return reader.fail(node, "there is another target '\(name)' before") }
        return name
    }

    private mutating func url(_ node: Node) -> RedisURL? {
        guard let text = node.scalar?.string else { return reader.fail(node, "'url' must be text") }
        do {
            return try RedisURL(text)
        } catch {
            return reader.fail(node, "'url': \(error)")
        }
    }

    private mutating func index(_ node: Node) -> KeyIndexOptions? {
        guard let fields = reader.fields(of: node, "'index'", known: ["prefixes", "memory"]) else { return nil }
        let prefixes = reader.required("prefixes", in: fields, of: node, "'index'").flatMap { self.prefixes($0) }
        var memory: Int?
        if let node = fields["memory"] {
            memory = node.scalar.flatMap { parseSize($0.string) }
            if memory == nil { reader.complain(node, "'memory' must be a size such as 256MiB") }
        }
        guard let prefixes else { return nil }
        guard let memory else { return KeyIndexOptions(prefixes: prefixes) }
        return KeyIndexOptions(prefixes: prefixes, memoryLimit: memory)
    }

    /// Redis refuses to track a prefix that another begins with.
    private mutating func prefixes(_ node: Node) -> [String]? {
        guard case .sequence(let items) = node, !items.isEmpty else {
            return reader.fail(node, "'prefixes' must be a list of what keys begin with, one at least")
        }
        var prefixes: [String] = []
        for item in items {
            guard let prefix = item.scalar?.string, !prefix.isEmpty else {
                reader.complain(item, "an item of 'prefixes' must be text")
                continue
            }
            if let other = prefixes.first(where: { $0.hasPrefix(prefix) || prefix.hasPrefix($0) }) {
                reader.complain(
                    item, "the prefixes '\(escaped(other))' and '\(escaped(prefix))' are about the same keys")
            }
            prefixes.append(prefix)
        }
        return prefixes
    }

    private mutating func share(_ node: Node) -> Double? {
        guard let percent = node.scalar.flatMap({ parsePercent($0.string) }), percent > 0 else {
            return reader.fail(node, "'sweep_share' must be a percentage from 1% to 100%")
        }
        return Double(percent) / 100
    }
}
