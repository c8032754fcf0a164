"""Definitions: registered, replaced, listed, removed; and refused where they are wrong."""

import json

from conductor.client.http.models import TaskDef
from conductor.client.http.rest import ApiException
from conductor.client.http.api.metadata_resource_api import MetadataResourceApi
from conductor.client.http.api_client import ApiClient

from lib import case, configuration, define, equal, metadata, refused, simple, start, task, unique, wire
from lib import workflow_def


def resource():
    return MetadataResourceApi(ApiClient(configuration()))


@case
def a_workflow_comes_back_as_it_was_given():
    definition = workflow_def(
        simple("any", "a", n="${workflow.input.n}"),
        task("NOOP", "b"),
        description="says what it is for",
        input_parameters=["n"],
        output_parameters={"m": "${a.output.m}"},
        variables={"v": {"x": [1, None]}},
        input_template={"n": 1},
        timeout_seconds=60,
        timeout_policy="TIME_OUT_WF",
        failure_workflow="undo",
    )
    metadata().register_workflow_def(definition)
    found = metadata().get_workflow_def(definition.name)
    for field in ("name", "version", "description", "input_parameters", "output_parameters", "variables", "owner_email"):
        equal(getattr(found, field), getattr(definition, field))
    for field in ("input_template", "timeout_seconds", "timeout_policy", "failure_workflow", "restartable"):
        equal(getattr(found, field), getattr(definition, field) if field != "restartable" else True)
    equal([task.task_reference_name for task in found.tasks], ["a", "b"])
    assert found.create_time, "nobody noted when"


@case
def versions_stand_side_by_side():
    first = workflow_def(task("NOOP", "old"))
    second = workflow_def(task("NOOP", "new"), version=3)
    second.name = first.name
    metadata().register_workflow_def(first)
    metadata().register_workflow_def(second)
    equal(metadata().get_workflow_def(first.name).version, 3)
    equal(metadata().get_workflow_def(first.name, 1).tasks[0].task_reference_name, "old")
    refused(404, metadata().get_workflow_def, first.name, 2)
    refused(404, metadata().get_workflow_def, unique("nowhere"))
    listed = [(one["name"], one["version"]) for one in wire("/metadata/workflow") if one["name"] == first.name]
    equal(sorted(listed), [(first.name, 1), (first.name, 3)])


@case
def the_same_version_is_replaced_only_on_request():
    definition = workflow_def(task("NOOP", "old"))
    metadata().register_workflow_def(definition, overwrite=False)
    refused(409, metadata().register_workflow_def, definition, overwrite=False)
    definition.tasks = [task("NOOP", "new")]
    metadata().register_workflow_def(definition, overwrite=True)
    equal(metadata().get_workflow_def(definition.name).tasks[0].task_reference_name, "new")
    definition.tasks = [task("NOOP", "newer")]
    metadata().update_workflow_def(definition)
    equal(metadata().get_workflow_def(definition.name).tasks[0].task_reference_name, "newer")


@case
def a_workflow_is_removed():
    name = define(task("NOOP", "x"))
    metadata().unregister_workflow_def(name, 1)
    refused(404, metadata().get_workflow_def, name)
    refused(404, start, name)


@case
def a_task_definition_comes_back_as_it_was_given():
    name = unique("task")
    fields = {"retry_count": 4, "retry_delay_seconds": 2, "retry_logic": "EXPONENTIAL_BACKOFF", "timeout_seconds": 90}
    fields |= {"timeout_policy": "RETRY", "response_timeout_seconds": 30, "concurrent_exec_limit": 3}
    fields |= {"rate_limit_per_frequency": 5, "rate_limit_frequency_in_seconds": 2, "poll_timeout_seconds": 9}
    fields |= {"input_template": {"a": [1]}, "input_keys": ["a"], "output_keys": ["b"], "backoff_scale_factor": 2}
    metadata().register_task_def(TaskDef(name=name, description="why", owner_email="test@example.com", **fields))
    found = metadata().get_task_def(name)
    equal({field: getattr(found, field) for field in fields}, fields)
    assert name in [one.name for one in metadata().get_all_task_defs()], "it is not in the list"


@case
def an_unknown_task_definition_is_registered_after_its_update_was_refused():
    definition = TaskDef(name=unique("task"), retry_count=1, timeout_seconds=0, response_timeout_seconds=10)
    refused(404, metadata().update_task_def, definition)
    metadata().register_task_def(definition)
    definition.retry_count = 2
    metadata().update_task_def(definition)
    equal(metadata().get_task_def(definition.name).retry_count, 2)


@case
def defaults_of_a_task_definition():
    name = unique("task")
    resource().register_task_def([{"name": name}])
    found = metadata().get_task_def(name)
    equal((found.retry_count, found.retry_logic, found.retry_delay_seconds), (3, "FIXED", 60))
    equal((found.timeout_policy, found.timeout_seconds, found.response_timeout_seconds), ("TIME_OUT_WF", 0, 3600))


@case
def a_task_definition_is_removed():
    name = unique("task")
    metadata().register_task_def(TaskDef(name=name, timeout_seconds=0, response_timeout_seconds=10))
    metadata().unregister_task_def(name)
    refused(404, metadata().get_task_def, name)


@case
def faults_are_named_with_their_places():
    double = workflow_def(simple("any", "same"), simple("any", "same"))
    equal(len(faults(double)), 1)
    assert "same" in faults(double)[0]["message"], faults(double)
    assert faults(double)[0]["path"].startswith("registerWorkflowDef"), faults(double)
    refused(400, define, simple("any", "a", x="${nobody.output.x}"))


def faults(definition):
    try:
        metadata().register_workflow_def(definition)
    except ApiException as error:
        assert error.status == 400, error
        return json.loads(error.body)["validationErrors"]
    raise AssertionError("not refused")


@case
def bad_task_definitions_are_refused():
    refused(400, resource().register_task_def, [{"name": unique("t"), "responseTimeoutSeconds": 20, "timeoutSeconds": 10}])
    refused(400, resource().register_task_def, [{"name": unique("t"), "responseTimeoutSeconds": 0}])
    refused(400, resource().register_task_def, [{"name": ""}])
