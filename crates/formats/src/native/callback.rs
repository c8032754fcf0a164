//! `callbacks`: who is told over HTTP what becomes of a run.

use partitur_model::Fault;
use partitur_model::callback::{Callback, Moment, Moments, Receiver};

use crate::codes;
use crate::keys::{Block, Key, Shape, texts};
use crate::reader::{At, Reader};

pub(super) const CALLBACKS: Shape = Shape::OneOrMany(&Shape::Either(&[Shape::Text, Shape::Block(&CALLBACK)]));

static CALLBACK: Block = Block {
    name: "callback",
    about: "an entry of `callbacks`",
    required: &["to"],
    ignored_prefix: None,
    keys: || texts(CALLBACK_KEYS),
};

struct Draft {
    to: Option<Receiver>,
    moments: Option<Moments>,
    secret: Option<String>,
    output: bool,
}

static CALLBACK_KEYS: &[Key<Draft>] = &[
    Key {
        name: "to",
        about: "a URL of http or https, or the name of a receiver in the server's settings",
        shape: Shape::Text,
        read: |reader, draft, at| draft.to = read_receiver(reader, at),
    },
    Key {
        name: "states",
        about: "of what it is told; of how the run ends, if nothing is said here or in the settings",
        shape: Shape::OneOrMany(&Shape::Word(&WORDS)),
        read: |reader, draft, at| {
            let words = Moment::ALL.map(|moment| (moment.word(), moment));
            let moments = reader.one_or_many(at, |reader, at| reader.word(at, &words));
            draft.moments = Some(Moments::of(&moments));
        },
    },
    Key {
        name: "secret",
        about: "the name of the secret in the server's settings with which it is signed",
        shape: Shape::Text,
        read: |reader, draft, at| draft.secret = reader.string(at).filter(|secret| !secret.is_empty()),
    },
    Key {
        name: "output",
        about: "whether the run's output is told, up to 64 KiB; true",
        shape: Shape::Flag,
        read: |reader, draft, at| draft.output = reader.flag(at).unwrap_or(draft.output),
    },
];

const WORDS: [&str; Moment::ALL.len()] = {
    let (mut words, mut at) = ([""; Moment::ALL.len()], 0);
    while at < words.len() {
        words[at] = Moment::ALL[at].word();
        at += 1;
    }
    words
};

/// Each is a receiver, or a block that says more.
pub(super) fn read_callbacks(reader: &mut Reader<'_>, at: At<'_>) -> Vec<Callback> {
    reader.one_or_many(at, |reader, at| {
        if reader.is_scalar(at) {
            return read_receiver(reader, at).map(Callback::to);
        }
        let mut draft = Draft { to: None, moments: None, secret: None, output: true };
        reader.block(at, &CALLBACK, CALLBACK_KEYS, &mut draft);
        let Draft { to, moments, secret, output } = draft;
        Some(Callback { to: to?, moments, secret, output })
    })
}

fn read_receiver(reader: &mut Reader<'_>, at: At<'_>) -> Option<Receiver> {
    let text = reader.text(at)?;
    match Receiver::read(text) {
        Ok(to) => Some(to),
        Err(problem) => {
            let message = format!("nobody can be told at `{}`: {problem}", crate::reader::shorten(text));
            let fault = Fault::error(codes::BAD_NAME, at.place(), message).label("not understood");
            reader.fault(
                fault.hint("write a URL such as `https://erp.example/hooks`, or the name of a receiver"),
            );
            None
        }
    }
}
