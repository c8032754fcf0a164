//! How fast requests may come: a budget for each class of requests and everybody in it.
//!
//! One limit for all would either block workers that poll ten times a second or protect nothing. So people, programs,
//! workers and those without a key have budgets of their own; health and metrics have none. On an open server that
//! listens on loopback nobody is limited.
//!
//! `bucket.rs` is one budget and all who share its size, `rates.rs` what the settings say.

mod bucket;
mod rates;

use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bucket::Buckets;
pub use rates::{Rate, Rates};

/// A class of requests. The order is that of the classes in the metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Class {
    /// Without a key: whoever asks for a token, or brings none.
    Anonymous,
    /// What people change.
    Person,
    /// What programs want, and what people look at.
    Machine,
    /// Workers' polls and results.
    Worker,
    /// Following a run.
    Stream,
}

/// Who is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Who {
    /// Everybody together.
    All,
    /// Those behind an address; of IPv6, behind a network of it.
    Address(IpAddr),
    /// Whoever has this key.
    Key(u64),
    /// Those for whom there is no place.
    Others,
}

impl Who {
    /// Those behind an address.
    pub fn behind(address: IpAddr) -> Who {
        Who::Address(match address.to_canonical() {
            // Whoever has one address of such a network has all of them.
            IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !(u128::MAX >> 64))),
            v4 @ IpAddr::V4(_) => v4,
        })
    }

    /// Whoever has the key with this id.
    pub fn with_key(id: &str) -> Who {
        let hash = blake3::hash(id.as_bytes());
        let (first, _) = hash.as_bytes().split_first_chunk().expect("a hash has more than eight bytes");
        Who::Key(u64::from_le_bytes(*first))
    }
}

/// Too fast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TooFast {
    /// Whose budget is used up: 0 everybody's, 1 that of an address, 2 that of a key.
    pub scope: usize,
    pub class: Class,
    /// From when on it is worth trying again.
    pub retry_after: Duration,
}

/// All budgets.
#[derive(Default)]
pub(crate) struct Limiter {
    budgets: [Mutex<Buckets>; 4],
    global: Mutex<Buckets>,
    streams: Mutex<std::collections::HashMap<Who, Arc<AtomicU32>>>,
}

impl Limiter {
    /// Whether a request may be answered; it is counted then.
    pub fn admit(&self, rates: &Rates, class: Class, who: Who, now: Duration) -> Result<(), TooFast> {
        if matches!(class, Class::Anonymous | Class::Person | Class::Machine) {
            let refused = |retry_after| TooFast { scope: 0, class, retry_after };
            take(&self.global, Who::All, rates.global, now).map_err(refused)?;
        }
        let (Some(rate), Some(budget)) = (rates.of(class), self.budgets.get(class as usize)) else {
            return Ok(());
        };
        let scope = if matches!(who, Who::Key(_)) { 2 } else { 1 };
        take(budget, who, Some(rate), now).map_err(|retry_after| TooFast { scope, class, retry_after })
    }

    /// A place for somebody who follows a run, as long as what is returned lives.
    pub fn stream(&self, rates: &Rates, who: Who) -> Result<OpenStream, TooFast> {
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        streams.retain(|_, open| Arc::strong_count(open) > 1);
        let open = streams.entry(who).or_default().clone();
        drop(streams);
        if open.fetch_add(1, Ordering::Relaxed) >= rates.streams {
            open.fetch_sub(1, Ordering::Relaxed);
            let scope = if matches!(who, Who::Key(_)) { 2 } else { 1 };
            return Err(TooFast { scope, class: Class::Stream, retry_after: Duration::from_secs(1) });
        }
        Ok(OpenStream(open))
    }
}

fn take(budget: &Mutex<Buckets>, who: Who, rate: Option<Rate>, now: Duration) -> Result<(), Duration> {
    let Some(rate) = rate else { return Ok(()) };
    budget.lock().unwrap_or_else(PoisonError::into_inner).take(who, rate, now)
}

/// A place that somebody has who follows a run.
pub(crate) struct OpenStream(Arc<AtomicU32>);

impl Drop for OpenStream {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_of_ipv6_counts_as_one_and_mapped_addresses_as_what_they_are() {
        let behind = |text: &str| Who::behind(text.parse().unwrap());
        assert_eq!(behind("2001:db8::1"), behind("2001:db8::ffff:1"));
        assert_ne!(behind("2001:db8::1"), behind("2001:db8:0:1::1"));
        assert_eq!(behind("::ffff:192.0.2.1"), behind("192.0.2.1"));
    }

    #[test]
    fn one_who_is_too_fast_does_not_slow_others_down_and_workers_pass_the_global_limit() {
        let rates = Rates {
            anonymous: Some(Rate::read("2/min").unwrap().unwrap()),
            global: Some(Rate::read("3/min").unwrap().unwrap()),
            worker: None,
            ..Rates::default()
        };
        let limiter = Limiter::default();
        let (a, b) = (Who::behind("192.0.2.1".parse().unwrap()), Who::behind("192.0.2.2".parse().unwrap()));
        let ask =
            |who| limiter.admit(&rates, Class::Anonymous, who, Duration::from_secs(1)).map_err(|f| f.scope);
        assert_eq!([ask(a), ask(a), ask(b)], [Ok(()), Ok(()), Ok(())]);
        assert_eq!(ask(b), Err(0), "everybody together");
        let worker = limiter.admit(&rates, Class::Worker, Who::with_key("w"), Duration::from_secs(1));
        assert_eq!(worker, Ok(()));
    }

    #[test]
    fn so_many_follow_at_once_and_places_come_back() {
        let rates = Rates { streams: 2, ..Rates::default() };
        let (limiter, who) = (Limiter::default(), Who::with_key("p"));
        let open = [limiter.stream(&rates, who).ok().unwrap(), limiter.stream(&rates, who).ok().unwrap()];
        assert!(limiter.stream(&rates, who).is_err());
        assert!(limiter.stream(&rates, Who::with_key("q")).is_ok());
        drop(open);
        assert!(limiter.stream(&rates, who).is_ok());
        assert_eq!(limiter.streams.lock().unwrap().len(), 1, "nobody is remembered who follows nothing");
    }
}
