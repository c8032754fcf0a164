//! What searches have in common: the query, what narrows it, and which page of what was found.

use std::time::Duration;

use crate::progress::now;
use crate::remote::Route;
use crate::remote::span;

/// Which page, in which order.
#[derive(Debug, clap::Args)]
pub struct Page {
    /// At most so many
    #[arg(short = 'n', long, default_value_t = 20)]
    limit: u32,
    /// Leave out the first so many
    #[arg(long, default_value_t = 0)]
    start: u32,
    /// In this order, as FIELD:ASC or FIELD:DESC
    #[arg(long, value_name = "FIELD:ORDER")]
    sort: Option<String>,
    /// Begun at most so long ago
    #[arg(long, value_name = "TIME", value_parser = span)]
    since: Option<Duration>,
    /// Begun at least so long ago
    #[arg(long, value_name = "TIME", value_parser = span)]
    until: Option<Duration>,
}

/// Parts of a query that all must hold.
#[derive(Default)]
pub struct Query(Vec<String>);

impl Query {
    /// Something in the server's own words.
    pub fn words(&mut self, words: Option<&str>) {
        self.0.extend(words.map(str::trim).filter(|words| !words.is_empty()).map(str::to_owned));
    }

    /// A field that has one of these values.
    pub fn any(&mut self, field: &str, values: &[String]) {
        match values {
            [] => {}
            [value] => self.0.push(format!("{field}='{value}'")),
            values => self.0.push(format!("{field} IN ({})", values.join(","))),
        }
    }

    fn text(&self) -> String {
        self.0.join(" AND ")
    }
}

impl Page {
    /// What is asked: newest first, unless another order is wanted.
    pub fn route(&self, path: &str, mut query: Query, text: Option<&str>, begun: &str) -> Route {
        let ago = |span: Duration| now().saturating_sub(u64::try_from(span.as_millis()).unwrap_or(u64::MAX));
        query.0.extend(self.since.map(|span| format!("{begun}>{}", ago(span))));
        query.0.extend(self.until.map(|span| format!("{begun}<{}", ago(span))));
        let sort = self.sort.clone().unwrap_or_else(|| format!("{begun}:DESC"));
        Route::new(path)
            .with("start", self.start)
            .with("size", self.limit)
            .with("sort", sort)
            .with("freeText", text.unwrap_or("*"))
            .with("query", query.text())
    }

    /// `21 to 40 of 812`, if there is more than what is shown.
    pub fn rest(&self, shown: usize, total: i64) -> Option<String> {
        let (from, to) = (i64::from(self.start) + 1, i64::from(self.start) + shown as i64);
        (shown > 0 && (total > to || from > 1)).then(|| format!("{from} to {to} of {total}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_query_are_joined_as_the_grammar_wants_them() {
        let mut query = Query::default();
        query.words(Some(" correlationId=c7 "));
        query.words(Some(""));
        query.any("status", &["FAILED".to_owned(), "TIMED_OUT".to_owned()]);
        query.any("workflowType", &["month-end".to_owned()]);
        query.any("workflowId", &[]);
        assert_eq!(
            query.text(),
            "correlationId=c7 AND status IN (FAILED,TIMED_OUT) AND workflowType='month-end'"
        );
    }
}
