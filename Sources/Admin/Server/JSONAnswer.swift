import FoundationEssentials
import HTTPTypes
import Hummingbird
import NIOCore

/// How answers are written, and what is sent along is read.
enum JSONAnswer {
    private static let encoder: JSONEncoder = {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.nonConformingFloatEncodingStrategy = .convertToString(
            positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
        encoder.dateEncodingStrategy = .custom { date, encoder in
            var container = encoder.singleValueContainer()
            try container.encode(date.formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true)))
        }
        return encoder
    }()

    /// A value as one line of JSON.
    static func bytes(_ value: some Encodable) throws -> [UInt8] { Array(try encoder.encode(value)) }

    static func response(_ value: some Encodable, status: HTTPResponse.Status = .ok) -> Response {
        guard let bytes = try? bytes(value) else {
            return Response(status: .internalServerError)
        }
        return Response(
            status: status, headers: [.contentType: "application/json; charset=utf-8"],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes + [0x0a])))
    }
}
