//! Whose fault is it that a frame leaves late: the camera's, or that of a full queue which held the camera up?

use firmware_host::Micros;

/// A frame that leaves later than this after its time counts as late by the camera's own fault.
const SLACK: Micros = Micros(2000);

/// How late a simulated camera was by its own fault: as late as it would have been had the queue always had room.
///
/// A camera that a queue with the policy `block` holds up begins the next frame late, and so those behind it, until it has caught
/// up. That delay is charged to the pipeline, by the latency of its frames; counted here as well, it would say that rendering was
/// too slow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Lateness {
    /// How much later the camera is than it would be with room in the queue.
    behind: Micros,
    /// Frames that were late.
    pub(super) frames: u64,
    /// The longest such delay.
    pub(super) worst: Micros,
}

impl Lateness {
    /// At `now` a frame is ready that is to leave at `due`.
    pub(super) fn ready(&mut self, due: Micros, now: Micros) {
        let late = now.since(due);
        // a camera that is less late than it was held up has caught up with the rest
        self.behind = self.behind.min(late);
        let own = Micros(late.0 - self.behind.0);
        if own > SLACK {
            self.frames += 1;
            self.worst = self.worst.max(own);
        }
    }

    /// From `since` to `now` the camera waited for room in the queue.
    pub(super) const fn held_up(&mut self, since: Micros, now: Micros) {
        self.behind = self.behind.after(now.since(since));
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PERIOD: u64 = 10_000;

    /// A camera of which each frame takes so long to make, and then waits so long for room in the queue.
    fn camera(frames: &[(u64, u64)]) -> Lateness {
        let (mut lateness, mut now) = (Lateness::default(), Micros(0));
        for (n, (work, wait)) in (0_u64..).zip(frames) {
            let due = Micros(n * PERIOD);
            now = now.after(Micros(*work));
            lateness.ready(due, now);
            now = now.max(due);
            let room = now.after(Micros(*wait));
            lateness.held_up(now, room);
            now = room;
        }
        lateness
    }

    #[test]
    fn a_camera_that_a_full_queue_holds_up_is_not_late() {
        // a pipeline that is too slow all the time, and one that hangs once
        assert_eq!(camera(&[(1000, 29_000); 50]).frames, 0);
        let mut once = [(1000, 0); 50];
        once[20].1 = 200_000;
        assert_eq!(camera(&once).frames, 0);
    }

    #[test]
    fn a_camera_that_is_too_slow_is_late_whatever_the_queue_does() {
        // 14 ms a frame every 10 ms, the first one 14 ms late
        let alone = camera(&[(14_000, 0); 20]);
        assert_eq!((alone.frames, alone.worst), (20, Micros(90_000)));
        let held_up = camera(&[(14_000, 30_000); 20]);
        assert_eq!((held_up.frames, held_up.worst), (alone.frames, alone.worst));
    }

    proptest! {
        #[test]
        fn waiting_for_the_queue_changes_nothing(
            frames in prop::collection::vec((0_u64..30_000, 0_u64..60_000), 1..80),
        ) {
            let alone: Vec<(u64, u64)> = frames.iter().map(|(work, _)| (*work, 0)).collect();
            let (found, expected) = (camera(&frames), camera(&alone));
            prop_assert_eq!((found.frames, found.worst), (expected.frames, expected.worst));
        }
    }
}
