"""Business risk 业务风险: which institutions, which topics, and who has taken it on."""

from __future__ import annotations

from wanglou.deploy.grafana.panels import (
    LEVELS,
    NEUTRAL,
    Dashboard,
    Panel,
    Query,
    Row,
    Variable,
    rising,
)

OPEN_EVENTS = Panel(
    "Open events by level 事件等级",
    "Events in force by level: 蓝 一般, 黄 较大, 橙 重大, 红 特别重大.",
    "short",
    rising(10, 50),
    (Query("sum by (level) (wanglou_open_events)", "{{level}}"),),
    "stack",
)
"""Stands on the overview too."""

CHOSEN = 'institution=~"$institution"'

BUSINESS = Dashboard(
    "business",
    "Wanglou business risk 业务风险",
    "Which institutions and topics are at risk, and whether somebody has taken it on.",
    (
        Row(
            "Risk 风险",
            (
                OPEN_EVENTS,
                Panel(
                    "Risk by institution 机构风险值",
                    "Highest risk (0 to 100) of an institution's open events; 0 without any.",
                    "none",
                    LEVELS,
                    (
                        Query(
                            f"max by (institution) (wanglou_institution_risk{{{CHOSEN}}})",
                            "{{institution}}",
                        ),
                    ),
                ),
                Panel(
                    "Open events by topic 风险主题",
                    "Events in force by risk topic.",
                    "short",
                    rising(3, 10),
                    (Query("topk(10, sum by (topic) (wanglou_open_events))", "{{topic}}"),),
                    "bars",
                ),
            ),
        ),
        Row(
            "What is said 舆情",
            (
                Panel(
                    "Mentions by institution 机构声量",
                    "Mentions a minute that were counted in an institution's events.",
                    "cpm",
                    NEUTRAL,
                    (
                        Query(
                            "60 * sum by (institution) (rate("
                            f"wanglou_institution_mentions_total{{{CHOSEN}}}[$__rate_interval]))",
                            "{{institution}}",
                        ),
                    ),
                ),
                Panel(
                    "Negative share 负面占比",
                    "Share of an institution's mentions that speak ill of it.",
                    "percentunit",
                    rising(0.5, 0.8),
                    (
                        Query(
                            "sum by (institution) (rate(wanglou_institution_mentions_total"
                            f'{{{CHOSEN}, negative="yes"}}[15m])) / sum by (institution) '
                            f"(rate(wanglou_institution_mentions_total{{{CHOSEN}}}[15m]))",
                            "{{institution}}",
                        ),
                    ),
                ),
                Panel(
                    "Top topics 热点主题",
                    "The risk topics with most mentions in the last hour.",
                    "short",
                    NEUTRAL,
                    (
                        Query(
                            "topk(10, sum by (topic) (increase(wanglou_topic_mentions_total[1h])))",
                            "{{topic}}",
                        ),
                    ),
                    "bars",
                ),
            ),
        ),
        Row(
            "Who answers 处置",
            (
                Panel(
                    "Unacknowledged cases 未确认",
                    "Cases that were paged and that nobody has taken on, by level.",
                    "short",
                    rising(1, 3),
                    (Query("sum by (level) (wanglou_unacknowledged_cases)", "{{level}}"),),
                    "stack",
                    6,
                ),
                Panel(
                    "Minutes to acknowledgement 确认用时",
                    "From a case's rise to orange or red to its acknowledgement, last 24 hours.",
                    "m",
                    rising(10, 30),
                    tuple(
                        Query(
                            f"histogram_quantile({share}, sum by (level, le) "
                            "(increase(wanglou_acknowledgement_seconds_bucket[1d]))) / 60",
                            f"p{share * 100:.0f} {{{{level}}}}",
                        )
                        for share in (0.5, 0.9)
                    ),
                    width=6,
                ),
                Panel(
                    "Pages 通知",
                    "Pages in the last hour by what became of them.",
                    "short",
                    rising(50, 200),
                    (Query("sum by (outcome) (increase(wanglou_pages_total[1h]))", "{{outcome}}"),),
                    width=6,
                ),
                Panel(
                    "Escalations 升级通知",
                    "Pages in the last hour that went to the next on duty, by level.",
                    "short",
                    rising(1, 5),
                    (
                        Query(
                            "sum by (level) (increase(wanglou_page_escalations_total[1h]))",
                            "{{level}}",
                        ),
                    ),
                    width=6,
                ),
            ),
        ),
        Row(
            "Cases 案卷",
            (
                Panel(
                    "Overdue tasks 逾期任务",
                    "Tasks of open cases that are past their deadline in event time, by level.",
                    "short",
                    rising(1, 5),
                    (Query("max by (level) (wanglou_overdue_tasks)", "{{level}}"),),
                    "stack",
                ),
                Panel(
                    "Oldest overdue task 最长逾期",
                    "How long the oldest of them is past its deadline; 0 for none.",
                    "s",
                    rising(900, 3600),
                    (Query("max(wanglou_overdue_task_oldest_seconds)", "oldest"),),
                ),
                Panel(
                    "Records written 归档记录",
                    "Records a minute that the archive wrote to the chains of cases, by kind.",
                    "cpm",
                    NEUTRAL,
                    (
                        Query(
                            "60 * sum by (kind) "
                            "(rate(wanglou_archive_records_total[$__rate_interval]))",
                            "{{kind}}",
                        ),
                    ),
                ),
            ),
        ),
    ),
    (Variable("institution", "Institution 机构", "wanglou_institution_risk"),),
)
