//! Payloads that clients bring apart from their requests: files under names that nobody can guess.
//!
//! A client asks for a name, writes its payload there, and mentions the name in a start or a result. From then on the
//! payload is the run's, in its rows; the file goes after a day, whether it was mentioned or not.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use partitur_model::Payload;

use crate::app::App;
use crate::http::answer::Error;
use crate::starting::random;

/// So long a file is there.
const KEPT: Duration = Duration::from_secs(24 * 3600);

/// How often files that are older are looked for.
const ROUND: Duration = Duration::from_secs(3600);

/// Names that may be there at once.
const NAMES_MAX: usize = 100_000;

/// The files.
pub struct Payloads {
    dir: PathBuf,
}

impl Payloads {
    /// In this directory.
    pub(crate) fn new(dir: PathBuf) -> Payloads {
        Payloads { dir }
    }

    /// A new name, under which one payload may be written.
    fn issue(&self) -> io::Result<String> {
        fs::create_dir_all(&self.dir)?;
        if fs::read_dir(&self.dir)?.take(NAMES_MAX).count() == NAMES_MAX {
            return Err(io::Error::new(io::ErrorKind::StorageFull, "there are too many payloads"));
        }
        let name = format!("{:016x}{:016x}.json", random(), random());
        File::create_new(self.dir.join(&name))?;
        Ok(name)
    }

    /// Where a name leads, if it is one that was issued: never anywhere else.
    fn path(&self, name: &str) -> Option<PathBuf> {
        let digits = name.strip_suffix(".json")?;
        let is_ours = digits.len() == 32
            && digits.bytes().all(|digit| digit.is_ascii_digit() || (b'a'..=b'f').contains(&digit));
        let path = self.dir.join(name);
        (is_ours && path.is_file()).then_some(path)
    }

    fn write(&self, name: &str, text: &str) -> Result<(), Error> {
        let path = self.path(name).ok_or_else(|| no_payload(name))?;
        let known = fs::read(&path)?;
        if known == text.as_bytes() {
            return Ok(());
        }
        if !known.is_empty() {
            return Err(Error::conflict(format!("there is another payload under {name}")));
        }
        // Whoever reads it finds all of it or nothing.
        let half = path.with_extension("half");
        let mut file = File::create(&half)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        Ok(fs::rename(half, path)?)
    }

    fn read(&self, name: &str) -> Result<String, Error> {
        let path = self.path(name).ok_or_else(|| no_payload(name))?;
        let text = fs::read_to_string(path)?;
        if text.is_empty() { Err(no_payload(name)) } else { Ok(text) }
    }

    fn forget_old(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.dir)? {
            let entry = entry?;
            let age = entry.metadata()?.modified()?.elapsed().unwrap_or_default();
            if age > KEPT {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }
}

fn no_payload(name: &str) -> Error {
    Error::not_found(format!("there is no payload under {name}"))
}

impl From<io::Error> for Error {
    fn from(error: io::Error) -> Error {
        let status = match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                axum::http::StatusCode::INSUFFICIENT_STORAGE
            }
            _ => axum::http::StatusCode::INTERNAL_SERVER_ERROR,
        };
        Error::new(status, format!("the payload cannot be kept: {error}"))
    }
}

/// Has a thread work with the files.
async fn working<T: Send + 'static>(
    app: &Arc<App>,
    work: impl FnOnce(&Payloads) -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let app = app.clone();
    let done = tokio::task::spawn_blocking(move || work(&app.payloads)).await;
    done.unwrap_or_else(|error| Err(io::Error::other(error).into()))
}

/// A new name.
pub(crate) async fn issue(app: &Arc<App>) -> Result<String, Error> {
    working(app, |payloads| Ok(payloads.issue()?)).await
}

/// Writes a payload under a name that was issued; what is there already stays.
pub(crate) async fn write(app: &Arc<App>, name: String, text: String) -> Result<(), Error> {
    Payload::parse(&text).map_err(|error| Error::bad(format!("the payload is no JSON: {error}")))?;
    working(app, move |payloads| payloads.write(&name, &text)).await
}

/// The text of a payload.
pub(crate) async fn read(app: &Arc<App>, name: String) -> Result<String, Error> {
    working(app, move |payloads| payloads.read(&name)).await
}

/// A payload that a request mentions: an object.
pub(crate) fn mentioned(app: &App, name: &str) -> Result<Payload, Error> {
    let text = app.payloads.read(name)?;
    let payload = Payload::parse(&text).ok().filter(|payload| payload.entries().is_some());
    payload.ok_or_else(|| Error::bad(format!("the payload under {name} is no object")))
}

/// Removes what is old, for ever.
pub(crate) async fn tidy(app: Arc<App>) {
    loop {
        // What cannot be removed now is removed in the next round; without a payload there is no directory.
        drop(working(&app, |payloads| Ok(payloads.forget_old()?)).await);
        tokio::time::sleep(ROUND).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_leads_to_what_was_written_under_it_and_nowhere_else() {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join("secret.json"), "{}").unwrap();
        let payloads = Payloads::new(dir.path().join("payloads"));
        let name = payloads.issue().unwrap();
        assert_eq!(payloads.read(&name).unwrap_err().0.status, 404, "nothing is written yet");
        payloads.write(&name, "{\"a\":1}").unwrap();
        payloads.write(&name, "{\"a\":1}").unwrap();
        assert_eq!(payloads.write(&name, "{}").unwrap_err().0.status, 409);
        assert_eq!(payloads.read(&name).unwrap(), "{\"a\":1}");
        for name in [
            "../secret.json",
            "secret.json",
            "",
            ".json",
            &"0".repeat(32),
            &format!("{}.json", "0".repeat(32)),
        ] {
            assert_eq!(payloads.read(name).unwrap_err().0.status, 404, "{name}");
            assert_eq!(payloads.write(name, "{}").unwrap_err().0.status, 404, "{name}");
        }
    }
}
