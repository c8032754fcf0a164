//! Services, as real processes.

use std::time::Duration;

use rustix::process::Signal;

use crate::support::{Place, until};

/// A server of files at a port that nobody else has, as a service.
const SERVED: &str = "
tasks:
  web:
    run: exec python3 server.py
    service: { READY, within: 30s }
  get:
    needs: [web]
    run: python3 get.py
  again:
    needs: [web, get]
    run: python3 get.py
";

const SERVER: &str = "
import http.server, os, pathlib, sys, time
time.sleep(0.5)
server = http.server.HTTPServer(('127.0.0.1', int(pathlib.Path('port').read_text())), http.server.SimpleHTTPRequestHandler)
print('listening now', flush=True)
pathlib.Path('pid').write_text(str(os.getpid()))
server.serve_forever()
";

const GET: &str = "
import pathlib, urllib.request
port = pathlib.Path('port').read_text()
assert urllib.request.urlopen(f'http://127.0.0.1:{port}/').status == 200
";

fn place(ready: &str) -> Place {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let place = Place::new(&SERVED.replace("READY", &ready.replace("PORT", &free.to_string())));
    place.write("port", &free.to_string());
    place.write("server.py", SERVER);
    place.write("get.py", GET);
    place
}

fn lives(place: &Place) -> bool {
    let pid = place.read("pid");
    std::path::Path::new(&format!("/proc/{pid}/stat")).exists() && !pid.is_empty()
}

#[test]
fn those_that_need_it_find_it_up_however_that_is_known_and_it_is_gone_afterwards() {
    for ready in ["port: PORT", "http: 'http://127.0.0.1:PORT/'", "log: listening now", "run: python3 get.py"]
    {
        let place = place(ready);
        let gave = place.expect(0, &["run", "flow.yaml", "--json"]);
        let at =
            |what: &str| gave.out.find(what).unwrap_or_else(|| panic!("{ready}: no {what} in {}", gave.out));
        let up = at(r#""event":"task-serves","task":"web""#);
        assert!(up < at(r#""event":"task-started","task":"get""#), "{ready}: {}", gave.out);
        assert!(!lives(&place), "{ready}: it lives on");
        let plain = place.expect(0, &["run", "flow.yaml", "--new"]);
        assert!(plain.err.contains("● web  is up") && plain.err.contains("3 succeeded"), "{}", plain.err);
    }
}

#[test]
fn one_that_ends_too_early_fails_those_that_need_it_and_its_last_words_are_told() {
    let place = Place::new(
        "
tasks:
  db: { run: 'echo no disk >&2; exit 3', service: { port: 1, within: 20s } }
  use: { needs: [db], run: echo never }
",
    );
    let gave = place.expect(1, &["run", "flow.yaml"]);
    assert!(gave.err.contains("exit code 3: no disk"), "{}", gave.err);
    assert!(gave.err.contains("1 failed · 1 skipped"), "{}", gave.err);
}

#[test]
fn one_that_is_never_up_is_ended_in_time() {
    let place = Place::new(
        "
tasks:
  db: { run: sleep 1000, service: { run: 'false', every: 50ms, within: 1s } }
  use: { needs: [db], run: echo never }
",
    );
    let gave = place.expect(1, &["run", "flow.yaml"]);
    assert!(gave.err.contains("it was not up within 1s"), "{}", gave.err);
}

#[test]
fn one_that_does_not_want_to_end_is_killed_after_its_grace() {
    let place = Place::new(
        "
tasks:
  db:
    run: 'trap \"\" TERM; echo up; while :; do sleep 0.1; done'
    service: { log: up, grace: 300ms }
  use: { needs: [db], run: 'true' }
",
    );
    let begun = std::time::Instant::now();
    place.expect(0, &["run", "flow.yaml"]);
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
}

#[test]
fn when_the_host_is_killed_no_service_is_left_and_the_next_start_has_its_own() {
    let place = place("port: PORT");
    place.write("get.py", &format!("{GET}\nimport os, time\nopen('got', 'w').close()\nwhile not os.path.exists('go'): time.sleep(0.05)\n"));
    let first = place.start(&["run", "flow.yaml"]);
    place.await_file("got");
    first.signal(Signal::KILL);
    first.end();
    until("the service is gone", || !lives(&place));
    place.write("go", "");
    let gave = place.expect(0, &["run", "flow.yaml"]);
    assert!(gave.err.contains("3 succeeded"), "{}", gave.err);
    assert!(!lives(&place));
}
