import Glibc
import Rules
import Yams

/// The file that `--config` names. A setting that nobody knows is a mistake, and never ignored.
struct SettingsFile {
    /// The settings that are one value each, by their names with dots.
    private(set) var values: [String: String] = [:]
    /// Those that have a form of their own, by their names.
    private(set) var sections: [String: Node] = [:]
    /// The file's path, for messages.
    let path: String

    /// Reads a file; throws all that is wrong with it. What stands in the file is not repeated, for it may be a
    /// password.
    init(_ path: String) throws(Failure) {
        self.path = path
        let mapping = try Self.mapping(of: path)
        let mistakes = Self.mistakes(in: mapping, path: path, prefix: "")
        guard mistakes.isEmpty else { throw Failure(.badSettings, mistakes) }
        take(mapping, prefix: "")
    }

    private static func mapping(of path: String) throws(Failure) -> Node.Mapping {
        switch node(of: try text(of: path)) {
        case .success(nil): throw Failure(.badSettings, ["\(path): the file is empty"])
        case .success(let node?):
            guard case .mapping(let mapping) = node else {
                throw Failure(.badSettings, ["\(path): the settings must be a mapping"])
            }
            return mapping
        case .failure(let error):
            switch error {
            case .scanner(_, let problem, let mark, _), .parser(_, let problem, let mark, _),
                .composer(_, let problem, let mark, _):
                throw Failure(.badSettings, ["\(path):\(mark.line):\(mark.column): \(problem)"])
            default: throw Failure(.badSettings, ["\(path): it is no YAML"])
            }
        }
    }

    /// Nothing in it that is a mistake.
    private mutating func take(_ mapping: Node.Mapping, prefix: String) {
        for (key, value) in mapping {
            let name = prefix + (key.string ?? "")
            switch value {
            case _ where Settings.sections.contains(name): sections[name] = value
            case .mapping(let inner): take(inner, prefix: name + ".")
            case .scalar(let scalar): values[name] = scalar.string
            default: break
            }
        }
    }

    private static func mistakes(in mapping: Node.Mapping, path: String, prefix: String) -> [String] {
        mapping.flatMap { key, value -> [String] in
            let position = key.mark.map { "\(path):\($0.line):\($0.column)" } ?? path
            guard let word = key.string else { return ["\(position): a setting's name must be text"] }
            let name = prefix + word
            switch value {
            case _ where Settings.sections.contains(name): return []
            case .mapping(let inner) where Settings.names.contains { $0.hasPrefix(name + ".") }:
                return mistakes(in: inner, path: path, prefix: name + ".")
            case .scalar where Settings.names.contains(name): return []
            case _ where Settings.names.contains(name): return ["\(position): '\(name)' takes one value"]
            default:
                let question =
                    (Settings.names + Settings.sections).nearest(to: name).map { "; did you mean '\($0)'?" } ?? ""
                return ["\(position): unknown setting '\(escaped(name))'\(question)"]
            }
        }
    }

    private static func node(of text: String) -> Result<Node?, YamlError> {
        do {
            return .success(try Yams.compose(yaml: text))
        } catch let error as YamlError {
            return .failure(error)
        } catch {
            return .failure(.no)
        }
    }

    private static func text(of path: String) throws(Failure) -> String {
        guard let file = fopen(path, "r") else { throw unreadable(path) }
        defer { fclose(file) }
        // Nobody has as many settings; the path may lead to anything.
        var bytes = [UInt8](repeating: 0, count: 1 << 20)
        let count = fread(&bytes, 1, bytes.count, file)
        guard ferror(file) == 0 else { throw unreadable(path) }
        guard let text = String(validating: bytes.prefix(count), as: UTF8.self) else {
            throw Failure(.badSettings, "\(path): it is not UTF-8")
        }
        return text
    }

    private static func unreadable(_ path: String) -> Failure {
        Failure(.badSettings, "\(path): can't be read: \(String(cString: strerror(errno)))")
    }
}
