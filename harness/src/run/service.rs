//! What a command tells the service manager: that it is ready, what it is doing, that it is alive, that it comes to its end.
//!
//! Without systemd (no `NOTIFY_SOCKET` in the environment) nothing happens. The watchdog is fed only when a run begins or a
//! frame has been stored: a command that hangs is restarted by the manager and goes on where it was.
//!
//! Readiness and end are the command's, and each is told once, however many runs it is made of: to the manager a service that
//! is stopping has no watchdog any more and a limited time to live.

use sd_notify::NotifyState;

/// Longest time that what comes after the last frame may take, microseconds: ten minutes.
const REPORT_MICROS: u32 = 600_000_000;

/// Whether beginning and end of a run are those of the command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// They are: the run is the command.
    Whole,
    /// They are not: the command has several runs, and tells its own beginning and end.
    Part {
        /// Number of the run, from 1.
        number: usize,
        /// Runs of the command.
        of: usize,
    },
}

impl Service {
    /// Frames are about to come.
    pub(super) fn ready(self, stored: u64, asked: u64) {
        match self {
            Self::Whole => ready(),
            // the report of the run before and loading the network took time without a frame
            Self::Part { .. } => self.alive(stored, asked),
        }
    }

    /// A frame was stored.
    pub(super) fn alive(self, stored: u64, asked: u64) {
        let status = self.status(stored, asked);
        tell(&[NotifyState::Watchdog, NotifyState::Status(&status)]);
    }

    /// No more frames are taken, perhaps because the command was asked to end; what is stored is still to be judged and the
    /// report to be written.
    pub(super) fn stopping(self, asked_to: bool) {
        match self {
            Self::Whole => stopping(),
            // the manager that asked counts already, and the report of this run comes first
            Self::Part { .. } if asked_to => more_time(),
            Self::Part { .. } => {}
        }
    }

    fn status(self, stored: u64, asked: u64) -> String {
        match self {
            Self::Whole => format!("{stored} of {asked} frames"),
            Self::Part { number, of } => {
                format!("run {number} of {of}: {stored} of {asked} frames")
            }
        }
    }
}

/// The command has begun.
pub(crate) fn ready() {
    tell(&[NotifyState::Ready]);
}

/// The command takes no more frames; what is stored is still to be worked up.
///
/// With this word the manager's time limit for stopping begins (`TimeoutStopSec=`, 90 s in our unit), also where the command
/// came to its end by itself, and the watchdog's ends; so more time is asked for in the same message.
pub(crate) fn stopping() {
    tell(&[NotifyState::Stopping, NotifyState::ExtendTimeoutUsec(REPORT_MICROS)]);
}

/// The end takes longer: ten minutes from now.
pub(crate) fn more_time() {
    tell(&[NotifyState::ExtendTimeoutUsec(REPORT_MICROS)]);
}

fn tell(states: &[NotifyState<'_>]) {
    // a manager that does not listen is no reason to stop measuring
    drop(sd_notify::notify(states));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_service_manager_nothing_happens() {
        for service in [Service::Whole, Service::Part { number: 1, of: 2 }] {
            service.ready(0, 2);
            service.alive(1, 2);
            service.stopping(true);
        }
        more_time();
    }

    #[test]
    fn the_status_of_one_of_many_runs_says_which() {
        assert_eq!(Service::Whole.status(3, 8), "3 of 8 frames");
        let second = Service::Part { number: 2, of: 5 };
        assert_eq!(second.status(3, 8), "run 2 of 5: 3 of 8 frames");
    }
}
