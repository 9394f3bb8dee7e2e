"""Registering commands, and the table of each worker."""

import pytest

from utils.core import replies, requests
from utils.core.errors import InvalidRequest
from utils.serving.commands import Group, merge, tag_of
from utils.serving.commands.shared import check
from utils.serving.commands.table import GROUPS, commands_of
from workers import WORKERS


def register(group):
    @group.control(requests.Ping, replies.Pong)
    def ping(context, request):
        return replies.Pong(model_loaded=None)


def test_a_command_is_registered_once_in_a_group():
    """A second function for it is a programmer's error."""
    group = Group("one")
    register(group)
    with pytest.raises(ValueError, match="`ping` is registered twice in the group `one`"):
        register(group)


def test_a_command_is_in_one_group_of_a_worker():
    """Two groups that both have it cannot be merged."""
    one, two = Group("one"), Group("two")
    register(one)
    register(two)
    with pytest.raises(ValueError, match="`one` and `two`"):
        merge([one, two])


@pytest.mark.parametrize("worker", WORKERS.values(), ids=lambda worker: worker.name)
def test_the_groups_of_every_worker_exist(worker):
    """And together they have what every worker must understand."""
    assert set(worker.groups) <= GROUPS.keys()
    everywhere = "ping get_status list_models load_model preload_model list_cached clear_cache set_cache_size"
    others = "set_storage_type download_model cancel describe exit batch"
    assert {*everywhere.split(), *others.split()} <= commands_of(worker).keys()


@pytest.mark.parametrize("group", GROUPS.values(), ids=lambda group: group.name)
def test_commands_are_called_as_their_requests_say(group):
    """The name in the table is the tag of the request type."""
    assert all(name == tag_of(command.request) for name, command in group.commands.items())


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({}, "input"),
        ({"input": "", "output": "o"}, "input"),
        ({"inputs": [], "output": "o"}, "input"),
        ({"input": "a.wav", "inputs": ["b.wav"], "output": "o"}, "inputs"),
    ],
)
def test_separate_needs_one_kind_of_input(fields, field):
    """What is missing or contradicts is named."""
    with pytest.raises(InvalidRequest) as caught:
        check(requests.Separate(**fields))
    assert caught.value.field == field


@pytest.mark.parametrize("fields", [{"input": "a.wav", "output": "o"}, {"inputs": ["a.wav"], "output_dir": "o"}])
def test_separate_takes_either_name_of_its_fields(fields):
    """`input` or `inputs`, `output` or `output_dir`."""
    request = requests.Separate(**fields)
    assert check(request) is None
    assert request.folder == "o"


def test_results_without_a_place_go_to_a_folder_of_the_working_directory():
    """It is called `output`."""
    assert requests.Separate(input="a.wav").folder == "output"
