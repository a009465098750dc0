"""A worker that hangs is noticed, tells where, and ends, so that another can go on."""

from __future__ import annotations

import os
import time
from pathlib import Path

from cluster import READY_SECONDS, WITHOUT_MODEL, mention, running_cluster

from wanglou.schemas.topics import SCORED

SLOW_WORKER = Path(__file__).parents[1] / "kafka" / "slow_worker.py"
FOREVER = "1e6"
STUCK_SECONDS = 10
GIVE_UP_SECONDS = 120.0


async def test_a_model_that_hangs_ends_the_worker_and_another_goes_on(tmp_path: Path) -> None:
    async with running_cluster(tmp_path, partitions=2) as cluster:
        hanging = cluster.start_worker(
            environment={
                **WITHOUT_MODEL,
                "WANGLOU_STUCK__AFTER_SECONDS": str(STUCK_SECONDS),
                "WANGLOU_STUCK__EXIT_SECONDS": str(STUCK_SECONDS),
                "WANGLOU_STUCK__POLL_SECONDS": "0.5",
            },
            program=(str(SLOW_WORKER), FOREVER),
        )
        hanging.wait_ready(READY_SECONDS)
        assert hanging.page("/healthz")[0] == 200
        sent = [mention(f"weibo:{number}", f"和兴银行第{number}号柜台") for number in range(40)]
        await cluster.send(sent)

        deadline = time.monotonic() + GIVE_UP_SECONDS
        while (answer := hanging.page("/healthz"))[0] == 200:
            assert time.monotonic() < deadline, hanging.log_tail()
        assert answer[0] == 503
        assert "wanglou.mentions.deduped.v1/" in answer[1]
        assert hanging.metric("wanglou_stuck_partitions") > 0
        assert hanging.process.wait(GIVE_UP_SECONDS) == os.EX_SOFTWARE
        log = hanging.log.read_text()
        assert "stands at 0 of" in log
        assert "in read" in log, "the stack of the model's thread"
        assert "in _carry_out" in log, "and that of the task that waits for it"

        cluster.start_worker().wait_ready(READY_SECONDS)
        await cluster.drained()
        assert len(await cluster.records(SCORED)) == len(sent)
