//! The last events, kept on the device, and counts of all of them beside the ring.
//!
//! A ring overwrites; counts do not. After a long run the ring tells what happened last, the tally what happened how often,
//! overwritten or not.

use heapless::Deque;

use crate::event::Event;
use crate::time::Micros;

/// The last `N` events with their times.
#[derive(Debug)]
pub struct EventRing<const N: usize> {
    events: Deque<(Micros, Event), N>,
    tally: [u64; Event::KINDS.len()],
}

impl<const N: usize> Default for EventRing<N> {
    fn default() -> Self {
        Self::new()
    }
}

impl<const N: usize> EventRing<N> {
    /// An empty ring.
    #[must_use]
    pub const fn new() -> Self {
        Self { events: Deque::new(), tally: [0; Event::KINDS.len()] }
    }

    /// Count an event and keep it, in place of the oldest if the ring is full.
    pub fn push(&mut self, now: Micros, event: Event) {
        self.tally[event.kind()] += 1;
        if self.events.is_full() {
            self.events.pop_front();
        }
        // a ring of no places keeps nothing and still counts
        self.events.push_back((now, event)).unwrap_or(());
    }

    /// The events that are still there, oldest first.
    pub fn iter(&self) -> impl Iterator<Item = &(Micros, Event)> {
        self.events.iter()
    }

    /// Events of each kind since the start, in the order of [`Event::KINDS`].
    #[must_use]
    pub const fn tally(&self) -> &[u64; Event::KINDS.len()] {
        &self.tally
    }

    /// Events that are no longer in the ring.
    #[must_use]
    pub fn overwritten(&self) -> u64 {
        self.tally.iter().sum::<u64>() - self.events.len() as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::counters::DropReason;

    #[test]
    fn overwritten_events_are_still_counted() {
        let mut ring = EventRing::<3>::new();
        for n in 0..10 {
            let reason = DropReason::QueueFull;
            ring.push(Micros(u64::from(n)), Event::Dropped { sequence: n, reason });
        }
        ring.push(Micros(10), Event::Captured { sequence: 10, slot: 0 });
        assert_eq!(ring.iter().map(|(t, _)| t.0).collect::<Vec<_>>(), [8, 9, 10]);
        assert_eq!(ring.overwritten(), 8);
        let of = |name| ring.tally()[Event::KINDS.iter().position(|k| *k == name).unwrap()];
        assert_eq!((of("dropped"), of("captured"), of("alarm")), (10, 1, 0));
    }
}
