//! Resources that rules find.

use crate::support::Place;

const AGENTS: &str = "
name: agents
resources: { gpu_compute: 1 }
resource-rules:
  - { name: gpu, if: context.requires_gpu, locks: [gpu_compute] }
tasks:
  api:
    type: api_implementation
    agent: backend_specialist_1
    run: 'echo a >> order; sleep 0.2; echo b >> order'
  endpoints:
    agent: backend_specialist_2
    context: { endpoints: [users] }
    run: 'echo a >> order; sleep 0.2; echo b >> order'
  train:
    context: { requires_gpu: true }
    run: 'true'
  port:
    run: 'true'
    locks: ['port:05432', 'git-ref:refs/heads/main']
";

#[test]
fn what_rules_find_is_told_before_anything_runs_and_holds_when_it_does() {
    let place = Place::new(AGENTS);
    let told = place.expect(0, &["check", "flow.yaml"]);
    insta::assert_snapshot!(told.out, @r"
    ok: 4 tasks, 0 dependencies, widest 4
    found: api locks backend_services (rule `backend_services`)
    found: endpoints locks backend_services (rule `backend_services`)
    found: train locks gpu_compute (rule `gpu`)
    ");
    let plan = place.expect(0, &["plan", "flow.yaml"]);
    assert!(
        plan.out.contains("found by rules\n  api locks backend_services (rule `backend_services`)\n"),
        "{}",
        plan.out
    );
    place.expect(0, &["run", "flow.yaml"]);
    // Both have it alone, one after the other.
    assert_eq!(place.read("order"), "a\nb\na\nb\n");
    let shown = place.expect(0, &["show", "last"]);
    assert!(shown.out.contains("locks backend_services (found)"), "{}", shown.out);
    place
        .write("flow.yaml", &AGENTS.replace("resource-rules:\n  - ", "resource-rules: false\nx-rest:\n  - "));
    assert!(
        !place.expect(0, &["check", "flow.yaml"]).out.contains("found"),
        "shipped rules are switched off"
    );
}

#[test]
fn misused_kinds_and_rules_are_refused_with_a_remedy() {
    let place = Place::new(
        "
resource-rules:
  - { if: contxt.gpu, locks: [gpu] }
resources: { 'port:80': 2 }
tasks:
  a: { run: 'true', locks: ['port:http'] }
  b: { run: 'true', locks: [{ resource: 'compose:shop', units: 2 }] }
",
    );
    let gave = place.expect(3, &["check", "flow.yaml"]);
    insta::assert_snapshot!(gave.err, @r"
    error[P0110]: `port:80` is held whole: there is nothing to count
      flow.yaml:4:25   resources.port:80
      4 │ resources: { 'port:80': 2 }
        │                         ^ one of it
      hint: claim it under `locks` as it is   (partitur explain P0110)

    error[P0110]: `http` is no port
      flow.yaml:6:29   tasks.a.locks[0]
      6 │   a: { run: 'true', locks: ['port:http'] }
        │                             ^^^^^^^^^^^ no such resource
      hint: write a number from 1 to 65535, as in `port:5432`   (partitur explain P0110)

    error[P0110]: `compose:shop` has no units to take several of
      flow.yaml:7:64   tasks.b.locks[0].units
      7 │   b: { run: 'true', locks: [{ resource: 'compose:shop', units: 2 }] }
        │                                                                ^ more than one
      hint: it is held whole; count a resource with `resources:`   (partitur explain P0110)

    3 errors
    ");
    place.write(
        "flow.yaml",
        "resource-rules: [{ if: contxt.gpu, locks: [gpu] }]\ntasks: { a: { run: 'true' } }\n",
    );
    let gave = place.expect(3, &["check", "flow.yaml"]);
    insta::assert_snapshot!(gave.err, @r"
    error[P0210]: a rule knows nothing of `contxt`
      flow.yaml:1:24   resource-rules[0].if
      1 │ resource-rules: [{ if: contxt.gpu, locks: [gpu] }]
        │                        ^^^^^^^^^^ unknown name
      hint: it may ask for type, agent, context, name, description   (partitur explain P0210)

    1 error
    ");
}
