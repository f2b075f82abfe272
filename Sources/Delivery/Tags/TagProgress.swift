import Redis
import Rules

/// How far one tag has been emptied: what to ask Redis next, and what its answers mean. A value without I/O.
///
/// A tag is a set that readers file keys under at any time. It is renamed to a name of ours that follows from its own,
/// so that whoever comes after a crash finds what was taken; readers go on with a new set. What was taken is read, each
/// key in it deleted, and then the set.
///
/// Several may do that at once: two batches, two processes that both believe they lead, one that was stopped for a
/// minute. A token beside the set, written in the same script that takes it away, tells one taking from the next. Only
/// who knows the token of the very set that is there removes it, and only once it has read the set from its beginning to
/// its end and has deleted all keys. As the token was there before and after the reading, no other set had that name
/// meanwhile, and nobody adds to a taken set, so SCAN's guarantee holds: no key of it was missed. Who is late finds
/// another token, and has harmed nothing: it has deleted keys which were stale for others.
///
/// All that is so for one process of Redis only. To another one a cursor means nothing, for each orders a set by a seed of
/// its own; and one that starts again, or takes over, may lack deletions that were acknowledged. So the reading and the
/// removal are done in the ``Place`` where the reading began, and nowhere else. Where that is gone, the set stays, and all
/// begins anew with ``take()``. So a set that is gone is one each key of which was deleted, whoever did it.
///
/// When is a tag empty, as one who asked for it means it? All that was filed when it began has to be deleted after that.
/// - There is neither a set under the tag nor a taken one: others were at it and are done, or there was nothing.
/// - A set was taken by us, and it is gone: what was filed is in it, or was in one that had been taken before and of
///   which each key was deleted. (A key that was stored after that was filed again.)
/// - A set was there that others had taken: when is not known, so it says nothing of the keys that are filed since. But
///   once it and another one after it are gone, the second was taken after we began.
/// So a tag takes two rounds at most, however busy it is, as long as its place stays. In another place, what was there
/// may be from before we began, so the rounds count anew.
struct TagProgress {
    /// The tag.
    let tag: Key
    /// Why the tag can't be emptied; nil: it can.
    private(set) var failure: String?
    /// Whether all that was filed when this began is gone.
    private(set) var isDone = false
    private let taken: Key
    private let tokenKey: Key
    private let ownToken: [UInt8]
    private var takes = 0
    private var token: [UInt8] = []
    private var place: Place?
    private var firstOfOthers: [UInt8]?
    private var isLast = false

    static let longName = "the name of the tag's taken set is longer than Redis allows"
    static let badName = "in a Cluster a tag with a } in its name needs a hash tag"

    /// - Parameter ownToken: one that no other begins with.
    init(_ tag: Key, ownToken: [UInt8], companions: CompanionName) {
        self.tag = tag
        self.ownToken = ownToken
        let taken = companions.name(TagScript.takenPrefix, of: tag)
        let tokenKey = companions.name(TagScript.tokenPrefix, of: tag)
        self.taken = taken ?? tag
        self.tokenKey = tokenKey ?? tag
        if taken == nil || tokenKey == nil { fail(Self.badName) }
        if self.tokenKey.bytes.count > Unlinking.maximumKeyLength { fail(Self.longName) }
    }

    /// Takes the set away and reads its beginning. With another token each time: it may have been done although no answer
    /// came, and others may have emptied that set since, some of whom don't know yet.
    mutating func take() -> CommandGroup {
        takes += 1
        let token = ownToken + Array(".\(takes)".utf8)
        let command = RedisCommand.script(TagScript.take, [tag, taken, tokenKey], [token])
        return CommandGroup(key: tag, commands: [command, page(from: ScanPage.edge, count: 100)])
    }

    /// Reads on.
    func read(from cursor: [UInt8], count: Int) -> CommandGroup {
        CommandGroup(key: tag, commands: [page(from: cursor, count: count)], place: place)
    }

    /// Removes the set that was read.
    var finish: CommandGroup {
        CommandGroup(key: tag, commands: [.script(TagScript.finish, [taken, tokenKey], [token])], place: place)
    }

    /// The answer to ``take()``. Gives the first page; nil when there is nothing to read.
    mutating func took(_ answer: Answer) -> ScanPage? {
        switch answer.replies.first {
        case .bulk(let token):
            if answer.place != place { (place, firstOfOthers) = (answer.place, nil) }
            self.token = token
            let isRenewed = token.first == TagScript.renewed
            isLast = token.starts(with: ownToken) || firstOfOthers != nil && firstOfOthers != token && !isRenewed
            firstOfOthers = firstOfOthers ?? token
        case .error(let error):
            fail(error.text)
            return nil
        default:
            isDone = true
            return nil
        }
        return read(answer.replies.last ?? .null)
    }

    /// The reply to a reading; nil when it is no page.
    mutating func read(_ reply: RedisReply) -> ScanPage? {
        if let page = ScanPage(reply) { return page }
        if case .error(let error) = reply { fail(error.text) } else { fail("SSCAN was answered with no page of keys") }
        return nil
    }

    /// The set that was read is gone, whoever removed it.
    mutating func finished() { isDone = isLast }

    private mutating func fail(_ reason: String) {
        failure = reason
        isDone = true
    }

    private func page(from cursor: [UInt8], count: Int) -> RedisCommand {
        RedisCommand("SSCAN", [taken.bytes, cursor, Array("COUNT".utf8), Array("\(count)".utf8)])
    }
}
