//! Tiles with `tdpbusd`: 32 positions x 32 channels in four tile registers, 64 bytes of depth a step.
//!
//! The instructions are written in assembly with fixed tile registers, since the intrinsics are not stable. The compiler
//! never allocates tile registers and no assembly block depends on what an earlier one left in them; only the
//! shape (`ldtilecfg`) stays from block to block, which belongs to the thread like the rounding mode.
//!
//! Linux grants the 8 KiB of tile state to a process that asks for it (`arch_prctl`, kernel documentation
//! "Using XSTATE features in user space applications").

use std::arch::asm;
use std::arch::x86_64::__cpuid_count;
use std::sync::OnceLock;

use super::{Kernel, Tile};
use crate::pack::{PAIR, PANEL, PackedWeights};

/// Positions of a tile register.
const TILE_ROWS: usize = 16;
/// Bytes of a row of a tile register.
const TILE_BYTES: usize = 64;

/// Whether the processor has tiles of 8-bit integers and the system lets this process use them.
pub(crate) fn usable() -> bool {
    static USABLE: OnceLock<bool> = OnceLock::new();
    *USABLE.get_or_init(|| {
        // leaf 7, EDX: bit 24 AMX-TILE, bit 25 AMX-INT8 (Intel SDM, CPUID)
        let has = __cpuid_count(7, 0).edx & (0b11 << 24) == 0b11 << 24;
        has && permitted()
    })
}

#[cfg(target_os = "linux")]
fn permitted() -> bool {
    const ARCH_PRCTL: i64 = 158;
    const REQUEST_PERMISSION: i64 = 0x1023;
    const TILE_DATA: i64 = 18;
    let mut result = ARCH_PRCTL;
    // SAFETY: the system call reads two integers and changes no memory of this process; `syscall` overwrites
    // rcx and r11 alone
    unsafe {
        asm!(
            "syscall",
            inout("rax") result,
            in("rdi") REQUEST_PERMISSION,
            in("rsi") TILE_DATA,
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    result == 0
}

#[cfg(not(target_os = "linux"))]
const fn permitted() -> bool {
    false
}

/// Memory operand of `ldtilecfg` (Intel SDM, table 18-1).
#[repr(C, align(64))]
struct Shape {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    row_bytes: [u16; 16],
    rows: [u8; 16],
}

pub(super) struct Amx {
    /// Positions that the tile registers are set up for.
    rows: usize,
}

impl Amx {
    /// Registers 0 to 3: accumulators; 4 and 5: activations; 6 and 7: weights.
    fn shape(&mut self, rows: usize) {
        let low = rows.min(TILE_ROWS) as u8;
        let high = (rows - rows.min(TILE_ROWS)).max(1) as u8; // a register without rows is not allowed
        let full = TILE_ROWS as u8;
        let mut shape = Shape {
            palette: 1,
            start_row: 0,
            reserved: [0; 14],
            row_bytes: [0; 16],
            rows: [0; 16],
        };
        shape.row_bytes[..8].fill(TILE_BYTES as u16);
        shape.rows[..8].copy_from_slice(&[low, low, high, high, low, high, full, full]);
        // SAFETY: the processor has tiles (contract of `Kernel::new`), and the shape is one of palette 1
        unsafe { asm!("ldtilecfg [{}]", in(reg) &raw const shape, options(nostack, readonly)) };
        self.rows = rows;
    }
}

impl Drop for Amx {
    fn drop(&mut self) {
        // SAFETY: the processor has tiles (contract of `Kernel::new`)
        unsafe { asm!("tilerelease", options(nostack, nomem)) };
    }
}

impl Kernel for Amx {
    const ROWS: usize = 2 * TILE_ROWS;

    unsafe fn new(_: &PackedWeights) -> Self {
        Self { rows: 0 }
    }

    fn reads(weights: &PackedWeights) -> usize {
        weights.padded_depth()
    }

    unsafe fn tile(&mut self, tile: Tile<'_>) {
        if self.rows != tile.rows {
            self.shape(tile.rows);
        }
        // SAFETY: the contract of this function; the shape was set above
        unsafe { (if tile.rows > TILE_ROWS { two } else { one })(tile) };
    }
}

/// What the loops of [`two`] and [`one`] keep in memory, since registers are few.
#[repr(C)]
struct Arguments {
    /// Positions 0 to 15 at the current tap; offset 0.
    start: *const u8,
    /// Positions 16 to 31 at the current tap; offset 8.
    second: *const u8,
    /// Steps of 64 bytes a tap; offset 16.
    steps: usize,
    /// Bytes from tap to tap; offset 24.
    tap_stride: usize,
    /// Taps to go; offset 32.
    taps: usize,
    /// Accumulators; offset 40.
    acc: *mut i32,
}

impl Arguments {
    fn of(tile: &mut Tile<'_>) -> Self {
        Self {
            start: tile.start,
            second: tile.start.wrapping_add(TILE_ROWS * tile.step),
            steps: tile.padded_depth / TILE_BYTES,
            tap_stride: tile.tap_stride,
            taps: tile.taps,
            acc: tile.acc.as_mut_ptr(),
        }
    }
}

/// Bytes of a row of accumulators.
const ACC_STRIDE: usize = PAIR * 4;

/// 17 to 32 positions.
unsafe fn two(mut tile: Tile<'_>) {
    let panel = tile.taps * tile.padded_depth * PANEL;
    let mut arguments = Arguments::of(&mut tile);
    // SAFETY: reads `padded_depth` bytes at every tap of every position, and two panels of weights, of which each tap
    // has `steps` KiB; writes up to 32 rows of 128 bytes of accumulators
    unsafe {
        asm!(
            "tilezero tmm0",
            "tilezero tmm1",
            "tilezero tmm2",
            "tilezero tmm3",
            "2:",
            "mov {low}, [{arguments}]",
            "mov {high}, [{arguments} + 8]",
            "mov {step}, [{arguments} + 16]",
            "3:",
            "tileloadd tmm6, [{weights} + {line}*1]",
            "tileloadd tmm4, [{low} + {stride}*1]",
            "tileloadd tmm7, [{more} + {line}*1]",
            "tdpbusd tmm0, tmm4, tmm6",
            "tileloadd tmm5, [{high} + {stride}*1]",
            "tdpbusd tmm1, tmm4, tmm7",
            "tdpbusd tmm2, tmm5, tmm6",
            "tdpbusd tmm3, tmm5, tmm7",
            "add {low}, 64",
            "add {high}, 64",
            "add {weights}, 1024",
            "add {more}, 1024",
            "dec {step}",
            "jnz 3b",
            "mov {step}, [{arguments} + 24]",
            "add [{arguments}], {step}",
            "add [{arguments} + 8], {step}",
            "dec qword ptr [{arguments} + 32]",
            "jnz 2b",
            "mov {low}, [{arguments} + 40]",
            "tilestored [{low} + {acc_stride}*1], tmm0",
            "tilestored [{low} + {acc_stride}*1 + 64], tmm1",
            "tilestored [{low} + {acc_stride}*1 + 2048], tmm2",
            "tilestored [{low} + {acc_stride}*1 + 2112], tmm3",
            arguments = in(reg) &raw mut arguments,
            low = out(reg) _,
            high = out(reg) _,
            step = out(reg) _,
            weights = inout(reg) tile.weights.as_ptr() => _,
            more = inout(reg) tile.weights.as_ptr().wrapping_add(panel) => _,
            line = in(reg) TILE_BYTES,
            stride = in(reg) tile.step,
            acc_stride = in(reg) ACC_STRIDE,
            options(nostack),
        );
    }
}

/// 1 to 16 positions.
unsafe fn one(mut tile: Tile<'_>) {
    let panel = tile.taps * tile.padded_depth * PANEL;
    let mut arguments = Arguments::of(&mut tile);
    // SAFETY: as in `two`, with up to 16 rows of accumulators
    unsafe {
        asm!(
            "tilezero tmm0",
            "tilezero tmm1",
            "2:",
            "mov {low}, [{arguments}]",
            "mov {step}, [{arguments} + 16]",
            "3:",
            "tileloadd tmm4, [{low} + {stride}*1]",
            "tileloadd tmm6, [{weights} + {line}*1]",
            "tileloadd tmm7, [{more} + {line}*1]",
            "tdpbusd tmm0, tmm4, tmm6",
            "tdpbusd tmm1, tmm4, tmm7",
            "add {low}, 64",
            "add {weights}, 1024",
            "add {more}, 1024",
            "dec {step}",
            "jnz 3b",
            "mov {step}, [{arguments} + 24]",
            "add [{arguments}], {step}",
            "dec qword ptr [{arguments} + 32]",
            "jnz 2b",
            "mov {low}, [{arguments} + 40]",
            "tilestored [{low} + {acc_stride}*1], tmm0",
            "tilestored [{low} + {acc_stride}*1 + 64], tmm1",
            arguments = in(reg) &raw mut arguments,
            low = out(reg) _,
            step = out(reg) _,
            weights = inout(reg) tile.weights.as_ptr() => _,
            more = inout(reg) tile.weights.as_ptr().wrapping_add(panel) => _,
            line = in(reg) TILE_BYTES,
            stride = in(reg) tile.step,
            acc_stride = in(reg) ACC_STRIDE,
            options(nostack),
        );
    }
}
