//! A fixed number of frame buffers that circulate by ownership.
//!
//! A [`Slot`] is moved out of the pool while someone fills or reads it and moved back afterwards. The
//! borrow checker thus proves what other pools check at run time: no slot is ever lent twice, and none
//! is used after it went back. The pool counts how many are out, how many were out at most, and how
//! often it had none to give.

use heapless::Vec;

/// A frame buffer with its number; `B` is an array on a microcontroller, a boxed slice on a host.
#[derive(Debug, PartialEq, Eq)]
pub struct Slot<B> {
    number: u8,
    /// Bytes of the packet that the slot holds, from the start of `bytes`.
    pub len: usize,
    /// The memory.
    pub bytes: B,
}

impl<B> Slot<B> {
    /// Position in the pool that the slot belongs to.
    #[must_use]
    pub const fn number(&self) -> u8 {
        self.number
    }
}

impl<B: AsRef<[u8]>> Slot<B> {
    /// The filled part of the buffer.
    #[must_use]
    pub fn filled(&self) -> &[u8] {
        let bytes = self.bytes.as_ref();
        &bytes[..self.len.min(bytes.len())]
    }
}

/// Up to `N` slots (at most 255), and the record of their use.
#[derive(Debug)]
pub struct SlotPool<B, const N: usize> {
    free: Vec<Slot<B>, N>,
    total: usize,
    high_water: usize,
    refused: u32,
}

impl<B, const N: usize> SlotPool<B, N> {
    /// A pool of `N` slots, each with a buffer from `make`.
    pub fn new(mut make: impl FnMut() -> B) -> Self {
        let mut free = Vec::new();
        let mut total = 0;
        for number in 0..=u8::MAX {
            if total == N || free.push(Slot { number, len: 0, bytes: make() }).is_err() {
                break;
            }
            total += 1;
        }
        Self { free, total, high_water: 0, refused: 0 }
    }

    /// Take a slot out, or count a refusal if all are out.
    pub fn lease(&mut self) -> Option<Slot<B>> {
        let slot = self.free.pop();
        match slot {
            Some(_) => self.high_water = self.high_water.max(self.leased()),
            None => self.refused = self.refused.saturating_add(1),
        }
        slot
    }

    /// Put a slot back.
    ///
    /// # Errors
    /// Gives the slot back if it cannot belong to this pool, because every slot is already at home
    /// or one with its number is.
    pub fn give_back(&mut self, mut slot: Slot<B>) -> Result<(), Slot<B>> {
        if self.free.iter().any(|s| s.number == slot.number) || self.free.len() == self.total {
            return Err(slot);
        }
        slot.len = 0;
        self.free.push(slot)
    }

    /// Slots that are out now.
    #[must_use]
    pub fn leased(&self) -> usize {
        self.total - self.free.len()
    }

    /// The most slots that were ever out together.
    #[must_use]
    pub const fn high_water(&self) -> usize {
        self.high_water
    }

    /// How often a slot was asked for while none was free.
    #[must_use]
    pub const fn refused(&self) -> u32 {
        self.refused
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_empty_pool_refuses_and_counts() {
        let mut pool = SlotPool::<[u8; 4], 2>::new(|| [0; 4]);
        let (a, b) = (pool.lease().unwrap(), pool.lease().unwrap());
        assert!(pool.lease().is_none());
        assert_eq!((pool.leased(), pool.high_water(), pool.refused()), (2, 2, 1));
        pool.give_back(a).unwrap();
        pool.give_back(b).unwrap();
        assert_eq!((pool.leased(), pool.high_water()), (0, 2));
    }

    #[test]
    fn a_slot_of_another_pool_is_not_accepted() {
        let mut ours = SlotPool::<[u8; 4], 2>::new(|| [0; 4]);
        let mut theirs = SlotPool::<[u8; 4], 2>::new(|| [9; 4]);
        let foreign = theirs.lease().unwrap();
        assert_eq!(ours.give_back(foreign).unwrap_err().bytes, [9; 4]);
    }

    proptest! {
        #[test]
        fn no_slot_is_ever_lent_twice(steps in proptest::collection::vec(any::<bool>(), 0..200)) {
            let mut pool = SlotPool::<[u8; 1], 5>::new(|| [0]);
            let mut out: std::vec::Vec<Slot<[u8; 1]>> = std::vec::Vec::new();
            for lease in steps {
                if lease {
                    if let Some(slot) = pool.lease() {
                        prop_assert!(out.iter().all(|s| s.number() != slot.number()));
                        out.push(slot);
                    } else {
                        prop_assert_eq!(out.len(), 5);
                    }
                } else if !out.is_empty() {
                    prop_assert!(pool.give_back(out.remove(0)).is_ok());
                }
                prop_assert_eq!(pool.leased(), out.len());
                prop_assert!(pool.high_water() >= out.len());
            }
        }
    }
}
