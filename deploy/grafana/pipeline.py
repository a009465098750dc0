"""Pipeline by agent 流水线: what each agent reads, writes, holds and puts aside."""

from __future__ import annotations

from wanglou.deploy.grafana.panels import NEUTRAL, Dashboard, Panel, Query, Row, Variable, rising

AGENT = 'agent=~"$agent"'
PARTITION = 'agent=~"$agent", partition=~"$partition"'


def _p95(metric: str) -> str:
    rate = f"rate({metric}_bucket{{{AGENT}}}[$__rate_interval])"
    return f"histogram_quantile(0.95, sum by (agent, le) ({rate}))"


def _rate(metric: str, by: str) -> str:
    return f"sum by ({by}) (rate({metric}{{{AGENT}}}[$__rate_interval]))"


PIPELINE = Dashboard(
    "pipeline",
    "Wanglou pipeline 流水线",
    "What each agent reads, writes, holds and puts aside.",
    (
        Row(
            "Flow 流量",
            (
                Panel(
                    "Messages in 读入",
                    "Messages that an agent has read and finished with, watermarks among them.",
                    "mps",
                    NEUTRAL,
                    (Query(_rate("wanglou_messages_in_total", "agent"), "{{agent}}"),),
                ),
                Panel(
                    "Messages out 写出",
                    "Messages written and acknowledged by the broker, by topic.",
                    "mps",
                    NEUTRAL,
                    (Query(_rate("wanglou_messages_out_total", "topic"), "{{topic}}"),),
                ),
                Panel(
                    "Outcomes 处理结果",
                    "What became of messages at each agent.",
                    "mps",
                    NEUTRAL,
                    (
                        Query(
                            _rate("wanglou_outcomes_total", "agent, outcome") + " > 0",
                            "{{agent}} {{outcome}}",
                        ),
                    ),
                ),
            ),
        ),
        Row(
            "Delay 延迟",
            (
                Panel(
                    "Lag by partition 分区积压",
                    "Messages of a partition that the agent has not finished with.",
                    "short",
                    rising(1000, 10000),
                    (
                        Query(
                            f"max by (agent, partition) (wanglou_lag_messages{{{PARTITION}}})",
                            "{{agent}}/{{partition}}",
                        ),
                    ),
                ),
                Panel(
                    "Step latency p95 单步延迟",
                    "From the broker's taking a message to the acknowledgement of what came of it.",
                    "s",
                    rising(5, 10),
                    (Query(_p95("wanglou_step_latency_seconds"), "{{agent}}"),),
                ),
                Panel(
                    "Spread of watermarks 水位差",
                    "Event time by which an agent's slowest partition is behind its fastest.",
                    "s",
                    rising(3600, 21600),
                    (
                        Query(
                            f"max by (agent) (wanglou_watermark_timestamp_seconds{{{AGENT}}}) - "
                            f"min by (agent) (wanglou_watermark_timestamp_seconds{{{AGENT}}})",
                            "{{agent}}",
                        ),
                    ),
                ),
            ),
        ),
        Row(
            "Batches and state 批次与状态",
            (
                Panel(
                    "Batch time p95 批次用时",
                    "From having a micro-batch to having acknowledged it.",
                    "s",
                    rising(2.5, 10),
                    (Query(_p95("wanglou_batch_seconds"), "{{agent}}"),),
                ),
                Panel(
                    "Waiting messages 等待消息",
                    "Messages of a partition that were read and wait for their turn.",
                    "short",
                    rising(5000, 10000),
                    (
                        Query(
                            f"max by (agent, partition) (wanglou_waiting_messages{{{PARTITION}}})",
                            "{{agent}}/{{partition}}",
                        ),
                    ),
                ),
                Panel(
                    "State used 状态占用",
                    "Entries of a partition's state, as a share of worker.state_entries.",
                    "percentunit",
                    rising(0.6, 0.8),
                    (Query(f"wanglou:state_used:ratio{{{PARTITION}}}", "{{agent}}/{{partition}}"),),
                ),
            ),
        ),
        Row(
            "Trouble 异常",
            (
                Panel(
                    "Dead letters 死信",
                    "Messages put aside in the last hour, by agent and reason.",
                    "short",
                    rising(20, 200),
                    (
                        Query(
                            "sum by (agent, reason) "
                            f"(increase(wanglou_dead_letters_total{{{AGENT}}}[1h])) > 0",
                            "{{agent}} {{reason}}",
                        ),
                    ),
                    width=6,
                ),
                Panel(
                    "Restores 状态恢复",
                    "Partitions whose state was read back in the last hour.",
                    "short",
                    rising(12, 24),
                    (
                        Query(
                            "sum by (agent) "
                            f"(increase(wanglou_state_restores_total{{{AGENT}}}[1h]))",
                            "{{agent}}",
                        ),
                    ),
                    width=6,
                ),
                Panel(
                    "Messages sent again 重发",
                    "Messages that the broker did not acknowledge in time, in the last hour.",
                    "short",
                    rising(1, 100),
                    (
                        Query(
                            f"sum by (agent) (increase(wanglou_send_retries_total{{{AGENT}}}[1h]))",
                            "{{agent}}",
                        ),
                    ),
                    width=6,
                ),
                Panel(
                    "Memory 内存",
                    "Resident memory of each worker.",
                    "bytes",
                    rising(1 << 30, 2 << 30),
                    (Query('process_resident_memory_bytes{job="wanglou"}', "{{instance}}"),),
                    width=6,
                ),
            ),
        ),
    ),
    (
        Variable("agent", "Agent 环节", "wanglou_messages_in_total"),
        Variable("partition", "Partition 分区", "wanglou_lag_messages"),
    ),
)
