import Capture
import TestSupport
import Testing

@testable import Worker

/// The window against a plain list of batches.
@Suite struct InFlightWindowTests {
    /// What the window stands for: every batch since the last reset, and whether it is done.
    private struct Model {
        struct Batch {
            var position: ReadPosition
            var weight: Int
            var isFinished = false
        }

        var start: ReadPosition
        var batches: [Batch] = []

        var acknowledged: ReadPosition { batches.prefix(while: \.isFinished).last?.position ?? start }
        var done: Int { batches.prefix(while: \.isFinished).count }
        var inFlight: ArraySlice<Batch> { batches.drop(while: \.isFinished) }
    }

    @Test func randomWalks() {
        var random = SeededGenerator()
        for _ in 0..<2_000 { walk(&random) }
    }

    private func walk(_ random: inout SeededGenerator) {
        let limit = Int.random(in: 1...30, using: &random)
        var number = 0
        func next() -> ReadPosition {
            number += 1
            return ReadPosition(position(number))
        }
        var model = Model(start: next())
        var window = InFlightWindow(at: model.start, limit: limit)
        var tickets: [(ticket: InFlightWindow.Ticket, index: Int)] = []
        var outdated: [InFlightWindow.Ticket] = []
        for _ in 0..<60 {
            let (progress, done) = (window.progress, model.done)
            var isReset = false
            switch Int.random(in: 0..<10, using: &random) {
            case 0...3:
                let batch = Model.Batch(position: next(), weight: .random(in: 0...12, using: &random))
                tickets.append((window.begin(batch.position, weight: batch.weight), model.batches.count))
                model.batches.append(batch)
            case 4:
                let position = next()
                window.pass(position)
                if model.inFlight.isEmpty {
                    model.start = position
                    model.batches = []
                    tickets = []
                } else {
                    model.batches[model.batches.count - 1].position = position
                }
            case 5:
                guard let (ticket, index) = tickets.randomElement(using: &random) else { continue }
                guard !model.batches[index].isFinished else { continue }
                let weight = Int.random(in: 0...2 * model.batches[index].weight, using: &random)
                window.weigh(ticket, weight)
                model.batches[index].weight = weight
            case 6...8:
                guard let place = tickets.indices.randomElement(using: &random) else { continue }
                let (ticket, index) = tickets.remove(at: place)
                window.finish(ticket)
                model.batches[index].isFinished = true
                model.batches[index].weight = 0
            default:
                guard Int.random(in: 0..<5, using: &random) == 0 else {
                    // What was begun before a reset has no say any more.
                    if let ticket = outdated.randomElement(using: &random) {
                        window.weigh(ticket, 0)
                        window.finish(ticket)
                    }
                    continue
                }
                model = Model(start: next())
                isReset = true
                window.reset(to: model.start)
                outdated += tickets.map(\.ticket)
                tickets = []
            }
            #expect(window.acknowledged == model.acknowledged)
            #expect(window.progress - progress == (isReset ? 1 : max(0, model.done - done)))
            #expect(window.isEmpty == model.inFlight.isEmpty)
            #expect(window.isFull == (model.batches.reduce(0) { $0 + $1.weight } >= limit))
        }
    }

    /// Something that is in order.
    private func position(_ number: Int) -> Snapshot {
        Snapshot("\(number):\(number):") ?? .empty
    }
}
