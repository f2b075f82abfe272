import Delivery
import HTTPTypes
import Hummingbird
import NIOCore

/// What is answered to those who look on.
struct Looks {
    let source: AdminSource
    let history: HistorySampler
    let desk: DatabaseDesk
    private let feed: ChangeFeed
    private let page = StatusPage()
    /// Letters that are shown at once; whoever has more needs the database.
    private static let letterLimit = 1_000

    init(source: AdminSource, history: HistorySampler, settings: AdminSettings) {
        self.source = source
        self.history = history
        desk = DatabaseDesk(source.postgres)
        feed = ChangeFeed(limit: settings.followerLimit, heartbeat: settings.heartbeat, follow: source.worker.follow)
    }

    var routes: [(RouterPath, AdminRouter.Handler)] {
        [
            ("/", { _, _ in page.response }),
            ("/livez", { _, _ in try await alive() }),
            ("/readyz", { _, _ in ready() }),
            ("/metrics", { _, _ in metrics() }),
            ("/api/status", { _, _ in status() }),
            ("/api/history", { _, _ in JSONAnswer.response(history.report) }),
            ("/api/changes", { request, context in try changes(request, context) }),
            ("/api/dead-letters", { _, _ in try await deadLetters() }),
        ]
    }

    /// The answer comes by way of the threads that the worker runs on.
    private func alive() async throws -> Response {
        await withTaskExecutorPreference(globalConcurrentExecutor) { await Task.yield() }
        return Self.text("ok\n", "text/plain; charset=utf-8")
    }

    private func ready() -> Response {
        let report = ReadyReport(source.worker.status())
        return JSONAnswer.response(report, status: report.isReady ? .ok : .serviceUnavailable)
    }

    private func metrics() -> Response {
        let families =
            source.metrics.snapshot() + StatusMetrics.families(source.worker.status(), version: source.version)
            + ProcessMetrics.read()
        return Self.text(MetricsText.render(families), MetricsText.contentType)
    }

    private func status() -> Response {
        JSONAnswer.response(
            StatusReport(
                status: source.worker.status(), version: source.version, logLevel: source.logLevel().rawValue))
    }

    private func changes(_ request: Request, _ context: AdminContext) throws -> Response {
        switch request.uri.queryParameters["follow"] {
        case nil, "0": JSONAnswer.response(["changes": source.worker.changes()])
        case "1": try feed.response(on: context.channel)
        default: throw AdminRefusal(.badRequest, "follow is 0 or 1")
        }
    }

    private func deadLetters() async throws -> Response {
        let letters = try await desk.with { connection in
            try await DeadLetters(connection: connection).all(limit: Self.letterLimit)
        }
        return JSONAnswer.response(["deadLetters": letters.map(LetterReport.init)])
    }

    private static func text(_ text: String, _ type: String) -> Response {
        Response(
            status: .ok, headers: [.contentType: type], body: ResponseBody(byteBuffer: ByteBuffer(string: text)))
    }
}
