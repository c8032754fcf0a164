//! HTTP/1.1 by hand: a client that is told everything, and that can also send what no client should.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

use crate::PATIENCE;

/// A client with one connection, which it keeps.
pub struct Client {
    address: SocketAddr,
    connection: Option<BufReader<TcpStream>>,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Reply {
    /// Its status.
    pub status: u16,
    /// Its headers, in lower case.
    pub head: String,
    /// Its body.
    pub body: String,
}

impl Client {
    /// A client of this server; it connects when it has something to say.
    pub fn new(address: SocketAddr) -> Client {
        Client { address, connection: None }
    }

    /// The server's address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sends a request and waits for the answer. After an error nobody knows whether the server has done it.
    ///
    /// # Errors
    /// The connection broke.
    pub fn ask(&mut self, method: &str, path: &str, body: Option<&Value>) -> io::Result<Reply> {
        self.ask_text(method, path, body.map(Value::to_string).as_deref().unwrap_or_default())
    }

    /// The same with a body that need not be JSON.
    ///
    /// # Errors
    /// The connection broke.
    pub fn ask_text(&mut self, method: &str, path: &str, body: impl AsRef<[u8]>) -> io::Result<Reply> {
        let body = body.as_ref();
        let mut request = format!(
            "{method} {path} HTTP/1.1\r\nhost: test\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            body.len()
        )
        .into_bytes();
        request.extend_from_slice(body);
        self.exchange(&request)
    }

    /// Sends bytes as they are, and waits for one answer.
    ///
    /// # Errors
    /// The connection broke.
    pub fn exchange(&mut self, request: &[u8]) -> io::Result<Reply> {
        let mut connection = match self.connection.take().filter(|kept| !is_closed(kept.get_ref())) {
            Some(connection) => connection,
            None => BufReader::new(connect(self.address)?),
        };
        connection.get_mut().write_all(request)?;
        let (reply, keep) = Reply::read(&mut connection)?;
        if keep {
            self.connection = Some(connection);
        }
        Ok(reply)
    }

    /// A `GET` that must be answered.
    ///
    /// # Panics
    /// If it is not.
    pub fn get(&mut self, path: &str) -> Reply {
        self.ask("GET", path, None).unwrap_or_else(|error| panic!("GET {path}: {error}"))
    }

    /// A `POST` that must be answered.
    ///
    /// # Panics
    /// If it is not.
    pub fn post(&mut self, path: &str, body: &Value) -> Reply {
        self.ask("POST", path, Some(body)).unwrap_or_else(|error| panic!("POST {path}: {error}"))
    }
}

/// A connection on which nobody waits for ever.
///
/// # Errors
/// Nobody listens.
pub fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

/// Whether the other side has closed a connection that was kept, as it may when nothing was asked for long.
fn is_closed(stream: &TcpStream) -> bool {
    let looked = stream.set_nonblocking(true).and_then(|()| stream.peek(&mut [0]));
    let is_open = looked.is_err_and(|error| error.kind() == io::ErrorKind::WouldBlock);
    stream.set_nonblocking(false).is_err() || !is_open
}

/// Waits until the other side has closed the connection, at most so long; says whether it has.
pub fn is_closed_within(stream: &mut TcpStream, patience: Duration) -> bool {
    let until = std::time::Instant::now() + patience;
    let mut bytes = [0; 4096];
    while let Some(left) =
        until.checked_duration_since(std::time::Instant::now()).filter(|left| !left.is_zero())
    {
        stream.set_read_timeout(Some(left)).expect("a time that is not zero");
        match stream.read(&mut bytes) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) => {
                return false;
            }
            Err(_) => return true,
        }
    }
    false
}

impl Reply {
    /// Reads an answer; says whether the connection serves for another one.
    ///
    /// # Errors
    /// The connection broke, or what came is no answer.
    pub fn read(connection: &mut impl BufRead) -> io::Result<(Reply, bool)> {
        let broken = |what: &str| io::Error::new(io::ErrorKind::UnexpectedEof, what.to_owned());
        let mut line = String::new();
        connection.read_line(&mut line)?;
        let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| broken(&format!("no status in {line:?}")))?;
        let mut head = String::new();
        loop {
            line.clear();
            if connection.read_line(&mut line)? == 0 {
                return Err(broken("the head is cut off"));
            }
            if line.trim().is_empty() {
                break;
            }
            head.push_str(&line.to_ascii_lowercase());
        }
        let mut reply = Reply { status, head, body: String::new() };
        let bytes = reply.read_body(connection)?;
        reply.body = String::from_utf8_lossy(&bytes).into_owned();
        let keep = reply.header("connection") != Some("close");
        Ok((reply, keep))
    }

    fn read_body(&self, connection: &mut impl BufRead) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        if self.header("transfer-encoding") == Some("chunked") {
            while read_chunk(connection, &mut bytes)? {}
        } else if let Some(length) = self.header("content-length") {
            let length = length.parse().map_err(|_| io::Error::other("a length that is no number"))?;
            bytes.resize(length, 0);
            connection.read_exact(&mut bytes)?;
        } else if !matches!(self.status, 100..=199 | 204 | 304) {
            connection.read_to_end(&mut bytes)?;
        }
        Ok(bytes)
    }

    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let of_name = |line: &'_ str| line.split_once(':').is_some_and(|(known, _)| known == name);
        let line = self.head.lines().find(|line| of_name(line))?;
        line.split_once(':').map(|(_, value)| value.trim())
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// If it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {} {:?}", self.status, self.body))
    }
}

/// Reads a chunk; says whether there may be another.
fn read_chunk(connection: &mut impl BufRead, bytes: &mut Vec<u8>) -> io::Result<bool> {
    let mut line = String::new();
    connection.read_line(&mut line)?;
    let size = usize::from_str_radix(line.trim(), 16).map_err(io::Error::other)?;
    let at = bytes.len();
    bytes.resize(at + size, 0);
    connection.read_exact(&mut bytes[at..])?;
    line.clear();
    connection.read_line(&mut line)?;
    Ok(size > 0)
}
