//! Keys: made, listed, given another secret, revoked; and exchanged for tokens.

use axum::extract::{Path, State};
use axum::http::header::{CACHE_CONTROL, HeaderValue};
use axum::response::Response;
use partitur_model::catalogue::Entry;
use partitur_model::unit::parse_duration;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json as value;

use crate::app::App;
use crate::auth::{Asking, Bearer, Key, KeysError, NewKey, Refused, Role, Roles, Secret, asking};
use crate::conductor_api::Shared;
use crate::http::answer::{Answer, Error, done, json};
use crate::http::gate;
use crate::http::input::{Json, Query};

/// A key that somebody wants.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    /// For people.
    name: String,
    /// `admin`, `developer`, `operator`, `worker`, `viewer`.
    roles: Vec<String>,
    /// For a person; otherwise for a program.
    #[serde(default)]
    person: bool,
    /// So long it holds, as `90d`; without an end if nothing is said.
    #[serde(default)]
    expires: Option<String>,
}

/// What is exchanged for a token.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Credentials {
    key_id: String,
    key_secret: String,
}

/// A token for a key. On an open server there are none: clients that hear this stop trying.
pub(crate) async fn token(State(app): Shared, request: axum::extract::Request) -> Answer {
    use axum::extract::FromRequest as _;
    if !app.has_keys() {
        return Err(Error::not_found("this server is open: there are no tokens"));
    }
    let from = gate::from(&app, &request);
    let Json(asked) = Json::<Credentials>::from_request(request, &()).await?;
    let now = app.now().millis();
    // Some have the whole key in the place of its secret.
    let secret = asked.key_secret.split_once('.').map_or(asked.key_secret.as_str(), |(_, secret)| secret);
    let found = app.library.keys.with_secret(&asked.key_id, secret, now);
    Ok(gate::exchanged(&app, from, found, |key| {
        let lifetime = app.live.now().token_lifetime.as_millis() as u64;
        let token = app.library.keys.token(key, now, lifetime);
        unstored(json(&value!({"token": token, "userId": key.name})))
    }))
}

/// Who asks.
pub(crate) async fn who(State(app): Shared) -> Answer {
    match asking() {
        Asking::Key(key) => Ok(json(&key.told(app.now().millis()))),
        Asking::Anybody | Asking::Nobody => Err(Error::not_found("this server is open: nobody has a name")),
    }
}

pub(crate) async fn all(State(app): Shared) -> Answer {
    demand_keys(&app)?;
    let now = app.now().millis();
    let keys = app.library.keys.all();
    Ok(json(&keys.iter().map(|key| key.told(now)).collect::<Vec<_>>()))
}

pub(crate) async fn create(State(app): Shared, Json(wanted): Json<Wanted>) -> Answer {
    demand_keys(&app)?;
    let roles = wanted.roles.iter().map(|role| role.parse::<Role>()).collect::<Result<Vec<_>, _>>();
    let now = app.now();
    let expires = wanted.expires.as_deref().map(parse_duration).transpose();
    let expires = expires.map_err(|error| Error::bad(format!("expires: {error}")))?;
    let wanted = NewKey {
        name: wanted.name,
        bearer: if wanted.person { Bearer::Person } else { Bearer::Machine },
        roles: Roles::new(roles.map_err(Error::bad)?),
        expires: expires.map(|span| now.millis().saturating_add(span.as_millis() as u64)),
    };
    let _teaching = app.teaching.lock().await;
    let (entry, key, secret) = app.library.keys.create(wanted, now)?;
    keep(&app, entry).await?;
    Ok(with_secret(&key, &secret, now.millis()))
}

pub(crate) async fn rotate(State(app): Shared, Path(id): Path<String>, query: Query) -> Answer {
    demand_keys(&app)?;
    let overlap = query.some_text("overlap").map(parse_duration).transpose();
    let overlap = overlap.map_err(|error| Error::bad(format!("overlap: {error}")))?.unwrap_or_default();
    let now = app.now();
    let _teaching = app.teaching.lock().await;
    let (entry, key, secret) = app.library.keys.rotate(&id, now, overlap.as_millis() as u64)?;
    keep(&app, entry).await?;
    Ok(with_secret(&key, &secret, now.millis()))
}

pub(crate) async fn revoke(State(app): Shared, Path(id): Path<String>) -> Answer {
    demand_keys(&app)?;
    let _teaching = app.teaching.lock().await;
    let entry = app.library.keys.revoke(&id, app.now())?;
    keep(&app, entry).await?;
    Ok(done())
}

/// Where everybody may do everything, anybody could make a key for the day on which that ends.
fn demand_keys(app: &App) -> Result<(), Error> {
    if app.has_keys() {
        return Ok(());
    }
    Err(Error::not_found("this server is open: there are no keys (setting `auth`)"))
}

async fn keep(app: &App, entry: Entry) -> Result<(), Error> {
    app.handle.keep(vec![entry]).await?;
    Ok(())
}

fn with_secret(key: &Key, secret: &Secret, now: u64) -> Response {
    unstored(json(&key.told_with(secret, now)))
}

/// Nobody on the way keeps it.
fn unstored(mut response: Response) -> Response {
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

impl From<KeysError> for Error {
    fn from(error: KeysError) -> Error {
        match &error {
            KeysError::Unknown(_) => Error::not_found(error.to_string()),
            KeysError::Revoked(_) | KeysError::TooMany => Error::conflict(error.to_string()),
            KeysError::Wish(_) => Error::bad(error.to_string()),
        }
    }
}

// The reasons stand in the order of their names in the metrics.
const _: () = assert!(Refused::Missing as usize == 0 && Refused::Revoked as usize == 4);
