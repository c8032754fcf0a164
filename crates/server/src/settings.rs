//! Settings: defaults, then a file, then the environment, then the command line; each remembers where it came from.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::callbacks::policy::Policy;
use crate::callbacks::receivers::Receivers;
use crate::flows::Allowed;
use crate::http::connections::Limits;
use crate::limits::{Rate, Rates};
use crate::live::Now;
use crate::retention::Kept;
use partitur_worker::calls::Rules;

/// All settings of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    values: BTreeMap<&'static str, (String, Origin)>,
    receivers: Receivers,
    sources: Sources,
}

/// From where the settings can be read again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Sources {
    file: Option<PathBuf>,
    /// The variables that are settings, and no others.
    environment: Vec<(String, String)>,
    flags: Vec<(String, String)>,
}

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody has said anything.
    Default,
    /// The settings file.
    File(PathBuf),
    /// This variable of the environment.
    Environment(String),
    /// The command line.
    Flag,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::File(path) => write!(f, "{}", path.display()),
            Origin::Environment(variable) => write!(f, "${variable}"),
            Origin::Flag => f.write_str("command line"),
        }
    }
}

/// A setting: its name, what holds if nobody says anything, and what it is.
pub struct Known {
    /// As the file calls it; `PARTITUR_` and capitals make the variable, dashes the flag.
    pub name: &'static str,
    /// What holds if nobody says anything.
    pub default: &'static str,
    /// What it is, in a line.
    pub about: &'static str,
    check: fn(&str) -> Result<(), String>,
}

/// A row of [`Settings::table`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The setting.
    pub name: &'static str,
    /// Its value.
    pub value: String,
    /// Where it came from.
    pub origin: Origin,
    /// Whether SIGHUP takes it over.
    pub live: bool,
}

/// What is wrong with the settings.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// The file cannot be read.
    #[error("{}: {reason}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// There is no such setting.
    #[error("there is no setting `{name}` ({origin}); there are {}", KNOWN.iter().map(|known| known.name).collect::<Vec<_>>().join(", "))]
    Unknown {
        /// As it was written.
        name: String,
        /// Where.
        origin: Origin,
    },
    /// A value makes no sense.
    #[error("{name} = {value} ({origin}): {reason}")]
    Value {
        /// The setting.
        name: &'static str,
        /// Its value.
        value: String,
        /// Where it came from.
        origin: Origin,
        /// Why not.
        reason: String,
    },
    /// Everybody on the network could do everything.
    #[error(
        "listening on {0}, beyond this machine, without keys is refused: everybody who reaches it could start and read everything; `--insecure` says that a network keeps them away"
    )]
    Open(SocketAddr),
}

/// All settings.
pub const KNOWN: &[Known] = &[
    Known { name: "data", default: "./partitur-data", about: "the directory of the state", check: any },
    Known { name: "listen", default: "127.0.0.1:8080", about: "address and port", check: address },
    Known {
        name: "insecure",
        default: "false",
        about: "listen beyond this machine although there are no keys",
        check: truth,
    },
    Known {
        name: "auth",
        default: "open",
        about: "who may ask: open: everybody; keys: whoever has a key",
        check: open_or_keys,
    },
    Known {
        name: "token_lifetime",
        default: "1h",
        about: "so long a token holds for which a key was exchanged",
        check: duration,
    },
    Known {
        name: "limit_global",
        default: "1000/s",
        about: "requests of all together, workers apart; a rate as 60/min, 1000/h burst 50, or off",
        check: rate,
    },
    Known {
        name: "limit_anonymous",
        default: "60/min",
        about: "requests without a key, of an address",
        check: rate,
    },
    Known { name: "limit_person", default: "1000/h", about: "what the key of a person changes", check: rate },
    Known {
        name: "limit_machine",
        default: "1000/s",
        about: "requests of a program's key, and what a person looks at",
        check: rate,
    },
    Known {
        name: "limit_worker",
        default: "5000/s",
        about: "polls and results of a worker's key",
        check: rate,
    },
    Known {
        name: "limit_streams",
        default: "100",
        about: "runs that are followed at once with a key",
        check: positive,
    },
    Known {
        name: "trusted_proxies",
        default: "",
        about: "addresses, with commas, that are believed about whom they speak for (X-Forwarded-For)",
        check: addresses,
    },
    Known {
        name: "metrics_listen",
        default: "127.0.0.1:9090",
        about: "where Prometheus may ask without a key; `off` leaves /metrics of the server",
        check: address_or_off,
    },
    Known {
        name: "metrics_compat",
        default: "false",
        about: "metrics have the names, too, that Conductor's dashboards ask for",
        check: truth,
    },
    Known {
        name: "http_threads",
        default: "1",
        about: "threads for HTTP; one is best on two processors",
        check: positive,
    },
    Known { name: "read_threads", default: "2", about: "threads for reads", check: positive },
    Known { name: "connections_max", default: "10000", about: "connections at once", check: positive },
    Known {
        name: "header_timeout",
        default: "10s",
        about: "the head of a request takes at most so long",
        check: duration,
    },
    Known {
        name: "body_timeout",
        default: "30s",
        about: "the body of a request takes at most so long",
        check: duration,
    },
    Known {
        name: "drain_timeout",
        default: "10s",
        about: "at the end, requests in flight have so long",
        check: duration,
    },
    Known {
        name: "egress_inner",
        default: "auto",
        about: "whether HTTP tasks may reach this machine and private networks: true, false, or auto: while the server listens on loopback",
        check: truth_or_auto,
    },
    Known {
        name: "egress_allow",
        default: "",
        about: "hosts inside that HTTP tasks may reach all the same, with commas",
        check: any,
    },
    Known {
        name: "commands_dir",
        default: "",
        about: "the directory in which command tasks of native documents work; without one they are refused",
        check: any,
    },
    Known {
        name: "commands_max",
        default: "auto",
        about: "commands that live at once; auto: as many as there are processors",
        check: positive_or_auto,
    },
    Known {
        name: "callback_retries",
        default: "3",
        about: "how often somebody is told again who could not be told",
        check: retries,
    },
    Known {
        name: "callback_pause",
        default: "10s",
        about: "the pause before the first of these; each further one is twice as long, up to 5m",
        check: duration,
    },
    Known {
        name: "callback_timeout",
        default: "15s",
        about: "a receiver has so long to answer",
        check: duration,
    },
    Known {
        name: "callback_dead",
        default: "30d",
        about: "so long is kept what could not be told; `off` keeps it",
        check: duration_or_off,
    },
    Known {
        name: "retention",
        default: "30d",
        about: "so long runs are kept that have succeeded, counted from their end; `off` keeps them",
        check: duration_or_off,
    },
    Known {
        name: "retention_failed",
        default: "90d",
        about: "so long runs are kept that have ended otherwise",
        check: duration_or_off,
    },
    Known {
        name: "retention_runs",
        default: "off",
        about: "so many ended runs are kept at most; the oldest go first",
        check: count_or_off,
    },
    Known {
        name: "retention_size",
        default: "off",
        about: "so large the database may become, as 20GB; then the oldest ended runs go",
        check: bytes_or_off,
    },
];

/// Settings that are taken over while the server runs.
const LIVE: [&str; 10] = [
    "token_lifetime",
    "limit_global",
    "limit_anonymous",
    "limit_person",
    "limit_machine",
    "limit_worker",
    "limit_streams",
    "trusted_proxies",
    "egress_inner",
    "egress_allow",
];

impl Default for Settings {
    fn default() -> Settings {
        let values = KNOWN.iter().map(|known| (known.name, (known.default.to_owned(), Origin::Default)));
        Settings { values: values.collect(), receivers: Receivers::default(), sources: Sources::default() }
    }
}

impl Settings {
    /// Puts everything together; flags are names and values.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn read(
        file: Option<&Path>,
        environment: impl IntoIterator<Item = (String, String)>,
        flags: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Settings, SettingsError> {
        // Other programs of ours have variables of their own under this prefix.
        let environment = environment.into_iter().filter(|(variable, _)| of_variable(variable).is_some());
        let sources = Sources {
            file: file.map(Path::to_owned),
            environment: environment.collect(),
            flags: flags.into_iter().collect(),
        };
        Settings::of(sources)
    }

    fn of(sources: Sources) -> Result<Settings, SettingsError> {
        let mut settings = Settings::default();
        if let Some(path) = &sources.file {
            settings.add_file(path)?;
        }
        for (variable, value) in &sources.environment {
            let known = of_variable(variable).expect("others were left out");
            settings.set(known, value.clone(), Origin::Environment(variable.clone()))?;
        }
        for (name, value) in &sources.flags {
            settings.set_named(name, value.clone(), &Origin::Flag)?;
        }
        settings.sources = sources;
        settings.check()?;
        Ok(settings)
    }

    /// Reads them again: the file may say something else by now.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn again(&self) -> Result<Settings, SettingsError> {
        Settings::of(self.sources.clone())
    }

    /// Takes over what may change while the server runs.
    pub(crate) fn take_live(&mut self, fresh: &Settings) {
        for name in LIVE {
            self.values.insert(name, fresh.values[name].clone());
        }
    }

    fn add_file(&mut self, path: &Path) -> Result<(), SettingsError> {
        let bad = |reason: String| SettingsError::File { path: path.to_owned(), reason };
        let text = std::fs::read_to_string(path).map_err(|error| bad(error.to_string()))?;
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| bad(error.to_string()))?;
        for (name, value) in table {
            let value = match value {
                toml::Value::Table(table) if name == "callbacks" => {
                    self.receivers.add(table).map_err(bad)?;
                    continue;
                }
                toml::Value::Table(table) if name == "callback_secrets" => {
                    self.receivers.add_secrets(table).map_err(bad)?;
                    continue;
                }
                toml::Value::String(text) => text,
                toml::Value::Array(values) => {
                    values.iter().filter_map(toml::Value::as_str).collect::<Vec<_>>().join(",")
                }
                toml::Value::Integer(number) => number.to_string(),
                toml::Value::Boolean(truth) => truth.to_string(),
                toml::Value::Float(_) | toml::Value::Datetime(_) | toml::Value::Table(_) => {
                    return Err(bad(format!("`{name}` is a text, a whole number, `true` or `false`")));
                }
            };
            self.set_named(&name, value, &Origin::File(path.to_owned()))?;
        }
        Ok(())
    }

    fn set_named(&mut self, name: &str, value: String, origin: &Origin) -> Result<(), SettingsError> {
        let known = KNOWN.iter().find(|known| known.name == name || known.name.replace('_', "-") == name);
        let unknown = || SettingsError::Unknown { name: name.to_owned(), origin: origin.clone() };
        self.set(known.ok_or_else(unknown)?, value, origin.clone())
    }

    fn set(&mut self, known: &'static Known, value: String, origin: Origin) -> Result<(), SettingsError> {
        if let Err(reason) = (known.check)(&value) {
            return Err(SettingsError::Value { name: known.name, value, origin, reason });
        }
        self.values.insert(known.name, (value, origin));
        Ok(())
    }

    fn check(&self) -> Result<(), SettingsError> {
        let listen = self.listen();
        if listen.ip().is_loopback() || self.has_keys() || self.value("insecure") == "true" {
            Ok(())
        } else {
            Err(SettingsError::Open(listen))
        }
    }

    /// All of them, with their origins.
    pub fn table(&self) -> Vec<Row> {
        let rows = KNOWN.iter().map(|known| {
            let (value, origin) = &self.values[known.name];
            let live = LIVE.contains(&known.name);
            Row { name: known.name, value: value.clone(), origin: origin.clone(), live }
        });
        rows.collect()
    }

    fn value(&self, name: &str) -> &str {
        &self.values[name].0
    }

    fn parsed<T: std::str::FromStr>(&self, name: &str) -> T {
        self.value(name).parse().ok().expect("values are checked when they are set")
    }

    fn span(&self, name: &str) -> Duration {
        partitur_model::unit::parse_duration(self.value(name)).expect("values are checked when they are set")
    }

    /// The directory of the state.
    pub fn data(&self) -> PathBuf {
        PathBuf::from(self.value("data"))
    }

    /// Address and port.
    pub fn listen(&self) -> SocketAddr {
        self.parsed("listen")
    }

    /// Whether whoever asks needs a key.
    pub fn has_keys(&self) -> bool {
        self.value("auth") == "keys"
    }

    /// What may change while the server runs.
    pub(crate) fn now(&self) -> Now {
        let rate = |name| Rate::read(self.value(name)).expect("values are checked when they are set");
        Now {
            rates: Rates {
                global: rate("limit_global"),
                anonymous: rate("limit_anonymous"),
                person: rate("limit_person"),
                machine: rate("limit_machine"),
                worker: rate("limit_worker"),
                streams: self.parsed("limit_streams"),
            },
            trusted_proxies: read_addresses(self.value("trusted_proxies"))
                .expect("values are checked when they are set"),
            token_lifetime: self.span("token_lifetime"),
        }
    }

    /// Where metrics are served apart from everything else.
    pub fn metrics_listen(&self) -> Option<SocketAddr> {
        Some(self.value("metrics_listen"))
            .filter(|value| *value != "off")
            .and_then(|value| value.parse().ok())
    }

    /// Whether metrics have the names, too, that Conductor's dashboards ask for.
    pub fn metrics_compat(&self) -> bool {
        self.value("metrics_compat") == "true"
    }

    /// Threads for HTTP.
    pub fn http_threads(&self) -> usize {
        self.parsed("http_threads")
    }

    /// Threads for reads.
    pub fn read_threads(&self) -> usize {
        self.parsed("read_threads")
    }

    /// Limits of connections.
    pub fn limits(&self) -> Limits {
        Limits {
            connections: self.parsed("connections_max"),
            header_timeout: self.span("header_timeout"),
            body_timeout: self.span("body_timeout"),
            drain: self.span("drain_timeout"),
        }
    }

    /// The directory in which commands work, if they are allowed: an absolute one.
    pub fn commands_dir(&self) -> Option<PathBuf> {
        let dir = Some(self.value("commands_dir")).filter(|dir| !dir.is_empty())?;
        Some(std::path::absolute(dir).unwrap_or_else(|_| PathBuf::from(dir)))
    }

    /// How long ended runs are kept.
    pub(crate) fn kept(&self) -> Kept {
        let age = |name| (self.value(name) != "off").then(|| self.span(name));
        Kept {
            succeeded: age("retention"),
            failed: age("retention_failed"),
            runs: self.value("retention_runs").parse().ok(),
            bytes: read_bytes(self.value("retention_size")),
        }
    }

    /// Who may be told by name, and where secrets come from.
    pub(crate) fn receivers(&self) -> &Receivers {
        &self.receivers
    }

    /// When somebody is told again.
    pub(crate) fn callback_policy(&self) -> Policy {
        Policy { retries: self.parsed("callback_retries"), pause: self.span("callback_pause") }
    }

    /// How long a receiver may take.
    pub(crate) fn callback_timeout(&self) -> Duration {
        self.span("callback_timeout")
    }

    /// How long is kept what could not be told; for ever if `None`.
    pub(crate) fn callbacks_kept(&self) -> Option<Duration> {
        (self.value("callback_dead") != "off").then(|| self.span("callback_dead"))
    }

    /// What native documents may want.
    pub(crate) fn allowed(&self) -> Allowed {
        let here = || std::thread::available_parallelism().map_or(1, |count| count.get() as u32);
        let most = || match self.value("commands_max") {
            "auto" => here(),
            _ => self.parsed("commands_max"),
        };
        Allowed { commands: self.commands_dir().map(|_| most()) }
    }

    /// What is noted of a run of a native document: where it works.
    pub(crate) fn labels(&self) -> Vec<(String, String)> {
        let dir = self.commands_dir().map(|dir| ("dir".to_owned(), dir.display().to_string()));
        dir.into_iter().collect()
    }

    /// Where HTTP tasks may go.
    pub fn egress(&self) -> Rules {
        let inner = match self.value("egress_inner") {
            "auto" => self.listen().ip().is_loopback(),
            chosen => chosen == "true",
        };
        let allowed = self.value("egress_allow").split(',').map(str::trim).filter(|host| !host.is_empty());
        Rules { inner, allowed: allowed.map(str::to_owned).collect() }
    }
}

fn any(_: &str) -> Result<(), String> {
    Ok(())
}

fn address(text: &str) -> Result<(), String> {
    text.parse::<SocketAddr>().map(drop).map_err(|_| "an address and a port, as 127.0.0.1:8080".to_owned())
}

fn of_variable(variable: &str) -> Option<&'static Known> {
    let name = variable.strip_prefix("PARTITUR_")?.to_ascii_lowercase();
    KNOWN.iter().find(|known| known.name == name)
}

fn open_or_keys(text: &str) -> Result<(), String> {
    if matches!(text, "open" | "keys") { Ok(()) } else { Err("`open` or `keys`".to_owned()) }
}

fn rate(text: &str) -> Result<(), String> {
    Rate::read(text).map(drop)
}

fn addresses(text: &str) -> Result<(), String> {
    read_addresses(text).map(drop)
}

fn read_addresses(text: &str) -> Result<Vec<IpAddr>, String> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts.map(|part| part.parse().map_err(|_| format!("`{part}` is no address"))).collect()
}

fn address_or_off(text: &str) -> Result<(), String> {
    if text == "off" { Ok(()) } else { address(text).map_err(|reason| format!("`off`, or {reason}")) }
}

fn truth(text: &str) -> Result<(), String> {
    if matches!(text, "true" | "false") { Ok(()) } else { Err("`true` or `false`".to_owned()) }
}

fn truth_or_auto(text: &str) -> Result<(), String> {
    if text == "auto" { Ok(()) } else { truth(text).map_err(|_| "`true`, `false` or `auto`".to_owned()) }
}

fn positive(text: &str) -> Result<(), String> {
    match text.parse::<usize>() {
        Ok(number) if (1..=1_000_000).contains(&number) => Ok(()),
        Ok(_) | Err(_) => Err("a whole number from 1 to 1000000".to_owned()),
    }
}

fn retries(text: &str) -> Result<(), String> {
    match text.parse::<u32>() {
        Ok(0..=100) => Ok(()),
        Ok(_) | Err(_) => Err("a whole number from 0 to 100".to_owned()),
    }
}

fn positive_or_auto(text: &str) -> Result<(), String> {
    if text == "auto" { Ok(()) } else { positive(text).map_err(|reason| format!("`auto`, or {reason}")) }
}

fn duration(text: &str) -> Result<(), String> {
    partitur_model::unit::parse_duration(text).map(drop).map_err(|error| error.to_string())
}

fn duration_or_off(text: &str) -> Result<(), String> {
    if text == "off" { Ok(()) } else { duration(text).map_err(|reason| format!("`off`, or {reason}")) }
}

fn count_or_off(text: &str) -> Result<(), String> {
    let is_count = text == "off" || text.parse::<u64>().is_ok();
    if is_count { Ok(()) } else { Err("`off`, or a whole number".to_owned()) }
}

fn bytes_or_off(text: &str) -> Result<(), String> {
    let is_size = text == "off" || read_bytes(text).is_some();
    if is_size { Ok(()) } else { Err("`off`, or a size, as 500MB or 20GB".to_owned()) }
}

/// `20GB`: a whole number and its unit, each a thousand of the one before.
fn read_bytes(text: &str) -> Option<u64> {
    let units = [("KB", 1_000), ("MB", 1_000_000), ("GB", 1_000_000_000), ("TB", 1_000_000_000_000)];
    let (number, factor) =
        units.iter().find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, *factor)))?;
    number.trim().parse::<u64>().ok()?.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn later_sources_win_and_each_value_knows_where_it_came_from() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("server.toml");
        std::fs::write(&file, "listen = \"127.0.0.1:1\"\nread_threads = 3\nhttp_threads = 2\n").unwrap();
        let environment =
            pairs(&[("PARTITUR_LISTEN", "127.0.0.1:2"), ("PARTITUR_TOKEN", "1"), ("HOME", "/")]);
        let settings = Settings::read(
            Some(&file),
            [environment, pairs(&[("PARTITUR_READ_THREADS", "4")])].concat(),
            pairs(&[("listen", "127.0.0.1:3")]),
        )
        .unwrap();
        let of = |name: &str| settings.table().into_iter().find(|row| row.name == name).unwrap();
        assert_eq!((of("listen").value.as_str(), of("listen").origin), ("127.0.0.1:3", Origin::Flag));
        let variable = Origin::Environment("PARTITUR_READ_THREADS".to_owned());
        assert_eq!((of("read_threads").value.as_str(), of("read_threads").origin), ("4", variable));
        assert_eq!((of("http_threads").value.as_str(), of("http_threads").origin), ("2", Origin::File(file)));
        assert_eq!(of("data").origin, Origin::Default);
    }

    #[test]
    fn beyond_this_machine_only_who_says_so() {
        let listen = ("listen", "0.0.0.0:8080");
        assert!(matches!(Settings::read(None, [], pairs(&[listen])), Err(SettingsError::Open(_))));
        let settings = Settings::read(None, [], pairs(&[listen, ("insecure", "true")])).unwrap();
        assert!(!settings.egress().inner, "HTTP tasks stay outside then");
        assert!(Settings::default().egress().inner);
    }

    #[test]
    fn commands_are_refused_until_somebody_says_where_they_work() {
        assert_eq!(Settings::default().allowed(), Allowed { commands: None });
        let flags = pairs(&[("commands-dir", "/srv/work"), ("commands-max", "3")]);
        let settings = Settings::read(None, [], flags).unwrap();
        assert_eq!(settings.allowed(), Allowed { commands: Some(3) });
        assert_eq!(settings.labels(), pairs(&[("dir", "/srv/work")]));
    }

    #[test]
    fn what_is_kept_is_an_age_a_number_and_a_size() {
        let days = |days: u64| Some(Duration::from_secs(days * 86_400));
        let standard = Kept { succeeded: days(30), failed: days(90), runs: None, bytes: None };
        assert_eq!(Settings::default().kept(), standard);
        let flags = [("retention", "off"), ("retention-failed", "off"), ("retention-size", "20GB")];
        let kept = Settings::read(None, [], pairs(&flags)).unwrap().kept();
        assert_eq!(kept, Kept { bytes: Some(20_000_000_000), ..Kept::ALL });
        assert!(Settings::read(None, [], pairs(&[("retention-size", "20")])).is_err());
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_its_origin() {
        let refused =
            |flags: &[(&str, &str)]| Settings::read(None, [], pairs(flags)).unwrap_err().to_string();
        assert!(refused(&[("http-threads", "0")]).contains("http_threads = 0 (command line)"));
        assert!(refused(&[("colour", "red")]).contains("there is no setting `colour`"));
    }
}
