//! Where requests that tasks send may go.
//!
//! Checked where it cannot be got round: at the addresses to which a name has just been resolved, and at each redirect.

use std::collections::HashSet;
use std::error::Error;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Where to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rules {
    /// Also the machine itself and private networks.
    pub inner: bool,
    /// Hosts that may be reached although they are inside.
    pub allowed: Vec<String>,
}

/// Watches over it; its rules may change while calls are made.
#[derive(Debug, Default)]
pub struct Egress {
    /// Nothing is refused: whoever asks is whoever owns the machine.
    pub(super) everywhere: bool,
    rules: RwLock<Rules>,
    /// Names behind which inner addresses were found: a connection that is still open leads there, too.
    inside: Mutex<HashSet<String>>,
    refused: [AtomicU64; REASONS.len()],
}

/// Why calls are refused, as [`Egress::refused`] counts them.
pub const REASONS: [&str; 2] = ["never", "inner"];

/// So many names are remembered.
const NAMES_MAX: usize = 10_000;

/// An address where no task may go.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// There are the secrets of the machine.
    #[error("requests to {0} are always refused: link-local and metadata addresses")]
    Never(String),
    /// It is inside.
    #[error(
        "requests to {0} are refused: it is on this machine or in a private network; allow the host with `egress_allow`"
    )]
    Inner(String),
}

impl Egress {
    /// By these rules.
    pub fn by(rules: Rules) -> Egress {
        Egress { rules: RwLock::new(rules), ..Egress::default() }
    }

    /// Everything may be reached.
    pub fn everywhere() -> Egress {
        Egress { everywhere: true, ..Egress::default() }
    }

    /// Other rules from now on.
    pub fn follow(&self, rules: Rules) {
        *self.rules.write().unwrap_or_else(PoisonError::into_inner) = rules;
    }

    /// How often calls were refused, in the order of [`REASONS`].
    pub fn refused(&self) -> [u64; REASONS.len()] {
        [0, 1].map(|at| self.refused[at].load(Ordering::Relaxed))
    }

    /// Whether a URL may be asked for; if its host is a name, its addresses are looked at when it is resolved.
    ///
    /// # Errors
    /// Why not.
    pub fn check_url(&self, url: &Url) -> Result<(), Refused> {
        let Some(host) = url.host_str() else { return Ok(()) };
        let verdict = match host.trim_matches(['[', ']']).parse::<IpAddr>() {
            Ok(address) => self.check(address, &address.to_string()),
            Err(_) if self.inside().contains(host) => self.check_inner(host, host.to_owned()),
            Err(_) => Ok(()),
        };
        verdict.inspect_err(|refused| self.count(refused))
    }

    fn count(&self, refused: &Refused) {
        let at = match refused {
            Refused::Never(_) => 0,
            Refused::Inner(_) => 1,
        };
        self.refused[at].fetch_add(1, Ordering::Relaxed);
    }

    fn inside(&self) -> MutexGuard<'_, HashSet<String>> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A name was resolved: whether any of its addresses is inside is remembered.
    fn resolved(&self, host: &str, found: &[SocketAddr]) {
        let mut inside = self.inside();
        if !found.iter().any(|found| Place::of(found.ip()) == Place::Inner) {
            inside.remove(host);
        } else if inside.len() < NAMES_MAX {
            inside.insert(host.to_owned());
        }
    }

    fn check_inner(&self, host: &str, shown: String) -> Result<(), Refused> {
        let rules = self.rules.read().unwrap_or_else(PoisonError::into_inner);
        let may = self.everywhere || rules.inner || rules.allowed.iter().any(|allowed| allowed == host);
        if may { Ok(()) } else { Err(Refused::Inner(shown)) }
    }

    /// Whether an address of this host may be reached.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self, address: IpAddr, host: &str) -> Result<(), Refused> {
        let shown = if host == address.to_string() { host.to_owned() } else { format!("{host} ({address})") };
        match Place::of(address) {
            Place::Never if !self.everywhere => Err(Refused::Never(shown)),
            Place::Inner => self.check_inner(host, shown),
            Place::Never | Place::Outside => Ok(()),
        }
    }
}

/// Where an address lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Never,
    Inner,
    Outside,
}

impl Place {
    fn of(address: IpAddr) -> Place {
        match address.to_canonical() {
            IpAddr::V4(address) => Place::of_v4(address),
            IpAddr::V6(address) => Place::of_v6(address),
        }
    }

    fn of_v4(address: Ipv4Addr) -> Place {
        let [a, b, ..] = address.octets();
        if address.is_link_local() || address == Ipv4Addr::new(100, 100, 100, 200) {
            Place::Never
        } else if address.is_loopback()
            || address.is_private()
            || address.is_broadcast()
            || address.is_multicast()
            || a == 0
            || (a == 100 && (64..128).contains(&b))
        {
            Place::Inner
        } else {
            Place::Outside
        }
    }

    fn of_v6(address: Ipv6Addr) -> Place {
        // AWS answers here too.
        let metadata = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);
        if let [0x64, 0xff9b, 0, 0, 0, 0, high, low] = address.segments() {
            // The gateway to IPv4.
            return Place::of_v4(Ipv4Addr::from(u32::from(high) << 16 | u32::from(low)));
        }
        if address.is_unicast_link_local() || address == metadata {
            Place::Never
        } else if address.is_loopback()
            || address.is_unspecified()
            || address.is_unique_local()
            || address.is_multicast()
        {
            Place::Inner
        } else {
            Place::Outside
        }
    }
}

/// Resolves names, and gives only addresses that may be reached.
pub(crate) struct Checked(pub Arc<Egress>);

impl Resolve for Checked {
    fn resolve(&self, name: Name) -> Resolving {
        let egress = self.0.clone();
        Box::pin(async move {
            let host = name.as_str();
            let found: Vec<SocketAddr> = tokio::net::lookup_host((host, 0)).await?.collect();
            egress.resolved(host, &found);
            let refusal = found.iter().find_map(|found| egress.check(found.ip(), host).err());
            let allowed: Vec<SocketAddr> =
                found.into_iter().filter(|found| egress.check(found.ip(), host).is_ok()).collect();
            match refusal.filter(|_| allowed.is_empty()) {
                Some(refused) => {
                    egress.count(&refused);
                    Err(Box::new(refused) as Box<dyn Error + Send + Sync>)
                }
                None => Ok(Box::new(allowed.into_iter()) as Addrs),
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(egress: &Egress, url: &str) -> &'static str {
        match egress.check_url(&Url::parse(url).unwrap()) {
            Ok(()) => "may",
            Err(Refused::Never(_)) => "never",
            Err(Refused::Inner(_)) => "inner",
        }
    }

    #[test]
    fn metadata_is_refused_in_every_spelling_and_by_everybody() {
        let open = Egress::by(Rules { inner: true, allowed: vec!["169.254.169.254".to_owned()] });
        for url in [
            "http://169.254.169.254/latest",
            "http://2852039166/",
            "http://0xa9fea9fe/",
            "http://[::ffff:169.254.169.254]/",
            "http://[64:ff9b::a9fe:a9fe]/",
            "http://[fe80::1]/",
            "http://[fd00:ec2::254]/",
        ] {
            assert_eq!(verdict(&open, url), "never", "{url}");
        }
    }

    #[test]
    fn inner_networks_are_open_only_to_who_says_so() {
        let open = Egress::by(Rules { inner: true, ..Rules::default() });
        let closed = Egress::default();
        for url in
            ["http://127.0.0.1:1/", "http://10.1.2.3/", "http://[::1]/", "http://0.0.0.0/", "http://127.1/"]
        {
            assert_eq!((verdict(&open, url), verdict(&closed, url)), ("may", "inner"), "{url}");
        }
        let named = Egress::by(Rules { allowed: vec!["10.1.2.3".to_owned()], ..Rules::default() });
        assert_eq!(verdict(&named, "http://10.1.2.3/"), "may");
        assert_eq!(verdict(&closed, "http://93.184.216.34/"), "may");
        assert_eq!((closed.refused(), open.refused()), ([0, 5], [0, 0]));
    }

    #[test]
    fn other_rules_hold_at_once_and_for_names_that_are_known_to_lead_inside() {
        let egress = Egress::by(Rules { inner: true, ..Rules::default() });
        egress.resolved("erp", &[([10, 0, 0, 1], 0).into()]);
        egress.resolved("shop", &[([93, 184, 216, 34], 0).into()]);
        let verdicts =
            || ["http://10.1.2.3/", "http://erp/", "http://shop/"].map(|url| verdict(&egress, url));
        assert_eq!(verdicts(), ["may", "may", "may"]);
        egress.follow(Rules::default());
        assert_eq!(verdicts(), ["inner", "inner", "may"]);
        egress.follow(Rules { allowed: vec!["erp".to_owned()], ..Rules::default() });
        assert_eq!(verdicts(), ["inner", "may", "may"]);
        egress.resolved("erp", &[([93, 184, 216, 34], 0).into()]);
        egress.follow(Rules::default());
        assert_eq!(verdict(&egress, "http://erp/"), "may", "it has moved outside");
    }
}
