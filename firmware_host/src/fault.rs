//! Which faults strike which frame: a pure function of (plan, seed, sequence number), in integers alone.
//!
//! Nothing is drawn in the order of calls. Whether fault 3 strikes frame 1,000 can be asked at any time and has the
//! same answer on every processor, before, while or after the frame is filmed.

use heapless::Vec;

use crate::random::Random;
use crate::time::Micros;

/// Faults in a plan at most.
pub const MAX_FAULTS: usize = 16;
/// Longest run of frames that one start strikes.
pub const MAX_LENGTH: u32 = 1000;

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Kind {
    /// The frame never arrives.
    Drop,
    /// The frame arrives later; those behind it wait, as on a cable.
    Late {
        /// By how much.
        by: Micros,
    },
    /// The camera stands still for this long; frames due meanwhile come at its end.
    Stall {
        /// How long.
        lasting: Micros,
    },
    /// The frame arrives twice.
    Duplicate,
    /// The frame after it overtakes it.
    Reorder,
    /// The picture before it is delivered again under its own number.
    Freeze,
    /// All pixels are zero.
    Black,
    /// From a random row on, the rows are those of the picture before.
    Tear,
    /// From a random row on, the rows stand this many columns to the right (left if negative), black filled in.
    Shift {
        /// Columns.
        columns: i16,
    },
    /// A grey rectangle, a quarter of the picture's sides, somewhere: dirt on the lens.
    Occlude,
    /// An eighth of the rows is missing, and the header says so.
    WrongSize,
    /// Bits of the sealed packet are flipped at random places.
    FlipBits {
        /// How many.
        count: u16,
    },
    /// The sealed packet ends early.
    Truncate,
}

impl Kind {
    /// Name in scenarios and tables.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Drop => "drop",
            Self::Late { .. } => "late",
            Self::Stall { .. } => "stall",
            Self::Duplicate => "duplicate",
            Self::Reorder => "reorder",
            Self::Freeze => "freeze",
            Self::Black => "black",
            Self::Tear => "tear",
            Self::Shift { .. } => "shift",
            Self::Occlude => "occlude",
            Self::WrongSize => "wrong-size",
            Self::FlipBits { .. } => "flip-bits",
            Self::Truncate => "truncate",
        }
    }

    /// Whether the camera is at fault, and the picture shows it.
    #[must_use]
    pub const fn is_of_picture(self) -> bool {
        matches!(
            self,
            Self::Freeze
                | Self::Black
                | Self::Tear
                | Self::Shift { .. }
                | Self::Occlude
                | Self::WrongSize
        )
    }

    /// Whether the cable is at fault, and the checksum tells it.
    #[must_use]
    pub const fn is_of_packet(self) -> bool {
        matches!(self, Self::FlipBits { .. } | Self::Truncate)
    }
}

/// At which frames a fault begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Start {
    /// At each frame with this chance, independently.
    Chance {
        /// How often in a million frames.
        per_million: u32,
    },
    /// At every n-th frame.
    Every {
        /// Distance; 0 means never.
        n: u32,
        /// The first one.
        first: u32,
    },
    /// At one frame.
    At {
        /// Its number.
        sequence: u32,
    },
}

/// One fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Fault {
    /// What goes wrong.
    pub kind: Kind,
    /// Where it begins.
    pub start: Start,
    /// For how many frames: 1 alone, more are a burst. From 1 to [`MAX_LENGTH`].
    pub length: u32,
}

/// The faults of a scenario, and its seed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FaultPlan {
    seed: u64,
    faults: Vec<Fault, MAX_FAULTS>,
}

impl FaultPlan {
    /// A plan without faults.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self { seed, faults: Vec::new() }
    }

    /// Add a fault.
    ///
    /// # Errors
    /// Gives it back if there is no room for more, or its length is not 1 to [`MAX_LENGTH`].
    pub fn push(&mut self, fault: Fault) -> Result<(), Fault> {
        if !(1..=MAX_LENGTH).contains(&fault.length) {
            return Err(fault);
        }
        self.faults.push(fault)
    }

    /// The faults in their order.
    #[must_use]
    pub fn faults(&self) -> &[Fault] {
        &self.faults
    }

    /// Whether any fault shows a picture again, so that the one before must be kept.
    #[must_use]
    pub fn needs_previous(&self) -> bool {
        self.faults.iter().any(|f| matches!(f.kind, Kind::Freeze | Kind::Tear))
    }

    /// Whether fault number `index` strikes the frame.
    #[must_use]
    pub fn strikes(&self, index: usize, sequence: u32) -> bool {
        self.faults.get(index).is_some_and(|fault| {
            (0..fault.length.min(sequence.saturating_add(1)))
                .any(|k| self.begins(index, fault.start, sequence - k))
        })
    }

    /// How much later than due the frame leaves the camera: the longest of all delays.
    #[must_use]
    pub fn delay(&self, sequence: u32, period: Micros) -> Micros {
        let mut longest = Micros(0);
        for (index, fault) in self.faults.iter().enumerate() {
            let delay = match fault.kind {
                Kind::Late { by } if self.strikes(index, sequence) => by,
                Kind::Stall { lasting } => {
                    self.stall(index, fault.start, sequence, lasting, period)
                }
                _ => Micros(0),
            };
            longest = longest.max(delay);
        }
        longest
    }

    /// Draws that belong to this fault and this frame.
    #[must_use]
    pub fn random(&self, index: usize, sequence: u32) -> Random {
        Random::new(self.seed, stream(index, 1), sequence)
    }

    fn begins(&self, index: usize, start: Start, sequence: u32) -> bool {
        match start {
            Start::Chance { per_million } => {
                Random::new(self.seed, stream(index, 0), sequence).hits(per_million)
            }
            Start::Every { n, first } => {
                n > 0 && sequence >= first && (sequence - first).is_multiple_of(n)
            }
            Start::At { sequence: at } => at == sequence,
        }
    }

    fn stall(
        &self,
        index: usize,
        start: Start,
        sequence: u32,
        lasting: Micros,
        period: Micros,
    ) -> Micros {
        let mut k = 0;
        while k <= sequence && k <= MAX_LENGTH {
            let passed = Micros(period.0.saturating_mul(u64::from(k)));
            if passed >= lasting {
                break;
            }
            // the newest start has the most time left
            if self.begins(index, start, sequence - k) {
                return lasting.since(passed);
            }
            k += 1;
        }
        Micros(0)
    }
}

/// Two streams a fault: where it begins, and what it does there.
#[expect(clippy::cast_possible_truncation, reason = "at most 16 faults")]
const fn stream(index: usize, purpose: u32) -> u32 {
    (index as u32) * 2 + purpose
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(kind: Kind, start: Start, length: u32) -> FaultPlan {
        let mut plan = FaultPlan::new(11);
        plan.push(Fault { kind, start, length }).unwrap();
        plan
    }

    fn struck(plan: &FaultPlan, frames: u32) -> std::vec::Vec<u32> {
        (0..frames).filter(|&s| plan.strikes(0, s)).collect()
    }

    #[test]
    fn every_nth_bursts_and_single_frames() {
        let every = Start::Every { n: 10, first: 4 };
        assert_eq!(struck(&plan(Kind::Drop, every, 1), 30), [4, 14, 24]);
        assert_eq!(struck(&plan(Kind::Drop, every, 3), 20), [4, 5, 6, 14, 15, 16]);
        assert_eq!(struck(&plan(Kind::Drop, Start::At { sequence: 7 }, 2), 30), [7, 8]);
    }

    #[test]
    fn chance_is_independent_of_the_order_of_questions_and_as_frequent_as_stated() {
        let plan = plan(Kind::Drop, Start::Chance { per_million: 50_000 }, 1);
        let forwards = struck(&plan, 20_000);
        let mut backwards: std::vec::Vec<u32> =
            (0..20_000).rev().filter(|&s| plan.strikes(0, s)).collect();
        backwards.reverse();
        assert_eq!(forwards, backwards);
        // 1,000 +- five standard deviations
        assert!((846..1154).contains(&forwards.len()), "{}", forwards.len());
    }

    #[test]
    fn a_stall_delays_all_frames_due_meanwhile_up_to_its_end() {
        let lasting = Micros(200_000);
        let plan = plan(Kind::Stall { lasting }, Start::Every { n: 500, first: 500 }, 1);
        let delays: std::vec::Vec<u64> =
            (499..508).map(|s| plan.delay(s, Micros(33_333)).0).collect();
        assert_eq!(delays, [0, 200_000, 166_667, 133_334, 100_001, 66_668, 33_335, 2, 0]);
        assert_eq!(plan.delay(1000, Micros(33_333)), lasting);
    }

    #[test]
    fn impossible_lengths_and_a_seventeenth_fault_are_refused() {
        let fault = Fault { kind: Kind::Drop, start: Start::At { sequence: 0 }, length: 1 };
        let mut plan = FaultPlan::new(0);
        assert!(plan.push(Fault { length: 0, ..fault }).is_err());
        assert!(plan.push(Fault { length: MAX_LENGTH + 1, ..fault }).is_err());
        for _ in 0..MAX_FAULTS {
            plan.push(fault).unwrap();
        }
        assert!(plan.push(fault).is_err());
    }
}
