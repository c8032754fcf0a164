//! The block of the live view, as lines: a pure function of the board, the time and the size of the terminal.

use std::time::Duration;

use partitur_report::{clock, short};

use super::board::{Board, Limit, Retry, Running};
use crate::ink::{Line, Paint};

/// No block is higher, however large the terminal.
const ROWS_MAX: usize = 14;

/// Columns of the bar of the whole run, and of a task's.
const BAR_MAX: usize = 32;
const TASK_BAR: usize = 10;

/// The size of a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    pub columns: usize,
    pub rows: usize,
}

/// The block: what is done, what runs, what waits for what.
pub fn block(board: &Board, now: u64, size: Size) -> Vec<Line> {
    let mut lines = vec![title(board, now, size.columns), counts(board)];
    let room = size.rows.saturating_sub(2).clamp(2, ROWS_MAX) - 2;
    let details = details(board, now, size.columns);
    let hidden = if details.len() > room { details.len() - room.saturating_sub(1) } else { 0 };
    let shown = details.len() - hidden;
    lines.extend(details.into_iter().take(shown));
    if hidden > 0 && room > 0 {
        lines.push(Line::new().add(Paint::Dim, format!("   … and {hidden} more")));
    }
    lines
}

fn title(board: &Board, now: u64, columns: usize) -> Line {
    let elapsed = clock(since(board.since, now));
    let number = if columns < 50 { String::new() } else { format!("  run {}", board.run) };
    let head = Line::new().add(Paint::Bold, &board.name).add(Paint::Dim, number).text(format!("  {elapsed}"));
    let head = match board.state.as_str() {
        "running" => head,
        other => head.add(Paint::Warn, format!("  {other}")),
    };
    let over = board.over();
    let figures = format!(" {over}/{}", board.total);
    let rest = left(board, now);
    let taken = head.width() + 2 + figures.len() + rest.chars().count();
    let room = columns.saturating_sub(taken + 1).min(BAR_MAX);
    let head = head.text("  ");
    let head = if room >= 8 { bar(head, room, over, board.counts.failed, board.total) } else { head };
    head.text(figures).add(Paint::Dim, rest)
}

fn left(board: &Board, now: u64) -> String {
    match board.expected_end {
        Some(end) if end > now => format!("  ~{} left", clock(since(now, end))),
        Some(_) | None => String::new(),
    }
}

/// Done, failed and open as parts of a bar.
fn bar(line: Line, columns: usize, over: usize, failed: usize, total: usize) -> Line {
    let total = total.max(1);
    let filled = (over.min(total) * columns) / total;
    let bad = if failed == 0 { 0 } else { (failed * columns).div_ceil(total).min(filled) };
    line.add(Paint::Good, "━".repeat(filled - bad))
        .add(Paint::Bad, "━".repeat(bad))
        .add(Paint::Dim, "─".repeat(columns - filled))
}

fn counts(board: &Board) -> Line {
    let counts = board.counts;
    let done = counts.done + counts.skipped;
    let mut line = Line::new().add(if done > 0 { Paint::Good } else { Paint::Dim }, format!(" {done} done"));
    let mut part = |paint: Paint, count: usize, words: &str| {
        line = std::mem::take(&mut line).add(Paint::Dim, " · ").add(paint, format!("{count} {words}"));
    };
    part(Paint::Active, board.running.len(), "running");
    part(Paint::Plain, board.waiting(), "waiting");
    part(if counts.failed > 0 { Paint::Bad } else { Paint::Dim }, counts.failed, "failed");
    for (paint, count, words) in [
        (Paint::Dim, counts.skipped, "skipped"),
        (Paint::Dim, counts.cached, "from the cache"),
        (Paint::Dim, counts.up_to_date, "up to date"),
        (Paint::Dim, counts.restored, "restored"),
        (Paint::Warn, counts.retries, "retried"),
        (Paint::Warn, counts.undone, "undone"),
    ] {
        if count > 0 {
            part(paint, count, words);
        }
    }
    line
}

fn details(board: &Board, now: u64, columns: usize) -> Vec<Line> {
    let names = board.running.iter().map(|running| &*running.task);
    let names = names.chain(board.retries.iter().map(|retry| &*retry.task));
    let names = names.chain(board.waiters.iter().map(|waiter| waiter.task.as_str()));
    let names = names.chain(board.waits.iter().map(|(task, _)| &**task));
    let width = names
        .take(2 * ROWS_MAX)
        .map(|name| name.chars().count())
        .max()
        .unwrap_or(0)
        .clamp(8, (columns / 3).max(8))
        .min(32);
    let running = board.running.iter().map(|task| running_line(task, now, width));
    let retries = board.retries.iter().map(|retry| retry_line(retry, now, width));
    let locks = board.waiters.iter().map(|waiter| {
        let since = short(since(waiter.since, now));
        let held = if waiter.held_by.is_empty() {
            String::new()
        } else {
            format!(", held by {}", held_by(&waiter.held_by, board.run))
        };
        let reason = relative(&waiter.reason, &board.dir);
        waiting_line(&waiter.task, &format!("waits for {reason}{held}"), &since, width)
    });
    let waits = board.waits.iter().map(|(task, reason)| {
        let words = if reason.starts_with("wait") { reason.clone() } else { format!("waits for {reason}") };
        waiting_line(task, &words, "", width)
    });
    let limit = board.limit.iter().map(|limit| limit_line(limit, now));
    limit.chain(running).chain(retries).chain(locks).chain(waits).collect()
}

/// `lock file:/home/me/flow/a.db` is `lock file:a.db` to those who look at `/home/me/flow`.
fn relative(reason: &str, dir: &str) -> String {
    if dir.is_empty() { reason.to_owned() } else { reason.replace(&format!(":{dir}/"), ":") }
}

/// `run 3 import` is `import` to those who look at run 3.
fn held_by(holders: &[String], run: u64) -> String {
    let own = format!("run {run} ");
    let shown: Vec<&str> =
        holders.iter().take(2).map(|holder| holder.strip_prefix(&own).unwrap_or(holder)).collect();
    let more = if holders.len() > 2 { format!(" and {} more", holders.len() - 2) } else { String::new() };
    format!("{}{more}", shown.join(", "))
}

fn running_line(task: &Running, now: u64, width: usize) -> Line {
    let elapsed = since(task.since, now);
    let sign = match (task.undo, task.serves) {
        (true, _) => " ↶ ",
        (false, true) => " ● ",
        (false, false) => " ▸ ",
    };
    let mut line = Line::new()
        .add(Paint::Active, sign)
        .text(fit(&task.task, width))
        .text(format!(" {:>6}", clock(elapsed)));
    let expected = task.expected_ms.filter(|&expected| expected >= 1_000);
    line = match expected {
        Some(expected) => line.add(Paint::Dim, format!(" of ~{}", clock(Duration::from_millis(expected)))),
        None => line,
    };
    let fraction = task
        .fraction
        .or_else(|| expected.map(|expected| (elapsed.as_millis() as f32 / expected as f32).min(0.99)));
    if let Some(fraction) = fraction {
        let filled = (fraction.clamp(0.0, 1.0) * TASK_BAR as f32).round() as usize;
        line = line
            .text("  ")
            .add(Paint::Active, "━".repeat(filled))
            .add(Paint::Dim, "─".repeat(TASK_BAR - filled));
    }
    if let Some(fraction) = task.fraction {
        line = line.text(format!(" {:>3.0} %", fraction * 100.0));
    }
    if task.attempt > 1 {
        line = line.add(Paint::Warn, format!("  attempt {}", task.attempt));
    }
    if task.message.is_empty() { line } else { line.add(Paint::Dim, format!("  {}", task.message)) }
}

fn limit_line(limit: &Limit, now: u64) -> Line {
    let bounds = format!("{}..{}", limit.min, limit.max);
    Line::new()
        .add(Paint::Dim, " ⇅ ")
        .text(format!("{} of {bounds} at once", limit.limit))
        .add(Paint::Dim, format!("  {}, {} ago", limit.reason, short(since(limit.since, now))))
}

fn retry_line(retry: &Retry, now: u64, width: usize) -> Line {
    let left = retry.next.saturating_sub(now).div_ceil(1_000);
    Line::new()
        .add(Paint::Warn, " ↻ ")
        .text(fit(&retry.task, width))
        .add(Paint::Warn, format!(" again in {left}s"))
        .add(Paint::Dim, format!("  {}", retry.error.code))
}

fn waiting_line(task: &str, words: &str, since: &str, width: usize) -> Line {
    let line = Line::new().add(Paint::Dim, " ◦ ").text(fit(task, width)).text(format!(" {words}"));
    if since.is_empty() { line } else { line.add(Paint::Dim, format!("  {since}")) }
}

/// The name in so many columns; of a long one the end is what tells it apart.
fn fit(name: &str, width: usize) -> String {
    let length = name.chars().count();
    if length <= width {
        return format!("{name:<width$}");
    }
    format!("…{}", name.chars().skip(length + 1 - width).collect::<String>())
}

fn since(from: u64, to: u64) -> Duration {
    Duration::from_millis(to.saturating_sub(from))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use partitur_api::{Event, EventKind, Failure, Status, Waiter};

    use super::*;

    const WIDE: Size = Size { columns: 78, rows: 24 };

    fn event(at: u64, kind: EventKind) -> Event {
        Event::new(at, 12, kind)
    }

    fn started(at: u64, task: &str, attempt: u32) -> Event {
        event(at, EventKind::TaskStarted { task: task.into(), attempt, undo: false, expected_ms: None })
    }

    fn ended(at: u64, task: &str, outcome: &str) -> Event {
        let (task, outcome) = (task.into(), outcome.to_owned());
        event(at, EventKind::TaskEnded { task, outcome, error: None, cached: false, verdict: None })
    }

    /// Ten tasks: one done, one failed, two run, one will be tried again, one waits for a lock, one for a signal.
    fn board() -> Board {
        let mut board = Board::new("month-end", 12, 0, 10);
        board.dir = "/home/ada/books".to_owned();
        board.history.insert("orders".to_owned(), 20_000);
        board.expected_end = Some(40_000);
        let error = Failure { code: "exit-75".to_owned(), message: "exit code 75".to_owned() };
        for event in [
            started(0, "health", 1),
            ended(1_000, "health", "success"),
            started(1_000, "broken", 1),
            ended(2_000, "broken", "failure"),
            started(2_000, "orders", 1),
            started(3_000, "stock", 2),
            event(
                4_000,
                EventKind::TaskProgress {
                    task: "stock".into(),
                    fraction: 0.42,
                    message: "420 of 1000 rows".to_owned(),
                },
            ),
            event(5_000, EventKind::TaskRetries { task: "prices".into(), next: 19_500, error }),
            event(5_000, EventKind::TaskWaits { task: "release".into(), reason: "approval".to_owned() }),
        ] {
            board.apply(&event);
        }
        let waiter = Waiter {
            run: 12,
            task: "ledger".to_owned(),
            reason: "lock file:/home/ada/books/erp.db".to_owned(),
            held_by: vec!["run 12 orders".to_owned(), "run 13 load".to_owned()],
            since: 6_000,
            reserves: false,
        };
        board.stand(&Status { waiters: vec![waiter], ..Status::default() });
        board
    }

    fn drawn(board: &Board, now: u64, size: Size) -> String {
        block(board, now, size).iter().map(|line| line.render(size.columns, false) + "\n").collect()
    }

    #[test]
    fn the_block_shows_what_is_done_runs_and_waits() {
        insta::assert_snapshot!(drawn(&board(), 15_000, WIDE), @r"
        month-end  run 12  0:15  ━━━━━━────────────────────────── 2/10  ~0:25 left
         1 done · 2 running · 6 waiting · 1 failed · 1 retried
         ▸ orders     0:13 of ~0:20  ━━━━━━━───
         ▸ stock      0:12  ━━━━──────  42 %  attempt 2  420 of 1000 rows
         ↻ prices   again in 5s  exit-75
         ◦ ledger   waits for lock file:erp.db, held by orders, run 13 load  9.0s
         ◦ release  waits for approval
        ");
    }

    #[test]
    fn a_narrow_terminal_gets_what_fits_and_a_low_one_counts_the_rest() {
        insta::assert_snapshot!(drawn(&board(), 15_000, Size { columns: 30, rows: 7 }), @r"
        month-end  0:15   2/10  ~0:25…
         1 done · 2 running · 6 waiti…
         ▸ orders     0:13 of ~0:20  …
         ▸ stock      0:12  ━━━━─────…
           … and 3 more
        ");
    }

    #[test]
    fn no_line_is_wider_than_the_terminal_whatever_its_size() {
        let board = board();
        for columns in 0..120 {
            for rows in 0..30 {
                let size = Size { columns, rows };
                let lines = block(&board, 15_000, size);
                assert!(lines.len() <= rows.max(4), "{size:?}");
                assert!(lines.iter().all(|line| line.render(columns, false).chars().count() <= columns));
            }
        }
    }

    #[test]
    fn a_task_stands_in_one_count_only_also_when_it_is_reset() {
        let mut board = board();
        assert_eq!((board.over(), board.waiting()), (2, 6));
        board.apply(&event(20_000, EventKind::TaskReady { task: "broken".into() }));
        board.apply(&started(20_000, "broken", 2));
        assert_eq!((board.counts.failed, board.running.len()), (0, 3));
        board.apply(&ended(21_000, "broken", "success"));
        board.apply(&ended(21_000, "broken", "success"));
        assert_eq!((board.counts.done, board.counts.failed), (2, 0));
    }

    #[test]
    fn parts_of_lists_come_on_top_and_their_lists_are_not_counted() {
        let mut board = Board::new("flow", 12, 0, 1);
        board.containers = vec!["parts".to_owned()];
        let part: Arc<str> = "parts[de]".into();
        board.apply(&event(0, EventKind::TaskReady { task: "parts".into() }));
        board.apply(&event(0, EventKind::TaskReady { task: part }));
        assert_eq!(board.total, 2);
        board.apply(&ended(1, "parts[de]", "success"));
        board.apply(&ended(1, "parts", "success"));
        assert_eq!(board.over(), 1);
    }

    #[test]
    fn a_list_that_fails_without_a_failed_part_counts_itself() {
        let mut board = Board::new("flow", 12, 0, 0);
        board.containers = vec!["parts".to_owned()];
        board.apply(&ended(1, "parts", "failure"));
        assert_eq!((board.counts.failed, board.total, board.over()), (1, 1, 1));
        // It is reset, and this time a part of it fails.
        board.apply(&event(2, EventKind::TaskReady { task: "parts".into() }));
        board.apply(&ended(3, "parts[de]", "failure"));
        board.apply(&ended(3, "parts", "failure"));
        assert_eq!((board.counts.failed, board.total, board.over()), (1, 1, 1));
    }
}
