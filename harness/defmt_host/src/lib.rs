//! The global defmt logger of a process with an operating system.
//!
//! Each thread encodes its frames into a buffer of its own and hands whole frames to a bounded ring; a
//! writer thread appends them to a file. So frames of several threads never mix, logging never waits for
//! the disk, and what does not fit (a full ring, a frame over 256 bytes) is counted, not lost in silence.
//! Frames logged while no log is open are counted as dropped too.
//!
//! The file holds plain defmt frames (rzCOBS encoding) and is read by `defmt-print` and by `roadgaze decode`.
//! Both need the very executable that wrote it, linked as `harness/build.rs` does.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crossbeam_queue::ArrayQueue;

/// Longest frame that is kept, bytes; the longest event of roadgaze needs about 80.
const FRAME_BYTES: usize = 256;
/// Frames that may wait for the writer; at 20 events a camera frame this is ten seconds at 30 frames/s.
const RING_FRAMES: usize = 8192;

type Frame = heapless::Vec<u8, FRAME_BYTES>;

struct Encoding {
    encoder: defmt::Encoder,
    frame: Frame,
    busy: bool,
    overflow: bool,
}

impl Encoding {
    const fn new() -> Self {
        Self { encoder: defmt::Encoder::new(), frame: Frame::new(), busy: false, overflow: false }
    }

    /// Run one step of the encoder, appending its bytes to the frame.
    fn step(&mut self, step: impl FnOnce(&mut defmt::Encoder, &mut dyn FnMut(&[u8]))) {
        let Self { encoder, frame, overflow, .. } = self;
        step(encoder, &mut |bytes| {
            if frame.extend_from_slice(bytes).is_err() {
                *overflow = true;
            }
        });
    }
}

thread_local! {
    static ENCODING: RefCell<Encoding> = const { RefCell::new(Encoding::new()) };
}
static RING: OnceLock<ArrayQueue<Frame>> = OnceLock::new();
static OPEN: AtomicBool = AtomicBool::new(false);
static DROPPED: AtomicU64 = AtomicU64::new(0);
static EPOCH: OnceLock<Instant> = OnceLock::new();

#[defmt::global_logger]
struct HostLogger;

// SAFETY: all state between acquire and release belongs to the calling thread, `busy` refuses re-entry on
// it, and a frame leaves the thread only whole.
#[expect(unsafe_code, reason = "defmt's logger trait is unsafe to implement")]
unsafe impl defmt::Logger for HostLogger {
    fn acquire() {
        ENCODING.with_borrow_mut(|e| {
            assert!(
                !e.busy,
                "defmt logger entered twice on one thread: a Format implementation logs"
            );
            e.busy = true;
            e.overflow = false;
            e.frame.clear();
            e.step(|encoder, write| encoder.start_frame(write));
        });
    }

    unsafe fn write(bytes: &[u8]) {
        ENCODING.with_borrow_mut(|e| e.step(|encoder, write| encoder.write(bytes, write)));
    }

    unsafe fn flush() {}

    unsafe fn release() {
        ENCODING.with_borrow_mut(|e| {
            e.step(|encoder, write| encoder.end_frame(write));
            e.busy = false;
            let open = !e.overflow && OPEN.load(Ordering::Acquire);
            let sent = open && RING.get().is_some_and(|ring| ring.push(e.frame.clone()).is_ok());
            if !sent {
                DROPPED.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
}

defmt::timestamp!("{=u64:us}", micros_since_start());

#[expect(
    clippy::cast_possible_truncation,
    reason = "584,000 years fit into 64 bits of microseconds"
)]
fn micros_since_start() -> u64 {
    EPOCH.get().map_or(0, |epoch| epoch.elapsed().as_micros() as u64)
}

/// Frames that were not written since the process started: too long, ring full, or no log open.
#[must_use]
pub fn dropped() -> u64 {
    DROPPED.load(Ordering::Relaxed)
}

/// An open log; at most one in a process.
#[derive(Debug)]
pub struct Log {
    writer: Option<JoinHandle<io::Result<()>>>,
}

impl Log {
    /// Create the file and start to append every frame that is logged from now on.
    ///
    /// # Errors
    /// If a log is open already, or the file cannot be created, or the writer thread not be started.
    pub fn create(path: &Path) -> io::Result<Self> {
        Self::open(File::create(path)?)
    }

    /// Append to a file, which may hold frames of an earlier part of the same run. It is locked until the log is finished, so
    /// that another process can see that somebody writes it.
    ///
    /// # Errors
    /// As [`Log::create`].
    pub fn append(path: &Path) -> io::Result<Self> {
        let file = File::options().create(true).append(true).open(path)?;
        // a lock is no more than a sign: a file system without locks must not keep a run from its log
        drop(file.try_lock());
        Self::open(file)
    }

    #[expect(clippy::disallowed_methods, reason = "the epoch of the log's own time stamps")]
    fn open(file: File) -> io::Result<Self> {
        let ring = RING.get_or_init(|| ArrayQueue::new(RING_FRAMES));
        EPOCH.get_or_init(Instant::now);
        if OPEN.swap(true, Ordering::AcqRel) {
            return Err(io::Error::new(
                io::ErrorKind::AlreadyExists,
                "a defmt log is open already",
            ));
        }
        let name = "defmt-writer".to_owned();
        let writer = std::thread::Builder::new().name(name).spawn(move || drain(ring, file));
        match writer {
            Ok(writer) => Ok(Self { writer: Some(writer) }),
            Err(error) => {
                OPEN.store(false, Ordering::Release);
                Err(error)
            }
        }
    }

    /// Write what still waits and close the file.
    ///
    /// # Errors
    /// If writing failed at any time; what was logged after that is lost.
    pub fn finish(mut self) -> io::Result<()> {
        self.close()
    }

    fn close(&mut self) -> io::Result<()> {
        let Some(writer) = self.writer.take() else { return Ok(()) };
        OPEN.store(false, Ordering::Release);
        writer.join().unwrap_or_else(|_| Err(io::Error::other("the defmt writer panicked")))
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        // `finish` reports the error; here nobody is left to hear it
        drop(self.close());
    }
}

fn drain(ring: &ArrayQueue<Frame>, file: File) -> io::Result<()> {
    let mut out = BufWriter::with_capacity(1 << 16, file);
    loop {
        // read before draining: frames pushed before the close are then all seen
        let open = OPEN.load(Ordering::Acquire);
        let mut any = false;
        while let Some(frame) = ring.pop() {
            out.write_all(&frame)?;
            any = true;
        }
        if !open {
            return out.flush();
        }
        if !any {
            out.flush()?;
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}
