/// What is wrong with a template or a piece of SQL, and how far from its beginning.
struct TemplateError: Error {
    var message: String
    var suggestion: String?
    /// In bytes.
    var offset: Int
}
