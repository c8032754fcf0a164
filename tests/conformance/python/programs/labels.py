"""Labels of workflows and tasks."""

from conductor.client.orkes.models.metadata_tag import MetadataTag

from lib import beyond, case, define, equal, metadata, task, task_def


def pairs(tags):
    return sorted((tag["key"], tag["value"]) if isinstance(tag, dict) else (tag.key, tag.value) for tag in tags)


@case
@beyond
def a_workflow_is_labelled():
    flow = define(task("NOOP", "x"))
    team, cost = MetadataTag("team", "a"), MetadataTag("cost", "b")
    metadata().add_workflow_tag(team, flow)
    metadata().add_workflow_tag(cost, flow)
    equal(pairs(metadata().get_workflow_tags(flow)), [("cost", "b"), ("team", "a")])
    metadata().set_workflow_tags([cost], flow)
    equal(pairs(metadata().get_workflow_tags(flow)), [("cost", "b")])
    metadata().delete_workflow_tag(cost, flow)
    equal(pairs(metadata().get_workflow_tags(flow)), [])


@case
@beyond
def a_task_is_labelled():
    name = task_def()
    team, cost = MetadataTag("team", "a"), MetadataTag("cost", "b")
    metadata().addTaskTag(team, name)
    metadata().setTaskTags([team, cost], name)
    equal(pairs(metadata().getTaskTags(name)), [("cost", "b"), ("team", "a")])
    metadata().deleteTaskTag(team, name)
    equal(pairs(metadata().getTaskTags(name)), [("cost", "b")])


@case
def all_definitions_are_listed():
    flow = define(task("NOOP", "x"))
    assert flow in [one.name for one in metadata().get_all_workflow_defs()], "it is not in the list"
