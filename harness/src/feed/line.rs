//! Between the thread that receives and the thread that works: slots, and a queue with its policy.
//!
//! Every wait has a limit, and either side may leave: the other one notices and ends.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use firmware_host::queue::Offer;
use firmware_host::{FrameQueue, Micros, Policy, SlotPool};

use super::HostSlot;
use super::camera::Truth;
use super::intake::Accepted;
use super::scenario::{MAX_DEPTH, QueueSettings};

/// Slots beside those that wait: one being filled, one being read, one to spare.
const SPARE: usize = 3;
const POOL: usize = MAX_DEPTH + SPARE;
/// Longest wait before the other side's state is looked at again.
const NAP: Duration = Duration::from_millis(50);

/// A checked frame that waits to be worked on.
#[derive(Debug)]
pub struct Waiting {
    /// The slot with the packet; give it back when done.
    pub slot: HostSlot,
    /// What the checks found.
    pub accepted: Accepted,
    /// Ground truth, if it came along.
    pub truth: Option<Truth>,
    /// How long making the picture took.
    pub capture: Micros,
    /// When the packet had arrived and was checked.
    pub arrived: Micros,
}

/// Answer of [`Line::take`].
#[derive(Debug)]
pub enum Taken {
    /// The frame that has waited longest.
    Frame(Box<Waiting>),
    /// None came in time.
    Nothing,
    /// None will come any more.
    Closed,
}

#[derive(Debug)]
struct State {
    pool: SlotPool<Box<[u8]>, POOL>,
    limit: usize,
    queue: FrameQueue<Box<Waiting>, MAX_DEPTH>,
    policy: Policy,
    closed: bool,
    abandoned: bool,
}

/// The connection between the two threads.
#[derive(Debug)]
pub struct Line {
    state: Mutex<State>,
    changed: Condvar,
}

impl Line {
    /// An empty line.
    #[must_use]
    pub fn new(settings: QueueSettings) -> Self {
        let policy = settings.policy.policy();
        let state = State {
            pool: SlotPool::new(Box::default),
            limit: settings.depth + SPARE,
            queue: FrameQueue::with_depth(policy, settings.depth),
            policy,
            closed: false,
            abandoned: false,
        };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // a thread that panicked is reported by whoever joins it
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A slot of at least that many bytes, if one is free.
    #[must_use]
    pub fn lease(&self, bytes: usize) -> Option<HostSlot> {
        let mut state = self.lock();
        if state.pool.leased() >= state.limit {
            return None;
        }
        let mut slot = state.pool.lease()?;
        drop(state);
        if slot.bytes.len() < bytes {
            slot.bytes = vec![0; bytes].into_boxed_slice();
        }
        Some(slot)
    }

    /// Wait for a slot as long as `go_on` allows it; none if the other side left.
    pub fn lease_waiting(&self, bytes: usize, go_on: &dyn Fn() -> bool) -> Option<HostSlot> {
        loop {
            if let Some(slot) = self.lease(bytes) {
                return Some(slot);
            }
            // asked without the lock: the answer may look at this line
            if !go_on() {
                return None;
            }
            let state = self.lock();
            if state.abandoned {
                return None;
            }
            drop(self.changed.wait_timeout(state, NAP));
        }
    }

    /// Put a slot back.
    pub fn give_back(&self, slot: HostSlot) {
        let accepted = self.lock().pool.give_back(slot);
        debug_assert!(accepted.is_ok(), "a slot came back twice");
        self.changed.notify_all();
    }

    /// Offer a frame. Gives back the number of a frame that was dropped for lack of room. With
    /// [`Policy::Block`] it waits as long as `go_on` allows it.
    pub fn offer(&self, frame: Waiting, go_on: &dyn Fn() -> bool) -> Option<u32> {
        let mut frame = Box::new(frame);
        loop {
            // asked without the lock: the answer may look at this line
            let wait = go_on();
            let mut state = self.lock();
            if state.abandoned {
                return Some(discard(&mut state, *frame));
            }
            let outcome = state.queue.offer(frame);
            self.changed.notify_all();
            match outcome {
                Offer::Queued => return None,
                Offer::Displaced(old) | Offer::Dropped(old) => {
                    return Some(discard(&mut state, *old));
                }
                Offer::Full(refused) => {
                    if !wait {
                        return Some(discard(&mut state, *refused));
                    }
                    frame = refused;
                    drop(self.changed.wait_timeout(state, NAP));
                }
            }
        }
    }

    /// The frame that has waited longest; waits for one at most this long.
    #[must_use]
    pub fn take(&self, limit: Duration) -> Taken {
        let mut state = self.lock();
        let mut left = limit;
        loop {
            if let Some(frame) = state.queue.take() {
                self.changed.notify_all();
                return Taken::Frame(frame);
            }
            if state.closed {
                return Taken::Closed;
            }
            if left.is_zero() {
                return Taken::Nothing;
            }
            let nap = left.min(NAP);
            left -= nap;
            state = match self.changed.wait_timeout(state, nap) {
                Ok((state, _)) => state,
                Err(poisoned) => poisoned.into_inner().0,
            };
        }
    }

    /// Frames that wait now.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.lock().queue.len()
    }

    /// No more frames will be offered.
    pub fn close(&self) {
        self.lock().closed = true;
        self.changed.notify_all();
    }

    /// Nobody will take frames any more.
    pub fn abandon(&self) {
        self.lock().abandoned = true;
        self.changed.notify_all();
    }

    /// Whether the taking side left.
    #[must_use]
    pub fn is_abandoned(&self) -> bool {
        self.lock().abandoned
    }

    /// Most slots that were out at once.
    #[must_use]
    pub fn high_water(&self) -> usize {
        self.lock().pool.high_water()
    }

    /// Whether the next frame that is offered will wait for room.
    #[must_use]
    pub fn blocks(&self) -> bool {
        let state = self.lock();
        state.policy == Policy::Block && state.queue.is_full()
    }

    /// Policy of the queue.
    #[must_use]
    pub fn policy(&self) -> Policy {
        self.lock().policy
    }
}

/// Closes a line when it goes, whatever the reason: whoever takes frames must not wait for a thread that panicked.
#[derive(Debug)]
pub(super) struct Closing<'a>(pub(super) &'a Line);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.close();
    }
}

fn discard(state: &mut State, frame: Waiting) -> u32 {
    let sequence = frame.accepted.header.sequence;
    let accepted = state.pool.give_back(frame.slot);
    debug_assert!(accepted.is_ok(), "a slot came back twice");
    sequence
}
