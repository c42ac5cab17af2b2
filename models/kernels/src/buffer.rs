//! Memory that kernels work in: aligned for whole cache lines, and kept by each thread between calls.

use std::cell::RefCell;

/// A cache line, and a row of an AMX tile.
pub(crate) const LINE: usize = 64;

#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
struct Line([u8; LINE]);

/// Bytes that start at a multiple of 64.
#[derive(Clone, Debug, Default)]
pub(crate) struct AlignedBytes {
    lines: Vec<Line>,
}

impl AlignedBytes {
    /// At least `bytes` bytes of zero.
    pub(crate) fn zeroed(bytes: usize) -> Self {
        Self { lines: vec![Line([0; LINE]); bytes.div_ceil(LINE)] }
    }

    /// Grows to at least `bytes`; old content stays.
    pub(crate) fn reserve(&mut self, bytes: usize) {
        let lines = bytes.div_ceil(LINE);
        if self.lines.len() < lines {
            self.lines.resize(lines, Line([0; LINE]));
        }
    }

    /// All bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        // SAFETY: `Line` is 64 bytes without padding, `u8` has no alignment and no invalid values
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.lines.len() * LINE) }
    }

    /// All bytes.
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        let length = self.lines.len() * LINE;
        // SAFETY: as in `bytes`; the borrow is exclusive
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), length) }
    }
}

thread_local! {
    static SCRATCH: RefCell<Vec<AlignedBytes>> = const { RefCell::new(Vec::new()) };
}

/// Lends `bytes` bytes (content left over from earlier calls) that start at a multiple of 64. Calls may be nested.
pub fn with_scratch<R>(bytes: usize, work: impl FnOnce(&mut [u8]) -> R) -> R {
    let mut buffer = SCRATCH.with_borrow_mut(Vec::pop).unwrap_or_default();
    buffer.reserve(bytes);
    let result = work(&mut buffer.bytes_mut()[..bytes]);
    SCRATCH.with_borrow_mut(|free| free.push(buffer));
    result
}

/// Lends `count` numbers (content left over from earlier calls) that start at a multiple of 64 bytes.
pub(crate) fn with_numbers<R>(count: usize, work: impl FnOnce(&mut [i32]) -> R) -> R {
    with_scratch(count * size_of::<i32>(), |bytes| {
        // SAFETY: every pattern of bits is a number
        let (_, numbers, _) = unsafe { bytes.align_to_mut::<i32>() };
        work(numbers)
    })
}

/// An output that several threads write to, each its own part.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SharedMut<T> {
    start: *mut T,
    length: usize,
}

// SAFETY: it is a slice that was borrowed exclusively; `part` demands disjoint ranges of its callers
unsafe impl<T: Send> Send for SharedMut<T> {}
// SAFETY: as above
unsafe impl<T: Send> Sync for SharedMut<T> {}

impl<T> SharedMut<T> {
    pub(crate) fn new(slice: &mut [T]) -> Self {
        Self { start: slice.as_mut_ptr(), length: slice.len() }
    }

    /// `length` elements from `offset`.
    ///
    /// # Safety
    /// The slice that this was made from is still borrowed, and no two threads hold overlapping parts.
    ///
    /// # Panics
    /// If the part reaches beyond the end.
    #[inline(always)]
    #[expect(clippy::mut_from_ref, reason = "disjointness is the duty of the caller")]
    pub(crate) unsafe fn part(&self, offset: usize, length: usize) -> &mut [T] {
        assert!(
            offset.checked_add(length).is_some_and(|end| end <= self.length),
            "part {offset} + {length} of {} elements",
            self.length
        );
        let start = self.start.wrapping_add(offset);
        // SAFETY: within the slice by the assertion, exclusive by the contract of this function
        unsafe { std::slice::from_raw_parts_mut(start, length) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scratch_is_aligned_and_nests() {
        with_scratch(100, |outer| {
            outer.fill(1);
            with_scratch(1000, |inner| {
                inner.fill(2);
                assert_eq!(inner.len(), 1000);
                assert_eq!(inner.as_ptr().addr() % LINE, 0);
            });
            assert!(outer.iter().all(|&b| b == 1), "the inner loan is other memory");
        });
        with_numbers(7, |numbers| {
            assert_eq!((numbers.len(), numbers.as_ptr().addr() % LINE), (7, 0));
        });
    }
}
