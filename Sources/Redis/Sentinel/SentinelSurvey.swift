/// What several Sentinels say of one master. A value: asking them is its owner's.
struct SentinelSurvey {
    private var answers: [SentinelAnswer] = []
    private var faults: [(sentinel: RedisURL.Address, message: String)] = []

    /// How many Sentinels name a master.
    var answerCount: Int { answers.count }

    /// Files what came of asking one Sentinel.
    mutating func file(_ result: Result<SentinelAnswer, RedisError>, of sentinel: RedisURL.Address) {
        switch result {
        case .success(let answer): answers.append(answer)
        case .failure(let error): faults.append((sentinel, error.message))
        }
    }

    /// Where the master may be. A Sentinel that was cut off from the others knows nothing of a failover since, which the
    /// epoch tells: what it names was the master once.
    var masters: [RedisURL.Address] {
        let newest = answers.map(\.epoch).max()
        var masters: [RedisURL.Address] = []
        for answer in answers where answer.epoch == newest && !masters.contains(answer.master) {
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
