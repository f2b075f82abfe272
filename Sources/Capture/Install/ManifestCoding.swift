import FoundationEssentials
import Rules

/// Manifests as JSON, with sorted keys, so that the same manifest is always the same text.
enum ManifestCoding {
    static func encode(_ manifest: Manifest) -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        // A manifest is made of strings and arrays of them: there is nothing that JSON could not hold.
        let data = (try? encoder.encode(manifest)) ?? Data()
        return String(decoding: data, as: UTF8.self)
    }

    static func decode(_ text: String) -> Manifest? {
        try? JSONDecoder().decode(Manifest.self, from: Data(text.utf8))
    }
}
