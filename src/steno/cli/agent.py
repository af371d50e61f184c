"""`steno agent`: record all sessions of a host; and look after that."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import click

from steno.agent.configuration import AgentConfig, load_agent_config
from steno.agent.keep import become_keeper
from steno.cli.lazy import LazyGroup
from steno.logs import configure_logs

_COMMANDS: dict[str, tuple[str, str]] = {
    "status": ("agent_control:status_command", "Show how the agent is."),
    "sessions": ("agent_control:sessions_command", "List the sessions that are being recorded."),
    "kill": ("agent_control:kill_command", "End a session."),
    "message": ("agent_control:message_command", "Show a line on a session's terminal."),
    "reload": ("agent_control:reload_command", "Read configuration and policy again."),
}

config_option = click.option(
    "--config",
    "config_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="The configuration [default: /etc/steno/agent.toml, if there is one].",
)
control_option = click.option(
    "--control",
    metavar="PATH",
    help="The control socket [default: /run/steno/control.sock].",
)
policy_option = click.option(
    "--policy", metavar="FILE", help="The policy [default: /etc/steno/policy.toml]."
)
user_option = click.option(
    "--user", metavar="NAME", help="Whom this runs as when root starts it [default: steno]."
)


@click.group(
    "agent",
    cls=LazyGroup,
    table=_COMMANDS,
    invoke_without_command=True,
    subcommand_metavar="[COMMAND]",
)
@config_option
@click.option(
    "--socket",
    metavar="PATH",
    help="Where steno-shell asks [default: /run/steno/agent.sock].",
)
@control_option
@policy_option
@click.option(
    "--spool",
    metavar="DIRECTORY",
    help="Where recordings wait for the server [default: /var/lib/steno/spool].",
)
@user_option
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    help="What is logged [default: info].",
)
@click.option(
    "--keeper",
    "is_kept",
    is_flag=True,
    help="Start a keeper, which starts the agent again when it dies: without systemd.",
)
@click.pass_context
def command(context: click.Context, /, **given: Any) -> None:  # noqa: ANN401  # click's values
    """Record the sessions that steno-shell hands over, until SIGTERM.

    With COMMAND, look after the agent that runs.
    """
    if context.invoked_subcommand is not None:
        context.obj = given
        return
    # Imported only when needed, so that asking for the status stays quick.
    from steno.agent.running import make_run_directory, run_agent

    if given["is_kept"]:
        kept = _read_config(given)
        make_run_directory(kept)
        become_keeper(Path(kept.socket).with_name("keeper.sock"))
    read_config = partial(_read_config, given)
    config = read_config()
    configure_logs(config.log.level, config.log.style)
    run_agent(config, read_config)


def _read_config(given: dict[str, Any]) -> AgentConfig:
    flags = {key: given[key] for key in ("socket", "control", "policy", "spool", "user")}
    return load_agent_config(given["config_file"], {**flags, "log.level": given["log_level"]})
