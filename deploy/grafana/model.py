"""Model 模型: how fast it is, how busy, and what it says."""

from __future__ import annotations

from wanglou.deploy.grafana.panels import NEUTRAL, Dashboard, Panel, Query, Row, rising

MODEL = Dashboard(
    "model",
    "Wanglou model 模型",
    "How fast the sentiment model is, how busy, and what it says.",
    (
        Row(
            "Speed 速度",
            (
                Panel(
                    "Mentions read 推理吞吐",
                    "Mentions that were given to the model; equal texts are read once.",
                    "mps",
                    NEUTRAL,
                    (Query("sum(rate(wanglou_model_texts_total[$__rate_interval]))", "mentions"),),
                ),
                Panel(
                    "Time for a mention 单条用时",
                    "Time of the model for a mention. Above 50 ms while it is busy it is slow.",
                    "s",
                    rising(0.02, 0.05),
                    (Query("wanglou:model_seconds_per_mention:rate10m", "mean of 10 minutes"),),
                ),
                Panel(
                    "Time for a batch 批次推理用时",
                    "Time that the model takes for a micro-batch.",
                    "s",
                    rising(2.5, 10),
                    tuple(
                        Query(
                            f"histogram_quantile({share}, sum by (le) "
                            "(rate(wanglou_model_seconds_bucket[$__rate_interval])))",
                            f"p{share * 100:.0f}",
                        )
                        for share in (0.5, 0.95)
                    ),
                ),
            ),
        ),
        Row(
            "Load and answers 负载与结果",
            (
                Panel(
                    "Busy 繁忙程度",
                    "Share of its time in which the busiest worker's model runs.",
                    "percentunit",
                    rising(0.8, 0.95),
                    (
                        Query(
                            "clamp_max(max(rate(wanglou_model_seconds_sum[$__rate_interval])), 1)",
                            "busiest worker",
                        ),
                    ),
                ),
                Panel(
                    "Lag before the model 模型前积压",
                    "Messages that wait for the model.",
                    "short",
                    rising(1000, 10000),
                    (Query('wanglou:lag_messages:sum{agent="sentiment"}', "messages"),),
                ),
                Panel(
                    "Polarity 情感极性",
                    "Share of each polarity. A sudden shift without an event is the model's fault.",
                    "percentunit",
                    NEUTRAL,
                    (
                        Query(
                            "sum by (outcome) (rate(wanglou_outcomes_total"
                            '{agent="sentiment", outcome=~"negative|neutral|positive"}[15m]))'
                            " / ignoring (outcome) group_left sum(rate(wanglou_outcomes_total"
                            '{agent="sentiment", outcome=~"negative|neutral|positive"}[15m]))',
                            "{{outcome}}",
                        ),
                    ),
                    "stack",
                ),
            ),
        ),
    ),
)
