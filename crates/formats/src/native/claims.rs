//! `locks`: what an attempt holds while it lives.

use std::time::Duration;

use partitur_graph::{kind_of, normal_name};
use partitur_model::Fault;
use partitur_model::definition::{Claim, ClaimMode, Template};

use super::policy::positive;
use crate::codes;
use crate::keys::{Block, Key, Shape, texts};
use crate::reader::{At, Reader};
use crate::tree::Form;

pub(super) static CLAIM: Block = Block {
    name: "lock",
    about: "an entry of `locks`",
    required: &["resource"],
    ignored_prefix: None,
    keys: || texts(CLAIM_KEYS),
};

struct ClaimDraft {
    resource: Option<Template>,
    mode: ClaimMode,
    units: u32,
    expires: Option<Duration>,
}

static CLAIM_KEYS: &[Key<ClaimDraft>] = &[
    Key {
        name: "resource",
        about: "`file:path`, `dir:path`, a kind and a name as `port:5432`, or the name of a counted resource",
        shape: Shape::Template,
        read: |reader, draft, at| draft.resource = read_resource(reader, at),
    },
    Key {
        name: "mode",
        about: "alone or together with others that share; exclusive",
        shape: Shape::Word(&["exclusive", "shared"]),
        read: |reader, draft, at| {
            let words = [("exclusive", ClaimMode::Exclusive), ("shared", ClaimMode::Shared)];
            draft.mode = reader.word(at, &words).unwrap_or_default();
        },
    },
    Key {
        name: "units",
        about: "how many units of a counted resource; 1",
        shape: Shape::Count(1),
        read: |reader, draft, at| draft.units = reader.count(at, 1).unwrap_or(1),
    },
    Key {
        name: "expires",
        about: "the lock ends if its holder shows no sign of life for so long",
        shape: Shape::Duration,
        read: |reader, draft, at| draft.expires = positive(reader, at),
    },
];

/// What stands under `locks`.
pub(crate) fn read_claims(reader: &mut Reader<'_>, at: At<'_>) -> Vec<Claim> {
    reader.one_or_many(at, read_claim)
}

fn read_claim(reader: &mut Reader<'_>, at: At<'_>) -> Option<Claim> {
    let mut draft = ClaimDraft { resource: None, mode: ClaimMode::Exclusive, units: 1, expires: None };
    if reader.form(at) == Form::Map {
        reader.block(at, &CLAIM, CLAIM_KEYS, &mut draft);
    } else {
        draft.resource = read_resource(reader, at);
    }
    let claim = Claim {
        resource: draft.resource?,
        mode: draft.mode,
        units: draft.units,
        expires: draft.expires,
        place: at.place(),
    };
    if claim.units > 1 && is_whole(&claim.resource.0) {
        let message = format!("`{}` has no units to take several of", claim.resource.0);
        let fault =
            Fault::error(codes::BAD_VALUE, at.place().member("units"), message).label("more than one");
        reader.fault(fault.hint("it is held whole; count a resource with `resources:`"));
    }
    Some(claim)
}

fn read_resource(reader: &mut Reader<'_>, at: At<'_>) -> Option<Template> {
    let text = reader.text(at)?;
    let name = ["file:", "dir:", "service:"].iter().find_map(|kind| text.strip_prefix(kind)).unwrap_or(text);
    if name.trim().is_empty() || text.contains('\0') {
        reader.expected(at, "the name of a resource");
        return None;
    }
    if let Err(misuse) = normal_name(text).map(drop)
        && !text.contains("${")
    {
        let fault = Fault::error(codes::BAD_VALUE, at.place(), misuse.message).label("no such resource");
        reader.fault(fault.hint(misuse.hint));
        return None;
    }
    Some(Template::from(text))
}

/// Whether there is one of it, which is held whole.
fn is_whole(name: &str) -> bool {
    let is_path = ["file:", "dir:"].iter().any(|kind| name.starts_with(kind));
    is_path || kind_of(name).is_some_and(|kind| kind.whole)
}

/// The name of what is counted under `resources`.
pub(super) fn counted_name(reader: &mut Reader<'_>, at: At<'_>, name: &str) -> Option<String> {
    if is_whole(name) {
        let message = format!("`{name}` is held whole: there is nothing to count");
        let fault = Fault::error(codes::BAD_VALUE, at.place(), message).label("one of it");
        reader.fault(fault.hint("claim it under `locks` as it is"));
        return None;
    }
    // A prefix is no name.
    if name.ends_with('*') {
        return Some(name.to_owned());
    }
    match normal_name(name) {
        Ok(normal) => Some(normal.into_owned()),
        Err(misuse) => {
            let fault = Fault::error(codes::BAD_VALUE, at.place(), misuse.message).label("no such resource");
            reader.fault(fault.hint(misuse.hint));
            None
        }
    }
}
