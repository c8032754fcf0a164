//! Asks the server that works in a directory, with the key that lies there.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::failure::Failure;

/// No answer takes longer.
const PATIENCE: Duration = Duration::from_secs(30);

/// The server of a directory.
pub(super) struct Server {
    address: SocketAddr,
    key: String,
}

impl Server {
    /// Where it listens, and what opens it.
    pub fn of(data: &Path) -> Result<Server, Failure> {
        let read = |name: &str| std::fs::read_to_string(data.join(name)).map(|text| text.trim().to_owned());
        let address = read("address").ok().and_then(|text| text.parse().ok()).ok_or_else(|| {
            let message = format!(
                "something works in {}, and no server has noted its address there",
                super::shown(data)
            );
            Failure::refused(message, "end it, or wait until it has started")
        })?;
        let given = std::env::var("PARTITUR_API_KEY").ok().filter(|key| !key.is_empty());
        let key = given.map_or_else(|| read("admin.key"), Ok).map_err(|_| {
            let message = format!("the server in {} runs, and no key is given", super::shown(data));
            Failure::refused(
                message,
                "put one that may administer into $PARTITUR_API_KEY, or stop the server",
            )
        })?;
        if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Failure::usage("what is given as a key is none", "a key is `ptk_….…`"));
        }
        Ok(Server { address, key })
    }

    /// Asks, and has the answer as JSON; what is refused is a failure.
    pub fn ask(&mut self, method: &str, path: &str, body: &Value) -> Result<Value, Failure> {
        let cannot = |error| Failure::Io { what: format!("asking the server at {}", self.address), error };
        let (status, text) = self.exchange(method, path, body).map_err(cannot)?;
        let told: Value = serde_json::from_str(&text).unwrap_or_default();
        if (200..300).contains(&status) {
            return Ok(told);
        }
        let message = told["message"].as_str().unwrap_or("the server refuses").to_owned();
        let hint = match status {
            401 => "the key is none of this server: $PARTITUR_API_KEY, or `admin.key` in its directory",
            403 => "the key needs the role `admin`",
            404 if told["message"].as_str().is_some_and(|message| message.contains("open")) => {
                "start it with `--set auth=keys`; stopped, it takes keys for that day"
            }
            _ => "`partitur key list` shows which there are",
        };
        Err(Failure::refused(message, hint))
    }

    fn exchange(&self, method: &str, path: &str, body: &Value) -> io::Result<(u16, String)> {
        let mut stream = TcpStream::connect_timeout(&self.address, PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let body = if body.is_null() { String::new() } else { body.to_string() };
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\nx-api-key: {}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            self.address,
            self.key,
            body.len()
        )?;
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let status = line.split(' ').nth(1).and_then(|status| status.parse().ok());
        let status = status.ok_or_else(|| io::Error::other("the answer is no HTTP"))?;
        // The head says nothing that is needed: the connection ends with the body.
        while !line.trim().is_empty() {
            line.clear();
            reader.read_line(&mut line)?;
        }
        let mut text = String::new();
        reader.read_to_string(&mut text)?;
        Ok((status, text))
    }
}
