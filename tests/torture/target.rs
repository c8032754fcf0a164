//! Where HTTP tasks go: a small server of this test's own, which outlives the servers that are killed. It adds one, as
//! workers do.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::OnceLock;
use std::thread;
use std::time::Duration;

/// Its address; it lives as long as the test.
pub fn address() -> SocketAddr {
    static ADDRESS: OnceLock<SocketAddr> = OnceLock::new();
    *ADDRESS.get_or_init(|| {
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
        let address = listener.local_addr().expect("it listens");
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                thread::spawn(move || drop(serve(stream)));
            }
        });
        address
    })
}

/// Answers `GET /plus?n=4` with `{"n": 5}`, for as long as somebody asks.
fn serve(mut stream: TcpStream) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut line = String::new();
    while reader.read_line(&mut line)? > 0 {
        let number = line.split("n=").nth(1).and_then(|rest| rest.split(' ').next()?.parse::<i64>().ok());
        while line != "\r\n" {
            line.clear();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
        }
        line.clear();
        // Long enough that a kill may fall into it.
        thread::sleep(Duration::from_millis(20));
        let body = number.map_or_else(|| "{}".to_owned(), |number| format!("{{\"n\":{}}}", number + 1));
        let status = if number.is_some() { "200 OK" } else { "400 Bad Request" };
        write!(
            stream,
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )?;
    }
    Ok(())
}
