//! What is asked for: the segments of a path and the pairs of a query, each as it is, encoded once.

use reqwest::Url;

/// A path below `/api`, and a query.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    segments: Vec<String>,
    query: Vec<(String, String)>,
}

impl Route {
    /// A path of fixed words: `workflow/search`.
    pub fn new(path: &str) -> Route {
        Route { segments: path.split('/').map(str::to_owned).collect(), query: Vec::new() }
    }

    /// One segment more, whatever is in it.
    #[must_use]
    pub fn at(mut self, segment: impl ToString) -> Route {
        self.segments.push(segment.to_string());
        self
    }

    /// Fixed words more.
    #[must_use]
    pub fn then(mut self, path: &str) -> Route {
        self.segments.extend(path.split('/').map(str::to_owned));
        self
    }

    /// A pair of the query.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl ToString) -> Route {
        self.query.push((name.to_owned(), value.to_string()));
        self
    }

    /// A pair of the query, if there is a value.
    #[must_use]
    pub fn with_some(self, name: &str, value: Option<impl ToString>) -> Route {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// The whole address.
    pub fn on(&self, base: &Url) -> Url {
        let mut url = base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty();
            for segment in &self.segments {
                // As steps of the path they would lead to another route; nothing is called so.
                match segment.as_str() {
                    "." => segments.push("%2E"),
                    ".." => segments.push("%2E%2E"),
                    other => segments.push(other),
                };
            }
        }
        if !self.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&self.query);
        }
        url
    }

    /// As people read it.
    pub fn shown(&self) -> String {
        format!("/{}", self.segments.join("/"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_names() {
        let base = Url::parse("http://127.0.0.1:8080/api").unwrap();
        let url = |route: Route| route.on(&base).to_string();
        assert_eq!(
            url(Route::new("metadata/workflow").at("a/b c?").with("version", 2)),
            "http://127.0.0.1:8080/api/metadata/workflow/a%2Fb%20c%3F?version=2"
        );
        assert_eq!(
            url(Route::new("workflow/search").with("query", "status IN (FAILED) AND workflowType='ä&b'")),
            "http://127.0.0.1:8080/api/workflow/search?query=status+IN+%28FAILED%29+AND+workflowType%3D%27%C3%A4%26b%27"
        );
        assert!(url(Route::new("workflow").at("..")).ends_with("/api/workflow/%252E%252E"));
    }
}
