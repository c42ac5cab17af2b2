//! The connection to the camera: made, read from, and made anew when it broke or is doubted.

use std::io::Read as _;
use std::net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::Duration;

use firmware_host::Micros;

use super::super::super::wire::SUBSCRIBE;
use super::super::{DATAGRAM, KEEP_ALIVE, NAP, Transport, is_timeout, micros};
use super::ReceiveSettings;
use crate::clock::Clock;

/// Pause between two attempts to find the camera.
const RETRY: Duration = Duration::from_millis(100);

/// What came of an attempt to read.
pub(super) enum Read {
    /// So many bytes came.
    Bytes(usize),
    /// A connection was made.
    Fresh,
    /// The connection broke.
    Lost,
    /// Nothing came in time.
    Nothing,
}

#[derive(Debug)]
enum Socket {
    None,
    Tcp(TcpStream),
    Udp { socket: UdpSocket, asked: Micros },
}

/// The way to one camera, whether or not there is a connection now.
#[derive(Debug)]
pub(super) struct Link<'a> {
    pub(super) settings: &'a ReceiveSettings,
    pub(super) clock: Clock,
    socket: Socket,
    /// Connections made.
    pub(super) connections: u32,
}

impl<'a> Link<'a> {
    pub(super) const fn new(settings: &'a ReceiveSettings, clock: Clock) -> Self {
        Self { settings, clock, socket: Socket::None, connections: 0 }
    }

    /// Read what is there, connecting first if need be; never waits longer than about a tenth of a second.
    pub(super) fn read(&mut self, chunk: &mut [u8]) -> Read {
        let now = self.clock.now();
        match &mut self.socket {
            Socket::None => {
                if let Some(socket) = self.connect(now) {
                    self.socket = socket;
                    self.connections += 1;
                    return Read::Fresh;
                }
                std::thread::sleep(RETRY);
                Read::Nothing
            }
            Socket::Tcp(stream) => match stream.read(chunk) {
                Ok(0) => self.lost(),
                Ok(len) => Read::Bytes(len),
                Err(e) if is_timeout(e.kind()) => Read::Nothing,
                Err(_) => self.lost(),
            },
            Socket::Udp { socket, asked } => {
                if now.since(*asked) >= micros(KEEP_ALIVE) {
                    *asked = now;
                    // if nobody is there, silence will tell
                    drop(socket.send(SUBSCRIBE));
                }
                debug_assert!(chunk.len() >= DATAGRAM, "a datagram is read whole");
                match socket.recv(chunk) {
                    Ok(len) => Read::Bytes(len),
                    Err(e) if is_timeout(e.kind()) => Read::Nothing,
                    // nobody listens at that port now: ask again, at the usual pace
                    Err(_) => {
                        std::thread::sleep(RETRY);
                        Read::Nothing
                    }
                }
            }
        }
    }

    /// Make a connection anew that nothing comes over; whether there is one. On UDP there is nothing to make.
    pub(super) fn give_up_connection(&mut self) -> bool {
        let there = matches!(self.socket, Socket::Tcp(_));
        if there {
            self.socket = Socket::None;
        }
        there
    }

    fn lost(&mut self) -> Read {
        self.socket = Socket::None;
        std::thread::sleep(RETRY);
        Read::Lost
    }

    fn connect(&self, now: Micros) -> Option<Socket> {
        let to = self.settings.address.socket;
        match self.settings.address.transport {
            Transport::Tcp => {
                let stream = TcpStream::connect_timeout(&to, Duration::from_secs(1)).ok()?;
                stream.set_read_timeout(Some(NAP)).ok()?;
                Some(Socket::Tcp(stream))
            }
            Transport::Udp => {
                let local: SocketAddr = if to.ip().is_loopback() && to.is_ipv4() {
                    (Ipv4Addr::LOCALHOST, 0).into()
                } else if to.is_ipv4() {
                    (Ipv4Addr::UNSPECIFIED, 0).into()
                } else {
                    (std::net::Ipv6Addr::UNSPECIFIED, 0).into()
                };
                let socket = UdpSocket::bind(local).ok()?;
                socket.connect(to).ok()?;
                socket.set_read_timeout(Some(NAP)).ok()?;
                socket.send(SUBSCRIBE).ok()?;
                Some(Socket::Udp { socket, asked: now })
            }
        }
    }
}
