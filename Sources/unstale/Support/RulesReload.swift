import Capture
import Logging
import Postgres
import Rules
import ServiceLifecycle
import UnixSignals
import Worker

/// Reads the rules anew at SIGHUP, and when a file has changed where that is watched. Rules that are wrong are refused,
/// all of them, and the old ones go on.
struct RulesReload: Service, CustomStringConvertible {
    let path: String
    /// The names of the targets that there are.
    let targets: [String]
    let postgres: PostgresSettings
    /// The channels that tell of changes in the place of our triggers.
    let listen: [ListenChannel]
    let worker: Worker
    let watches: Bool
    /// SIGHUP, from before the rules of the start were read.
    let signals: UnixSignalsSequence
    /// The files as they were before that, by `RuleSet.versions(of:)`.
    let versions: [String]
    let logger: Logger

    var description: String { "rules" }

    func run() async throws {
        // One reload after another, or an older one whose check takes longer would be applied last. What is asked for
        // meanwhile is one more, however often it is: that reads what is there by then.
        let (requests, request) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        try? await cancelWhenGracefulShutdown {
            try await withThrowingTaskGroup { group in
                group.addTask { for await _ in requests { await reload() } }
                group.addTask { for await _ in signals { request.yield() } }
                if watches { group.addTask { try await watch { request.yield() } } }
                try await group.next()
                group.cancelAll()
            }
        }
    }

    /// Asks for a reload when something has changed and nobody has written to it for a second.
    private func watch(_ request: () -> Void) async throws {
        var known = versions
        var last = RuleSet.versions(of: path)
        while true {
            try await Task.sleep(for: .seconds(1))
            let now = RuleSet.versions(of: path)
            if now != known, now == last {
                request()
                known = now
            }
            last = now
        }
    }

    private func reload() async {
        do {
            let rules = try RuleSet.load(path, targets: targets)
            try await check(rules)
            logger.notice("The rules were read anew", metadata: ["rules": "\(rules.rules.count)"])
            worker.reload(rules.rules)
        } catch let error as RulesError {
            refuse(error.diagnostics.map(\.description))
        } catch {
            refuse(["\(error)"])
        }
    }

    private func refuse(_ reasons: [String]) {
        logger.error(
            "The new rules are refused, the old ones go on",
            metadata: ["reason": "\(reasons.joined(separator: "; "))"])
        worker.refuse(reasons)
    }

    /// Whether the rules fit the database; where it can't be asked now, the worker will.
    private func check(_ rules: RuleSet) async throws {
        do {
            // A standby may not have the column yet that they name.
            let connection = try await PostgresConnection.connectToPrimary(postgres)
            _ = try await RulesCheck.run(rules, listen: listen, connection)
        } catch let error as RulesError {
            throw error
        } catch {
            let reason = (error as? PostgresError)?.summary ?? "\(error)"
            logger.info("The rules could not be held against the database", metadata: ["reason": "\(reason)"])
        }
    }
}
