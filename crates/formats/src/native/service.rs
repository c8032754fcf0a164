//! `service`: a command that lives as long as others need it, and how it is known to be up.

use std::sync::Arc;
use std::time::Duration;

use partitur_model::Fault;
use partitur_model::definition::{Ready, Service, Template};

use super::policy::positive;
use super::{action, shape};
use crate::codes;
use crate::keys::{Block, Key, Shape, texts};
use crate::reader::{At, Reader, listed};
use crate::tree::{Form, Item};

pub(super) static SERVICE: Block = Block {
    name: "service",
    about: "`service`",
    required: &[],
    ignored_prefix: None,
    keys: || texts(SERVICE_KEYS),
};

#[derive(Default)]
struct ServiceDraft {
    ready: Vec<(&'static str, Ready)>,
    run: Option<Item>,
    within: Option<Duration>,
    every: Option<Duration>,
    grace: Option<Duration>,
}

static SERVICE_KEYS: &[Key<ServiceDraft>] = &[
    Key {
        name: "port",
        about: "it is up when this TCP port takes connections: a number, or `host:port`",
        shape: Shape::Template,
        read: |reader, draft, at| {
            let port = reader.template(at).filter(|port| is_port(reader, at, port));
            draft.ready.extend(port.map(|port| ("port", Ready::Port(port))));
        },
    },
    Key {
        name: "http",
        about: "it is up when this URL answers with a status of 200 to 299",
        shape: Shape::Template,
        read: |reader, draft, at| {
            draft.ready.extend(reader.template(at).map(|url| ("http", Ready::Http(url))))
        },
    },
    Key {
        name: "log",
        about: "it is up when it writes this text",
        shape: Shape::Text,
        read: |reader, draft, at| {
            let text = reader.string(at).filter(|text| !text.is_empty());
            draft.ready.extend(text.map(|text| ("log", Ready::Line(text))));
        },
    },
    Key {
        name: "run",
        about: "it is up when this command succeeds, which gets its directory and environment",
        shape: shape::RUN,
        read: |_, draft, at| draft.run = Some(at.item),
    },
    Key {
        name: "within",
        about: "it fails if it is not up by then; 60s",
        shape: Shape::Duration,
        read: |reader, draft, at| draft.within = positive(reader, at),
    },
    Key {
        name: "every",
        about: "it is asked this often; 200ms",
        shape: Shape::Duration,
        read: |reader, draft, at| draft.every = positive(reader, at),
    },
    Key {
        name: "grace",
        about: "between the request to end and the kill; 5s",
        shape: Shape::Duration,
        read: |reader, draft, at| draft.grace = reader.duration(at),
    },
];

/// A port, or `host:port`; what is not known yet is looked at later.
fn is_port(reader: &mut Reader<'_>, at: At<'_>, port: &Template) -> bool {
    let text = &port.0;
    let number = text.rsplit_once(':').map_or(text.as_str(), |(_, number)| number);
    let good = text.contains("${") || number.parse::<u16>().is_ok_and(|number| number > 0);
    if !good {
        let message = format!("`{text}` is no TCP port");
        let fault = Fault::error(codes::BAD_VALUE, at.place(), message).label("not understood");
        reader.fault(fault.hint("write a number from 1 to 65535, or `host:port`"));
    }
    good
}

/// `true`: up as soon as it is started; or a block.
pub(super) fn read_service(
    reader: &mut Reader<'_>,
    at: At<'_>,
    shell: Option<&Arc<[String]>>,
) -> Option<Service> {
    if reader.form(at) != Form::Map {
        return reader.flag(at)?.then(Service::default);
    }
    let mut draft = ServiceDraft::default();
    reader.block(at, &SERVICE, SERVICE_KEYS, &mut draft);
    if let Some(item) = draft.run {
        let asks = action::read_program(reader, at.member("run", item), shell);
        draft.ready.extend(asks.map(|asks| ("run", Ready::Command(asks))));
    }
    let names: Vec<&str> = draft.ready.iter().map(|(name, _)| *name).collect();
    if names.len() > 1 {
        let message = format!("the service has {}, but one thing tells that it is up", listed(&names));
        let fault = Fault::error(codes::CONFLICT, at.place().member(names[1]), message).label("the second");
        reader.fault(fault.hint("keep one; a command under `run` can ask for several"));
    }
    let standard = Service::default();
    Some(Service {
        ready: draft.ready.pop().map_or(standard.ready, |(_, ready)| ready),
        within: draft.within.unwrap_or(standard.within),
        every: draft.every.unwrap_or(standard.every),
        grace: draft.grace,
    })
}
