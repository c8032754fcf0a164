//! `partitur schedule next`.

use partitur_model::Timestamp;
use partitur_model::unit::format_timestamp;

use super::list::crons;
use super::unknown;
use crate::exit::Exit;
use crate::failure::Failure;
use crate::remote::{Desk, Route, parsed};

/// When a schedule, or a cron expression, is due next
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  partitur schedule next nightly
  partitur schedule next --cron '0 30 6 * * MON-FRI' --zone Europe/Berlin -n 10

The server reckons. Conductor itself does so in UTC, whatever the zone.")]
pub struct Next {
    /// Which schedule
    #[arg(required_unless_present = "cron", conflicts_with = "cron")]
    name: Option<String>,
    /// An expression instead: seconds, minutes, hours, day, month, weekday
    #[arg(long, value_name = "EXPRESSION")]
    cron: Option<String>,
    /// The zone of its clock
    #[arg(long, value_name = "ZONE", requires = "cron", default_value = "UTC")]
    zone: String,
    /// So many times
    #[arg(short = 'n', long, default_value_t = 5)]
    limit: u32,
}

impl Next {
    pub fn run(self, desk: &Desk) -> Result<Exit, Failure> {
        let mut due: Vec<u64> = Vec::new();
        for (cron, zone) in self.wanted(desk)? {
            let route = Route::new("scheduler/nextFewSchedules")
                .with("cronExpression", cron)
                .with("zoneId", zone)
                .with("limit", self.limit);
            let told = parsed(&desk.client.get(&route)?)?;
            due.extend(told.as_array().into_iter().flatten().filter_map(serde_json::Value::as_u64));
        }
        due.sort_unstable();
        due.dedup();
        due.truncate(usize::try_from(self.limit).unwrap_or(usize::MAX));
        if desk.json {
            return Ok(desk.raw(&serde_json::json!(due).to_string()));
        }
        for moment in due {
            desk.raw(&format_timestamp(Timestamp::from_millis(moment)));
        }
        Ok(Exit::Success)
    }

    /// Expressions with their zones.
    fn wanted(&self, desk: &Desk) -> Result<Vec<(String, String)>, Failure> {
        if let Some(cron) = &self.cron {
            return Ok(vec![(cron.clone(), self.zone.clone())]);
        }
        let name = self.name.clone().unwrap_or_default();
        let schedule = desk.client.get_json(&Route::new("scheduler/schedules").at(name)).map_err(unknown)?;
        Ok(crons(&schedule).into_iter().map(|(cron, zone)| (cron.to_owned(), zone.to_owned())).collect())
    }
}
