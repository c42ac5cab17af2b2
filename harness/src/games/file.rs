//! The game file, version 1.
//!
//! ```text
//! bytes  0..8    "rgazgame"
//!        8..12   version, u32 little-endian
//!       12..16   length L of the head, u32 little-endian
//!       16..16+L head in JSON: what was recorded, shares of the mask, parts without their values
//!       then     the values of all parts in order, f32 little-endian
//!       last 32  sha256 of everything before
//! ```
//!
//! Values are rounded to f32: a logit is one already, a probability loses less than 6e-8.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::GameError;
use crate::attribution::{Baseline, Estimator, Grid, Output, Plan};
use crate::metrics::Shares;

const MAGIC: &[u8; 8] = b"rgazgame";
const VERSION: u32 = 1;
const HASH_BYTES: usize = 32;
const FIXED_BYTES: usize = 16;
/// More than any study needs: 64 million evaluations.
const MAX_BYTES: u64 = 1 << 28;

/// What was recorded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct About {
    /// Picture, for people: data set, class and index.
    pub picture: String,
    /// First eight bytes, hexadecimal, of the sha256 of its pixels.
    pub image_hash: String,
    /// Network, for people.
    pub network: String,
    /// sha256 of the network's file.
    pub network_hash: String,
    /// Class whose output was recorded.
    pub target: usize,
    /// Which output.
    pub output: Output,
    /// What absent super-pixels show.
    pub baseline: Baseline,
    /// Super-pixels.
    pub grid: Grid,
}

/// The values of one plan.
#[derive(Clone, Debug, PartialEq)]
pub struct Part {
    /// The plan, drawn again.
    pub plan: Plan,
    /// Evaluations that were asked for.
    pub evaluations: usize,
    /// Whether the other parts are measured against this one.
    pub reference: bool,
    /// One value a coalition of the plan.
    pub values: Vec<f64>,
}

/// A game file in memory.
#[derive(Clone, Debug, PartialEq)]
pub struct Recorded {
    /// What was recorded.
    pub about: About,
    /// What each super-pixel spreads over the sign.
    pub shares: Shares,
    /// The plans with their values.
    pub parts: Vec<Part>,
}

#[derive(Serialize, Deserialize)]
struct Head {
    about: About,
    shares: Shares,
    parts: Vec<PartHead>,
}

#[derive(Serialize, Deserialize)]
struct PartHead {
    estimator: Estimator,
    evaluations: usize,
    seed: u64,
    plan_hash: String,
    values: usize,
    reference: bool,
}

impl Recorded {
    /// The bytes of the file.
    ///
    /// # Errors
    /// If the head cannot be written as JSON.
    pub fn to_bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        let parts = self.parts.iter().map(|part| PartHead {
            estimator: part.plan.estimator(),
            evaluations: part.evaluations,
            seed: part.plan.seed(),
            plan_hash: part.plan.hash().to_owned(),
            values: part.values.len(),
            reference: part.reference,
        });
        let head =
            Head { about: self.about.clone(), shares: self.shares.clone(), parts: parts.collect() };
        let head = serde_json::to_vec(&head)?;
        let mut bytes = MAGIC.to_vec();
        bytes.extend(VERSION.to_le_bytes());
        bytes.extend(u32::try_from(head.len()).unwrap_or(u32::MAX).to_le_bytes());
        bytes.extend(head);
        for value in self.parts.iter().flat_map(|part| &part.values) {
            bytes.extend(narrow(*value).to_le_bytes());
        }
        let hash = Sha256::digest(&bytes);
        bytes.extend(hash.iter());
        Ok(bytes)
    }

    /// Writes the file: whole or not at all.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), GameError> {
        let io = |source| GameError::Io { path: path.to_owned(), source };
        let bytes = self.to_bytes().map_err(|e| io(e.into()))?;
        let temporary = path.with_extension("part");
        fs::write(&temporary, bytes).and_then(|()| fs::rename(&temporary, path)).map_err(io)
    }

    /// Reads a game file.
    ///
    /// # Errors
    /// If it is missing, no game, damaged, or its plans cannot be drawn again.
    pub fn read(path: &Path) -> Result<Self, GameError> {
        let io = |source| GameError::Io { path: path.to_owned(), source };
        let size = fs::metadata(path).map_err(io)?.len();
        if size > MAX_BYTES {
            let (expected, found) = (format!("at most {MAX_BYTES} bytes"), size.to_string());
            return Err(GameError::Format { path: path.to_owned(), expected, found });
        }
        Self::from_bytes(&fs::read(path).map_err(io)?, path)
    }

    /// Parses the bytes of a game file; `path` is for messages alone.
    ///
    /// # Errors
    /// As [`Recorded::read`].
    pub fn from_bytes(bytes: &[u8], path: &Path) -> Result<Self, GameError> {
        let wrong = |expected: &str, found: String| GameError::Format {
            path: path.to_owned(),
            expected: expected.to_owned(),
            found,
        };
        let length = bytes.len();
        if length < FIXED_BYTES + HASH_BYTES || !bytes.starts_with(MAGIC) {
            return Err(wrong("a game file", format!("{length} bytes of something else")));
        }
        let number = |at: usize| {
            bytes[at..].first_chunk::<4>().map_or(u32::MAX, |four| u32::from_le_bytes(*four))
        };
        if number(8) != VERSION {
            return Err(wrong("version 1 of the game file", format!("version {}", number(8))));
        }
        let (content, hash) = bytes.split_at(length - HASH_BYTES);
        if Sha256::digest(content).as_slice() != hash {
            return Err(wrong("the sha256 at its end", "another: the file is damaged".to_owned()));
        }
        let head_end = usize::try_from(number(12)).ok().and_then(|l| l.checked_add(FIXED_BYTES));
        let Some(head_bytes) = head_end.and_then(|end| content.get(FIXED_BYTES..end)) else {
            return Err(wrong("a head within the file", format!("one of {} bytes", number(12))));
        };
        let head: Head = serde_json::from_slice(head_bytes)
            .map_err(|e| wrong("a head in JSON", e.to_string()))?;
        let players = head.about.grid.players();
        if head.shares.cells().len() != players {
            let found = format!("{} for {players} super-pixels", head.shares.cells().len());
            return Err(wrong("a share of the sign for each super-pixel", found));
        }
        let (numbers, rest) = content[FIXED_BYTES + head_bytes.len()..].as_chunks::<4>();
        let stated = head.parts.iter().try_fold(0_usize, |sum, p| sum.checked_add(p.values));
        if stated != Some(numbers.len()) || !rest.is_empty() {
            let found = format!("{} bytes of values", 4 * numbers.len() + rest.len());
            return Err(wrong("as many values as the head says", found));
        }
        let mut values = numbers.iter().map(|four| f64::from(f32::from_le_bytes(*four)));
        let mut parts = Vec::with_capacity(head.parts.len());
        for part in head.parts {
            // a head cannot make us draw more than it has values for
            if part.evaluations > 2 * part.values.saturating_add(players) {
                let found = format!("{} evaluations, {} values", part.evaluations, part.values);
                return Err(wrong("a value for each evaluation", found));
            }
            let plan = Plan::draw(part.estimator, head.about.grid, part.evaluations, part.seed)?;
            if plan.hash() != part.plan_hash || plan.coalitions().len() != part.values {
                let found =
                    format!("hash {} of {} coalitions", plan.hash(), plan.coalitions().len());
                return Err(wrong(&format!("a plan of hash {}", part.plan_hash), found));
            }
            let values: Vec<f64> = values.by_ref().take(part.values).collect();
            if values.iter().any(|v| !v.is_finite()) {
                return Err(wrong("finite values", "others".to_owned()));
            }
            let (evaluations, reference) = (part.evaluations, part.reference);
            parts.push(Part { plan, evaluations, reference, values });
        }
        Ok(Self { about: head.about, shares: head.shares, parts })
    }
}

#[expect(clippy::cast_possible_truncation, reason = "rounding to f32 is what the format says")]
const fn narrow(value: f64) -> f32 {
    value as f32
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::recorded;
    use super::*;

    #[test]
    fn a_game_survives_its_file_and_damage_is_noticed() {
        let game = recorded(1, 200);
        let bytes = game.to_bytes().unwrap();
        let path = Path::new("x.game");
        let back = Recorded::from_bytes(&bytes, path).unwrap();
        assert_eq!(back.about, game.about);
        assert_eq!(back.shares, game.shares);
        for (a, b) in back.parts.iter().zip(&game.parts) {
            assert_eq!(a.plan, b.plan);
            assert!(a.values.iter().zip(&b.values).all(|(a, b)| (a - b).abs() <= b.abs() * 6e-8));
        }
        let error = |bytes: &[u8]| Recorded::from_bytes(bytes, path).unwrap_err().to_string();
        for at in [9, 20, bytes.len() / 2, bytes.len() - 1] {
            let mut broken = bytes.clone();
            broken[at] ^= 1;
            assert!(error(&broken).contains("x.game: expected"), "{at}");
        }
        for end in [0, 7, 15, 40, bytes.len() - 1] {
            assert!(error(&bytes[..end]).contains("expected"), "{end}");
        }
    }

    #[test]
    fn a_head_that_asks_for_more_than_there_is_is_refused() {
        let bytes = recorded(1, 200).to_bytes().unwrap();
        let content = &bytes[..bytes.len() - HASH_BYTES];
        let text = String::from_utf8_lossy(&content[16..])
            .replace("\"evaluations\":200", "\"evaluations\":2000000000");
        let head_end = text.find("]}").unwrap() + 2;
        let mut forged = content[..12].to_vec();
        forged.extend(u32::try_from(head_end).unwrap().to_le_bytes());
        forged.extend(text.as_bytes()[..head_end].iter());
        let hash = Sha256::digest(&forged);
        forged.extend(hash.iter());
        assert!(Recorded::from_bytes(&forged, Path::new("x.game")).is_err());
    }
}
