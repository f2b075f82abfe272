import ArgumentParser

/// The flag of commands that are about one of several targets.
struct TargetOption: ParsableArguments {
    @Option(help: ArgumentHelp("The target that it is about; default: the first.", valueName: "name"))
    var target: String?
}
