//! The target box: finds the camera, receives (`link`), checks, queues.

mod link;

use std::time::Duration;

use firmware_host::link::HEADER_LEN;
use firmware_host::{Deframer, DropReason, Event, Micros};

use self::link::{Link, Read};
use super::super::intake::{Accepted, Intake, IntakeReport};
use super::super::line::{Closing, Line, Waiting};
use super::super::scenario::Scenario;
use super::super::wire::{Greeting, MAX_GREETING, MAX_PACKET, WireError, parse_end, parse_truth};
use super::other_clock::OtherClock;
use super::{LinkAddress, LinkFailure, micros};
use crate::clock::Clock;

/// Bytes taken from a socket at once.
const CHUNK: usize = 1 << 16;
/// Longest time between two frames of a camera: a tenth of a frame a second, by a clock that is slow by a tenth.
const LONGEST_PERIOD: Micros = Micros(11_000_000);
/// A connection over which nothing came for less is not made anew.
const LEAST_DOUBT: Micros = Micros(1_000_000);

/// How to receive.
#[derive(Clone, Debug)]
pub struct ReceiveSettings {
    /// Where the camera is.
    pub address: LinkAddress,
    /// Without a packet for this long the run ends.
    pub give_up_after: Duration,
}

/// How receiving went.
#[derive(Clone, Debug, Default)]
pub struct RemoteReport {
    /// What the intake saw.
    pub intake: IntakeReport,
    /// Connections made.
    pub connections: u32,
    /// Whether the camera said that it was done.
    pub ended: bool,
    /// Most slots in use at once.
    pub slots_high_water: usize,
}

/// A camera that has introduced itself and already films.
#[derive(Debug)]
pub struct Found<'a> {
    link: Link<'a>,
    /// Who it is.
    pub greeting: Greeting,
    /// What it sent behind the greeting.
    left: Vec<u8>,
}

/// Find the camera and hear who it is; none if `stop` says so first. Its clock starts now: be ready to take frames.
///
/// # Errors
/// If none answers in time, or what answers is no camera of this version.
pub fn find<'a>(
    settings: &'a ReceiveSettings,
    clock: Clock,
    stop: &dyn Fn() -> bool,
) -> Result<Option<Found<'a>>, LinkFailure> {
    let deadline = clock.now().after(micros(settings.give_up_after));
    let mut link = Link::new(settings, clock);
    let mut buffer = vec![0; MAX_GREETING];
    let mut chunk = vec![0; CHUNK];
    let mut deframer = Deframer::new();
    loop {
        let read = link.read(&mut chunk);
        if let Read::Fresh = read {
            deframer = Deframer::new();
        }
        if let Read::Bytes(len) = read {
            let mut rest = &chunk[..len];
            while !rest.is_empty() {
                let (taken, outcome) = deframer.feed(rest, &mut buffer);
                rest = &rest[taken..];
                if let Some(Ok(len)) = outcome {
                    match Greeting::parse(&buffer[..len]) {
                        Ok(greeting) => {
                            return Ok(Some(Found { link, greeting, left: rest.to_vec() }));
                        }
                        Err(source @ (WireError::Version { .. } | WireError::Size { .. })) => {
                            let address = settings.address.to_string();
                            return Err(LinkFailure::Wire { address, source });
                        }
                        Err(_) => {}
                    }
                }
            }
        }
        if stop() {
            return Ok(None);
        }
        if clock.now() >= deadline {
            let seconds = settings.give_up_after.as_secs();
            return Err(LinkFailure::NoCamera { address: settings.address.to_string(), seconds });
        }
    }
}

/// Receive until the camera has no more, until `stop`, until the pipeline leaves, or until silence has lasted too long;
/// closes the line.
///
/// # Errors
/// If what answers is no camera of this version.
pub fn receive(
    found: Found<'_>,
    scenario: &Scenario,
    line: &Line,
    stop: &(dyn Fn() -> bool + Sync),
) -> Result<RemoteReport, LinkFailure> {
    let closing = Closing(line);
    let clock = found.link.clock;
    let left = found.left;
    let mut receiver = Receiving::new(found.link, scenario, line);
    receiver.greeted(found.greeting);
    let result = receiver.bytes(&left, stop).and_then(|()| receiver.run(stop));
    drop(closing);
    result?;
    let now = clock.now();
    let Receiving { intake, link, total, ended, .. } = receiver;
    // frames that were never asked for any more are not lost
    let total = if ended || !stop() { total } else { 0 };
    Ok(RemoteReport {
        intake: intake.finish(total, now),
        connections: link.connections,
        ended,
        slots_high_water: line.high_water(),
    })
}

struct Receiving<'a> {
    settings: &'a ReceiveSettings,
    line: &'a Line,
    clock: Clock,
    link: Link<'a>,
    intake: Intake,
    deframer: Deframer,
    buffer: Vec<u8>,
    greeting: Option<Greeting>,
    camera_clock: OtherClock,
    total: u64,
    ended: bool,
    last_heard: Micros,
    /// Whether anything but greetings came since this was last looked at: a camera may answer and not film.
    filming: bool,
    /// Whether the connection was given up in this silence, to be made anew.
    doubted: bool,
}

impl<'a> Receiving<'a> {
    fn new(link: Link<'a>, scenario: &Scenario, line: &'a Line) -> Self {
        let clock = link.clock;
        Self {
            settings: link.settings,
            line,
            clock,
            link,
            intake: Intake::new(scenario, clock.now()),
            deframer: Deframer::new(),
            buffer: vec![0; MAX_GREETING],
            greeting: None,
            camera_clock: OtherClock::default(),
            total: 0,
            ended: false,
            last_heard: clock.now(),
            filming: false,
            doubted: false,
        }
    }

    fn run(&mut self, stop: &(dyn Fn() -> bool + Sync)) -> Result<(), LinkFailure> {
        let mut chunk = vec![0; CHUNK];
        self.last_heard = self.clock.now();
        while !self.ended && !stop() && !self.line.is_abandoned() {
            match self.link.read(&mut chunk) {
                Read::Bytes(len) => {
                    self.filming = false;
                    self.bytes(&chunk[..len], stop)?;
                    if self.filming {
                        // not before: the pipeline may have made it wait, which is not the camera's silence
                        self.last_heard = self.clock.now();
                        self.doubted = false;
                    }
                }
                Read::Fresh => {
                    self.deframer = Deframer::new();
                    let connections = self.link.connections;
                    self.intake.note(self.clock.now(), Event::Link { up: true, connections });
                }
                Read::Lost => {
                    let connections = self.link.connections;
                    self.intake.note(self.clock.now(), Event::Link { up: false, connections });
                }
                Read::Nothing => {}
            }
            let now = self.clock.now();
            self.intake.time(now);
            let (silent, limit) = (now.since(self.last_heard), self.patience());
            if silent >= limit {
                break;
            }
            if silent >= Micros(limit.0 / 2).max(LEAST_DOUBT) && !self.doubted {
                // a camera whose power was cut never says that the connection is gone
                self.doubted = true;
                if self.link.give_up_connection() {
                    let connections = self.link.connections;
                    self.intake.note(now, Event::Link { up: false, connections });
                }
            }
        }
        Ok(())
    }

    /// For how long the camera may be silent: at least four of its periods, after two of which a connection is doubted.
    fn patience(&self) -> Micros {
        let period = self.greeting.as_ref().map_or(0, |greeting| greeting.period_nanos / 1000);
        micros(self.settings.give_up_after).max(Micros(4 * period.min(LONGEST_PERIOD.0)))
    }

    fn bytes(
        &mut self,
        mut rest: &[u8],
        stop: &(dyn Fn() -> bool + Sync),
    ) -> Result<(), LinkFailure> {
        while !rest.is_empty() && !self.ended {
            let mut buffer = std::mem::take(&mut self.buffer);
            let (taken, outcome) = self.deframer.feed(rest, &mut buffer);
            self.buffer = buffer;
            rest = &rest[taken..];
            match outcome {
                None => self.filming = true,
                Some(Ok(len)) => self.packet(len, stop)?,
                Some(Err(error)) => {
                    self.filming = true;
                    self.intake.broken(error, self.clock.now());
                }
            }
        }
        Ok(())
    }

    fn packet(&mut self, len: usize, stop: &(dyn Fn() -> bool + Sync)) -> Result<(), LinkFailure> {
        let bytes = &self.buffer[..len];
        if bytes.starts_with(b"RGZH") {
            match Greeting::parse(bytes) {
                Ok(greeting) => {
                    self.greeted(greeting);
                    return Ok(());
                }
                Err(source @ (WireError::Version { .. } | WireError::Size { .. })) => {
                    let address = self.settings.address.to_string();
                    return Err(LinkFailure::Wire { address, source });
                }
                Err(_damaged) => {}
            }
        } else if bytes.starts_with(b"RGZE")
            && let Ok(total) = parse_end(bytes)
        {
            (self.total, self.ended) = (total, true);
            return Ok(());
        }
        // what looks like either and is damaged may be a frame of which a bit was flipped
        self.filming = true;
        self.frame(len, stop);
        Ok(())
    }

    fn greeted(&mut self, greeting: Greeting) {
        let known = self.greeting.as_ref().map(|g| g.session);
        if known == Some(greeting.session) {
            return;
        }
        if known.is_some() {
            // another start of the camera: its clock and its numbers begin anew
            self.intake.starts_anew();
            self.camera_clock = OtherClock::default();
        }
        let period = Micros(greeting.period_nanos / 1000);
        self.intake.expect_period((period.0 > 0).then_some(period), self.clock.now());
        self.intake.expect_size((greeting.width, greeting.height));
        self.total = u64::from(greeting.frames);
        // the limit was checked by `Greeting::parse`
        self.buffer.resize(greeting.packet_limit().min(MAX_PACKET), 0);
        self.greeting = Some(greeting);
    }

    fn frame(&mut self, len: usize, stop: &(dyn Fn() -> bool + Sync)) {
        let arrived = self.clock.now();
        let bytes = &self.buffer[..len];
        let Some(mut accepted) = self.intake.packet(bytes, arrived) else { return };
        let header = accepted.header;
        let (sequence, packet_len) = (header.sequence, header.packet_len());
        let go_on = || !stop() && !self.line.is_abandoned();
        let (truth, capture) = parse_truth(&bytes[packet_len..], (header.width, header.height))
            .map_or((None, Micros(0)), |(truth, capture)| (Some(truth), capture));
        self.on_own_clock(&mut accepted, arrived);
        let line = self.line;
        let (waits, since) = (line.blocks(), self.clock.now());
        let slot = if line.policy() == firmware_host::Policy::Block {
            line.lease_waiting(packet_len, &go_on)
        } else {
            line.lease(packet_len)
        };
        let Some(mut slot) = slot else {
            self.intake.drop_frame(sequence, DropReason::NoSlot, arrived);
            return;
        };
        debug_assert!(packet_len >= HEADER_LEN, "a checked packet has a header");
        slot.bytes[..packet_len].copy_from_slice(&self.buffer[..packet_len]);
        slot.len = packet_len;
        let dropped = line.offer(Waiting { slot, accepted, truth, capture, arrived }, &go_on);
        self.intake.held_up(since, self.clock.now(), waits);
        if let Some(dropped) = dropped {
            let reason = if go_on() { DropReason::QueueFull } else { DropReason::Cut };
            self.intake.drop_frame(dropped, reason, arrived);
        }
    }

    /// Times of the camera's clock in terms of this one.
    fn on_own_clock(&mut self, accepted: &mut Accepted, now: Micros) {
        let header = &mut accepted.header;
        let offset = self.camera_clock.heard(header.captured, now);
        let shift = |t: Micros| {
            Micros(u64::try_from((i128::from(t.0) + offset).max(0)).unwrap_or(u64::MAX))
        };
        header.scheduled = shift(header.scheduled);
        header.captured = shift(header.captured);
    }
}
