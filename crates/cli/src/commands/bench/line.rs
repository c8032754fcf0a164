//! A connection that is kept, and speaks as much HTTP as the measurement needs: the client is not what is measured.

use std::fmt::Write as _;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// A connection, and the answer that came last.
pub(super) struct Line {
    reader: BufReader<TcpStream>,
    pub status: u16,
    pub body: String,
    request: String,
}

impl Line {
    pub(super) fn open(address: SocketAddr) -> io::Result<Line> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        Ok(Line { reader: BufReader::new(stream), status: 0, body: String::new(), request: String::new() })
    }

    /// Sends a request and reads its answer.
    pub(super) fn ask(&mut self, method: &str, path: &str, body: &str) -> io::Result<()> {
        self.request.clear();
        let length = body.len();
        write!(
            self.request,
            "{method} {path} HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        )
        .expect("text takes whatever is written");
        self.reader.get_mut().write_all(self.request.as_bytes())?;
        self.read()
    }

    /// [`Line::ask`], where everything but success is an error.
    pub(super) fn demand(&mut self, method: &str, path: &str, body: &str) -> io::Result<()> {
        self.ask(method, path, body)?;
        match self.status {
            200..=299 => Ok(()),
            status => {
                Err(io::Error::other(format!("{method} {path} was answered with {status}: {}", self.body)))
            }
        }
    }

    fn read(&mut self) -> io::Result<()> {
        let (mut line, mut length) = (String::new(), 0);
        self.reader.read_line(&mut line)?;
        let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
        self.status = status.ok_or_else(|| io::Error::other("the answer is no HTTP"))?;
        loop {
            line.clear();
            self.reader.read_line(&mut line)?;
            if line.trim_end().is_empty() {
                break;
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().map_err(io::Error::other)?;
            }
        }
        self.body.clear();
        self.reader.by_ref().take(length).read_to_string(&mut self.body)?;
        Ok(())
    }
}
