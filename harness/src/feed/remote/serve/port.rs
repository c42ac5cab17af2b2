//! The port that receivers come to: one is served at a time, and one that is gone costs frames instead of time.

use std::io::{ErrorKind, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use firmware_host::random::Random;
use firmware_host::{Event, Micros};

use super::super::super::wire::{Greeting, SUBSCRIBE, end_bytes, frame_into};
use super::super::{DATAGRAM, KEEP_ALIVE, LinkFailure, NAP, Transport, is_timeout, micros};
use super::ServeSettings;
use crate::clock::Clock;

/// A receiver that takes nothing (TCP) or is silent (UDP) for this long is gone.
const GONE: Duration = Duration::from_secs(2);
/// The same where the receiver sets the pace: it may take its time to explain a frame.
const GONE_IN_LOCKSTEP: Duration = Duration::from_secs(600);
/// Stream of [`Random`] that belongs to injected loss.
const LOSS: u32 = 200;
/// Datagrams after which the sender pauses, so that a socket buffer of the usual size holds them.
const BURST: usize = 8;
/// Datagrams that are read at once: whoever sends more of them does not keep the camera from sending.
const ASKED_AT_ONCE: usize = 64;

/// Where receivers come to. Over TCP `next` came while `peer` took nothing.
enum Socket {
    Tcp { listener: TcpListener, peer: Option<TcpStream>, next: Option<TcpStream> },
    Udp { socket: UdpSocket, peer: Option<(SocketAddr, Micros)> },
}

/// Where a camera is served, and the one receiver that it has, if any.
pub(super) struct Port<'a> {
    socket: Socket,
    greeting: Vec<u8>,
    settings: &'a ServeSettings,
    clock: Clock,
    stop: &'a (dyn Fn() -> bool + Sync),
    /// When `stop` was first seen to say so.
    stopping: Option<Micros>,
    /// Receivers that came, one after the other.
    pub(super) connections: u32,
    datagrams: u32,
    /// Datagrams lost on purpose, or to a full buffer.
    pub(super) lost: u64,
}

impl<'a> Port<'a> {
    pub(super) fn bind(
        settings: &'a ServeSettings,
        greeting: &Greeting,
        clock: Clock,
        stop: &'a (dyn Fn() -> bool + Sync),
    ) -> Result<Self, LinkFailure> {
        let address = settings.address.socket;
        let open = || -> std::io::Result<Socket> {
            Ok(match settings.address.transport {
                Transport::Tcp => {
                    let listener = TcpListener::bind(address)?;
                    listener.set_nonblocking(true)?;
                    Socket::Tcp { listener, peer: None, next: None }
                }
                Transport::Udp => {
                    let socket = UdpSocket::bind(address)?;
                    socket.set_nonblocking(true)?;
                    Socket::Udp { socket, peer: None }
                }
            })
        };
        let socket = open().map_err(|source| failure(settings, source))?;
        let mut greeting_bytes = Vec::new();
        frame_into(&mut greeting_bytes, &greeting.bytes());
        Ok(Self {
            socket,
            greeting: greeting_bytes,
            settings,
            clock,
            stop,
            stopping: None,
            connections: 0,
            datagrams: 0,
            lost: 0,
        })
    }

    pub(super) fn local(&self) -> Result<SocketAddr, LinkFailure> {
        let local = match &self.socket {
            Socket::Tcp { listener, .. } => listener.local_addr(),
            Socket::Udp { socket, .. } => socket.local_addr(),
        };
        local.map_err(|source| failure(self.settings, source))
    }

    /// Look for a receiver without waiting; whether there is one.
    pub(super) fn accept(&mut self) -> bool {
        let now = self.clock.now();
        let (mut fresh, mut asked) = (false, false);
        let gone = micros(if self.settings.lockstep { GONE_IN_LOCKSTEP } else { GONE });
        let there = match &mut self.socket {
            Socket::Tcp { listener, peer, next } => {
                // the newest receiver takes the place of one before it, which may have died unseen
                if let Some(stream) = next.take().or_else(|| newest(listener)) {
                    *peer = Some(stream);
                    fresh = true;
                }
                peer.is_some()
            }
            Socket::Udp { socket, peer } => {
                let mut buffer = [0; 64];
                for _ in 0..ASKED_AT_ONCE {
                    let Ok((len, from)) = socket.recv_from(&mut buffer) else { break };
                    if &buffer[..len] == SUBSCRIBE {
                        fresh |= peer.is_none_or(|(known, _)| known != from);
                        asked = true;
                        *peer = Some((from, now));
                    }
                }
                if peer.is_some_and(|(_, heard)| now.since(heard) > gone) {
                    *peer = None;
                    Event::Link { up: false, connections: self.connections }.log();
                }
                peer.is_some()
            }
        };
        if fresh {
            self.connections += 1;
            Event::Link { up: true, connections: self.connections }.log();
        }
        // on UDP whenever the receiver asks, since the first greeting may have been lost
        if fresh || asked {
            let greeting = self.greeting.clone();
            return self.send(&greeting);
        }
        there
    }

    /// Send bytes of the stream; false if nobody is there any more.
    pub(super) fn send(&mut self, bytes: &[u8]) -> bool {
        let (settings, lossy) = (self.settings, bytes != self.greeting.as_slice());
        let sent = match &mut self.socket {
            Socket::Tcp { listener, peer, next } => {
                let Some(stream) = peer else { return false };
                let limit = if settings.lockstep { GONE_IN_LOCKSTEP } else { GONE };
                let (clock, stop, stopping) = (self.clock, self.stop, &mut self.stopping);
                let mut give_up = |took: bool| {
                    if !took && next.is_none() {
                        *next = newest(listener);
                    }
                    if !stop() {
                        return !took && next.is_some();
                    }
                    // a slow receiver is waited for a little, one that takes nothing is not
                    let now = clock.now();
                    let patience = if took { micros(GONE) } else { Micros(0) };
                    now.since(*stopping.get_or_insert(now)) >= patience
                };
                let sent = write_whole(stream, bytes, clock, limit, &mut give_up);
                if !sent {
                    *peer = None;
                }
                sent
            }
            Socket::Udp { socket, peer } => {
                let Some((to, _)) = *peer else { return false };
                for (i, piece) in bytes.chunks(DATAGRAM).enumerate() {
                    // greetings are not counted: which datagrams are lost must not depend on how often one was asked for
                    self.datagrams = self.datagrams.wrapping_add(u32::from(lossy));
                    let mut random = Random::new(settings.seed, LOSS, self.datagrams);
                    if lossy && random.hits(settings.lose_per_million) {
                        self.lost += 1;
                        continue;
                    }
                    if i > 0 && i % BURST == 0 {
                        std::thread::sleep(Duration::from_micros(500));
                    }
                    // a full buffer of the system is a loss like any other
                    match socket.send_to(piece, to) {
                        Ok(_) => {}
                        Err(error) if error.kind() == ErrorKind::WouldBlock => self.lost += 1,
                        Err(_) => break,
                    }
                }
                true
            }
        };
        if !sent {
            Event::Link { up: false, connections: self.connections }.log();
        }
        sent
    }

    /// Tell the receiver that this was all; on UDP several times.
    pub(super) fn finish(&mut self, total: u64) {
        let mut bytes = Vec::new();
        frame_into(&mut bytes, &end_bytes(total));
        let times = if self.settings.address.transport == Transport::Udp { 5 } else { 1 };
        for _ in 0..times {
            if !self.send(&bytes) {
                return;
            }
            std::thread::sleep(KEEP_ALIVE / 25);
        }
    }
}

/// A receiver that waits to be served, ready to be written to.
fn newest(listener: &TcpListener) -> Option<TcpStream> {
    let (stream, _) = listener.accept().ok()?;
    stream.set_nonblocking(false).ok()?;
    stream.set_nodelay(true).ok()?;
    stream.set_write_timeout(Some(NAP)).ok()?;
    Some(stream)
}

/// Write all bytes to a stream whose single writes end after [`NAP`]; false if it broke, took nothing for so long, or
/// `give_up` said so, which hears whether some of the bytes were taken just now.
fn write_whole(
    stream: &mut TcpStream,
    mut bytes: &[u8],
    clock: Clock,
    limit: Duration,
    give_up: &mut dyn FnMut(bool) -> bool,
) -> bool {
    let mut taken = clock.now();
    while !bytes.is_empty() {
        match stream.write(bytes) {
            Ok(0) => return false,
            Ok(len) => {
                bytes = &bytes[len..];
                taken = clock.now();
                if !bytes.is_empty() && give_up(true) {
                    return false;
                }
            }
            Err(error) if is_timeout(error.kind()) => {
                if give_up(false) || clock.now().since(taken) >= micros(limit) {
                    return false;
                }
            }
            Err(_) => return false,
        }
    }
    true
}

fn failure(settings: &ServeSettings, source: std::io::Error) -> LinkFailure {
    LinkFailure::Bind { address: settings.address.to_string(), source }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    /// Two ends of a connection; the first one's writes end after [`NAP`].
    fn connected() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let writer = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        writer.set_write_timeout(Some(NAP)).unwrap();
        (writer, listener.accept().unwrap().0)
    }

    #[test]
    fn a_slow_receiver_is_waited_for_and_one_that_takes_nothing_is_not() {
        // more than the buffers of both sockets hold
        let bytes = vec![7_u8; 32 << 20];
        let clock = Clock::start();
        let (mut writer, mut reader) = connected();
        std::thread::scope(|scope| {
            let reading = scope.spawn(move || {
                std::thread::sleep(4 * NAP);
                let mut all = Vec::new();
                reader.read_to_end(&mut all).map(|_| all.len())
            });
            let limit = Duration::from_secs(20);
            assert!(write_whole(&mut writer, &bytes, clock, limit, &mut |_| false));
            drop(writer);
            assert_eq!(reading.join().unwrap().unwrap(), bytes.len());
        });
        let (mut writer, _silent) = connected();
        assert!(!write_whole(&mut writer, &bytes, clock, 3 * NAP, &mut |_| false));
        let (mut writer, _silent) = connected();
        let limit = Duration::from_secs(600);
        assert!(!write_whole(&mut writer, &bytes, clock, limit, &mut |took| !took));
    }

    fn settings(lockstep: bool) -> ServeSettings {
        ServeSettings {
            address: "127.0.0.1:0".parse().unwrap(),
            wait: Duration::from_secs(10),
            lose_per_million: 0,
            seed: 0,
            lockstep,
        }
    }

    fn greeting() -> Greeting {
        Greeting {
            session: 1,
            frames: 1,
            period_nanos: 0,
            width: 40,
            height: 30,
            name: "none".to_owned(),
            content_hash: String::new(),
            classes: 0,
            class_hash: String::new(),
        }
    }

    /// Connect to a port and be accepted by it.
    fn receiver(port: &mut Port<'_>) -> TcpStream {
        let stream = TcpStream::connect(port.local().unwrap()).unwrap();
        while !port.accept() {
            std::thread::sleep(Duration::from_millis(2));
        }
        stream
    }

    #[test]
    fn a_receiver_that_died_unseen_makes_room_for_the_next_one() {
        let (settings, clock, stop) = (settings(true), Clock::start(), || false);
        let mut port = Port::bind(&settings, &greeting(), clock, &stop).unwrap();
        // its power was cut: nothing tells the camera
        let _dead = receiver(&mut port);
        let mut next = TcpStream::connect(port.local().unwrap()).unwrap();
        let (bytes, began) = (vec![7_u8; 32 << 20], clock.now());
        assert!(!port.send(&bytes), "nobody took it");
        // in lockstep it would have been waited for ten minutes long
        assert!(clock.now().since(began) < Micros(120_000_000));
        assert!(port.accept());
        assert_eq!(port.connections, 2);
        let mut first = [0; 1];
        next.read_exact(&mut first).unwrap();
    }

    #[test]
    fn a_camera_that_is_ended_does_not_wait_for_a_slow_receiver_to_the_end() {
        let (settings, clock, stop) = (settings(false), Clock::start(), || true);
        let mut port = Port::bind(&settings, &greeting(), clock, &stop).unwrap();
        let mut slow = receiver(&mut port);
        let (bytes, done) = (vec![7_u8; 64 << 20], AtomicBool::new(false));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                // 64 KiB every 20 ms: more than ten seconds for all
                let mut some = vec![0; 1 << 16];
                while !done.load(Ordering::Relaxed) && slow.read(&mut some).is_ok_and(|n| n > 0) {
                    std::thread::sleep(Duration::from_millis(20));
                }
            });
            let sent = port.send(&bytes);
            done.store(true, Ordering::Relaxed);
            drop(port);
            assert!(!sent, "it was waited for to the end");
        });
    }
}
