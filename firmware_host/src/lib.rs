//! Camera-side logic of the harness that also builds for bare metal: no std, no alloc, no unsafe.
#![no_std]
#![forbid(unsafe_code)]
