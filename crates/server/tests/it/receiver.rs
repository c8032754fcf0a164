//! Who is told: a small HTTP server that writes down whatever comes, and answers as it is told to.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

/// What came.
#[derive(Clone, Debug)]
pub struct Told {
    pub at: Instant,
    pub path: String,
    /// Its headers, names in small letters.
    pub head: Vec<(String, String)>,
    pub body: String,
}

impl Told {
    pub fn header(&self, name: &str) -> &str {
        let found = self.head.iter().find(|(known, _)| known == name);
        found.map_or_else(|| panic!("no {name} in {:?}", self.head), |(_, value)| value)
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    pub fn kind(&self) -> String {
        self.json()["type"].as_str().unwrap().to_owned()
    }
}

/// How it answers.
#[derive(Clone, Debug)]
pub enum Manner {
    /// With this status, and these lines in the head.
    Status(u16, &'static str),
    /// Not at all.
    Silent,
    /// Without an end.
    Endless,
}

/// A receiver at work; it lives as long as the test.
pub struct Receiver {
    pub address: SocketAddr,
    told: Arc<Mutex<Vec<Told>>>,
    manners: Arc<Mutex<VecDeque<Manner>>>,
}

impl Receiver {
    /// It answers in these manners, one after the other; the last one stays.
    pub fn new(manners: impl IntoIterator<Item = Manner>) -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (told, manners) =
            (Arc::<Mutex<Vec<Told>>>::default(), Arc::new(Mutex::new(manners.into_iter().collect())));
        let receiver = Receiver { address, told: told.clone(), manners: manners.clone() };
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (told, manners) = (told.clone(), manners.clone());
                std::thread::spawn(move || drop(serve(stream, &told, &manners)));
            }
        });
        receiver
    }

    /// One that takes everything.
    pub fn good() -> Receiver {
        Receiver::new([Manner::Status(200, "")])
    }

    pub fn behave(&self, manner: Manner) {
        *self.manners.lock().unwrap() = VecDeque::from([manner]);
    }

    pub fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    pub fn told(&self) -> Vec<Told> {
        self.told.lock().unwrap().clone()
    }

    /// Waits until so much has come.
    pub fn await_told(&self, count: usize) -> Vec<Told> {
        for _ in 0..1_000 {
            let told = self.told();
            if told.len() >= count {
                return told;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("{} of {count} have come: {:?}", self.told().len(), self.told());
    }
}

fn serve(
    mut stream: TcpStream,
    told: &Mutex<Vec<Told>>,
    manners: &Mutex<VecDeque<Manner>>,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    while reader.read_line(&mut line)? > 0 {
        let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
        let mut head = Vec::new();
        loop {
            line.clear();
            reader.read_line(&mut line)?;
            let Some((name, value)) = line.trim().split_once(':') else { break };
            head.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        line.clear();
        let length = head.iter().find(|(name, _)| name == "content-length");
        let mut body = vec![0; length.map_or(0, |(_, length)| length.parse().unwrap())];
        reader.read_exact(&mut body)?;
        let body = String::from_utf8(body).unwrap();
        told.lock().unwrap().push(Told { at: Instant::now(), path, head, body });
        let manner = {
            let mut manners = manners.lock().unwrap();
            let first = manners.front().cloned().unwrap();
            if manners.len() > 1 {
                manners.pop_front();
            }
            first
        };
        match manner {
            Manner::Status(status, more) => {
                write!(stream, "HTTP/1.1 {status} X\r\n{more}content-length: 2\r\n\r\nok")?;
            }
            Manner::Silent => std::thread::sleep(Duration::from_secs(60)),
            Manner::Endless => {
                write!(stream, "HTTP/1.1 500 X\r\ntransfer-encoding: chunked\r\n\r\n")?;
                loop {
                    write!(stream, "1000\r\n{}\r\n", "x".repeat(0x1000))?;
                }
            }
        }
    }
    Ok(())
}
