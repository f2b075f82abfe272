import ArgumentParser

/// The flags that every command has. What they leave out comes from the environment, then from the file.
struct SettingsOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "libpq connection string or URI [UNSTALE_DATABASE_URL, database.url]; libpq's PG* variables count too.",
            valueName: "url"))
    var databaseURL: String?

    @Option(
        help: ArgumentHelp(
            "redis://user:password@host:port/database, redis+sentinel://host,host/master, redis+cluster://host,host, "
                + "unix:///path; rediss is by TLS "
                + "[UNSTALE_REDIS_URL, redis.url].",
            valueName: "url"))
    var redisURL: String?

    @Option(
        help: ArgumentHelp(
            "Rules file, or folder of *.yaml [UNSTALE_RULES, rules]; default: rules.", valueName: "path"))
    var rules: String?

    @Option(help: ArgumentHelp("YAML file with settings.", valueName: "file"))
    var config: String?

    @Option(
        help: ArgumentHelp(
            "trace, debug, info, notice, warning or error [UNSTALE_LOG_LEVEL, log.level].", valueName: "level"
        ))
    var logLevel: String?

    @Option(help: ArgumentHelp("text or json [UNSTALE_LOG_FORMAT, log.format].", valueName: "format"))
    var logFormat: String?

    /// The flags as settings.
    var flags: [String: String] {
        let all = [
            "database.url": databaseURL, "redis.url": redisURL, "rules": rules, "log.level": logLevel,
            "log.format": logFormat,
        ]
        return all.compactMapValues { $0 }
    }
}
