import Capture

extension Worker {
    /// What is listened to, and whether that works.
    var listening: Listening { listener?.listening ?? Listening([]) }

    /// Listens to what somebody else's triggers tell of, until the task is cancelled. Only for as long as this worker
    /// leads. Whatever happens to Postgres is waited for, and holds up nothing else.
    func listen() async {
        guard let listener else { return }
        var patience = Patience(
            "Notifications are waited for", why: "Why notifications are waited for", cap: .seconds(5),
            steady: .seconds(10), logger: logger)
        while !Task.isCancelled {
            let start = ContinuousClock.now
            do {
                try await listener.listen()
            } catch {
                guard !Task.isCancelled else { return }
                let delay = patience.failed(error, since: start)
                // Cancelled, it is the end.
                try? await Task.sleep(for: delay)
            }
        }
    }
}
