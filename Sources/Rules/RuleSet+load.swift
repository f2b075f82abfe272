#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

extension RuleSet {
    /// Loads rules files, and of folders every `*.yaml` and `*.yml` in the order of their names.
    ///
    /// - Throws: every mistake of every file at once.
    public static func load(_ paths: [String]) throws(RulesError) -> RuleSet {
        var files: [RulesFile] = []
        var diagnostics: [RulesDiagnostic] = []
        func collect(_ path: String) {
            do {
                let parsed = RulesFileParser.parse(SourceText(file: path, bytes: try read(path)))
                files.append(parsed.file)
                diagnostics += parsed.diagnostics
            } catch {
                diagnostics.append(error)
            }
        }
        for path in paths {
            guard let rules = rulesFiles(in: path) else {
                collect(path)
                continue
            }
            if rules.isEmpty {
                let location = FilePosition(file: path, line: 1, column: 1)
                diagnostics.append(RulesDiagnostic(location, "the folder has no .yaml or .yml file"))
            }
            for file in rules { collect(file) }
        }
        return try RuleSet(files, diagnostics: diagnostics)
    }

    /// A text for each file that a path leads to, which is another one when somebody has written to it.
    public static func versions(of path: String) -> [String] {
        (rulesFiles(in: path) ?? [path]).map { file in
            var info = stat()
            guard stat(file, &info) == 0 else { return file }
            let time = info.st_mtim
            return "\(file) \(info.st_ino) \(info.st_size) \(time.tv_sec).\(time.tv_nsec)"
        }
    }

    /// The rules in a text; `file` stands in messages.
    public static func parse(_ text: String, file: String = "rules.yaml") throws(RulesError) -> RuleSet {
        let parsed = RulesFileParser.parse(SourceText(file: file, bytes: Array(text.utf8)))
        return try RuleSet([parsed.file], diagnostics: parsed.diagnostics)
    }
}

/// The files of a folder that hold rules, in the order of their names; nil where there is no folder.
private func rulesFiles(in path: String) -> [String]? {
    entries(of: path)?.filter { !$0.hasPrefix(".") && ($0.hasSuffix(".yaml") || $0.hasSuffix(".yml")) }
        .sorted().map { path.hasSuffix("/") ? path + $0 : "\(path)/\($0)" }
}

/// The names in a folder; nil where there is no folder.
private func entries(of path: String) -> [String]? {
    guard let folder = opendir(path) else { return nil }
    defer { closedir(folder) }
    var names: [String] = []
    while let entry = readdir(folder) {
        let name = withUnsafePointer(to: &entry.pointee.d_name) { pointer in
            // The name ends with a zero, which may come behind the end of the array that C declares.
            pointer.withMemoryRebound(to: CChar.self, capacity: 1) { String(cString: $0) }
        }
        names.append(name)
    }
    return names
}

/// A file's bytes, but not many more than a rules file may have: the path may lead to anything.
private func read(_ path: String) throws(RulesDiagnostic) -> [UInt8] {
    guard let file = fopen(path, "r") else { throw unreadable(path) }
    defer { fclose(file) }
    var bytes = [UInt8](repeating: 0, count: YAMLReader.maximumSize + 1)
    let count = fread(&bytes, 1, bytes.count, file)
    guard ferror(file) == 0 else { throw unreadable(path) }
    return Array(bytes.prefix(count))
}

private func unreadable(_ path: String) -> RulesDiagnostic {
    let location = FilePosition(file: path, line: 1, column: 1)
    return RulesDiagnostic(location, "can't be read: \(String(cString: strerror(errno)))")
}
