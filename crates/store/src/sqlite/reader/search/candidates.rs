//! Through which index the runs that may match are found.

use partitur_model::Timestamp;
use rusqlite::types::Value;
use rusqlite::{OptionalExtension, params_from_iter};

use super::Search;
use super::filter::{self, Clause, Column, Sql, Test};
use super::window::Window;
use crate::sqlite::columns::run_id;
use crate::sqlite::payload::PayloadReader;
use crate::sqlite::reader::Reader;
use crate::sqlite::reader::runs::number_range;
use crate::sqlite::run_row::state_code;
use crate::tables::RunKey;

/// So many candidates are looked at one by one, whatever else must hold of them.
const NARROW: usize = 20_000;

/// Names with their states that are looked at apart; of more, all runs are.
const SHELVES_MAX: usize = 400;

/// Text that is so long can be the beginning of an id.
const ID_MIN: usize = 10;

/// Runs that took no longer than this, in microseconds, are not in `runs_long`.
const LONG_MICROS: u64 = 3_600_000_000;

/// A search, ready to be looked for in windows.
pub(super) struct Plan {
    /// All keys that are looked at.
    pub span: Window,
    /// There are so few candidates that one window will do.
    pub is_narrow: bool,
    sources: Vec<Source>,
    rest: Sql,
}

/// Where candidates come from.
enum Source {
    /// An index in which those with the same values stand in the order of their keys, from a key on.
    Index { from: String, values: Vec<Value>, low: i64 },
    /// They are known.
    Keys(Vec<i64>),
}

/// A way to candidates that leads past all others.
struct Way {
    sources: Vec<Source>,
    /// Whether those of a window are found without looking at all of them.
    in_order: bool,
}

impl Way {
    fn one(from: &str, values: Vec<Value>, in_order: bool) -> Way {
        let source = Source::Index { from: from.to_owned(), values, low: i64::MIN };
        Way { sources: vec![source], in_order }
    }
}

impl Plan {
    pub(super) fn of(reader: &Reader, search: &Search) -> rusqlite::Result<Plan> {
        let span = span(reader, search)?;
        let rest = filter::rest(search);
        let mut all = rest.clone();
        let shelf = filter::shelf(search);
        all.text.push_str(&shelf.text);
        all.values.extend(shelf.values);
        if let Some(text) = &search.text {
            return Plan::of_text(reader, search, text, span, all);
        }
        let mut wide = None;
        for way in ways(search) {
            if is_narrow(reader, &way.sources, span)? {
                return Ok(Plan { span, is_narrow: true, sources: way.sources, rest: all });
            }
            if way.in_order && wide.is_none() {
                wide = Some(way.sources);
            }
        }
        if let Some(keys) = keys_by_reason(reader, search, span)? {
            return Ok(Plan { span, is_narrow: true, sources: vec![Source::Keys(keys)], rest: all });
        }
        if let Some(sources) = wide {
            return Ok(Plan { span, is_narrow: false, sources, rest: all });
        }
        let (low, long) = late(reader, search, span)?;
        // Without any condition rows are found in order as they lie.
        let is_open = rest.text.is_empty() || search.served && rest.text == " AND priority IS NOT NULL";
        let is_open = is_open && search.names.is_empty() && search.states.is_empty();
        let shelves = if is_open { None } else { shelves(reader, search, &[], low)? };
        let mut sources = shelves.unwrap_or_else(|| vec![Source::all(low)]);
        sources.push(Source::Keys(long));
        let is_narrow = is_narrow(reader, &sources, span)?;
        Ok(Plan { span, is_narrow, sources, rest: all })
    }

    /// With a text in it: the names that have it, and the few runs in which it stands.
    fn of_text(
        reader: &Reader,
        search: &Search,
        text: &str,
        span: Window,
        mut all: Sql,
    ) -> rusqlite::Result<Plan> {
        let names: Vec<String> = all_names(reader)?.into_iter().filter(|name| holds(name, text)).collect();
        let found = runs_with(reader, text, span)?;
        if let Some(keys) = found
            && let Some(mut sources) =
                if names.is_empty() { Some(Vec::new()) } else { shelves(reader, search, &names, span.low)? }
        {
            sources.push(Source::Keys(keys));
            let is_narrow = is_narrow(reader, &sources, span)?;
            return Ok(Plan { span, is_narrow, sources, rest: all });
        }
        let like = Value::from(like(text));
        let (low, high) = id_range(text).unwrap_or((1, 0));
        let long = long_reasons_with(reader, text)?.iter().map(i64::to_string).collect::<Vec<_>>().join(",");
        all.and(
            &format!(
                "(name LIKE ? ESCAPE '\\' OR correlation LIKE ? ESCAPE '\\' OR error_code LIKE ? ESCAPE '\\'
                  OR error LIKE ? ESCAPE '\\' OR key BETWEEN ? AND ? OR key IN ({long}))"
            ),
            [like.clone(), like.clone(), like.clone(), like, low.into(), high.into()],
        );
        Ok(Plan { span, is_narrow: false, sources: vec![Source::all(span.low)], rest: all })
    }

    /// The keys of the window that match, rising.
    pub(super) fn matches(&self, reader: &Reader, window: &Window) -> rusqlite::Result<Vec<i64>> {
        let mut keys = Vec::new();
        for source in &self.sources {
            source.matches(reader, window, &self.rest, &mut keys)?;
        }
        keys.sort_unstable();
        keys.dedup();
        Ok(keys)
    }
}

impl Source {
    /// All runs from this key on.
    fn all(low: i64) -> Source {
        Source::Index { from: "NOT INDEXED WHERE true".to_owned(), values: Vec::new(), low }
    }

    /// How many candidates it has, counted a little beyond what is narrow.
    fn count(&self, reader: &Reader, span: Window) -> rusqlite::Result<usize> {
        let (from, values, low) = match self {
            Source::Keys(keys) => return Ok(keys.len()),
            Source::Index { from, values, low } => (from, values, span.low.max(*low)),
        };
        let sql = format!(
            "SELECT count(*) FROM (SELECT 1 FROM runs {from} AND key BETWEEN ? AND ? LIMIT {})",
            NARROW + 1
        );
        let values = values.iter().cloned().chain([low.into(), span.high.into()]);
        reader
            .conn
            .prepare_cached(&sql)?
            .query_row(params_from_iter(values), |row| Ok(row.get::<_, u32>(0)? as usize))
    }

    fn matches(
        &self,
        reader: &Reader,
        window: &Window,
        rest: &Sql,
        out: &mut Vec<i64>,
    ) -> rusqlite::Result<()> {
        match self {
            Source::Index { from, values, low } => {
                // One condition on the key, or the library may take the wider one.
                let low = window.low.max(*low);
                let sql = format!("SELECT key FROM runs {from} AND key BETWEEN ? AND ?{}", rest.text);
                let values = values.iter().cloned().chain([low.into(), window.high.into()]);
                collect(reader, &sql, values.chain(rest.values.iter().cloned()), out)
            }
            Source::Keys(keys) => {
                let from = keys.partition_point(|&key| key < window.low);
                let to = keys.partition_point(|&key| key <= window.high);
                for keys in keys[from..to].chunks(500) {
                    let keys = keys.iter().map(i64::to_string).collect::<Vec<_>>().join(",");
                    let sql = format!("SELECT key FROM runs WHERE key IN ({keys}){}", rest.text);
                    collect(reader, &sql, rest.values.iter().cloned(), out)?;
                }
                Ok(())
            }
        }
    }
}

fn collect(
    reader: &Reader,
    sql: &str,
    values: impl Iterator<Item = Value>,
    out: &mut Vec<i64>,
) -> rusqlite::Result<()> {
    let mut select = reader.conn.prepare_cached(sql)?;
    let mut rows = select.query(params_from_iter(values))?;
    while let Some(row) = rows.next()? {
        out.push(row.get(0)?);
    }
    Ok(())
}

fn is_narrow(reader: &Reader, sources: &[Source], span: Window) -> rusqlite::Result<bool> {
    let mut count = 0;
    for source in sources {
        count += source.count(reader, span)?;
        if count > NARROW {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The ways that the conditions open; those that leave least first.
fn ways(search: &Search) -> Vec<Way> {
    let mut ways = Vec::new();
    if !search.ids.is_empty() {
        let mut keys: Vec<i64> = search.ids.iter().map(|&id| RunKey::from(id).0).collect();
        keys.sort_unstable();
        ways.push(Way { sources: vec![Source::Keys(keys)], in_order: true });
    }
    if let Some(parent) = search.parent {
        let parent = RunKey::from(parent).0.into();
        ways.push(Way::one("INDEXED BY runs_parent WHERE parent = ?", vec![parent], true));
    }
    ways.extend(equals("runs_correlation", "correlation = ?", &search.correlations));
    ways.extend(search.also.iter().filter_map(way_of));
    // Runs that are out of the ordinary, before all others.
    ways.sort_by_key(|way| !way.in_order);
    ways
}

/// One look for each value, in the order of keys within it.
fn equals(index: &str, condition: &str, values: &[String]) -> Option<Way> {
    let source = |value: &String| Source::Index {
        from: format!("INDEXED BY {index} WHERE {condition}"),
        values: vec![Value::from(value.clone())],
        low: i64::MIN,
    };
    (1..=SHELVES_MAX)
        .contains(&values.len())
        .then(|| Way { sources: values.iter().map(source).collect(), in_order: true })
}

/// The way that a further condition opens, if it does.
fn way_of(clause: &Clause) -> Option<Way> {
    match (clause.column, &clause.test) {
        (Column::Correlation, Test::In(values)) => equals("runs_correlation", "correlation = ?", values),
        (Column::IdempotencyKey, Test::In(values)) => {
            equals("runs_idempotency", "idempotency_key = ?", values)
        }
        // Those of many are found in the shelves as well, where their names and states stand beside them.
        (Column::Creator, Test::In(values)) => {
            let way = equals("runs_creator", "creator > '' AND creator = ?", values)?;
            Some(Way { in_order: false, ..way })
        }
        (Column::Event, Test::In(values)) => equals("runs_event", "event = ?", values),
        (Column::Event, Test::Like(_) | Test::IsThere(true)) => {
            Some(Way::one("INDEXED BY runs_event WHERE event IS NOT NULL", Vec::new(), false))
        }
        (Column::Priority, Test::In(values)) if values.iter().all(|value| value != "0") => {
            equals("runs_priority", "priority > 0 AND priority = CAST(? AS INTEGER)", values)
        }
        (Column::Priority, &Test::Between(from, to)) if from > 0 => Some(Way::one(
            "INDEXED BY runs_priority WHERE priority > 0 AND priority BETWEEN ? AND ?",
            vec![from.into(), to.into()],
            false,
        )),
        (Column::Correlation, Test::Like(patterns)) => prefix("runs_correlation", "correlation", patterns),
        (Column::IdempotencyKey, Test::Like(patterns)) => {
            prefix("runs_idempotency", "idempotency_key", patterns)
        }
        (Column::Parent, Test::IsThere(true)) => {
            Some(Way::one("INDEXED BY runs_parent WHERE parent IS NOT NULL", Vec::new(), false))
        }
        (Column::Creator, Test::Like(_) | Test::IsThere(true)) => {
            Some(Way::one("INDEXED BY runs_creator WHERE creator > ''", Vec::new(), false))
        }
        (
            Column::Correlation
            | Column::IdempotencyKey
            | Column::Creator
            | Column::Event
            | Column::Reason
            | Column::Priority
            | Column::Version
            | Column::Updated
            | Column::Parent,
            Test::In(_) | Test::Like(_) | Test::Between(..) | Test::IsThere(_) | Test::Not(_),
        ) => None,
    }
}

/// The runs whose reason is as it should be, if these are few: all reasons are looked at, in their index.
fn keys_by_reason(reader: &Reader, search: &Search, span: Window) -> rusqlite::Result<Option<Vec<i64>>> {
    let is_positive = |clause: &&Clause| {
        clause.column == Column::Reason && matches!(clause.test, Test::In(_) | Test::Like(_))
    };
    let Some(clause) = search.also.iter().find(is_positive) else { return Ok(None) };
    let (text, values) = filter::test(clause.column.sql(), &clause.test);
    let sql = format!(
        "SELECT key FROM runs INDEXED BY runs_reason WHERE error_code IS NOT NULL AND {text}
         AND key BETWEEN ? AND ? LIMIT {}",
        NARROW + 1
    );
    let mut keys = Vec::new();
    collect(reader, &sql, values.into_iter().chain([span.low.into(), span.high.into()]), &mut keys)?;
    Ok((keys.len() <= NARROW).then(|| sorted(keys)))
}

/// What begins with the first characters of the only pattern.
fn prefix(index: &str, column: &str, patterns: &[String]) -> Option<Way> {
    let [pattern] = patterns else { return None };
    let start = pattern.split('*').next().filter(|start| !start.is_empty())?;
    let from = format!("INDEXED BY {index} WHERE {column} >= ? AND {column} < ?");
    Some(Way::one(&from, vec![start.to_owned().into(), format!("{start}\u{10ffff}").into()], false))
}

/// The runs of each name in each state from a key on, if these are not too many.
fn shelves(
    reader: &Reader,
    search: &Search,
    names: &[String],
    low: i64,
) -> rusqlite::Result<Option<Vec<Source>>> {
    let known = if names.is_empty() && search.names.is_empty() { all_names(reader)? } else { Vec::new() };
    let wanted = [names, &search.names, &known].into_iter().find(|names| !names.is_empty()).unwrap_or(&[]);
    let mut sources = Vec::new();
    for name in wanted {
        let states = states(reader, name)?;
        let is_wanted = |state: &i64| {
            search.states.is_empty() || search.states.iter().any(|&wanted| state_code(wanted) == *state)
        };
        sources.extend(states.into_iter().filter(is_wanted).map(|state| Source::Index {
            from: "INDEXED BY runs_shelf WHERE name = ? AND state = ?".to_owned(),
            values: vec![name.clone().into(), state.into()],
            low,
        }));
        if sources.len() > SHELVES_MAX {
            return Ok(None);
        }
    }
    Ok(Some(sources))
}

/// The names of all runs.
pub(super) fn all_names(reader: &Reader) -> rusqlite::Result<Vec<String>> {
    let mut select = reader
        .conn
        .prepare_cached("SELECT name FROM runs INDEXED BY runs_shelf WHERE name > ? ORDER BY name LIMIT 1")?;
    let mut first = reader.conn.prepare_cached(
        "SELECT name FROM runs INDEXED BY runs_shelf WHERE name >= '' ORDER BY name LIMIT 1",
    )?;
    let mut names = Vec::new();
    let mut next = first.query_row([], |row| row.get::<_, String>(0)).optional()?;
    while let Some(name) = next {
        next = select.query_row([&name], |row| row.get(0)).optional()?;
        names.push(name);
    }
    Ok(names)
}

/// The states in which runs of this name are.
fn states(reader: &Reader, name: &str) -> rusqlite::Result<Vec<i64>> {
    let mut select = reader.conn.prepare_cached(
        "SELECT state FROM runs INDEXED BY runs_shelf WHERE name = ? AND state > ? ORDER BY state LIMIT 1",
    )?;
    let (mut states, mut last) = (Vec::new(), i64::MIN);
    while let Some(state) = select.query_row((name, last), |row| row.get(0)).optional()? {
        last = state;
        states.push(state);
    }
    Ok(states)
}

/// Who ended, or last changed, from some time on was accepted at most an hour before, or is one of the few that took
/// longer: from which key on, and these.
fn late(reader: &Reader, search: &Search, span: Window) -> rusqlite::Result<(i64, Vec<i64>)> {
    let updated = search.also.iter().find_map(|clause| match (clause.column, &clause.test) {
        (Column::Updated, &Test::Between(from, _)) => {
            Some(Timestamp::from_micros(u64::try_from(from).unwrap_or(0)))
        }
        _ => None,
    });
    let from = search.ended.as_ref().map(|ended| *ended.start()).into_iter().chain(updated).max();
    let Some(from) = from else { return Ok((span.low, Vec::new())) };
    let from = Timestamp::from_micros(from.micros().saturating_sub(LONG_MICROS));
    let low = reader.keys_created(&(from..=Timestamp::MAX))?.0.max(span.low);
    let mut select = reader.conn.prepare_cached(
        "SELECT key FROM runs INDEXED BY runs_long
         WHERE begun + coalesce(ended, 0) > 3600000000 AND key BETWEEN ? AND ? LIMIT ?",
    )?;
    let long: Vec<i64> = select
        .query_map((span.low, low - 1, NARROW as i64 + 1), |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    if long.len() > NARROW { Ok((span.low, Vec::new())) } else { Ok((low, sorted(long))) }
}

fn sorted(mut keys: Vec<i64>) -> Vec<i64> {
    keys.sort_unstable();
    keys
}

/// All keys that runs of the search may have.
fn span(reader: &Reader, search: &Search) -> rusqlite::Result<Window> {
    let mut until = *search.created.end();
    // Nothing ends before it was accepted.
    until = search.ended.as_ref().map_or(until, |ended| until.min(*ended.end()));
    let (low, high) = reader.keys_created(&(*search.created.start()..=until))?;
    let before = search.before.map_or(i64::MAX, |run| RunKey::from(run).0 - 1);
    Ok(Window { low, high: high.min(before) })
}

/// The runs in whose correlation, reason or id the text stands; `None` if these are too many.
fn runs_with(reader: &Reader, text: &str, span: Window) -> rusqlite::Result<Option<Vec<i64>>> {
    let mut keys = long_reasons_with(reader, text)?;
    let selects = [
        "SELECT key FROM runs INDEXED BY runs_correlation
         WHERE correlation IS NOT NULL AND correlation LIKE ?1 ESCAPE '\\' AND key BETWEEN ?2 AND ?3 LIMIT ?4",
        "SELECT key FROM runs INDEXED BY runs_reason WHERE error_code IS NOT NULL
         AND (error_code LIKE ?1 ESCAPE '\\' OR error LIKE ?1 ESCAPE '\\') AND key BETWEEN ?2 AND ?3 LIMIT ?4",
    ];
    for select in selects {
        let mut select = reader.conn.prepare_cached(select)?;
        let values = (like(text), span.low, span.high, NARROW as i64 + 1);
        for key in select.query_map(values, |row| row.get::<_, i64>(0))? {
            keys.push(key?);
        }
    }
    if let Some((low, high)) = id_range(text) {
        let mut select =
            reader.conn.prepare_cached("SELECT key, random FROM runs WHERE key BETWEEN ? AND ?")?;
        let mut rows = select.query((low, high))?;
        while let Some(row) = rows.next()? {
            let id = run_id(RunKey(row.get(0)?), row.get(1)?).to_string();
            if id.starts_with(&text.to_ascii_lowercase()) {
                keys.push(row.get(0)?);
            }
        }
    }
    Ok((keys.len() <= NARROW).then(|| sorted(keys)))
}

/// Runs whose reason stands apart because it is long.
fn long_reasons_with(reader: &Reader, text: &str) -> rusqlite::Result<Vec<i64>> {
    let mut select = reader.conn.prepare_cached(
        "SELECT key, error FROM runs INDEXED BY runs_reason
         WHERE error_code IS NOT NULL AND typeof(error) = 'blob' LIMIT ?",
    )?;
    let mut rows = select.query([NARROW as i64])?;
    let mut keys = Vec::new();
    while let Some(row) = rows.next()? {
        let key: i64 = row.get(0)?;
        let reason =
            PayloadReader::new(&reader.conn, RunKey(key)).map(|mut payloads| payloads.text(row.get_ref(1)?));
        // What cannot be read has no text; whoever reads the run is told.
        if let Ok(Ok(Some(reason))) = reason
            && holds(&reason, text)
        {
            keys.push(key);
        }
    }
    Ok(keys)
}

/// The keys that the beginning of an id leaves open, if it leaves few.
fn id_range(text: &str) -> Option<(i64, i64)> {
    let (low, high) = number_range(text).filter(|_| text.len() >= ID_MIN)?;
    Some((low as i64, high as i64))
}

/// A pattern for texts that hold this one.
fn like(text: &str) -> String {
    let escaped: String = text
        .chars()
        .flat_map(|c| matches!(c, '%' | '_' | '\\').then_some('\\').into_iter().chain([c]))
        .collect();
    format!("%{escaped}%")
}

/// In letters of any case.
fn holds(value: &str, text: &str) -> bool {
    let (value, text) = (value.as_bytes(), text.as_bytes());
    text.is_empty() || value.windows(text.len()).any(|window| window.eq_ignore_ascii_case(text))
}
