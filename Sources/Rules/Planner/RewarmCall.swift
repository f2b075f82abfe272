/// One execution of a rule's loader: which entry it is for, and what it needs to know.
public struct RewarmCall: Hashable, Sendable {
    /// What a loader is given.
    public enum Input: Hashable, Sendable {
        /// The values of the query's `parameters`, in their order.
        case sql([[UInt8]?])
        /// The request.
        case http(HTTPCall)
    }

    /// The rule: an index of `Planner.rules`.
    public let rule: Int
    /// Which of the rule's `rewarm`.
    public let entry: Int
    /// The entry's key.
    public let key: Key
    /// What its loader is given.
    public let input: Input
    /// Whether the key alone says what that is. Otherwise an older change may have asked for something else.
    public let isKeyed: Bool
    /// Whether it was tried before. Then it is loaded whether or not the entry exists, for it did, and in a
    /// query of its own, so that it doesn't spoil others again.
    public var isRetry: Bool

    /// A call.
    public init(rule: Int, entry: Int, key: Key, input: Input, isKeyed: Bool, isRetry: Bool = false) {
        self.rule = rule
        self.entry = entry
        self.key = key
        self.input = input
        self.isKeyed = isKeyed
        self.isRetry = isRetry
    }

    /// The loader's values of a query: none for a request.
    public var parameters: [[UInt8]?] { if case .sql(let values) = input { values } else { [] } }
}

/// Two calls for one key, of two changes of which nobody knows whether they come in the order of their commits: records
/// come in that of their transactions' numbers, and what is tried again comes late.
extension RewarmCall {
    /// Whether it matters which of them is the later.
    public func contradicts(_ other: RewarmCall) -> Bool { !isKeyed && !other.isKeyed && input != other.input }

    /// The one that serves both, where they don't contradict each other: the one that came later, but one that goes by
    /// the key is right whenever it comes.
    public func joined(by later: RewarmCall) -> RewarmCall { isKeyed && !later.isKeyed ? self : later }
}

/// A call as text. The rule is left out, and its loader is named by the template of the entry's key, for their
/// numbers mean nothing to another process. What the rules say by themselves, such as a header with a password, is
/// left out too.
extension RewarmCall {
    /// What outlives the process.
    public struct Record: Codable, Hashable, Sendable {
        /// The entry's key.
        public var key: Key
        /// The template that made it.
        public var template: ByteText
        /// The query's parameters, as `parameters` has their values.
        var columns: [String]?
        var parameters: [ByteText?]?
        var http: HTTPCall?
    }

    /// The call as a record.
    public func record(_ rules: [Rule]) -> Record {
        let rewarm = rules[rule].rewarm[entry]
        var record = Record(key: key, template: rewarm.key.recordedSource, columns: nil, parameters: nil, http: nil)
        switch (input, rewarm.loader) {
        case (.sql(let values), _):
            record.columns = rewarm.sql?.parameters.map(\.description)
            record.parameters = values.map { $0.map { ByteText(bytes: $0) } }
        case (.http(var call), .http(let http)):
            let fixed = Set(http.headers.filter(\.value.isFixed).map(\.name))
            call.headers.removeAll { fixed.contains($0.name) }
            record.http = call
        case (.http(let call), .sql): record.http = call
        }
        return record
    }
}

extension Planner {
    /// The call that was recorded, for the rule with this number; nil where the rule has no such loader any more, or
    /// one that asks for something else.
    public func call(_ record: RewarmCall.Record, ofRule rule: Int) -> RewarmCall? {
        guard let entry = rules[rule].rewarm.firstIndex(where: { $0.key.recordedSource == record.template }) else {
            return nil
        }
        let input: RewarmCall.Input
        switch (rules[rule].rewarm[entry].loader, record.parameters, record.http) {
        case (.sql(let sql), let values?, _):
            guard record.columns == sql.parameters.map(\.description), values.count == sql.parameters.count else {
                return nil
            }
            input = .sql(values.map { $0?.bytes })
        case (.http(let http), _, let call?):
            guard let call = http.call(call) else { return nil }
            input = .http(call)
        default: return nil
        }
        return RewarmCall(
            rule: rule, entry: entry, key: record.key, input: input,
            isKeyed: rules[rule].rewarm[entry].isKeyed, isRetry: true)
    }
}

extension HTTPTemplate {
    /// A recorded request as it is made today; nil where these templates could not make it.
    fileprivate func call(_ recorded: HTTPCall) -> HTTPCall? {
        guard url.couldMake(recorded.url) else { return nil }
        var call = HTTPCall(url: recorded.url)
        for (name, template) in headers {
            let value = template.isFixed ? template.leadingText : recorded.headers.first { $0.name == name }?.value
            guard let value, template.couldMake(value) else { return nil }
            call.headers.append(HTTPCall.Header(name: name, value: value))
        }
        return call
    }
}

extension Template {
    fileprivate var recordedSource: ByteText { ByteText(bytes: Array(source.utf8)) }

    fileprivate func couldMake(_ text: [UInt8]) -> Bool {
        Glob(KeyTemplate(key: self).anyRow).matches(Key(bytes: text))
    }
}
