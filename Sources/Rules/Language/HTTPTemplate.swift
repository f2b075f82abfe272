/// The request of a loader.
public struct HTTPTemplate: Sendable {
    /// The URL. Its scheme, host and port are literal; what columns bring in is percent-encoded.
    public let url: Template
    /// Header fields, in the order of the file.
    public let headers: [(name: String, value: Template)]
    /// The longest that a response may take; nil: the entry's deadline.
    public let timeout: Duration?
    /// Link-local and metadata addresses that the host may have; all others of them are refused.
    public let addresses: Set<IPAddress>

    init(
        url: Template, headers: [(name: String, value: Template)], timeout: Duration?, addresses: Set<IPAddress>
    ) {
        self.url = url.percentEncoded
        self.headers = headers
        self.timeout = timeout
        self.addresses = addresses
    }
}

extension Template {
    /// The template with every value percent-encoded, once.
    fileprivate var percentEncoded: Template {
        let encoded = pieces.map { piece -> Piece in
            guard case .placeholder(let placeholder) = piece, placeholder.filters.last != .urlencode else {
                return piece
            }
            return .placeholder(
                Placeholder(
                    column: placeholder.column, filters: placeholder.filters + [.urlencode],
                    location: placeholder.location))
        }
        return Template(source: source, pieces: encoded, location: location)
    }
}
