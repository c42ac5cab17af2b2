//! Renders the first frames of a set on one thread and throws them away: for a profiler, or for `time`.
//!
//! ```text
//! time cargo run --release -p datasets --example throughput -- synthetic:CF/test 820
//! ```
#![expect(clippy::print_stdout, reason = "a command-line example")]

use datasets::digest;
use datasets::source::FrameSource as _;
use datasets::synthetic::Synthetic;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().unwrap_or_else(|| "synthetic:CF/test".into());
    let frames: usize = arguments.next().map_or(Ok(820), |a| a.parse())?;
    let source = Synthetic::open(&name)?;
    let mut hashes = Vec::with_capacity(frames);
    for position in 0..frames {
        let frame = source.frame(position)?;
        let hash = digest::pixels(&frame.image, &frame.mask);
        hashes.push((frame.key.class, frame.key.index, hash));
    }
    // in an order of their own, as in `dataset.toml`
    hashes.sort();
    let content = digest::content(hashes.iter().map(|(c, i, h)| (*c, *i, h.as_str())));
    println!("{name}: {frames} frames, pixels {content}");
    Ok(())
}
