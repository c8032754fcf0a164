//! Some tasks of a document, as a document of its own: its text without the lines of the others. So a large document need
//! not be understood whole if little of it is wanted.
//!
//! Only for YAML in its usual form: each task begins on a line of its own below `tasks:`. Of anything else there is no
//! excerpt.

/// What becomes of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keep {
    /// It stays.
    AsItIs,
    /// This stands in its place, on one line.
    Instead(String),
    /// It goes.
    Not,
}

/// The text with only those tasks that `keep` wants; `None` if it is not known where they stand, or if one of them stands
/// for more than its lines.
pub fn excerpt(text: &str, keep: &mut dyn FnMut(&str) -> Keep) -> Option<String> {
    let mut out = String::new();
    let mut lines = text.split_inclusive('\n').peekable();
    loop {
        let line = lines.next()?;
        out.push_str(line);
        match line.strip_prefix("tasks:") {
            Some(rest) if is_empty(rest) => break,
            Some(_) => return None,
            None if is_marker(line) => return None,
            None => {}
        }
    }
    let (mut indent, mut kept) = (0, Keep::AsItIs);
    let mut entry_at = out.len();
    for line in lines.by_ref() {
        let spaces = line.len() - line.trim_start_matches(' ').len();
        if is_empty(&line[spaces..]) {
            // Blank lines and comments belong to what stands before them, or inside of it.
            if kept == Keep::AsItIs {
                out.push_str(line);
            }
            continue;
        }
        if indent == 0 {
            indent = spaces;
        }
        match spaces {
            0 => {
                stands_alone(&out[entry_at..])?;
                if line.starts_with("tasks:") || is_marker(line) {
                    return None;
                }
                out.push_str(line);
                return rest(out, &mut lines);
            }
            _ if spaces == indent => {
                stands_alone(&out[entry_at..])?;
                entry_at = out.len();
                let name = name(&line[spaces..])?;
                kept = keep(name);
                match &kept {
                    Keep::AsItIs => out.push_str(line),
                    Keep::Instead(value) => out.push_str(&format!("{}{name}: {value}\n", &line[..spaces])),
                    Keep::Not => {}
                }
            }
            _ if spaces < indent => return None,
            _ if kept == Keep::AsItIs => out.push_str(line),
            _ => {}
        }
    }
    stands_alone(&out[entry_at..])?;
    Some(out)
}

/// What stands behind the tasks.
fn rest(mut out: String, lines: &mut dyn Iterator<Item = &str>) -> Option<String> {
    for line in lines {
        if line.starts_with("tasks:") || is_marker(line) {
            return None;
        }
        out.push_str(line);
    }
    Some(out)
}

fn is_empty(text: &str) -> bool {
    let text = text.trim();
    text.is_empty() || text.starts_with('#')
}

/// Several documents in one file, or directions for whoever reads it.
fn is_marker(line: &str) -> bool {
    line.starts_with("---") || line.starts_with("...") || line.starts_with('%')
}

/// The name at the beginning of a line, if it is a plain one.
fn name(line: &str) -> Option<&str> {
    let (name, rest) = line.split_once(':')?;
    let is_plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
    let ends = rest.is_empty() || rest.starts_with([' ', '\n', '\r']);
    (is_plain && ends && !name.is_empty()).then_some(name)
}

/// Whether the lines mean the same without the others: no part of them stands elsewhere.
fn stands_alone(entry: &str) -> Option<()> {
    let is_reference = |(at, _): (usize, &str)| {
        let before = entry[..at].trim_end_matches(' ');
        let begins = before.len() < at || before.ends_with(['[', '{']);
        let next = entry[at + 1..].chars().next();
        begins
            && before.ends_with([':', '-', '[', ',', '{'])
            && next.is_some_and(|next| !next.is_whitespace())
    };
    let refers = entry.match_indices(['*', '&']).any(is_reference) || entry.contains("<<:");
    (!refers).then_some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
name: demo # tasks:
defaults: { shell: bash }

tasks:
  # The first.
  a: { run: [cp, x, y] }
  b:
    needs: [a]
    run: |
      # no comment, and no task:
      make
        c: 1

    reads: ['*.c']
  c: { needs: [b], run: 'true' }
outputs:
  n: 1
";

    fn of(names: &[&str]) -> Option<String> {
        excerpt(TEXT, &mut |name| match name {
            _ if names.contains(&name) => Keep::AsItIs,
            "a" => Keep::Instead("{ needs: [] }".to_owned()),
            _ => Keep::Not,
        })
    }

    #[test]
    fn all_of_it_is_the_text_itself() {
        assert_eq!(of(&["a", "b", "c"]).as_deref(), Some(TEXT));
    }

    #[test]
    fn what_is_not_wanted_goes_with_all_of_its_lines() {
        insta::assert_snapshot!(of(&["b"]).unwrap(), @r"
        name: demo # tasks:
        defaults: { shell: bash }

        tasks:
          # The first.
          a: { needs: [] }
          b:
            needs: [a]
            run: |
              # no comment, and no task:
              make
                c: 1

            reads: ['*.c']
        outputs:
          n: 1
        ");
        insta::assert_snapshot!(of(&["c"]).unwrap(), @r"
        name: demo # tasks:
        defaults: { shell: bash }

        tasks:
          # The first.
          a: { needs: [] }
          c: { needs: [b], run: 'true' }
        outputs:
          n: 1
        ");
    }

    #[test]
    fn what_stands_for_more_than_its_lines_has_no_excerpt() {
        let all = |text: &str| excerpt(text, &mut |_| Keep::AsItIs);
        for text in [
            "tasks: { a: { run: 'true' } }\n",
            "name: x\n",
            "tasks:\n  a: *other\n",
            "tasks:\n  a: { <<: *other }\n",
            "tasks:\n  a: { env: { x: &y 1 } }\n",
            "tasks:\n  'a b': { run: 'true' }\n",
            "tasks:\n    a: { run: x }\n  b: { run: x }\n",
            "tasks:\n  a: { run: x,\n  }\n",
            "---\ntasks:\n  a: { run: x }\n",
            "tasks:\n  a: { run: x }\n...\n",
            "tasks:\n  a: { run: x }\ntasks:\n  b: { run: x }\n",
        ] {
            assert_eq!(all(text), None, "{text}");
        }
        let plain = "tasks:\n  a: { run: 'rm -f *.o && cc a.c & wait' }\n";
        assert_eq!(all(plain).as_deref(), Some(plain));
    }
}
