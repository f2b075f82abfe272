import AsyncHTTPClient
import FoundationEssentials
import Glibc
import NIOCore
import NIOPosix
import Worker

/// Follows the changes of one worker, and of the one that takes its place.
struct ChangeTail: Sendable {
    let client: HTTPClient
    let url: String
    let token: String?
    let isJSON: Bool
    /// The only target whose changes are shown; nil: all.
    let target: String?
    let line: ChangeLine

    /// Goes on until stdout is closed. A worker that isn't there at first is an error; later it is waited for.
    func run() async throws {
        try await withThrowingTaskGroup { group in
            group.addTask { try await follow() }
            group.addTask {
                try await StandardOutput.waitUntilClosed()
                throw StandardOutput.IsClosed()
            }
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    private func follow() async throws {
        var isFirst = true
        while true {
            do {
                let response = try await connect()
                if !isFirst { printError("unstale: the worker is there again") }
                isFirst = false
                try await show(response.body)
                printError("unstale: the worker has gone: it is waited for")
            } catch let error as Interruption where !isFirst {
                if error.isNews { printError("unstale: the worker has gone: it is waited for") }
            } catch let error as Interruption {
                throw Failure(
                    .unavailable, "nobody answers at \(url) (\(error.reason)): is the worker run with --admin?")
            }
            // Between two attempts to reach a worker that is started anew.
            try await Task.sleep(for: .milliseconds(500))
        }
    }

    /// The worker can't be reached, or no longer.
    private struct Interruption: Error {
        var reason: String
        /// Until now it could.
        var isNews = false
    }

    private func connect() async throws -> HTTPClientResponse {
        var request = HTTPClientRequest(url: url + "/api/changes?follow=1")
        if let token { request.headers.add(name: "Authorization", value: "Bearer \(token)") }
        let response: HTTPClientResponse
        do {
            response = try await client.execute(request, deadline: .distantFuture)
        } catch let error as HTTPClientError where error == .invalidURL || error == .emptyHost {
            throw Failure(.badSettings, "admin: '\(escaped(url))' is no URL")
        } catch {
            try Task.checkCancellation()
            throw Interruption(reason: Self.reason(error))
        }
        guard response.status == .ok else {
            struct Refusal: Decodable { var error: String }
            let body = try? await response.body.collect(upTo: 4096)
            let refusal = body.flatMap { try? JSONDecoder().decode(Refusal.self, from: Data($0.readableBytesView)) }
            let line = escaped(refusal?.error ?? response.status.reasonPhrase)
            if response.status == .serviceUnavailable { throw Interruption(reason: line) }
            throw Failure(.badSettings, "\(url) answers \(response.status.code): \(line)")
        }
        guard response.headers.first(name: "content-type")?.hasPrefix("text/event-stream") == true else {
            throw Failure(.badSettings, "what answers at \(url) is no admin port of Unstale")
        }
        return response
    }

    /// Returns at the end of the answer.
    private func show(_ body: HTTPClientResponse.Body) async throws {
        var lines = EventLines()
        var chunks = body.makeAsyncIterator()
        while true {
            let chunk: ByteBuffer?
            do {
                chunk = try await chunks.next()
            } catch {
                try Task.checkCancellation()
                throw Interruption(reason: Self.reason(error), isNews: true)
            }
            guard let chunk else { return }
            guard let events = lines.read(chunk.readableBytesView) else {
                throw Failure(.badSettings, "what answers at \(url) is no admin port of Unstale")
            }
            for event in events { try show(event) }
        }
    }

    private func show(_ event: EventLines.Event) throws {
        switch event.name {
        case "change":
            guard !isJSON || target != nil else { return try StandardOutput.write(event.data) }
            guard let change = try? Self.decoder.decode(ChangeEvent.self, from: Data(event.data.utf8)),
                target == nil || change.target == target
            else { return }
            try StandardOutput.write(isJSON ? event.data : line.text(change))
        case "skipped":
            struct Skipped: Codable { var count: Int }
            guard let skipped = try? Self.decoder.decode(Skipped.self, from: Data(event.data.utf8)) else { return }
            try StandardOutput.write(isJSON ? "{\"skipped\":\(skipped.count)}" : line.text(skipped: skipped.count))
        default: break
        }
    }

    private static let decoder: JSONDecoder = {
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .custom { decoder in
            let text = try decoder.singleValueContainer().decode(String.self)
            return try Date.ISO8601FormatStyle(includingFractionalSeconds: true).parse(text)
        }
        return decoder
    }()

    private static func reason(_ error: any Error) -> String {
        switch error {
        case let error as HTTPClientError: error.shortDescription
        case let error as NIOConnectionError:
            // One address after the other was tried; the first failure is the telling one.
            error.connectionErrors.first.map { reason($0.error) } ?? "the name can't be resolved"
        case let error as IOError: String(cString: strerror(error.errnoCode)).lowercased()
        default: "\(type(of: error))"
        }
    }
}
