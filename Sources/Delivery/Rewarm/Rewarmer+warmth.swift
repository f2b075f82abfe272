import Redis
import Rules

/// Which entries are worth a load.
extension Rewarmer {
    enum Warmth {
        case warm
        /// There is an entry, and it is not read often enough.
        case cold
        /// There is no entry.
        case absent
    }

    /// Finds out by their rules' `when` which entries are to be loaded and which deleted. The others are not there,
    /// and whoever is filling them has read too early and will not store it.
    func sort(
        _ calls: [RewarmCall]
    ) async throws(CancellationError) -> (load: [RewarmCall], cold: [RewarmCall], absent: Int) {
        let asked = state.withLock { state in
            // What is being loaded has proved to be worth it, and must be loaded again after this change.
            calls.filter { condition(of: $0) != .always && !$0.isRetry && !state.queue.isPending($0.key) }
        }
        guard !asked.isEmpty else { return (calls, [], 0) }
        let found = Dictionary(zip(asked.map(\.key), try await warmth(of: asked))) { first, _ in first }
        let notWarm = calls.filter { found[$0.key].map { $0 != .warm } ?? false }
        state.withLock { $0.statistics.cold += notWarm.count }
        for call in notWarm { tallies[call.rule].rewarm("cold") }
        let load = calls.filter { found[$0.key] ?? .warm == .warm }
        let cold = calls.filter { found[$0.key] == .cold }
        return (load, cold, calls.count - load.count - cold.count)
    }

    /// In one pipeline, and once more where the target's policy has changed.
    private func warmth(of calls: [RewarmCall]) async throws(CancellationError) -> [Warmth] {
        var random = SystemRandomNumberGenerator()
        let token = Fence.token(using: &random)
        for isLFU in state.withLock({ [$0.isLFU, !$0.isLFU] }) {
            let groups = calls.map { call in
                let fence = target.companions.fence(of: call.key).map {
                    Fence.renewal(at: $0, token: token, onlyIfTaken: !rules[call.rule].fence)
                }
                return CommandGroup(
                    key: call.key, commands: [fence, question(about: call, isLFU: isLFU)].compactMap(\.self))
            }
            // Where its fence could not be renewed, the entry goes by a command that needs no room for one.
            let answers = try await target.execute(groups: groups).map { replies in
                replies.first { $0.trouble != nil } ?? replies[replies.count - 1]
            }
            if answers.contains(where: \.tellsOfOtherPolicy) {
                state.withLock { $0.isLFU = !isLFU }
                continue
            }
            return zip(calls, answers).map { warmth(of: $0, $1, isLFU: isLFU) }
        }
        // Neither is kept, so nobody can say what is hot.
        return calls.map { _ in .cold }
    }

    private func condition(of call: RewarmCall) -> Rewarm.Condition { rules[call.rule].rewarm[call.entry].when }

    private func question(about call: RewarmCall, isLFU: Bool) -> RedisCommand {
        guard condition(of: call) == .hot else { return RedisCommand("EXISTS", [call.key.bytes]) }
        let what = isLFU ? "FREQ" : "IDLETIME"
        return RedisCommand("OBJECT", [Array(what.utf8), call.key.bytes])
    }

    private func warmth(of call: RewarmCall, _ answer: RedisReply, isLFU: Bool) -> Warmth {
        let rewarm = rules[call.rule].rewarm[call.entry]
        guard case .integer(let number) = answer else {
            // Of an entry that isn't there Redis says null; from whom can't say how warm it is, it's deleted.
            return if case .error = answer { .cold } else { .absent }
        }
        switch rewarm.when {
        case .always: return .warm
        case .exists: return number > 0 ? .warm : .absent
        case .hot where isLFU: return number >= rewarm.heat.minFrequency ? .warm : .cold
        case .hot: return .seconds(number) <= rewarm.heat.maxIdle ? .warm : .cold
        }
    }
}

extension RedisReply {
    /// Redis keeps either idle times or frequencies: "An LFU maxmemory policy is (not) selected".
    fileprivate var tellsOfOtherPolicy: Bool {
        if case .error(let error) = self { error.text.contains("LFU maxmemory policy") } else { false }
    }
}
