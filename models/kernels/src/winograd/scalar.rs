//! Winograd's form in portable code: for tests, and for any instruction set that is asked for it without having its own.

use std::ops::Range;

use super::job::{ELEMENTS, Kernel, Products};
use super::transform::{
    INVERSE_OF_NINE, Lanes, Longs, Words, panel_of_weights, tile_of_input, tile_of_output,
};
use crate::pack::{PAIR, PANEL};

pub(super) struct Scalar;

impl Kernel for Scalar {
    const LANES: usize = 2;

    unsafe fn input(cells: *const u8, strides: [usize; 2], channels: usize, into: *mut i16) {
        // SAFETY: the contract of this function
        unsafe { tile_of_input::<Words2>(cells, strides, channels, into) };
    }

    unsafe fn weights(
        panel: *const u8,
        tap: usize,
        channels: usize,
        groups: Range<usize>,
        into: *mut i16,
        stride: usize,
    ) {
        // SAFETY: the contract of this function
        unsafe { panel_of_weights::<Words2>(panel, tap, channels, groups, into, stride) };
    }

    unsafe fn products(job: &Products) {
        for tile in job.rows().flatten() {
            for element in 0..ELEMENTS {
                let v = job.v.wrapping_add(tile * job.tile + element * job.channels);
                // SAFETY: so many channels of this element, says the caller
                let v = unsafe { std::slice::from_raw_parts(v, 2 * job.pairs) };
                for (panel, u) in job.u.into_iter().enumerate() {
                    let u = u.wrapping_add(element * job.stride);
                    // SAFETY: so many channels of 16 weights, says the caller
                    let u = unsafe { std::slice::from_raw_parts(u, 2 * job.pairs * PANEL) };
                    let m = (tile * ELEMENTS + element) * PAIR + panel * PANEL;
                    // SAFETY: 16 numbers of each element and panel, says the caller
                    let m = unsafe { std::slice::from_raw_parts_mut(job.m.wrapping_add(m), PANEL) };
                    for (n, m) in m.iter_mut().enumerate() {
                        let products = v.iter().enumerate().map(|(c, v)| {
                            i32::from(*v) * i32::from(u[c / 2 * 2 * PANEL + 2 * n + c % 2])
                        });
                        let sum = products.fold(0, i32::wrapping_add);
                        *m = if job.fresh { sum } else { m.wrapping_add(sum) };
                    }
                }
            }
        }
    }

    unsafe fn output(products: *const i32, into: *mut i32) {
        // SAFETY: the contract of this function
        unsafe { tile_of_output::<Long>(products, into) };
    }
}

#[derive(Clone, Copy)]
struct Words2([i16; 2]);

#[derive(Clone, Copy)]
struct Long(i32);

impl Lanes for Words2 {
    fn zero() -> Self {
        Self([0; 2])
    }

    fn add(self, other: Self) -> Self {
        let ([a, b], [c, d]) = (self.0, other.0);
        Self([a.wrapping_add(c), b.wrapping_add(d)])
    }

    fn sub(self, other: Self) -> Self {
        let ([a, b], [c, d]) = (self.0, other.0);
        Self([a.wrapping_sub(c), b.wrapping_sub(d)])
    }

    fn double(self) -> Self {
        self.add(self)
    }

    fn four(self) -> Self {
        self.double().double()
    }

    fn six(self) -> Self {
        self.four().add(self.double())
    }
}

impl Lanes for Long {
    fn zero() -> Self {
        Self(0)
    }

    fn add(self, other: Self) -> Self {
        Self(self.0.wrapping_add(other.0))
    }

    fn sub(self, other: Self) -> Self {
        Self(self.0.wrapping_sub(other.0))
    }

    fn double(self) -> Self {
        self.add(self)
    }

    fn four(self) -> Self {
        self.double().double()
    }

    fn six(self) -> Self {
        self.four().add(self.double())
    }
}

impl Words for Words2 {
    const LANES: usize = 2;

    unsafe fn codes(from: *const u8) -> Self {
        // SAFETY: two bytes, says the caller
        Self(unsafe { from.cast::<[u8; 2]>().read() }.map(i16::from))
    }

    unsafe fn weights(from: *const u8) -> [Self; 2] {
        // SAFETY: four bytes, says the caller
        let [a, b, c, d] = unsafe { from.cast::<[i8; 4]>().read() }.map(i16::from);
        [Self([a, b]), Self([c, d])]
    }

    unsafe fn store(self, into: *mut i16) {
        // SAFETY: two words, says the caller
        unsafe { into.cast::<[i16; 2]>().write(self.0) };
    }
}

impl Longs for Long {
    const LANES: usize = 1;

    unsafe fn load(from: *const i32) -> Self {
        // SAFETY: one number, says the caller
        Self(unsafe { from.read() })
    }

    unsafe fn store(self, into: *mut i32) {
        // SAFETY: one number, says the caller
        unsafe { into.write(self.0) };
    }

    fn divide(self, bits: u32) -> Self {
        Self(self.0.wrapping_mul(INVERSE_OF_NINE) >> bits)
    }
}
