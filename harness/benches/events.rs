//! What does a device event cost the thread that logs it? Batches of events with the log open, with it closed, and into the ring
//! that stands beside the log take turns, so that whatever else runs on the machine slows all alike.
//!
//! ```text
//! cargo bench -p harness --bench events [-- ROUNDS]
//! ```
//!
//! Prints nanoseconds an event: median over the rounds with the order statistics that enclose it with 95 %. A frame that goes
//! through without faults logs four events (captured, arrived, classified, explained).
#![expect(clippy::print_stdout, reason = "the result")]
#![expect(clippy::unwrap_used, reason = "a measurement that cannot go on shall end")]

use std::time::Duration;

use firmware_host::{Arrival, Event, EventRing, Micros};
use harness::clock::Clock;
use harness::stats::percentile;

/// Events of a batch: less than the log's ring holds, so that none is dropped if the writer keeps up.
const BATCH: u32 = 2000;
/// Pause after a batch, in which the writer empties the ring.
const PAUSE: Duration = Duration::from_millis(20);
/// Events of a frame without faults.
const EVENTS_A_FRAME: f64 = 4.0;

/// The event that every frame logs when it arrives.
fn event(sequence: u32) -> Event {
    Event::Arrived { sequence, arrival: Arrival::InOrder, age: Micros(u64::from(sequence)) }
}

/// Nanoseconds an event of a batch.
fn batch(clock: Clock, mut log: impl FnMut(Event)) -> f64 {
    let (_, taken) = clock.time(|| (0..BATCH).for_each(|n| log(std::hint::black_box(event(n)))));
    taken.0 as f64 * 1000.0 / f64::from(BATCH)
}

/// Median with the order statistics that enclose it with 95 %: ranks n/2 -+ 0.98 sqrt(n).
fn median(values: &mut [f64]) -> (f64, String) {
    values.sort_by(f64::total_cmp);
    let half_width = 0.98 / (values.len() as f64).sqrt();
    let at = |share: f64| percentile(values, share.clamp(0.0, 1.0)).unwrap();
    let (low, high) = (at(0.5 - half_width), at(0.5 + half_width));
    (at(0.5), format!("{:.0} ns ({low:.0} to {high:.0}), n = {}", at(0.5), values.len()))
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let rounds: usize = arguments.first().map_or(40, |text| text.parse().unwrap());
    let clock = Clock::start();
    let path = std::env::temp_dir().join(format!("roadgaze-events-{}", std::process::id()));
    let (mut open, mut closed, mut ring) = (vec![], vec![], vec![]);
    let mut dropped = 0;
    for _ in 0..rounds {
        let before = defmt_host::dropped();
        let log = defmt_host::Log::append(&path).unwrap();
        open.push(batch(clock, |event| event.log()));
        std::thread::sleep(PAUSE);
        log.finish().unwrap();
        dropped += defmt_host::dropped() - before;
        closed.push(batch(clock, |event| event.log()));
        let mut events = EventRing::<64>::new();
        ring.push(batch(clock, |event| events.push(Micros(0), event)));
        std::hint::black_box(events.tally());
    }
    drop(std::fs::remove_file(&path));
    let (nanos, text) = median(&mut open);
    println!("log open:   {text} an event, {dropped} of {} dropped", rounds * BATCH as usize);
    println!("log closed: {} an event", median(&mut closed).1);
    println!("ring alone: {} an event", median(&mut ring).1);
    let frame = nanos * EVENTS_A_FRAME / 1000.0;
    println!("a frame with {EVENTS_A_FRAME} events: {frame:.2} us");
}
