//! What must hold of a row, as SQL.

use std::ops::RangeInclusive;

use partitur_model::Timestamp;
use rusqlite::types::Value;

use super::Search;
use crate::sqlite::run_row::state_code;
use crate::tables::RunKey;

/// What must hold of one column of a run, beside what [`Search`] has a field for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clause {
    /// Of which.
    pub column: Column,
    /// What.
    pub test: Test,
}

/// Columns of runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "their names say it")]
pub enum Column {
    Correlation,
    IdempotencyKey,
    Creator,
    Event,
    Reason,
    Priority,
    Version,
    /// When the run last changed in sight of others: its end, else its beginning.
    Updated,
    /// A sub-run has one.
    Parent,
}

/// What must hold of a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Test {
    /// It is one of these.
    In(Vec<String>),
    /// It is there, and like one of these, in which `*` stands for anything.
    Like(Vec<String>),
    /// It lies between these, both included.
    Between(i64, i64),
    /// It is there, or is not.
    IsThere(bool),
    /// This does not hold.
    Not(Box<Test>),
}

impl Column {
    pub(super) fn sql(self) -> &'static str {
        match self {
            Column::Correlation => "correlation",
            Column::IdempotencyKey => "idempotency_key",
            Column::Creator => "nullif(creator, '')",
            Column::Event => "event",
            Column::Reason => "error",
            Column::Priority => "priority",
            Column::Version => "version",
            Column::Updated => "created + begun + coalesce(ended, 0)",
            Column::Parent => "parent",
        }
    }
}

/// Conditions, with their values in order.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Sql {
    pub text: String,
    pub values: Vec<Value>,
}

impl Sql {
    /// A condition more.
    pub fn and(&mut self, text: &str, values: impl IntoIterator<Item = Value>) {
        self.text.push_str(" AND ");
        self.text.push_str(text);
        self.values.extend(values);
    }

    /// The column has one of these values.
    fn one_of(&mut self, column: &str, values: impl IntoIterator<Item = Value>) {
        let values: Vec<Value> = values.into_iter().collect();
        if !values.is_empty() {
            self.and(&format!("{column} IN ({})", marks(values.len())), values);
        }
    }

    fn between(&mut self, column: &str, range: &RangeInclusive<Timestamp>) {
        if *range != (Timestamp::ZERO..=Timestamp::MAX) {
            self.and(&format!("{column} BETWEEN ? AND ?"), [micros(*range.start()), micros(*range.end())]);
        }
    }
}

/// What must hold of a run beside its name and its state.
pub(super) fn rest(search: &Search) -> Sql {
    let mut sql = Sql::default();
    if search.served {
        sql.and("priority IS NOT NULL", []);
    }
    sql.one_of("version", search.versions.iter().map(|&version| version.into()));
    sql.one_of("correlation", search.correlations.iter().cloned().map(Value::from));
    sql.one_of("definition", search.definitions.iter().map(|id| Value::Blob(id.0.to_be_bytes().into())));
    if let Some(parent) = search.parent {
        let random = Value::from(parent.random() as i64);
        sql.and("parent = ? AND parent_random = ?", [RunKey::from(parent).0.into(), random]);
    }
    if !search.ids.is_empty() {
        let rows = vec!["(?,?)"; search.ids.len()].join(",");
        let ids = search.ids.iter().flat_map(|&id| [RunKey::from(id).0, id.random() as i64]);
        sql.and(&format!("(key, random) IN (VALUES {rows})"), ids.map(Value::from));
    }
    sql.between("created", &search.created);
    if let Some(ended) = &search.ended {
        sql.and("ended IS NOT NULL", []);
        sql.between("created + begun + ended", ended);
    }
    for clause in &search.also {
        let (text, values) = test(clause.column.sql(), &clause.test);
        sql.and(&text, values);
    }
    sql
}

/// What must hold of its name and its state.
pub(super) fn shelf(search: &Search) -> Sql {
    let mut sql = Sql::default();
    sql.one_of("name", search.names.iter().cloned().map(Value::from));
    sql.one_of("state", search.states.iter().map(|&state| state_code(state).into()));
    sql
}

/// The test of a column, and its values.
pub(super) fn test(column: &str, test: &Test) -> (String, Vec<Value>) {
    match test {
        Test::In(values) if values.is_empty() => ("typeof(key) = 'none'".to_owned(), Vec::new()),
        Test::In(values) => (
            format!("{column} IN ({})", marks(values.len())),
            values.iter().cloned().map(Value::from).collect(),
        ),
        Test::Like(patterns) if patterns.is_empty() => ("typeof(key) = 'none'".to_owned(), Vec::new()),
        Test::Like(patterns) => {
            let each = vec![format!("{column} GLOB ?"); patterns.len()].join(" OR ");
            // A long text stands apart, and what stands for it here is none.
            (
                format!("(typeof({column}) <> 'blob' AND ({each}))"),
                patterns.iter().map(|pattern| Value::from(glob(pattern))).collect(),
            )
        }
        Test::Between(from, to) => (format!("{column} BETWEEN ? AND ?"), vec![(*from).into(), (*to).into()]),
        Test::IsThere(true) => (format!("{column} IS NOT NULL"), Vec::new()),
        Test::IsThere(false) => (format!("{column} IS NULL"), Vec::new()),
        Test::Not(inner) => {
            let (text, values) = self::test(column, inner);
            (format!("NOT coalesce({text}, 0)"), values)
        }
    }
}

/// A pattern of SQLite: there `?` and `[` mean something, too.
fn glob(pattern: &str) -> String {
    pattern.replace('[', "[[]").replace('?', "[?]")
}

fn marks(count: usize) -> String {
    vec!["?"; count].join(",")
}

/// SQLite knows only signed numbers; no time is that late.
fn micros(time: Timestamp) -> Value {
    Value::from(i64::try_from(time.micros()).unwrap_or(i64::MAX))
}
