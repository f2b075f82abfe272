import Delivery
import Redis
import Rules
import Worker
import Yams

/// Makes targets of the list `targets` in a `--config` file, and collects every mistake in it. A URL is not repeated, for
/// it may hold a password.
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

    let path: String
    let common: Common
    private(set) var mistakes: [String] = []
    private var names: Set<String> = []

    private static let known = [
        "name", "url", "fence", "attempts", "wait_replicas", "index", "sweep_share", "resync",
    ]

    init(path: String, common: Common) {
        self.path = path
        self.common = common
    }

    /// The targets of the list; what is wrong is left out.
    mutating func targets(_ node: Node) -> [TargetSettings] {
        guard case .sequence(let items) = node, !items.isEmpty else {
            fail(node, "'targets' must be a list of targets, one at least") as Void?
            return []
        }
        return items.compactMap { target($0) }
    }

    private mutating func target(_ node: Node) -> TargetSettings? {
        guard let fields = fields(of: node, "a target", known: Self.known) else { return nil }
        let name = required("name", in: fields, of: node).flatMap { self.name($0) }
        let url = required("url", in: fields, of: node).flatMap { self.url($0) }
        var options = TargetOptions(fencesAll: fields["fence"].flatMap { truth($0, "fence") } ?? common.fences)
        let attempts = fields["attempts"].flatMap { number($0, "attempts", from: 1) } ?? common.attempts
        if let count = fields["wait_replicas"].flatMap({ number($0, "wait_replicas", from: 0) }) {
            options.waitReplicas = count
        }
        options.index = fields["index"].flatMap { index($0) }
        let sweep = fields["sweep_share"].flatMap { share($0) }.map { SweepOptions(share: $0) } ?? SweepOptions()
        let resync = fields["resync"].flatMap { self.resync($0) } ?? .anyRow
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
            return fail(node, "'name' must be letters, digits and dashes, at most 63")
        }
        guard names.insert(name).inserted else { return fail(node, "there is another target '\(name)' before") }
        return name
    }

    private mutating func url(_ node: Node) -> RedisURL? {
        guard let text = node.scalar?.string else { return fail(node, "'url' must be text") }
        do {
            return try RedisURL(text)
        } catch {
            return fail(node, "'url': \(error)")
        }
    }

    private mutating func index(_ node: Node) -> KeyIndexOptions? {
        guard let fields = fields(of: node, "'index'", known: ["prefixes", "memory"]) else { return nil }
        let prefixes = required("prefixes", in: fields, of: node).flatMap { self.prefixes($0) }
        var memory: Int?
        if let node = fields["memory"] {
            memory = node.scalar.flatMap { parseSize($0.string) }
            if memory == nil { fail(node, "'memory' must be a size such as 256MiB") as Void? }
        }
        guard let prefixes else { return nil }
        guard let memory else { return KeyIndexOptions(prefixes: prefixes) }
        return KeyIndexOptions(prefixes: prefixes, memoryLimit: memory)
    }

    /// Redis refuses to track a prefix that another begins with.
    private mutating func prefixes(_ node: Node) -> [String]? {
        guard case .sequence(let items) = node, !items.isEmpty else {
            return fail(node, "'prefixes' must be a list of what keys begin with, one at least")
        }
        var prefixes: [String] = []
        for item in items {
            guard let prefix = item.scalar?.string, !prefix.isEmpty else {
                fail(item, "an item of 'prefixes' must be text") as Void?
                continue
            }
            if let other = prefixes.first(where: { $0.hasPrefix(prefix) || prefix.hasPrefix($0) }) {
                fail(item, "the prefixes '\(escaped(other))' and '\(escaped(prefix))' are about the same keys") as Void?
            }
            prefixes.append(prefix)
        }
        return prefixes
    }

    private mutating func share(_ node: Node) -> Double? {
        guard let percent = node.scalar.flatMap({ parsePercent($0.string) }), percent > 0 else {
            return fail(node, "'sweep_share' must be a percentage from 1% to 100%")
        }
        return Double(percent) / 100
    }

    private mutating func resync(_ node: Node) -> TargetSettings.Resync? {
        let known = TargetSettings.Resync.allCases.map(\.rawValue)
        guard let text = node.scalar?.string, let resync = TargetSettings.Resync(rawValue: text) else {
            return fail(
                node, "'resync' must be one of \(known.joined(separator: ", "))",
                suggestion: node.scalar.flatMap { known.nearest(to: $0.string) })
        }
        return resync
    }

    private mutating func number(_ node: Node, _ name: String, from minimum: Int) -> Int? {
        guard let number = node.scalar.flatMap({ Int($0.string) }), number >= minimum else {
            return fail(node, "'\(name)' must be a number from \(minimum) up")
        }
        return number
    }

    private mutating func truth(_ node: Node, _ name: String) -> Bool? {
        guard let truth = node.scalar.flatMap({ Bool($0.string) }) else {
            return fail(node, "'\(name)' must be true or false")
        }
        return truth
    }

    // MARK: What all have in common

    private mutating func fields(of node: Node, _ what: String, known: [String]) -> [String: Node]? {
        guard case .mapping(let mapping) = node else { return fail(node, "\(what) must be a mapping") }
        var fields: [String: Node] = [:]
        for (key, value) in mapping {
            let word = key.scalar?.string ?? ""
            if !known.contains(word) {
                let message = "unknown setting '\(escaped(word))' in \(what)"
                fail(key, message, suggestion: known.nearest(to: word)) as Void?
            }
            fields[word] = value
        }
        return fields
    }

    private mutating func required(_ name: String, in fields: [String: Node], of node: Node) -> Node? {
        if let field = fields[name] { return field }
        let what = name == "prefixes" ? "'index'" : "a target"
        return fail(node, "\(what) needs '\(name)'")
    }

    @discardableResult
    private mutating func fail<Value>(_ node: Node, _ message: String, suggestion: String? = nil) -> Value? {
        let position = node.mark.map { "\(path):\($0.line):\($0.column)" } ?? path
        let question = suggestion.map { "; did you mean '\($0)'?" } ?? ""
        mistakes.append("\(position): \(message)\(question)")
        return nil
    }
}
