/// Why a connection is of no use for a request.
enum ConnectionEnd: Error, Hashable {
    /// Its peer is at an address that nothing may be asked of.
    case forbidden(address: String)
    /// It was closed before the first byte of the answer. A connection that had answered before was most likely
    /// closed as an idle one, just when the request came.
    case unanswered(hadAnswered: Bool)
}
