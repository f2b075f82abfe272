import FoundationEssentials
import Glibc

/// What the kernel says of this process, read when it is asked for.
enum ProcessMetrics {
    /// What can't be read is left out.
    static func read() -> [MetricFamily] {
        var families: [MetricFamily] = []
        if let stat = Stat(contentsOf("/proc/self/stat")) {
            families += [
                MetricFamily("process_resident_memory_bytes", value: stat.residentBytes),
                MetricFamily("process_virtual_memory_bytes", value: stat.virtualBytes),
                MetricFamily("process_cpu_seconds_total", .counter, value: stat.cpuSeconds),
            ]
            if let bootTime {
                families.append(MetricFamily("process_start_time_seconds", value: bootTime + stat.startSeconds))
            }
        }
        if let count = openDescriptors { families.append(MetricFamily("process_open_fds", value: Double(count))) }
        var limit = rlimit()
        if getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 {
            families.append(MetricFamily("process_max_fds", value: Double(limit.rlim_cur)))
        }
        return families
    }

    private static let ticks = Double(sysconf(Int32(_SC_CLK_TCK)))
    private static let pageSize = Double(sysconf(Int32(_SC_PAGESIZE)))
    /// When the machine was started, in seconds since 1970; a process' start is told from there.
    private static let bootTime: Double? = {
        let line = contentsOf("/proc/stat")?.split(separator: "\n").first { $0.hasPrefix("btime ") }
        return line.flatMap { Double($0.dropFirst(6)) }
    }()

    private struct Stat {
        var residentBytes, virtualBytes, cpuSeconds, startSeconds: Double

        /// The fields behind the name, which may hold anything, are counted from 3 on (proc(5)).
        init?(_ text: String?) {
            guard let text, let end = text.lastIndex(of: ")") else { return nil }
            let fields = text[text.index(after: end)...].split(separator: " ").map { Double($0) }
            guard fields.count > 21, let user = fields[11], let system = fields[12], let start = fields[19],
                let virtual = fields[20], let pages = fields[21]
            else { return nil }
            (residentBytes, virtualBytes) = (pages * pageSize, virtual)
            (cpuSeconds, startSeconds) = ((user + system) / ticks, start / ticks)
        }
    }

    /// Without the one that counts them.
    private static var openDescriptors: Int? {
        guard let directory = opendir("/proc/self/fd") else { return nil }
        defer { closedir(directory) }
        var count = 0
        while readdir(directory) != nil { count += 1 }
        return count - 3
    }

    private static func contentsOf(_ path: String) -> String? {
        try? String(contentsOfFile: path, encoding: .utf8)
    }
}
