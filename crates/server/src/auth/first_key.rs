//! The key that a server makes for whoever has started it, if there is none that may administer.

use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use super::key::{Bearer, NewKey};
use super::right::{Role, Roles};
use crate::app::App;

/// Where it is written to, in the directory of the state.
pub const FILE: &str = "admin.key";

/// Makes it, if nobody can make keys otherwise. It is never printed: what is printed is kept in logs.
pub(crate) async fn make(app: &App) -> io::Result<()> {
    let now = app.now();
    if app.library.keys.has_admin(now.millis()) {
        return Ok(());
    }
    let roles = Roles::new([Role::Admin]);
    let wanted = NewKey { name: "first".to_owned(), bearer: Bearer::Machine, roles, expires: None };
    let (entry, key, secret) = app.library.keys.create(wanted, now).map_err(io::Error::other)?;
    let path = app.settings.data().join(FILE);
    // A key that nobody knows would be worse than a file whose key does not hold: the next start makes another one.
    write(&path, &key.whole(&secret))?;
    app.handle.keep(vec![entry]).await.map_err(io::Error::other)?;
    eprintln!("there was no key that may administer; one is in {}", path.display());
    Ok(())
}

fn write(path: &Path, text: &str) -> io::Result<()> {
    // What another has left there might be readable to all.
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    writeln!(file, "{text}")?;
    file.sync_all()
}
