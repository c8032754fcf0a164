//! Durations and sizes as people read them.

use std::time::Duration;

/// With the precision that matters: `0ms`, `850ms`, `12.4s`, `3m 05s`, `2h 07m`, `3d 4h`.
pub fn short(duration: Duration) -> String {
    let millis = duration.as_millis();
    let seconds = duration.as_secs();
    match seconds {
        _ if millis < 1_000 => format!("{millis}ms"),
        0..60 => format!("{}.{}s", seconds, millis % 1_000 / 100),
        60..3_600 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{}h {:02}m", seconds / 3_600, seconds / 60 % 60),
        86_400.. => format!("{}d {}h", seconds / 86_400, seconds / 3_600 % 24),
    }
}

/// As a clock that runs: `0:07`, `12:34`, `1:02:03`.
pub fn clock(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..3_600 => format!("{}:{:02}", seconds / 60, seconds % 60),
        3_600.. => format!("{}:{:02}:{:02}", seconds / 3_600, seconds / 60 % 60, seconds % 60),
    }
}

/// `512 B`, `1.5 MB`: powers of 1000.
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    if count < 1_000 {
        return format!("{count} B");
    }
    let mut size = count as f64 / 1_000.0;
    let mut unit = 0;
    while size >= 999.95 && unit + 1 < UNITS.len() {
        size /= 1_000.0;
        unit += 1;
    }
    format!("{size:.1} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_the_precision_that_matters() {
        let shown = |millis| short(Duration::from_millis(millis));
        assert_eq!(
            [0, 999, 1_000, 59_990, 60_000, 3_599_999, 7_620_000, 273_600_000].map(shown),
            ["0ms", "999ms", "1.0s", "59.9s", "1m 00s", "59m 59s", "2h 07m", "3d 4h"]
        );
    }

    #[test]
    fn a_clock_shows_hours_only_when_there_are_any() {
        let shown = |seconds| clock(Duration::from_secs(seconds));
        assert_eq!([7, 754, 3_723].map(shown), ["0:07", "12:34", "1:02:03"]);
    }

    #[test]
    fn sizes_are_rounded_to_a_tenth() {
        assert_eq!([999, 1_000, 1_550_000, 999_960_000].map(bytes), ["999 B", "1.0 kB", "1.6 MB", "1.0 GB"]);
    }
}
