//! `partitur explain`: the pages of the error codes.

use std::io::IsTerminal as _;

use partitur_model::fault::did_you_mean;

use crate::exit::Exit;
use crate::failure::Failure;

/// The pages under `docs/errors`, by code.
const PAGES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/pages.rs"));

/// Explain an error code
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  partitur explain P0107
  partitur explain            # lists all codes")]
pub struct Explain {
    /// As in error[P0107]
    code: Option<String>,
}

impl Explain {
    pub fn run(self) -> Result<Exit, Failure> {
        match self.code {
            Some(code) => page(&code),
            None => {
                for (_, page) in PAGES {
                    println!("{}", title(page));
                }
                Ok(Exit::Success)
            }
        }
    }
}

fn page(text: &str) -> Result<Exit, Failure> {
    let wanted = text.trim_matches(|c: char| !c.is_ascii_alphanumeric()).to_ascii_uppercase();
    let wanted = if wanted.starts_with('P') { wanted } else { format!("P{wanted}") };
    match PAGES.iter().find(|(code, _)| *code == wanted) {
        Some((_, page)) => {
            print!("{}", for_people(page, std::io::stdout().is_terminal()));
            Ok(Exit::Success)
        }
        None => {
            let hint = match did_you_mean(&wanted, PAGES.iter().map(|(code, _)| *code)) {
                Some(near) => format!("did you mean `{near}`? `partitur explain` lists all of them"),
                None => "`partitur explain` lists all of them".to_owned(),
            };
            Err(Failure::usage(format!("there is no error code `{text}`"), hint))
        }
    }
}

/// `P0501: The disk is full`.
fn title(page: &str) -> &str {
    page.lines().next().unwrap_or_default().trim_start_matches("# ")
}

/// The page as a terminal shows it: headings and emphasis without their signs.
fn for_people(page: &str, colour: bool) -> String {
    let (bold, end) = if colour { ("\x1b[1m", "\x1b[0m") } else { ("", "") };
    let mut out = String::new();
    let mut in_code = false;
    for line in page.lines() {
        if line.starts_with("```") {
            in_code = !in_code;
            continue;
        }
        if in_code {
            out += &format!("    {line}\n");
        } else if let Some(heading) = line.strip_prefix('#') {
            out += &format!("{bold}{}{end}\n", heading.trim_start_matches('#').trim());
        } else {
            let mut parts = line.split("**");
            out += parts.next().unwrap_or_default();
            for (at, part) in parts.enumerate() {
                out += if at % 2 == 0 { bold } else { end };
                out += part;
            }
            out.push('\n');
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_shown_without_its_signs() {
        let page = "# P1: Title\n\nText. **What to do.** This:\n\n```yaml\na: 1\n```\n";
        assert_eq!(for_people(page, false), "P1: Title\n\nText. What to do. This:\n\n    a: 1\n");
    }

    #[test]
    fn every_page_begins_with_its_code() {
        assert!(!PAGES.is_empty());
        for (code, page) in PAGES {
            assert!(title(page).starts_with(&format!("{code}: ")), "{code}");
        }
    }
}
