//! Counts that stay right even when the events they count were overwritten: in = processed + dropped.

/// Why a frame was not processed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum DropReason {
    /// No free slot when it was captured.
    NoSlot,
    /// The queue was full.
    QueueFull,
    /// The packet failed its checks on arrival.
    BadPacket,
    /// The data set could not deliver it.
    BadSource,
    /// It never arrived: a gap in the sequence numbers.
    Lost,
    /// It came after a newer one had been taken in.
    Stale,
    /// Another size than the camera was set to.
    WrongSize,
    /// The run ended before its turn.
    Cut,
}

impl DropReason {
    /// How many there are.
    pub const COUNT: usize = 8;
    /// All reasons, in the order of [`Counters::dropped_by`].
    pub const ALL: [Self; Self::COUNT] = [
        Self::NoSlot,
        Self::QueueFull,
        Self::BadPacket,
        Self::BadSource,
        Self::Lost,
        Self::Stale,
        Self::WrongSize,
        Self::Cut,
    ];

    /// Name in logs and summaries.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NoSlot => "no_slot",
            Self::QueueFull => "queue_full",
            Self::BadPacket => "bad_packet",
            Self::BadSource => "bad_source",
            Self::Lost => "lost",
            Self::Stale => "stale",
            Self::WrongSize => "wrong_size",
            Self::Cut => "cut",
        }
    }
}

/// Frames counted since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct Counters {
    /// Frames that the camera was due to deliver.
    pub frames_in: u64,
    /// Frames that went through the pipeline.
    pub processed: u64,
    /// Frames dropped, by [`DropReason::ALL`].
    pub dropped_by: [u64; DropReason::COUNT],
    /// Packets beyond one a frame: repeats of a frame that was taken in already. Not part of the balance.
    pub repeated: u64,
}

impl Counters {
    /// Count a dropped frame.
    pub fn drop_frame(&mut self, reason: DropReason) {
        self.dropped_by[reason as usize] += 1;
    }

    /// Frames dropped for any reason.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped_by.iter().sum()
    }

    /// Whether every frame is accounted for once the pipeline is empty.
    #[must_use]
    pub fn balanced(&self) -> bool {
        self.frames_in == self.processed + self.dropped()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_are_indexed_as_listed_and_the_balance_holds() {
        let mut counters = Counters { frames_in: 10, processed: 2, ..Counters::default() };
        for (i, reason) in DropReason::ALL.into_iter().enumerate() {
            counters.drop_frame(reason);
            assert_eq!(counters.dropped_by[i], 1, "{}", reason.name());
        }
        assert!(counters.balanced());
    }
}
