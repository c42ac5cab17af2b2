//! The clock of the camera in terms of this one.

use firmware_host::Micros;

/// How far two clocks run apart at most, in a million: each crystal is good to some 50.
const DRIFT_PPM: i128 = 100;

/// What has to be added to times of the camera to have them on this clock, as far as its packets tell.
///
/// The fastest packet is taken to have needed no time, so that delays are right up to the shortest transport. Clocks drift
/// apart, and what the fastest packet told grows old: the difference may become larger by [`DRIFT_PPM`] of the time since.
/// Without that a camera whose clock is slow by 50 in a million would seem to be 180 ms late after an hour. A
/// jam that lasts is seen as long: a minute of it hides 6 ms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct OtherClock {
    /// The difference that the fastest packet showed, and when it came.
    fastest: Option<(i128, Micros)>,
}

impl OtherClock {
    /// A packet came at `now` whose picture was taken at `captured` by the camera's clock: what has to be added to its times.
    pub(super) fn heard(&mut self, captured: Micros, now: Micros) -> i128 {
        let difference = i128::from(now.0) - i128::from(captured.0);
        let known = self.fastest.map(|(difference, since)| {
            difference + i128::from(now.since(since).0) * DRIFT_PPM / 1_000_000
        });
        match known {
            Some(known) if known <= difference => known,
            _ => {
                self.fastest = Some((difference, now));
                difference
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Delays as they seem of frames every 33,333 us that need 200 us and what `more` says on their way.
    fn seen(frames: u64, camera: fn(u64) -> u64, more: fn(u64) -> u64) -> Vec<i128> {
        let mut clock = OtherClock::default();
        (0..frames)
            .map(|n| {
                let sent = 1_000_000 + n * 33_333;
                let now = sent + 200 + more(n);
                let captured = camera(sent);
                let offset = clock.heard(Micros(captured), Micros(now));
                i128::from(now) - (i128::from(captured) + offset)
            })
            .collect()
    }

    #[test]
    fn clocks_that_drift_apart_for_an_hour_are_followed() {
        // as fast as this one, slower and faster by 50 in a million, begun at another time
        let cameras: [fn(u64) -> u64; 3] = [|t| t + 77, |t| t - t / 20_000, |t| t + t / 20_000];
        for (n, camera) in cameras.into_iter().enumerate() {
            let delays = seen(108_000, camera, |n| 150 * (n % 7));
            // one in seven needs no more than the shortest
            let off =
                delays.iter().zip(0_u64..).map(|(delay, n)| delay - i128::from(150 * (n % 7)));
            let (low, high) = off.fold((0, 0), |(low, high), off| (off.min(low), off.max(high)));
            assert!(low >= -60 && high <= 60, "camera {n}: off by {low} to {high} us");
        }
    }

    #[test]
    fn a_jam_is_not_taken_for_a_drift() {
        // 10 s at ease, then a minute of 50 ms
        let delays = seen(2100, |t| t, |n| if n < 300 { 0 } else { 50_000 });
        assert!(delays[..300].iter().all(|&delay| delay == 0));
        assert!(delays[300..].iter().all(|delay| (43_000..=50_000).contains(delay)));
    }
}
