//! Files with environment variables: `NAME=value` in a line.
//!
//! Blank lines and lines that begin with `#` say nothing; `export ` before the name is passed over. A value in single
//! quotes stays as it is; in double quotes `\n`, `\t`, `\"`, `\\` and `\$` are read; without quotes it ends with the line, and
//! blanks around it are dropped. Nothing is replaced by anything else: no variable, no command.

use std::path::Path;

use partitur_model::record::TaskError;

/// No file with variables is larger.
const BYTES_MAX: u64 = 1 << 20;

/// What the file says, in its order.
///
/// # Errors
/// It cannot be read, or a line is none; the message names file and line.
pub(crate) fn read(path: &Path) -> Result<Vec<(String, String)>, TaskError> {
    let refuse = |why: String| TaskError::terminal("start-environment", format!("{}: {why}", path.display()));
    let size = path.metadata().map_err(|error| refuse(error.to_string()))?.len();
    if size > BYTES_MAX {
        return Err(refuse(format!("a file with variables has at most {BYTES_MAX} bytes")));
    }
    let text = std::fs::read_to_string(path).map_err(|error| refuse(error.to_string()))?;
    parse(&text).map_err(|(line, why)| refuse(format!("line {line}: {why}")))
}

fn parse(text: &str) -> Result<Vec<(String, String)>, (usize, &'static str)> {
    let lines = text.lines().zip(1..).map(|(line, number)| (line.trim(), number));
    let lines = lines.filter(|(line, _)| !line.is_empty() && !line.starts_with('#'));
    lines.map(|(line, number)| variable(line).map_err(|why| (number, why))).collect()
}

fn variable(line: &str) -> Result<(String, String), &'static str> {
    let line = line.strip_prefix("export ").unwrap_or(line).trim_start();
    let (name, value) = line.split_once('=').ok_or("it is not `NAME=value`")?;
    let name = name.trim_end();
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) || !name.chars().all(is_name) {
        return Err("a name has letters, digits and `_`, and does not begin with a digit");
    }
    Ok((name.to_owned(), unquoted(value.trim())?))
}

fn unquoted(value: &str) -> Result<String, &'static str> {
    const OPEN: &str = "the quote does not end in this line";
    match value.chars().next() {
        Some('\'') => {
            let inner = value[1..].strip_suffix('\'').ok_or(OPEN)?;
            if inner.contains('\'') { Err("something follows the quote") } else { Ok(inner.to_owned()) }
        }
        Some('"') => {
            let (mut read, mut rest) = (String::new(), value[1..].chars());
            loop {
                match rest.next().ok_or(OPEN)? {
                    '"' if rest.as_str().is_empty() => return Ok(read),
                    '"' => return Err("something follows the quote"),
                    '\\' => read.push(match rest.next().ok_or(OPEN)? {
                        'n' => '\n',
                        't' => '\t',
                        c @ ('"' | '\\' | '$') => c,
                        _ => return Err("in double quotes, `\\` stands before n, t, `\"`, `$` or `\\`"),
                    }),
                    c => read.push(c),
                }
            }
        }
        Some(_) | None => Ok(value.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_read_as_they_are_written() {
        let text = "# the data base\n\nHOST=db.local\nexport PORT = 5432 \nEMPTY=\nHASH=a#b=c\n\
                    QUOTED=\"a \\\"b\\\" \\$HOME\\n\"\nPLAIN='$HOME \\n'\n";
        let read = parse(text).unwrap();
        let read: Vec<(&str, &str)> = read.iter().map(|(name, value)| (&**name, &**value)).collect();
        assert_eq!(
            read,
            [
                ("HOST", "db.local"),
                ("PORT", "5432"),
                ("EMPTY", ""),
                ("HASH", "a#b=c"),
                ("QUOTED", "a \"b\" $HOME\n"),
                ("PLAIN", "$HOME \\n"),
            ]
        );
    }

    #[test]
    fn what_is_no_variable_is_told_with_its_line() {
        let faults =
            ["A=1\nnothing", "9A=1", "A-B=1", "=1", "A=\"x", "A='x' y'", "A=\"x\"y", "A=\"\\q\""].map(parse);
        let lines: Vec<usize> = faults.into_iter().map(|fault| fault.unwrap_err().0).collect();
        assert_eq!(lines, [2, 1, 1, 1, 1, 1, 1, 1]);
    }
}
