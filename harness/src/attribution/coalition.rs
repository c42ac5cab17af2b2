//! A set of super-pixels as bits.

/// Which of M players are present; the others show the baseline.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Coalition {
    players: usize,
    words: Vec<u64>,
}

impl Coalition {
    /// Nobody present.
    #[must_use]
    pub fn empty(players: usize) -> Self {
        Self { players, words: vec![0; players.div_ceil(64)] }
    }

    /// Everybody present.
    #[must_use]
    pub fn full(players: usize) -> Self {
        let mut all = Self::empty(players);
        (0..players).for_each(|i| all.insert(i));
        all
    }

    /// The coalition whose members are the set bits of a number: player i is bit i.
    #[must_use]
    pub fn from_bits(players: usize, bits: u64) -> Self {
        let mut coalition = Self::empty(players);
        (0..players.min(64)).filter(|i| bits >> i & 1 == 1).for_each(|i| coalition.insert(i));
        coalition
    }

    /// The coalition written as `0` and `1`, player 0 first; `None` if there is any other sign.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut coalition = Self::empty(text.len());
        for (i, sign) in text.bytes().enumerate() {
            match sign {
                b'0' => {}
                b'1' => coalition.insert(i),
                _ => return None,
            }
        }
        Some(coalition)
    }

    /// M.
    #[must_use]
    pub const fn players(&self) -> usize {
        self.players
    }

    /// Number of players present.
    #[must_use]
    pub fn size(&self) -> usize {
        self.words.iter().map(|w| w.count_ones() as usize).sum()
    }

    /// Whether a player is present.
    #[must_use]
    pub fn contains(&self, player: usize) -> bool {
        self.words.get(player / 64).is_some_and(|w| w >> (player % 64) & 1 == 1)
    }

    /// Adds a player; one beyond M is ignored.
    pub fn insert(&mut self, player: usize) {
        if player < self.players
            && let Some(word) = self.words.get_mut(player / 64)
        {
            *word |= 1 << (player % 64);
        }
    }

    /// Everybody who is absent.
    #[must_use]
    pub fn complement(&self) -> Self {
        let mut others = Self::empty(self.players);
        (0..self.players).filter(|&i| !self.contains(i)).for_each(|i| others.insert(i));
        others
    }

    /// Number of players that are present in one of both alone.
    #[must_use]
    pub fn distance(&self, other: &Self) -> usize {
        let words = self.words.iter().zip(&other.words);
        words.map(|(a, b)| (a ^ b).count_ones() as usize).sum()
    }

    /// The members, in order.
    pub fn members(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.players).filter(|&i| self.contains(i))
    }

    /// Whether all or none are present.
    #[must_use]
    pub fn is_end(&self) -> bool {
        matches!(self.size(), size if size == 0 || size == self.players)
    }
}

impl std::fmt::Display for Coalition {
    /// As `0` and `1`, player 0 first.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        (0..self.players).try_for_each(|i| f.write_str(if self.contains(i) { "1" } else { "0" }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_bits_agree_beyond_one_word() {
        let text = "1".repeat(3) + &"0".repeat(62) + "101";
        let coalition = Coalition::parse(&text).unwrap();
        assert_eq!(coalition.to_string(), text);
        assert_eq!(coalition.members().collect::<Vec<_>>(), [0, 1, 2, 65, 67]);
        assert_eq!(coalition.size(), 5);
        assert_eq!(
            coalition.complement().members().collect::<Vec<_>>(),
            (3..65).chain([66]).collect::<Vec<_>>()
        );
        assert!(Coalition::parse("012").is_none());
        assert_eq!(coalition.distance(&coalition.complement()), 68);
        assert_eq!(coalition.distance(&coalition), 0);
        assert_eq!(Coalition::from_bits(4, 0b0110).to_string(), "0110");
        assert!(Coalition::full(49).is_end() && Coalition::empty(49).is_end());
    }
}
