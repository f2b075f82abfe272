/// The advisory locks of one database. The first half of each is the word `unst`, so that they don't meet an
/// application's own by chance.
enum AdvisoryLock: Int32 {
    /// Held exclusively by a sleeping worker, tried shared by every writer.
    case doorbell = 1
    /// Held by the one worker that leads.
    case leader = 2
    /// Held by `install` and `uninstall`.
    case install = 3

    /// The arguments of Postgres' advisory lock functions.
    var arguments: String { "1970172788, \(rawValue)" }
}
