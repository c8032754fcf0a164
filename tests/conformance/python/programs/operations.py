"""Pause, resume, retry, restart, rerun, skip, terminate, remove; on one run, and on many at once."""

from conductor.client.http.api.workflow_bulk_resource_api import WorkflowBulkResourceApi
from conductor.client.http.api_client import ApiClient
from conductor.client.http.models import RerunWorkflowRequest, SkipTaskRequest

from lib import CONFLICT, case, configuration, define, ended, equal, idle, metadata, polled, refused, result, run_of
from lib import simple, start, statuses, table, task, task_def, task_of, tasks, unique, work, workflow_def, workflows


def two_steps(**settings):
    name = task_def(**settings)
    return name, define(simple(name, "a"), simple(name, "b", from_a="${a.output.n}"))


@case
def a_paused_run_gives_out_no_new_task():
    name, flow = two_steps()
    run = start(flow)
    workflows().pause_workflow(run)
    equal(run_of(run).status, "PAUSED")
    workflows().pause_workflow(run)
    work(name)
    equal(statuses(run_of(run)), {"a": "COMPLETED"})
    idle(name)
    workflows().resume_workflow(run)
    work(name)
    ended(run)


@case
def pause_and_resume_where_they_do_not_fit():
    name, flow = two_steps()
    run = start(flow)
    refused(CONFLICT, workflows().resume_workflow, run)
    work(name), work(name)
    ended(run)
    refused(409, workflows().pause_workflow, run)
    refused(404, workflows().pause_workflow, unique("nowhere"))


@case
def retry_goes_on_after_the_failure():
    name, flow = two_steps()
    run = start(flow)
    work(name, output={"n": 1})
    work(name, "FAILED", reason_for_incompletion="no")
    failed = ended(run, "FAILED")
    assert "no" in failed.reason_for_incompletion, failed.reason_for_incompletion
    workflows().retry_workflow(run)
    again = work(name)
    equal((again.reference_task_name, again.retry_count, again.input_data), ("b", 1, {"from_a": 1}))
    done = ended(run)
    equal(table(done), "a COMPLETED\nb FAILED\nb COMPLETED")
    equal([task.retried for task in done.tasks], [False, True, False])
    equal(done.tasks[2].retried_task_id, done.tasks[1].task_id)


@case
def retry_where_it_does_not_fit():
    name, flow = two_steps()
    run = start(flow)
    refused((404, 409), workflows().retry_workflow, run)
    work(name), work(name)
    ended(run)
    refused(409, workflows().retry_workflow, run)


@case
def retry_of_a_terminated_run_takes_up_what_was_cancelled():
    name, flow = two_steps()
    run = start(flow)
    work(name)
    workflows().terminate_workflow(run, "stop")
    workflows().retry_workflow(run)
    work(name)
    equal(table(ended(run)), "a COMPLETED\nb CANCELED\nb COMPLETED")


@case
def restart_begins_anew():
    name, flow = two_steps()
    run = start(flow, {"x": 1})
    work(name)
    work(name, "FAILED")
    ended(run, "FAILED")
    workflows().restart_workflow(run)
    again = run_of(run)
    equal((again.status, table(again), again.input), ("RUNNING", "a SCHEDULED", {"x": 1}))
    work(name), work(name)
    ended(run)
    workflows().restart_workflow(run)
    equal(table(run_of(run)), "a SCHEDULED")


@case
def restart_may_take_the_latest_definition():
    flow = define(task("NOOP", "old"))
    run = ended(start(flow)).workflow_id
    newer = workflow_def(task("NOOP", "new"), version=2)
    newer.name = flow
    metadata().register_workflow_def(newer)
    workflows().restart_workflow(run)
    equal(statuses(ended(run)), {"old": "COMPLETED"})
    workflows().restart_workflow(run, use_latest_def=True)
    done = ended(run)
    equal((statuses(done), done.workflow_version), ({"new": "COMPLETED"}, 2))


@case
def restart_where_it_does_not_fit():
    name, flow = two_steps()
    refused(409, workflows().restart_workflow, start(flow))
    closed = ended(start(define(task("NOOP", "x"), restartable=False))).workflow_id
    refused(404, workflows().restart_workflow, closed)


@case
def rerun_begins_with_new_input():
    name, flow = two_steps()
    run = start(flow, {"x": 1})
    work(name), work(name)
    ended(run)
    equal(workflows().rerun_workflow(run, RerunWorkflowRequest(workflow_input={"x": 2}, correlation_id="again")), run)
    again = run_of(run)
    equal((again.status, table(again), again.input, again.correlation_id), ("RUNNING", "a SCHEDULED", {"x": 2}, "again"))


@case
def rerun_begins_at_a_task():
    name, flow = two_steps()
    run = start(flow)
    work(name, output={"n": 1}), work(name)
    second = task_of(ended(run), "b").task_id
    workflows().rerun_workflow(run, RerunWorkflowRequest(re_run_from_task_id=second, task_input={"from_a": 5}))
    taken = work(name)
    equal((taken.task_id, taken.reference_task_name, taken.input_data), (second, "b", {"from_a": 5}))
    equal(table(ended(run)), "a COMPLETED\nb COMPLETED")


@case
def rerun_at_a_task_forgets_what_came_after():
    name, flow = two_steps()
    run = start(flow)
    work(name), work(name, "FAILED")
    first = task_of(ended(run, "FAILED"), "a").task_id
    workflows().rerun_workflow(run, RerunWorkflowRequest(re_run_from_task_id=first))
    equal(table(run_of(run)), "a SCHEDULED")
    work(name), work(name)
    ended(run)


@case
def rerun_where_it_does_not_fit():
    name, flow = two_steps()
    run = start(flow)
    refused(409, workflows().rerun_workflow, run, RerunWorkflowRequest())
    work(name), work(name)
    ended(run)
    refused(400, workflows().rerun_workflow, run, RerunWorkflowRequest(re_run_from_task_id=unique("nowhere")))


@case
def skip_passes_over_a_task_that_has_not_begun():
    name, flow = two_steps()
    run = start(flow)
    workflows().skip_task_from_workflow(run, "b", SkipTaskRequest(task_output={"made": "up"}))
    work(name)
    equal(statuses(ended(run)), {"a": "COMPLETED", "b": "SKIPPED"})


@case
def skip_where_it_does_not_fit():
    name, flow = two_steps()
    run = start(flow)
    refused(CONFLICT, workflows().skip_task_from_workflow, run, "a", SkipTaskRequest())
    refused((404, 500), workflows().skip_task_from_workflow, run, "nowhere", SkipTaskRequest())


@case
def terminate_cancels_what_is_open():
    name, flow = two_steps()
    run = start(flow)
    work(name)
    workflows().terminate_workflow(run, "enough")
    done = ended(run, "TERMINATED")
    equal((table(done), done.reason_for_incompletion), ("a COMPLETED\nb CANCELED", "enough"))
    idle(name)
    workflows().terminate_workflow(run, "again")
    equal(run_of(run).reason_for_incompletion, "enough")


@case
def terminate_of_a_completed_run_is_refused():
    run = ended(start(define(task("NOOP", "x")))).workflow_id
    refused(409, workflows().terminate_workflow, run)
    refused(404, workflows().terminate_workflow, unique("nowhere"))


@case
def terminate_of_a_failed_run_flips_it():
    name, flow = two_steps()
    run = start(flow)
    work(name, "FAILED")
    ended(run, "FAILED")
    workflows().terminate_workflow(run, "after all")
    equal(run_of(run).status, "TERMINATED")


@case
def a_removed_run_is_gone():
    run = ended(start(define(task("NOOP", "x")))).workflow_id
    workflows().delete_workflow(run, archive_workflow=False)
    refused(404, run_of, run)
    refused(404, workflows().delete_workflow, run)


@case
def a_late_result_changes_nothing():
    name, flow = two_steps()
    run = start(flow)
    taken = polled(name)
    workflows().terminate_workflow(run)
    equal(tasks().update_task(result(taken)), taken.task_id)
    equal(table(ended(run, "TERMINATED")), "a CANCELED")


@case
def many_at_once():
    bulk = WorkflowBulkResourceApi(ApiClient(configuration()))
    name, flow = two_steps()
    runs = [start(flow) for _ in range(3)]
    answer = bulk.pause_workflow([*runs, "nowhere"])
    equal((sorted(answer.bulk_successful_results), list(answer.bulk_error_results)), (sorted(runs), ["nowhere"]))
    equal({run_of(run).status for run in runs}, {"PAUSED"})
    bulk.resume_workflow(runs)
    bulk.terminate(runs, reason="all of them")
    equal({ended(run, "TERMINATED").reason_for_incompletion for run in runs}, {"all of them"})
    equal(sorted(bulk.retry(runs).bulk_successful_results), sorted(runs))
    equal({run_of(run).status for run in runs}, {"RUNNING"})
    equal(sorted(bulk.restart(runs).bulk_error_results), sorted(runs))
    bulk.terminate(runs)
    equal(sorted(bulk.restart(runs).bulk_successful_results), sorted(runs))
