//! Kinds of named things that tasks and agents collide on, and the one form in which each is written.
//!
//! Two names that mean the same thing must be equal, or a lock on it is none: `refs/heads/main` is `main`.

use std::borrow::Cow;

/// A kind of things.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// What stands before the name.
    pub prefix: &'static str,
    /// What it is for, in a few words.
    pub about: &'static str,
    /// How a name looks.
    pub example: &'static str,
    /// There is one of each name: it is held whole, and never several of it.
    pub whole: bool,
    normal: fn(&str) -> Result<Cow<'_, str>, Misuse>,
}

/// A name that cannot be meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misuse {
    /// What is wrong.
    pub message: String,
    /// What to write instead.
    pub hint: &'static str,
}

/// All kinds but paths, which are no names.
pub const KINDS: &[Kind] = &[
    Kind {
        prefix: "service:",
        about: "anything that one uses alone",
        example: "service:billing",
        whole: true,
        normal: plain,
    },
    Kind {
        prefix: "port:",
        about: "a port of this machine, 1 to 65535",
        example: "port:5432",
        whole: true,
        normal: port,
    },
    Kind {
        prefix: "db:",
        about: "a database; `shared` for who only reads, units for connections",
        example: "db:orders",
        whole: false,
        normal: plain,
    },
    Kind {
        prefix: "compose:",
        about: "a project of Docker Compose, in lower case",
        example: "compose:shop",
        whole: true,
        normal: compose,
    },
    Kind {
        prefix: "browser:",
        about: "a browser's profile",
        example: "browser:default",
        whole: true,
        normal: plain,
    },
    Kind {
        prefix: "git-ref:",
        about: "a branch or tag; `refs/heads/` may be left out",
        example: "git-ref:main",
        whole: true,
        normal: git_ref,
    },
    Kind {
        prefix: "tool-config:",
        about: "a tool's settings outside of the project, as a path",
        example: "tool-config:~/.npmrc",
        whole: true,
        normal: tool_config,
    },
    Kind {
        prefix: "quota:",
        about: "what a provider lets one use at once, in lower case; `resources` says how much",
        example: "quota:anthropic",
        whole: false,
        normal: quota,
    },
];

/// The kind of a name, if it has one.
pub fn kind_of(name: &str) -> Option<&'static Kind> {
    KINDS.iter().find(|kind| name.starts_with(kind.prefix))
}

/// The one form of a name. Names without a kind stay as they are.
///
/// # Errors
/// No such thing can be meant.
pub fn normal_name(name: &str) -> Result<Cow<'_, str>, Misuse> {
    let Some(kind) = kind_of(name) else { return Ok(Cow::Borrowed(name)) };
    let own = &name[kind.prefix.len()..];
    let normal = (kind.normal)(own.trim())?;
    Ok(if normal == own { Cow::Borrowed(name) } else { Cow::Owned(format!("{}{normal}", kind.prefix)) })
}

fn misuse<T>(message: String, hint: &'static str) -> Result<T, Misuse> {
    Err(Misuse { message, hint })
}

fn plain(name: &str) -> Result<Cow<'_, str>, Misuse> {
    match name {
        "" => misuse("the resource has no name".to_owned(), "write a name after the colon"),
        name => Ok(Cow::Borrowed(name)),
    }
}

fn port(name: &str) -> Result<Cow<'_, str>, Misuse> {
    match name.parse::<u16>() {
        Ok(number) if number > 0 => Ok(Cow::Owned(number.to_string())),
        Ok(_) | Err(_) => {
            misuse(format!("`{name}` is no port"), "write a number from 1 to 65535, as in `port:5432`")
        }
    }
}

fn compose(name: &str) -> Result<Cow<'_, str>, Misuse> {
    let lower = name.to_lowercase();
    let good = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    if lower.starts_with(|c: char| c.is_ascii_alphanumeric()) && lower.chars().all(good) {
        return Ok(Cow::Owned(lower));
    }
    misuse(
        format!("`{name}` is no name of a Compose project"),
        "write letters, digits, `-` and `_`, as in `compose:shop`",
    )
}

fn git_ref(name: &str) -> Result<Cow<'_, str>, Misuse> {
    let short = name.strip_prefix("refs/heads/").or_else(|| name.strip_prefix("refs/")).unwrap_or(name);
    let bad = short.is_empty()
        || short.contains("..")
        || short.ends_with('/')
        || short.chars().any(|c| c.is_whitespace() || "~^:?*[\\".contains(c));
    if bad {
        return misuse(format!("`{name}` is no git reference"), "write a branch, as in `git-ref:main`");
    }
    Ok(Cow::Borrowed(short))
}

fn tool_config(name: &str) -> Result<Cow<'_, str>, Misuse> {
    let home = name.strip_prefix("$HOME").map(|rest| format!("~{rest}"));
    let path = home.as_deref().unwrap_or(name);
    if !path.starts_with("~/") && !path.starts_with('/') {
        return misuse(
            format!("`{name}` is no path from the root or from the home directory"),
            "write `tool-config:~/.npmrc`; a file of the project is locked with `file:`",
        );
    }
    let rest = path.trim_start_matches('~');
    let mut parts: Vec<&str> = Vec::new();
    for part in rest.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    let root = if path.starts_with('~') { "~/" } else { "/" };
    Ok(Cow::Owned(format!("{root}{}", parts.join("/"))))
}

fn quota(name: &str) -> Result<Cow<'_, str>, Misuse> {
    plain(name).map(|name| Cow::Owned(name.to_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_means_the_same_is_written_the_same() {
        for (written, normal) in [
            ("port:05432", "port:5432"),
            ("git-ref:refs/heads/main", "git-ref:main"),
            ("git-ref:refs/tags/v1", "git-ref:tags/v1"),
            ("compose:Shop", "compose:shop"),
            ("tool-config:$HOME/./.npmrc", "tool-config:~/.npmrc"),
            ("tool-config:/etc//npmrc", "tool-config:/etc/npmrc"),
            ("quota:Anthropic", "quota:anthropic"),
            ("db:orders", "db:orders"),
            ("gpu", "gpu"),
        ] {
            assert_eq!(normal_name(written).unwrap(), normal, "{written}");
            assert_eq!(normal_name(normal).unwrap(), normal, "{normal}");
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for written in [
            "port:http",
            "port:0",
            "port:65536",
            "git-ref:a b",
            "git-ref:",
            "compose:-x",
            "tool-config:.npmrc",
            "service:",
        ] {
            assert!(normal_name(written).is_err(), "{written}");
        }
        assert!(KINDS.iter().all(|kind| normal_name(kind.example).unwrap() == kind.example));
    }
}
