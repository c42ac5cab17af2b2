//! The queue between camera and receiver, with a named policy for the moment when it is full.

use heapless::Deque;

/// What happens to a frame that finds the queue full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Policy {
    /// The camera waits: nothing is lost, results do not depend on speed.
    #[default]
    Block,
    /// The oldest waiting frame makes room.
    DropOldest,
    /// The new frame is not taken in.
    DropNewest,
    /// Every waiting frame makes room: only the latest one waits.
    LatestOnly,
}

/// What became of a frame that was offered.
#[derive(Debug, PartialEq, Eq)]
pub enum Offer<T> {
    /// It waits in the queue.
    Queued,
    /// It waits, and this one was dropped for it.
    Displaced(T),
    /// It was dropped itself.
    Dropped(T),
    /// It was not taken; offer it again when there is room.
    Full(T),
}

impl Policy {
    /// All policies.
    pub const ALL: [Self; 4] = [Self::Block, Self::DropOldest, Self::DropNewest, Self::LatestOnly];

    /// Name on the command line and in scenarios.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Block => "block",
            Self::DropOldest => "drop-oldest",
            Self::DropNewest => "drop-newest",
            Self::LatestOnly => "latest-only",
        }
    }
}

/// A first-in first-out queue of at most `N` frames.
#[derive(Debug)]
pub struct FrameQueue<T, const N: usize> {
    waiting: Deque<T, N>,
    policy: Policy,
    depth: usize,
}

impl<T, const N: usize> FrameQueue<T, N> {
    /// An empty queue.
    #[must_use]
    pub const fn new(policy: Policy) -> Self {
        Self { waiting: Deque::new(), policy, depth: N }
    }

    /// An empty queue in which at most `depth` frames wait: 1 to `N`, nearer ones taken for others.
    #[must_use]
    pub const fn with_depth(policy: Policy, depth: usize) -> Self {
        let depth = if depth == 0 { 1 } else { depth };
        Self { waiting: Deque::new(), policy, depth: if depth > N { N } else { depth } }
    }

    /// Offer a frame. With [`Policy::LatestOnly`] call again with the same answer in mind: at most one
    /// frame waits, so at most one can be displaced.
    pub fn offer(&mut self, frame: T) -> Offer<T> {
        let displaced = match (self.is_full(), self.policy) {
            (false, _) => None,
            (true, Policy::Block) => return Offer::Full(frame),
            (true, Policy::DropNewest) => return Offer::Dropped(frame),
            (true, Policy::DropOldest | Policy::LatestOnly) => self.waiting.pop_front(),
        };
        match (self.waiting.push_back(frame), displaced) {
            (Ok(()), None) => Offer::Queued,
            (Ok(()), Some(old)) => Offer::Displaced(old),
            // only a queue of capacity zero comes here
            (Err(frame), _) => Offer::Dropped(frame),
        }
    }

    /// The frame that has waited longest.
    pub fn take(&mut self) -> Option<T> {
        self.waiting.pop_front()
    }

    /// Frames that wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether the next frame finds no room: then the policy decides.
    #[must_use]
    pub fn is_full(&self) -> bool {
        match self.policy {
            Policy::LatestOnly => !self.waiting.is_empty(),
            _ => self.waiting.len() >= self.depth,
        }
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_depth_below_the_capacity_is_kept() {
        let mut queue = FrameQueue::<u8, 8>::with_depth(Policy::DropNewest, 3);
        let offers = [1, 2, 3, 4].map(|frame| queue.offer(frame));
        assert_eq!(offers[3], Offer::Dropped(4));
        assert_eq!((queue.len(), queue.is_full()), (3, true));
        queue.take();
        assert!(!queue.is_full());
    }

    #[test]
    fn each_policy_does_what_its_name_says() {
        let run = |policy| {
            let mut queue = FrameQueue::<u8, 2>::new(policy);
            let last = [1, 2, 3].map(|frame| queue.offer(frame));
            let mut waiting = Vec::new();
            while let Some(frame) = queue.take() {
                waiting.push(frame);
            }
            (last, waiting)
        };
        use Offer::{Displaced, Dropped, Full, Queued};
        assert_eq!(run(Policy::Block), ([Queued, Queued, Full(3)], vec![1, 2]));
        assert_eq!(run(Policy::DropOldest), ([Queued, Queued, Displaced(1)], vec![2, 3]));
        assert_eq!(run(Policy::DropNewest), ([Queued, Queued, Dropped(3)], vec![1, 2]));
        assert_eq!(run(Policy::LatestOnly), ([Queued, Displaced(1), Displaced(2)], vec![3]));
    }
}
