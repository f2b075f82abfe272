/// What several Sentinels say of one master. A value: asking them is its owner's.
struct SentinelSurvey {
    private var answers: [SentinelAnswer] = []
    private var faults: [(sentinel: RedisURL.Address, message: String)] = []

    /// Whether some Sentinel names a master.
    var hasAnswer: Bool { !answers.isEmpty }

    /// Files what came of asking one Sentinel.
    mutating func file(_ result: Result<SentinelAnswer, RedisError>, of sentinel: RedisURL.Address) {
        switch result {
        case .success(let answer): answers.append(answer)
        case .failure(let error): faults.append((sentinel, error.message))
        }
    }

    /// Where the master may be, the likeliest place first. A Sentinel that was cut off from the others knows nothing of
    /// a failover since, which the epoch tells.
    var masters: [RedisURL.Address] {
        var masters: [RedisURL.Address] = []
        let newestFirst = answers.enumerated().sorted { ($1.element.epoch, $0.offset) < ($0.element.epoch, $1.offset) }
        for answer in newestFirst.map(\.element) where !masters.contains(answer.master) {
            masters.append(answer.master)
        }
        return masters
    }

    /// Why no Sentinel names the master, in one line: each reason once.
    var fault: RedisError {
        var reasons: [(message: String, sentinels: [RedisURL.Address])] = []
        for fault in faults {
            if let place = reasons.firstIndex(where: { $0.message == fault.message }) {
                reasons[place].sentinels.append(fault.sentinel)
            } else {
                reasons.append((fault.message, [fault.sentinel]))
            }
        }
        let list = reasons.map { "\($0.sentinels.list): \($0.message)" }.sorted().joined(separator: "; ")
        return RedisError(.connect, "no Sentinel names the master: \(list)")
    }
}
