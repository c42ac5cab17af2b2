//! Data sets on disk as sources of frames.

pub mod decode;
