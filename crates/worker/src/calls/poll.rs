//! HTTP_POLL: when the next call is due, and which one is the last.

use std::sync::Arc;
use std::time::Duration;

use partitur_model::Payload;
use partitur_model::dispatch::{Ending, ReportKind};
use partitur_model::record::TaskError;
use serde_json::Value;

use super::failed;
use super::http_task::whole;

/// Without a word about it, calls are so far apart.
const INTERVAL: u64 = 60;

/// No pause is longer.
const PAUSE_MAX: Duration = Duration::from_secs(24 * 3600);

/// Without a word about it, there are no more calls.
const ROUNDS_MAX: u64 = 1_000;

/// How often, and until when.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Rhythm {
    /// JavaScript: whether the answer was the last one.
    pub condition: Arc<str>,
    interval: Duration,
    growth: Growth,
    rounds_max: u64,
}

/// How pauses grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Growth {
    /// Not at all.
    Fixed,
    /// The interval, twice the interval, three times.
    Linear,
    /// The interval, twice the interval, four times.
    Exponential,
}

impl Rhythm {
    /// Its words stand beside those of the call.
    pub fn read(input: &Payload) -> Result<Rhythm, String> {
        let (request, beside) = (input.member("http_request"), input);
        let value = |key: &str| {
            let within = request.as_ref().and_then(|request| request.member(key));
            within.or_else(|| beside.member(key)).filter(|value| !value.is_null())
        };
        let number = |key: &str, otherwise: u64| match value(key) {
            None => Ok(otherwise),
            Some(given) => match whole(&given.to_value()).filter(|&number| number > 0) {
                Some(number) => Ok(number),
                None => Err(format!("`{key}` must be a whole number from 1, and is {}", given.render())),
            },
        };
        let condition = value("terminationCondition").map(|condition| condition.to_value());
        let growth = value("pollingStrategy").map(|strategy| strategy.to_value());
        Ok(Rhythm {
            condition: match condition {
                Some(Value::String(source)) if !source.trim().is_empty() => source.into(),
                Some(Value::Bool(_) | Value::Null | Value::Number(_) | Value::String(_))
                | Some(Value::Array(_) | Value::Object(_))
                | None => return Err("`terminationCondition` must be JavaScript".to_owned()),
            },
            interval: Duration::from_secs(number("pollingInterval", INTERVAL)?),
            growth: match growth.as_ref().and_then(Value::as_str) {
                None if growth.is_none() => Growth::Fixed,
                Some("FIXED") => Growth::Fixed,
                Some("LINEAR_BACKOFF") => Growth::Linear,
                Some("EXPONENTIAL_BACKOFF") => Growth::Exponential,
                Some(_) | None => {
                    return Err(
                        "`pollingStrategy` is FIXED, LINEAR_BACKOFF or EXPONENTIAL_BACKOFF".to_owned()
                    );
                }
            },
            rounds_max: number("maxPollCount", ROUNDS_MAX)?,
        })
    }

    /// The pause after this round.
    fn pause(&self, round: u32) -> Duration {
        let times = match self.growth {
            Growth::Fixed => 1,
            Growth::Linear => round.max(1),
            Growth::Exponential => 2_u32.saturating_pow(round.saturating_sub(1)),
        };
        self.interval.saturating_mul(times).min(PAUSE_MAX)
    }

    /// What follows from the condition: `true` or a number above 0 ends the polling, below 0 fails it.
    pub fn judge(&self, round: u32, verdict: Result<Payload, TaskError>, output: Payload) -> ReportKind {
        let verdict = match verdict.map(|verdict| verdict.to_value()) {
            Ok(Value::Bool(is_over)) => i8::from(is_over),
            Ok(Value::Number(number)) => match number.as_f64() {
                Some(number) if number > 0.0 => 1,
                Some(number) if number < 0.0 => -1,
                Some(_) | None => 0,
            },
            Ok(Value::Null) => 0,
            Ok(other @ (Value::String(_) | Value::Array(_) | Value::Object(_))) => {
                let message = format!("`terminationCondition` must yield true or false, and yields {other}");
                return failed(TaskError::terminal("condition", message), Some(output));
            }
            Err(error) => {
                let message = format!("`terminationCondition`: {}", error.message);
                return failed(TaskError { message, ..error }, Some(output));
            }
        };
        match verdict {
            1 => ReportKind::Ended(Box::new(Ending::success(Some(output)))),
            -1 => {
                let message = "`terminationCondition` has given up the polling";
                failed(TaskError::terminal("condition", message), Some(output))
            }
            _ if u64::from(round) >= self.rounds_max => {
                let message = format!("{round} calls were made, and `terminationCondition` never held");
                failed(TaskError::terminal("polls-max", message), Some(output))
            }
            _ => ReportKind::Again { output, pause: self.pause(round) },
        }
    }
}

/// What the condition sees as `$`: the input, and the output, of which the answer may be left out.
pub(crate) fn seen(input: &Payload, output: &Payload) -> Payload {
    let mut entries = output.member("response").and_then(|response| response.entries()).unwrap_or_default();
    entries.extend(output.entries().unwrap_or_default());
    Payload::object([("input", input.clone()), ("output", Payload::Object(entries.into()))])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rhythm(input: &str) -> Result<Rhythm, String> {
        Rhythm::read(&Payload::parse(input).unwrap())
    }

    fn pauses(strategy: &str) -> Vec<u64> {
        let input = format!(
            r#"{{"http_request":{{"terminationCondition":"true","pollingInterval":"5","pollingStrategy":"{strategy}"}}}}"#
        );
        let rhythm = rhythm(&input).unwrap();
        [1, 2, 3, 40].map(|round| rhythm.pause(round).as_secs()).to_vec()
    }

    #[test]
    fn pauses_grow_as_the_strategy_says_and_not_beyond_a_day() {
        assert_eq!(pauses("FIXED"), [5, 5, 5, 5]);
        assert_eq!(pauses("LINEAR_BACKOFF"), [5, 10, 15, 200]);
        assert_eq!(pauses("EXPONENTIAL_BACKOFF"), [5, 10, 20, 86_400]);
    }

    #[test]
    fn words_may_stand_in_the_request_or_beside_it() {
        let within = r#"{"http_request":{"terminationCondition":"a","pollingInterval":2}}"#;
        let beside = r#"{"http_request":{},"terminationCondition":"a","pollingInterval":2}"#;
        assert_eq!(rhythm(within).unwrap(), rhythm(beside).unwrap());
        assert_eq!(rhythm(r#"{"terminationCondition":"a"}"#).unwrap().pause(1).as_secs(), INTERVAL);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for input in [
            r#"{}"#,
            r#"{"terminationCondition":7}"#,
            r#"{"terminationCondition":"a","pollingInterval":0}"#,
            r#"{"terminationCondition":"a","pollingInterval":"soon"}"#,
            r#"{"terminationCondition":"a","pollingStrategy":"RANDOM"}"#,
            r#"{"terminationCondition":"a","maxPollCount":-1}"#,
        ] {
            assert!(rhythm(input).is_err(), "{input}");
        }
    }

    fn verdict(text: &str, round: u32) -> String {
        let rhythm = rhythm(r#"{"terminationCondition":"a","maxPollCount":3}"#).unwrap();
        match rhythm.judge(round, Ok(Payload::parse(text).unwrap()), Payload::Null) {
            ReportKind::Again { .. } => "again".to_owned(),
            ReportKind::Ended(ending) => ending.result.map_or_else(|error| error.code, |_| "done".to_owned()),
            ReportKind::Alive | ReportKind::Progress { .. } | ReportKind::Serves => "alive".to_owned(),
        }
    }

    #[test]
    fn the_condition_ends_fails_or_goes_on_and_calls_are_counted() {
        let verdicts = ["true", "1", "false", "0", "null", "-1", "\"yes\""].map(|text| verdict(text, 1));
        assert_eq!(verdicts, ["done", "done", "again", "again", "again", "condition", "condition"]);
        assert_eq!((verdict("false", 3).as_str(), verdict("true", 3).as_str()), ("polls-max", "done"));
    }

    #[test]
    fn the_answer_is_seen_under_both_of_its_names() {
        let output = Payload::parse(r#"{"response":{"body":{"n":1},"statusCode":200}}"#).unwrap();
        let seen = seen(&Payload::Null, &output).to_value();
        assert_eq!(seen["output"]["body"], seen["output"]["response"]["body"]);
        assert_eq!(seen["output"]["statusCode"], 200);
    }
}
