"""Schemas by name, and results that serve again: what this client knows and Conductor does not have."""

from conductor.client.http.models.schema_def import SchemaDef, SchemaType
from conductor.client.workflow.task.simple_task import SimpleTask

from lib import beyond, case, define, ended, equal, idle, output, refused, run_of, simple, start, task_def, unique, work
from lib import schemas


def registered(name, version=1, required="x"):
    data = {"type": "object", "required": [required]}
    schemas().register_schema(SchemaDef(name=name, version=version, type=SchemaType.JSON, data=data))


def names():
    return [schema.name for schema in schemas().get_all_schemas()]


@case
@beyond
def schemas_are_kept_in_versions():
    name = unique("schema")
    registered(name, 1, "x")
    registered(name, 2, "y")
    equal(schemas().get_schema(name, 1).data["required"], ["x"])
    equal(schemas().get_schema(name, 2).data["required"], ["y"])
    equal(names().count(name), 2)
    schemas().delete_schema(name, 1)
    refused(404, schemas().get_schema, name, 1)
    schemas().delete_schema_by_name(name)
    equal(names().count(name), 0)


@case
@beyond
def a_task_definition_names_its_schema():
    name = unique("schema")
    registered(name)
    task = task_def(input_schema={"name": name, "version": 1, "type": "JSON"}, enforce_schema=True)
    flow = define(simple(task, "a", x="${workflow.input.x}"))
    run = start(flow, {"x": 1})
    work(task)
    ended(run)
    other = define(simple(task, "a", y=1))
    ended(start(other), "FAILED")


@case
@beyond
def an_equal_key_gives_the_result_of_the_first():
    task = task_def()
    cached = SimpleTask(task, "a").input_parameter("x", "${workflow.input.x}")
    cached.cache("${x}", 60)
    flow = define(cached)
    first = start(flow, {"x": 1})
    work(task, output={"n": 7})
    ended(first)
    equal(output(ended(start(flow, {"x": 1})), "a"), {"n": 7})
    idle(task)
    other = start(flow, {"x": 2})
    work(task, output={"n": 8})
    equal(output(ended(other), "a"), {"n": 8})
    equal(run_of(other).status, "COMPLETED")
