/// An entry that is loaded anew when a change makes it stale.
public struct Rewarm: Sendable {
    /// Where the new value comes from.
    public enum Loader: Sendable {
        /// The first column of the first row of a query; no row, or null: delete.
        case sql(SQLTemplate)
        /// The body of a response.
        case http(HTTPTemplate)
    }

    /// Which entries are worth the work.
    public enum Condition: String, Sendable, CaseIterable {
        /// All.
        case always
        /// Those that are cached now.
        case exists
        /// Those that were read lately.
        case hot
    }

    /// What counts as read lately, by what the target keeps: that depends on its `maxmemory-policy`.
    public struct Heat: Hashable, Sendable {
        /// OBJECT IDLETIME is at most this.
        public var maxIdle = Duration.seconds(600)
        /// Under an LFU policy, OBJECT FREQ is at least this. A new key begins with 5.
        public var minFrequency = 5
    }

    /// How much a loader is used; what would exceed it is deleted.
    public struct Budget: Hashable, Sendable {
        /// Queries or requests at the same time.
        public var concurrency = 8
        /// Entries a second, on average.
        public var rate = 500
        /// Entries that wait, and that may be loaded at once after a quiet time.
        public var queue = 20_000
    }

    /// The entry's key.
    public let key: Template
    /// Where its value comes from.
    public let loader: Loader
    /// How long the new entry lives; nil where the application stores it.
    public let ttl: Duration?
    /// By how many percent the time to live is varied, either way, so that entries don't expire at once.
    public let jitter: Int
    /// Which entries are loaded; the others are deleted.
    public let when: Condition
    /// What `hot` means.
    public let heat: Heat
    /// A larger value is not stored, in bytes.
    public let maxBytes: Int
    /// The time for which the old value may be served: not loaded by then, the entry is deleted.
    public let deadline: Duration
    /// Whether the application stores the entry itself while it answers.
    public let touch: Bool
    /// What it may cost.
    public let budget: Budget

    /// What holds where a rule says nothing.
    static let defaultDeadline = Duration.seconds(2)
    static let defaultMaxBytes = 512 << 10

    /// The query.
    public var sql: SQLTemplate? { if case .sql(let sql) = loader { sql } else { nil } }

    /// The request.
    public var http: HTTPTemplate? { if case .http(let http) = loader { http } else { nil } }

    var templates: [Template] { [key] + loaderTemplates }

    private var loaderTemplates: [Template] {
        switch loader {
        case .sql: []
        case .http(let http): [http.url] + http.headers.map(\.value)
        }
    }

    /// Every column that the entry is made of.
    var columns: [ImageColumn] { key.placeholders.map(\.column) + loaderColumns }

    /// Every column that the loader is given.
    private var loaderColumns: [ImageColumn] {
        loaderTemplates.flatMap(\.placeholders).map(\.column) + (sql?.parameters ?? [])
    }

    /// Whether the key alone says what its loader is given, for it has all those columns in it. Whichever change asks for
    /// such an entry, the loader reads the same thing as it is now. Any other reads what some change has told it to,
    /// and an older change tells it something else than the newest.
    var isKeyed: Bool {
        let told = key.placeholders.filter { $0.filters.allSatisfy(\.isOneToOne) }.map(\.column)
        return loaderColumns.allSatisfy(told.contains)
    }
}
