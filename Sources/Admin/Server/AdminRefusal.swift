import HTTPTypes
import Hummingbird
import NIOCore

/// Why a request gets no other answer: a status, and one line for people.
struct AdminRefusal: Error, HTTPResponseError {
    var status: HTTPResponse.Status
    var line: String
    var headers: HTTPFields = [:]

    init(_ status: HTTPResponse.Status, _ line: String, headers: HTTPFields = [:]) {
        self.status = status
        self.line = line
        self.headers = headers
        if status == .unauthorized { self.headers[.wwwAuthenticate] = "Bearer" }
    }

    /// All who may be served at once are; in a moment there will be room.
    static func busy(_ line: String, _ status: HTTPResponse.Status = .serviceUnavailable) -> AdminRefusal {
        AdminRefusal(status, line, headers: [.retryAfter: "1"])
    }

    func response(from request: Request, context: some RequestContext) throws -> Response { response }

    var response: Response {
        var response = JSONAnswer.response(["error": line], status: status)
        for field in headers { response.headers.append(field) }
        return response
    }
}
