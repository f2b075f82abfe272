import Delivery
import Redis
import Worker
import Yams

/// The targets: a list in the `--config` file, or the one that `redis.url` names.
extension Settings {
    /// All of them, one at least; every mistake at once.
    func targets() throws(Failure) -> [TargetSettings] {
        let common = TargetSection.Common(
            attempts: try number("attempts", default: RetryPolicy().attempts), fences: try truth("fence"))
        guard let file, let section = file.sections["targets"] else {
            return [common.target(at: try redis())]
        }
        if text("redis.url") != nil {
            throw Failure(
                .badSettings, "redis.url: the file \(file.path) has 'targets', which say where each Redis is")
        }
        var parser = TargetSection(path: file.path, common: common)
        let targets = parser.targets(section)
        guard parser.mistakes.isEmpty else { throw Failure(.badSettings, parser.mistakes) }
        return targets
    }

    /// The target of that name. Without a name it is the first, which is said where there are several.
    func target(named name: String?) throws(Failure) -> TargetSettings {
        let targets = try targets()
        let names = targets.map(\.name)
        guard let name else {
            if targets.count > 1 {
                printError("unstale: this is about the target '\(names[0])'; --target chooses another")
            }
            return targets[0]
        }
        guard let target = targets.first(where: { $0.name == name }) else {
            throw Failure(.badSettings, unknown("target", name, among: names))
        }
        return target
    }

    private func redis() throws(Failure) -> RedisURL {
        do {
            return try RedisURL(text("redis.url") ?? "redis://127.0.0.1:6379")
        } catch {
            throw Failure(.badSettings, "redis.url: \(error)")
        }
    }
}

/// That there is nothing of that name, and which may have been meant.
func unknown(_ what: String, _ name: String, among known: [String]) -> String {
    let question = known.nearest(to: name).map { "; did you mean '\($0)'?" } ?? ""
    return "there is no \(what) '\(escaped(name))'\(question)"
}
