"""Overview 总览: is it healthy, is it late, what burns?"""

from __future__ import annotations

from wanglou.deploy.grafana.business import OPEN_EVENTS
from wanglou.deploy.grafana.panels import (
    LEVELS,
    Dashboard,
    Panel,
    Query,
    Row,
    falling,
    rising,
)

OVERVIEW = Dashboard(
    "overview",
    "Wanglou overview 总览",
    "Is it healthy, is it late, what burns?",
    (
        Row(
            "Is it healthy? 是否正常",
            (
                Panel(
                    "Workers up 运行进程",
                    "Workers that answer Prometheus. With none nothing is watched.",
                    "short",
                    falling(1, 1),
                    (Query('sum(up{job="wanglou"})', "workers"),),
                    "stat",
                    6,
                ),
                Panel(
                    "Stuck partitions 停滞分区",
                    "Partitions that make no progress although there is something to do.",
                    "short",
                    rising(1, 1),
                    (Query("sum(wanglou_stuck_partitions)", "partitions"),),
                    "stat",
                    6,
                ),
                Panel(
                    "Alerts on the pipeline 系统告警",
                    "Prometheus alerts that fire now; each links to its runbook.",
                    "short",
                    rising(1, 3),
                    (Query('count(ALERTS{alertstate="firing"}) or vector(0)', "firing"),),
                    "stat",
                    6,
                ),
                Panel(
                    "Dead letters 死信占比",
                    "Share of what intake reads that cannot be processed and is put aside.",
                    "percentunit",
                    rising(0.01, 0.05),
                    (Query('wanglou:dead_letters:ratio_rate15m{agent="intake"}', "put aside"),),
                    "stat",
                    6,
                ),
            ),
        ),
        Row(
            "Is it late? 是否延迟",
            (
                Panel(
                    "Mentions in time 及时率",
                    "Share of mentions counted in their event within 10 s. Objective: 99 %.",
                    "percentunit",
                    falling(0.98, 0.99),
                    (Query("1 - wanglou:slow_mentions:ratio_rate5m", "within 10 s"),),
                ),
                Panel(
                    "Mention to event 入库到事件",
                    "From the broker's taking a raw mention to its being counted in its event.",
                    "s",
                    rising(5, 10),
                    tuple(
                        Query(
                            f"histogram_quantile({share}, sum by (le) "
                            "(rate(wanglou_raw_to_event_seconds_bucket[$__rate_interval])))",
                            f"p{share * 100:.0f}",
                        )
                        for share in (0.5, 0.95, 0.99)
                    ),
                ),
                Panel(
                    "Lag by agent 积压",
                    "Messages that an agent has not finished with.",
                    "short",
                    rising(1000, 10000),
                    (Query("wanglou:lag_messages:sum", "{{agent}}"),),
                ),
            ),
        ),
        Row(
            "What burns? 何处告急",
            (
                Panel(
                    "Error budget burn 错误预算燃烧率",
                    "How many times faster than allowed the month's error budget is used up. "
                    "14.4 over an hour pages.",
                    "short",
                    rising(6, 14.4),
                    tuple(
                        Query(f"wanglou:slow_mentions:ratio_rate{window} / 0.01", window)
                        for window in ("5m", "1h", "6h")
                    ),
                ),
                OPEN_EVENTS,
                Panel(
                    "Highest risk 机构最高风险值",
                    "Highest risk (0 to 100) of each institution's open events.",
                    "none",
                    LEVELS,
                    (Query("max by (institution) (wanglou_institution_risk)", "{{institution}}"),),
                    "bars",
                ),
            ),
        ),
    ),
)
