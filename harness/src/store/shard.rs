//! A part of an evaluation: every N-th frame, so that shards are equally hard and equally long.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// Shard `number` of `of`, counted from 1: the frames whose position leaves the remainder `number - 1` when divided by
/// `of`. Written `I/N`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Shard {
    /// From 1 to `of`.
    pub number: u32,
    /// Shards in all.
    pub of: u32,
}

impl Shard {
    /// Whether the frame at this position belongs to the shard.
    #[must_use]
    pub const fn holds(self, position: u32) -> bool {
        position % self.of == self.number - 1
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("I/N with I from 1 to N expected, for example 1/4, `{text}` found");
        let (number, of) = text.split_once('/').ok_or_else(wrong)?;
        match (number.parse(), of.parse()) {
            (Ok(number), Ok(of)) if 1 <= number && number <= of => Ok(Self { number, of }),
            _ => Err(wrong()),
        }
    }
}

impl TryFrom<String> for Shard {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<Shard> for String {
    fn from(shard: Shard) -> Self {
        shard.to_string()
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_position_is_in_exactly_one_shard() {
        for of in 1..=7 {
            for position in 0..50 {
                let holders = (1..=of).filter(|&number| Shard { number, of }.holds(position));
                assert_eq!(holders.count(), 1, "position {position} of {of} shards");
            }
        }
    }

    #[test]
    fn text_round_trips_and_nonsense_is_refused() {
        assert_eq!("2/4".parse::<Shard>().unwrap().to_string(), "2/4");
        for text in ["", "2", "0/4", "5/4", "1/0", "a/b", "-1/2", "1/2/3"] {
            let error = text.parse::<Shard>().unwrap_err();
            assert!(error.contains("I from 1 to N"), "{text}: {error}");
        }
    }
}
