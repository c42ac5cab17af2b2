//! Is the camera alive? A pure state machine: `(state, what happened, now) -> (state, transition)`.
//!
//! ```text
//!            first frame            no frame for late_after
//! Waiting ----------------> Healthy -----------------------> Late
//!    |                        ^  ^          frame             |  no frame for stalled_after
//!    | no frame for           |  +----------------------------+--------+
//!    | stalled_after          | recover_frames in time                 v
//!    +-------------------> Stalled <-------- late again -------- Recovering
//!                             +--------------- frame ----------------> ^
//! ```

use crate::time::Micros;

/// Limits of the watchdog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct WatchdogSettings {
    /// Without a frame for this long the camera is late.
    pub late_after: Micros,
    /// Without a frame for this long it has stalled; not below `late_after`.
    pub stalled_after: Micros,
    /// Frames in time after a stall before it counts as healthy again.
    pub recover_frames: u32,
}

impl WatchdogSettings {
    /// Late after two periods, stalled after five, healthy again after three frames.
    #[must_use]
    pub const fn for_period(period: Micros) -> Self {
        Self {
            late_after: Micros(period.0.saturating_mul(2)),
            stalled_after: Micros(period.0.saturating_mul(5)),
            recover_frames: 3,
        }
    }
}

/// Condition of the camera.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Condition {
    /// No frame has come yet.
    Waiting,
    /// Frames come in time.
    Healthy,
    /// A frame is overdue.
    Late,
    /// Nothing has come for long.
    Stalled,
    /// Frames come again after a stall.
    Recovering {
        /// Frames in time since then.
        good: u32,
    },
}

impl Condition {
    /// Name in logs.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Healthy => "healthy",
            Self::Late => "late",
            Self::Stalled => "stalled",
            Self::Recovering { .. } => "recovering",
        }
    }
}

/// What the watchdog hears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// A frame came.
    Frame,
    /// Nothing came, time went on.
    Time,
}

/// A change of condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Transition {
    /// Before.
    pub from: Condition,
    /// After.
    pub to: Condition,
    /// Time without a frame up to now.
    pub silent: Micros,
}

/// State of the watchdog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watchdog {
    settings: WatchdogSettings,
    condition: Condition,
    last: Micros,
}

impl Watchdog {
    /// A watchdog that starts to wait now.
    #[must_use]
    pub const fn new(settings: WatchdogSettings, now: Micros) -> Self {
        Self { settings, condition: Condition::Waiting, last: now }
    }

    /// Condition as of the last step.
    #[must_use]
    pub const fn condition(&self) -> Condition {
        self.condition
    }

    /// The moment at which silence would next change something: when to wake up at the latest.
    #[must_use]
    pub const fn wake_by(&self) -> Option<Micros> {
        match self.condition {
            Condition::Healthy | Condition::Recovering { .. } => {
                Some(self.last.after(self.settings.late_after))
            }
            Condition::Waiting | Condition::Late => {
                Some(self.last.after(self.settings.stalled_after))
            }
            Condition::Stalled => None,
        }
    }

    /// The state after nobody could listen for so long: frames that came meanwhile wait, which is no silence of the camera.
    #[must_use]
    pub const fn excused(self, deaf: Micros) -> Self {
        Self { settings: self.settings, condition: self.condition, last: self.last.after(deaf) }
    }

    /// The state after something happened, and the change if there was one.
    #[must_use]
    pub const fn step(self, input: Input, now: Micros) -> (Self, Option<Transition>) {
        let silent = now.since(self.last);
        let late = silent.0 >= self.settings.late_after.0;
        let stalled = silent.0 >= self.settings.stalled_after.0;
        let to = match (input, self.condition) {
            (Input::Frame, Condition::Waiting | Condition::Healthy | Condition::Late) => {
                // the silence may have been long without anyone asking
                if stalled && !matches!(self.condition, Condition::Waiting) {
                    Condition::Recovering { good: 1 }
                } else {
                    Condition::Healthy
                }
            }
            (Input::Frame, Condition::Stalled) => Condition::Recovering { good: 1 },
            (Input::Frame, Condition::Recovering { good }) => {
                if late {
                    Condition::Recovering { good: 1 }
                } else if good + 1 >= self.settings.recover_frames {
                    Condition::Healthy
                } else {
                    Condition::Recovering { good: good + 1 }
                }
            }
            (Input::Time, Condition::Stalled) => Condition::Stalled,
            (Input::Time, _) if stalled => Condition::Stalled,
            (Input::Time, Condition::Healthy) if late => Condition::Late,
            (Input::Time, Condition::Recovering { .. }) if late => Condition::Stalled,
            (Input::Time, other) => other,
        };
        let last = match input {
            Input::Frame => now,
            Input::Time => self.last,
        };
        let changed = !same_kind(self.condition, to);
        let transition =
            if changed { Some(Transition { from: self.condition, to, silent }) } else { None };
        (Self { settings: self.settings, condition: to, last }, transition)
    }
}

const fn same_kind(a: Condition, b: Condition) -> bool {
    matches!(
        (a, b),
        (Condition::Waiting, Condition::Waiting)
            | (Condition::Healthy, Condition::Healthy)
            | (Condition::Late, Condition::Late)
            | (Condition::Stalled, Condition::Stalled)
            | (Condition::Recovering { .. }, Condition::Recovering { .. })
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SETTINGS: WatchdogSettings = WatchdogSettings::for_period(Micros(100));

    fn walk(steps: &[(Input, u64)]) -> Vec<&'static str> {
        let mut dog = Watchdog::new(SETTINGS, Micros(0));
        steps
            .iter()
            .map(|&(input, now)| {
                dog = dog.step(input, Micros(now)).0;
                dog.condition().name()
            })
            .collect()
    }

    #[test]
    fn a_stall_is_noticed_in_time_and_recovery_needs_three_frames() {
        use Input::{Frame, Time};
        assert_eq!(
            walk(&[
                (Frame, 10),
                (Time, 150),
                (Time, 210),
                (Frame, 220),
                (Time, 420),
                (Time, 720),
                (Time, 5000),
                (Frame, 5100),
                (Frame, 5200),
                (Frame, 5300),
            ]),
            [
                "healthy",
                "healthy",
                "late",
                "healthy",
                "late",
                "stalled",
                "stalled",
                "recovering",
                "recovering",
                "healthy"
            ]
        );
    }

    #[test]
    fn a_camera_that_never_starts_and_one_that_stumbles_again_are_stalled() {
        use Input::{Frame, Time};
        assert_eq!(walk(&[(Time, 400), (Time, 500)]), ["waiting", "stalled"]);
        assert_eq!(
            walk(&[(Frame, 0), (Time, 600), (Frame, 700), (Time, 950)]),
            ["healthy", "stalled", "recovering", "stalled"]
        );
        // nobody asked during the silence
        assert_eq!(walk(&[(Frame, 0), (Frame, 900)]), ["healthy", "recovering"]);
    }

    #[test]
    fn a_receiver_that_could_not_listen_does_not_take_that_for_silence() {
        let healthy = Watchdog::new(SETTINGS, Micros(0)).step(Input::Frame, Micros(0)).0;
        let (dog, change) = healthy.excused(Micros(800)).step(Input::Time, Micros(900));
        assert_eq!((dog.condition(), change), (Condition::Healthy, None));
        assert_eq!(dog.wake_by(), Some(Micros(1000)));
        // what it was silent beyond that counts
        let (dog, _) = dog.step(Input::Time, Micros(1300));
        assert_eq!(dog.condition(), Condition::Stalled);
        assert_eq!(healthy.step(Input::Time, Micros(900)).0.condition(), Condition::Stalled);
    }

    proptest! {
        #[test]
        fn asking_more_often_never_hides_a_stall(gaps in proptest::collection::vec(1_u64..900, 1..40)) {
            let run = |every: u64| {
                let mut dog = Watchdog::new(SETTINGS, Micros(0)).step(Input::Frame, Micros(0)).0;
                let (mut now, mut stalls) = (0, 0);
                for gap in &gaps {
                    let mut t = now + every;
                    while t < now + gap {
                        let (next, change) = dog.step(Input::Time, Micros(t));
                        dog = next;
                        stalls += u32::from(change.is_some_and(|c| c.to == Condition::Stalled));
                        t += every;
                    }
                    now += gap;
                    let silent = *gap;
                    dog = dog.step(Input::Frame, Micros(now)).0;
                    if silent >= 500 + every {
                        prop_assert!(!matches!(dog.condition(), Condition::Healthy));
                    }
                }
                Ok(stalls)
            };
            prop_assert!(run(10)? >= run(250)?);
        }
    }
}
