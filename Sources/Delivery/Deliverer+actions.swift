import FoundationEssentials
import Redis
import Rules
import Synchronization

/// What is done besides deleting keys and loading entries.
extension Deliverer {
    /// Something that can't be done to a key by the key's own fault.
    struct Failed {
        let failure: Failure
        let planned: PlannedAction
        let failed: FailedAction
    }

    /// So many tags that a pass meets are emptied when it is over; more are not kept in mind.
    private static let tagsAfterPass = 10_000

    /// Cuts times to live and increments counters, but for what is loaded anew.
    func perform(_ work: Work, _ planner: Planner) async throws(CancellationError) -> [FailedAction] {
        let actions = work.actions.filter { $0.action != .emptyTag }
        guard !actions.isEmpty else { return [] }
        let rewarmed = Set(work.rewarms.map(\.key))
        return try await perform(actions.filter { !rewarmed.contains($0.key) }, planner).map(\.failed)
    }

    private func perform(
        _ actions: [PlannedAction], _ planner: Planner
    ) async throws(CancellationError) -> [Failed] {
        guard !actions.isEmpty else { return [] }
        let failures = try await KeyCommands(target).perform(actions)
        for action in [KeyAction.bump, .expire(.zero)] {
            let some = actions.filter { ($0.action == .bump) == (action == .bump) }
            count(some.map(\.rule)) { $0.acted("\(action)", $1) }
        }
        return failures.map { failed($0.failure, $0.action, planner) }
    }

    /// Deletes what is filed under tags.
    func emptyTags(_ tags: [PlannedAction], _ planner: Planner) async throws(CancellationError) -> [Failed] {
        guard !tags.isEmpty else { return [] }
        let planned = Dictionary(tags.map { ($0.key, $0) }) { first, other in other.isFenced ? other : first }
        let outcome = try await Tags(target, options: sweeper.options).empty(Array(planned.keys)) { key, tag in
            planned[tag]?.isFenced ?? false || planner.mayRewarm(key)
        }
        count(tags.map(\.rule)) { $0.acted("tag", $1) }
        for (tag, count) in outcome.deleted {
            if let rule = planned[tag]?.rule { tallies[rule].deleted(taggedKeys: count) }
        }
        let failedTags = outcome.failedTags.compactMap { failure in
            planned[failure.key].map { failed(failure, $0, planner) }
        }
        return failedTags
            + outcome.failedKeys.compactMap { failure, tag in
                planned[tag].map { tag in
                    let action = FailedAction(
                        rule: planner.rules[tag.rule].name.value, action: .delete(key: failure.key),
                        reason: failure.reason, summary: failure.summary)
                    return Failed(failure: failure, planned: tag, failed: action)
                }
            }
    }

    /// Does what is to be done with all keys that patterns match. What matches and is no tag, or no counter, is left
    /// alone.
    func visit(_ work: Work, _ planner: Planner) async throws(CancellationError) -> [FailedAction] {
        guard !work.patternActions.isEmpty else { return [] }
        let visit = PatternVisit(
            work.patternActions, companions: target.companions, fencesAll: target.options.fencesAll)
        let failures = Mutex(Set<FailedAction>())
        let tags = Mutex(Set<PlannedAction>())
        @Sendable func keep(_ failed: [Failed]) {
            let real = failed.filter { !$0.failure.tellsOfAnotherKind(than: $0.planned.action) }
            failures.withLock { $0.formUnion(real.map(\.failed)) }
        }
        for patterns in visit.passes {
            try await sweeper.visit(patterns) { keys async throws(CancellationError) in
                let actions = visit.actions(on: keys)
                // Others wait for the pass, and tags may be large.
                let due = tags.withLock { tags in
                    tags.formUnion(actions.filter { $0.action == .emptyTag })
                    guard tags.count > Self.tagsAfterPass else { return Set<PlannedAction>() }
                    defer { tags = [] }
                    return tags
                }
                keep(try await emptyTags(Array(due), planner))
                keep(try await perform(actions.filter { $0.action != .emptyTag }, planner))
            }
        }
        keep(try await emptyTags(tags.withLock { Array($0) }, planner))
        return failures.withLock { Array($0) }
    }

    /// Tells listeners what is stale no more.
    func publish(_ work: Work, _ planner: Planner) async throws(CancellationError) -> [FailedAction] {
        let news = work.news
        guard !news.isEmpty else { return [] }
        var messages: [(rule: Int, text: [UInt8])] = []
        for news in news {
            let name = planner.rules[news.rule].name.value
            messages += NewsMessage.messages(news, rule: name, at: .now).map { (news.rule, $0) }
        }
        var failures: [FailedAction] = []
        var rest = messages[...]
        while !rest.isEmpty {
            // One server gets them in their order.
            let some = rest.prefix(100)
            rest = rest.dropFirst(some.count)
            let commands = some.compactMap { rule, text in
                planner.rules[rule].publish.map { RedisCommand("PUBLISH", [$0.channelName, text]) }
            }
            let replies = try await target.execute(groups: [CommandGroup(key: nil, commands: commands)])
            for ((rule, text), reply) in zip(some, replies.first ?? []) {
                guard case .error(let error) = reply else { continue }
                failures.append(
                    FailedAction(
                        rule: planner.rules[rule].name.value,
                        action: .publish(message: ByteText(bytes: text)), reason: error.text,
                        summary: error.kind))
            }
        }
        count(messages.map(\.rule)) { $0.acted("publish", $1) }
        return failures
    }

    private func failed(_ failure: Failure, _ planned: PlannedAction, _ planner: Planner) -> Failed {
        let key = planned.key
        let action: Action =
            switch planned.action {
            case .emptyTag: .tag(key: key)
            case .expire(let lifetime): .expire(key: key, milliseconds: Int64(lifetime / .milliseconds(1)))
            case .bump: .bump(key: key)
            }
        let failed = FailedAction(
            rule: planner.rules[planned.rule].name.value, action: action, reason: failure.reason,
            summary: failure.summary)
        return Failed(failure: failure, planned: planned, failed: failed)
    }
}
