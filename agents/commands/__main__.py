"""``python -m wanglou.agents.commands`` is ``wanglou``."""

from wanglou.agents.commands import main

main(prog_name="wanglou")
