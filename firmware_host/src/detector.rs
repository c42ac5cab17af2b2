//! Pictures that a working link delivers from a broken camera: frozen and black ones.
//!
//! Both detectors raise an alarm when the sign has been there for `frames` frames in a row and clear it with the
//! first frame without it. So the delay is `frames - 1` frames, and one odd frame alone never raises an alarm
//! when `frames` is 2 or more.
//!
//! * Frozen: the CRC-32 of the pixels is that of the frame before. Sensor noise makes two pictures of a standing
//!   scene differ; two different pictures share a CRC once in 2^32.
//! * Black: the mean of every 16th pixel is at most `black_level`. A night scene must stay above it.

/// When to raise an alarm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub struct DetectorSettings {
    /// Frames in a row with the same pixels, the first of them not counted.
    pub frozen_frames: u32,
    /// Frames in a row that are black.
    pub black_frames: u32,
    /// Highest mean that counts as black, 0 to 255.
    pub black_level: u8,
}

impl Default for DetectorSettings {
    fn default() -> Self {
        Self { frozen_frames: 2, black_frames: 2, black_level: 4 }
    }
}

/// What an alarm is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Ailment {
    /// The same picture again and again.
    Frozen,
    /// No light.
    Black,
}

impl Ailment {
    /// Both, in the order in which [`PictureWatch::look`] reports them.
    pub const ALL: [Self; 2] = [Self::Frozen, Self::Black];

    /// Name in logs and summaries.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Frozen => "frozen",
            Self::Black => "black",
        }
    }
}

/// An alarm that began or ended with this frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "defmt", derive(defmt::Format))]
pub enum Change {
    /// It began.
    Raised,
    /// It ended.
    Cleared,
}

/// One alarm: counts frames in a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Alarm {
    row: u32,
    raised: bool,
    raised_count: u32,
    frames: u64,
}

impl Alarm {
    fn step(&mut self, sign: bool, limit: u32) -> Option<Change> {
        self.row = if sign { self.row.saturating_add(1) } else { 0 };
        let raised = sign && self.row >= limit.max(1);
        self.frames += u64::from(raised);
        let change = match (self.raised, raised) {
            (false, true) => {
                self.raised_count = self.raised_count.saturating_add(1);
                Some(Change::Raised)
            }
            (true, false) => Some(Change::Cleared),
            _ => None,
        };
        self.raised = raised;
        change
    }
}

/// Looks at every accepted frame.
#[derive(Clone, Copy, Debug, Default)]
pub struct PictureWatch {
    settings: DetectorSettings,
    last_crc: Option<u32>,
    alarms: [Alarm; 2],
}

impl PictureWatch {
    /// A watch that has seen nothing.
    #[must_use]
    pub fn new(settings: DetectorSettings) -> Self {
        Self { settings, ..Self::default() }
    }

    /// Look at a frame: what changed, in the order of [`Ailment::ALL`].
    pub fn look(&mut self, pixels: &[u8], pixel_crc: u32) -> [Option<Change>; 2] {
        let same = self.last_crc.replace(pixel_crc) == Some(pixel_crc);
        let black = is_black(pixels, self.settings.black_level);
        [
            // a black picture repeats as well; it is called black, not frozen
            self.alarms[0].step(same && !black, self.settings.frozen_frames),
            self.alarms[1].step(black, self.settings.black_frames),
        ]
    }

    /// Whether the alarm is on.
    #[must_use]
    pub const fn raised(&self, ailment: Ailment) -> bool {
        self.alarms[ailment as usize].raised
    }

    /// How often the alarm went on.
    #[must_use]
    pub const fn raised_count(&self, ailment: Ailment) -> u32 {
        self.alarms[ailment as usize].raised_count
    }

    /// Frames during which it was on.
    #[must_use]
    pub const fn frames(&self, ailment: Ailment) -> u64 {
        self.alarms[ailment as usize].frames
    }
}

/// Whether the mean over every 16th RGB pixel is at most `level`; false for no pixels.
#[must_use]
pub fn is_black(pixels: &[u8], level: u8) -> bool {
    let (mut sum, mut count) = (0_u64, 0_u64);
    for pixel in pixels.chunks_exact(3).step_by(16) {
        sum += pixel.iter().map(|&v| u64::from(v)).sum::<u64>();
        count += 3;
    }
    count > 0 && sum <= u64::from(level) * count
}

#[cfg(test)]
mod tests {
    use super::*;

    fn watch(frames: &[(u8, u32)]) -> Vec<[Option<Change>; 2]> {
        let mut watch = PictureWatch::new(DetectorSettings::default());
        frames.iter().map(|&(shade, crc)| watch.look(&[shade; 96], crc)).collect()
    }

    #[test]
    fn the_alarm_comes_after_the_stated_delay_and_goes_with_the_first_good_frame() {
        use Change::{Cleared, Raised};
        let none = [None, None];
        assert_eq!(
            watch(&[(9, 1), (9, 2), (9, 2), (9, 2), (9, 2), (9, 3)]),
            [none, none, none, [Some(Raised), None], none, [Some(Cleared), None]]
        );
        assert_eq!(
            watch(&[(9, 1), (0, 2), (4, 2), (5, 3)]),
            [none, none, [None, Some(Raised)], [None, Some(Cleared)]]
        );
    }

    #[test]
    fn one_repeated_frame_is_no_alarm_and_nothing_is_not_black() {
        assert!(watch(&[(9, 1), (9, 1), (9, 2)]).iter().flatten().all(Option::is_none));
        assert!(!is_black(&[], 255));
    }
}
