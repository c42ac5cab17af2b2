//! An image that uses every part of `firmware_host` on a bare-metal target, so that a linker can say what it costs.
//!
//! `RAM` is as large as the state of the whole device side for small frames (96 x 72 pixels, four slots); it is
//! what a program would place in a static. Nothing here is meant to run.
#![no_std]
#![no_main]

use core::hint::black_box;
use core::sync::atomic::AtomicU8;

use firmware_host::link::HEADER_LEN;
use firmware_host::queue::Offer;
use firmware_host::watchdog::Input;
use firmware_host::{
    Budget, Cadence, Counters, DeadlineMonitor, Deframer, DetectorSettings, DropReason, Event, EventRing, Fault,
    FaultInjector, FaultPlan, FrameHeader, FrameQueue, Kind, LatePolicy, Micros, Packet, PacketSource, PictureWatch,
    Policy, SequenceTracker, Slot, SlotPool, Start, Tick, Watchdog, WatchdogSettings, cobs,
};

const WIDTH: u16 = 96;
const HEIGHT: u16 = 72;
const PACKET: usize = HEADER_LEN + WIDTH as usize * HEIGHT as usize * 3;
type Buffer = [u8; PACKET];

/// State beside frame buffers.
struct Device {
    pool: SlotPool<u16, 4>,
    queue: FrameQueue<Slot<u16>, 4>,
    cadence: Cadence,
    sequence: SequenceTracker,
    watchdog: Watchdog,
    watch: PictureWatch,
    deadlines: DeadlineMonitor<8>,
    ring: EventRing<32>,
    counters: Counters,
    deframer: Deframer,
    injector: FaultInjector<Sensor, [u8; 0]>,
}

#[used]
static STATE: [AtomicU8; size_of::<Device>()] = [const { AtomicU8::new(0) }; size_of::<Device>()];
#[used]
static FRAMES: [AtomicU8; 4 * PACKET] = [const { AtomicU8::new(0) }; 4 * PACKET];

struct Sensor {
    next: u32,
}

impl PacketSource for Sensor {
    type Error = firmware_host::LinkError;

    fn next_packet(&mut self, buffer: &mut [u8]) -> Result<Option<usize>, Self::Error> {
        let at = Micros(u64::from(self.next) * 33_333);
        let header = FrameHeader {
            sequence: self.next,
            position: self.next,
            scheduled: at,
            captured: at,
            exposure_micros: 5000,
            width: WIDTH,
            height: HEIGHT,
        };
        self.next = self.next.wrapping_add(1);
        header.seal(buffer).map(Some)
    }
}

/// Entry of the image: one turn of everything.
#[unsafe(no_mangle)]
extern "C" fn _start() -> ! {
    let mut plan = FaultPlan::new(black_box(1));
    for kind in [Kind::Drop, Kind::Tear, Kind::FlipBits { count: 3 }, Kind::Reorder] {
        let start = Start::Chance { per_million: black_box(1000) };
        if plan.push(Fault { kind, start, length: 2 }).is_err() {
            break;
        }
    }
    let period = Micros(33_333);
    let mut device = Device {
        pool: SlotPool::new(|| 0),
        queue: FrameQueue::with_depth(Policy::DropOldest, black_box(2)),
        cadence: Cadence::new(Micros(0), 33_333_333, LatePolicy::CatchUp),
        sequence: SequenceTracker::new(),
        watchdog: Watchdog::new(WatchdogSettings::for_period(period), Micros(0)),
        watch: PictureWatch::new(DetectorSettings::default()),
        deadlines: DeadlineMonitor::new([Some(Budget { limit: period }); 8]),
        ring: EventRing::new(),
        counters: Counters::default(),
        deframer: Deframer::new(),
        injector: FaultInjector::new(Sensor { next: 0 }, plan, period, [], []),
    };
    let mut packet: Buffer = [0; PACKET];
    let mut received: Buffer = [0; PACKET];
    loop {
        turn(&mut device, &mut packet, &mut received, Micros(black_box(0)));
    }
}

#[inline(never)]
fn turn(device: &mut Device, packet: &mut Buffer, received: &mut Buffer, now: Micros) {
    let Tick::Due { .. } = device.cadence.poll(now) else { return };
    device.counters.frames_in += 1;
    let Ok(Some(delivered)) = device.injector.next_delivery(packet) else { return };
    let Some(slot) = device.pool.lease() else {
        device.counters.drop_frame(DropReason::NoSlot);
        return;
    };
    let mut last = None;
    cobs::encode(&packet[..delivered.len], |piece| {
        let (_, outcome) = device.deframer.feed(piece, received);
        last = outcome.or(last);
    });
    let Some(Ok(len)) = last else { return };
    if let Offer::Displaced(old) | Offer::Dropped(old) | Offer::Full(old) = device.queue.offer(slot) {
        device.counters.drop_frame(DropReason::QueueFull);
        drop(device.pool.give_back(old));
    }
    let Some(slot) = device.queue.take() else { return };
    if let Ok(read) = Packet::new(&received[..len])
        && let Ok(header) = FrameHeader::parse(&read)
        && let Ok(pixels) = read.pixels(&header)
    {
        let arrival = device.sequence.arrive(header.sequence);
        let (watchdog, change) = device.watchdog.step(Input::Frame, now);
        device.watchdog = watchdog;
        if let Some(transition) = change {
            device.ring.push(now, Event::Camera { transition });
        }
        black_box(device.watch.look(pixels, read.pixel_crc()));
        black_box(device.deadlines.judge(0, now.since(header.scheduled)));
        let (sequence, age) = (header.sequence, now.since(header.scheduled));
        device.ring.push(now, Event::Arrived { sequence, arrival, age });
        device.counters.processed += 1;
    }
    drop(device.pool.give_back(slot));
    black_box(device.ring.overwritten());
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
