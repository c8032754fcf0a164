//! What every request passes, on its way to the route that answers it, and its answer on the way back: who asks, whether
//! they may, whether they come too fast; and how long it took.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use axum::extract::{Request, State};
use axum::http::header::{HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderName, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http_body::Body as _;
use partitur_conductor::wire::ErrorResponse;

use super::answer::Error;
use super::connections::Peer;
use crate::app::App;
use crate::auth::{Asking, Bearer, Key, Refused, Right, in_the_name_of};
use crate::limits::{Class, TooFast, Who};
use crate::live::Now;

/// The gate of one route.
#[derive(Clone)]
pub(crate) struct Gate {
    pub app: Arc<App>,
    /// The route's place in the table.
    pub route: usize,
    /// What it needs.
    pub right: Right,
    /// How it is limited.
    pub budget: Budget,
}

/// How requests to a route are limited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Budget {
    /// Not at all: whether the server is well, and what it counts.
    Exempt,
    /// By who asks, and for what.
    Asker,
    /// By whose key is shown, which only the body says: whoever answers counts.
    Exchange,
    /// So many at once.
    Stream,
}

/// A request to a route.
pub(crate) async fn pass(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let came = request.body().size_hint().exact();
    let response = match gate.let_in(&request) {
        Ok(asking) => gate.answer(asking, request, next).await,
        Err(refusal) => *refusal,
    };
    gate.app.metrics.answered(gate.route, response.status(), begun.elapsed());
    gate.app.metrics.carried(gate.route, came, response.body().size_hint().exact());
    response
}

/// A request to nothing.
pub(crate) async fn nowhere(gate: Gate, error: Error, request: Request) -> Response {
    let begun = Instant::now();
    let response = match gate.let_in(&request) {
        Ok(_) => error.into_response(),
        Err(refusal) => *refusal,
    };
    gate.app.metrics.answered(gate.route, response.status(), begun.elapsed());
    response
}

impl Gate {
    /// Who asks, if they may; otherwise the answer that they get. It is made here, where it is rare.
    fn let_in(&self, request: &Request) -> Result<Asking, Box<Response>> {
        let now = self.app.live.now();
        let asking = self.identify(request, &now)?;
        if let Some(class) = self.class(&asking, request) {
            self.limit(class, &asking, request, &now)?;
        }
        if !asking.may(self.right) {
            self.app.metrics.denied.add(1);
            return Err(Box::new(forbidden(self.right).into_response()));
        }
        Ok(asking)
    }

    fn identify(&self, request: &Request, now: &Now) -> Result<Asking, Box<Response>> {
        if !self.app.has_keys() {
            return Ok(Asking::Anybody);
        }
        if self.right == Right::Open {
            return Ok(Asking::Nobody);
        }
        let found = self.app.library.keys.identify(request.headers(), self.app.now().millis());
        found.map(Asking::Key).map_err(|why| {
            // Whoever tries many is slowed down like anybody without a key.
            match self.limit(Class::Anonymous, &Asking::Nobody, request, now) {
                Err(too_fast) => too_fast,
                Ok(()) => {
                    self.app.metrics.auth_failures.at(why as usize, shown_as(request.headers())).add(1);
                    Box::new(unauthorized(why))
                }
            }
        })
    }

    /// How the request is counted.
    fn class(&self, asking: &Asking, request: &Request) -> Option<Class> {
        if matches!(self.budget, Budget::Exempt | Budget::Exchange) {
            return None;
        }
        match asking {
            Asking::Nobody => Some(Class::Anonymous),
            // Whoever is on the machine of an open server is at home there.
            Asking::Anybody if peer(request).is_some_and(|peer| peer.to_canonical().is_loopback()) => None,
            Asking::Anybody => Some(if self.right == Right::Work { Class::Worker } else { Class::Machine }),
            Asking::Key(key) => Some(self.class_of_key(key)),
        }
    }

    fn class_of_key(&self, key: &Key) -> Class {
        match (self.right, key.bearer) {
            (Right::Work, Bearer::Machine) => Class::Worker,
            (Right::Read, Bearer::Person) | (_, Bearer::Machine) => Class::Machine,
            (_, Bearer::Person) => Class::Person,
        }
    }

    fn limit(
        &self,
        class: Class,
        asking: &Asking,
        request: &Request,
        now: &Now,
    ) -> Result<(), Box<Response>> {
        count(&self.app, class, who(asking, request, now), now)
    }

    async fn answer(&self, asking: Asking, request: Request, next: Next) -> Response {
        if matches!(asking, Asking::Anybody) && self.budget != Budget::Stream {
            return next.run(request).await;
        }
        let place = match self.place_for_stream(&asking, &request) {
            Ok(place) => place,
            Err(refusal) => return *refusal,
        };
        let response = in_the_name_of(asking.clone(), next.run(request)).await;
        // Somebody may have taken the key away while this one waited; what was to be handed out goes back.
        if !asking.still_holds(self.app.now().millis()) {
            return unauthorized(Refused::Revoked);
        }
        match place {
            Some(place) => super::stream::guarded(response, place, asking, self.app.clone()),
            None => response,
        }
    }

    fn place_for_stream(
        &self,
        asking: &Asking,
        request: &Request,
    ) -> Result<Option<crate::limits::OpenStream>, Box<Response>> {
        if self.budget != Budget::Stream {
            return Ok(None);
        }
        let now = self.app.live.now();
        let who = who(asking, request, &now);
        let place = self.app.limiter.stream(&now.rates, who);
        place.map(Some).map_err(|too_many| Box::new(throttled(&self.app, too_many, &now)))
    }
}

/// Counts a request; otherwise, what is answered to whoever comes too fast.
fn count(app: &App, class: Class, who: Who, now: &Now) -> Result<(), Box<Response>> {
    let admitted = app.limiter.admit(&now.rates, class, who, app.started.elapsed());
    admitted.map_err(|too_fast| Box::new(throttled(app, too_fast, now)))
}

fn throttled(app: &App, too_fast: TooFast, now: &Now) -> Response {
    app.metrics.throttled.at(too_fast.scope, too_fast.class as usize).add(1);
    too_many(too_fast, now)
}

/// Under whose name a request is counted.
fn who(asking: &Asking, request: &Request, now: &Now) -> Who {
    match asking {
        Asking::Key(key) => Who::with_key(&key.id),
        Asking::Anybody | Asking::Nobody => Who::behind(client(request, now)),
    }
}

fn peer(request: &Request) -> Option<IpAddr> {
    request.extensions().get::<Peer>().map(|peer| peer.0)
}

/// The address of the client: what a proxy says about it, if that one is trusted.
fn client(request: &Request, now: &Now) -> IpAddr {
    let peer = peer(request).unwrap_or(IpAddr::from([127, 0, 0, 1]));
    let trusted = |address: &IpAddr| now.trusted_proxies.contains(&address.to_canonical());
    if !trusted(&peer) {
        return peer;
    }
    // Each proxy adds the one it has heard at the end; what stands before the first that we do not trust may be made up.
    let said = request.headers().get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok());
    let mut hops: Vec<IpAddr> =
        said.flat_map(|value| value.split(',')).filter_map(|hop| hop.trim().parse().ok()).collect();
    while let Some(hop) = hops.pop() {
        if !trusted(&hop) {
            return hop;
        }
    }
    peer
}

/// 0 for a key, 1 for a token.
fn shown_as(headers: &HeaderMap) -> usize {
    usize::from(headers.contains_key("x-authorization"))
}

/// As the clients of Conductor know it: these two words make them ask for a new token.
fn unauthorized(why: Refused) -> Response {
    let (error, message) = match why {
        Refused::Missing => {
            ("UNAUTHORIZED", "this needs a key: X-Authorization, Authorization: Bearer, or X-API-Key")
        }
        Refused::Expired => ("EXPIRED_TOKEN", "the time of this credential is over"),
        // Which of these it is helps only those who try.
        Refused::Malformed | Refused::Unknown | Refused::Revoked => {
            ("INVALID_TOKEN", "this credential does not hold")
        }
    };
    let told = ErrorResponse {
        status: StatusCode::UNAUTHORIZED.as_u16(),
        error: Some(error.into()),
        message: Some(message.to_owned()),
        ..ErrorResponse::default()
    };
    let mut response = Error(told).into_response();
    response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}

/// The answer to somebody who exchanges a key for a token. Clients behind one address sign in as often as their keys
/// allow; those who try keys are counted by their address.
pub(crate) fn exchanged(
    app: &App,
    from: Who,
    found: Result<Arc<Key>, Refused>,
    token: impl FnOnce(&Key) -> Response,
) -> Response {
    let now = app.live.now();
    match found {
        Ok(key) => match count(app, Class::Machine, Who::with_key(&key.id), &now) {
            Ok(()) => token(&key),
            Err(too_fast) => *too_fast,
        },
        Err(why) => match count(app, Class::Anonymous, from, &now) {
            Ok(()) => {
                app.metrics.auth_failures.at(why as usize, 0).add(1);
                unauthorized(why)
            }
            Err(too_fast) => *too_fast,
        },
    }
}

/// Those behind the address that a request comes from.
pub(crate) fn from(app: &App, request: &Request) -> Who {
    Who::behind(client(request, &app.live.now()))
}

fn forbidden(right: Right) -> Error {
    let message = format!("this needs the right to {}, which this key does not have", right.name());
    Error::new(StatusCode::FORBIDDEN, message)
}

fn too_many(too_fast: TooFast, now: &Now) -> Response {
    let seconds = too_fast.retry_after.as_secs() + u64::from(too_fast.retry_after.subsec_nanos() > 0);
    let message = format!("too many requests; try again in {seconds} s");
    let mut error = Error::new(StatusCode::TOO_MANY_REQUESTS, message);
    error.0.retryable = true;
    let mut response = error.into_response();
    let headers = response.headers_mut();
    headers.insert(RETRY_AFTER, HeaderValue::from(seconds.max(1)));
    let rate = if too_fast.scope == 0 { now.rates.global } else { now.rates.of(too_fast.class) };
    if let Some(policy) = rate.and_then(|rate| HeaderValue::from_str(&rate.told()).ok()) {
        headers.insert(HeaderName::from_static("ratelimit-policy"), policy);
    }
    response
}
