//! The languages, as Conductor's definitions name them.

use std::fmt;
use std::str::FromStr;

/// In which language a source is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Language {
    /// A program whose completion value is the result; `$` is the input.
    JavaScript,
    /// The body of a function, whose `return` gives the result; `$` is the input.
    Lambda,
    /// A filter; the result is `{"result": the first output, "resultList": all of them}`.
    Jq,
    /// The name of a key of the input, whose value is the result.
    ValueParam,
    /// A JSON Schema; the result is `{"valid": true}` or `{"valid": false, "errors": [{"path", "message"}]}`.
    Schema,
    /// A regular expression; the input is a string, the result its first match and what the groups matched, or null.
    Regex,
}

impl Language {
    /// All of them, with their names.
    const NAMES: [(&'static str, Language); 7] = [
        ("javascript", Language::JavaScript),
        ("graaljs", Language::JavaScript),
        ("lambda", Language::Lambda),
        ("jq", Language::Jq),
        ("value-param", Language::ValueParam),
        ("schema", Language::Schema),
        ("regex", Language::Regex),
    ];

    /// What it is called.
    pub fn name(self) -> &'static str {
        let (name, _) =
            Self::NAMES.iter().find(|(_, language)| *language == self).expect("every language has a name");
        name
    }

    pub(crate) fn code(self) -> u8 {
        Self::NAMES.iter().position(|(_, language)| *language == self).expect("every language has a name")
            as u8
    }

    pub(crate) fn from_code(code: u8) -> Option<Language> {
        Self::NAMES.get(usize::from(code)).map(|(_, language)| *language)
    }
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is no language of ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnknownLanguage {
    /// Python is known, and not evaluated.
    #[error(
        "evaluatorType `python` is not supported: Python cannot be confined as an expression; use `javascript`, or a \
         worker that runs Python"
    )]
    Python,
    /// Nothing of this name is known.
    #[error("unknown evaluatorType `{0}`: there are javascript, graaljs, value-param and jq")]
    Other(String),
}

impl FromStr for Language {
    type Err = UnknownLanguage;

    fn from_str(name: &str) -> Result<Language, UnknownLanguage> {
        if name == "python" {
            return Err(UnknownLanguage::Python);
        }
        let known = Self::NAMES.iter().find(|(known, _)| *known == name);
        known.map(|(_, language)| *language).ok_or_else(|| UnknownLanguage::Other(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_names_of_javascript_mean_the_same() {
        assert_eq!("graaljs".parse(), Ok(Language::JavaScript));
        assert_eq!("javascript".parse(), Ok(Language::JavaScript));
        assert_eq!(Language::JavaScript.to_string(), "javascript");
    }

    #[test]
    fn python_is_refused_with_a_reason_and_nonsense_with_what_there_is() {
        let reason = |name: &str| name.parse::<Language>().unwrap_err().to_string();
        assert!(reason("python").contains("use `javascript`"), "{}", reason("python"));
        assert!(reason("cobol").contains("`cobol`") && reason("cobol").contains("value-param"));
    }

    #[test]
    fn every_code_comes_back() {
        for (_, language) in Language::NAMES {
            assert_eq!(Language::from_code(language.code()), Some(language));
        }
        assert_eq!(Language::from_code(200), None);
    }
}
