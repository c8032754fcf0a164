//! Values from the command line: pairs, and files with JSON objects.

use std::path::{Path, PathBuf};

use partitur_model::Payload;

use crate::failure::Failure;

/// Values for a run or of a task.
#[derive(Debug, Default, clap::Args)]
pub struct Input {
    /// An input; JSON, or text if it is none
    #[arg(short = 'i', long = "input", value_name = "NAME=VALUE")]
    pairs: Vec<String>,
    /// A file with a JSON object of inputs (`-` is standard input)
    #[arg(long = "input-file", value_name = "FILE")]
    file: Option<PathBuf>,
}

/// The same for what a task yields.
#[derive(Debug, Default, clap::Args)]
pub struct Output {
    /// A part of the output; JSON, or text if it is none
    #[arg(short = 'o', long = "output", value_name = "NAME=VALUE")]
    pairs: Vec<String>,
    /// A file with a JSON object of outputs (`-` is standard input)
    #[arg(long = "output-file", value_name = "FILE")]
    file: Option<PathBuf>,
}

impl Input {
    /// The object, or nothing if nothing was given.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn object(&self) -> Result<Option<Payload>, Failure> {
        object(&self.pairs, self.file.as_deref(), "--input")
    }
}

impl Output {
    /// The object, or nothing if nothing was given.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn object(&self) -> Result<Option<Payload>, Failure> {
        object(&self.pairs, self.file.as_deref(), "--output")
    }
}

/// The entries of the file, and over them the pairs.
fn object(pairs: &[String], file: Option<&Path>, flag: &str) -> Result<Option<Payload>, Failure> {
    if pairs.is_empty() && file.is_none() {
        return Ok(None);
    }
    let mut entries: Vec<(String, Payload)> = match file {
        Some(path) => entries_of(path)?,
        None => Vec::new(),
    };
    for pair in pairs {
        let Some((name, text)) = pair.split_once('=') else {
            let message = format!("`{flag} {pair}` gives no value");
            return Err(Failure::usage(message, format!("write `{flag} {pair}=VALUE`")));
        };
        entries.retain(|(known, _)| known != name);
        entries.push((name.to_owned(), value(text)));
    }
    Ok(Some(Payload::object(entries)))
}

/// JSON, or text if it is none.
fn value(text: &str) -> Payload {
    Payload::parse(text).unwrap_or_else(|_| Payload::string(text))
}

fn entries_of(path: &Path) -> Result<Vec<(String, Payload)>, Failure> {
    let text = text_of(path)?;
    let wrong = |why: String| {
        let shown = path.display();
        Failure::usage(format!("{shown} holds no values: {why}"), "it must hold one JSON object")
    };
    let parsed = Payload::parse(&text).map_err(|error| wrong(error.to_string()))?;
    let entries = parsed.entries().ok_or_else(|| wrong("it is no object".to_owned()))?;
    Ok(entries.into_iter().map(|(name, value)| (name.to_string(), value)).collect())
}

/// The text of a file; `-` is standard input.
///
/// # Errors
/// It cannot be read.
pub fn text_of(path: &Path) -> Result<String, Failure> {
    let text = match path.to_str() {
        Some("-") => std::io::read_to_string(std::io::stdin()),
        Some(_) | None => std::fs::read_to_string(path),
    };
    text.map_err(|error| Failure::Unreadable {
        path: path.display().to_string(),
        reason: error.to_string().split(" (os error").next().unwrap_or_default().to_lowercase(),
        near: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_are_json_where_they_can_be() {
        let pairs =
            ["n=3", "amount=0.10", "name=Ada", "list=[1,2]", "n=4", "e=", "eq=a=b"].map(str::to_owned);
        let given = object(&pairs, None, "--input").unwrap().unwrap();
        assert_eq!(given.render(), r#"{"amount":0.10,"name":"Ada","list":[1,2],"n":4,"e":"","eq":"a=b"}"#);
        assert!(object(&["n".to_owned()], None, "--input").is_err());
        assert_eq!(object(&[], None, "--input").unwrap(), None);
    }
}
