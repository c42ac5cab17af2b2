//! The roadgaze command line.
fn main() {}
