//! What a run tells the service manager: that it is ready, what it is doing, that it is alive.
//!
//! Without systemd (no `NOTIFY_SOCKET` in the environment) nothing happens. The watchdog is fed only when a frame has
//! been stored: a run that hangs is restarted by the manager and goes on with `--resume`.

use sd_notify::NotifyState;

/// Longest time that the report of a run may take, microseconds: ten minutes.
const REPORT_MICROS: u32 = 600_000_000;

/// Frames are about to come.
pub(super) fn ready() {
    tell(&[NotifyState::Ready]);
}

/// A frame was stored.
pub(super) fn alive(stored: u64, asked: u64) {
    let status = format!("{stored} of {asked} frames");
    tell(&[NotifyState::Watchdog, NotifyState::Status(&status)]);
}

/// No more frames are taken; what is stored is still to be judged and the report to be written.
///
/// With this word the manager's time limit for stopping begins (`TimeoutStopSec=`, 90 s in our unit), also where the run
/// came to its end by itself, and the watchdog's ends; so more time is asked for in the same message.
pub(super) fn stopping() {
    tell(&[NotifyState::Stopping, NotifyState::ExtendTimeoutUsec(REPORT_MICROS)]);
}

fn tell(states: &[NotifyState<'_>]) {
    // a manager that does not listen is no reason to stop measuring
    drop(sd_notify::notify(states));
}

#[cfg(test)]
mod tests {
    #[test]
    fn without_a_service_manager_nothing_happens() {
        super::ready();
        super::alive(1, 2);
        super::stopping();
    }
}
