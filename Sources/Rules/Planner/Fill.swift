/// A template whose columns are found by index: what is run for each change. A class, so that a change costs one
/// reference and not one for each of its lists.
final class Fill: Sendable {
    private enum Step: Sendable {
        case text([UInt8])
        case column(ImageColumn.Side, index: Int)
        indirect case filtered(ImageColumn.Side, index: Int, Placeholder)

        var text: [UInt8] { if case .text(let text) = self { text } else { [] } }
    }

    /// Whether the result is a pattern.
    let isGlob: Bool
    /// What is done with the result.
    let purpose: Purpose
    /// Whether what it makes is fenced.
    let isFenced: Bool
    /// Whether it is filled once for each image, and not once for each change.
    let usesEither: Bool
    private let steps: [Step]
    /// The result of a template without columns.
    private let fixed: [UInt8]?
    private let capacity: Int

    /// Compiles a template; nil if `index` doesn't know one of its columns.
    init?(_ template: KeyTemplate, isFenced: Bool = false, index: (ImageColumn) -> Int?) {
        var steps: [Step] = []
        var capacity = 0
        for piece in template.pieces {
            switch piece {
            case .text(let text):
                steps.append(.text(text))
                capacity += text.count
            case .placeholder(let placeholder):
                let side = placeholder.column.side
                guard let index = index(placeholder.column) else { return nil }
                let isPlain = placeholder.filters.isEmpty
                steps.append(
                    isPlain ? .column(side, index: index) : .filtered(side, index: index, placeholder))
                // Most columns in keys are numbers and UUIDs.
                capacity += 36
            }
        }
        self.steps = steps
        self.capacity = capacity
        self.isFenced = isFenced
        isGlob = template.isGlob
        purpose = template.purpose
        let placeholders = template.template.placeholders
        usesEither = placeholders.contains { $0.column.side == .either }
        fixed = placeholders.isEmpty ? steps.flatMap(\.text) : nil
    }

    /// The key, pattern or message; nil where an image is missing, or a column is null and has no default.
    func callAsFunction(_ rows: RowPair, either: Image?) -> [UInt8]? {
        if let fixed { return fixed }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(capacity)
        for step in steps {
            switch step {
            case .text(let text):
                bytes += text
            case .column(let side, let index):
                guard let value = rows.image(side, either: either)?[index] else { return nil }
                append(value, to: &bytes)
            case .filtered(let side, let index, let placeholder):
                guard let image = rows.image(side, either: either), let value = placeholder.fill(image[index])
                else {
                    return nil
                }
                append(value[...], to: &bytes)
            }
        }
        return bytes
    }

    /// Whether the images fill it alike, because they have the columns that it takes from either in common: those of
    /// most updates do, for keys are made of ids.
    func isFilledAlike(by rows: RowPair) -> Bool {
        if rows.isSame { return true }
        guard let old = rows.old, let new = rows.new else { return false }
        return steps.allSatisfy { step in
            switch step {
            case .text: true
            case .column(let side, let index), .filtered(let side, let index, _):
                side != .either || old[index] == new[index]
            }
        }
    }

    private func append(_ value: ArraySlice<UInt8>, to bytes: inout [UInt8]) {
        if isGlob {
            for byte in value { Pattern.appendEscaped(byte, to: &bytes) }
        } else {
            bytes += value
        }
    }
}
