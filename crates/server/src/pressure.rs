//! When the machine is looked at: while commands are executed here and a run's limit follows the load, twice a second.

use std::time::{Duration, Instant};

use partitur_engine::{Engine, Input, Urgency};
use partitur_worker::PressureGauge;

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(500);

/// The looks of a node. Without commands no limit follows the load, and nobody wants any.
#[derive(Debug, Default)]
pub(crate) struct Looks {
    gauge: Option<PressureGauge>,
    last: Option<Instant>,
}

impl Looks {
    /// How soon it is time for one; never, while nobody wants any.
    pub fn due(&self, engine: &Engine) -> Option<Duration> {
        let pause = match engine.wants_pressure()? {
            Urgency::Now => Duration::ZERO,
            Urgency::Soon => PAUSE,
        };
        Some(self.last.map_or(Duration::ZERO, |last| pause.saturating_sub(last.elapsed())))
    }

    /// What is found, if it is time.
    pub fn look(&mut self, engine: &Engine) -> Option<Input> {
        if self.due(engine)? > Duration::ZERO {
            return None;
        }
        self.last = Some(Instant::now());
        Some(Input::Pressure(self.gauge.get_or_insert_default().look()))
    }
}
