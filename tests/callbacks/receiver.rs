//! Who is told: a server of this test's own, which outlives the servers that are killed. Now and then it fails, now and then
//! it thinks for a while.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::Value;

/// What came.
#[derive(Clone, Debug)]
pub struct Told {
    pub key: String,
    pub run: String,
    pub kind: String,
    /// Whether it was answered with success.
    pub heard: bool,
}

#[derive(Clone)]
pub struct Receiver {
    pub address: SocketAddr,
    told: Arc<Mutex<Vec<Told>>>,
    came: Arc<AtomicU64>,
}

impl Receiver {
    pub fn start() -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
        let address = listener.local_addr().expect("it listens");
        let receiver = Receiver { address, told: Arc::default(), came: Arc::default() };
        let own = receiver.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let own = own.clone();
                thread::spawn(move || drop(own.serve(stream)));
            }
        });
        receiver
    }

    pub fn told(&self) -> Vec<Told> {
        self.told.lock().expect("nobody panics with it").clone()
    }

    fn serve(&self, mut stream: TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(stream.try_clone()?);
        let mut line = String::new();
        while reader.read_line(&mut line)? > 0 {
            let (mut key, mut length) = (String::new(), 0);
            while line != "\r\n" {
                if let Some((name, value)) = line.trim().split_once(':') {
                    match name.to_ascii_lowercase().as_str() {
                        "idempotency-key" => key = value.trim().to_owned(),
                        "content-length" => length = value.trim().parse().unwrap_or(0),
                        _ => {}
                    }
                }
                line.clear();
                if reader.read_line(&mut line)? == 0 {
                    return Ok(());
                }
            }
            line.clear();
            let mut body = vec![0; length];
            reader.read_exact(&mut body)?;
            let number = self.came.fetch_add(1, Ordering::Relaxed);
            let heard = number % 10 != 7;
            let event: Value = serde_json::from_slice(&body)?;
            let text = |name: &str| event[name].as_str().unwrap_or_default().to_owned();
            assert_eq!(text("id"), key, "the key is the id");
            let told = Told { key, run: text("run"), kind: text("type"), heard };
            self.told.lock().expect("nobody panics with it").push(told);
            // A kill may fall between what it has heard and what the other side knows of that.
            thread::sleep(Duration::from_millis(number % 4 * 3));
            let status = if heard { "200 OK" } else { "500 X" };
            // In one piece: the network holds small ones back until the one before was received.
            stream.write_all(format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\n\r\n").as_bytes())?;
        }
        Ok(())
    }
}
