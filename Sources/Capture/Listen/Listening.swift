import Rules

/// What is listened to, and whether that works.
public struct Listening: Sendable {
    /// The channels.
    public var channels: [ListenChannel]
    /// Why nothing is heard now, on one line; nil: all is heard, as far as anybody knows.
    public var fault: String?

    /// What is listened to.
    public init(_ channels: [ListenChannel], fault: String? = nil) {
        self.channels = channels
        self.fault = fault
    }

    /// What is wrong with how changes of a table become known; `capture` is the installed one, and `install` makes it anew.
    func problems(_ table: TableName, _ capture: InstalledCapture, install: String) -> [CaptureState.Problem] {
        let isListened = capture.manifest.source == .notifications
        var problems: [CaptureState.Problem] = []
        func add(_ reason: String, losesChanges: Bool, command: String? = nil) {
            problems.append(
                CaptureState.Problem(table: table, reason: reason, losesChanges: losesChanges, command: command))
        }
        switch (channels.tell(of: table), isListened) {
        case (true, false):
            add(
                "changes of \(table) are listened to and captured by triggers: run '\(install)' to do without the triggers, "
                    + "or take the table out of 'listen'", losesChanges: false)
        case (false, true):
            add(
                "changes of \(table) are captured by nothing, for no 'listen' names it any more: run '\(install)'",
                losesChanges: true, command: install)
        case (true, true):
            // Once that is over, the gap counts as the channel has it.
            if let fault { add("changes of \(table) are not heard: \(fault)", losesChanges: false) }
        case (false, false): break
        }
        return problems
    }
}
